//! SyntaxGym's predictions: comparisons of regions' surprisals, joined by and and or.
//!
//! Read and evaluated as `prediction.py` of syntaxgym-core does it. `(6;%a%)` is region 6 of condition a,
//! `(*;%a%)` the sum of all of its regions. From tightest to loosest: `+` `-`; `<` `>` `=`; `&` `|`. Each
//! group is of one rank and goes from left to right, so `x | y & z` is `(x | y) & z`; of several
//! comparisons in a row only the first counts. `=` holds within 0.001 + 0.00001 times the right side.
//! `&` and `|` give one of their operands, as Python's do. Square brackets group as round ones do, and
//! `*` `/` bind tightest: syntaxgym-core has neither.

mod metric;

use super::answer::{Answers, Scored};
use super::expect::quantity::shown;
use super::question::{Piece, Questions};
use super::verdict::Verdict;
pub use metric::RegionMetric;

/// Brackets in brackets that are read.
const MAX_DEPTH: usize = 100;
/// What `=` allows for, relative to the right side and in bits.
const EQUALITY: (f64, f64) = (1e-5, 1e-3);

/// A prediction about an item's pieces.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula {
    text: String,
    metric: RegionMetric,
    root: FormulaNode,
    /// Whether comparisons were left out that do not count.
    drops: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum FormulaNode {
    Pieces(Vec<usize>),
    Number(f64),
    Binary(char, Box<FormulaNode>, Box<FormulaNode>),
}

/// Finds the pieces that a region (or all) of a condition has, in the order of the text.
type Find<'a> = &'a dyn Fn(Option<u64>, &str) -> Result<Vec<usize>, String>;

impl Formula {
    /// Reads a formula.
    ///
    /// # Errors
    /// What is no formula, compares nothing, or names what is not there.
    pub fn parse(text: &str, metric: RegionMetric, find: Find) -> Result<Formula, String> {
        let mut parser = FormulaParser { text, rest: text, find, depth: 0, drops: false };
        let root = parser.level(0)?;
        parser.space();
        if !parser.rest.is_empty() {
            return Err(format!("what is `{}`?", parser.rest));
        }
        if !root.is_truth() {
            return Err("a prediction must compare something".to_string());
        }
        Ok(Formula { text: text.to_string(), metric, root, drops: parser.drops })
    }

    /// Evaluates it on scored pieces.
    pub fn judge(&self, scored: &[Option<&Scored>], pieces: &[Piece]) -> Verdict {
        let value = |index: usize| self.region(index, scored, pieces);
        let mut used = Vec::new();
        self.root.pieces(&mut used);
        let mut found: Vec<String> = Vec::new();
        for index in used {
            let name = pieces.get(index).map_or("", |piece| &piece.name);
            let bits = value(index);
            let figure = shown(Some(bits).filter(|bits| !bits.is_nan()));
            let first_of_all =
                scored.get(index).copied().flatten().and_then(|scored| scored.logprobs.first());
            let note = if first_of_all == Some(&None) { " (first token without context: 0)" } else { "" };
            let line = format!("{name} = {figure} bit{note}");
            if !found.contains(&line) {
                found.push(line);
            }
        }
        if self.drops {
            found.push("of comparisons in a row only the first counts".to_string());
        }
        let passed = self.root.value(&value) != 0.0;
        Verdict { text: self.text.clone(), passed, found: found.join(", "), informational: false }
    }

    /// A region's figure in bits, over the surprisals of its tokens. A token without context counts 0, and
    /// so does a BOS, which belongs to the sentence's first region. Not a number where nothing is known.
    fn region(&self, index: usize, scored: &[Option<&Scored>], pieces: &[Piece]) -> f64 {
        let Some(piece) = pieces.get(index) else { return f64::NAN };
        if piece.text.is_empty() {
            return self.metric.of(&[]);
        }
        let Some(scored) = scored.get(index).copied().flatten() else { return f64::NAN };
        let begins =
            pieces[..index].iter().all(|other| other.prompt != piece.prompt || other.text.is_empty());
        let has_bos = begins && matches!(scored.logprobs.first(), Some(Some(_)));
        let bits = |logprob: &Option<f32>| {
            logprob.map_or(0.0, |logprob| 0.0 - f64::from(logprob) / std::f64::consts::LN_2)
        };
        let tokens = has_bos.then_some(0.0).into_iter().chain(scored.logprobs.iter().map(bits));
        self.metric.of(&tokens.collect::<Vec<f64>>())
    }
}

impl FormulaNode {
    /// Whether a comparison decides it.
    fn is_truth(&self) -> bool {
        match self {
            FormulaNode::Binary('<' | '>' | '=', ..) => true,
            FormulaNode::Binary('&' | '|', left, right) => left.is_truth() || right.is_truth(),
            _ => false,
        }
    }

    fn pieces(&self, out: &mut Vec<usize>) {
        match self {
            FormulaNode::Pieces(indices) => out.extend(indices),
            FormulaNode::Number(_) => {}
            FormulaNode::Binary(_, left, right) => {
                left.pieces(out);
                right.pieces(out);
            }
        }
    }

