//! The candidates of one step, as few as give exactly what all of them would.
//!
//! Before a stage truncates them they are a row of logits, of which only the best are looked at, more
//! when a stage needs more; afterwards they are a list. The order is everywhere (logit descending, id
//! ascending). Sums are in `f64`.

use std::collections::HashSet;

use crate::distribution::{self, Distribution};
use crate::token::TokenId;

/// How many of a row's best are looked at first.
pub const FIRST_LOOK: usize = 64;
/// How many more are looked at when some are not enough.
const WIDEN: usize = 8;
/// More than this are cut by a bound on the logit instead of being listed.
const MANY: usize = if cfg!(test) { 20 } else { 1024 };
/// What a row's sum must keep when changed tokens are taken out of it; below, the others are added up.
const KEPT_OF_SUM: f64 = 0.05;

/// A token with its logit after penalties.
pub(super) type CandidateEntry = (TokenId, f32);

/// What is known of a row before the stages.
#[derive(Clone, Copy, Debug)]
pub struct KnownRow<'a> {
    /// Its best, in order: at least one, and that one is possible.
    pub best: &'a [CandidateEntry],
    /// Σ e^(logit − the first's) over the row as [`distribution::sum_of_scaled`] finds it, where somebody has.
    pub sum: Option<f64>,
}

impl<'a> From<&'a Distribution> for KnownRow<'a> {
    fn from(raw: &'a Distribution) -> KnownRow<'a> {
        KnownRow { best: &raw.best, sum: Some(raw.sum) }
    }
}

impl<'a> From<&'a [CandidateEntry]> for KnownRow<'a> {
    fn from(best: &'a [CandidateEntry]) -> KnownRow<'a> {
        KnownRow { best, sum: None }
    }
}

pub(super) fn order(a: &CandidateEntry, b: &CandidateEntry) -> std::cmp::Ordering {
    b.1.total_cmp(&a.1).then(a.0.cmp(&b.0))
}

/// The candidates as the stages so far have left them.
pub(super) struct Candidates<'a> {
    row: &'a [f32],
    known: KnownRow<'a>,
    /// Tokens whose logits differ from the row's, by id.
    changed: Vec<CandidateEntry>,
    /// Tokens that a stage took out of the row without listing the rest.
    removed: HashSet<TokenId>,
    /// The first of them, in order; all that stand before the last.
    best: Vec<CandidateEntry>,
    /// Nothing stands behind `best`.
    complete: bool,
    /// Of the row, how many were asked for.
    looked_at: usize,
    /// What is below this is no candidate any more.
    floor: f32,
    temperature: f64,
    /// Σ e^((logit − first) / temperature), once it is known.
    sum: Option<f64>,
}

