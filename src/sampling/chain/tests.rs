//! Every stage against its definition over the whole vocabulary, in `f64`.

use super::testing::{Noise, Reference, choose, vocab};
use super::*;
use crate::distribution::{Depth, Distribution};
use crate::sampling::Xtc;

/// What becomes of the settings' stages by definition.
type Definition = Box<dyn Fn(&mut Reference)>;

/// What has masked tokens before the stages in question.
#[derive(Clone, Copy, Debug)]
enum Before {
    Nothing,
    Mask,
    TopNSigma,
}

/// Compares a chain with a reference on many rows, alone and after what masks.
fn compare(seed: u32, cases: u32, make: impl Fn(&mut Noise) -> (Sampling, Definition)) {
    for before in [Before::Nothing, Before::Mask, Before::TopNSigma] {
        let (largest, doubtful) = compare_after(before, seed, cases, &make);
        eprintln!(
            "after {before:?}: largest difference of a final probability {largest:.1e}, \
             cuts too near to a token {doubtful} of {cases}"
        );
        assert!(doubtful < cases / 4, "{doubtful} of {cases} cuts are too near to a token");
        assert!(largest < 1e-6, "{largest}");
    }
}

/// The largest difference of a final probability, and how many cuts fell too near to a token.
fn compare_after(
    before: Before,
    seed: u32,
    cases: u32,
    make: &impl Fn(&mut Noise) -> (Sampling, Definition),
) -> (f64, u32) {
    let mut noise = Noise(Mt::new(seed));
    let (mut largest, mut doubtful) = (0.0f64, 0);
    let vocabs = [3, 12, 40, 80, 130].map(vocab);
    for case in 0..cases {
        let mut row = noise.row();
        let (mut sampling, definition) = make(&mut noise);
        let sigma = 0.2 + noise.unit() * 3.0;
        match before {
            Before::Nothing => {}
            Before::Mask => noise.mask(&mut row),
            // Mirostat takes its place.
            Before::TopNSigma if sampling.top_n_sigma > 0.0 || sampling.mirostat.is_some() => continue,
            Before::TopNSigma => sampling.top_n_sigma = sigma,
        }
        let vocab = vocabs.iter().find(|vocab| vocab.len() == row.len()).unwrap();
        let mut chain = Chain::new(&Sampling { seed: case, ..sampling.clone() }, vocab, 100);
        let choice = choose(&mut chain, &row, 1 + noise.below(80) as usize);
        let mut reference = Reference::new(&row);
        if let Before::TopNSigma = before {
            reference.top_n_sigma(f64::from(sigma));
        }
        definition(&mut reference);
        if reference.doubtful {
            doubtful += 1;
            continue;
        }
        let mut wanted = vec![None; row.len()];
        for (p, entry) in reference.probabilities().into_iter().zip(&reference.entries) {
            wanted[entry.0.index()] = Some(p);
        }
        // Mirostat is where a token is chosen, no stage that drops: what it keeps has a probability.
        let drops = sampling.mirostat.is_none();
        for (id, (outcome, wanted)) in choice.watched.iter().zip(&wanted).enumerate() {
            let stays = outcome.dropped_by.is_none() && row[id] > f32::NEG_INFINITY;
            let stays = if drops { stays } else { outcome.prob > 0.0 };
            assert_eq!(
                stays,
                wanted.is_some(),
                "{before:?} case {case} token {id} {outcome:?} {wanted:?} {sampling:?} {row:?}"
            );
            largest = largest.max((f64::from(outcome.prob) - wanted.unwrap_or(0.0)).abs());
        }
        assert!(wanted[choice.id.index()].is_some(), "case {case}: an impossible choice");
    }
    (largest, doubtful)
}

