//! `regex_replace`, as lm-evaluation-harness adds it: Python's `re.sub`.

use fancy_regex::{Captures, Regex};
use minijinja::{Error, State, Value};

use super::arguments::{Arguments, Tail};
use super::bounds::charge;
use super::python;

/// Steps a pattern may take before it is given up.
const BACKTRACK_LIMIT: usize = 1_000_000;

/// The `regex_replace` filter: `text|regex_replace(pattern, replacement, count=0)`.
pub fn replace(state: &State, value: &Value, args: Tail) -> Result<String, Error> {
    let mut args = Arguments::of_filter("regex_replace", args);
    let (pattern, replacement) = (args.text("pattern")?, args.text("repl")?);
    let count = args.optional_int("count")?.unwrap_or(0);
    args.finish()?;
    let Some(text) = value.as_str() else {
        return Err(invalid(format!("the text must be a string, not a {}", value.kind())));
    };
    let regex = compile(&pattern).map_err(invalid)?;
    let pieces = parse(&replacement)?;
    let limit = usize::try_from(count).ok().filter(|count| *count > 0).unwrap_or(usize::MAX);
    substitute(state, (&regex, text), &pieces, limit)
}

/// A pattern as Python reads it: its `\Z` is the very end, which is `\z` elsewhere.
pub fn compile(pattern: &str) -> Result<Regex, String> {
    fancy_regex::RegexBuilder::new(&pattern.replace("\\Z", "\\z"))
        .backtrack_limit(BACKTRACK_LIMIT)
        .build()
        .map_err(|error| format!("pattern {pattern:?}: {error}"))
}

/// Whether a pattern is found anywhere in a text, as `re.search`.
pub fn search(text: &str, pattern: &str) -> Result<bool, Error> {
    let wrong = python::invalid;
    compile(pattern).map_err(wrong)?.is_match(text).map_err(|error| wrong(error.to_string()))
}

/// What the first group of a pattern matched, where there is a match and the group took part.
pub fn group(text: &str, pattern: &str) -> Option<String> {
    let captures = compile(pattern).ok()?.captures(text).ok()??;
    Some(captures.get(1)?.as_str().to_string())
}

fn invalid(reason: String) -> Error {
    python::invalid(format!("regex_replace: {reason}"))
}

fn substitute(
    state: &State,
    (regex, text): (&Regex, &str),
    pieces: &[PatternPiece],
    limit: usize,
) -> Result<String, Error> {
    let mut out = String::new();
    let mut copied = 0;
    for captures in regex.captures_iter(text).take(limit) {
        let captures = captures.map_err(|error| invalid(error.to_string()))?;
        let Some(all) = captures.get(0) else { continue };
        out.push_str(&text[copied..all.start()]);
        copied = all.end();
        let before = out.len();
        for piece in pieces {
            piece.write(&mut out, &captures)?;
        }
        charge(state, out.len() - before)?;
    }
    out.push_str(&text[copied..]);
    Ok(out)
}

/// Part of a replacement.
enum PatternPiece {
    Text(String),
    Number(usize),
    Name(String),
}

impl PatternPiece {
    fn write(&self, out: &mut String, captures: &Captures) -> Result<(), Error> {
        let group = match self {
            PatternPiece::Text(text) => {
                out.push_str(text);
                return Ok(());
            }
            PatternPiece::Number(number) if *number < captures.len() => captures.get(*number),
            PatternPiece::Number(number) => return Err(invalid(format!("there is no group {number}"))),
            PatternPiece::Name(name) => captures.name(name),
        };
        out.push_str(group.map_or("", |group| group.as_str()));
        Ok(())
    }
}

/// Reads `\1`, `\g<1>`, `\g<name>` and the escapes of a Python replacement.
fn parse(replacement: &str) -> Result<Vec<PatternPiece>, Error> {
    let mut pieces = Vec::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        pieces.push(PatternPiece::Text(rest[..at].to_string()));
        rest = &rest[at + 1..];
        if let Some(named) = rest.strip_prefix("g<") {
            let end = named.find('>').ok_or_else(|| invalid("\\g<…> is not closed".to_string()))?;
            let name = &named[..end];
            pieces.push(
                name.parse().map_or_else(|_| PatternPiece::Name(name.to_string()), PatternPiece::Number),
            );
            rest = &named[end + 1..];
            continue;
        }
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            let digits = digits.min(2);
            pieces.push(PatternPiece::Number(rest[..digits].parse().unwrap_or(0)));
            rest = &rest[digits..];
            continue;
        }
        let escaped =
            rest.chars().next().ok_or_else(|| invalid("a lone backslash at the end".to_string()))?;
        let text = match escaped {
            'n' => "\n",
            'r' => "\r",
            't' => "\t",
            '\\' => "\\",
            c if c.is_ascii_alphabetic() => return Err(invalid(format!("\\{c} is no escape"))),
            _ => "\\",
        };
        pieces.push(PatternPiece::Text(text.to_string()));
        let used = if "nrt\\".contains(escaped) { 1 } else { 0 };
        rest = &rest[used..];
    }
    pieces.push(PatternPiece::Text(rest.to_string()));
    Ok(pieces)
}

/// How many words a text has for the `wordcount` filter: matches of `\w+`.
pub fn words(text: &str) -> usize {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.split(|c: char| !is_word(c)).filter(|word| !word.is_empty()).count()
}
