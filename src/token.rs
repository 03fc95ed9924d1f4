//! Tokens: ids, the bytes behind them, and how they are shown.
//!
//! Owns the vocabulary table every other module shares by `Arc`. A token is an id and a run of
//! bytes, never a string: a byte may be half of a character. This module must not know a model.

mod grown;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::columns;
use grown::Grown;

/// A token's number in the model's vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TokenId(pub u32);

impl TokenId {
    /// The index of this token in a row of logits.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a token begins with, by its bytes: the classes that decide where a word may end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Boundary {
    /// Begins with anything that continues a word, or with part of a character.
    #[default]
    None = 0,
    /// Begins with U+0020.
    Space = 1,
    /// Begins with another Unicode white space.
    OtherSpace = 2,
    /// A control token that ends generation.
    End = 3,
}

/// One entry of a vocabulary, as the engine reads it from a model.
#[derive(Clone, Debug, Default)]
pub struct VocabEntry {
    /// The token's bytes; a special token's are its literal text.
    pub bytes: Vec<u8>,
    /// Steers the model and is never part of typed text (`<|im_end|>`).
    pub control: bool,
    /// Matched as one piece even in plain text; llama.cpp offers no way to switch that off.
    pub user_defined: bool,
    /// Choosing it ends the reply.
    pub ends_generation: bool,
    /// As scaffold, swallows the white space before it.
    pub strips_left: bool,
    /// As scaffold, swallows the white space after it.
    pub strips_right: bool,
}

#[derive(Clone, Copy, Debug)]
struct Attributes {
    control: bool,
    user_defined: bool,
    ends_generation: bool,
    strips_left: bool,
    strips_right: bool,
}

/// The tokens a model gives a role.
#[derive(Clone, Copy, Debug, Default)]
pub struct SpecialTokens {
    /// Beginning of sequence.
    pub bos: Option<TokenId>,
    /// End of sequence.
    pub eos: Option<TokenId>,
    /// Whether the model's metadata asks for BOS before a text.
    pub add_bos: bool,
}

/// Every token's bytes and attributes, in one allocation each.
#[derive(Debug, Default)]
pub struct Vocab {
    bytes: Vec<u8>,
    /// `ends[i]` is one past the last byte of token i.
    ends: Vec<u32>,
    attributes: Vec<Attributes>,
    boundaries: Vec<u8>,
    special: SpecialTokens,
    /// Further tokens, of a server that names them only as it uses them.
    grown: Option<Grown>,
    /// Whether its ids are made up here: the server has texts only.
    nameless: bool,
}

impl Vocab {
    /// Builds the table from a model's entries, in id order.
    pub fn new(entries: impl IntoIterator<Item = VocabEntry>, special: SpecialTokens) -> Self {
        let mut vocab = Vocab { special, ..Vocab::default() };
        for entry in entries {
            vocab.boundaries.push(boundary(&entry) as u8);
            vocab.bytes.extend_from_slice(&entry.bytes);
            vocab.ends.push(vocab.bytes.len() as u32);
            vocab.attributes.push(Attributes {
                control: entry.control,
                user_defined: entry.user_defined,
                ends_generation: entry.ends_generation,
                strips_left: entry.strips_left,
                strips_right: entry.strips_right,
            });
        }
        vocab
    }

    /// The same with tokens that come to be known later: how many there are nobody knows.
    #[must_use]
    pub fn open_ended(self) -> Vocab {
        let grown = Some(Grown::from(self.ends.len()));
        Vocab { grown, ..self }
    }

    /// The same where no id is the server's own.
    #[must_use]
    pub fn nameless(self) -> Vocab {
        Vocab { nameless: true, ..self }
    }

    /// An id as it may be told: not where it was made up here.
    pub fn told(&self, id: TokenId) -> Option<TokenId> {
        (!self.nameless).then_some(id)
    }

