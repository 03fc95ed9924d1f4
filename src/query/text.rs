//! Raw text as the model reads it: BOS, ids, and the bytes of the text each token stands for.
//!
//! The model's own tokenizer is the truth; what it gives is compared with the text byte by byte, so that
//! an offset is right or absent. Tokenizers that put a space before a text, that write U+2581 for a space
//! or that swallow white space beside a special token are followed. Bytes that are no UTF-8 are scored
//! where the tokenizer keeps them, and refused with their position where it would read something else.

mod chunks;

use std::ops::Range;

use thiserror::Error;

use chunks::ChunkTrouble;

use crate::aside::Left;
use crate::continuation::joined;
pub use crate::continuation::{Encoded, Join, Joined, JoinedToken};
use crate::engine::{CancelFlag, ModelInfo, TokenizerLost};
use crate::settings::Bos;
use crate::token::{TokenId, Vocab};

/// What a sentence-piece vocabulary writes for a space.
const LOWER_BLOCK: &[u8] = "\u{2581}".as_bytes();

/// Why a text can't be read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum TextError {
    /// Bytes the tokenizer would silently replace.
    #[error(
        "byte {at} is 0x{byte:02X} and no UTF-8, and this model's tokenizer would read another text: convert it to UTF-8 first"
    )]
    NotUtf8 {
        /// 1-based.
        at: usize,
        /// What stands there.
        byte: u8,
    },
    /// More than the tokenizer handles in one call.
    #[error(
        "the {bytes} bytes from byte {at} on, which hold no line break this vocabulary can be cut at, are more than its tokenizer handles: break the text into lines, or score it in parts"
    )]
    TooMuch {
        /// 1-based.
        at: usize,
        /// How many.
        bytes: usize,
    },
    /// The person does not want to wait.
    #[error("interrupted")]
    Interrupted,
    /// The tokenizer's thread is gone.
    #[error("the tokenizer stopped: {0}")]
    Died(String),
    /// The tokenizer is a server's, and out of reach.
    #[error(transparent)]
    Lost(#[from] TokenizerLost),
    /// A BOS token was asked for.
    #[error("this model has no BOS token: leave --bos always out")]
    NoBos,
}

/// Turns text into tokens, by one policy.
pub struct TextEncoder<'a> {
    model: &'a ModelInfo,
    bos: Option<TokenId>,
    special: bool,
    cancel: CancelFlag,
}

impl<'a> TextEncoder<'a> {
    /// `special`: whether special tokens written in the text are recognised.
    ///
    /// # Errors
    /// [`TextError::NoBos`].
    pub fn new(model: &'a ModelInfo, bos: Bos, special: bool) -> Result<TextEncoder<'a>, TextError> {
        if bos == Bos::Always && model.vocab.special().bos.is_none() {
            return Err(TextError::NoBos);
        }
        Ok(TextEncoder { model, bos: bos.token(&model.vocab), special, cancel: CancelFlag::default() })
    }

    /// Gives a long text up once the flag is raised.
    pub fn cancelled_by(self, cancel: CancelFlag) -> TextEncoder<'a> {
        TextEncoder { cancel, ..self }
    }

    /// The token put before a text, if any.
    pub fn bos(&self) -> Option<TokenId> {
        self.bos
    }

    /// Whether the BOS token is what a chat's messages begin with: such a model has hardly stats it before
    /// plain text. A BOS stands once in a template, a marker before every message.
    pub fn bos_is_marker(&self) -> bool {
        let template = self.model.chat_template.as_deref().unwrap_or_default();
        self.bos.is_some_and(|bos| template.matches(&self.model.vocab.text(bos)).count() > 1)
    }

    /// The tokens of a text. A text that begins with BOS gets no second one.
    ///
    /// # Errors
    /// [`TextError::NotUtf8`] where the tokenizer would not keep the bytes, and whatever else keeps it from
    /// the text.
    pub fn encode(&self, text: &[u8]) -> Result<Encoded, TextError> {
        let ids =
            chunks::tokenize(text, self.special, self.model, &self.cancel).map_err(
                |trouble| match trouble {
                    ChunkTrouble::TooMuch { at, bytes } => TextError::TooMuch { at: at + 1, bytes },
                    ChunkTrouble::Lost(lost) => TextError::Lost(lost),
                    ChunkTrouble::Left(Left::Interrupted) => TextError::Interrupted,
                    ChunkTrouble::Left(Left::Died(reason)) => TextError::Died(reason),
                },
            )?;
        let bos = self.bos.filter(|bos| ids.first() != Some(bos));
        let mut pieces = Vec::with_capacity(ids.len() + 1);
        pieces.extend(bos.map(|id| JoinedToken { id, span: None }));
        let reached = align(text, &ids, &self.model.vocab, |id, span| pieces.push(JoinedToken { id, span }));
        let rewritten_from = (reached < text.len()).then_some(reached);
        if rewritten_from.is_some()
            && let Err(error) = std::str::from_utf8(text)
        {
            let at = error.valid_up_to();
            return Err(TextError::NotUtf8 { at: at + 1, byte: text[at] });
        }
        Ok(Encoded { pieces, has_bos: bos.is_some(), rewritten_from })
    }

    /// The tokens of a context and its continuation together.
    ///
    /// # Errors
    /// Those of [`TextEncoder::encode`].
    pub fn join(&self, context: &[u8], continuation: &[u8]) -> Result<Joined, TextError> {
        let both = self.encode(&[context, continuation].concat())?;
        Ok(joined(both, &self.encode(context)?, context.len(), Join::Joint))
    }
}

/// Gives out the bytes of `text` each token stands for; returns how far they could be followed.
fn align(
    text: &[u8],
    ids: &[TokenId],
    vocab: &Vocab,
    mut give: impl FnMut(TokenId, Option<Range<usize>>),
) -> usize {
    let mut at = 0;
    let mut lost = false;
    for &id in ids {
        let found = if lost { None } else { place(text, at, vocab.bytes(id)) };
        lost |= found.is_none();
        at = found.as_ref().map_or(at, |span| span.end);
        give(id, found.filter(|span| !span.is_empty()));
    }
    let swallowed = ids.last().is_some_and(|&id| vocab.strips_right(id));
    if swallowed && !lost && text[at..].iter().all(u8::is_ascii_whitespace) { text.len() } else { at }
}

/// Where a token's bytes stand at or after `at`.
fn place(text: &[u8], at: usize, piece: &[u8]) -> Option<Range<usize>> {
    let rest = &text[at..];
    if let Some(length) = prefix(rest, piece) {
        return Some(at..at + length);
    }
    // A space the tokenizer put before a text.
    if let Some(length) = piece.strip_prefix(b" ").and_then(|piece| prefix(rest, piece)) {
        return Some(at..at + length);
    }
    // White space a special token swallowed.
    let skipped = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let length = prefix(&rest[skipped..], piece).filter(|_| skipped > 0)?;
    Some(at + skipped..at + skipped + length)
}

/// How many bytes of the text a token's bytes are, if the text begins with them.
fn prefix(text: &[u8], piece: &[u8]) -> Option<usize> {
    if text.starts_with(piece) {
        return Some(piece.len());
    }
    let mut length = 0;
    for byte in piece {
        let rest = &text[length..];
        if rest.first() == Some(byte) {
            length += 1;
        } else if *byte == b' ' && rest.starts_with(LOWER_BLOCK) {
            length += LOWER_BLOCK.len();
        } else {
            return None;
        }
    }
    Some(length)
}

#[cfg(test)]
mod tests;
