//! The running score of a sequence and the figures derived from it.
//!
//! [`words`], [`regions`] and [`stats`] turn the figures of a text's tokens into what people who study
//! reading and people who study detection compute. Pure arithmetic: nothing here knows a model or
//! prints.

pub mod align;
pub mod calibration;
mod edges;
pub mod regions;
pub mod share;
pub mod stats;
pub mod words;

use std::ops::Range;

use crate::distribution::BoundaryMass;
use crate::step::Figure;
use crate::token::Boundary;

/// Why a token that has no context has no log-probability.
pub const NO_CONTEXT: &str = "no context";
/// Why a part of a text is not counted whole.
pub const LEFT_OUT: &str = "tokens without context are left out";
/// Why the white space beside a word is not corrected for.
pub const IN_BYTES: &str = "white space in tokens of single bytes: not corrected there (D = B = 1)";
/// Why an impossible token has none.
pub const IMPOSSIBLE: &str = "impossible token (ln p is −∞)";

/// What the model said of one token that has context.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// Raw ln p, in nats.
    pub logprob: f32,
    /// 1-based.
    pub rank: Figure<u32>,
    /// Of the distribution the token was taken from, in nats.
    pub entropy: Figure<f32>,
    /// Of that distribution, in nats².
    pub varentropy: Figure<f32>,
    /// Mass of the tokens that may end a word there, where it was asked for.
    pub boundary: Option<BoundaryMass>,
}

impl Figures {
    /// −ln p, in nats; +∞ for an impossible token.
    pub fn surprisal(&self) -> f64 {
        0.0 - f64::from(self.logprob)
    }
}

/// A token of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct TextToken {
    /// The bytes of the text it stands for; `None` for a token that was put there (BOS).
    pub span: Option<Range<usize>>,
    /// What it begins with.
    pub begins: Boundary,
    /// `None` where it has no context.
    pub figures: Option<Figures>,
}

/// Σ −ln p of tokens in nats; `None` if one of them has no context.
fn surprisal_sum(tokens: &[TextToken]) -> Option<f64> {
    tokens
        .iter()
        .map(|token| token.figures.map(|figures| figures.surprisal()))
        .try_fold(0.0, |sum, x| Some(sum + x?))
}

/// Where the runs of characters are that are no white space. Bytes that are no character are none.
fn runs(text: &[u8]) -> Vec<Range<usize>> {
    let mut runs: Vec<Range<usize>> = Vec::new();
    let mut add = |start: usize, end: usize| match runs.last_mut() {
        Some(last) if last.end == start => last.end = end,
        _ => runs.push(start..end),
    };
    let mut at = 0;
    for chunk in text.utf8_chunks() {
        for (offset, c) in chunk.valid().char_indices() {
            if !c.is_whitespace() {
                add(at + offset, at + offset + c.len_utf8());
            }
        }
        at += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            add(at, at + chunk.invalid().len());
            at += chunk.invalid().len();
        }
    }
    runs
}

/// Which of these runs a range of bytes has a part in.
fn touched(runs: &[Range<usize>], span: &Range<usize>) -> Range<usize> {
    let first = runs.partition_point(|run| run.end <= span.start);
    let end = runs.partition_point(|run| run.start < span.end);
    first..end.max(first)
}

/// Σ ln p over scored tokens, with what is needed to reduce it. Natural log, nats.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    sum: f64,
    tokens: usize,
    bytes: usize,
}

impl Score {
    /// Adds one scored token: its raw ln p and the number of bytes it stands for.
    pub fn add(&mut self, logprob: f32, bytes: usize) {
        self.sum += f64::from(logprob);
        self.tokens += 1;
        self.bytes += bytes;
    }

    /// Adds everything another score holds.
    pub fn merge(&mut self, other: &Score) {
        self.sum += other.sum;
        self.tokens += other.tokens;
        self.bytes += other.bytes;
    }

    /// Σ ln p in nats.
    pub fn sum_logprob(&self) -> f64 {
        self.sum
    }

    /// Number of scored tokens.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// Bytes of the scored tokens.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Mean ln p per scored token, in nats.
    pub fn mean_logprob(&self) -> Option<f64> {
        (self.tokens > 0).then(|| self.sum / self.tokens as f64)
    }

    /// exp of the mean surprisal.
    pub fn perplexity(&self) -> Option<f64> {
        self.mean_logprob().map(|mean| (-mean).exp())
    }

    /// Mean surprisal in bits.
    pub fn bits_per_token(&self) -> Option<f64> {
        self.mean_logprob().map(|mean| -mean / std::f64::consts::LN_2)
    }

    /// Total surprisal in bits per byte of the scored tokens.
    pub fn bits_per_byte(&self) -> Option<f64> {
        (self.bytes > 0).then(|| -self.sum / (self.bytes as f64 * std::f64::consts::LN_2))
    }
}

#[cfg(test)]
mod tests;
