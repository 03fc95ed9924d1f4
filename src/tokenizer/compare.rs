//! Two tokenizers side by side: the first token in which they differ, and whether an id means the same
//! piece to both.

use std::collections::HashMap;

use serde::Serialize;
use tokenizers::Tokenizer;

use super::compose::{BLOCK, texts, word_part};
use crate::model::gguf::{List, TokenizerKind as Kind, Vocabulary};
use crate::token::TokenId;

/// Tokens shown before the first difference.
const BEFORE: usize = 3;
/// Tokens shown from it on.
const AFTER: usize = 5;

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizersCompared {
    /// llama.cpp's tokens of the text.
    pub tokens: usize,
    /// The other's.
    pub other_tokens: usize,
    /// Where they part; `None` if they are the same.
    pub difference: Option<TokenizerDifference>,
    /// The vocabularies.
    pub vocabulary: Agreement,
}

impl TokenizersCompared {
    /// Whether no difference was found: neither in the tokens nor in what an id stands for.
    pub fn is_same(&self) -> bool {
        self.difference.is_none() && self.vocabulary.is_same()
    }
}

/// The first token that differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenizerDifference {
    /// Its index, 0-based; the number of tokens where one side has more.
    pub index: usize,
    /// Index of the first token that is shown.
    pub from: usize,
    /// The other's tokens from there on, a few beyond the difference.
    pub others: Vec<Other>,
}

impl TokenizerDifference {
    /// One past the index of the last token that is shown.
    pub fn to(&self) -> usize {
        self.index + AFTER
    }
}

/// A token of the other tokenizer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Other {
    pub id: TokenId,
    /// What it stands for.
    pub bytes: Vec<u8>,
}

/// How two vocabularies agree.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Tokens of the model.
    pub tokens: usize,
    /// Tokens of the other.
    pub other_tokens: usize,
    /// Ids of the model that the other does not have, such as padding.
    pub missing: usize,
    /// Ids of the other that the model does not have.
    pub extra: usize,
    /// Ids that stand for another piece.
    pub different: usize,
    /// The first of them.
    pub first_different: Option<Strange>,
}

impl Agreement {
    /// Whether an id that both have means the same to both.
    pub fn is_same(&self) -> bool {
        self.different == 0
    }
}

/// An id that means two things, as the two files spell them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Strange {
    pub id: TokenId,
    /// The model's piece.
    pub token: String,
    /// The other's.
    pub other: String,
}

/// Where two sequences part.
pub(super) fn first_difference(
    ours: &[TokenId],
    theirs: &[TokenId],
    bytes: impl Fn(TokenId) -> Vec<u8>,
) -> Option<TokenizerDifference> {
    let index = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count();
    if index == ours.len().max(theirs.len()) {
        return None;
    }
    let from = index.saturating_sub(BEFORE);
    let shown = theirs.iter().skip(from).take(index - from + AFTER);
    Some(TokenizerDifference {
        index,
        from,
        others: shown.map(|&id| Other { id, bytes: bytes(id) }).collect(),
    })
}

/// The pieces of a tokenizer of the crate beside those of a model.
pub(super) struct Spelled<'a> {
    vocabulary: &'a Vocabulary<'a>,
    theirs: HashMap<u32, String>,
    byte_of: HashMap<char, u8>,
    /// Ids whose spelling is their text.
    literal: HashMap<u32, String>,
}

impl<'a> Spelled<'a> {
    pub fn new(other: &Tokenizer, vocabulary: &'a Vocabulary<'a>) -> Spelled<'a> {
        let mut theirs: HashMap<u32, String> =
            other.get_vocab(false).into_iter().map(|(text, id)| (id, text)).collect();
        let added = other.get_added_tokens_decoder();
        let literal: HashMap<u32, String> =
            added.into_iter().map(|(id, token)| (id, token.content)).collect();
        theirs.extend(literal.iter().map(|(&id, text)| (id, text.clone())));
        let byte_of = match vocabulary.tokenizer {
            Kind::BytePair => byte_characters(),
            _ => HashMap::new(),
        };
        Spelled { vocabulary, theirs, byte_of, literal }
    }

    /// What an id of theirs stands for.
    pub fn bytes(&self, id: TokenId) -> Vec<u8> {
        let Some(text) = self.theirs.get(&id.0) else { return Vec::new() };
        let plain = || text.replace(BLOCK, " ").into_bytes();
        if self.literal.contains_key(&id.0) {
            return text.clone().into_bytes();
        }
        match self.vocabulary.tokenizer {
            Kind::BytePair => {
                let bytes: Option<Vec<u8>> = text.chars().map(|c| self.byte_of.get(&c).copied()).collect();
                bytes.unwrap_or_else(plain)
            }
            _ => plain(),
        }
    }

    pub fn agreement(&self) -> Agreement {
        let tokens = self.vocabulary.tokens.len();
        let mut agreement = Agreement { tokens, other_tokens: self.theirs.len(), ..Agreement::default() };
        agreement.extra = self.theirs.keys().filter(|&&id| id as usize >= tokens).count();
        let types: Vec<i128> =
            self.vocabulary.types.and_then(List::integers).map(Iterator::collect).unwrap_or_default();
        for (id, ours) in (0..).zip(texts(self.vocabulary.tokens)) {
            let ours = ours.unwrap_or_default();
            let Some(other) = self.theirs.get(&id) else {
                agreement.missing += 1;
                continue;
            };
            if !self.means_the_same(&ours, types.get(id as usize).copied().unwrap_or(1), other) {
                agreement.different += 1;
                agreement.first_different.get_or_insert_with(|| Strange {
                    id: TokenId(id),
                    token: ours,
                    other: other.clone(),
                });
            }
        }
        agreement
    }

    fn means_the_same(&self, ours: &str, kind: i128, theirs: &str) -> bool {
        ours == theirs
            || ours.replace(BLOCK, " ") == theirs.replace(BLOCK, " ")
            || self.vocabulary.tokenizer == Kind::WordPiece && word_part(ours, kind) == theirs
    }
}

/// The byte that each character of byte-level BPE (GPT-2) is written for: printable Latin-1 stands for
/// itself, the others for the characters from U+0100 on, in order.
fn byte_characters() -> HashMap<char, u8> {
    let mut spare = '\u{100}'..;
    (0..=u8::MAX)
        .filter_map(|byte| match byte {
            0x21..=0x7E | 0xA1..=0xAC | 0xAE..=0xFF => Some((char::from(byte), byte)),
            _ => spare.next().map(|c| (c, byte)),
        })
        .collect()
}
