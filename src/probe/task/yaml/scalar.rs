//! Scalars as PyYAML's resolver and constructors read them: YAML 1.1, where `no` is false and `1e3` a text.

use std::sync::LazyLock;

use fancy_regex::Regex;
use jiff::civil::{Date, Time};

use super::Yaml;

/// Most digits of a whole number that Python reads.
const DIGITS: usize = 4300;

/// What a text without quotes is by its look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScalarKind {
    Null,
    Bool,
    Int,
    Float,
    Timestamp,
    /// `<<`.
    Merge,
    /// `=`.
    Value,
    Text,
}

/// The patterns of PyYAML's resolver.
struct Pattern(&'static str);

impl Pattern {
    fn compile(self) -> Option<Regex> {
        Regex::new(self.0).ok()
    }
}

static FLOAT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Pattern(concat!(
        r"^(?:[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+][0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?",
        r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"
    ))
    .compile()
});
static INT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Pattern(concat!(
        r"^(?:[-+]?0b[0-1_]+|[-+]?0[0-7_]+|[-+]?(?:0|[1-9][0-9_]*)|[-+]?0x[0-9a-fA-F_]+",
        r"|[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+)$"
    ))
    .compile()
});
static TIMESTAMP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Pattern(concat!(
        r"^(?:[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]|[0-9][0-9][0-9][0-9]-[0-9][0-9]?-[0-9][0-9]?",
        r"(?:[Tt]|[ \t]+)[0-9][0-9]?:[0-9][0-9]:[0-9][0-9](?:\.[0-9]*)?",
        r"(?:[ \t]*(?:Z|[-+][0-9][0-9]?(?::[0-9][0-9])?))?)$"
    ))
    .compile()
});
static DATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Pattern(concat!(
        r"^(?P<year>[0-9]{4})-(?P<month>[0-9][0-9]?)-(?P<day>[0-9][0-9]?)(?:(?:[Tt]|[ \t]+)",
        r"(?P<hour>[0-9][0-9]?):(?P<minute>[0-9][0-9]):(?P<second>[0-9][0-9])(?:\.(?P<fraction>[0-9]*))?",
        r"(?:[ \t]*(?P<zone>Z|[-+][0-9][0-9]?(?::[0-9][0-9])?))?)?$"
    ))
    .compile()
});

fn fits(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text).unwrap_or(false))
}

/// What a plain text is.
pub fn kind(text: &str) -> ScalarKind {
    let number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    match text {
        "" | "~" | "null" | "Null" | "NULL" => ScalarKind::Null,
        "<<" => ScalarKind::Merge,
        "=" => ScalarKind::Value,
        _ if truth(text).is_some() => ScalarKind::Bool,
        _ if number && fits(&FLOAT, text) => ScalarKind::Float,
        _ if number && fits(&INT, text) => ScalarKind::Int,
        _ if number && fits(&TIMESTAMP, text) => ScalarKind::Timestamp,
        _ => ScalarKind::Text,
    }
}

/// The value of a text that is of this kind, or is said to be; why it is none where Python fails too.
pub fn value(text: &str, kind: ScalarKind) -> Result<Yaml, String> {
    let wrong = |what: &str| format!("{what} is no {text:?}");
    match kind {
        ScalarKind::Null => Ok(Yaml::Null),
        ScalarKind::Text => Ok(Yaml::Text(text.to_string())),
        ScalarKind::Merge => Err("<< stands for a key, not for a value; put it in quotes".to_string()),
        ScalarKind::Value => Err("= without quotes is no value in YAML 1.1; put it in quotes".to_string()),
        ScalarKind::Bool => truth(&text.to_lowercase()).map(Yaml::Bool).ok_or_else(|| wrong("a truth value")),
        ScalarKind::Int => integer(text).ok_or_else(|| wrong("a whole number")),
        ScalarKind::Float => real(text).map(Yaml::Float).ok_or_else(|| wrong("a number")),
        ScalarKind::Timestamp => timestamp(text).map(Yaml::Text).ok_or_else(|| wrong("a date")),
    }
}

