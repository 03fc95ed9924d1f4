use super::*;
use crate::distribution::{Depth, Distribution, best};

/// A row with a long tail, and what a step keeps of it.
fn row(seed: u32, kept: usize) -> (Vec<f32>, Prediction) {
    let mut state = seed;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let row: Vec<f32> = (0..400).map(|id| 8.0 * noise() * noise() - id as f32 / 100.0).collect();
    let raw = Distribution::measure(&row, Depth::Count(kept), None).unwrap();
    let prediction = Prediction::measured(&raw, row.len(), |_| None);
    (row, prediction)
}

/// What the whole row says of the tokens that are kept.
fn truth(row: &[f32], prediction: &Prediction, sampling: &Sampling) -> LeftTokens {
    let ids = prediction.top_logprobs.iter().map(|one| one.id).collect();
    Chain::new(sampling, &Vocab::default(), 0).left(row, best(row, 64)[..].into(), WatchedToken::new(ids))
}

#[test]
fn what_no_other_token_can_change_is_exact_and_a_temperature_alone_has_bounds_that_hold() {
    let (mut exact, mut bounded, mut wide) = (0, 0, 0.0f32);
    for seed in 0..60 {
        let (row, prediction) = row(seed, 16);
        for sampling in [
            Sampling { temperature: 0.6, ..Sampling::default() },
            Sampling { temperature: 1.4, ..Sampling::default() },
            Sampling { top_k: 5, temperature: 0.7, ..Sampling::default() },
            Sampling { top_p: 0.3, ..Sampling::default() },
            Sampling { min_p: 0.4, temperature: 2.0, ..Sampling::default() },
            Sampling { greedy: true, ..Sampling::default() },
        ] {
            let known = of_known(&prediction, &sampling, &Vocab::default());
            let truth = truth(&row, &prediction, &sampling);
            for (fate, outcome) in known.tokens.iter().zip(&truth.watched) {
                match fate.prob {
                    Figure::Exact(prob) => {
                        assert!((prob - outcome.prob).abs() < 1e-6, "{prob} {outcome:?} {sampling:?}");
                        assert_eq!(fate.dropped_by, outcome.dropped_by);
                        exact += 1;
                    }
                    Figure::Bounded([low, high]) => {
                        let slack = 1e-6;
                        assert!(low - slack <= outcome.prob && outcome.prob <= high + slack, "{sampling:?}");
                        wide = wide.max(high - low);
                        bounded += 1;
                    }
                    Figure::NotGiven => assert!(known.note.is_some()),
                }
            }
            assert!(known.left.is_none_or(|left| left == truth.count), "{sampling:?}");
        }
    }
    assert!(exact > 2000 && bounded > 1500 && wide > 0.0, "{exact} {bounded} {wide}");
}

#[test]
fn what_needs_the_whole_row_is_not_given() {
    let (_, prediction) = row(1, 16);
    let plain = Sampling::default();
    for sampling in [
        Sampling { repeat_penalty: 1.1, ..plain.clone() },
        Sampling { dry: 1.0, ..plain.clone() },
        Sampling { typical: 0.5, ..plain.clone() },
        Sampling { top_n_sigma: 1.0, ..plain.clone() },
        Sampling { top_p: 0.999, ..plain.clone() },
        Sampling { top_k: 200, ..plain.clone() },
    ] {
        let known = of_known(&prediction, &sampling, &Vocab::default());
        assert!(known.tokens.iter().all(|fate| fate.prob == Figure::NotGiven), "{sampling:?}");
        assert!(known.left.is_none() && known.note.is_some());
    }
    // All of the vocabulary is kept: everything but what looks back is known.
    let (row, prediction) = row_of_few();
    let sampling = Sampling { top_p: 0.9, temperature: 0.5, ..plain };
    let known = of_known(&prediction, &sampling, &Vocab::default());
    let truth = truth(&row, &prediction, &sampling);
    assert!(
        known.tokens.iter().zip(&truth.watched).all(|(a, b)| (a.prob.exact().unwrap() - b.prob).abs() < 1e-6)
    );
}

fn row_of_few() -> (Vec<f32>, Prediction) {
    let row = vec![1.0, 3.0, 2.0, 0.5];
    let raw = Distribution::measure(&row, Depth::Count(4), None).unwrap();
    let prediction = Prediction::measured(&raw, row.len(), |_| None);
    (row, prediction)
}
