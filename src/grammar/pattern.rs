//! Regular expressions as JSON Schema writes them (ECMAScript), for an engine that matches whole texts.
//!
//! The engine knows no anchors, and its `.`, `\s` and classes are not ECMAScript's. What is written here
//! spells them out, never wider than ECMAScript has them; what has no automaton (look-around,
//! back-references, word boundaries) is refused with its column.

/// Groups inside groups.
const DEEPEST: usize = 50;
/// Repetitions of one part.
const MOST_REPETITIONS: u32 = 100_000;

/// Repetitions without an end: each may go on beside every other, so that the automaton of thousands takes
/// the engine tens of seconds to give up.
const MOST_ENDLESS: u64 = 250;

const DIGIT: &str = "0-9";
const WORD: &str = "0-9A-Za-z_";
/// White space in every dialect.
const SPACE: &str =
    r"\t\n\x{B}\x{C}\r\x{20}\x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}";
/// What some dialect takes for white space besides.
const SPACE_OF_SOME: &str = r"\x{1C}-\x{1F}\x{85}\x{FEFF}";
const ANY_CHARACTER: &str = r"[^\n\r\x{2028}\x{2029}]";
const ANY_TEXT: &str = "(?s:.*)";

/// What must match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// The whole text.
    Whole,
    /// Some part of it, unless anchored.
    Part,
}

/// A fault: its 1-based column, and what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternFault {
    /// 1-based, in characters.
    pub column: usize,
    /// What is wrong and what would be right.
    pub what: String,
}

/// The expression that matches the same texts as a whole, in the syntax of the `regex` crate.
///
/// # Errors
/// [`PatternFault`], where it is faulty or has no automaton.
pub fn translate(pattern: &str, extent: Extent) -> Result<String, PatternFault> {
    let mut parser = PatternParser { chars: pattern.chars().collect(), at: 0, depth: 0, extent };
    let alternatives = parser.alternatives()?;
    if parser.at < parser.chars.len() {
        return Err(parser.fault(parser.at, "this ) closes nothing"));
    }
    if endless(&alternatives) > MOST_ENDLESS {
        let what = format!(
            "more than {MOST_ENDLESS} repetitions without an end (*, +, {{3,}}) follow one another; give most of them one, as in .{{0,100}}"
        );
        return Err(parser.fault(0, what));
    }
    let open = extent == Extent::Part;
    emit(&alternatives, PatternEdge { first: true, last: true, open })
}

/// A part of an expression.
enum PatternNode {
    /// One character or class, as the engine writes it.
    Atom(String),
    Group(Vec<Vec<PatternNode>>),
    /// A part with its repetition.
    Repeated(Box<PatternNode>, String),
    /// `^`, at this column.
    Start(usize),
    /// `$`, at this column.
    End(usize),
}

/// Where alternatives stand: whether the text begins and ends with them, and whether anything may stand
/// before and after.
#[derive(Clone, Copy)]
struct PatternEdge {
    first: bool,
    last: bool,
    open: bool,
}

/// How many repetitions without an end a text may go through, those of repeated groups counted as often.
fn endless(alternatives: &[Vec<PatternNode>]) -> u64 {
    fn of(node: &PatternNode) -> u64 {
        match node {
            PatternNode::Atom(_) | PatternNode::Start(_) | PatternNode::End(_) => 0,
            PatternNode::Group(alternatives) => endless(alternatives),
            PatternNode::Repeated(node, times) => {
                let bounds = times.trim_matches(['{', '}']).split(',');
                let most = bounds.filter_map(|bound| bound.parse::<u64>().ok()).max().unwrap_or(1);
                let itself = times.ends_with(['*', '+']) || times.ends_with(",}");
                of(node).saturating_mul(most).saturating_add(u64::from(itself))
            }
        }
    }
    let sums = alternatives.iter().map(|sequence| sequence.iter().map(of).fold(0, u64::saturating_add));
    sums.max().unwrap_or(0)
}

fn emit(alternatives: &[Vec<PatternNode>], edge: PatternEdge) -> Result<String, PatternFault> {
    let each = alternatives.iter().map(|sequence| emit_sequence(sequence, edge));
    Ok(format!("(?:{})", each.collect::<Result<Vec<_>, _>>()?.join("|")))
}

