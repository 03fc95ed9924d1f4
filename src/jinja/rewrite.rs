//! Turns the operators of an expression into calls, because the engine has no hook for them.
//!
//! In Python `%` formats strings, `~` prints floats its own way, `<` refuses what has no order, and a
//! `for` refuses `None`. Lists that grow, in `+`, `*` or brackets, pass through a function too, which
//! bounds what a hostile template can build. A small parser finds where operands begin and end; of a
//! tag it does not understand it leaves everything as it is, and the compiler says what is wrong.

use super::source::Edits;
use super::tokens::{Kind, Tag, Token};

/// Checks the size of a new or stored value.
pub const KEPT: &str = "__kept";
/// As [`KEPT`], for what a namespace is given.
pub const KEPT_INSIDE: &str = "__kept_inside";
/// Checks what a `for` runs over.
pub const EACH: &str = "__each";

/// The functions behind binary operators.
pub const OPERATORS: [(&str, &str); 9] = [
    ("+", "__add"),
    ("*", "__times"),
    ("%", "__percent"),
    ("~", "__cat"),
    ("<", "__lt"),
    ("<=", "__le"),
    (">", "__gt"),
    (">=", "__ge"),
    ("in", "__in"),
];

const KEYWORDS: [&str; 7] = ["and", "or", "not", "in", "if", "else", "is"];

/// Brackets deeper than this are left to the compiler, which refuses them.
const MAX_DEPTH: usize = 100;

/// Adds the edits of one tag.
pub fn tag(text: &str, tag: &Tag, edits: &mut Edits) {
    let before = edits.len();
    let mut parser = Parser { text, tokens: &tag.tokens, at: 0, edits, literals: 0, depth: 0 };
    let understood = if tag.is_block { parser.statement() } else { parser.printed() };
    let complete = parser.at == tag.tokens.len();
    if understood.is_none() || !complete {
        edits.truncate(before);
    }
}

/// Tokens of an operand: from the first to one past the last.
type Span = std::ops::Range<usize>;

struct Parser<'a, 'e> {
    text: &'a str,
    tokens: &'a [Token],
    at: usize,
    edits: &'e mut Edits,
    /// How many literals with brackets are open: only the outermost is checked.
    literals: usize,
    depth: usize,
}

impl Parser<'_, '_> {
    fn is(&self, spelling: &str) -> bool {
        self.tokens.get(self.at).is_some_and(|token| token.is(self.text, spelling))
    }

    fn skip(&mut self, spelling: &str) -> bool {
        let found = self.is(spelling);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, spelling: &str) -> Option<()> {
        self.skip(spelling).then_some(())
    }

    fn kind(&self) -> Option<Kind> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    fn is_keyword(&self) -> bool {
        self.kind() == Some(Kind::Name) && KEYWORDS.iter().any(|keyword| self.is(keyword))
    }

    /// Puts a call around the tokens of a span.
    fn wrap(&mut self, span: &Span, function: &str) {
        self.edits.open(self.tokens[span.start].range.start, &format!("{function}("));
        self.edits.close(self.tokens[span.end - 1].range.end, ")");
    }

    fn statement(&mut self) -> Option<()> {
        let keyword = self.tokens.first()?.range.clone();
        self.at = 1;
        match &self.text[keyword] {
            "if" | "elif" | "do" => self.expression().map(|_| ()),
            "for" => self.for_loop(),
            "set" => self.set(),
            "with" => self.with(),
            _ => {
                self.at = self.tokens.len();
                Some(())
            }
        }
    }

    /// What `{{ … }}` holds: an expression, or several that are a tuple without brackets.
    fn printed(&mut self) -> Option<()> {
        let start = self.at;
        self.expression()?;
        if self.is(",") {
            while self.skip(",") && self.kind().is_some() {
                self.expression()?;
            }
            self.wrap(&(start..self.at), "");
        }
        Some(())
    }

