//! Predictions: comparisons of surprisals, joined by and and or.
//!
//! From loosest to tightest: `|`, `&`, one of `<` `>` `=`, `+` `-`, `*` `/`. `(6;%a%)` is region 6 of
//! condition a, `(*;%a%)` the whole of it. Round and square brackets group alike.

use super::Metrics;
use crate::probe::answer::Scored;
use crate::probe::expect::Verdict;
use crate::probe::expect::quantity::shown;
use crate::probe::item::Piece;

/// Brackets in brackets that are read.
const MAX_DEPTH: usize = 100;

/// A prediction about an item's pieces.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    text: String,
    metric: Metrics,
    root: Node,
}

#[derive(Clone, Debug, PartialEq)]
enum Node {
    Pieces(Vec<usize>),
    Number(f64),
    Binary(char, Box<Node>, Box<Node>),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Value {
    Number(f64),
    Truth(bool),
}

/// Finds the pieces that a region (or all) of a condition has.
type Find<'a> = &'a dyn Fn(Option<u64>, &str) -> Result<Vec<usize>, String>;

impl Formula {
    /// Reads a formula.
    ///
    /// # Errors
    /// What is no formula, has no truth value, or names what is not there.
    pub fn parse(text: &str, metric: Metrics, find: Find) -> Result<Formula, String> {
        let mut parser = Parser { text, rest: text, find, depth: 0 };
        let root = parser.level(0)?;
        parser.space();
        if !parser.rest.is_empty() {
            return Err(format!("what is `{}`?", parser.rest));
        }
        let formula = Formula { text: text.to_string(), metric, root };
        match formula.value(&formula.root, &|_| Some(1.0))? {
            Some(Value::Truth(_)) => Ok(formula),
            _ => Err("a prediction must compare something".to_string()),
        }
    }

    /// Evaluates it on scored pieces.
    pub fn judge(&self, scored: &[Option<&Scored>], pieces: &[Piece]) -> Verdict {
        let bits = |index: usize| self.bits(scored.get(index).copied().flatten(), pieces.get(index)?);
        let value = self.value(&self.root, &|indices| indices.iter().map(|index| bits(*index)).sum());
        let mut used = Vec::new();
        self.root.pieces(&mut used);
        let mut found: Vec<String> = Vec::new();
        for index in used {
            let name = pieces.get(index).map_or("", |piece| &piece.name);
            let line = format!("{name} = {} bit", shown(bits(index)));
            if !found.contains(&line) {
                found.push(line);
            }
        }
        let passed = matches!(value, Ok(Some(Value::Truth(true))));
        Verdict { text: self.text.clone(), passed, found: found.join(", "), informational: false }
    }

    /// A piece's surprisal; 0 for one without text, `None` where no token of it has context.
    fn bits(&self, scored: Option<&Scored>, piece: &Piece) -> Option<f64> {
        if piece.text.is_empty() {
            return Some(0.0);
        }
        let nats = match self.metric {
            Metrics::Sum => scored?.sum().map(|sum| -sum),
            Metrics::Mean => scored?.mean_surprisal(),
        };
        nats.map(|nats| nats / std::f64::consts::LN_2)
    }

