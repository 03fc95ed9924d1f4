//! What a scored text is divided into: one place for a single text and for a column of them.

use std::ops::Range;

use crate::cli::By;
use crate::distribution::BoundaryMass;
use crate::query::text::JoinedToken;
use crate::report::score::{PartKind, PartRecord};
use crate::score::regions::{Region, characters, lines, smallest, sums};
use crate::score::words::{Convention, words};
use crate::score::{Figures, TextToken};
use crate::step::Step;
use crate::token::Vocab;

impl By {
    /// The parts it asks for; tokens are none.
    pub(super) fn parts(self) -> Option<PartKind> {
        match self {
            By::Token => None,
            By::Word => Some(PartKind::Word),
            By::Char => Some(PartKind::Smallest),
            By::Line => Some(PartKind::Line),
        }
    }
}

/// A text whose tokens have been scored.
pub(super) struct ScoredTokens<'a> {
    pub text: &'a [u8],
    pub tokens: &'a [TextToken],
    /// Marked regions.
    pub marked: &'a [Range<usize>],
    /// The mass after the last token.
    pub after: Option<BoundaryMass>,
    pub convention: Convention,
}

impl ScoredTokens<'_> {
    /// Its parts of a kind.
    pub fn parts(&self, kind: PartKind) -> Vec<PartRecord> {
        let (text, tokens) = (self.text, self.tokens);
        let records = |found: &[Region], corrected: bool| -> Vec<PartRecord> {
            found.iter().map(|region| PartRecord::of_region(region, text, corrected)).collect()
        };
        let summed =
            |parts: &[Range<usize>]| records(&sums(text, tokens, parts, self.after, self.convention), true);
        match kind {
            PartKind::Word => {
                let words = words(text, tokens, self.after, self.convention);
                words.iter().enumerate().map(|(i, word)| PartRecord::of_word(i, word, text)).collect()
            }
            PartKind::Smallest => records(&smallest(tokens, &characters(text, tokens)), false),
            PartKind::Line => summed(&lines(text)),
            PartKind::Region => summed(self.marked),
        }
    }
}

/// A token of a text, ready for arithmetic.
pub(super) fn text_token(piece: &JoinedToken, step: &Step, vocab: &Vocab) -> TextToken {
    let figures = step.stats.as_ref().map(|stats| Figures {
        logprob: stats.logprob,
        rank: stats.rank,
        entropy: stats.prediction.entropy,
        varentropy: stats.prediction.varentropy,
        boundary: stats.prediction.boundary.as_deref().copied(),
    });
    TextToken { span: piece.span.clone(), begins: vocab.begins(piece.id), figures }
}
