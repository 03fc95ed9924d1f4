//! Bounds, multiples and constants that the engine's arithmetic holds exactly.

use serde_json::Value;

use super::keys::{Enforced, SchemaKeys, below};
use super::places::SchemaDraft;
use super::refusal::Refusal;

/// Whole numbers up to this are exact in an `f64`.
const LARGEST: f64 = 9_007_199_254_740_991.0;
/// Digits after the point.
const MOST_DECIMALS: usize = 9;

const BOUNDS: [&str; 4] = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"];

/// Bounds and multiples of one schema, checked.
pub(super) fn bounds(
    keys: &SchemaKeys,
    pointer: &str,
    draft: SchemaDraft,
    out: &mut SchemaKeys,
) -> Enforced<()> {
    for name in BOUNDS {
        let Some(value) = keys.get(name) else { continue };
        let place = below(pointer, name);
        match value {
            Value::Bool(flag) if name.starts_with("exclusive") && draft == SchemaDraft::Four => {
                let plain = if name == "exclusiveMinimum" { "minimum" } else { "maximum" };
                if let Some(bound) = keys.get(plain).filter(|_| *flag) {
                    out.insert(name.to_string(), bound.clone());
                }
            }
            Value::Number(_) => {
                exact_number(value, &place)?;
                out.insert(name.to_string(), value.clone());
            }
            _ => return Err(Refusal::at(&place, "a number is wanted")),
        }
    }
    if let Some(value) = keys.get("multipleOf") {
        let place = below(pointer, "multipleOf");
        if !value.as_f64().is_some_and(|n| n > 0.0) {
            return Err(Refusal::at(&place, "a number above 0 is wanted"));
        }
        decimal(value, &place)?;
        out.insert("multipleOf".to_string(), value.clone());
    }
    Ok(())
}

/// A constant or a list of them: every number in it is what it says.
pub(super) fn exact_value(value: &Value, pointer: &str) -> Enforced<()> {
    match value {
        Value::Number(_) => exact_number(value, pointer),
        Value::String(text) => match text.chars().any(unwritable) {
            // The engine would leave it out.
            true => Err(Refusal::at(
                pointer,
                "a control character other than \\b \\t \\n \\f \\r can't be enforced",
            )),
            false => Ok(()),
        },
        Value::Array(list) => {
            list.iter().enumerate().try_for_each(|(i, inner)| exact_value(inner, &format!("{pointer}/{i}")))
        }
        Value::Object(keys) => {
            keys.iter().try_for_each(|(name, inner)| exact_value(inner, &below(pointer, name)))
        }
        _ => Ok(()),
    }
}

fn unwritable(c: char) -> bool {
    c.is_ascii_control() && !matches!(c, '\u{8}' | '\t' | '\n' | '\u{C}' | '\r')
}

fn exact_number(value: &Value, pointer: &str) -> Enforced<()> {
    let number = value.as_f64().unwrap_or(f64::INFINITY);
    if number.abs() > LARGEST {
        return Err(Refusal::at(pointer, "numbers beyond ±9007199254740991 can't be enforced exactly"));
    }
    let decimals = format!("{number}").split_once('.').map_or(0, |(_, decimals)| decimals.len());
    if decimals > MOST_DECIMALS {
        return Err(Refusal::at(
            pointer,
            format!("more than {MOST_DECIMALS} digits after the point can't be enforced"),
        ));
    }
    Ok(())
}

/// A positive number as digits and a power of ten, where the engine comes to the same.
fn decimal(value: &Value, pointer: &str) -> Enforced<(u64, u32)> {
    exact_number(value, pointer)?;
    let number = value.as_f64().unwrap_or(0.0);
    let text = format!("{number}");
    let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
    let digits: u64 = format!("{whole}{decimals}").parse().unwrap_or(u64::MAX);
    // As the engine does it, in steps that round.
    let (mut scaled, mut steps) = (number, 0);
    while scaled.fract() != 0.0 && steps < 20 {
        scaled *= 10.0;
        steps += 1;
    }
    let exact = steps as usize >= decimals.len()
        && scaled <= f64::from(u32::MAX)
        && u128::from(digits) * 10u128.pow(steps - decimals.len() as u32) == scaled as u128;
    match exact {
        true => Ok((digits, decimals.len() as u32)),
        false => Err(Refusal::at(pointer, "this number has too many digits for multipleOf to be enforced")),
    }
}

/// Numbers of the whole document that may meet at one place, by allOf or a reference.
#[derive(Default)]
pub(super) struct AllNumbers {
    multiples: Vec<(u64, u32, String)>,
    exclusive: Vec<(f64, String)>,
    bounds: Vec<f64>,
}

impl AllNumbers {
    pub fn note(&mut self, keys: &SchemaKeys, out: &SchemaKeys, pointer: &str) -> Enforced<()> {
        for name in BOUNDS {
            let Some(bound) = out.get(name).and_then(Value::as_f64) else { continue };
            self.bounds.push(bound);
            if name.starts_with("exclusive") {
                self.exclusive.push((bound, below(pointer, name)));
            }
        }
        if let Some(value) = keys.get("multipleOf") {
            let place = below(pointer, "multipleOf");
            let (digits, exponent) = decimal(value, &place)?;
            if !self.multiples.iter().any(|(d, e, _)| (*d, *e) == (digits, exponent)) {
                self.multiples.push((digits, exponent, place));
            }
        }
        Ok(())
    }

    /// The engine multiplies in 32 bits, and lets a whole exclusive bound itself through where the
    /// other bound lies within the same unit.
    pub fn check(&self) -> Enforced<()> {
        let finest = self.multiples.iter().map(|(_, exponent, _)| *exponent).max().unwrap_or(0);
        let mut product = 1u128;
        for (digits, exponent, place) in &self.multiples {
            product = product.saturating_mul(u128::from(*digits) * 10u128.pow(finest - exponent));
            if self.multiples.len() > 1 && product > u128::from(u32::MAX) {
                return Err(Refusal::at(
                    place,
                    "beside the other multipleOf of the schema this is too large to be enforced",
                ));
            }
        }
        for (bound, place) in &self.exclusive {
            let near = |other: &f64| {
                other.fract() != 0.0 && (other.abs() - bound.abs()) > 0.0 && (other.abs() - bound.abs()) < 1.0
            };
            if bound.fract() == 0.0 && self.bounds.iter().any(near) {
                return Err(Refusal::at(
                    place,
                    "an exclusive whole bound can't be enforced beside another bound less than 1 away",
                ));
            }
        }
        Ok(())
    }
}
