//! Prompts: texts or exact ids, one or a list of them.

use serde_json::Value;

use super::error::ApiError;
use super::fields::kind;
use crate::engine::ModelInfo;
use crate::query::text::{Encoded, TextEncoder};
use crate::settings::{Bos, Settings};
use crate::token::{TokenId, Utf8Assembler, Vocab};

/// Most prompts of a request.
const MOST: usize = 4096;

/// A prompt as the model reads it, and as text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SentPrompt {
    pub ids: Vec<TokenId>,
    pub text: String,
    /// Where each token begins in the text, in characters.
    pub offsets: Vec<usize>,
}

/// How raw text becomes tokens.
pub(super) struct PromptReader<'a> {
    model: &'a ModelInfo,
    encoder: TextEncoder<'a>,
}

impl<'a> PromptReader<'a> {
    /// `bos`: whether a BOS goes before a text, where the model wants one; `special`: whether special tokens
    /// in it are recognised. Where nothing is said, what the server was started with holds.
    pub fn new(
        model: &'a ModelInfo,
        settings: &Settings,
        bos: Option<bool>,
        special: Option<bool>,
    ) -> Result<PromptReader<'a>, ApiError> {
        let policy = if bos == Some(false) { Bos::Never } else { settings.bos };
        let encoder = TextEncoder::new(model, policy, special.unwrap_or(settings.special))?;
        Ok(PromptReader { model, encoder })
    }

    /// The prompts of a field.
    pub fn prompts(&self, name: &str, value: Option<Value>) -> Result<Vec<SentPrompt>, ApiError> {
        let wanted = "a text, a list of texts, a list of token ids or a list of such lists";
        let wrong = |found: &str| ApiError::field(name, format!("must be {wanted}, not {found}"));
        let list = match value {
            None => return Err(ApiError::field(name, format!("is missing: it must be {wanted}"))),
            Some(Value::String(text)) => return Ok(vec![self.text(text)?]),
            Some(Value::Array(list)) => list,
            Some(other) => return Err(wrong(kind(&other))),
        };
        if list.len() > MOST && !list[0].is_number() {
            return Err(ApiError::field(
                name,
                format!("has {} entries; at most {MOST} are taken", list.len()),
            ));
        }
        match list.first() {
            None => Err(wrong("an empty list")),
            Some(Value::Number(_)) => Ok(vec![self.ids(self.numbers(name, list)?)]),
            Some(Value::String(_) | Value::Array(_)) => {
                let each = list.into_iter().enumerate().map(|(i, entry)| match entry {
                    Value::String(text) => self.text(text),
                    Value::Array(ids) => Ok(self.ids(self.numbers(&format!("{name}[{i}]"), ids)?)),
                    other => Err(wrong(&format!("{} at place {i} of the list", kind(&other)))),
                });
                each.collect()
            }
            Some(other) => Err(wrong(&format!("a list of {}", kind(other)))),
        }
    }

    /// The ids of a list of numbers.
    pub fn numbers(&self, name: &str, list: Vec<Value>) -> Result<Vec<TokenId>, ApiError> {
        let most = self.model.vocab.len();
        let id = |(i, value): (usize, Value)| {
            let number = value.as_u64().filter(|&id| id < most as u64);
            number.map(|id| TokenId(id as u32)).ok_or_else(|| {
                let found = if value.is_number() { value.to_string() } else { kind(&value).to_string() };
                ApiError::field(
                    name,
                    format!("must hold token ids from 0 to {}, not {found} at place {i}", most - 1),
                )
            })
        };
        list.into_iter().enumerate().map(id).collect()
    }

    /// The tokens of a text.
    pub fn encode(&self, text: &str) -> Result<Encoded, ApiError> {
        Ok(self.encoder.encode(text.as_bytes())?)
    }

    fn text(&self, text: String) -> Result<SentPrompt, ApiError> {
        let encoded = self.encode(&text)?;
        let (mut at, mut chars) = (0, 0);
        let offsets = encoded.pieces.iter().map(|piece| {
            let start = piece.span.as_ref().map_or(at, |span| span.start).max(at);
            // A token may begin inside a character: it stands where that does.
            let whole = (at..=start).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(at);
            chars += text[at..whole].chars().count();
            at = whole;
            chars
        });
        Ok(SentPrompt { offsets: offsets.collect(), ids: encoded.ids(), text })
    }

    fn ids(&self, ids: Vec<TokenId>) -> SentPrompt {
        let (text, offsets) = decoded(&ids, &self.model.vocab);
        SentPrompt { ids, text, offsets }
    }
}

/// The text of ids, and where each begins in it, in characters.
fn decoded(ids: &[TokenId], vocab: &Vocab) -> (String, Vec<usize>) {
    let (mut text, mut chars, mut assembler) = (String::new(), 0, Utf8Assembler::default());
    let offsets = ids.iter().map(|&id| {
        let offset = chars;
        let grown = assembler.push(vocab.bytes(id));
        chars += grown.chars().count();
        text.push_str(&grown);
        offset
    });
    let offsets = offsets.collect();
    text.push_str(&assembler.finish());
    (text, offsets)
}
