//! Numbers as Python reads and divides them.

use minijinja::value::ValueKind;
use minijinja::{Error, State, Value};

use super::arguments::{Arguments, Tail};
use super::bounds::defined;
use super::python::invalid;
use super::{python, strings};

/// `left % right`: formats a string, or takes the remainder that has the divisor's sign.
pub fn percent(state: &State, left: &Value, right: &Value) -> Result<Value, Error> {
    if let Some(format) = left.as_str() {
        let args = if right.is_tuple() {
            right.try_iter()?.checked().collect::<Result<Vec<_>, _>>()?
        } else {
            vec![right.clone()]
        };
        return strings::printf(state, format, &args).map(Value::from);
    }
    remainder(left, right).ok_or_else(|| {
        let reason = format!("no remainder of {} and {}", left.kind(), right.kind());
        invalid(reason)
    })
}

/// The sum of two numbers; `None` where there is none that an i128 or a float can hold.
pub fn add(left: &Value, right: &Value) -> Option<Value> {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left.checked_add(right).map(Value::from),
        _ => Some(Value::from(real(left)? + real(right)?)),
    }
}

/// The product of two numbers; `None` where there is none that an i128 or a float can hold.
pub fn times(left: &Value, right: &Value) -> Option<Value> {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left.checked_mul(right).map(Value::from),
        _ => Some(Value::from(real(left)? * real(right)?)),
    }
}

/// A value as a whole number, if it is one or a truth value.
pub fn whole(value: &Value) -> Option<i128> {
    let whole = value.is_integer() || value.kind() == ValueKind::Bool;
    whole.then(|| i128::try_from(value.clone()).ok()).flatten()
}

/// A number or truth value as a float.
fn real(value: &Value) -> Option<f64> {
    whole(value).map(|whole| whole as f64).or_else(|| f64::try_from(value.clone()).ok())
}

fn remainder(left: &Value, right: &Value) -> Option<Value> {
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        let rest = left.checked_rem(right)?;
        return Some(Value::from(if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest }));
    }
    let (left, right) = (real(left)?, real(right)?);
    if right == 0.0 {
        return None;
    }
    let rest = left % right;
    Some(Value::from(match rest {
        0.0 => 0f64.copysign(right),
        rest if (rest < 0.0) != (right < 0.0) => rest + right,
        rest => rest,
    }))
}

/// The `int` filter: what can't be read is the default.
pub fn int(state: &State, value: &Value, args: Tail) -> Result<Value, Error> {
    let mut args = Arguments::of_filter("int", args);
    let default = args.optional("default")?.unwrap_or(Value::from(0));
    let base = args.optional_int("base")?.unwrap_or(10);
    args.finish()?;
    defined(state, value)?;
    let number = match value.as_str() {
        Some(text) => read_int(text, base).or_else(|| read_float(text).and_then(truncated)),
        None => whole(value).map(Value::from).or_else(|| real(value).and_then(truncated)),
    };
    Ok(number.unwrap_or(default))
}

/// The `float` filter: what can't be read is the default.
pub fn float(state: &State, value: &Value, args: Tail) -> Result<Value, Error> {
    let mut args = Arguments::of_filter("float", args);
    let default = args.optional("default")?.unwrap_or(Value::from(0.0));
    args.finish()?;
    defined(state, value)?;
    let number = match value.as_str() {
        Some(text) => read_float(text),
        None => real(value),
    };
    Ok(number.map_or(default, Value::from))
}

fn truncated(number: f64) -> Option<Value> {
    let number = number.trunc();
    // Beyond this an i128 would saturate.
    (number.abs() < 1.7e38).then(|| Value::from(number as i128))
}

/// Digits with single underscores between them, without the underscores.
fn digits(text: &str) -> Option<String> {
    let well_placed = !text.starts_with('_') && !text.ends_with('_') && !text.contains("__");
    well_placed.then(|| text.replace('_', ""))
}

/// `int(text, base)`.
fn read_int(text: &str, base: i64) -> Option<Value> {
    let text = strings::stripped(text, None, true, true);
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let prefix = unsigned.get(..2).map(str::to_ascii_lowercase);
    let prefixed = match prefix.as_deref() {
        Some("0x") => Some(16),
        Some("0o") => Some(8),
        Some("0b") => Some(2),
        _ => None,
    };
    let (base, body) = match (base, prefixed) {
        (0, Some(prefixed)) => (prefixed, &unsigned[2..]),
        (0, None) => (10, unsigned),
        (base, Some(prefixed)) if base == prefixed => (base, &unsigned[2..]),
        (base, _) => (base, unsigned),
    };
    let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base))?;
    let body = digits(body.strip_prefix('_').filter(|_| prefixed.is_some()).unwrap_or(body))?;
    let starts_well = body.starts_with(|c: char| c.is_ascii_alphanumeric());
    let number = i128::from_str_radix(&body, base).ok().filter(|_| starts_well)?;
    Some(Value::from(if negative { -number } else { number }))
}

/// `float(text)`.
fn read_float(text: &str) -> Option<f64> {
    digits(strings::stripped(text, None, true, true))?.parse().ok()
}

/// The `round` filter: half to even on the exact decimal value, as Python rounds.
pub fn round(state: &State, value: &Value, args: Tail) -> Result<Value, Error> {
    let mut args = Arguments::of_filter("round", args);
    let precision = args.optional_int("precision")?.unwrap_or(0);
    let method = args.optional_text("method")?.unwrap_or_else(|| "common".to_string());
    args.finish()?;
    defined(state, value)?;
    let number =
        real(value).ok_or_else(|| invalid(format!("round takes a number, not a {}", value.kind())))?;
    let power = 10f64.powi(precision.clamp(-400, 400) as i32);
    match method.as_str() {
        "ceil" => Ok(Value::from((number * power).ceil() / power)),
        "floor" => Ok(Value::from((number * power).floor() / power)),
        "common" => {
            let precision = i32::try_from(precision).ok();
            let none = std::iter::empty::<(&str, Value)>().collect();
            minijinja::filters::round(value.clone(), precision, None, none)
        }
        _ => Err(invalid("round: the method must be common, ceil or floor".to_string())),
    }
}

/// What is left of a number after division by another; an error where there is no such thing.
pub fn rest(state: &State, value: &Value, divisor: &Value) -> Result<f64, Error> {
    let shown = || python::repr(value).unwrap_or_default();
    real(&percent(state, value, divisor)?).ok_or_else(|| invalid(format!("{} is not a number", shown())))
}
