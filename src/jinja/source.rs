//! Makes a template written for Python's Jinja readable for minijinja, before it is compiled.
//!
//! Newlines are unified as Jinja does, `{% generation %}` becomes a scope without effect, string
//! literals are unescaped by Python's rules, and two things become calls, because the engine has no
//! hook for them: the `%` operator, which formats strings, and what a `for` runs over, which must not
//! be `None`. Every change is remembered, so that an error points into the text that the author wrote.

use std::ops::Range;

use super::Dialect;
use super::tokens::{Kind, Tag, Token, tags};

/// The function that stands for the `%` operator.
pub const PERCENT: &str = "__percent";

/// The function around what a `for` runs over.
pub const EACH: &str = "__each";

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

/// Text to be put in place of a range.
struct Edit {
    range: Range<usize>,
    text: String,
}

impl Edit {
    fn insertion(place: usize, text: String) -> Edit {
        Edit { range: place..place, text }
    }
}

impl Source {
    /// Prepares a whole template.
    pub fn template(text: &str, dialect: Dialect) -> Source {
        let written = unify_newlines(text);
        let mut edits = Vec::new();
        for tag in tags(&written) {
            match tag.tokens.as_slice() {
                [only] if tag.is_block && dialect == Dialect::Chat => edit_word(&written, only, &mut edits),
                _ => edit_tag(&written, &tag, &mut edits),
            }
        }
        Source::edited(written, edits)
    }

    /// Prepares a lone expression.
    pub fn expression(text: &str) -> Source {
        let written = unify_newlines(text);
        let mut edits = Vec::new();
        edit_tag(&written, &Tag::expression(&written), &mut edits);
        Source::edited(written, edits)
    }

