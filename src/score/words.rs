//! Surprisal per word, with the correction for the white space before a word.
//!
//! A subword token carries the white space *before* a word, so the sum over a word's tokens leaves
//! out that the word ended and pays for the end of the one before. The correction (Pimentel and
//! Meister 2024; Oh and Schuler 2024) moves that cost: with B the mass of all tokens that may follow
//! a finished word, a word's surprisal is Σ −ln p + ln D − ln B, where B stands after its last token
//! and D is the B of the position before its first.
//!
//! A word is a maximal run of characters that are no white space; the white space before it belongs
//! to it. Texts without white space have no word boundaries to correct for.
//! Where white space is spelled in tokens of single bytes, none of the masses knows it: nothing is moved
//! there, and the word says so.

use std::ops::Range;

use clap::ValueEnum;

use super::edges::{Edges, corrected};
use super::{TextToken, runs, surprisal_sum, touched};
use crate::distribution::BoundaryMass;
use crate::step::Figure;

/// Which tokens may follow a finished word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Convention {
    /// Those that begin with any white space, and the ends of generation. A text's first word excludes
    /// both kinds of white space.
    #[default]
    Whitespace,
    /// Those that begin with a space, and the ends of generation, as Pimentel and Meister have it.
    Pm2024,
    /// Those that begin with a space, as Oh and Schuler have it; a text's first word excludes none.
    Os2024,
}

impl Convention {
    /// The name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Convention::Whitespace => "whitespace",
            Convention::Pm2024 => "pm2024",
            Convention::Os2024 => "os2024",
        }
    }

    /// B: the mass of what may follow a finished word.
    pub(super) fn mass(self, mass: BoundaryMass) -> f64 {
        match self {
            Convention::Whitespace => mass.space + mass.other_space + mass.end,
            Convention::Pm2024 => mass.space + mass.end,
            Convention::Os2024 => mass.space,
        }
    }

    /// D of a text's first word where no white space precedes it: such a word could not have begun
    /// with any.
    pub(super) fn first(self, mass: BoundaryMass) -> f64 {
        match self {
            Convention::Whitespace => 1.0 - mass.space - mass.other_space,
            Convention::Pm2024 => 1.0 - mass.space,
            Convention::Os2024 => 1.0,
        }
    }
}

/// A word, or several that share a token.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// Its bytes in the text, without the white space before it.
    pub span: Range<usize>,
    /// Its tokens.
    pub tokens: Range<usize>,
    /// Σ −ln p in nats; `None` where a token has no context.
    pub surprisal_sum: Option<f64>,
    /// In nats; `None` where it can't be computed.
    pub surprisal_corrected: Option<f64>,
    /// Entropy before its first token, in nats.
    pub entropy: Option<Figure<f32>>,
    /// Words that share its tokens; 1 unless a token holds parts of several.
    pub merged: usize,
    /// Whether white space beside it stands in tokens of single bytes, at which nothing is corrected.
    pub in_bytes: bool,
}

impl Word {
    /// Why a value is missing or the word is several.
    pub fn note(&self) -> Option<String> {
        if self.merged > 1 {
            Some(format!("{} words share a token", self.merged))
        } else if self.surprisal_sum.is_none() {
            Some(super::NO_CONTEXT.to_string())
        } else if self.surprisal_sum == Some(f64::INFINITY) {
            Some(super::IMPOSSIBLE.to_string())
        } else if self.surprisal_corrected.is_none() {
            Some("no figures after the word".to_string())
        } else if self.in_bytes {
            Some(super::IN_BYTES.to_string())
        } else {
            None
        }
    }
}

/// The words of a text. Every token with a span must have its place in order; `after` is the mass after
/// the last token.
pub fn words(
    text: &[u8],
    tokens: &[TextToken],
    after: Option<BoundaryMass>,
    convention: Convention,
) -> Vec<Word> {
    let runs = runs(text);
    let units = units(&runs, tokens);
    let edges = Edges { runs: &runs, tokens, after, convention };
    units
        .iter()
        .map(|unit| {
            let own = &tokens[unit.tokens.clone()];
            let sum = surprisal_sum(own);
            let ends = [unit.tokens.start, unit.tokens.end].map(|index| edges.at(index));
            let end = runs[unit.runs.end - 1].end;
            let corrected = sum.and_then(|sum| corrected(sum, ends));
            Word {
                span: runs[unit.runs.start].start..end,
                tokens: unit.tokens.clone(),
                surprisal_sum: sum,
                surprisal_corrected: corrected,
                entropy: own.first().and_then(|token| token.figures).map(|figures| figures.entropy),
                merged: unit.runs.len(),
                in_bytes: ends.into_iter().flatten().any(|edge| edge.in_bytes),
            }
        })
        .collect()
}

/// Runs that can't be told apart by tokens, and their tokens.
struct WordUnit {
    runs: Range<usize>,
    tokens: Range<usize>,
}

fn units(runs: &[Range<usize>], tokens: &[TextToken]) -> Vec<WordUnit> {
    let mut units: Vec<WordUnit> = Vec::new();
    let mut next = tokens.iter().position(|token| token.span.is_some()).unwrap_or(tokens.len());
    for (i, token) in tokens.iter().enumerate() {
        let touched = match &token.span {
            Some(span) => touched(runs, span),
            None => continue,
        };
        if touched.is_empty() {
            continue;
        }
        match units.last_mut() {
            Some(last) if last.runs.end > touched.start => {
                last.runs.end = last.runs.end.max(touched.end);
                last.tokens.end = i + 1;
            }
            _ => units.push(WordUnit { runs: touched, tokens: next..i + 1 }),
        }
        next = i + 1;
    }
    units
}

#[cfg(test)]
mod tests;
