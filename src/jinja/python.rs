//! How Python prints a value: `str()` and `repr()` of everything a template can hold.
//!
//! Templates print lists, dictionaries, numbers and `None` straight into a prompt, so these spellings
//! become tokens. Owns no template state.

use std::borrow::Cow;
use std::fmt::Write;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

/// Containers nested deeper than this are refused, as Python's recursion limit would.
pub const MAX_DEPTH: usize = 200;

/// Bytes one value may print as.
pub const MAX_PRINTED: usize = 64 << 20;

/// `str(value)`.
pub fn str(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write_str(&mut out, value)?;
    Ok(out)
}

/// Appends `str(value)`.
pub fn write_str(out: &mut String, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => out.push_str(text),
        None if value.is_undefined() => {}
        None => write_repr(out, value, 0)?,
    }
    Ok(())
}

/// `repr(value)`.
pub fn repr(value: &Value) -> Result<String, Error> {
    let mut out = String::new();
    write_repr(&mut out, value, 0)?;
    Ok(out)
}

fn write_repr(out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
    if depth > MAX_DEPTH {
        return Err(too_deep(MAX_DEPTH));
    }
    check_length(out)?;
    match value.kind() {
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number => write_number(out, value),
        ValueKind::String => write_string_repr(out, value.as_str().unwrap_or_default()),
        ValueKind::Map => write_map(out, value, depth)?,
        ValueKind::Seq | ValueKind::Iterable if value.len().is_some() => write_items(out, value, depth)?,
        _ => {
            let _ = write!(out, "{value}");
        }
    }
    Ok(())
}

/// What Python would call a `ValueError` or a `TypeError`.
pub fn invalid(reason: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

/// What is said of a value nested too deep.
pub fn too_deep(limit: usize) -> Error {
    invalid(format!("a value is nested more than {limit} levels deep"))
}

/// What is printed of one value may not be longer: a list can hold another any number of times.
pub fn check_length(out: &str) -> Result<(), Error> {
    if out.len() <= MAX_PRINTED {
        return Ok(());
    }
    Err(invalid(format!("a value prints as more than {MAX_PRINTED} bytes")))
}

fn write_map(out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
    out.push('{');
    for (index, key) in value.try_iter()?.checked().enumerate() {
        let key = key?;
        if index > 0 {
            out.push_str(", ");
        }
        write_repr(out, &key, depth + 1)?;
        out.push_str(": ");
        write_repr(out, &value.get_item(&key)?, depth + 1)?;
    }
    out.push('}');
    Ok(())
}

fn write_items(out: &mut String, value: &Value, depth: usize) -> Result<(), Error> {
    let (open, close) = if value.is_tuple() { ('(', ')') } else { ('[', ']') };
    out.push(open);
    let mut count = 0;
    for item in value.try_iter()?.checked() {
        if count > 0 {
            out.push_str(", ");
        }
        write_repr(out, &item?, depth + 1)?;
        count += 1;
    }
    if value.is_tuple() && count == 1 {
        out.push(',');
    }
    out.push(close);
    Ok(())
}

/// Appends a number as both `str()` and `repr()` spell it.
pub fn write_number(out: &mut String, value: &Value) {
    if value.is_integer() {
        let _ = write!(out, "{value}");
    } else if let Ok(float) = f64::try_from(value.clone()) {
        out.push_str(&float_repr(float));
    }
}

/// `repr(float)`: the shortest digits that read back, with an exponent outside 1e-4 ≤ |x| < 1e16.
pub fn float_repr(float: f64) -> String {
    if float.is_nan() {
        return "nan".to_string();
    }
    if float.is_infinite() {
        return if float > 0.0 { "inf" } else { "-inf" }.to_string();
    }
    // Rust changes to an exponent at the same places; Python signs and pads it.
    let text = format!("{float:?}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return text };
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

fn write_string_repr(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c => write_escape(out, c as u32),
        }
    }
    out.push(quote);
}

fn write_escape(out: &mut String, code: u32) {
    let _ = match code {
        0..=0xFF => write!(out, "\\x{code:02x}"),
        0x100..=0xFFFF => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
}

/// `str.isprintable` of one character. Rust escapes the same Unicode categories when it debugs a
/// string; what extends a grapheme it escapes only in first place, hence the letter before.
fn is_printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    let mut pair = String::with_capacity(8);
    pair.push('a');
    pair.push(c);
    pair.escape_debug().nth(1) == Some(c)
}

/// Characters that `str.isspace` and `str.strip` see as white space: Unicode's, and the four
/// separators of ASCII.
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Characters that end a line for `str.splitlines`.
pub fn is_line_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The lines of `str.splitlines`, with their ends if wanted. A final line break begins no line.
pub fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(is_line_break) {
        let width = match &rest.as_bytes()[at..] {
            [b'\r', b'\n', ..] => 2,
            _ => rest[at..].chars().next().map_or(1, char::len_utf8),
        };
        lines.push(&rest[..if keep_ends { at + width } else { at }]);
        rest = &rest[at + width..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}