    fn edited(written: String, mut edits: Vec<Edit>) -> Source {
        // Stable: of two insertions at one place the one found first stays first.
        edits.sort_by_key(|edit| edit.range.start);
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
fn edit_word(text: &str, word: &Token, edits: &mut Vec<Edit>) {
    let replacement = match &text[word.range.clone()] {
        "generation" => "with      ",
        "endgeneration" => "endwith      ",
        // The engine would drop a newline behind `{% raw %}`, which Jinja does not.
        "raw" if !text[..word.range.start].ends_with('+') => {
            let after = text[word.range.end..].trim_start();
            if after.starts_with("%}") {
                edits.push(Edit::insertion(word.range.end, " +".to_string()));
            }
            return;
        }
        _ => return,
    };
    edits.push(Edit { range: word.range.clone(), text: replacement.to_string() });
}

fn edit_tag(text: &str, tag: &Tag, edits: &mut Vec<Edit>) {
    for token in tag.tokens.iter().filter(|token| token.kind == Kind::Text) {
        if let Some(literal) = python_literal(&text[token.range.clone()]) {
            edits.push(Edit { range: token.range.clone(), text: literal });
        }
    }
    if tag.is_block && tag.tokens.first().is_some_and(|token| token.is(text, "for")) {
        edit_for(text, &tag.tokens, edits);
    }
    let first = usize::from(tag.is_block);
    for index in first..tag.tokens.len() {
        if tag.tokens[index].is(text, "%") {
            edit_percent(text, &tag.tokens, first..index, edits);
        }
    }
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
        let mut chars = escape[1..].chars();
        let escaped = chars.next()?;
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

/// Turns `for x in items` into `for x in __each(items)`.
fn edit_for(text: &str, tokens: &[Token], edits: &mut Vec<Edit>) {
    let mut depth = 0;
    let mut start = None;
    let mut end = tokens.len();
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth -= 1,
            Kind::Name if depth == 0 && start.is_none() && token.is(text, "in") => start = Some(index + 1),
            Kind::Name if depth == 0 && start.is_some() => {
                if token.is(text, "if") || token.is(text, "recursive") {
                    end = index;
                    break;
                }
            }
            _ => {}
        }
    }
    let Some(start) = start.filter(|start| *start < end) else { return };
    edits.push(Edit::insertion(tokens[start].range.start, format!("{EACH}(")));
    edits.push(Edit::insertion(tokens[end - 1].range.end, ")".to_string()));
}

/// Turns `left % right` into `__percent(left, right)`. `before` spans the tokens that `left` can use.
fn edit_percent(text: &str, tokens: &[Token], before: Range<usize>, edits: &mut Vec<Edit>) {
    let operator = before.end;
    let left = left_operand(text, tokens, before);
    let right = right_operand(text, tokens, operator + 1);
    let (Some(first), true) = (tokens.get(left), left < operator && right > operator + 1) else { return };
    edits.push(Edit::insertion(first.range.start, format!("{PERCENT}(")));
    edits.push(Edit { range: tokens[operator].range.clone(), text: ",".to_string() });
    edits.push(Edit::insertion(tokens[right - 1].range.end, ")".to_string()));
}

const KEYWORDS: [&str; 7] = ["and", "or", "not", "in", "if", "else", "is"];

fn is_keyword(text: &str, token: &Token) -> bool {
    token.kind == Kind::Name && KEYWORDS.contains(&&text[token.range.clone()])
}

/// Index of the first token of the product that ends before the operator.
fn left_operand(text: &str, tokens: &[Token], before: Range<usize>) -> usize {
    let mut at = before.end;
    while at > before.start {
        let token = &tokens[at - 1];
        match token.kind {
            Kind::Close => match token.partner {
                Some(open) if open >= before.start => at = open,
                _ => break,
            },
            Kind::Name if is_keyword(text, token) => break,
            Kind::Name | Kind::Number | Kind::Text => at -= 1,
            Kind::Operator => match &text[token.range.clone()] {
                "." | "|" | "**" | "*" | "/" | "//" | "%" => at -= 1,
                "-" | "+" if is_prefix(text, tokens, before.start, at - 1) => at -= 1,
                _ => break,
            },
            Kind::Open => break,
        }
    }
    at
}

/// Whether the sign at `index` has nothing to its left that it could be subtracted from.
fn is_prefix(text: &str, tokens: &[Token], start: usize, index: usize) -> bool {
    match index.checked_sub(1).filter(|before| *before >= start).map(|before| &tokens[before]) {
        None => true,
        Some(token) => matches!(token.kind, Kind::Open | Kind::Operator) || is_keyword(text, token),
    }
}

/// Index one past the last token of the power that begins at `at`.
fn right_operand(text: &str, tokens: &[Token], mut at: usize) -> usize {
    let is = |at: usize, what: &str| tokens.get(at).is_some_and(|token| token.is(text, what));
    loop {
        while is(at, "-") || is(at, "+") {
            at += 1;
        }
        at = primary(tokens, at);
        at = postfix(text, tokens, at);
        if !is(at, "**") {
            return at;
        }
        at += 1;
    }
}

fn primary(tokens: &[Token], mut at: usize) -> usize {
    match tokens.get(at).map(|token| (token.kind, token.partner)) {
        Some((Kind::Open, Some(close))) => close + 1,
        Some((Kind::Text, _)) => {
            while tokens.get(at).is_some_and(|token| token.kind == Kind::Text) {
                at += 1;
            }
            at
        }
        Some((Kind::Name | Kind::Number, _)) => at + 1,
        _ => at,
    }
}

fn postfix(text: &str, tokens: &[Token], mut at: usize) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.kind {
            Kind::Open if token.is(text, "(") || token.is(text, "[") => match token.partner {
                Some(close) => at = close + 1,
                None => break,
            },
            Kind::Operator if token.is(text, ".") || token.is(text, "|") => at += 2,
            Kind::Name if token.is(text, "is") => {
                at += if tokens.get(at + 1).is_some_and(|next| next.is(text, "not")) { 3 } else { 2 };
                if tokens.get(at).is_some_and(|next| !is_keyword(text, next)) {
                    at = primary(tokens, at);
                }
            }
            _ => break,
        }
    }
    at.min(tokens.len())
}

#[cfg(test)]
mod tests;
