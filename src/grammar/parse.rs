//! GBNF as llama.cpp reads it, with its limits.

use std::collections::HashMap;

use super::error::GrammarFault;

/// Groups inside groups; llama.cpp recurses for each.
const DEEPEST: usize = 100;
/// llama.cpp multiplies repetitions out up to this.
const MOST_REPETITIONS: u64 = 2000;

/// A grammar's rules, numbered in the order in which their names occur.
#[derive(Debug, Default)]
pub(super) struct Grammar {
    pub rules: Vec<Rule>,
    pub named_tokens: Vec<String>,
}

/// A rule: what it may be, and where.
#[derive(Debug)]
pub(super) struct Rule {
    pub name: String,
    /// Where it is defined, or else where its name first occurs.
    pub position: usize,
    /// `None` where it is only referred to.
    pub body: Option<Alternatives>,
}

/// Sequences of which one is taken.
pub(super) type Alternatives = Vec<Vec<GrammarItem>>;

/// A part of a sequence.
#[derive(Debug)]
pub(super) enum GrammarItem {
    /// Characters or tokens: so many elements, one after the other.
    Terminal(usize),
    /// Another rule.
    Rule(usize),
    /// Something in parentheses.
    Group(Alternatives),
    /// An item `min` times, and up to `optional` times more.
    Repeat {
        item: Box<GrammarItem>,
        min: u64,
        optional: u64,
        /// Where the repetition of any number of times is written; `None` where the number has a bound.
        endless: Option<usize>,
    },
}

/// Reads a whole grammar.
pub(super) fn parse(source: &str) -> Result<Grammar, GrammarFault> {
    let mut parser = GrammarParser {
        source,
        at: 0,
        depth: 0,
        symbols: 0,
        names: HashMap::new(),
        grammar: Grammar::default(),
    };
    if let Some(nul) = source.find('\0') {
        return Err(GrammarFault::at(source, nul, "a grammar holds no NUL character"));
    }
    parser.space(true);
    while parser.peek().is_some() {
        parser.rule()?;
    }
    Ok(parser.grammar)
}

struct GrammarParser<'a> {
    source: &'a str,
    at: usize,
    depth: usize,
    /// Names and generated rules so far, as llama.cpp counts them.
    symbols: u64,
    names: HashMap<&'a str, usize>,
    grammar: Grammar,
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

