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

impl Document<'_> {
    /// What the TOML parser says, with the nearest name for an unknown field.
    pub fn syntax(&self, error: &toml::de::Error) -> InputError {
        let message = error.message();
        let reason = unknown_field(message).unwrap_or_else(|| message.trim_end().replace('\n', "; "));
        let place = error.span().map_or(0, |span| span.start);
        InputError::new(self.name, reason).at(self.text, place)
    }

    /// An error about the value at the end of a way, or of as much of it as there is.
    pub fn at(&self, way: &str, reason: impl std::fmt::Display) -> InputError {
        let error = InputError::new(self.name, reason);
        match self.offset(way) {
            Some(offset) => error.at(self.text, offset),
            None => error,
        }
    }

    fn offset(&self, way: &str) -> Option<usize> {
        let table = DeTable::parse(self.text).ok()?;
        let mut found: Option<&Spanned<DeValue>> = None;
        for key in way.split('/').filter(|key| !key.is_empty()) {
            let key = key.replace("~1", "/").replace("~0", "~");
            let next = match found.map(Spanned::get_ref) {
                None => find(table.get_ref(), &key),
                Some(DeValue::Table(table)) => find(table, &key),
                Some(DeValue::Array(items)) => key.parse::<usize>().ok().and_then(|index| items.get(index)),
                Some(_) => None,
            };
            // As far as it goes; what does not even begin has no place.
            match (next, found) {
                (None, None) => return None,
                (None, Some(_)) => break,
                (next, _) => found = next,
            }
        }
        Some(found.map_or(table.span(), Spanned::span).start)
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
