//! The keys of one schema, and where they stand.

use serde_json::{Map, Value};

use super::refusal::Refusal;

/// Items of an array and characters of a string that can be asked for.
const MOST_COUNTED: u64 = 100_000;

/// The keys of one schema.
pub(super) type SchemaKeys = Map<String, Value>;

/// What every check answers.
pub(super) type Enforced<T> = Result<T, Refusal>;

/// A pointer, one step further.
pub(super) fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// A number of things: not negative, whole, and no more than can be counted.
pub(super) fn count(keys: &SchemaKeys, name: &str, pointer: &str) -> Enforced<Option<u64>> {
    let Some(value) = keys.get(name) else { return Ok(None) };
    let place = below(pointer, name);
    let whole = value.as_f64().filter(|n| *n >= 0.0 && n.fract() == 0.0);
    let n = whole.ok_or_else(|| Refusal::at(&place, "a whole number from 0 on is wanted"))?;
    if n > MOST_COUNTED as f64 {
        return Err(Refusal::at(&place, format!("the most that can be counted is {MOST_COUNTED}")));
    }
    Ok(Some(n as u64))
}
