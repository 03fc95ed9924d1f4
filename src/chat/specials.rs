//! Where the literal text of special tokens stands in a text.
//!
//! Matches as llama.cpp does: longer literals first, wherever they stand, then from left to right.

use std::ops::Range;

use crate::token::{TokenId, Vocab};

/// The special tokens of a vocabulary, ready to be looked for.
pub struct Specials<'a> {
    vocab: &'a Vocab,
    /// By first byte, so that most places of a text need no look at all.
    by_first: Vec<Vec<TokenId>>,
}

/// A special token's literal in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Its bytes in the text.
    pub range: Range<usize>,
    /// The token.
    pub id: TokenId,
}

impl<'a> Specials<'a> {
    /// Collects the special tokens of a vocabulary.
    pub fn new(vocab: &'a Vocab) -> Self {
        let mut by_first = vec![Vec::new(); 256];
        for id in vocab.ids().filter(|id| vocab.is_special(*id)) {
            if let Some(first) = vocab.bytes(id).first() {
                by_first[usize::from(*first)].push(id);
            }
        }
        Specials { vocab, by_first }
    }

    /// Every special token's literal that stands in the text, none overlapping another, from left to
    /// right. A control token counts only where `may_be_control` allows it; user-defined tokens always
    /// do, as llama.cpp matches them in any text.
    pub fn find(&self, text: &str, may_be_control: impl Fn(&Range<usize>) -> bool) -> Vec<Occurrence> {
        let bytes = text.as_bytes();
        let mut all = Vec::new();
        for (start, first) in bytes.iter().enumerate() {
            for id in &self.by_first[usize::from(*first)] {
                let literal = self.vocab.bytes(*id);
                let range = start..start + literal.len();
                if bytes[start..].starts_with(literal)
                    && (!self.vocab.is_control(*id) || may_be_control(&range))
                {
                    all.push(Occurrence { range, id: *id });
                }
            }
        }
        all.sort_by_key(|one| (std::cmp::Reverse(one.range.len()), one.id, one.range.start));
        let mut taken = vec![false; bytes.len()];
        all.retain(|one| {
            let free = !taken[one.range.clone()].contains(&true);
            if free {
                taken[one.range.clone()].fill(true);
            }
            free
        });
        all.sort_by_key(|one| one.range.start);
        all
    }

    /// The literals of control tokens that stand in the text.
    pub fn controls(&self, text: &str) -> Vec<Range<usize>> {
        let found = self.find(text, |_| true);
        found.into_iter().filter(|one| self.vocab.is_control(one.id)).map(|one| one.range).collect()
    }
}
