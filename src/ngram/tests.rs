use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{FALLBACK, Ngrams, ORDER, discounts};
use crate::token::TokenId;

fn ids(text: &[u32]) -> Vec<TokenId> {
    text.iter().copied().map(TokenId).collect()
}

/// The definition read aloud, without any of the model's structure.
struct Plain {
    texts: Vec<Vec<u32>>,
    vocabulary: usize,
}

impl Plain {
    /// a of every n-gram of a length: the text itself for the longest, else the different ids before it,
    /// the beginning of a text being one.
    fn counts(&self, length: usize) -> BTreeMap<Vec<u32>, u32> {
        let mut times: BTreeMap<Vec<u32>, u32> = BTreeMap::new();
        let mut before: BTreeMap<Vec<u32>, BTreeSet<Option<u32>>> = BTreeMap::new();
        for text in &self.texts {
            for (at, ngram) in text.windows(length).enumerate() {
                *times.entry(ngram.to_vec()).or_default() += 1;
                before.entry(ngram.to_vec()).or_default().insert(at.checked_sub(1).map(|at| text[at]));
            }
        }
        if length == ORDER {
            return times;
        }
        before.into_iter().map(|(ngram, ids)| (ngram, ids.len() as u32)).collect()
    }

    fn p(&self, context: &[u32], id: u32) -> f64 {
        let counts = self.counts(context.len() + 1);
        let discounts = discounts(&counts.values().copied().collect::<Vec<_>>());
        let d = |count: u32| discounts[count.min(3) as usize - 1];
        let after: Vec<(u32, u32)> = counts
            .iter()
            .filter(|(ngram, _)| ngram.starts_with(context))
            .map(|(ngram, &count)| (ngram[context.len()], count))
            .collect();
        let lower = match context {
            [] => 1.0 / self.vocabulary as f64,
            [_, rest @ ..] => self.p(rest, id),
        };
        let total = f64::from(after.iter().map(|(_, count)| count).sum::<u32>());
        if total == 0.0 {
            return lower;
        }
        let left: f64 = after.iter().map(|&(_, count)| d(count)).sum();
        let own = after.iter().find(|(other, _)| *other == id).map_or(0.0, |&(_, c)| f64::from(c) - d(c));
        own / total + left / total * lower
    }
}

fn texts() -> impl Strategy<Value = Vec<Vec<u32>>> {
    prop::collection::vec(prop::collection::vec(0u32..6, 0..60), 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_row_is_the_definition_sums_to_one_and_agrees_with_single_ids(
        texts in texts(),
        context in prop::collection::vec(0u32..8, 0..6),
    ) {
        let vocabulary = 8;
        let ngrams = Ngrams::count(&texts.iter().map(|text| ids(text)).collect::<Vec<_>>(), vocabulary);
        let row = ngrams.row(&ids(&context));
        let sum: f64 = row.iter().map(|ln| f64::from(*ln).exp()).sum();
        prop_assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        let plain = Plain { texts, vocabulary };
        let seen = &context[context.len().saturating_sub(ORDER - 1)..];
        for id in 0..vocabulary as u32 {
            let p = plain.p(seen, id);
            let single = ngrams.logprob(&ids(&context), TokenId(id)).exp();
            let of_row = f64::from(row[id as usize]).exp();
            prop_assert!((p - single).abs() < 1e-12 && (p - of_row).abs() < 1e-6, "{id}: {p} {single} {of_row}");
        }
    }
}

#[test]
fn an_empty_text_knows_nothing() {
    let row = Ngrams::count(&[], 4).row(&ids(&[1, 2]));
    assert!(row.iter().all(|ln| (ln - 0.25f32.ln()).abs() < 1e-6), "{row:?}");
    let row = Ngrams::count(&[Vec::new()], 4).row(&[]);
    assert_eq!(row.len(), 4);
}

#[test]
fn an_unseen_context_is_as_good_as_none() {
    let ngrams = Ngrams::count(&[ids(&[0, 1, 2, 0, 1, 3, 0, 1, 2])], 10);
    assert_eq!(ngrams.row(&ids(&[9, 8, 7, 6])), ngrams.row(&[]));
    // What lies further back than four ids, or behind something unseen, counts for nothing.
    assert_eq!(ngrams.row(&ids(&[5, 3, 9, 0, 1])), ngrams.row(&ids(&[0, 1])));
    assert_ne!(ngrams.row(&ids(&[0, 1])), ngrams.row(&ids(&[1])));
}

#[test]
fn no_ngram_reaches_from_one_text_to_the_next() {
    let apart = Ngrams::count(&[ids(&[0, 1]), ids(&[2, 3])], 4);
    assert_eq!(apart.sizes(), [4, 2, 0, 0, 0]);
    assert_eq!(Ngrams::count(&[ids(&[0, 1, 2, 3])], 4).sizes(), [4, 3, 2, 1, 0]);
}

#[test]
fn discounts_follow_the_counts_of_counts_and_fall_back() {
    let counts: Vec<u32> = [(1, 10), (2, 4), (3, 2), (4, 1), (9, 3)]
        .iter()
        .flat_map(|&(count, times)| vec![count; times])
        .collect();
    let y = 10.0 / 18.0;
    let expected = [1.0 - 2.0 * y * 0.4, 2.0 - 3.0 * y * 0.5, 3.0 - 4.0 * y * 0.5];
    for (found, expected) in discounts(&counts).iter().zip(expected) {
        assert!((found - expected).abs() < 1e-12);
    }
    assert_eq!(discounts(&[]), FALLBACK);
    assert_eq!(discounts(&[1, 1, 2]), FALLBACK);
    // A discount may not be negative.
    assert_eq!(discounts(&[1, 1, 1, 2, 3, 3, 3, 3]), FALLBACK);
}
