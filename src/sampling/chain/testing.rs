//! What the stages are by definition, over the whole vocabulary and in `f64`, and rows to try them on.

use rand_mt::Mt;

use super::{ChosenToken, KnownRow, WatchedToken, uniform};
use crate::distribution::{Depth, Distribution};
use crate::token::{SpecialTokens, TokenId, Vocab, VocabEntry};

/// Cuts nearer than this to a token's figure may fall on either side.
const NEAR: f64 = 1e-6;

/// The candidates that are left, in order.
pub(crate) struct Reference {
    pub entries: Vec<(TokenId, f64)>,
    /// Whether a cut was too near to a token to be told.
    pub doubtful: bool,
    /// Of the vocabulary.
    size: usize,
}

impl Reference {
    pub fn new(row: &[f32]) -> Reference {
        let size = row.len();
        let each = row.iter().enumerate().filter(|(_, logit)| **logit > f32::NEG_INFINITY);
        let mut entries: Vec<_> = each.map(|(id, logit)| (TokenId(id as u32), f64::from(*logit))).collect();
        entries.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Reference { entries, doubtful: false, size }
    }

    pub fn probabilities(&self) -> Vec<f64> {
        let first = self.entries[0].1;
        let weights: Vec<f64> = self.entries.iter().map(|entry| (entry.1 - first).exp()).collect();
        let sum: f64 = weights.iter().sum();
        weights.into_iter().map(|weight| weight / sum).collect()
    }

    pub fn keep(&mut self, n: usize) {
        self.entries.truncate(n.max(1));
    }

    fn near(&mut self, a: f64, b: f64) {
        self.doubtful |= (a - b).abs() < NEAR;
    }

    pub fn top_p(&mut self, share: f64) {
        let mut held = 0.0;
        let probabilities = self.probabilities();
        for (i, p) in probabilities.iter().enumerate() {
            held += p;
            self.near(held, share);
            if held >= share {
                return self.keep(i + 1);
            }
        }
    }

    pub fn keep_from(&mut self, floor: f64) {
        let logits: Vec<f64> = self.entries.iter().map(|entry| entry.1).collect();
        logits.iter().for_each(|logit| self.near(*logit, floor));
        self.entries.retain(|entry| entry.1 >= floor);
    }

    pub fn typical(&mut self, share: f64) {
        let probabilities = self.probabilities();
        let entropy: f64 = probabilities.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
        let mut near: Vec<_> = probabilities
            .iter()
            .zip(&self.entries)
            .map(|(p, entry)| ((-p.ln() - entropy).abs(), *p, *entry))
            .collect();
        near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.2.0.cmp(&b.2.0)));
        let mut held = 0.0;
        let mut last = near.len();
        for (i, (distance, p, entry)) in near.iter().enumerate() {
            // The order of equally distant tokens on both sides of the entropy is a matter of rounding.
            if let Some(next) = near.get(i + 1) {
                self.doubtful |= (next.0 - distance).abs() < NEAR && next.2.1 != entry.1;
            }
            held += p;
            self.doubtful |= (held - share).abs() < NEAR;
            if held > share {
                last = i + 1;
                break;
            }
        }
        near.truncate(last);
        self.entries = near.into_iter().map(|(_, _, entry)| entry).collect();
        self.entries.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    }

    pub fn top_n_sigma(&mut self, n: f64) {
        let count = self.entries.len() as f64;
        let mean = self.entries.iter().map(|entry| entry.1).sum::<f64>() / count;
        let variance = self.entries.iter().map(|entry| (entry.1 - mean).powi(2)).sum::<f64>() / count;
        self.keep_from(self.entries[0].1 - n * variance.sqrt());
    }

    /// Basu and others 2021, algorithm 1, from the 100 best. A count nearer than this share to another is
    /// doubtful.
    pub fn mirostat_1(&mut self, mu: f64, near: f64) {
        let best: Vec<f64> = self.probabilities().into_iter().take(100).collect();
        let (mut products, mut squares) = (0.0, 0.0);
        for i in 1..best.len() {
            let t = ((i + 1) as f64 / i as f64).ln();
            products += t * (best[i - 1] / best[i]).ln();
            squares += t * t;
        }
        if best.len() < 2 {
            return self.keep(1);
        }
        let s = products / squares;
        let epsilon = s - 1.0;
        let k = (epsilon * mu.exp2() / (1.0 - (self.size as f64).powf(-epsilon))).powf(1.0 / s);
        // What is flat has no exponent; near to it the count depends on rounding.
        self.doubtful |= s < near || k.is_nan();
        self.doubtful |= k.is_finite() && (k - k.round()).abs() < near * k.max(1.0);
        self.keep(if k.is_finite() { k as usize } else { self.size });
    }

    /// Keeps those whose surprisal in bits is at most the bound.
    pub fn mirostat_2(&mut self, mu: f64) {
        let surprisals: Vec<f64> = self.probabilities().iter().map(|p| -p.log2()).collect();
        surprisals.iter().for_each(|surprisal| self.near(*surprisal, mu));
        self.keep(surprisals.iter().filter(|surprisal| **surprisal <= mu).count());
    }

    pub fn xtc(&mut self, threshold: f64) {
        let probabilities = self.probabilities();
        probabilities.iter().for_each(|p| self.near(*p, threshold));
        let above = probabilities.iter().filter(|p| **p >= threshold).count();
        if above > 1 {
            self.entries.drain(..above - 1);
        }
    }
}