impl<'a> Candidates<'a> {
    /// All tokens of a row that are possible. `changed` are new logits, by id.
    pub fn new(row: &'a [f32], known: KnownRow<'a>, changed: Vec<CandidateEntry>) -> Candidates<'a> {
        let mut candidates = Candidates {
            row,
            known,
            changed,
            removed: HashSet::new(),
            best: Vec::new(),
            complete: false,
            looked_at: 0,
            floor: f32::NEG_INFINITY,
            temperature: 1.0,
            sum: None,
        };
        candidates.look_at(FIRST_LOOK);
        candidates
    }

    /// Looks at the `n` best of the row and at all that are changed.
    fn look_at(&mut self, n: usize) {
        let n = n.min(self.row.len());
        let found = match self.known.best.get(..n) {
            Some(known) => known.to_vec(),
            None => distribution::best(self.row, n),
        };
        self.looked_at = n;
        let floor = found.last().copied().filter(|_| n < self.row.len());
        let changed = |id: TokenId| self.changed.binary_search_by_key(&id, |entry| entry.0).is_ok();
        let unchanged = found.into_iter().filter(|entry| !changed(entry.0));
        // What is changed and behind the floor would have others before it.
        let before_floor = |entry: &CandidateEntry| floor.is_none_or(|floor| order(entry, &floor).is_le());
        let mut best: Vec<CandidateEntry> =
            unchanged.chain(self.changed.iter().copied().filter(before_floor)).collect();
        best.retain(|entry| self.may_stay(entry.1) && !self.removed.contains(&entry.0));
        // What was found is in order already; what is changed stands behind it.
        if !self.changed.is_empty() {
            best.sort_by(order);
        }
        let ends = floor.is_none_or(|floor| !self.may_stay(floor.1));
        self.complete = ends;
        self.best = best;
        if self.best.is_empty() && !self.complete {
            self.widen();
        }
    }

    fn may_stay(&self, logit: f32) -> bool {
        logit > f32::NEG_INFINITY && logit >= self.floor
    }

    /// Looks at more of the row; false where there are no more.
    fn widen(&mut self) -> bool {
        if self.complete {
            return false;
        }
        self.look_at((self.looked_at * WIDEN).max(FIRST_LOOK));
        true
    }

    /// The best candidates so far, in order.
    pub fn best(&self) -> &[CandidateEntry] {
        &self.best
    }

    /// The entry at a place in the order, if there are so many.
    pub fn nth(&mut self, n: usize) -> Option<CandidateEntry> {
        while self.best.len() <= n && self.widen() {}
        self.best.get(n).copied()
    }

    fn weight(&self, logit: f32) -> f64 {
        ((f64::from(logit) - f64::from(self.best[0].1)) / self.temperature).exp()
    }

    /// Σ e^((logit − first) / temperature) over all candidates.
    fn sum(&mut self) -> f64 {
        if let Some(sum) = self.sum {
            return sum;
        }
        let sum = match self.complete {
            true => self.best.iter().map(|entry| self.weight(entry.1)).sum(),
            false => self.sum_of_row(),
        };
        self.sum = Some(sum);
        sum
    }

    fn sum_of_row(&self) -> f64 {
        let (first, top) = (f64::from(self.best[0].1), f64::from(self.top()));
        let t = self.temperature;
        let row_sum = |row: &[f32], max: f32| distribution::sum_of_scaled(row, max, t as f32, self.floor);
        let known = self.known.sum.filter(|_| t == 1.0 && self.floor == f32::NEG_INFINITY);
        let whole = || known.unwrap_or_else(|| row_sum(self.row, self.top()));
        let taken_out = self.changed.iter().map(|entry| entry.0).chain(self.removed.iter().copied());
        let mut out: Vec<usize> = taken_out.map(TokenId::index).collect();
        if out.is_empty() {
            return whole();
        }
        out.sort_unstable();
        out.dedup();
        let kept = self.changed.iter().filter(|entry| !self.removed.contains(&entry.0));
        let kept = kept.filter(|entry| self.may_stay(entry.1));
        let new: f64 = kept.map(|entry| ((f64::from(entry.1) - first) / t).exp()).sum();
        let old = out.iter().map(|&at| self.row[at]).filter(|&logit| self.may_stay(logit));
        let of_row = |logit: f32| ((f64::from(logit) - top) / t).exp();
        let gone: f64 = old.map(of_row).sum();
        // Of what stays, the best alone say whether enough does.
        let unchanged = self.best.iter().filter(|entry| out.binary_search(&entry.0.index()).is_err());
        let stays: f64 = unchanged.map(|entry| of_row(entry.1)).sum();
        if stays >= KEPT_OF_SUM * (stays + gone) {
            return (whole() - gone) * ((top - first) / t).exp() + new;
        }
        // What lies between them.
        let begins = std::iter::once(0).chain(out.iter().map(|at| at + 1));
        let ends = out.iter().copied().chain([self.row.len()]);
        begins.zip(ends).map(|(begin, end)| row_sum(&self.row[begin..end], self.best[0].1)).sum::<f64>() + new
    }

    /// The row's largest logit.
    fn top(&self) -> f32 {
        self.known.best[0].1
    }

    /// The probability of a logit among the candidates.
    pub fn probability(&mut self, logit: f32) -> f64 {
        let sum = self.sum();
        self.weight(logit) / sum
    }

    /// Divides every logit by this.
    pub fn heat(&mut self, temperature: f32) {
        self.temperature *= f64::from(temperature);
        self.sum = None;
    }

    /// Keeps these alone; they must be in order.
    pub fn keep(&mut self, entries: Vec<CandidateEntry>) {
        self.best = entries;
        self.complete = true;
        self.sum = None;
    }

    /// Keeps the first `n`. Many are not listed.
    pub fn keep_first(&mut self, n: usize) {
        let n = n.max(1);
        if !self.complete && (n >= self.row.len() || (n > MANY && self.bound_below(n))) {
            return;
        }
        while self.best.len() < n && self.widen() {}
        if self.best.len() > n || !self.complete {
            let mut best = std::mem::take(&mut self.best);
            best.truncate(n);
            self.keep(best);
        }
    }

    /// Sets the floor at the `n`-th of an untouched row; false where that would not keep exactly `n`.
    fn bound_below(&mut self, n: usize) -> bool {
        let touched = !self.changed.is_empty() || !self.removed.is_empty() || self.floor > f32::NEG_INFINITY;
        let floor = (!touched).then(|| distribution::nth_largest(self.row, self.top(), n)).flatten();
        if let Some(floor) = floor {
            self.floor = floor;
            self.sum = None;
            self.look_at(self.looked_at);
        }
        floor.is_some()
    }

    /// Keeps those up to the first that is not wanted; at least one.
    pub fn keep_while(&mut self, wanted: impl Fn(&CandidateEntry) -> bool) {
        let last = loop {
            match self.best.iter().position(|entry| !wanted(entry)) {
                Some(at) => break at,
                None if self.widen() => {}
                None => return,
            }
        };
        self.keep_first(last);
    }

    /// How many have at least this probability.
    pub fn count_probable(&mut self, least: f64) -> usize {
        let wanted = least * self.sum();
        let mut count = 0;
        while self.nth(count).is_some_and(|entry| self.weight(entry.1) >= wanted) {
            count += 1;
        }
        count
    }

    /// Keeps those that have at least this probability, and the first in any case. Many are not listed.
    pub fn keep_probable(&mut self, least: f64) {
        let bound = f64::from(self.best[0].1) + self.temperature * (least * self.sum()).ln();
        match self.best.iter().position(|entry| f64::from(entry.1) < bound) {
            Some(at) => self.keep_first(at),
            None if self.complete => {}
            None => {
                let floor = bound as f32;
                self.floor = if f64::from(floor) < bound { floor.next_up() } else { floor };
                self.sum = None;
            }
        }
    }

    /// Takes out the first `n`.
    pub fn remove_first(&mut self, n: usize) {
        let gone: Vec<CandidateEntry> = self.best.drain(..n).collect();
        self.removed.extend(gone.into_iter().map(|entry| entry.0));
        self.sum = None;
        if self.best.is_empty() {
            self.widen();
        }
    }

    /// The fewest of the best that hold this share of the mass.
    pub fn keep_mass(&mut self, share: f64) {
        let wanted = share * self.sum();
        let mut held = 0.0;
        let mut at = 0;
        while let Some((_, logit)) = self.nth(at) {
            held += self.weight(logit);
            at += 1;
            if held >= wanted {
                return self.keep_first(at);
            }
        }
    }

    /// H = −Σ p ln p over the candidates, in nats.
    fn entropy(&mut self) -> f64 {
        let untouched = self.changed.is_empty() && self.removed.is_empty() && self.temperature == 1.0;
        if !self.complete && untouched {
            let (s0, s1) = distribution::whole(self.row, self.top());
            self.sum = Some(s0);
            return (s0.ln() - s1 / s0).max(0.0);
        }
        let sum = self.sum();
        let first = f64::from(self.best[0].1);
        let term = |logit: f32| {
            let d = (f64::from(logit) - first) / self.temperature;
            if d > f64::NEG_INFINITY { d * d.exp() } else { 0.0 }
        };
        let total: f64 = match self.complete {
            true => self.best.iter().map(|entry| term(entry.1)).sum(),
            false => self.all().map(|entry| term(entry.1)).sum(),
        };
        (sum.ln() - total / sum).max(0.0)
    }

    /// Every candidate, of the row in the order of ids.
    fn all(&self) -> impl Iterator<Item = CandidateEntry> + '_ {
        let listed = self.complete.then(|| self.best.iter().copied());
        let row = (!self.complete).then(|| {
            self.row.iter().enumerate().filter_map(|(id, &logit)| {
                let id = TokenId(id as u32);
                let changed = self.changed.binary_search_by_key(&id, |entry| entry.0);
                let logit = changed.map_or(logit, |at| self.changed[at].1);
                (logit > f32::NEG_INFINITY && !self.removed.contains(&id)).then_some((id, logit))
            })
        });
        listed.into_iter().flatten().chain(row.into_iter().flatten())
    }

    /// Keeps the fewest whose surprisal is nearest to the entropy and that hold more than this share.
    pub fn keep_typical(&mut self, share: f64) {
        let (entropy, sum) = (self.entropy(), self.sum());
        let distance = |this: &Self, logit: f32| (sum.ln() - this.weight(logit).ln() - entropy).abs();
        loop {
            // All that are nearer than the last one looked at are known.
            let known = match self.best.last() {
                Some(last) if !self.complete => {
                    let beyond = sum.ln() - self.weight(last.1).ln() - entropy;
                    beyond.max(0.0)
                }
                _ => f64::INFINITY,
            };
            let mut near: Vec<(f64, CandidateEntry)> =
                self.best.iter().map(|entry| (distance(self, entry.1), *entry)).collect();
            near.retain(|(distance, _)| *distance < known);
            near.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.0.cmp(&b.1.0)));
            let mut held = 0.0;
            let enough = near.iter().position(|(_, entry)| {
                held += self.weight(entry.1) / sum;
                held > share
            });
            if let Some(last) = enough.or(self.complete.then_some(near.len().saturating_sub(1))) {
                near.truncate(last + 1);
                let mut kept: Vec<CandidateEntry> = near.into_iter().map(|(_, entry)| entry).collect();
                kept.sort_unstable_by(order);
                return self.keep(kept);
            }
            self.widen();
        }
    }

    /// Keeps the logits within `n` standard deviations of the largest.
    pub fn keep_within_deviations(&mut self, n: f32) {
        let largest = f64::from(self.best[0].1);
        let (count, sum, squares) = match self.complete {
            true => moments(self.best.iter().map(|entry| entry.1), largest),
            false => {
                let (mut count, mut sum, mut squares) = distribution::moments(self.row, self.best[0].1);
                let gone = self.changed.iter().map(|entry| entry.0).chain(self.removed.iter().copied());
                let gone: HashSet<TokenId> = gone.collect();
                let old = moments(gone.iter().map(|id| self.row[id.index()]), largest);
                let kept = self.changed.iter().filter(|entry| !self.removed.contains(&entry.0));
                let new = moments(kept.map(|entry| entry.1), largest);
                count += new.0 - old.0;
                sum += new.1 - old.1;
                squares += new.2 - old.2;
                (count, sum, squares)
            }
        };
        let mean = sum / count;
        let deviation = (squares / count - mean * mean).max(0.0).sqrt();
        let floor = largest - f64::from(n) * deviation;
        self.keep_while(|entry| f64::from(entry.1) >= floor);
    }

    /// The first in order whose mass and that of all before it is above this share of all.
    pub fn at_share(&mut self, share: f64) -> CandidateEntry {
        let wanted = share * self.sum();
        let mut held = 0.0;
        let mut at = 0;
        let mut last = self.best[0];
        while let Some(entry) = self.nth(at) {
            held += self.weight(entry.1);
            last = entry;
            if held > wanted {
                break;
            }
            at += 1;
        }
        last
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        if self.complete {
            return self.best.len();
        }
        let stays = |logit: &f32| self.may_stay(*logit);
        let of_row = self.row.iter().filter(|logit| stays(logit)).count();
        // Of what is changed or taken out, the row's own logit counts no more.
        let gone: HashSet<TokenId> =
            self.changed.iter().map(|entry| entry.0).chain(self.removed.iter().copied()).collect();
        let old = gone.iter().filter(|id| stays(&self.row[id.index()])).count();
        let kept = self.changed.iter().filter(|entry| !self.removed.contains(&entry.0));
        of_row - old + kept.filter(|entry| stays(&entry.1)).count()
    }

    /// A token's logit as it is now, where it is a candidate.
    pub fn logit_of(&self, id: TokenId) -> Option<f32> {
        let changed = self.changed.binary_search_by_key(&id, |entry| entry.0);
        let logit = changed.map_or_else(|_| self.row[id.index()], |at| self.changed[at].1);
        let stays = match self.complete {
            true => self.best.binary_search_by(|entry| order(entry, &(id, logit))).is_ok(),
            false => !self.removed.contains(&id) && self.may_stay(logit),
        };
        stays.then_some(logit)
    }
}

/// How many, Σ (x − largest) and Σ (x − largest)², of what is possible.
fn moments(logits: impl Iterator<Item = f32>, largest: f64) -> (f64, f64, f64) {
    let mut sums = (0.0, 0.0, 0.0);
    for logit in logits.filter(|logit| *logit > f32::NEG_INFINITY) {
        let d = f64::from(logit) - largest;
        sums = (sums.0 + 1.0, sums.1 + d, sums.2 + d * d);
    }
    sums
}
