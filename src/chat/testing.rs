//! A vocabulary and tokenizer for tests: bytes, a few joint pieces, and special tokens.

use super::{Message, Role, reply_text};
use crate::engine::Tokenize;
use crate::token::{SpecialTokens, TokenId, Vocab, VocabEntry};

/// Control tokens.
pub const CONTROLS: [&str; 7] =
    ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|im_end|>|", "[INST]", "[/INST]"];

/// Pieces that only a joint text has.
const JOINT: [&str; 5] = ["\n ", "  ", " Hi", "ab", "\n\n"];

/// A tokenizer that takes the longest piece at every place.
pub struct Toy {
    vocab: Vocab,
    /// Puts a space before every text, as SentencePiece does.
    prefix: bool,
}

impl Toy {
    /// With `</think>` as a user-defined token.
    pub fn new() -> Toy {
        Toy::build(false, |_| {})
    }

    /// One that puts a space before every text.
    pub fn with_prefix() -> Toy {
        Toy::build(true, |_| {})
    }

    /// One whose entries are changed.
    pub fn build(prefix: bool, change: impl Fn(&mut VocabEntry)) -> Toy {
        let plain = |bytes: &[u8]| VocabEntry { bytes: bytes.to_vec(), ..VocabEntry::default() };
        let mut entries: Vec<_> = (0..=255u8).map(|byte| plain(&[byte])).collect();
        entries.extend(JOINT.map(|piece| plain(piece.as_bytes())));
        entries.extend(CONTROLS.map(|text| VocabEntry { control: true, ..plain(text.as_bytes()) }));
        entries.push(VocabEntry { user_defined: true, ..plain(b"</think>") });
        entries.iter_mut().for_each(change);
        let find = |text: &str| entries.iter().position(|entry| entry.bytes == text.as_bytes());
        let id = |text: &str| find(text).map(|at| TokenId(at as u32));
        let special = SpecialTokens { bos: id("<s>"), eos: id("</s>"), add_bos: true };
        Toy { vocab: Vocab::new(entries, special), prefix }
    }

    /// The vocabulary.
    pub fn vocab(&self) -> &Vocab {
        &self.vocab
    }

    /// The token spelled so.
    pub fn id(&self, text: &str) -> TokenId {
        self.vocab.ids().find(|id| self.vocab.bytes(*id) == text.as_bytes()).unwrap()
    }

    fn raw(&self, text: &[u8], out: &mut Vec<TokenId>) {
        if text.is_empty() {
            return;
        }
        let text = if self.prefix { [b" ", text].concat() } else { text.to_vec() };
        let mut at = 0;
        while at < text.len() {
            let fits =
                |id: &TokenId| !self.vocab.is_special(*id) && text[at..].starts_with(self.vocab.bytes(*id));
            let best = self.vocab.ids().filter(fits).max_by_key(|id| self.vocab.bytes(*id).len()).unwrap();
            at += self.vocab.bytes(best).len();
            out.push(best);
        }
    }
}

impl Tokenize for Toy {
    /// Cuts at special tokens one after the other, longest first, as llama.cpp does.
    fn tokenize(&self, text: &[u8], parse_special: bool) -> Vec<TokenId> {
        let mut specials: Vec<_> = self.vocab.ids().filter(|id| self.vocab.is_special(*id)).collect();
        specials.sort_by_key(|id| std::cmp::Reverse(self.vocab.bytes(*id).len()));
        let mut fragments: Vec<Result<Vec<u8>, TokenId>> = vec![Ok(text.to_vec())];
        for id in specials.into_iter().filter(|id| parse_special || self.vocab.is_user_defined(*id)) {
            fragments = fragments.into_iter().flat_map(|fragment| self.cut(fragment, id)).collect();
        }
        let mut out = Vec::new();
        for fragment in fragments {
            match fragment {
                Ok(text) => self.raw(&text, &mut out),
                Err(id) => out.push(id),
            }
        }
        out
    }
}

impl Toy {
    fn cut(&self, fragment: Result<Vec<u8>, TokenId>, id: TokenId) -> Vec<Result<Vec<u8>, TokenId>> {
        let Ok(mut text) = fragment else { return vec![fragment] };
        let literal = self.vocab.bytes(id);
        let mut out = Vec::new();
        while let Some(at) = (0..text.len()).find(|at| text[*at..].starts_with(literal)) {
            let mut before = text[..at].to_vec();
            while self.vocab.strips_left(id) && before.last().is_some_and(u8::is_ascii_whitespace) {
                before.pop();
            }
            out.extend([Ok(before), Err(id)]);
            text.drain(..at + literal.len());
            while self.vocab.strips_right(id) && text.first().is_some_and(u8::is_ascii_whitespace) {
                text.remove(0);
            }
        }
        out.push(Ok(text));
        out.retain(|fragment| !matches!(fragment, Ok(text) if text.is_empty()));
        out
    }
}

impl Message {
    /// What a model would have said, as text.
    pub fn assistant(text: impl Into<String>) -> Message {
        Message::new(Role::Assistant, text)
    }

    /// What a model has said, by the ids it chose, without the token that ended the reply.
    pub fn reply(ids: Vec<TokenId>, vocab: &Vocab) -> Message {
        let text = reply_text(&ids, vocab);
        Message { reply: Some(ids), ..Message::assistant(text) }
    }
}
