//! A conversation as tokens, for servers that write its prompt themselves: marks stand where a template would put its
//! control tokens, and become messages again before anything is sent.

use std::sync::Arc;

use serde_json::{Value, json};

use super::wire::Trouble;
use crate::engine::protocol::Tokenize;
use crate::token::{SpecialTokens, TokenId, Vocab, VocabEntry};

/// The marks: a role each, and the end of a message. Nobody types them by accident.
const MARKS: [&str; 4] = ["⟪system⟫", "⟪user⟫", "⟪assistant⟫", "⟪end⟫"];
const ROLES: [&str; 3] = ["system", "user", "assistant"];
const ASSISTANT: usize = 2;
const END: usize = 3;

/// What stands in the place of a model's chat template.
pub(super) const TEMPLATE: &str = "{% for message in messages %}⟪{{ message['role'] }}⟫{{ message['content'] }}⟪end⟫{% endfor %}{% if add_generation_prompt %}⟪assistant⟫{% endif %}";

/// Where the marks begin in a vocabulary.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marks {
    first: u32,
}

/// A prompt as it is sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum MarkedPrompt {
    /// What was said.
    Messages(Value),
    /// A text without marks.
    Raw,
}

impl Marks {
    /// A vocabulary of `entries` and the marks after them; further tokens come to be known later.
    pub fn after(entries: Vec<VocabEntry>, special: SpecialTokens) -> (Vocab, Marks) {
        let first = entries.len() as u32;
        let mark = |(i, text): (usize, &str)| VocabEntry {
            bytes: text.as_bytes().to_vec(),
            control: true,
            ends_generation: i == END,
            ..VocabEntry::default()
        };
        let marks = MARKS.into_iter().enumerate().map(mark);
        (Vocab::new(entries.into_iter().chain(marks), special).open_ended(), Marks { first })
    }

    fn of(self, id: TokenId) -> Option<usize> {
        id.0.checked_sub(self.first).map(|mark| mark as usize).filter(|mark| *mark < MARKS.len())
    }

    /// What ids say.
    pub fn read(self, ids: &[TokenId], vocab: &Vocab) -> Result<MarkedPrompt, Trouble> {
        if ids.iter().all(|&id| self.of(id).is_none()) {
            return Ok(MarkedPrompt::Raw);
        }
        let mut messages = Vec::new();
        let mut open: Option<(usize, Vec<u8>)> = None;
        for &id in ids {
            match (self.of(id), &mut open) {
                (Some(END), _) => {
                    let (role, text) = open.take().ok_or_else(odd)?;
                    let text = String::from_utf8_lossy(&text).into_owned();
                    messages.push(json!({"role": ROLES[role], "content": text}));
                }
                (Some(role), None) => open = Some((role, Vec::new())),
                (None, Some((_, text))) => text.extend_from_slice(vocab.bytes(id)),
                _ => return Err(odd()),
            }
        }
        match open {
            Some((ASSISTANT, text)) if text.is_empty() => Ok(MarkedPrompt::Messages(Value::Array(messages))),
            Some(_) => Err(Trouble::wrong(
                "this server writes a reply from its beginning: it can't go on with one, or begin it as you say",
            )),
            None => Err(odd()),
        }
    }
}

fn odd() -> Trouble {
    Trouble::wrong("this server takes messages, and what is to be sent are none")
}

/// A tokenizer of servers that have none to offer: every byte is a token.
pub(super) struct ByteTokenizer(pub Marks);

impl ByteTokenizer {
    /// A token a byte.
    pub fn entries() -> Vec<VocabEntry> {
        (0..=255u8).map(|byte| VocabEntry { bytes: vec![byte], ..VocabEntry::default() }).collect()
    }
}

impl Tokenize for ByteTokenizer {
    fn tokenize(&self, text: &[u8], parse_special: bool) -> Vec<TokenId> {
        let mut ids = Vec::new();
        let mut rest = text;
        while let Some(&byte) = rest.first() {
            let mark = MARKS.iter().position(|mark| parse_special && rest.starts_with(mark.as_bytes()));
            let (id, length) = match mark {
                Some(mark) => (self.0.first + mark as u32, MARKS[mark].len()),
                None => (u32::from(byte), 1),
            };
            ids.push(TokenId(id));
            rest = &rest[length..];
        }
        ids
    }
}

/// A tokenizer as it is shared.
pub(super) fn bytes(marks: Marks) -> Arc<dyn Tokenize> {
    Arc::new(ByteTokenizer(marks))
}