    /// Ids as they may be told.
    pub fn told_all<'a>(&self, ids: &'a [TokenId]) -> Option<&'a [TokenId]> {
        (!self.nameless).then_some(ids)
    }

    /// Notes the bytes of a token that is not known yet; `false` where they are others already.
    pub fn learn(&self, id: TokenId, bytes: &[u8]) -> bool {
        match &self.grown {
            Some(grown) if !self.knows(id) => grown.learn(id, bytes),
            _ => self.bytes(id) == bytes,
        }
    }

    /// Whether there may be tokens that nobody knows yet.
    pub fn is_open_ended(&self) -> bool {
        self.grown.is_some()
    }

    /// Whether the bytes of a token are known.
    pub fn knows(&self, id: TokenId) -> bool {
        !self.bytes(id).is_empty()
    }

    /// An id for a piece of text that has none of its own, the n-th that is spelled so; `None` when there are too
    /// many.
    pub fn name(&self, bytes: &[u8], nth: u32) -> Option<TokenId> {
        self.grown.as_ref()?.name(bytes, nth)
    }

    /// Number of tokens: the length of a row of logits; of an open-ended vocabulary as many as there can be.
    pub fn len(&self) -> usize {
        if self.grown.is_some() { grown::MOST } else { self.ends.len() }
    }

    /// Whether there is no token at all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Every id, in order.
    /// Those that come to be known later are not among them.
    pub fn ids(&self) -> impl Iterator<Item = TokenId> + use<> {
        (0..self.ends.len() as u32).map(TokenId)
    }

    /// The bytes of a token; empty for an id outside the vocabulary.
    pub fn bytes(&self, id: TokenId) -> &[u8] {
        let Some(&end) = self.ends.get(id.index()) else {
            return self.grown.as_ref().and_then(|grown| grown.bytes(id)).unwrap_or_default();
        };
        let start = match id.index() {
            0 => 0,
            i => self.ends[i - 1],
        };
        match (&self.grown, start == end) {
            (Some(grown), true) => grown.bytes(id).unwrap_or_default(),
            _ => &self.bytes[start as usize..end as usize],
        }
    }

    /// How many bytes of text a token of a conversation stands for: none where it is scaffold.
    pub fn text_length(&self, id: TokenId) -> usize {
        if self.is_control(id) { 0 } else { self.bytes(id).len() }
    }

    /// The concatenated bytes of a sequence.
    pub fn concat(&self, ids: impl IntoIterator<Item = TokenId>) -> Vec<u8> {
        ids.into_iter().flat_map(|id| self.bytes(id).iter().copied()).collect()
    }

    fn attribute(&self, id: TokenId, of: impl Fn(&Attributes) -> bool) -> bool {
        self.attributes.get(id.index()).is_some_and(of)
    }

    /// A control token: scaffold, never typed text.
    pub fn is_control(&self, id: TokenId) -> bool {
        self.attribute(id, |a| a.control)
    }

    /// A token that llama.cpp matches as one piece even in plain text.
    pub fn is_user_defined(&self, id: TokenId) -> bool {
        self.attribute(id, |a| a.user_defined)
    }

    /// Control or user-defined: what a template may use as scaffold.
    pub fn is_special(&self, id: TokenId) -> bool {
        self.attribute(id, |a| a.control || a.user_defined)
    }

    /// Choosing this token ends the reply.
    pub fn ends_generation(&self, id: TokenId) -> bool {
        self.attribute(id, |a| a.ends_generation)
    }

    /// As scaffold, swallows the white space before it.
    pub fn strips_left(&self, id: TokenId) -> bool {
        self.attribute(id, |a| a.strips_left)
    }

    /// As scaffold, swallows the white space after it.
    pub fn strips_right(&self, id: TokenId) -> bool {
        self.attribute(id, |a| a.strips_right)
    }

    /// What the token begins with.
    pub fn begins(&self, id: TokenId) -> Boundary {
        const CLASSES: [Boundary; 4] = [Boundary::None, Boundary::Space, Boundary::OtherSpace, Boundary::End];
        let class = self.boundaries.get(id.index()).copied().unwrap_or_default();
        CLASSES[usize::from(class)]
    }

    /// One [`Boundary`] per token, as its `u8`: the table the statistics pass reads.
    pub fn boundaries(&self) -> &[u8] {
        &self.boundaries
    }

    /// The tokens with a role.
    pub fn special(&self) -> SpecialTokens {
        self.special
    }

    /// The first difference between two vocabularies, for people.
    pub fn difference(&self, other: &Vocab) -> Option<String> {
        if self.len() != other.len() {
            return Some(format!("{} tokens and {}", self.len(), other.len()));
        }
        let token = self.ids().find(|&id| self.bytes(id) != other.bytes(id))?;
        Some(format!("token {token} is {} and {}", self.visible(token), other.visible(token)))
    }

    /// The token as text for JSON and exports: exact where the bytes are UTF-8, `<0xE4>` for each
    /// byte that is not.
    pub fn text(&self, id: TokenId) -> String {
        text_of(self.bytes(id))
    }

    /// The token as shown to a person: white space and control characters visible, nothing that a
    /// terminal would execute.
    pub fn visible(&self, id: TokenId) -> String {
        visible(self.bytes(id))
    }
}

