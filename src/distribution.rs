//! One row of raw logits → every statistic of a step, over the whole vocabulary.
//!
//! A row is read twice: once for the largest logits (and so the maximum), once for the sums. Both
//! loops are in [`kernel`], compiled for several instruction sets and chosen at run time. Nothing
//! here knows a model, and nothing here may see a row after a sampler has touched it.
//!
//! With d = logit − max: S0 = Σ eᵈ, S1 = Σ d·eᵈ, S2 = Σ d²·eᵈ. Then ln Z = max + ln S0, the entropy
//! H = ln S0 − S1/S0 and the varentropy V = S2/S0 − (S1/S0)², in nats and nats².

mod kernel;

use thiserror::Error;

use crate::token::TokenId;

/// How many of the largest probabilities to keep.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Depth {
    /// Exactly this many (or the whole vocabulary, if it is smaller).
    Count(usize),
    /// The fewest that hold at least this share of the mass, in 0..=1.
    Mass(f64),
}

impl Default for Depth {
    /// The most probable one alone.
    fn default() -> Depth {
        Depth::Count(1)
    }
}

impl Depth {
    /// At least this many candidates, whatever was asked for.
    pub fn at_least(self, floor: usize) -> Depth {
        match self {
            Depth::Count(k) => Depth::Count(k.max(floor)),
            mass => mass,
        }
    }
}

/// Probability mass of the tokens that may end a word, by what they begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BoundaryMass {
    /// Tokens that begin with U+0020.
    pub space: f64,
    /// Tokens that begin with another white space.
    pub other_space: f64,
    /// Tokens that end generation.
    pub end: f64,
}

/// The statistics of one next-token distribution.
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    /// The largest logit.
    pub max: f32,
    /// ln Σ exp(logit − max): ln p = logit − max − this, in nats. Kept apart from `max`, beside which
    /// it could be rounded away.
    pub log_sum: f64,
    /// H = −Σ p ln p over the whole vocabulary, in nats.
    pub entropy: f64,
    /// V = Σ p (ln p + H)², in nats².
    pub varentropy: f64,
    /// The largest logits, by (logit descending, id ascending): those that are shown, and others that were
    /// found on the way.
    pub best: Vec<(TokenId, f32)>,
    shown: usize,
    /// Σ exp(logit − max) as [`sum_of_scaled`] finds it, whose rounding depends on no depth.
    pub sum: f64,
    /// The summed probability of every token outside of [`Distribution::top`].
    pub residual: f64,
    /// Filled in when the boundary table was given.
    pub boundary: Option<BoundaryMass>,
}

/// A row of logits that is no distribution.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum RowError {
    /// The row has no entry.
    #[error("the model gave an empty row of logits")]
    Empty,
    /// NaN or +∞ somewhere.
    #[error("the model gave logits that are not numbers (NaN or +∞): its file or its computation is damaged")]
    NotFinite,
    /// Every logit is −∞.
    #[error("the model gave −∞ for every token: its file or its computation is damaged")]
    AllImpossible,
}

impl Distribution {
    /// Measures one row. `boundaries` is [`crate::token::Vocab::boundaries`], where the mass of word
    /// boundaries is wanted; it must be as long as the row.
    ///
    /// # Errors
    /// [`RowError`] where the row is no distribution.
    pub fn measure(row: &[f32], depth: Depth, boundaries: Option<&[u8]>) -> Result<Self, RowError> {
        Self::measure_ahead(row, depth, 1, boundaries)
    }

    /// The same of a row from which a token is to be chosen: at least so many of its best are found on the way.
    ///
    /// # Errors
    /// [`RowError`] where the row is no distribution.
    pub fn measure_to_choose(row: &[f32], depth: Depth, ahead: usize) -> Result<Self, RowError> {
        Self::measure_ahead(row, depth, ahead, None)
    }

