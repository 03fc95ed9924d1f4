//! An n-gram model over token ids: what a telephone's keyboard knows of a text.
//!
//! Interpolated modified Kneser-Ney after Chen and Goodman (1999): for a context c,
//! p(w | c) = (a(cw) − D(a(cw))) ÷ Σ a(c·) + γ(c) · p(w | c without its first id), where a is how often an n-gram
//! stands in the text, or below the highest order how many different ids stand before it; D is one of three
//! discounts an order, for a = 1, 2 and more; and γ(c) is the mass that they leave. Below single ids lies the
//! uniform distribution over the vocabulary, so that no id has probability 0. Nothing is pruned.
//! Pure: where ids come from and where they are kept is not known here.

use std::ops::Range;

use crate::token::TokenId;

/// Ids of the longest n-gram.
pub const ORDER: usize = 5;

/// What is discounted where a text is too small or too regular to tell.
const FALLBACK: [f64; 3] = [0.5, 1.0, 1.5];

/// Bits of an id in a packed n-gram: five of them fit into 128.
const BITS: usize = 25;

/// The counts of a text, and what they say of the next id.
#[derive(Clone, Debug)]
pub struct Ngrams {
    /// The n-grams of 1, 2 … ids.
    orders: [NgramOrder; ORDER],
    /// p of each id where nothing is known of those before it.
    unigrams: Vec<f64>,
    /// The same as ln p.
    ln_unigrams: Vec<f32>,
}

/// The n-grams of one length, sorted, so that those that begin alike lie together.
#[derive(Clone, Debug, Default)]
struct NgramOrder {
    /// The last id of each.
    ids: Vec<u32>,
    /// Their a.
    counts: Vec<u32>,
    /// Where the longer ones that begin with each lie; one more for the end of the last.
    longer: Vec<u32>,
    /// What is taken from counts of 1, 2 and more.
    discounts: [f64; 3],
}

impl Ngrams {
    /// Counts texts of ids below `vocabulary`; no n-gram reaches from one text to the next.
    pub fn count(texts: &[Vec<TokenId>], vocabulary: usize) -> Ngrams {
        let mut orders: [NgramOrder; ORDER] = Default::default();
        let mut windows = windows(texts);
        let mut longer: Vec<u128> = Vec::new();
        for length in (1..=ORDER).rev() {
            windows.sort_unstable();
            let order = &mut orders[length - 1];
            let (mut ngrams, mut shorter) = (Vec::new(), Vec::new());
            for same in windows.chunk_by(|a, b| a == b) {
                // What begins before its text is no n-gram, but stands before the shorter one.
                if last(same[0], length) >> (BITS * (length - 1)) != 0 {
                    ngrams.push(same[0]);
                    order.ids.push(last(same[0], 1) as u32 - 1);
                    order.counts.push(u32::try_from(same.len()).unwrap_or(u32::MAX));
                }
                shorter.push(last(same[0], length - 1));
            }
            order.discounts = discounts(&order.counts);
            let mut at = 0;
            for ngram in &ngrams {
                order.longer.push(at as u32);
                at += longer[at..].iter().take_while(|&longer| longer >> BITS == *ngram).count();
            }
            order.longer.push(at as u32);
            (windows, longer) = (shorter, ngrams);
        }
        let [single, ..] = &orders;
        let (total, left) = single.sums(0..single.ids.len());
        let mut unigrams = vec![left / vocabulary as f64; vocabulary];
        for (i, &id) in single.ids.iter().enumerate() {
            unigrams[id as usize] += single.discounted(i) / total;
        }
        let ln_unigrams = unigrams.iter().map(|p| p.ln() as f32).collect();
        Ngrams { orders, unigrams, ln_unigrams }
    }

    /// ln p of an id after a context, of which the last four count.
    pub fn logprob(&self, context: &[TokenId], id: TokenId) -> f64 {
        let (mut p, mut weight) = (0.0, 1.0);
        for (order, ngrams, total, left) in self.known(context) {
            if let Ok(at) = order.ids[ngrams.clone()].binary_search(&id.0) {
                p += weight * order.discounted(ngrams.start + at) / total;
            }
            weight *= left;
        }
        (p + weight * self.unigrams.get(id.index()).copied().unwrap_or(0.0)).ln()
    }