fn boundary(entry: &VocabEntry) -> Boundary {
    if entry.ends_generation {
        return Boundary::End;
    }
    if entry.control {
        return Boundary::None;
    }
    match first_char(&entry.bytes) {
        Some(' ') => Boundary::Space,
        Some(c) if c.is_whitespace() => Boundary::OtherSpace,
        _ => Boundary::None,
    }
}

/// The first character, if the bytes begin with a complete one.
fn first_char(bytes: &[u8]) -> Option<char> {
    let head = &bytes[..bytes.len().min(4)];
    head.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next())
}

/// Bytes as text: exact where they are UTF-8, `<0xE4>` for each byte that is not.
pub fn text_of(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        push_lone_bytes(&mut out, chunk.invalid());
    }
    out
}

/// Bytes with white space and control characters made visible: `␣`, `⍽`, `⏎`, `⇥`, `<0x1B>`.
pub fn visible(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                // What joins the character before it has none in a token that begins with it.
                c if out.is_empty() && columns::joins(c) => out.push_str(&columns::alone(c)),
                ' ' => out.push('␣'),
                '\n' => out.push('⏎'),
                '\t' => out.push('⇥'),
                '\r' => out.push('␍'),
                // A space at which no line is broken.
                '\u{A0}' => out.push('⍽'),
                c => push_printable(&mut out, c),
            }
        }
        push_lone_bytes(&mut out, chunk.invalid());
    }
    columns::drawn_text(&out).into_owned()
}

/// Text that a terminal can be given: newlines and tabs stay, everything that could move a cursor,
/// start an escape sequence or reorder text is spelled out.
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => out.push(c),
            c => push_printable(&mut out, c),
        }
    }
    out
}

/// Whether a character could move a cursor, start an escape sequence, or reorder or hide what stands
/// around it.
pub fn acts_on_a_terminal(c: char) -> bool {
    // C0, DEL and C1: one of these opens every escape sequence.
    c.is_control()
        // Characters without a shape. Those that join others (U+200C, U+200D, variation selectors, tags)
        // are part of what people write.
        || matches!(c, '\u{AD}' | '\u{61C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}')
        || matches!(c, '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}')
        || matches!(c, '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}')
        || matches!(c, '\u{1D173}'..='\u{1D17A}')
}

fn push_printable(out: &mut String, c: char) {
    use fmt::Write;
    match c {
        c if c.is_control() => {
            let _ = write!(out, "<0x{:02X}>", c as u32);
        }
        c if acts_on_a_terminal(c) => {
            let _ = write!(out, "<U+{:04X}>", c as u32);
        }
        c => out.push(c),
    }
}

fn push_lone_bytes(out: &mut String, bytes: &[u8]) {
    use fmt::Write;
    for byte in bytes {
        let _ = write!(out, "<0x{byte:02X}>");
    }
}

/// Turns a stream of token bytes into text without ever splitting a character: bytes that may still
/// become one are held back.
#[derive(Clone, Debug, Default)]
pub struct Utf8Assembler {
    pending: Vec<u8>,
}

impl Utf8Assembler {
    /// Takes the next bytes and returns the text that is now complete. Bytes that can no longer
    /// become a character come back as `<0xE4>`.
    pub fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut out = String::new();
        let mut consumed = 0;
        while consumed < self.pending.len() {
            match std::str::from_utf8(&self.pending[consumed..]) {
                Ok(text) => {
                    out.push_str(text);
                    consumed = self.pending.len();
                }
                Err(error) => {
                    let valid = consumed + error.valid_up_to();
                    out.push_str(&String::from_utf8_lossy(&self.pending[consumed..valid]));
                    consumed = valid;
                    let Some(bad) = error.error_len() else { break };
                    push_lone_bytes(&mut out, &self.pending[consumed..consumed + bad]);
                    consumed += bad;
                }
            }
        }
        self.pending.drain(..consumed);
        out
    }

    /// Ends the stream: what is still incomplete comes back as `<0xE4>`.
    pub fn finish(&mut self) -> String {
        let mut out = String::new();
        push_lone_bytes(&mut out, &self.pending);
        self.pending.clear();
        out
    }
}

#[cfg(test)]
mod tests;