    fn measure_ahead(
        row: &[f32],
        depth: Depth,
        ahead: usize,
        boundaries: Option<&[u8]>,
    ) -> Result<Self, RowError> {
        match depth {
            Depth::Count(k) => Self::measure_top(row, k, ahead, boundaries),
            Depth::Mass(share) => {
                let mut k = 32;
                loop {
                    let mut seen = Self::measure_top(row, k, ahead, boundaries)?;
                    if 1.0 - seen.residual >= share || seen.shown == row.len() {
                        seen.shrink_to_mass(share);
                        return Ok(seen);
                    }
                    k *= 4;
                }
            }
        }
    }

    fn measure_top(row: &[f32], k: usize, ahead: usize, boundaries: Option<&[u8]>) -> Result<Self, RowError> {
        if row.is_empty() {
            return Err(RowError::Empty);
        }
        let scan = kernel::scan_top(row, k.max(ahead).clamp(1, row.len()));
        let max = scan.top[0].1;
        if scan.not_a_number || max == f32::INFINITY {
            return Err(RowError::NotFinite);
        }
        if max == f32::NEG_INFINITY {
            return Err(RowError::AllImpossible);
        }
        let shown = k.min(row.len());
        let counted = &scan.top[..shown.max(1)];
        let floor = counted[counted.len() - 1].1;
        let sums = kernel::sums(row, max, floor);
        // Tokens that tie with the last shown one but stand outside the list.
        let shown_ties = counted.iter().filter(|(_, logit)| *logit == floor).count() as f64;
        let tail = sums.below + (sums.ties as f64 - shown_ties).max(0.0) * weight(floor, max);
        let head: f64 = counted.iter().map(|&(_, logit)| weight(logit, max)).sum();

        let s0 = head + tail;
        let mean = sums.s1 / s0;
        let hidden: f64 = if k == 0 { head } else { 0.0 };
        Ok(Distribution {
            max,
            log_sum: s0.ln(),
            entropy: (s0.ln() - mean).max(0.0),
            varentropy: (sums.s2 / s0 - mean * mean).max(0.0),
            best: scan.top.into_iter().map(|(id, logit)| (TokenId(id), logit)).collect(),
            shown,
            sum: sums.s0,
            residual: ((tail + hidden) / s0).clamp(0.0, 1.0),
            boundary: boundaries.map(|table| kernel::boundary_mass(row, table, max, s0)),
        })
    }

    /// Keeps the fewest candidates that hold `share` of the mass.
    fn shrink_to_mass(&mut self, share: f64) {
        let mut held = 0.0;
        let keep = self.top().iter().position(|&(_, logit)| {
            held += self.probability(logit);
            held >= share
        });
        if let Some(last) = keep {
            let dropped = &self.top()[last + 1..];
            self.residual += dropped.iter().map(|&(_, logit)| self.probability(logit)).sum::<f64>();
            self.shown = last + 1;
        }
    }

    /// As many of the best as were asked for.
    pub fn top(&self) -> &[(TokenId, f32)] {
        &self.best[..self.shown]
    }

    /// ln p of a token with this raw logit, in nats.
    pub fn logprob(&self, logit: f32) -> f64 {
        f64::from(logit) - f64::from(self.max) - self.log_sum
    }

    /// p of a token with this raw logit.
    pub fn probability(&self, logit: f32) -> f64 {
        self.logprob(logit).exp()
    }

    /// 1-based rank of a raw logit in its row; ties share the better rank.
    pub fn rank(&self, row: &[f32], logit: f32) -> u32 {
        match self.best.last() {
            Some(&(_, floor)) if logit >= floor => {
                1 + self.best.iter().take_while(|&&(_, other)| other > logit).count() as u32
            }
            _ => 1 + kernel::count_above(row, logit),
        }
    }
}

/// A row of logits that others are compared with: what is known of it is measured once.
pub struct ExpectedRow<'a> {
    row: &'a [f32],
    p: Distribution,
}

