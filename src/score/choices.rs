//! The reductions by which continuations are compared, named as lm-evaluation-harness names them.
//!
//! These decide; the figures of a single choice are `sum_logprob`, `logprob_per_char`,
//! `logprob_per_byte`, `logprob_per_token` and `pmi`.

use serde::Serialize;

/// A scored continuation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Σ ln p given the context, in nats.
    pub sum_logprob: f64,
    /// Its tokens.
    pub tokens: usize,
    /// Its characters, without the white space it begins with (the delimiter).
    pub chars: usize,
    /// The UTF-8 bytes of those characters.
    pub bytes: usize,
    /// Σ ln p after BOS alone, in nats, where that was computed.
    pub alone: Option<f64>,
    /// Whether every token was the most probable.
    pub is_greedy: bool,
}

impl Measured {
    /// The lengths of a continuation. One that is all white space counts as it is.
    pub fn of_text(text: &[u8]) -> Measured {
        let shown = String::from_utf8_lossy(text);
        let own = Some(shown.trim_start()).filter(|own| !own.is_empty()).unwrap_or(&shown);
        Measured { chars: own.chars().count(), bytes: own.len(), ..Measured::default() }
    }

    /// `acc` decides by it.
    pub fn sum(&self) -> Option<f64> {
        Some(self.sum_logprob)
    }

    /// `acc_norm` decides by it.
    pub fn per_char(&self) -> Option<f64> {
        ratio(self.sum_logprob, self.chars)
    }

    /// `acc_bytes` decides by it.
    pub fn per_byte(&self) -> Option<f64> {
        ratio(self.sum_logprob, self.bytes)
    }

    /// `acc_tokens` decides by it.
    pub fn per_token(&self) -> Option<f64> {
        ratio(self.sum_logprob, self.tokens)
    }

    /// `acc_mutual_info` decides by it: conditional − unconditional.
    pub fn pmi(&self) -> Option<f64> {
        self.alone.map(|alone| self.sum_logprob - alone)
    }
}

fn ratio(sum: f64, length: usize) -> Option<f64> {
    (length > 0).then(|| sum / length as f64)
}

/// Index of the best choice by each reduction; the first where several are equal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Best {
    /// By the sum.
    pub acc: Option<usize>,
    /// By the sum ÷ characters.
    pub acc_norm: Option<usize>,
    /// By the sum ÷ bytes.
    pub acc_bytes: Option<usize>,
    /// By the sum ÷ tokens.
    pub acc_tokens: Option<usize>,
    /// By the mutual information with the context.
    pub acc_mutual_info: Option<usize>,
}

impl Best {
    /// The decisions about some choices.
    pub fn of<'a>(choices: impl Iterator<Item = &'a Measured> + Clone) -> Best {
        let by = |reduce: fn(&Measured) -> Option<f64>| best(choices.clone().map(reduce));
        Best {
            acc: by(Measured::sum),
            acc_norm: by(Measured::per_char),
            acc_bytes: by(Measured::per_byte),
            acc_tokens: by(Measured::per_token),
            acc_mutual_info: by(Measured::pmi),
        }
    }

    /// Whether every reduction that decides picks the same choice.
    pub fn agree(&self) -> bool {
        let picks = [self.acc, self.acc_norm, self.acc_bytes, self.acc_tokens, self.acc_mutual_info];
        let mut picks = picks.into_iter().flatten();
        let first = picks.next();
        picks.all(|pick| Some(pick) == first)
    }
}

/// `None` where a value is missing: nothing can be said then.
fn best(values: impl Iterator<Item = Option<f64>>) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (i, value) in values.enumerate() {
        let value = value.filter(|value| !value.is_nan())?;
        if best.is_none_or(|(_, so_far)| value > so_far) {
            best = Some((i, value));
        }
    }
    best.map(|(i, _)| i)
}

#[cfg(test)]
mod tests;
