use proptest::prelude::*;

use super::*;

/// The same figures in plain f64, with a full sort.
struct Plain {
    log_sum: f64,
    entropy: f64,
    varentropy: f64,
    order: Vec<usize>,
    p: Vec<f64>,
}

fn plain(row: &[f32]) -> Plain {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max) as f64;
    let z: f64 = row.iter().map(|&x| (x as f64 - max).exp()).sum();
    let log_sum = z.ln();
    let p: Vec<f64> = row.iter().map(|&x| (x as f64 - max - log_sum).exp()).collect();
    let log_p = |i: usize| row[i] as f64 - max - log_sum;
    let positive = || (0..row.len()).filter(|&i| p[i] > 0.0);
    let entropy = -positive().map(|i| p[i] * log_p(i)).sum::<f64>();
    let varentropy = positive().map(|i| p[i] * (log_p(i) + entropy).powi(2)).sum();
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_by(|&a, &b| row[b].total_cmp(&row[a]).then(a.cmp(&b)));
    Plain { log_sum, entropy, varentropy, order, p }
}

fn assert_agrees(row: &[f32], k: usize) {
    let seen = Distribution::measure(row, Depth::Count(k), None).unwrap();
    let truth = plain(row);
    let close = |a: f64, b: f64, what: &str| {
        assert!((a - b).abs() <= 2e-6 * (1.0 + b.abs()), "{what}: {a} is not {b} (n {}, k {k})", row.len());
    };
    close(seen.log_sum, truth.log_sum, "log_sum");
    close(seen.entropy, truth.entropy, "entropy");
    // V is a small difference of large numbers where H is large.
    assert!(
        (seen.varentropy - truth.varentropy).abs() <= 1e-5 * (1.0 + truth.entropy.powi(2) + truth.varentropy)
    );
    let ids: Vec<usize> = seen.top().iter().map(|(id, _)| id.index()).collect();
    assert_eq!(ids, truth.order[..k.min(row.len())]);
    let outside: f64 = truth.order[k.min(row.len())..].iter().map(|&i| truth.p[i]).sum();
    assert!(
        (seen.residual - outside).abs() <= 1e-5 * outside + 1e-30,
        "residual {} is not {outside}",
        seen.residual
    );
    let shown: f64 = seen.top().iter().map(|&(_, logit)| seen.probability(logit)).sum();
    close(shown + seen.residual, 1.0, "sum of p");
    assert!(seen.entropy >= 0.0 && seen.entropy <= (row.len() as f64).ln() + 1e-6);
}

proptest! {
    #[test]
    fn agrees_with_plain_arithmetic(row in prop::collection::vec(-40f32..40.0, 1..3000), k in 1usize..60) {
        assert_agrees(&row, k);
    }

    #[test]
    fn agrees_where_many_logits_tie(row in prop::collection::vec((-3i8..3).prop_map(f32::from), 1..2000), k in 1usize..40) {
        assert_agrees(&row, k);
    }

    #[test]
    fn rank_counts_the_strictly_better(row in prop::collection::vec((-50i8..50).prop_map(f32::from), 1..800), k in 1usize..20, pick in any::<prop::sample::Index>()) {
        let logit = row[pick.index(row.len())];
        let seen = Distribution::measure(&row, Depth::Count(k), None).unwrap();
        let better = row.iter().filter(|&&other| other > logit).count() as u32;
        prop_assert_eq!(seen.rank(&row, logit), better + 1);
    }

    #[test]
    fn the_nth_largest_is_that_of_a_sort(row in prop::collection::vec((-4000i32..4000).prop_map(|x| x as f32 / 40.0), 1..900), pick in any::<prop::sample::Index>()) {
        let n = 1 + pick.index(row.len());
        let mut sorted = row.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let cut_falls_between = sorted.get(n) != Some(&sorted[n - 1]);
        prop_assert_eq!(nth_largest(&row, sorted[0], n), cut_falls_between.then_some(sorted[n - 1]));
    }

    #[test]
    fn mass_keeps_the_fewest_that_suffice(row in prop::collection::vec(-8f32..8.0, 1..600), share in 0.05f64..0.999) {
        let seen = Distribution::measure(&row, Depth::Mass(share), None).unwrap();
        let p: Vec<f64> = seen.top().iter().map(|&(_, logit)| seen.probability(logit)).collect();
        prop_assert!(p.iter().sum::<f64>() >= share - 1e-9);
        prop_assert!(p[..p.len() - 1].iter().sum::<f64>() < share + 1e-9);
        prop_assert!((p.iter().sum::<f64>() + seen.residual - 1.0).abs() < 1e-6);
    }

    #[test]
    fn boundary_mass_adds_up(row in prop::collection::vec(-9f32..9.0, 1..900), seed in any::<u64>()) {
        let classes: Vec<u8> = (0..row.len()).map(|i| ((seed.wrapping_mul(i as u64 + 7) >> 13) % 4) as u8).collect();
        let mass = Distribution::measure(&row, Depth::Count(5), Some(&classes)).unwrap().boundary.unwrap();
        let truth = plain(&row);
        for (class, found) in [(1, mass.space), (2, mass.other_space), (3, mass.end)] {
            let expected: f64 = (0..row.len()).filter(|&i| classes[i] == class).map(|i| truth.p[i]).sum();
            prop_assert!((found - expected).abs() < 1e-6, "class {}: {} is not {}", class, found, expected);
        }
    }
}

#[test]
fn constant_row_is_uniform() {
    let row = vec![3.25f32; 49_152];
    assert_agrees(&row, 10);
    let seen = Distribution::measure(&row, Depth::Count(10), None).unwrap();
    assert!((seen.entropy - (49_152f64).ln()).abs() < 1e-9);
    assert_eq!(seen.varentropy, 0.0);
    assert_eq!(seen.rank(&row, 3.25), 1);
}