    /// ln p of every id after a context.
    pub fn row(&self, context: &[TokenId]) -> Vec<f32> {
        let (mut own, mut weight): (Vec<(u32, f64)>, f64) = (Vec::new(), 1.0);
        for (order, ngrams, total, left) in self.known(context) {
            own.extend(ngrams.map(|i| (order.ids[i], weight * order.discounted(i) / total)));
            weight *= left;
        }
        own.sort_unstable_by_key(|&(id, _)| id);
        let ln_weight = weight.ln() as f32;
        let mut row: Vec<f32> = self.ln_unigrams.iter().map(|ln| ln_weight + ln).collect();
        for same in own.chunk_by(|a, b| a.0 == b.0) {
            let id = same[0].0 as usize;
            let p: f64 = same.iter().map(|(_, p)| p).sum();
            row[id] = (p + weight * self.unigrams[id]).ln() as f32;
        }
        row
    }

    /// How many different n-grams of each length there are.
    pub fn sizes(&self) -> [usize; ORDER] {
        std::array::from_fn(|i| self.orders[i].ids.len())
    }

    /// The n-grams that go on with the context's ends, the longest first: their order, where they lie, their
    /// sum, and γ.
    fn known(&self, context: &[TokenId]) -> impl Iterator<Item = (&NgramOrder, Range<usize>, f64, f64)> {
        let most = context.len().min(ORDER - 1);
        (1..=most).rev().filter_map(move |length| {
            let ngrams = self.after(&context[context.len() - length..]);
            let order = &self.orders[length];
            let (total, left) = order.sums(ngrams.clone());
            (!ngrams.is_empty()).then_some((order, ngrams, total, left))
        })
    }

    /// Where the n-grams lie that are a context and one id.
    fn after(&self, context: &[TokenId]) -> Range<usize> {
        let mut range = 0..self.orders[0].ids.len();
        for (order, id) in self.orders.iter().zip(context) {
            let Ok(at) = order.ids[range.clone()].binary_search(&id.0) else { return 0..0 };
            let at = range.start + at;
            range = order.longer[at] as usize..order.longer[at + 1] as usize;
        }
        range
    }
}

impl NgramOrder {
    /// The sum of these counts, and the share of it that discounts leave: all of it where there is none.
    fn sums(&self, ngrams: Range<usize>) -> (f64, f64) {
        let total: u64 = self.counts[ngrams.clone()].iter().map(|&count| u64::from(count)).sum();
        let kept: f64 = ngrams.map(|i| self.discounted(i)).sum();
        let total = total as f64;
        if total > 0.0 { (total, (total - kept) / total) } else { (1.0, 1.0) }
    }

    fn discounted(&self, i: usize) -> f64 {
        let count = self.counts[i];
        f64::from(count) - self.discounts[count.clamp(1, 3) as usize - 1]
    }
}

/// Each position's last five ids, packed; 0 is what lies before a text.
fn windows(texts: &[Vec<TokenId>]) -> Vec<u128> {
    let of_text = |text: &Vec<TokenId>| {
        let next = |window: &mut u128, id: &TokenId| {
            *window = last(*window << BITS | u128::from(id.0 + 1), ORDER);
            Some(*window)
        };
        text.iter().scan(0, next).collect::<Vec<u128>>()
    };
    texts.iter().flat_map(of_text).collect()
}

/// The last ids of a packed n-gram.
fn last(ngram: u128, ids: usize) -> u128 {
    ngram & ((1 << (BITS * ids)) - 1)
}

/// Chen and Goodman's estimate, from how many n-grams have a count of 1, 2, 3 and 4.
fn discounts(counts: &[u32]) -> [f64; 3] {
    let of = |wanted: u32| counts.iter().filter(|&&count| count == wanted).count() as f64;
    let n = [of(1), of(2), of(3), of(4)];
    let y = n[0] / (n[0] + 2.0 * n[1]);
    let found: [f64; 3] = std::array::from_fn(|i| {
        let k = (i + 1) as f64;
        k - (k + 1.0) * y * n[i + 1] / n[i]
    });
    let sound = found.iter().zip(1..).all(|(&discount, k)| (0.0..=f64::from(k)).contains(&discount));
    if sound { found } else { FALLBACK }
}

#[cfg(test)]
mod tests;