fn truth(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn unsigned(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn integer(text: &str) -> Option<Yaml> {
    let plain = text.replace('_', "");
    let (negative, digits) = unsigned(&plain);
    let parts: Vec<&str> = digits.split(':').collect();
    let (parts, radix, step) = match digits {
        "0" => (vec!["0"], 10, 10),
        _ if digits.starts_with("0b") => (vec![&digits[2..]], 2, 2),
        _ if digits.starts_with("0x") => (vec![&digits[2..]], 16, 16),
        _ if digits.starts_with('0') => (vec![digits], 8, 8),
        _ if parts.len() > 1 => (parts, 10, 60),
        _ if digits.len() > DIGITS => return None,
        _ => (parts, 10, 10),
    };
    let mut number = Decimal::default();
    for part in &parts {
        if part.is_empty() {
            return None;
        }
        if parts.len() > 1 {
            number.push(step, part.parse().ok()?);
            continue;
        }
        for c in part.chars() {
            number.push(step, c.to_digit(radix)?);
        }
    }
    let written = format!("{}{}", if negative { "-" } else { "" }, number.text());
    Some(written.parse().map(Yaml::Int).unwrap_or(Yaml::Large(written)))
}

/// A whole number of any size: decimal digits, nine a piece, lowest first.
#[derive(Default)]
struct Decimal(Vec<u32>);

impl Decimal {
    /// Times `factor`, plus `digit`.
    fn push(&mut self, factor: u32, digit: u32) {
        let mut carry = u64::from(digit);
        for piece in &mut self.0 {
            let sum = u64::from(*piece) * u64::from(factor) + carry;
            *piece = (sum % 1_000_000_000) as u32;
            carry = sum / 1_000_000_000;
        }
        if carry > 0 {
            self.0.push(carry as u32);
        }
    }

    fn text(&self) -> String {
        let mut pieces = self.0.iter().rev();
        let first = pieces.next().map_or("0".to_string(), u32::to_string);
        pieces.fold(first, |text, piece| format!("{text}{piece:09}"))
    }
}

fn real(text: &str) -> Option<f64> {
    let plain = text.replace('_', "").to_lowercase();
    let (negative, digits) = unsigned(&plain);
    let number = match digits {
        ".inf" => f64::INFINITY,
        ".nan" => return Some(f64::NAN),
        _ if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => {
            let mut number = 0.0;
            for part in digits.split(':') {
                number = number * 60.0 + part.parse::<f64>().ok()?;
            }
            number
        }
        _ => return None,
    };
    Some(if negative { -number } else { number })
}

/// A date, as Python prints it.
fn timestamp(text: &str) -> Option<String> {
    let found = DATE.as_ref()?.captures(text).ok()??;
    let number = |name: &str| found.name(name)?.as_str().parse::<i64>().ok();
    let small = |name: &str| number(name).and_then(|number| i8::try_from(number).ok());
    let year = number("year").and_then(|year| i16::try_from(year).ok()).filter(|year| *year > 0)?;
    let date = Date::new(year, small("month")?, small("day")?).ok()?;
    if found.name("hour").is_none() {
        return Some(date.to_string());
    }
    let fraction: String = found
        .name("fraction")
        .map_or("", |digits| digits.as_str())
        .chars()
        .chain("000000".chars())
        .take(6)
        .collect();
    let time = Time::new(small("hour")?, small("minute")?, small("second")?, 0).ok()?;
    let fraction = if fraction == "000000" { String::new() } else { format!(".{fraction}") };
    let zone = match found.name("zone").map(|zone| zone.as_str()) {
        None => String::new(),
        Some("Z") => "+00:00".to_string(),
        Some(zone) => {
            let (hours, minutes) = zone[1..].split_once(':').unwrap_or((&zone[1..], "00"));
            let (hours, minutes): (u32, u32) = (hours.parse().ok()?, minutes.parse().ok()?);
            if hours * 60 + minutes >= 24 * 60 {
                return None;
            }
            let minus = zone.starts_with('-') && hours + minutes > 0;
            format!("{}{:02}:{:02}", if minus { '-' } else { '+' }, hours + minutes / 60, minutes % 60)
        }
    };
    Some(format!("{date} {time}{fraction}{zone}"))
}