    /// The value of a part; `None` where a piece has none.
    fn value(&self, node: &Node, of: &dyn Fn(&[usize]) -> Option<f64>) -> Result<Option<Value>, String> {
        let (operator, left, right) = match node {
            Node::Pieces(indices) => return Ok(of(indices).map(Value::Number)),
            Node::Number(number) => return Ok(Some(Value::Number(*number))),
            Node::Binary(operator, left, right) => (*operator, self.value(left, of)?, self.value(right, of)?),
        };
        let (Some(left), Some(right)) = (left, right) else { return Ok(None) };
        let value = match (operator, left, right) {
            ('|', Value::Truth(a), Value::Truth(b)) => Value::Truth(a || b),
            ('&', Value::Truth(a), Value::Truth(b)) => Value::Truth(a && b),
            ('<', Value::Number(a), Value::Number(b)) => Value::Truth(a < b),
            ('>', Value::Number(a), Value::Number(b)) => Value::Truth(a > b),
            ('=', Value::Number(a), Value::Number(b)) => Value::Truth(a == b),
            ('+', Value::Number(a), Value::Number(b)) => Value::Number(a + b),
            ('-', Value::Number(a), Value::Number(b)) => Value::Number(a - b),
            ('*', Value::Number(a), Value::Number(b)) => Value::Number(a * b),
            ('/', Value::Number(a), Value::Number(b)) => Value::Number(a / b),
            _ => return Err(format!("{operator} stands between a number and a comparison")),
        };
        Ok(Some(value))
    }
}

impl Node {
    fn pieces(&self, out: &mut Vec<usize>) {
        match self {
            Node::Pieces(indices) => out.extend(indices),
            Node::Number(_) => {}
            Node::Binary(_, left, right) => {
                left.pieces(out);
                right.pieces(out);
            }
        }
    }
}

/// Operators from the loosest to the tightest.
const LEVELS: [&[char]; 5] = [&['|'], &['&'], &['<', '>', '='], &['+', '-'], &['*', '/']];

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
    find: Find<'a>,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn level(&mut self, level: usize) -> Result<Node, String> {
        let Some(operators) = LEVELS.get(level) else { return self.operand() };
        let mut left = self.level(level + 1)?;
        loop {
            self.space();
            let Some(operator) = self.rest.chars().next().filter(|c| operators.contains(c)) else {
                return Ok(left);
            };
            self.rest = &self.rest[1..];
            let right = self.level(level + 1)?;
            left = Node::Binary(operator, Box::new(left), Box::new(right));
        }
    }

    fn operand(&mut self) -> Result<Node, String> {
        self.space();
        if let Some(node) = self.region()? {
            return Ok(node);
        }
        match self.rest.chars().next() {
            Some(open @ ('(' | '[')) => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err("too many brackets".to_string());
                }
                self.rest = &self.rest[1..];
                let inside = self.level(0)?;
                self.space();
                let close = if open == '(' { ')' } else { ']' };
                self.rest = self.rest.strip_prefix(close).ok_or_else(|| {
                    format!(
                        "a {close} is missing at `{}`",
                        if self.rest.is_empty() { self.text } else { self.rest }
                    )
                })?;
                self.depth -= 1;
                Ok(inside)
            }
            _ => self.number(),
        }
    }

    /// `(6;%a%)`, if that stands here.
    fn region(&mut self) -> Result<Option<Node>, String> {
        let Some((inside, rest)) = self.rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) else {
            return Ok(None);
        };
        let Some((number, condition)) = inside.split_once(';').filter(|_| !inside.contains('(')) else {
            return Ok(None);
        };
        let condition = condition.trim();
        let condition = condition.strip_prefix('%').and_then(|name| name.strip_suffix('%'));
        let condition = condition.ok_or_else(|| format!("({inside}) should be (region;%condition%)"))?;
        let number = match number.trim() {
            "*" => None,
            digits => Some(digits.parse().map_err(|_| format!("{digits} is no number of a region"))?),
        };
        self.rest = rest;
        Ok(Some(Node::Pieces((self.find)(number, condition)?)))
    }

    fn number(&mut self) -> Result<Node, String> {
        let unsigned = self.rest.strip_prefix('-').unwrap_or(self.rest);
        let sign = self.rest.len() - unsigned.len();
        let digits = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, rest) = self.rest.split_at(sign + digits);
        let value = number.parse().map_err(|_| match self.rest {
            "" => "something is missing at the end".to_string(),
            rest => format!("what is `{rest}`?"),
        })?;
        self.rest = rest;
        Ok(Node::Number(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::score::Score;

    fn parse(text: &str) -> Result<Formula, String> {
        // Regions are pieces of the same number.
        let find =
            |region: Option<u64>, _: &str| Ok(region.map_or(vec![0, 1, 2], |region| vec![region as usize]));
        Formula::parse(text, Metrics::Sum, &find)
    }

    /// Pieces of 1, 2 and 4 bits.
    fn holds(text: &str) -> bool {
        let scored: Vec<Scored> = [1.0, 2.0, 4.0]
            .map(|bits: f32| {
                let mut score = Score::default();
                score.add(-bits * std::f32::consts::LN_2, 1);
                Scored { score, ..Scored::default() }
            })
            .into();
        let pieces: Vec<Piece> =
            (0..3).map(|i| Piece { name: i.to_string(), text: "x".to_string(), prompt: 0 }).collect();
        let scored: Vec<Option<&Scored>> = scored.iter().map(Some).collect();
        parse(text).unwrap().judge(&scored, &pieces).passed
    }

    #[test]
    fn operators_bind_as_they_should() {
        assert!(holds("(0;%a%) < (1;%a%)"));
        assert!(!holds("[ (0;%a%) < (1;%a%) ] & [(2;%a%)<(1;%a%)]"));
        assert!(holds("(2;%a%) < (1;%a%) | (0;%a%) < (1;%a%)"));
        assert!(holds("(2;%a%) > (1;%a%) + (0;%a%)"));
        assert!(holds("((0;%a%) + (1;%a%)) * 2 > (2;%a%) - -1"));
        assert!(holds("(*;%a%) > 6.9 & (*;%a%) < 7.1"));
    }

    #[test]
    fn what_is_no_prediction_is_refused() {
        for (text, reason) in [
            ("(0;%a%) <", "something is missing at the end"),
            ("(0;%a%)", "a prediction must compare something"),
            ("[(0;%a%) < 1", "a ] is missing"),
            ("(0;a) < 1", "should be (region;%condition%)"),
            ("(0;%a%) < 1 x", "what is `x`?"),
            ("((0;%a%) < 1) + 2 > 1", "+ stands between"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
        assert!(parse(&"(".repeat(100_000)).unwrap_err().contains("too many brackets"));
    }
}