    /// Its value; true is 1 and false 0.
    fn value(&self, of: &dyn Fn(usize) -> f64) -> f64 {
        let (operator, left, right) = match self {
            FormulaNode::Pieces(indices) => return indices.iter().map(|index| of(*index)).sum(),
            FormulaNode::Number(number) => return *number,
            FormulaNode::Binary(operator, left, right) => (*operator, left.value(of), right.value(of)),
        };
        match operator {
            '|' if left != 0.0 => left,
            '|' => right,
            '&' if left != 0.0 => right,
            '&' => left,
            '<' => f64::from(left < right),
            '>' => f64::from(left > right),
            '=' => f64::from(is_close(left, right)),
            '+' => left + right,
            '-' => left - right,
            '*' => left * right,
            _ => left / right,
        }
    }
}

fn is_close(left: f64, right: f64) -> bool {
    let (relative, absolute) = EQUALITY;
    left == right || right.is_finite() && (left - right).abs() <= absolute + relative * right.abs()
}

/// Operators from the loosest to the tightest.
const LEVELS: [&[char]; 4] = [&['&', '|'], &['<', '>', '='], &['+', '-'], &['*', '/']];
/// The level of comparisons.
const COMPARISON: usize = 1;

struct FormulaParser<'a> {
    text: &'a str,
    rest: &'a str,
    find: Find<'a>,
    depth: usize,
    drops: bool,
}

impl<'a> FormulaParser<'a> {
    fn space(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn level(&mut self, level: usize) -> Result<FormulaNode, String> {
        let Some(operators) = LEVELS.get(level) else { return self.operand() };
        let mut left = self.level(level + 1)?;
        let mut first = true;
        loop {
            self.space();
            let Some(operator) = self.rest.chars().next().filter(|c| operators.contains(c)) else {
                return Ok(left);
            };
            self.rest = &self.rest[1..];
            let right = self.level(level + 1)?;
            if level > COMPARISON && (left.is_truth() || right.is_truth()) {
                return Err(format!("{operator} needs numbers, and a comparison is none"));
            }
            if level == COMPARISON && !first {
                self.drops = true;
            } else {
                left = FormulaNode::Binary(operator, Box::new(left), Box::new(right));
            }
            first = false;
        }
    }

    fn operand(&mut self) -> Result<FormulaNode, String> {
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

    /// `(6;%a%)`, if that stands here. A name in percent signs may hold anything but them.
    fn region(&mut self) -> Result<Option<FormulaNode>, String> {
        let Some((number, rest)) = self.rest.strip_prefix('(').and_then(|rest| rest.split_once(';')) else {
            return Ok(None);
        };
        let number = number.trim();
        if number.contains(['(', ')', '%']) {
            return Ok(None);
        }
        let name = rest.trim_start().strip_prefix('%').and_then(|rest| rest.split_once('%'));
        let closed = name.and_then(|(name, rest)| Some((name.trim(), rest.trim_start().strip_prefix(')')?)));
        let Some((condition, rest)) = closed else {
            let inside = rest.split_once(')').map_or(rest, |(inside, _)| inside);
            return Err(format!("({number};{inside}) should be (region;%condition%)"));
        };
        let region = match number {
            "*" => None,
            digits if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                // A number beyond all numbers is one that no region has.
                Some(digits.parse().unwrap_or(u64::MAX))
            }
            other => return Err(format!("{other:?} is no number of a region")),
        };
        self.rest = rest;
        Ok(Some(FormulaNode::Pieces((self.find)(region, condition)?)))
    }

    /// As Python writes them: `2`, `-1.5`, `.5`, `1e-3`.
    fn number(&mut self) -> Result<FormulaNode, String> {
        let (number, rest) = self.rest.split_at(number_length(self.rest));
        let value = number.parse().map_err(|_| match self.rest {
            "" => "something is missing at the end".to_string(),
            rest => format!("what is `{rest}`?"),
        })?;
        self.rest = rest;
        Ok(FormulaNode::Number(value))
    }
}

/// Bytes of the number at the beginning of a text.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sign = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(sign);
    let end = if bytes.get(whole) == Some(&b'.') { digits(whole + 1) } else { whole };
    if whole == sign && end <= sign + 1 {
        return 0;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) && whole > sign {
        let sign = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.get(sign).is_some_and(u8::is_ascii_digit) {
            return digits(sign);
        }
    }
    end
}

/// How the predictions of an item turned out.
pub fn judge(formulas: &[Formula], questions: &Questions, answers: &Answers) -> Vec<Verdict> {
    if formulas.is_empty() {
        return Vec::new();
    }
    let mut seen = vec![0; questions.prompts.len()];
    let values = questions.pieces.iter().map(|piece| {
        let place = seen[piece.prompt];
        seen[piece.prompt] += 1;
        answers.pieces(piece.prompt).and_then(|pieces| pieces.get(place))
    });
    let values: Vec<_> = values.collect();
    formulas.iter().map(|formula| formula.judge(&values, &questions.pieces)).collect()
}

#[cfg(test)]
mod tests;
