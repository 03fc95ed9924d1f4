//! A text that goes on after tokens that are there already.

use crate::engine::{Tokenize, TokenizerLost};
use crate::token::{TokenId, Vocab};

/// The ids of a text that goes on after a reply. Tokenizers of the SentencePiece kind put a space
/// before every text they are given, which would be wrong here: a newline goes first and is taken
/// away again.
///
/// # Errors
/// [`TokenizerLost`].
pub fn continued(text: &str, tokenizer: &dyn Tokenize, vocab: &Vocab) -> Result<Vec<TokenId>, TokenizerLost> {
    let plain = |text: &str| match text.is_empty() {
        true => Ok(Vec::new()),
        false => tokenizer.try_tokenize(text.as_bytes(), false),
    };
    let spells = |ids: &[TokenId], text: &str| vocab.concat(ids.iter().copied()) == text.as_bytes();
    let alone = plain(text)?;
    if spells(&alone, text) {
        return Ok(alone);
    }
    let with = plain(&format!("\n{text}"))?;
    let cut = (1..with.len()).find(|at| {
        let before = vocab.concat(with[..*at].iter().copied());
        before.ends_with(b"\n") && spells(&with[*at..], text)
    });
    Ok(cut.map_or(alone, |at| with[at..].to_vec()))
}
