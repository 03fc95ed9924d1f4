//! Makes a template written for Python's Jinja ready for minijinja, before it is compiled.
//!
//! Newlines are unified as Jinja does, `{% generation %}` becomes a scope without effect, string
//! literals are unescaped by Python's rules, and operators become calls (see [`super::rewrite`]).
//! Every change is remembered, so that an error points into the text that the author wrote.

use std::cmp::Reverse;
use std::ops::Range;

use super::Dialect;
use super::rewrite;
use super::tokens::{Kind, Tag, Token, tags};

/// A template as written and as compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// What the author wrote, with `\n` for every newline.
    pub written: String,
    /// What minijinja compiles.
    pub compiled: String,
    /// Places where the two run on in step again: (offset compiled, offset written), ascending.
    anchors: Vec<(usize, usize)>,
}

/// Changes to one text, in the order they were thought of.
#[derive(Debug, Default)]
pub struct Edits(Vec<Edit>);

#[derive(Debug)]
struct Edit {
    range: Range<usize>,
    text: String,
    place: Place,
}

/// What comes first of several changes at one place: what closes something before it, what opens
/// something after it, outermost first, and what replaces the text there.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Close(usize),
    Open(Reverse<usize>),
    Replace,
}

impl Edits {
    /// Puts text in front of a place. What is put there later comes before it.
    pub fn open(&mut self, at: usize, text: &str) {
        let place = Place::Open(Reverse(self.0.len()));
        self.0.push(Edit { range: at..at, text: text.to_string(), place });
    }

    /// Puts text behind a place. What is put there later comes after it.
    pub fn close(&mut self, at: usize, text: &str) {
        let place = Place::Close(self.0.len());
        self.0.push(Edit { range: at..at, text: text.to_string(), place });
    }

    /// Puts text in place of a range.
    pub fn replace(&mut self, range: Range<usize>, text: &str) {
        self.0.push(Edit { range, text: text.to_string(), place: Place::Replace });
    }

    /// How many there are, to go back to with [`Edits::truncate`].
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Forgets all but the first so many.
    pub fn truncate(&mut self, len: usize) {
        self.0.truncate(len);
    }
}

impl Source {
    /// Prepares a whole template.
    pub fn template(text: &str, dialect: Dialect) -> Source {
        let written = unify_newlines(text);
        let mut edits = Edits::default();
        for tag in tags(&written) {
            match tag.tokens.as_slice() {
                [only] if tag.is_block => edit_word(&written, only, dialect, &mut edits),
                _ => edit_tag(&written, &tag, &mut edits),
            }
        }
        Source::edited(written, edits)
    }

    /// Prepares a lone expression.
    pub fn expression(text: &str) -> Source {
        let written = unify_newlines(text);
        let mut edits = Edits::default();
        edit_tag(&written, &Tag::expression(&written), &mut edits);
        Source::edited(written, edits)
    }

    fn edited(written: String, edits: Edits) -> Source {
        let mut edits = edits.0;
        edits.sort_by(|one, other| (one.range.start, &one.place).cmp(&(other.range.start, &other.place)));
        let mut compiled = String::with_capacity(written.len());
        let mut anchors = Vec::with_capacity(edits.len());
        let mut copied = 0;
        for edit in edits {
            compiled.push_str(&written[copied..edit.range.start]);
            anchors.push((compiled.len(), edit.range.start));
            compiled.push_str(&edit.text);
            copied = edit.range.end;
            anchors.push((compiled.len(), copied));
        }
        compiled.push_str(&written[copied..]);
        Source { written, compiled, anchors }
    }

    /// Where a place of the compiled text lies in the written one.
    pub fn written_offset(&self, compiled: usize) -> usize {
        let after = self.anchors.partition_point(|(place, _)| *place <= compiled);
        let (place, written) = after.checked_sub(1).map_or((0, 0), |index| self.anchors[index]);
        // Inside replaced text there is nothing to be in step with: its beginning has to do.
        let limit = self.anchors.get(after).map_or(self.written.len(), |(_, written)| *written);
        (written + (compiled - place)).min(limit)
    }
}

fn unify_newlines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// A block tag of one word. What replaces `generation` is as long, and a scope, because Jinja runs the
/// body as a function: variables set inside are not seen outside.
fn edit_word(text: &str, word: &Token, dialect: Dialect, edits: &mut Edits) {
    let chat = dialect == Dialect::Chat;
    match &text[word.range.clone()] {
        "generation" if chat => edits.replace(word.range.clone(), "with      "),
        "endgeneration" if chat => edits.replace(word.range.clone(), "endwith      "),
        // The engine would drop a newline behind `{% raw %}`, which Jinja does not.
        "raw" => {
            let after = &text[word.range.end..];
            let space = after.len() - after.trim_start().len();
            if after[space..].starts_with("%}") {
                edits.close(word.range.end + space, "+");
            }
        }
        _ => {}
    }
}

fn edit_tag(text: &str, tag: &Tag, edits: &mut Edits) {
    for token in tag.tokens.iter().filter(|token| token.kind == Kind::Text) {
        if let Some(literal) = python_literal(&text[token.range.clone()]) {
            edits.replace(token.range.clone(), &literal);
        }
    }
    rewrite::tag(text, tag, edits);
}

/// Rewrites a string literal whose escapes mean something else in Python; `None` if it may stay.
fn python_literal(literal: &str) -> Option<String> {
    let quote = literal.chars().next()?;
    let body = literal.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut out = String::with_capacity(literal.len());
    let mut changed = false;
    let mut rest = body;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at..];
        let escaped = escape[1..].chars().next()?;
        let mut used = 1 + escaped.len_utf8();
        match escaped {
            '\n' => changed = true,
            'a' | 'v' => {
                changed = true;
                out.push_str(if escaped == 'a' { "\\x07" } else { "\\x0b" });
            }
            'U' => {
                let code = escape.get(2..10).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                out.push(code.and_then(char::from_u32)?);
                used = 10;
                changed = true;
            }
            // Not an escape in Python: the backslash stays.
            '/' | 'b'..='z' | 'A'..='Z' if !"bfnrtux".contains(escaped) => {
                changed = true;
                out.push_str("\\\\");
                out.push(escaped);
            }
            _ => out.push_str(&escape[..used]),
        }
        rest = &escape[used..];
    }
    out.push_str(rest);
    changed.then(|| format!("{quote}{out}{quote}"))
}

#[cfg(test)]
mod tests;