fn emit_sequence(sequence: &[PatternNode], edge: PatternEdge) -> Result<String, PatternFault> {
    let mut nodes = sequence;
    let (mut before, mut after) = (edge.first && edge.open, edge.last && edge.open);
    if edge.first {
        while let [PatternNode::Start(_), rest @ ..] = nodes {
            (nodes, before) = (rest, false);
        }
    }
    if edge.last {
        while let [rest @ .., PatternNode::End(_)] = nodes {
            (nodes, after) = (rest, false);
        }
    }
    let mut out = String::new();
    if before && !matches!(nodes.first(), Some(PatternNode::Group(_))) {
        out.push_str(ANY_TEXT);
    }
    for (i, node) in nodes.iter().enumerate() {
        // A group at an edge looks after the edge itself, since its alternatives may be anchored.
        let inner = PatternEdge { first: before && i == 0, last: after && i + 1 == nodes.len(), open: true };
        out.push_str(&emit_node(node, inner)?);
    }
    if after
        && (nodes.is_empty() && !before
            || !nodes.is_empty() && !matches!(nodes.last(), Some(PatternNode::Group(_))))
    {
        out.push_str(ANY_TEXT);
    }
    Ok(out)
}

fn emit_node(node: &PatternNode, edge: PatternEdge) -> Result<String, PatternFault> {
    let anchor = |column: usize| PatternFault {
        column,
        what: "an anchor is understood only at the beginning or end of an alternative".to_string(),
    };
    match node {
        PatternNode::Atom(text) => Ok(text.clone()),
        PatternNode::Group(alternatives) => emit(alternatives, edge),
        PatternNode::Repeated(node, times) => Ok(format!(
            "(?:{}){times}",
            emit_node(node, PatternEdge { first: false, last: false, open: true })?
        )),
        PatternNode::Start(column) | PatternNode::End(column) => Err(anchor(*column)),
    }
}

struct PatternParser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
    extent: Extent,
}

/// A character, or a class of them.
enum Member {
    One(char),
    /// As it is written inside brackets; `Some` of what it is outside of what it allows.
    Class(String),
}

