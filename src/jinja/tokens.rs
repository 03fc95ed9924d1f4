//! A lexer of Jinja's tags: just enough to see strings, names, brackets and operators.
//!
//! It finds what [`super::source`] has to rewrite and understands nothing else; broken templates come
//! out as fewer tokens, and the compiler then says what is wrong with them.

use std::ops::Range;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or keyword.
    Name,
    /// A number.
    Number,
    /// A string literal with its quotes.
    Text,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// Anything else.
    Operator,
}

/// One token of a tag.
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    /// What it is.
    pub kind: Kind,
    /// Its bytes in the template.
    pub range: Range<usize>,
    /// For brackets, the index of the other one.
    pub partner: Option<usize>,
}

impl Token {
    /// Whether the token is spelled so.
    pub fn is(&self, text: &str, spelling: &str) -> bool {
        self.kind != Kind::Text && &text[self.range.clone()] == spelling
    }
}

/// The inside of `{{ … }}` or `{% … %}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Tag {
    /// `{% … %}`.
    pub is_block: bool,
    /// Its tokens in order.
    pub tokens: Vec<Token>,
}

impl Tag {
    /// A text that is one expression, without tags around it.
    pub fn expression(text: &str) -> Tag {
        let mut lexer = Lexer { text, at: 0 };
        Tag { is_block: false, tokens: lexer.tokens(None) }
    }
}

/// The tags of a template, in order; comments and the insides of raw blocks are skipped.
pub fn tags(text: &str) -> Vec<Tag> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tags = Vec::new();
    while let Some(tag) = lexer.next_tag() {
        tags.push(tag);
    }
    tags
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn next_tag(&mut self) -> Option<Tag> {
        loop {
            self.at += self.rest().find('{')?;
            let marker = self.text.as_bytes().get(self.at + 1)?;
            match marker {
                b'#' => self.at += self.rest().find("#}")? + 2,
                b'%' if self.opens_raw() => {
                    let tag = self.tag(true);
                    self.skip_raw();
                    return Some(tag);
                }
                b'%' | b'{' => return Some(self.tag(*marker == b'%')),
                _ => self.at += 1,
            }
        }
    }

    fn tag(&mut self, is_block: bool) -> Tag {
        self.at += 2;
        if self.rest().starts_with(['-', '+']) {
            self.at += 1;
        }
        let tokens = self.tokens(Some(if is_block { "%}" } else { "}}" }));
        Tag { is_block, tokens }
    }

    /// Whether the block tag here is `{% NAME %}`; the length up to its end.
    fn bare_tag(text: &str, name: &str) -> Option<usize> {
        let inside = text.strip_prefix("{%")?;
        let inside = inside.strip_prefix(['-', '+']).unwrap_or(inside).trim_start();
        let inside = inside.strip_prefix(name)?.trim_start();
        let after = inside.strip_prefix(['-', '+']).unwrap_or(inside).strip_prefix("%}")?;
        Some(text.len() - after.len())
    }

    fn opens_raw(&self) -> bool {
        Self::bare_tag(self.rest(), "raw").is_some()
    }

    /// Goes past the end of the raw block that begins here; without an end, to the end of the text.
    fn skip_raw(&mut self) {
        while let Some(at) = self.rest().find("{%") {
            self.at += at;
            match Self::bare_tag(self.rest(), "endraw") {
                Some(length) => {
                    self.at += length;
                    return;
                }
                None => self.at += 2,
            }
        }
        self.at = self.text.len();
    }

    /// Tokens up to the end marker, which is passed; without one, to the end of the text.
    fn tokens(&mut self, end: Option<&str>) -> Vec<Token> {
        let mut tokens: Vec<Token> = Vec::new();
        let mut open = Vec::new();
        loop {
            self.at += self.rest().len() - self.rest().trim_start().len();
            if self.rest().is_empty() {
                break;
            }
            if let Some(end) = end.filter(|_| open.is_empty()) {
                let unsigned = self.rest().strip_prefix(['-', '+']).unwrap_or(self.rest());
                if unsigned.starts_with(end) {
                    self.at += self.rest().len() - unsigned.len() + end.len();
                    break;
                }
            }
            let (kind, length) = self.token();
            let index = tokens.len();
            let mut partner = None;
            match kind {
                Kind::Open => open.push(index),
                Kind::Close => {
                    partner = open.pop();
                    if let Some(opening) = partner {
                        tokens[opening].partner = Some(index);
                    }
                }
                _ => {}
            }
            tokens.push(Token { kind, range: self.at..self.at + length, partner });
            self.at += length;
        }
        tokens
    }

    /// Kind and length of the token here.
    fn token(&self) -> (Kind, usize) {
        let rest = self.rest();
        let bytes = rest.as_bytes();
        let run = |wanted: fn(char) -> bool| rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        match bytes[0] {
            quote @ (b'"' | b'\'') => (Kind::Text, text_length(bytes, quote)),
            b'(' | b'[' | b'{' => (Kind::Open, 1),
            b')' | b']' | b'}' => (Kind::Close, 1),
            b'0'..=b'9' => (Kind::Number, number_length(rest)),
            _ if ["//", "**", "==", "!=", "<=", ">="].iter().any(|two| rest.starts_with(two)) => {
                (Kind::Operator, 2)
            }
            _ => match run(|c| c.is_alphanumeric() || c == '_') {
                0 => (Kind::Operator, rest.chars().next().map_or(1, char::len_utf8)),
                length => (Kind::Name, length),
            },
        }
    }
}

fn text_length(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() && bytes[at] != quote {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// Digits, and a fraction only where digits follow the point: `1.real` is an attribute.
fn number_length(rest: &str) -> usize {
    let digits = |text: &str| text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let whole = digits(rest);
    match rest[whole..].strip_prefix('.') {
        Some(fraction) if fraction.starts_with(|c: char| c.is_ascii_digit()) => whole + 1 + digits(fraction),
        _ => whole,
    }
}
