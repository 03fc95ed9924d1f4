//! The fields of a request's body, taken one by one: each is checked, and what nobody took is named.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::error::ApiError;
use crate::text::nearest;

/// Characters of an unknown field's name that are looked at.
const LONGEST_NAME: usize = 60;

/// What is left of a body. A field that is null is as if it was not there, as OpenAI has it.
#[derive(Debug)]
pub(super) struct Fields {
    left: Map<String, Value>,
    /// Names that were asked for.
    known: Vec<&'static str>,
}

/// What a value is, in words.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Fields {
    /// Reads a body.
    pub fn read(body: &[u8]) -> Result<Fields, ApiError> {
        let value = serde_json::from_slice(body)
            .map_err(|error| ApiError::bad(format!("the body is no JSON: {error}")).code("invalid_json"))?;
        match value {
            Value::Object(left) => Ok(Fields { left, known: Vec::new() }),
            other => Err(ApiError::bad(format!("the body must be a JSON object, not {}", kind(&other)))),
        }
    }

    /// The fields of an object inside a body, which is called `name`.
    pub fn within(name: &str, value: Value) -> Result<Fields, ApiError> {
        match value {
            Value::Object(left) => Ok(Fields { left, known: Vec::new() }),
            other => Err(ApiError::field(name, format!("must be an object, not {}", kind(&other)))),
        }
    }

    /// Any value.
    pub fn value(&mut self, name: &'static str) -> Option<Value> {
        self.known.push(name);
        self.left.shift_remove(name).filter(|value| !value.is_null())
    }

    pub fn text(&mut self, name: &'static str) -> Result<Option<String>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(wrong(name, "a text", &other)),
        }
    }

    pub fn flag(&mut self, name: &'static str) -> Result<Option<bool>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(other) => Err(wrong(name, "true or false", &other)),
        }
    }

    /// A whole number within a range.
    pub fn whole(&mut self, name: &'static str, range: RangeInclusive<i64>) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let wanted = || format!("must be a whole number from {} to {}", range.start(), range.end());
        let Value::Number(number) = &value else {
            return Err(ApiError::field(name, format!("{}, not {}", wanted(), kind(&value))));
        };
        // Some clients write every number with a point.
        let real = number.as_f64().filter(|real| real.fract() == 0.0 && real.abs() < 9e15);
        let whole = number.as_i64().or(real.map(|real| real as i64));
        whole
            .filter(|whole| range.contains(whole))
            .map(Some)
            .ok_or_else(|| ApiError::field(name, format!("{}, not {number}", wanted())))
    }

    /// Any number, as it is written.
    pub fn number(&mut self, name: &'static str) -> Result<Option<f64>, ApiError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Number(number)) => Ok(number.as_f64()),
            Some(other) => Err(wrong(name, "a number", &other)),
        }
    }

    /// A field that is not to be had: only null, or what makes no difference, may stand there.
    pub fn refused(&mut self, name: &'static str, neutral: &[Value], why: &str) -> Result<(), ApiError> {
        match self.value(name) {
            Some(value) if !neutral.contains(&value) => Err(ApiError::field(name, why)),
            _ => Ok(()),
        }
    }

    /// Everything was taken but for what makes no difference.
    pub fn done(mut self, without_effect: &[&'static str]) -> Result<(), ApiError> {
        self.left.retain(|name, value| !value.is_null() && !without_effect.contains(&name.as_str()));
        let Some(name) = self.left.keys().next() else { return Ok(()) };
        let short: String = name.chars().take(LONGEST_NAME).collect();
        let hint = match nearest(&short, self.known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("there are: {}", self.known.join(", ")),
        };
        Err(ApiError::field(&short, format!("is no field of this request; {hint}")).code("unknown_field"))
    }
}

fn wrong(name: &str, wanted: &str, found: &Value) -> ApiError {
    ApiError::field(name, format!("must be {wanted}, not {}", kind(found)))
}

#[cfg(test)]
mod tests;
