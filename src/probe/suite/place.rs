//! Where something stands in a suite file.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::probe::error::{InputError, meant};

/// A suite file's text.
#[derive(Clone, Copy, Debug)]
pub struct Document<'a> {
    /// What errors call it.
    pub name: &'a str,
    /// All of it.
    pub text: &'a str,
}

/// One step of the way to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathKey<'a> {
    /// Into a table.
    Key(&'a str),
    /// Into a list.
    Index(usize),
}

impl Document<'_> {
    /// What the TOML parser says, with the nearest name for an unknown field.
    pub fn syntax(&self, error: &toml::de::Error) -> InputError {
        let message = error.message();
        let reason = unknown_field(message).unwrap_or_else(|| message.trim_end().replace('\n', "; "));
        let place = error.span().map_or(0, |span| span.start);
        InputError::new(self.name, reason).at(self.text, place)
    }

    /// An error about the value at the end of a way, or of as much of it as there is.
    pub fn at(&self, way: &[PathKey], reason: impl std::fmt::Display) -> InputError {
        let error = InputError::new(self.name, reason);
        match self.offset(way) {
            Some(offset) => error.at(self.text, offset),
            None => error,
        }
    }

    fn offset(&self, way: &[PathKey]) -> Option<usize> {
        let table = DeTable::parse(self.text).ok()?;
        let Some((PathKey::Key(first), rest)) = way.split_first() else { return Some(table.span().start) };
        let mut value = find(table.get_ref(), first)?;
        for step in rest {
            let next = match (step, value.get_ref()) {
                (PathKey::Key(key), DeValue::Table(table)) => find(table, key),
                (PathKey::Index(index), DeValue::Array(items)) => items.get(*index),
                _ => None,
            };
            let Some(next) = next else { break };
            value = next;
        }
        Some(value.span().start)
    }
}

/// Whole numbers of more than 64 bits in `params` become texts of their digits; elsewhere none is meant.
pub fn keep_digits(table: &mut DeTable, inside: bool) {
    for (name, value) in table.iter_mut() {
        keep_digits_of(value.get_mut(), inside || name.get_ref() == "params");
    }
}

fn keep_digits_of(value: &mut DeValue, inside: bool) {
    match value {
        DeValue::Table(table) => keep_digits(table, inside),
        DeValue::Array(items) => items.iter_mut().for_each(|item| keep_digits_of(item.get_mut(), inside)),
        DeValue::Integer(whole) if inside && whole.radix() == 10 => {
            let digits = whole.as_str().trim_start_matches('+').replace('_', "");
            if digits.parse::<i64>().is_err() && digits.parse::<u64>().is_err() {
                *value = DeValue::String(digits.into());
            }
        }
        _ => {}
    }
}

fn find<'a, 'i>(table: &'a DeTable<'i>, key: &str) -> Option<&'a Spanned<DeValue<'i>>> {
    table.iter().find(|(name, _)| name.get_ref() == key).map(|(_, value)| value)
}

/// "unknown field `promt`, expected one of `prompt`, …" as a person would say it.
fn unknown_field(message: &str) -> Option<String> {
    let mut quoted = message.strip_prefix("unknown field ")?.split('`').skip(1).step_by(2);
    let written = quoted.next()?;
    let known: Vec<&str> = quoted.collect();
    Some(format!("there is no field {written} here; {}", meant(written, known)))
}
