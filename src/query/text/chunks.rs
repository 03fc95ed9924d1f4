//! Long texts in pieces that are tokenized one by one and give the tokens of the whole.
//!
//! llama.cpp's tokenizers need memory for every byte of a call, and time for the square of the
//! user-defined tokens in it. Where no token of a vocabulary holds a line break right after something
//! that is no white space, no token can reach across such a place, so a text may be cut there. Other
//! vocabularies get the text whole, on a thread that Ctrl-C leaves behind.

use std::collections::HashMap;
use std::sync::Arc;

use crate::aside::{self, Left};
use crate::engine::{CancelFlag, ModelInfo, Tokenize, TokenizerLost};
use crate::token::{TokenId, Vocab};

/// A piece is at least so long, in bytes.
const PIECE: usize = 64 << 10;
/// Pieces up to this length are never too much.
const EASY: usize = 1 << 20;
/// Bytes of one call; llama.cpp counts them in 31 bits and needs a hundred times their memory.
const LARGEST: usize = 64 << 20;
/// User-defined tokens in one call.
const MOST_FRAGMENTS: usize = 100_000;

/// Why a text has no ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ChunkTrouble {
    /// A stretch of text that llama.cpp could not tokenize in reasonable time and memory.
    TooMuch {
        /// 0-based.
        at: usize,
        bytes: usize,
    },
    /// The person does not want to wait, or the thread died.
    Left(Left),
    /// The tokenizer is elsewhere, and out of reach.
    Lost(TokenizerLost),
}

impl From<TokenizerLost> for ChunkTrouble {
    fn from(lost: TokenizerLost) -> ChunkTrouble {
        ChunkTrouble::Lost(lost)
    }
}

/// The ids of a text of any length.
pub(super) fn tokenize(
    text: &[u8],
    special: bool,
    model: &ModelInfo,
    cancel: &CancelFlag,
) -> Result<Vec<TokenId>, ChunkTrouble> {
    let (tokenizer, vocab) = (&model.tokenizer, &model.vocab);
    if text.len() <= PIECE {
        return Ok(tokenizer.try_tokenize(text, special)?);
    }
    let cuts = cuttable(tokenizer.as_ref(), vocab);
    let mut ids = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let end = if cuts { cut(text, at) } else { text.len() };
        let piece = &text[at..end];
        if piece.len() > LARGEST || piece.len() > EASY && fragments(piece, vocab) > MOST_FRAGMENTS {
            return Err(ChunkTrouble::TooMuch { at, bytes: piece.len() });
        }
        if cancel.is_cancelled() {
            return Err(ChunkTrouble::Left(Left::Interrupted));
        }
        match piece.len() <= 2 * PIECE {
            true => ids.extend(tokenizer.try_tokenize(piece, special)?),
            false => {
                ids.extend(tokenize_aside(piece, special, tokenizer, cancel).map_err(ChunkTrouble::Left)??)
            }
        }
        at = end;
    }
    Ok(ids)
}

fn tokenize_aside(
    piece: &[u8],
    special: bool,
    tokenizer: &Arc<dyn Tokenize>,
    cancel: &CancelFlag,
) -> Result<Result<Vec<TokenId>, TokenizerLost>, Left> {
    let (tokenizer, piece) = (Arc::clone(tokenizer), piece.to_vec());
    aside::run("tokenize", &|| cancel.is_cancelled(), move || tokenizer.try_tokenize(&piece, special))
}

fn cuttable(tokenizer: &dyn Tokenize, vocab: &Vocab) -> bool {
    let reaches_across =
        |bytes: &[u8]| bytes.windows(2).any(|pair| pair[1] == b'\n' && !pair[0].is_ascii_whitespace());
    // A tokenizer that puts a space before a text would put one before every piece.
    vocab.concat(tokenizer.tokenize(b"a", false)) == b"a"
        && !vocab.ids().any(|id| reaches_across(vocab.bytes(id)))
}

/// The end of the piece that begins at `start`: before a line break that follows a character that is no
/// white space.
fn cut(text: &[u8], start: usize) -> usize {
    let mut from = start + PIECE;
    while let Some(offset) = text.get(from..).and_then(|rest| rest.iter().position(|&byte| byte == b'\n')) {
        let end = from + offset;
        let before = &text[end.saturating_sub(4)..end];
        let last = before.utf8_chunks().last().and_then(|chunk| match chunk.invalid() {
            [] => chunk.valid().chars().next_back(),
            _ => None,
        });
        if last.is_some_and(|c| !c.is_whitespace()) {
            return end;
        }
        from = end + 1;
    }
    text.len()
}

/// How many user-defined tokens llama.cpp would cut out of a text.
fn fragments(text: &[u8], vocab: &Vocab) -> usize {
    let mut by_start: HashMap<u8, Vec<&[u8]>> = HashMap::new();
    for id in vocab.ids().filter(|&id| vocab.is_user_defined(id)) {
        let bytes = vocab.bytes(id);
        if let Some(&first) = bytes.first() {
            by_start.entry(first).or_default().push(bytes);
        }
    }
    by_start.values_mut().for_each(|tokens| tokens.sort_by_key(|token| std::cmp::Reverse(token.len())));
    let (mut at, mut count) = (0, 0);
    while let Some(first) = text.get(at) {
        let tokens = by_start.get(first).map(Vec::as_slice).unwrap_or_default();
        match tokens.iter().find(|token| text[at..].starts_with(token)) {
            Some(token) => {
                at += token.len();
                count += 1;
            }
            None => at += 1,
        }
    }
    count
}