/// Rows a stage; `SAMPLER_CASES=100000` is a matter of seconds where the code is optimised.
fn cases() -> u32 {
    std::env::var("SAMPLER_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(3_000)
}

fn stage(
    seed: u32,
    make: impl Fn(f32) -> Sampling,
    define: impl Fn(&mut Reference, f64) + Copy + 'static,
    scale: f32,
) {
    compare(seed, cases(), |noise| {
        let x = noise.unit() * scale;
        (make(x), Box::new(move |reference| define(reference, f64::from(x))))
    });
}

#[test]
fn top_k_is_its_definition() {
    let make = |x: f32| Sampling { top_k: x as u32 + 1, ..Sampling::default() };
    stage(1, make, |reference, x| reference.keep(x as usize + 1), 100.0);
}

#[test]
fn top_p_is_its_definition() {
    stage(2, |x| Sampling { top_p: x, ..Sampling::default() }, |reference, x| reference.top_p(x), 1.0);
}

#[test]
fn min_p_is_its_definition() {
    let define = |reference: &mut Reference, x: f64| {
        if x > 0.0 {
            reference.keep_from(reference.entries[0].1 + x.ln());
        }
    };
    stage(3, |x| Sampling { min_p: x, ..Sampling::default() }, define, 0.5);
}

#[test]
fn typical_is_its_definition() {
    stage(4, |x| Sampling { typical: x, ..Sampling::default() }, |reference, x| reference.typical(x), 1.0);
}

#[test]
fn top_n_sigma_is_its_definition() {
    let define = |reference: &mut Reference, x: f64| {
        if x > 0.0 {
            reference.top_n_sigma(x);
        }
    };
    stage(5, |x| Sampling { top_n_sigma: x, ..Sampling::default() }, define, 3.0);
}

#[test]
fn xtc_is_its_definition() {
    let xtc = |x| Some(Xtc { probability: 1.0, threshold: x });
    stage(6, |x| Sampling { xtc: xtc(x), ..Sampling::default() }, |reference, x| reference.xtc(x), 0.5);
}

#[test]
fn temperature_is_its_definition() {
    let define = |reference: &mut Reference, x: f64| {
        reference.entries.iter_mut().for_each(|entry| entry.1 /= x);
    };
    compare(7, cases(), |noise| {
        let x = 0.1 + noise.unit() * 3.0;
        (Sampling { temperature: x, ..Sampling::default() }, Box::new(move |r| define(r, f64::from(x))))
    });
}

#[test]
fn stages_after_one_another_are_their_definitions_in_turn() {
    compare(8, cases(), |noise| {
        let (sigma, k, typical) = (noise.unit() * 4.0, noise.below(60) + 1, 0.5 + noise.unit() / 2.0);
        let (top_p, min_p, t) = (0.3 + noise.unit() * 0.7, noise.unit() * 0.1, 0.3 + noise.unit() * 2.0);
        let which = noise.below(64);
        let on = move |bit: u32| which >> bit & 1 == 1;
        let xtc = Xtc { probability: 1.0, threshold: 0.1 };
        let sampling = Sampling {
            top_n_sigma: if on(0) { sigma } else { 0.0 },
            top_k: if on(1) { k } else { 0 },
            typical: if on(2) { typical } else { 1.0 },
            top_p: if on(3) { top_p } else { 1.0 },
            min_p: if on(4) { min_p } else { 0.0 },
            xtc: on(5).then_some(xtc),
            temperature: t,
            ..Sampling::default()
        };
        let given = sampling.clone();
        let define = move |reference: &mut Reference| {
            for stage in given.stages() {
                match stage {
                    Stage::TopNSigma => reference.top_n_sigma(f64::from(sigma)),
                    Stage::TopK => reference.keep(k as usize),
                    Stage::Typical => reference.typical(f64::from(typical)),
                    Stage::TopP => reference.top_p(f64::from(top_p)),
                    Stage::MinP => reference.keep_from(reference.entries[0].1 + f64::from(min_p).ln()),
                    Stage::Xtc => reference.xtc(f64::from(xtc.threshold)),
                    _ => reference.entries.iter_mut().for_each(|entry| entry.1 /= f64::from(t)),
                }
            }
        };
        (sampling, Box::new(define))
    });
}

/// Penalties and DRY by their definitions, token by token.
#[test]
fn repetition_costs_what_its_definitions_say() {
    let mut noise = Noise(Mt::new(9));
    let vocab = vocab(90);
    for case in 0..2_000 {
        let row: Vec<f32> = (0..90).map(|_| (noise.unit() - 0.5) * 20.0).collect();
        let sampling = Sampling {
            repeat_penalty: 0.5 + noise.unit() * 2.0,
            presence_penalty: noise.unit() * 4.0 - 2.0,
            frequency_penalty: noise.unit() * 4.0 - 2.0,
            penalty_last_n: noise.below(30),
            dry: noise.unit() * 2.0,
            ..Sampling::default()
        };
        let before: Vec<TokenId> = (0..noise.below(50)).map(|_| TokenId(noise.below(7))).collect();
        let mut chain = Chain::new(&sampling, &vocab, 100);
        before.iter().for_each(|token| chain.accept(*token));
        let mut logits = row.clone();
        let last = &before[before.len().saturating_sub(sampling.penalty_last_n as usize)..];
        for id in 0..7u32 {
            let count = last.iter().filter(|token| token.0 == id).count();
            let logit = &mut logits[id as usize];
            if count > 0 {
                *logit = if *logit <= 0.0 {
                    *logit * sampling.repeat_penalty
                } else {
                    *logit / sampling.repeat_penalty
                };
                *logit -= count as f32 * sampling.frequency_penalty + sampling.presence_penalty;
            }
            // The longest end of the text, without a breaker, that stood before this token already.
            let ends = |length: usize| {
                let end = &before[before.len() - length..];
                !end.contains(&TokenId(5))
                    && before.windows(length + 1).any(|w| w[..length] == *end && w[length].0 == id)
            };
            let longest = (1..before.len()).filter(|length| ends(*length)).max().unwrap_or(0);
            if longest >= 2 && id != 5 {
                logits[id as usize] -= sampling.dry * 1.75f32.powi(longest as i32 - 2);
            }
        }
        let choice = choose(&mut chain, &row, 10);
        let reference = Reference::new(&logits);
        for (p, entry) in reference.probabilities().into_iter().zip(&reference.entries) {
            let found = f64::from(choice.watched[entry.0.index()].prob);
            assert!((found - p).abs() < 1e-6, "case {case} token {} {found} {p}", entry.0);
        }
    }
}

#[test]
fn a_choice_depends_on_no_k() {
    let mut noise = Noise(Mt::new(10));
    for case in 0..300 {
        let row = noise.row();
        let sampling = Sampling {
            seed: case,
            top_p: if case % 2 == 0 { 0.9 } else { 1.0 },
            typical: if case % 3 == 0 { 0.7 } else { 1.0 },
            temperature: 0.5 + noise.unit(),
            mirostat: (case % 5 == 0).then_some(Mirostat {
                version: 1 + (case % 2) as u8,
                tau: 3.0,
                eta: 0.1,
            }),
            repeat_penalty: 1.1,
            ..Sampling::default()
        };
        let reply = |k: usize| -> Vec<(TokenId, f32)> {
            let mut chain = Chain::new(&sampling, &vocab(row.len()), 100);
            let mut step = || {
                let choice = choose(&mut chain, &row, k);
                chain.accept(choice.id);
                (choice.id, choice.outcome.prob)
            };
            (0..5).map(|_| step()).collect()
        };
        assert_eq!(reply(1), reply(50));
        assert_eq!(reply(1), reply(1000));
    }
}

#[test]
fn what_is_left_is_what_a_choice_is_made_from() {
    let mut noise = Noise(Mt::new(21));
    for case in 0..300 {
        let row = noise.row();
        let sampling = Sampling {
            seed: case,
            greedy: case % 11 == 0,
            top_k: [0, 5, 30][case as usize % 3],
            top_p: if case % 2 == 0 { 0.9 } else { 1.0 },
            min_p: if case % 5 == 0 { 0.01 } else { 0.0 },
            xtc: (case % 7 == 0).then_some(Xtc { probability: 1.0, threshold: 0.05 }),
            temperature: 0.5 + noise.unit(),
            mirostat: (case % 4 == 0).then_some(Mirostat {
                version: 1 + (case % 2) as u8,
                tau: 3.0,
                eta: 0.1,
            }),
            repeat_penalty: 1.3,
            ..Sampling::default()
        };
        let chain = || {
            let mut chain = Chain::new(&sampling, &vocab(row.len()), 100);
            [TokenId(0), TokenId(2)].into_iter().for_each(|id| chain.accept(id));
            chain
        };
        let choice = choose(&mut chain(), &row, row.len());
        let best = crate::distribution::best(&row, row.len());
        let watched = || WatchedToken::new((0..row.len() as u32).map(TokenId).collect());
        let left = chain().left(&row, best[..].into(), watched());
        assert_eq!(left.watched, choice.watched, "{sampling:?}");
        let kept = left.watched.iter().filter(|outcome| outcome.prob > 0.0).count();
        assert!(left.count >= kept && left.count - kept <= row.len() / 8, "{} {kept}", left.count);
        assert_eq!(left, chain().left(&row, best[..1].into(), watched()), "however many are looked at");
        let raw = Distribution::measure(&row, Depth::Count(3), None).unwrap();
        assert_eq!(left, chain().left(&row, (&raw).into(), watched()), "whoever has added the row up");
    }
}

/// What is left of a sum when its largest terms are taken out of it.
#[test]
fn what_is_penalised_takes_nothing_from_the_others() {
    let mut noise = Noise(Mt::new(23));
    let vocab = vocab(130);
    for case in 0..2_000 {
        let mut row: Vec<f32> = (0..130).map(|_| noise.unit() * 4.0).collect();
        let said: Vec<TokenId> = (0..1 + noise.below(4)).map(|_| TokenId(noise.below(130))).collect();
        said.iter().for_each(|id| row[id.index()] += noise.unit() * 40.0);
        let sampling = Sampling { presence_penalty: noise.unit() * 60.0, ..Sampling::default() };
        let mut chain = Chain::new(&sampling, &vocab, 100);
        said.iter().for_each(|id| chain.accept(*id));
        let mut logits = row.clone();
        for id in said.iter().collect::<std::collections::BTreeSet<_>>() {
            logits[id.index()] -= sampling.presence_penalty;
        }
        let choice = choose(&mut chain, &row, 10);
        let reference = Reference::new(&logits);
        for (p, entry) in reference.probabilities().into_iter().zip(&reference.entries) {
            let found = f64::from(choice.watched[entry.0.index()].prob);
            assert!((found - p).abs() < 1e-6, "case {case} token {} {found} {p}", entry.0);
        }
    }
}

/// χ² of the draws against the final probabilities, with fixed seeds.
#[test]
fn tokens_come_as_often_as_they_are_probable() {
    let smooth: Vec<f32> = (0..100).map(|i| -(i as f32) / 15.0).collect();
    let mut noise = Noise(Mt::new(12));
    let random: Vec<f32> = (0..100).map(|_| (noise.unit() + noise.unit()) * 5.0).collect();
    let mut masked = random.clone();
    noise.mask(&mut masked);
    let xtc = Some(Xtc { probability: 1.0, threshold: 0.04 });
    let off = Sampling::default;
    let chains = [
        off(),
        Sampling { temperature: 1.7, xtc, ..off() },
        Sampling { typical: 0.6, ..off() },
        Sampling { top_p: 0.8, ..off() },
        Sampling { min_p: 0.05, temperature: 0.7, ..off() },
        Sampling { top_k: 40, ..off() },
        Sampling { top_n_sigma: 1.0, ..off() },
        Sampling { top_n_sigma: 1.5, typical: 0.8, top_p: 0.95, temperature: 1.3, ..off() },
        Sampling { mirostat: Some(Mirostat { version: 1, tau: 4.0, eta: 0.0 }), ..off() },
        Sampling { mirostat: Some(Mirostat { version: 2, tau: 4.0, eta: 0.0 }), ..off() },
    ];
    let mut most = 0.0f64;
    for row in [&smooth, &random, &masked] {
        for (seed, sampling) in chains.iter().enumerate() {
            let seed = seed as u32;
            let mut chain = Chain::new(&Sampling { seed, ..sampling.clone() }, &vocab(100), 100);
            let (mut counts, mut probs) = (vec![0.0; 100], vec![0.0; 100]);
            for _ in 0..4_000 {
                let choice = choose(&mut chain, row, 20);
                counts[choice.id.index()] += 1.0;
                probs = choice.watched.iter().map(|outcome| f64::from(outcome.prob)).collect();
            }
            assert!((probs.iter().sum::<f64>() - 1.0).abs() < 1e-5);
            let z = surprise_of_counts(&counts, &probs, 4_000.0);
            most = most.max(z);
            // One-sided, 30 chains: by chance at one choice of the seeds in 1,000.
            assert!(z < 4.0, "{sampling:?}: {z} standard deviations");
        }
    }
    eprintln!("the most surprising χ² of 30 chains: {most:.2} standard deviations");
}

/// How many standard deviations χ² is above what is expected (Wilson and Hilferty 1931). Cells in which
/// fewer than 5 are expected are put together.
fn surprise_of_counts(counts: &[f64], probs: &[f64], draws: f64) -> f64 {
    let (mut cells, mut rest) = (Vec::new(), (0.0, 0.0));
    for (count, p) in counts.iter().zip(probs) {
        let expected = p * draws;
        assert!(*p > 0.0 || *count == 0.0, "what has no probability came");
        if expected >= 5.0 {
            cells.push((*count, expected));
        } else {
            rest = (rest.0 + count, rest.1 + expected);
        }
    }
    if rest.1 >= 5.0 {
        cells.push(rest);
    }
    let chi: f64 = cells.iter().map(|(count, expected)| (count - expected).powi(2) / expected).sum();
    let freedom = cells.len() as f64 - 1.0;
    if freedom < 1.0 {
        return 0.0;
    }
    let spread = 2.0 / (9.0 * freedom);
    ((chi / freedom).cbrt() - (1.0 - spread)) / spread.sqrt()
}

#[test]
fn mirostat_is_its_definition_at_the_first_step() {
    for version in [1, 2] {
        compare(13, cases(), move |noise| {
            let tau = 0.3 + noise.unit() * 3.0;
            let mirostat = Some(Mirostat { version, tau, eta: 0.1 });
            let mu = 2.0 * f64::from(tau);
            let define = move |reference: &mut Reference| match version {
                1 => reference.mirostat_1(mu, 1e-6),
                _ => reference.mirostat_2(mu),
            };
            (Sampling { mirostat, ..Sampling::default() }, Box::new(define))
        });
    }
}

#[test]
fn mirostat_keeps_what_its_bound_allows_and_finds_its_target() {
    let mut noise = Noise(Mt::new(11));
    let row: Vec<f32> = (0..200).map(|_| (noise.unit() + noise.unit()) * 5.0).collect();
    let probabilities = Reference::new(&row).probabilities();
    for version in [1, 2] {
        let mirostat = Some(Mirostat { version, tau: 4.0, eta: 0.1 });
        let mut chain = Chain::new(&Sampling { mirostat, ..Sampling::default() }, &vocab(200), 100);
        let mut surprisal = 0.0;
        for _ in 0..2000 {
            let mu = chain.mu;
            let choice = choose(&mut chain, &row, 10);
            let kept = choice.watched.iter().filter(|outcome| outcome.prob > 0.0).count();
            if version == 2 {
                let wanted = probabilities.iter().filter(|p| -p.log2() <= mu).count().max(1);
                assert_eq!(kept, wanted);
            }
            assert!(choice.watched.iter().all(|outcome| outcome.dropped_by.is_none()));
            surprisal -= f64::from(choice.outcome.prob).log2() / 2000.0;
        }
        assert!((surprisal - 4.0).abs() < 0.1, "mirostat {version}: {surprisal}");
    }
}

#[test]
fn greedy_takes_the_first_of_the_best_after_penalties() {
    let row = [1.0, 3.0, 3.0, 2.9];
    let sampling = Sampling { greedy: true, presence_penalty: 0.2, ..Sampling::default() };
    let mut chain = Chain::new(&sampling, &vocab(4), 100);
    let mut step = || {
        let choice = choose(&mut chain, &row, 2);
        chain.accept(choice.id);
        assert_eq!(choice.outcome.prob, 1.0);
        choice.id.0
    };
    assert_eq!([step(), step(), step(), step()], [1, 2, 3, 1]);
}

#[test]
fn mirostat_is_where_it_was_after_it_has_seen_the_same_probabilities() {
    let vocab = vocab(40);
    for version in [1, 2] {
        let mirostat = Some(Mirostat { version, tau: 3.0, eta: 0.3 });
        let sampling = Sampling { mirostat, seed: 4, ..Sampling::default() };
        let (mut straight, mut replayed) =
            (Chain::new(&sampling, &vocab, 100), Chain::new(&sampling, &vocab, 100));
        let mut noise = Noise(Mt::new(9));
        let mut rows = || std::iter::from_fn(|| Some(noise.row())).find(|row| row.len() == 40).unwrap();
        for _ in 0..12 {
            let choice = choose(&mut straight, &rows(), 40);
            replayed.observe(Some(choice.outcome.prob));
        }
        assert!((straight.mu - replayed.mu).abs() < 1e-5, "{} {}", straight.mu, replayed.mu);
        let before = replayed.mu;
        replayed.observe(None);
        replayed.observe(Some(0.0));
        assert_eq!(replayed.mu, before);
    }
}

#[test]
fn a_bias_moves_a_token_by_its_weight_before_any_other_stage() {
    let row = [2.0f32, 1.0, 0.0];
    let bias = |id: u32, nats: f32| super::super::LogitBias { id: TokenId(id), nats };
    let with = |biases: &[super::super::LogitBias]| Sampling { bias: biases.into(), ..Sampling::default() };
    let outcome = |sampling: &Sampling| choose(&mut Chain::new(sampling, &vocab(3), 100), &row, 3);
    let probs = |choice: &ChosenToken| -> Vec<f64> {
        choice.watched.iter().map(|outcome| f64::from(outcome.prob)).collect()
    };
    let near = |found: Vec<f64>, logits: [f64; 3]| {
        let sum: f64 = logits.iter().map(|logit| logit.exp()).sum();
        for (found, logit) in found.iter().zip(logits) {
            assert!((found - logit.exp() / sum).abs() < 1e-6, "{found} {logits:?}");
        }
    };
    near(probs(&outcome(&with(&[bias(1, 3.0)]))), [2.0, 4.0, 0.0]);
    near(probs(&outcome(&with(&[bias(2, 5.0), bias(0, -1.5), bias(99, 7.0)]))), [0.5, 1.0, 5.0]);
    // A token of 100 less is never drawn; what it leaves is shared by the others.
    near(probs(&outcome(&with(&[bias(0, -100.0)]))), [-98.0, 1.0, 0.0]);
    let greedy = Sampling { greedy: true, ..with(&[bias(2, 2.5)]) };
    assert_eq!(outcome(&greedy).id, TokenId(2));
    // Top-k keeps what is best with it, and the penalty of a repetition divides what it made of the logit.
    let cut = Sampling { top_k: 1, ..with(&[bias(2, 2.5)]) };
    assert_eq!(outcome(&cut).watched[0].dropped_by, Some(Stage::TopK));
    let repeated = Sampling { repeat_penalty: 2.0, ..with(&[bias(1, 3.0)]) };
    let mut chain = Chain::new(&repeated, &vocab(3), 100);
    chain.accept(TokenId(1));
    near(probs(&choose(&mut chain, &row, 3)), [2.0, 2.0, 0.0]);
}