    fn for_loop(&mut self) -> Option<()> {
        while !self.skip("in") {
            self.kind()?;
            self.at += 1;
        }
        let start = self.at;
        self.or()?;
        while self.skip(",") {
            self.or()?;
        }
        self.wrap(&(start..self.at), EACH);
        if self.skip("if") {
            self.expression()?;
        }
        self.skip("recursive");
        Some(())
    }

    fn set(&mut self) -> Option<()> {
        let mut inside = false;
        loop {
            match self.kind()? {
                _ if self.skip("=") => break,
                // A block that is captured, perhaps filtered.
                _ if self.is("|") => {
                    self.at = self.tokens.len();
                    return Some(());
                }
                _ => inside |= self.is("."),
            }
            self.at += 1;
        }
        let start = self.at;
        self.expression()?;
        while self.skip(",") {
            self.expression()?;
        }
        self.wrap(&(start..self.at), if inside { KEPT_INSIDE } else { KEPT });
        Some(())
    }

    fn with(&mut self) -> Option<()> {
        while self.kind().is_some() {
            while !self.skip("=") {
                self.kind()?;
                self.at += 1;
            }
            self.expression()?;
            self.skip(",");
        }
        Some(())
    }

    fn expression(&mut self) -> Option<Span> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let mut span = self.or()?;
        while self.skip("if") {
            self.or()?;
            if self.skip("else") {
                self.expression()?;
            }
            span.end = self.at;
        }
        self.depth -= 1;
        Some(span)
    }

    fn or(&mut self) -> Option<Span> {
        let mut span = self.and()?;
        while self.skip("or") {
            span.end = self.and()?.end;
        }
        Some(span)
    }

    fn and(&mut self) -> Option<Span> {
        let mut span = self.not()?;
        while self.skip("and") {
            span.end = self.not()?.end;
        }
        Some(span)
    }

    fn not(&mut self) -> Option<Span> {
        let start = self.at;
        while self.skip("not") {}
        let span = self.comparison()?;
        Some(start..span.end)
    }

    fn comparison(&mut self) -> Option<Span> {
        let mut span = self.sum()?;
        let mut calls = Vec::new();
        loop {
            let operator = self.at;
            let negated = self.is("not") && self.tokens.get(self.at + 1)?.is(self.text, "in");
            if negated {
                self.at += 2;
            } else if ["==", "!=", "<", "<=", ">", ">=", "in"].iter().any(|operator| self.is(operator)) {
                self.at += 1;
            } else {
                break;
            }
            let left = span.clone();
            span.end = self.sum()?.end;
            calls.push((left, operator, negated));
        }
        // A chain (`a < b < c`) compares neighbours; it stays with the engine.
        if let [(left, operator, negated)] = calls.as_slice() {
            let operator_text = if *negated { "in" } else { self.spelling(*operator) };
            if let Some(function) = function_of(operator_text) {
                let replaced = operator + usize::from(*negated);
                let range = self.tokens[*operator].range.start..self.tokens[replaced].range.end;
                self.edits.replace(range, ",");
                self.wrap(&(left.start..span.end), if *negated { "not __in" } else { function });
                if *negated {
                    self.wrap(&(left.start..span.end), "");
                }
            }
        }
        Some(span)
    }

    fn spelling(&self, token: usize) -> &str {
        self.tokens.get(token).map_or("", |token| &self.text[token.range.clone()])
    }

    /// Operators of one strength, from left to right.
    fn chain(&mut self, operators: &[&str], operand: fn(&mut Self) -> Option<Span>) -> Option<Span> {
        let mut span = operand(self)?;
        while operators.iter().any(|operator| self.is(operator)) {
            let operator = self.at;
            self.at += 1;
            span.end = operand(self)?.end;
            if let Some(function) = function_of(self.spelling(operator)) {
                self.edits.replace(self.tokens[operator].range.clone(), ",");
                self.wrap(&span, function);
            }
        }
        Some(span)
    }

    fn sum(&mut self) -> Option<Span> {
        self.chain(&["+", "-"], Self::joined)
    }

    fn joined(&mut self) -> Option<Span> {
        self.chain(&["~"], Self::product)
    }

    fn product(&mut self) -> Option<Span> {
        self.chain(&["*", "/", "//", "%"], Self::power)
    }

    fn power(&mut self) -> Option<Span> {
        self.chain(&["**"], Self::unary)
    }

    fn unary(&mut self) -> Option<Span> {
        let start = self.at;
        loop {
            if self.is("+") {
                // The engine knows no plus sign; it changes nothing.
                self.edits.replace(self.tokens[self.at].range.clone(), " ");
            } else if !self.is("-") {
                break;
            }
            self.at += 1;
        }
        self.primary()?;
        self.postfix()?;
        self.filters()?;
        Some(start..self.at)
    }

    fn primary(&mut self) -> Option<()> {
        match self.kind()? {
            Kind::Open => return self.literal(),
            Kind::Text => {
                while self.kind() == Some(Kind::Text) {
                    self.at += 1;
                }
            }
            Kind::Number => self.at += 1,
            Kind::Name if !self.is_keyword() => self.at += 1,
            _ => return None,
        }
        Some(())
    }

    /// Something in brackets: a list, dictionary, tuple, or an expression of its own.
    fn literal(&mut self) -> Option<()> {
        let start = self.at;
        let close = self.tokens[start].partner?;
        let dictionary = self.is("{");
        self.at += 1;
        let mut builds = !self.tokens[start].is(self.text, "(");
        self.literals += 1;
        while self.at < close {
            self.expression()?;
            if dictionary {
                self.expect(":")?;
                self.expression()?;
            }
            if self.at < close {
                self.expect(",")?;
                builds = true;
            }
        }
        self.literals -= 1;
        self.at = close + 1;
        if builds && self.literals == 0 {
            self.wrap(&(start..self.at), KEPT);
        }
        Some(())
    }

    fn postfix(&mut self) -> Option<()> {
        loop {
            if self.skip(".") {
                matches!(self.kind()?, Kind::Name | Kind::Number).then_some(())?;
                self.at += 1;
            } else if self.is("[") {
                self.subscript()?;
            } else if self.is("(") {
                self.arguments()?;
            } else {
                return Some(());
            }
        }
    }

    fn subscript(&mut self) -> Option<()> {
        let close = self.tokens[self.at].partner?;
        self.at += 1;
        while self.at < close {
            if !self.skip(":") {
                self.expression()?;
            }
        }
        self.at = close + 1;
        Some(())
    }

    fn arguments(&mut self) -> Option<()> {
        let close = self.tokens[self.at].partner?;
        self.at += 1;
        while self.at < close {
            if !self.skip("*") {
                self.skip("**");
            }
            if self.kind() == Some(Kind::Name) && self.tokens.get(self.at + 1)?.is(self.text, "=") {
                self.at += 2;
            }
            self.expression()?;
            if self.at < close {
                self.expect(",")?;
            }
        }
        self.at = close + 1;
        Some(())
    }

    /// Filters and tests bind tighter than any operator.
    fn filters(&mut self) -> Option<()> {
        loop {
            if self.skip("|") {
                self.name()?;
                if self.is("(") {
                    self.arguments()?;
                }
            } else if self.skip("is") {
                self.skip("not");
                self.name()?;
                if self.is("(") {
                    self.arguments()?;
                } else if self.begins_operand() {
                    self.primary()?;
                    self.postfix()?;
                }
            } else {
                return Some(());
            }
        }
    }

    /// A name, perhaps with dots. `in` names a test.
    fn name(&mut self) -> Option<()> {
        loop {
            (self.kind()? == Kind::Name).then_some(())?;
            self.at += 1;
            if !self.skip(".") {
                return Some(());
            }
        }
    }

    /// Whether a test is followed by its argument without brackets.
    fn begins_operand(&self) -> bool {
        match self.kind() {
            Some(Kind::Text | Kind::Number | Kind::Open) => true,
            Some(Kind::Name) => !self.is_keyword(),
            _ => false,
        }
    }
}

fn function_of(operator: &str) -> Option<&'static str> {
    OPERATORS.iter().find(|(spelling, _)| *spelling == operator).map(|(_, function)| *function)
}