impl<'a> GrammarParser<'a> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn fault(&self, what: impl Into<String>) -> GrammarFault {
        GrammarFault::at(self.source, self.at, what)
    }

    fn takes(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.at += text.len();
        }
        found
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    /// Skips white space and comments.
    fn space(&mut self, newlines: bool) {
        loop {
            self.take_while(|c| matches!(c, ' ' | '\t') || newlines && matches!(c, '\r' | '\n'));
            if self.peek() != Some('#') {
                return;
            }
            self.take_while(|c| !matches!(c, '\r' | '\n'));
        }
    }

    fn named(&mut self, name: &'a str, position: usize) -> usize {
        if let Some(&known) = self.names.get(name) {
            return known;
        }
        let id = self.grammar.rules.len();
        self.symbols += 1;
        self.names.insert(name, id);
        self.grammar.rules.push(Rule { name: name.to_string(), position, body: None });
        id
    }

    fn rule(&mut self) -> Result<(), GrammarFault> {
        let position = self.at;
        let name = self.take_while(is_word);
        if name.is_empty() {
            return Err(
                self.fault("here a rule must begin: its name (letters, digits and -), ::= and what it is")
            );
        }
        self.space(false);
        let id = self.named(name, position);
        if self.grammar.rules[id].body.is_some() {
            let what = format!("the rule {name} is defined twice; put its alternatives into one, with |");
            return Err(GrammarFault::at(self.source, position, what));
        }
        if !self.takes("::=") {
            return Err(self.fault(format!("::= must follow the rule's name {name}")));
        }
        self.space(true);
        let body = self.alternatives(false)?;
        if self.peek().is_some() && !self.takes("\r\n") && !self.takes("\n") && !self.takes("\r") {
            return Err(self.fault("this can't stand here; a rule ends with its line"));
        }
        self.space(true);
        let rule = &mut self.grammar.rules[id];
        (rule.body, rule.position) = (Some(body), position);
        Ok(())
    }

    fn alternatives(&mut self, nested: bool) -> Result<Alternatives, GrammarFault> {
        let mut all = vec![self.sequence(nested)?];
        while self.takes("|") {
            self.space(true);
            all.push(self.sequence(nested)?);
        }
        Ok(all)
    }

    fn sequence(&mut self, nested: bool) -> Result<Vec<GrammarItem>, GrammarFault> {
        let mut items = Vec::new();
        // What llama.cpp would generate for the item before a repetition.
        let mut weight = 1;
        while let Some(c) = self.peek() {
            match c {
                '*' | '+' | '?' | '{' => {
                    self.repetition(nested, &mut items, &mut weight)?;
                    continue;
                }
                '(' => {
                    let before = self.symbols;
                    items.push(self.group()?);
                    weight = (self.symbols - before).max(1);
                }
                _ => match self.item(c)? {
                    Some(item) => {
                        items.push(item);
                        weight = 1;
                    }
                    None => break,
                },
            }
            self.space(nested);
        }
        Ok(items)
    }

    /// Anything but a group or a repetition; `None` where none begins.
    fn item(&mut self, first: char) -> Result<Option<GrammarItem>, GrammarFault> {
        Ok(Some(match first {
            '"' => GrammarItem::Terminal(self.literal()?),
            '[' => GrammarItem::Terminal(self.class()?),
            '<' | '!' => {
                self.token()?;
                GrammarItem::Terminal(1)
            }
            '.' => {
                self.at += 1;
                GrammarItem::Terminal(1)
            }
            c if is_word(c) => {
                let position = self.at;
                let name = self.take_while(is_word);
                GrammarItem::Rule(self.named(name, position))
            }
            _ => return Ok(None),
        }))
    }

    fn group(&mut self) -> Result<GrammarItem, GrammarFault> {
        let open = self.at;
        self.at += 1;
        self.symbols += 1;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.fault(format!("groups stand in groups more than {DEEPEST} deep")));
        }
        self.space(true);
        let inner = self.alternatives(true)?;
        self.depth -= 1;
        if !self.takes(")") {
            return Err(match self.peek() {
                None => GrammarFault::at(self.source, open, "this ( is never closed"),
                Some(_) => self.fault("this can't stand in a group"),
            });
        }
        Ok(GrammarItem::Group(inner))
    }

    fn literal(&mut self) -> Result<usize, GrammarFault> {
        let open = self.at;
        self.at += 1;
        let mut length = 0;
        while !self.takes("\"") {
            self.character(open)?;
            length += 1;
        }
        Ok(length)
    }

    fn class(&mut self) -> Result<usize, GrammarFault> {
        let open = self.at;
        self.at += 1;
        self.takes("^");
        let mut length = 0;
        while !self.takes("]") {
            let begin = self.at;
            let first = self.character(open)?;
            length += 1;
            if self.peek() == Some('-') && !self.rest().starts_with("-]") {
                self.at += 1;
                if self.character(open)? < first {
                    let what = "this range ends before it begins; write its lower end first";
                    return Err(GrammarFault::at(self.source, begin, what));
                }
                length += 1;
            }
        }
        if length == 0 {
            return Err(GrammarFault::at(self.source, open, "there is no character in these brackets"));
        }
        Ok(length)
    }

    /// One character of a literal or class that was opened at `open`.
    fn character(&mut self, open: usize) -> Result<char, GrammarFault> {
        let Some(c) = self.peek() else {
            return Err(GrammarFault::at(self.source, open, "this is never closed"));
        };
        if c != '\\' {
            self.at += c.len_utf8();
            return Ok(c);
        }
        let escape = self.rest()[1..].chars().next();
        let digits = match escape {
            Some('x') => 2,
            Some('u') => 4,
            Some('U') => 8,
            Some('t' | 'r' | 'n' | '\\' | '"' | '[' | ']' | '-') => 0,
            _ => {
                return Err(
                    self.fault(r#"no such escape; there are \n \r \t \\ \" \[ \] \- \xHH \uHHHH \UHHHHHHHH"#)
                );
            }
        };
        let hex = self.rest().get(2..2 + digits).filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(hex) = hex else {
            return Err(self.fault(format!("{digits} hexadecimal digits must follow")));
        };
        let found = match escape {
            Some('t') => Some('\t'),
            Some('r') => Some('\r'),
            Some('n') => Some('\n'),
            other if digits == 0 => other,
            _ => u32::from_str_radix(hex, 16).ok().and_then(char::from_u32),
        };
        let Some(found) = found else {
            return Err(
                self.fault("no character has this number; one outside of \\uHHHH is written \\UHHHHHHHH")
            );
        };
        self.at += 2 + digits;
        Ok(found)
    }

    /// `<[12]>`, `<text>`, or either with `!` before it.
    fn token(&mut self) -> Result<(), GrammarFault> {
        self.takes("!");
        let open = self.at;
        if !self.takes("<") {
            return Err(self.fault("a token must follow the !, such as <|im_end|> or <[2]>"));
        }
        if self.takes("[") {
            let id = self.take_while(|c| c.is_ascii_digit());
            if id.parse::<u32>().is_err() || !self.takes("]>") {
                return Err(GrammarFault::at(self.source, open, "a token's number is written <[2]>"));
            }
            return Ok(());
        }
        self.take_while(|c| c != '>');
        if !self.takes(">") {
            return Err(GrammarFault::at(self.source, open, "this < is never closed"));
        }
        self.grammar.named_tokens.push(self.source[open..self.at].to_string());
        Ok(())
    }

    fn repetition(
        &mut self,
        nested: bool,
        items: &mut Vec<GrammarItem>,
        weight: &mut u64,
    ) -> Result<(), GrammarFault> {
        let begin = self.at;
        let (min, max) = self.bounds()?;
        self.space(nested);
        let Some(item) = items.pop() else {
            return Err(GrammarFault::at(self.source, begin, "there is nothing before this to repeat"));
        };
        let rules = max.filter(|&max| max > 0).unwrap_or(min).max(1);
        *weight = weight.saturating_mul(rules);
        if *weight > MOST_REPETITIONS || min > MOST_REPETITIONS {
            let what =
                format!("this repeats too much: llama.cpp generates at most {MOST_REPETITIONS} rules for it");
            return Err(GrammarFault::at(self.source, begin, what));
        }
        let optional = max.map_or(1, |max| max - min);
        self.symbols += optional;
        let endless = max.is_none().then_some(begin);
        items.push(GrammarItem::Repeat { item: Box::new(item), min, optional, endless });
        Ok(())
    }

    /// How often at least, and at most.
    fn bounds(&mut self) -> Result<(u64, Option<u64>), GrammarFault> {
        let begin = self.at;
        for (sign, bounds) in [("*", (0, None)), ("+", (1, None)), ("?", (0, Some(1)))] {
            if self.takes(sign) {
                return Ok(bounds);
            }
        }
        let wrong = || GrammarFault::at(self.source, begin, "a repetition is written {3}, {3,} or {3,5}");
        self.at += 1;
        self.space(true);
        let min = self.take_while(|c| c.is_ascii_digit()).parse::<u64>().map_err(|_| wrong())?;
        self.space(true);
        let mut max = Some(min);
        if self.takes(",") {
            self.space(true);
            let digits = self.take_while(|c| c.is_ascii_digit());
            max = match digits {
                "" => None,
                digits => Some(digits.parse().map_err(|_| wrong())?),
            };
            self.space(true);
        }
        if !self.takes("}") {
            return Err(wrong());
        }
        if max.is_some_and(|max| max < min) {
            return Err(GrammarFault::at(self.source, begin, "the most must not be less than the least"));
        }
        // llama.cpp takes so many for any number.
        Ok((min, max.filter(|&max| max <= MOST_REPETITIONS)))
    }
}