/// Random rows and settings.
pub(crate) struct Noise(pub Mt);

impl Noise {
    pub fn below(&mut self, n: u32) -> u32 {
        self.0.next_u32() % n
    }

    pub fn unit(&mut self) -> f32 {
        uniform(&mut self.0) as f32
    }

    /// Makes all but a few tokens impossible, as a constraint does; at least one stays.
    pub fn mask(&mut self, row: &mut [f32]) {
        let (n, share) = (row.len() as u32, [2, 4, 20][self.below(3) as usize]);
        let stays = self.below(n) as usize;
        for (id, logit) in row.iter_mut().enumerate() {
            if self.below(share) > 0 && id != stays {
                *logit = f32::NEG_INFINITY;
            }
        }
        // The one that stays may have been impossible before.
        if row.iter().all(|logit| *logit == f32::NEG_INFINITY) {
            row[stays] = 0.0;
        }
    }

    /// Random, peaked, flat, tied, with impossible tokens, or small.
    pub fn row(&mut self) -> Vec<f32> {
        let n = [3, 12, 40, 80, 130][self.below(5) as usize];
        let kind = self.below(6);
        let width = [8.0, 20.0, 0.01, 4.0, 8.0, 1.0][kind as usize];
        let mut row: Vec<f32> = (0..n).map(|_| (self.unit() + self.unit() - 1.0) * width).collect();
        match kind {
            1 => row[self.below(n) as usize] += 15.0,
            3 => row.iter_mut().for_each(|logit| *logit = logit.round()),
            4 => row.iter_mut().skip(1).for_each(|logit| {
                if self.below(2) == 0 {
                    *logit = f32::NEG_INFINITY;
                }
            }),
            _ => {}
        }
        row
    }
}

pub(crate) fn vocab(n: usize) -> Vocab {
    let entries = (0..n)
        .map(|i| VocabEntry { bytes: vec![if i == 5 { b'\n' } else { b'a' }], ..VocabEntry::default() });
    Vocab::new(entries, SpecialTokens::default())
}

pub(crate) fn choose(chain: &mut super::Chain, row: &[f32], k: usize) -> ChosenToken {
    let raw = Distribution::measure(row, Depth::Count(k), None).unwrap();
    let all = (0..row.len() as u32).map(TokenId).collect();
    chain.choose(row, KnownRow::from(&raw), WatchedToken::new(all))
}