impl<'a> ExpectedRow<'a> {
    /// Measures it; `depth` as the others are measured, so that the same row has the same sums.
    ///
    /// # Errors
    /// [`RowError`] where it is no distribution.
    pub fn measure(row: &'a [f32], depth: Depth) -> Result<ExpectedRow<'a>, RowError> {
        Ok(ExpectedRow { row, p: Distribution::measure(row, depth, None)? })
    }

    /// −Σ p ln q in nats, over the whole vocabulary: q from the logits of `by`, an equally long row, and what was
    /// measured of it. +∞ where q rules out what p allows.
    pub fn cross_entropy(&self, by: &[f32], q: &Distribution) -> f64 {
        // −Σ p ln q = ln Z_q − Σ p (logit_q − max_q).
        let p = &self.p;
        q.log_sum - kernel::mean_difference((self.row, p.max), (by, q.max)) / p.log_sum.exp()
    }

    /// −Σ p ln p, in the same way.
    pub fn entropy(&self) -> f64 {
        self.cross_entropy(self.row, &self.p)
    }
}

/// −Σ p ln q in nats, over the whole vocabulary: p from the logits of `expected`, q from those of `by`,
/// both raw and equally long. +∞ where q rules out what p allows.
///
/// # Errors
/// [`RowError`] where a row is no distribution.
pub fn cross_entropy(expected: &[f32], by: &[f32]) -> Result<f64, RowError> {
    let expected = ExpectedRow::measure(expected, Depth::Count(1))?;
    Ok(expected.cross_entropy(by, &Distribution::measure(by, Depth::Count(1), None)?))
}

/// The `k` best tokens of a row, by (logit descending, id ascending).
pub fn best(row: &[f32], k: usize) -> Vec<(TokenId, f32)> {
    let scan = kernel::scan_top(row, k.clamp(1, row.len()));
    scan.top.into_iter().map(|(id, logit)| (TokenId(id), logit)).collect()
}

/// The `n`-th largest logit of a row with this maximum (1 ≤ n ≤ row length), where exactly `n` are not below it.
pub fn nth_largest(row: &[f32], max: f32, n: usize) -> Option<f32> {
    let bins = kernel::bins(row, max);
    let mut above = 0;
    let bin = bins.iter().position(|&count| {
        above += count as usize;
        above >= n
    })?;
    let mut inside: Vec<f32> = row.iter().copied().filter(|&logit| kernel::bin(logit, max) == bin).collect();
    let place = n - (above - inside.len()) - 1;
    let (_, &mut nth, smaller) = inside.select_nth_unstable_by(place, |a, b| b.total_cmp(a));
    let tied = smaller.contains(&nth);
    (!tied && nth > f32::NEG_INFINITY).then_some(nth)
}

/// Of a row with this maximum: Σ eᵈ and Σ d·eᵈ with d = logit − max.
pub fn whole(row: &[f32], max: f32) -> (f64, f64) {
    let sums = kernel::sums(row, max, max);
    (sums.s0, sums.s1)
}

/// Σ e^((logit − max) / temperature) over what a row holds that is not below this floor.
pub fn sum_of_scaled(row: &[f32], max: f32, temperature: f32, floor: f32) -> f64 {
    kernel::scaled_sum(row, max, 1.0 / temperature, floor)
}

/// Of the possible logits of a row: how many, Σ (logit − reference) and Σ (logit − reference)².
pub fn moments(row: &[f32], reference: f32) -> (f64, f64, f64) {
    kernel::moments(row, reference)
}

/// The row with −∞ for every token whose bit is not set: 32 to a word, the lowest bit first; words that are
/// missing allow nothing. `masked` is as long as the row.
pub fn mask(row: &[f32], allowed: &[u32], masked: &mut [f32]) {
    kernel::mask(row, allowed, masked);
}

fn weight(logit: f32, max: f32) -> f64 {
    (f64::from(logit) - f64::from(max)).exp()
}

#[cfg(test)]
mod tests;
