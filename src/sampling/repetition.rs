//! What stands before a token, and what it costs to say it again: penalties and DRY.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::Sampling;
use crate::token::{TokenId, Vocab};

/// DRY's usual base: each further repeated token multiplies the penalty by this.
const DRY_BASE: f32 = 1.75;
/// Repetitions up to this length cost nothing.
const DRY_ALLOWED_LENGTH: usize = 2;
/// A repetition ends at a token that holds one of these.
const DRY_BREAKERS: [u8; 4] = *b"\n:\"*";

/// Repeat, presence and frequency penalties over the last tokens.
pub(super) struct Penalties {
    last: VecDeque<TokenId>,
    room: usize,
    counts: BTreeMap<TokenId, u32>,
    repeat: f32,
    presence: f32,
    frequency: f32,
}

impl Penalties {
    pub fn new(sampling: &Sampling) -> Penalties {
        Penalties {
            last: VecDeque::new(),
            room: sampling.penalty_last_n as usize,
            counts: BTreeMap::new(),
            repeat: sampling.repeat_penalty,
            presence: sampling.presence_penalty,
            frequency: sampling.frequency_penalty,
        }
    }

    pub fn accept(&mut self, token: TokenId) {
        *self.counts.entry(token).or_default() += 1;
        self.last.push_back(token);
        if self.last.len() > self.room
            && let Some(old) = self.last.pop_front()
            && let Some(count) = self.counts.get_mut(&old)
        {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&old);
            }
        }
    }

    /// New logits of the tokens that occurred.
    pub fn apply(&self, logits: &mut BTreeMap<TokenId, f32>, row: &[f32]) {
        for (&id, &count) in self.counts.iter().filter(|(id, _)| id.index() < row.len()) {
            let logit = logits.entry(id).or_insert(row[id.index()]);
            *logit = if *logit <= 0.0 { *logit * self.repeat } else { *logit / self.repeat };
            *logit -= count as f32 * self.frequency + self.presence;
        }
    }
}

/// Don't repeat yourself: what would go on with a sequence that stood before costs the more the longer
/// it already is.
pub(super) struct Dry {
    multiplier: f32,
    tokens: Vec<TokenId>,
    room: usize,
    breaks: Vec<bool>,
}

impl Dry {
    /// Looks back over `room` tokens.
    pub fn new(multiplier: f32, vocab: &Vocab, room: usize) -> Dry {
        let breaks = |id| vocab.bytes(id).iter().any(|byte| DRY_BREAKERS.contains(byte));
        Dry { multiplier, tokens: Vec::new(), room, breaks: vocab.ids().map(breaks).collect() }
    }

    pub fn accept(&mut self, token: TokenId) {
        self.tokens.push(token);
    }

    fn ends(&self, id: TokenId) -> bool {
        self.breaks.get(id.index()).copied().unwrap_or(false)
    }

    pub fn apply(&self, logits: &mut BTreeMap<TokenId, f32>, row: &[f32]) {
        let seen = &self.tokens[self.tokens.len().saturating_sub(self.room)..];
        let longest = seen.iter().rev().position(|&id| self.ends(id)).unwrap_or(seen.len());
        if seen.len() <= DRY_ALLOWED_LENGTH || longest < DRY_ALLOWED_LENGTH {
            return;
        }
        // By token: the longest end of the text that stood before it already.
        let mut repeated: HashMap<TokenId, usize> = HashMap::new();
        for (length, at) in ends_elsewhere(seen).into_iter().zip((1..seen.len()).rev()) {
            let length = length.min(longest);
            if length >= DRY_ALLOWED_LENGTH {
                let known = repeated.entry(seen[at]).or_default();
                *known = length.max(*known);
            }
        }
        let most = (f32::MAX.ln() / DRY_BASE.ln()) as usize;
        for (id, length) in repeated {
            if self.ends(id) || id.index() >= row.len() {
                continue;
            }
            let exponent = (length - DRY_ALLOWED_LENGTH).min(most);
            let logit = logits.entry(id).or_insert(row[id.index()]);
            *logit -= self.multiplier * DRY_BASE.powi(exponent as i32);
        }
    }
}

/// For each shift k from 1 on: how many of the last tokens equal those k before them (the Z function of
/// the reversed sequence).
fn ends_elsewhere(tokens: &[TokenId]) -> Vec<usize> {
    let n = tokens.len();
    let at = |i: usize| tokens[n - 1 - i];
    let mut z = vec![0; n];
    let (mut left, mut right) = (0, 0);
    for k in 1..n {
        let mut length = if k < right { z[k - left].min(right - k) } else { 0 };
        while k + length < n && at(length) == at(k + length) {
            length += 1;
        }
        if k + length > right {
            (left, right) = (k, k + length);
        }
        z[k] = length;
    }
    z.split_off(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_found_where_they_stood_before() {
        let tokens: Vec<TokenId> = "abccbcyabc".bytes().map(|byte| TokenId(byte.into())).collect();
        let mut lengths = ends_elsewhere(&tokens);
        lengths.reverse();
        assert_eq!(lengths, [0, 0, 3, 1, 0, 2, 0, 0, 0]);
    }
}