impl PatternParser {
    fn fault(&self, at: usize, what: impl Into<String>) -> PatternFault {
        PatternFault { column: at + 1, what: what.into() }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn takes(&mut self, text: &str) -> bool {
        let found = text.chars().enumerate().all(|(i, c)| self.chars.get(self.at + i) == Some(&c));
        if found {
            self.at += text.chars().count();
        }
        found
    }

    fn alternatives(&mut self) -> Result<Vec<Vec<PatternNode>>, PatternFault> {
        let mut all = vec![self.sequence()?];
        while self.takes("|") {
            all.push(self.sequence()?);
        }
        Ok(all)
    }

    fn sequence(&mut self) -> Result<Vec<PatternNode>, PatternFault> {
        let mut nodes = Vec::new();
        while let Some(c) = self.peek() {
            if matches!(c, '|' | ')') {
                break;
            }
            let begin = self.at;
            let node = self.node(c)?;
            let times = self.repetition()?;
            nodes.push(match (node, times) {
                (node, None) => node,
                (PatternNode::Start(_) | PatternNode::End(_), Some(_)) => {
                    return Err(self.fault(begin, "an anchor can't be repeated"));
                }
                (node, Some(times)) => PatternNode::Repeated(Box::new(node), times),
            });
        }
        Ok(nodes)
    }

    fn node(&mut self, c: char) -> Result<PatternNode, PatternFault> {
        let begin = self.at;
        match c {
            '(' => return self.group(),
            '[' => return self.class(),
            '*' | '+' | '?' => return Err(self.fault(begin, "there is nothing before this to repeat")),
            '\\' => {
                return Ok(PatternNode::Atom(match self.escape(false)? {
                    Member::One(c) => self.writable(c, begin)?,
                    Member::Class(class) => format!("[{class}]"),
                }));
            }
            _ => {}
        }
        self.at += 1;
        Ok(match c {
            '^' => PatternNode::Start(begin + 1),
            '$' => PatternNode::End(begin + 1),
            '.' => PatternNode::Atom(ANY_CHARACTER.to_string()),
            c => PatternNode::Atom(self.writable(c, begin)?),
        })
    }

    /// A character as the engine writes it. In a JSON string it drops the control characters that have
    /// no short escape, where it should match nothing.
    fn writable(&self, c: char, at: usize) -> Result<String, PatternFault> {
        let short = matches!(c, '\u{8}' | '\t' | '\n' | '\u{C}' | '\r');
        if self.extent == Extent::Part && c.is_ascii_control() && !short {
            return Err(self.fault(at, "a control character can't be asked for"));
        }
        Ok(literal(c))
    }

    fn group(&mut self) -> Result<PatternNode, PatternFault> {
        let open = self.at;
        self.at += 1;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.fault(open, format!("groups stand in groups more than {DEEPEST} deep")));
        }
        if self.takes("?") {
            if ["=", "!", "<=", "<!"].iter().any(|mark| self.takes(mark)) {
                return Err(self.fault(open, "look-around can't be enforced while a text is written"));
            }
            let named = self.takes("<") || self.takes("P<");
            if named {
                while self.peek().is_some_and(|c| c.is_alphanumeric() || c == '_') {
                    self.at += 1;
                }
            }
            if !self.takes(if named { ">" } else { ":" }) {
                return Err(self.fault(open, "there is no group of this kind; (?: ) is one"));
            }
        }
        let inner = self.alternatives()?;
        self.depth -= 1;
        match self.takes(")") {
            true => Ok(PatternNode::Group(inner)),
            false => Err(self.fault(open, "this ( is never closed")),
        }
    }

    fn repetition(&mut self) -> Result<Option<String>, PatternFault> {
        let begin = self.at;
        let times = match self.peek() {
            Some(sign @ ('*' | '+' | '?')) => {
                self.at += 1;
                sign.to_string()
            }
            Some('{') => match self.counted()? {
                Some(times) => times,
                None => return Ok(None),
            },
            _ => return Ok(None),
        };
        // A lazy repetition matches the same texts.
        self.takes("?");
        if matches!(self.peek(), Some('*' | '+' | '?')) {
            return Err(self.fault(begin, "a repetition is repeated; put the first in parentheses"));
        }
        Ok(Some(times))
    }

    /// `{3}`, `{3,}` or `{3,5}`; anything else in braces is what it is.
    fn counted(&mut self) -> Result<Option<String>, PatternFault> {
        let begin = self.at;
        let rest: String = self.chars[begin + 1..].iter().take_while(|c| **c != '}').collect();
        if !self.chars[begin..].contains(&'}') || !rest.chars().all(|c| c.is_ascii_digit() || c == ',') {
            return Ok(None);
        }
        let number = |text: &str| text.parse::<u32>().ok().filter(|n| *n <= MOST_REPETITIONS);
        let (min, max) = rest.split_once(',').unwrap_or((&rest, &rest));
        let max = if max.is_empty() && rest.contains(',') { Some(None) } else { number(max).map(Some) };
        let (Some(min), Some(max)) = (number(min), max) else {
            return Err(self.fault(
                begin,
                format!("a repetition is written {{3}}, {{3,}} or {{3,5}}, with at most {MOST_REPETITIONS}"),
            ));
        };
        if max.is_some_and(|max| max < min) {
            return Err(self.fault(begin, "the most must not be less than the least"));
        }
        self.at += rest.chars().count() + 2;
        Ok(Some(match max {
            Some(max) => format!("{{{min},{max}}}"),
            None => format!("{{{min},}}"),
        }))
    }

    fn class(&mut self) -> Result<PatternNode, PatternFault> {
        let open = self.at;
        self.at += 1;
        let negated = self.takes("^");
        let mut out = String::from(if negated { "[^" } else { "[" });
        let empty = out.len();
        while !self.takes("]") {
            let begin = self.at;
            let member = self.member(open, negated)?;
            let is_range =
                self.peek() == Some('-') && !matches!(self.chars.get(self.at + 1), None | Some(']'));
            match member {
                Member::Class(class) => out.push_str(&class),
                Member::One(from) if is_range => {
                    self.at += 1;
                    match self.member(open, negated)? {
                        Member::One(to) if to >= from => {
                            if !negated && (to < ' ' || from == '\u{7F}') {
                                self.writable(to, begin)?;
                                self.writable(from, begin)?;
                            }
                            out.push_str(&format!("{}-{}", literal(from), literal(to)));
                        }
                        _ => return Err(self.fault(begin, "a range goes from one character to a later one")),
                    }
                }
                Member::One(c) if negated => out.push_str(&literal(c)),
                Member::One(c) => out.push_str(&self.writable(c, begin)?),
            }
        }
        if out.len() == empty {
            return Err(self.fault(open, "this class is empty"));
        }
        out.push(']');
        Ok(PatternNode::Atom(out))
    }

    fn member(&mut self, open: usize, negated: bool) -> Result<Member, PatternFault> {
        match self.peek() {
            None => Err(self.fault(open, "this [ is never closed")),
            Some('\\') if self.chars.get(self.at + 1) == Some(&'b') => {
                self.at += 2;
                Ok(Member::One('\u{8}'))
            }
            Some('\\') => self.escape(negated),
            Some(c) => {
                self.at += 1;
                Ok(Member::One(c))
            }
        }
    }

    /// An escape. In a negated class what stands for a class must be wide, elsewhere narrow.
    fn escape(&mut self, negated: bool) -> Result<Member, PatternFault> {
        let begin = self.at;
        let Some(&c) = self.chars.get(begin + 1) else {
            return Err(self.fault(begin, "nothing follows this \\"));
        };
        self.at += 2;
        let wide = format!("{SPACE}{SPACE_OF_SOME}");
        let class = |class: &str| Ok(Member::Class(class.to_string()));
        let all_but = |class: &str| Ok(Member::Class(format!("[^{class}]")));
        match c {
            'd' => class(DIGIT),
            'D' => all_but(DIGIT),
            'w' => class(WORD),
            'W' => all_but(WORD),
            's' => class(if negated { &wide } else { SPACE }),
            'S' => all_but(if negated { SPACE } else { &wide }),
            'p' | 'P' => self.property(begin),
            't' => Ok(Member::One('\t')),
            'n' => Ok(Member::One('\n')),
            'r' => Ok(Member::One('\r')),
            'f' => Ok(Member::One('\u{C}')),
            'v' => Ok(Member::One('\u{B}')),
            '0' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => Ok(Member::One('\0')),
            'x' => self.hexadecimal(begin, 2).map(Member::One),
            'u' if self.takes("{") => {
                let digits: String =
                    self.chars[self.at..].iter().take_while(|c| c.is_ascii_hexdigit()).collect();
                self.at += digits.len();
                let found = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                match (found, self.takes("}")) {
                    (Some(c), true) => Ok(Member::One(c)),
                    _ => Err(self.fault(begin, r"a character is written \u{1F600}")),
                }
            }
            'u' => self.hexadecimal(begin, 4).map(Member::One),
            'c' if self.peek().is_some_and(|c| c.is_ascii_alphabetic()) => {
                let letter = self.peek().unwrap_or('A');
                self.at += 1;
                Ok(Member::One(char::from(letter as u8 % 32)))
            }
            'b' | 'B' => Err(self.fault(begin, "word boundaries can't be enforced")),
            'k' | '0'..='9' => Err(self.fault(begin, "back-references can't be enforced")),
            c if c.is_ascii_alphabetic() => Err(self.fault(begin, format!(r"there is no escape \{c}"))),
            c => Ok(Member::One(c)),
        }
    }

    fn property(&mut self, begin: usize) -> Result<Member, PatternFault> {
        let name: String = self.chars[self.at..].iter().take_while(|c| **c != '}').collect();
        let fine = name.starts_with('{') && self.chars.get(self.at + name.chars().count()) == Some(&'}');
        self.at += name.chars().count() + 1;
        let written: String = self.chars[begin..self.at.min(self.chars.len())].iter().collect();
        match fine && regex_syntax::parse(&written).is_ok() {
            true => Ok(Member::Class(written)),
            false => {
                Err(self.fault(begin, r"there is no such property; one is written \p{L} or \p{Script=Greek}"))
            }
        }
    }

    fn hexadecimal(&mut self, begin: usize, digits: usize) -> Result<char, PatternFault> {
        let wrong =
            |parser: &PatternParser| parser.fault(begin, format!("{digits} hexadecimal digits must follow"));
        let first = self.digits(digits).ok_or_else(|| wrong(self))?;
        if (0xD800..0xDC00).contains(&first) && self.takes("\\u") {
            let second =
                self.digits(4).filter(|low| (0xDC00..0xE000).contains(low)).ok_or_else(|| wrong(self))?;
            let both = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return char::from_u32(both).ok_or_else(|| wrong(self));
        }
        char::from_u32(first).ok_or_else(|| self.fault(begin, "half a surrogate pair is no character"))
    }

    fn digits(&mut self, n: usize) -> Option<u32> {
        let text: String = self.chars.get(self.at..self.at + n)?.iter().collect();
        self.at += n;
        u32::from_str_radix(&text, 16).ok()
    }
}

fn literal(c: char) -> String {
    match c {
        c if c.is_ascii_alphanumeric() => c.to_string(),
        c => format!("\\x{{{:X}}}", c as u32),
    }
}

#[cfg(test)]
mod tests;
