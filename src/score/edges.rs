//! What is known between two tokens of a text: whether a word ended there, and how probable that was.

use std::ops::Range;

use super::words::Convention;
use super::{TextToken, touched};
use crate::distribution::BoundaryMass;
use crate::token::Boundary;

/// The mass of what may follow a finished word: B of the word that ended, D of the one that follows. 1
/// where no word ended: nothing is moved there.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct TextEdge {
    pub mass: f64,
    /// Whether the white space there stands in tokens of single bytes, so that its mass is not known.
    pub in_bytes: bool,
}

impl TextEdge {
    const INSIDE: TextEdge = TextEdge { mass: 1.0, in_bytes: false };
    const IN_BYTES: TextEdge = TextEdge { mass: 1.0, in_bytes: true };

    fn of(mass: f64) -> TextEdge {
        TextEdge { mass, in_bytes: false }
    }
}

/// The edges of a text's words.
pub(super) struct Edges<'a> {
    /// Where its characters are that are no white space.
    pub runs: &'a [Range<usize>],
    pub tokens: &'a [TextToken],
    /// After the last token.
    pub after: Option<BoundaryMass>,
    pub convention: Convention,
}

impl Edges<'_> {
    /// What is known before the token of this index; `None` where the model said nothing there.
    pub fn at(&self, index: usize) -> Option<TextEdge> {
        let before = index.checked_sub(1).and_then(|last| self.tokens.get(last)?.span.as_ref());
        let Some(before) = before else { return self.first(index) };
        let inside = touched(self.runs, before);
        let ended = self.runs.get(inside.end.wrapping_sub(1)).filter(|_| !inside.is_empty());
        if ended.is_none_or(|run| run.end != before.end) {
            return Some(TextEdge::INSIDE);
        }
        let mass = match self.tokens.get(index) {
            None => self.after?,
            Some(token) => match token.begins {
                Boundary::Space | Boundary::OtherSpace => token.figures?.boundary?,
                // A token that holds only part of a white-space character is in none of the classes.
                _ => return Some(TextEdge::IN_BYTES),
            },
        };
        Some(TextEdge::of(self.convention.mass(mass)))
    }

    /// D of the text's first word, whose first token this is.
    fn first(&self, index: usize) -> Option<TextEdge> {
        let first = self.tokens.get(index)?;
        let mass = first.figures?.boundary?;
        let span = first.span.as_ref()?;
        let white_space_before = self.runs.first().is_some_and(|run| span.start < run.start);
        Some(match first.begins {
            Boundary::Space | Boundary::OtherSpace => TextEdge::of(self.convention.mass(mass)),
            _ if white_space_before => TextEdge::IN_BYTES,
            _ => TextEdge::of(self.convention.first(mass)),
        })
    }
}

/// Σ −ln p of tokens, corrected at both of their edges; `None` where one is not known.
pub(super) fn corrected(sum: f64, [before, after]: [Option<TextEdge>; 2]) -> Option<f64> {
    let value = sum + before?.mass.ln() - after?.mass.ln();
    // Masses are added up in another order than the token's own logit.
    let value = if (-1e-5..0.0).contains(&value) { 0.0 } else { value };
    Some(value).filter(|value| value.is_finite())
}