#[test]
fn impossible_tokens_have_no_mass_and_come_last() {
    let mut row = vec![f32::NEG_INFINITY; 1000];
    row[700] = 1.0;
    row[3] = 0.5;
    let seen = Distribution::measure(&row, Depth::Count(4), None).unwrap();
    let ids: Vec<u32> = seen.top().iter().map(|(id, _)| id.0).collect();
    assert_eq!(ids, [700, 3, 0, 1]);
    assert_eq!(seen.residual, 0.0);
    assert_eq!(seen.rank(&row, f32::NEG_INFINITY), 3);
    assert!(seen.entropy.is_finite() && seen.varentropy.is_finite());
    assert_eq!(seen.probability(f32::NEG_INFINITY), 0.0);
}

#[test]
fn huge_and_denormal_rows_stay_exact() {
    let huge: Vec<f32> = (0..5000).map(|i| if i % 2 == 0 { 3e38 } else { -3e38 }).collect();
    assert_agrees(&huge, 3);
    let denormal: Vec<f32> = (0..5000).map(|i| i as f32 * f32::from_bits(1)).collect();
    assert_agrees(&denormal, 7);
    let steep: Vec<f32> = (0..300).map(|i| -(i as f32)).collect();
    assert_agrees(&steep, 20);
}

#[test]
fn a_tiny_residual_is_not_lost_to_rounding() {
    let mut row = vec![-30f32; 100_000];
    row[5] = 10.0;
    let seen = Distribution::measure(&row, Depth::Count(1), None).unwrap();
    let expected = 99_999.0 * (-40f64).exp();
    assert!((seen.residual / expected - 1.0).abs() < 1e-5, "{} is not {expected}", seen.residual);
}

#[test]
fn k_of_zero_shows_nothing_and_hides_everything() {
    let seen = Distribution::measure(&[1.0, 2.0, 3.0], Depth::Count(0), None).unwrap();
    assert!(seen.top().is_empty());
    assert!((seen.residual - 1.0).abs() < 1e-12);
}

#[test]
fn damaged_rows_are_refused() {
    let measure = |row: &[f32]| Distribution::measure(row, Depth::Count(2), None);
    assert_eq!(measure(&[]), Err(RowError::Empty));
    assert_eq!(measure(&[1.0, f32::NAN, 2.0]), Err(RowError::NotFinite));
    assert_eq!(measure(&[1.0, f32::INFINITY]), Err(RowError::NotFinite));
    assert_eq!(measure(&[f32::NEG_INFINITY; 40]), Err(RowError::AllImpossible));
    assert_eq!(measure(&[f32::NAN; 40]), Err(RowError::NotFinite));
}

proptest! {
    #[test]
    fn cross_entropy_is_the_surprisal_one_model_expects_of_the_other(
        rows in prop::collection::vec((-20f32..20.0, -20f32..20.0), 1..700)
    ) {
        let (expected, by): (Vec<f32>, Vec<f32>) = rows.into_iter().unzip();
        let (p, q) = (plain(&expected), plain(&by));
        let truth: f64 = p.p.iter().zip(&q.p).map(|(p, q)| -p * q.ln()).sum();
        let found = cross_entropy(&expected, &by).unwrap();
        prop_assert!((found - truth).abs() < 1e-4 * (1.0 + truth), "{found} is not {truth}");
        // With itself it is the entropy.
        prop_assert!((cross_entropy(&by, &by).unwrap() - q.entropy).abs() < 1e-4 * (1.0 + q.entropy));
    }
}

#[test]
fn what_one_model_rules_out_and_the_other_allows_costs_everything() {
    let never = f32::NEG_INFINITY;
    assert_eq!(cross_entropy(&[0.0, 0.0], &[0.0, never]).unwrap(), f64::INFINITY);
    assert!((cross_entropy(&[0.0, never], &[0.0, never]).unwrap()).abs() < 1e-7);
    assert_eq!(cross_entropy(&[0.0], &[f32::NAN]), Err(RowError::NotFinite));
}

#[test]
fn a_mask_leaves_what_its_bits_allow() {
    let row: Vec<f32> = (0..77).map(|i| i as f32).collect();
    let mut masked = vec![7.0; row.len()];
    mask(&row, &[0x8000_0001, 0b10], &mut masked);
    for (i, &value) in masked.iter().enumerate() {
        assert_eq!(value, if [0, 31, 33].contains(&i) { i as f32 } else { f32::NEG_INFINITY }, "{i}");
    }
}

#[test]
fn the_best_are_the_same_however_the_row_lies() {
    // Rising, falling, flat, mostly impossible, with ties across blocks.
    let n = 5000;
    let rows: [Box<dyn Fn(usize) -> f32>; 5] = [
        Box::new(|i| i as f32),
        Box::new(|i| -(i as f32)),
        Box::new(|_| 1.5),
        Box::new(|i| if i % 997 == 3 { i as f32 } else { f32::NEG_INFINITY }),
        Box::new(|i| ((i * 7919) % 13) as f32),
    ];
    for (name, of) in rows.iter().enumerate() {
        let row: Vec<f32> = (0..n).map(of).collect();
        let mut sorted: Vec<(TokenId, f32)> =
            row.iter().enumerate().map(|(i, &logit)| (TokenId(i as u32), logit)).collect();
        sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        for k in [1, 2, 19, 20, 21, 64, 300, n] {
            assert_eq!(best(&row, k), sorted[..k], "row {name}, k {k}");
        }
    }
}
