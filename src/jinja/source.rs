//! Makes a template written for Python's Jinja ready for minijinja, before it is compiled.
//!
//! Goes once over the engine's own tokens. Newlines are unified as Jinja does, `{% generation %}` becomes a
//! scope without effect, string literals keep Python's escapes, and a plus sign before a number is left
//! out. What the engine would compute while it compiles, by its own rules, is put off until it runs (see
//! [`super::operators`]). Every change is remembered, so that an error points into the text that the
//! author wrote.

use std::ops::Range;
use std::sync::LazyLock;

use fancy_regex::Regex;
use minijinja::machinery::{Span, Token, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::depth::{MOST, NestingDepth};
use super::operators::LATER;

/// A template as written and as compiled.
#[derive(Clone, Debug, PartialEq)]
pub struct TemplateSource {
    /// What the author wrote, with `\n` for every newline.
    pub written: String,
    /// What minijinja compiles.
    pub compiled: String,
    /// Places where the two run on in step again: (offset compiled, offset written), ascending.
    anchors: Vec<(usize, usize)>,
    /// Where the text goes deeper than the engine can.
    pub too_deep: Option<usize>,
}

/// What a token means for the one behind it.
#[derive(Clone, Copy, Default, PartialEq)]
enum TextBefore {
    /// An operand begins: behind an operator, a keyword or an opening bracket.
    #[default]
    Operator,
    /// `{{`, or the `in` of a `for`.
    Items,
    /// `{%`.
    Block,
    /// The names of a `for`.
    For,
    /// `is` or `is not`.
    Is,
    /// The name of a test.
    Test,
    /// An operand ends here.
    Operand,
    /// As [`TextBefore::Operand`], and it may be known without running.
    Constant,
    /// A string literal.
    Text,
}

/// Words that end no operand.
const KEYWORDS: [&str; 6] = ["and", "or", "not", "in", "if", "else"];

/// A comment, or the beginning of a raw block with what the engine calls its white space control.
static RAW: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?s)\{#.*?#\}|\{%[-+]?\s*raw\s*(?=%\})").ok());

impl TextBefore {
    fn of(self, token: &Token) -> TextBefore {
        match token {
            Token::BlockStart => TextBefore::Block,
            Token::VariableStart => TextBefore::Items,
            Token::Ident("for") if self == TextBefore::Block => TextBefore::For,
            Token::Ident("in") if self == TextBefore::For => TextBefore::Items,
            Token::Ident(_) if self == TextBefore::Block => TextBefore::Operator,
            _ if self == TextBefore::For => TextBefore::For,
            Token::Ident("is") => TextBefore::Is,
            Token::Ident("not") if self == TextBefore::Is => TextBefore::Is,
            Token::Ident(_) if self == TextBefore::Is => TextBefore::Test,
            Token::Ident(word) if KEYWORDS.contains(word) => TextBefore::Operator,
            Token::Ident("true" | "True" | "false" | "False" | "none" | "None") => TextBefore::Constant,
            Token::Ident(_) => TextBefore::Operand,
            Token::Int(_) | Token::Int128(_) | Token::Float(_) => TextBefore::Constant,
            Token::Str(_) | Token::String(_) => TextBefore::Text,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => TextBefore::Constant,
            _ => TextBefore::Operator,
        }
    }
}

impl TemplateSource {
    /// Prepares a whole template, or a lone expression. Of a text that is no Jinja, what stands behind the
    /// mistake stays as it is, and the compiler says what is wrong.
    pub fn new(text: &str, syntax: &SyntaxConfig, is_expression: bool) -> TemplateSource {
        let written = text.replace("\r\n", "\n").replace('\r', "\n");
        let (tokens, too_deep) = read(&written, syntax, is_expression);
        let mut edits = Edits { written: &written, chat: syntax.trim_blocks(), ..Edits::default() };
        let mut bracket = None;
        for (at, (token, span)) in tokens.iter().enumerate() {
            let range = span.start_offset as usize..span.end_offset as usize;
            if bracket == Some(at) {
                edits.insert(")");
            }
            edits.token(token, range);
            if let Some(tuple) = bare_tuple(&tokens[at..], edits.before) {
                bracket = Some(at + tuple);
                edits.insert("(");
            }
        }
        edits.compiled.push_str(&written[edits.copied..]);
        TemplateSource { compiled: edits.compiled, anchors: edits.anchors, too_deep, written }
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

/// The tokens up to a mistake or a place where they go too deep, and that place.
fn read<'a>(
    text: &'a str,
    syntax: &SyntaxConfig,
    is_expression: bool,
) -> (Vec<(Token<'a>, Span)>, Option<usize>) {
    let mut depth = NestingDepth::default();
    let mut tokens = Vec::new();
    // A lone expression is what `{{ }}` holds.
    tokens.extend(is_expression.then_some((Token::VariableStart, Span::default())));
    for (token, span) in tokenize(text, is_expression, syntax.clone()).map_while(Result::ok) {
        depth.take(&token);
        if depth.total() > MOST {
            return (tokens, Some(span.start_offset as usize));
        }
        tokens.push((token, span));
    }
    let end = text.len() as u32;
    let span = Span { start_offset: end, end_offset: end, ..Span::default() };
    tokens.extend(is_expression.then_some((Token::VariableEnd, span)));
    (tokens, None)
}

/// Where a tuple without brackets ends that begins behind the first of these tokens, which the engine takes
/// in `set` alone: `{{ 1, 2 }}` and `{% for x in 1, 2 %}`.
fn bare_tuple(tokens: &[(Token, Span)], before: TextBefore) -> Option<usize> {
    let (mut open, mut commas) = (0, 0);
    if before != TextBefore::Items {
        return None;
    }
    let printed = matches!(tokens[0].0, Token::VariableStart);
    for (at, (token, _)) in tokens.iter().enumerate().skip(1) {
        match token {
            Token::VariableEnd | Token::BlockEnd => return (commas > 0).then_some(at),
            Token::Ident("if" | "recursive") if open == 0 && !printed => return (commas > 0).then_some(at),
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => open += 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose if open == 0 => return None,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => open -= 1,
            Token::Comma if open == 0 => commas += 1,
            _ => {}
        }
    }
    None
}

/// Where a raw block's tag ends, in what stands between two tokens.
fn raw_tag(between: &str) -> Option<usize> {
    let tags = RAW.as_ref()?.find_iter(between).flatten();
    tags.filter(|tag| tag.as_str().starts_with("{%")).map(|tag| tag.end()).next()
}

/// Changes made so far, from the beginning on.
#[derive(Default)]
struct Edits<'a> {
    written: &'a str,
    /// As transformers has it, with its block tag and its way with newlines.
    chat: bool,
    compiled: String,
    anchors: Vec<(usize, usize)>,
    copied: usize,
    /// The token before, and where it ends.
    before: TextBefore,
    end: usize,
}

impl Edits<'_> {
    fn replace(&mut self, range: Range<usize>, text: &str) {
        self.compiled.push_str(&self.written[self.copied..range.start]);
        self.anchors.push((self.compiled.len(), range.start));
        self.compiled.push_str(text);
        self.copied = range.end;
        self.anchors.push((self.compiled.len(), range.end));
    }

    /// Puts text behind the token before.
    fn insert(&mut self, text: &str) {
        self.replace(self.end..self.end, text);
    }

    fn token(&mut self, token: &Token, range: Range<usize>) {
        let end = range.end;
        match (token, self.before) {
            // The engine would drop a newline behind `{% raw %}`, which Jinja does not.
            (Token::TemplateData(_), _) if self.chat => {
                if let Some(raw) = raw_tag(&self.written[self.end..range.start]) {
                    self.end += raw;
                    self.insert("+");
                }
            }
            // As long as what it replaces, and a scope, because Jinja runs the body as a function:
            // variables set inside are not seen outside.
            (Token::Ident("generation"), TextBefore::Block) if self.chat => self.replace(range, "with      "),
            (Token::Ident("endgeneration"), TextBefore::Block) if self.chat => {
                self.replace(range, "endwith      ");
            }
            (Token::Plus, TextBefore::Operator | TextBefore::Items) => self.replace(range, " "),
            (
                Token::Tilde | Token::Mul | Token::Lt | Token::Lte | Token::Gt | Token::Gte,
                TextBefore::Constant | TextBefore::Text,
            )
            | (Token::Ident("in" | "not"), TextBefore::Constant) => self.insert(LATER),
            // The engine would take the sign for the beginning of the test's argument.
            (Token::Plus | Token::Minus, TextBefore::Test) => self.insert(LATER),
            (Token::String(_), _) => {
                if let Some(literal) = python_literal(&self.written[range.clone()]) {
                    self.replace(range, &literal);
                }
            }
            _ => {}
        }
        self.before = self.before.of(token);
        self.end = end;
    }
}

/// Rewrites a string literal whose escapes mean something else in Python; `None` if it may stay.
fn python_literal(literal: &str) -> Option<String> {
    let mut out = String::with_capacity(literal.len());
    let mut rest = literal;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at..];
        let escaped = escape[1..].chars().next()?;
        let mut used = 1 + escaped.len_utf8();
        match escaped {
            '\n' => {}
            'a' => out.push_str("\\x07"),
            'v' => out.push_str("\\x0b"),
            'U' => {
                let code = escape.get(2..10).and_then(|digits| u32::from_str_radix(digits, 16).ok());
                out.push(code.and_then(char::from_u32)?);
                used = 10;
            }
            // Not an escape in Python: the backslash stays.
            '/' => out.push_str("\\\\/"),
            _ => out.push_str(&escape[..used]),
        }
        rest = &escape[used..];
    }
    out.push_str(rest);
    (out != literal).then_some(out)
}

#[cfg(test)]
mod tests;
