//! The reductions by which continuations are compared, named as lm-evaluation-harness names them.
//!
//! These decide; the figures of a single choice are `sum_logprob`, `logprob_per_char`,
//! `logprob_per_byte`, `logprob_per_token` and `pmi`.

use serde::{Deserialize, Serialize};

use super::Join;
use crate::text::named;

/// A choice's own figures, in nats.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChoiceRecord {
    /// As its author wrote it.
    pub text: String,
    /// Σ ln p; null where it is impossible or has no context.
    pub sum_logprob: Option<f64>,
    /// ÷ characters, without the delimiter before it.
    pub logprob_per_char: Option<f64>,
    /// ÷ UTF-8 bytes of those.
    pub logprob_per_byte: Option<f64>,
    /// ÷ tokens.
    pub logprob_per_token: Option<f64>,
    /// − Σ ln p without the context, where that was asked for.
    pub pmi: Option<f64>,
    /// Whether every token was the most probable.
    pub is_greedy: bool,
}

impl ChoiceRecord {
    /// The record of a choice; without figures where it could not be measured.
    pub fn new(text: String, measured: Option<&Measured>) -> ChoiceRecord {
        let of = |reduction| measured?.by(reduction).filter(|figure| figure.is_finite());
        ChoiceRecord {
            text,
            sum_logprob: of(Reduction::Acc),
            logprob_per_char: of(Reduction::AccNorm),
            logprob_per_byte: of(Reduction::AccBytes),
            logprob_per_token: of(Reduction::AccTokens),
            pmi: of(Reduction::AccMutualInfo),
            is_greedy: measured.is_some_and(|measured| measured.is_greedy),
        }
    }
}

/// A scored continuation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Σ ln p given the context, in nats.
    pub sum_logprob: f64,
    pub tokens: usize,
    /// Its characters: in the harness as written, else without the white space it begins with (the
    /// delimiter).
    pub chars: usize,
    /// The UTF-8 bytes of those characters.
    pub bytes: usize,
    /// Σ ln p after BOS alone, in nats, where that was computed.
    pub alone: Option<f64>,
    /// Whether every token was the most probable.
    pub is_greedy: bool,
}

impl Measured {
    /// The lengths of a continuation, as a choice is written. One that is all white space counts as it is.
    pub fn of_text(text: &[u8], join: Join) -> Measured {
        let shown = String::from_utf8_lossy(text);
        let own = match join {
            Join::Joint => Some(shown.trim_start()).filter(|own| !own.is_empty()).unwrap_or(&shown),
            Join::Harness => &shown,
        };
        Measured { chars: own.chars().count(), bytes: own.len(), ..Measured::default() }
    }

    /// What one reduction decides by.
    pub fn by(&self, reduction: Reduction) -> Option<f64> {
        match reduction {
            Reduction::Acc => self.sum(),
            Reduction::AccNorm => self.per_char(),
            Reduction::AccBytes => self.per_byte(),
            Reduction::AccTokens => self.per_token(),
            Reduction::AccMutualInfo => self.pmi(),
        }
    }

    /// `acc` decides by it.
    pub fn sum(&self) -> Option<f64> {
        Some(self.sum_logprob).filter(|sum| !sum.is_nan())
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

/// How a choice's tokens become one figure, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reduction {
    /// The sum.
    #[default]
    Acc,
    /// The sum ÷ the choice's characters.
    AccNorm,
    /// The sum ÷ its bytes.
    AccBytes,
    /// The sum ÷ its tokens.
    AccTokens,
    /// The sum − the sum without the context.
    AccMutualInfo,
}

named!(Reduction:
    Acc "acc", AccNorm "acc_norm", AccBytes "acc_bytes", AccTokens "acc_tokens",
    AccMutualInfo "acc_mutual_info",
);

/// Index of the best choice by each reduction; `None` where none is best or it was not measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// The decisions of every reduction.
    pub fn each(decide: impl Fn(Reduction) -> Option<usize>) -> Best {
        Best {
            acc: decide(Reduction::Acc),
            acc_norm: decide(Reduction::AccNorm),
            acc_bytes: decide(Reduction::AccBytes),
            acc_tokens: decide(Reduction::AccTokens),
            acc_mutual_info: decide(Reduction::AccMutualInfo),
        }
    }

    /// The decision of one.
    pub fn by(&self, reduction: Reduction) -> Option<usize> {
        match reduction {
            Reduction::Acc => self.acc,
            Reduction::AccNorm => self.acc_norm,
            Reduction::AccBytes => self.acc_bytes,
            Reduction::AccTokens => self.acc_tokens,
            Reduction::AccMutualInfo => self.acc_mutual_info,
        }
    }

    /// The decisions about some choices.
    pub fn of<'a>(choices: impl Iterator<Item = &'a Measured> + Clone, join: Join) -> Best {
        Best::each(|reduction| best(choices.clone().map(|choice| choice.by(reduction)), join))
    }

    /// Whether every reduction that decides picks the same choice.
    pub fn agree(&self) -> bool {
        let mut picks = Reduction::ALL.into_iter().filter_map(|reduction| self.by(reduction));
        let first = picks.next();
        picks.all(|pick| Some(pick) == first)
    }
}

/// The index of the largest value: of equal ones the first in the harness, none elsewhere. `None` where a
/// value is missing: nothing can be said then. A value that is no number (0 ÷ 0) is never the best.
pub fn best(values: impl Iterator<Item = Option<f64>>, join: Join) -> Option<usize> {
    let values: Vec<f64> = values.collect::<Option<_>>()?;
    let largest = values.iter().copied().filter(|value| !value.is_nan()).max_by(f64::total_cmp)?;
    let mut winners = values.iter().enumerate().filter(|(_, value)| **value == largest);
    let (winner, _) = winners.next()?;
    (join == Join::Harness || winners.next().is_none()).then_some(winner)
}

#[cfg(test)]
mod tests;
