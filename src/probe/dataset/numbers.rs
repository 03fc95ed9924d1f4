//! The types of cells: what is a number, and what stays the text that was written.
//!
//! Rows of suites are as written: a number is one only where it prints as it was written, and no digit is
//! lost. Rows of tasks are typed as pandas 3 reads a CSV file and Arrow JSON Lines.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use crate::jinja::python::float_repr;

/// Digits that always fit 64 bits.
const FIT: usize = 18;

/// What pandas takes for no value.
const MISSING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// The values of a suite's column: numbers or truth values if every cell prints as it was written, else
/// texts; an empty cell is null.
pub fn as_written(column: &[String]) -> Vec<Value> {
    let number = |cell: &str| {
        let whole = cell.parse::<i64>().map(Value::from).or_else(|_| cell.parse::<u64>().map(Value::from));
        let whole = whole.ok().filter(|_| canonical(cell) == cell);
        whole.or_else(|| {
            let real = cell.parse::<f64>().ok().filter(|real| float_repr(*real) == cell)?;
            Number::from_f64(real).map(Value::Number)
        })
    };
    let truth = |cell: &str| match cell {
        "True" => Some(Value::Bool(true)),
        "False" => Some(Value::Bool(false)),
        _ => None,
    };
    let empty = |cell: &str| cell.is_empty();
    every(column, empty, number)
        .or_else(|| every(column, empty, truth))
        .unwrap_or_else(|| texts(column, empty))
}

/// The values of a task's column, as `pandas.read_csv` gives them by way of Arrow: a missing value makes
/// whole numbers real; those over int64 are uint64, and texts beside negative or missing ones.
pub fn as_pandas(column: &[String]) -> Vec<Value> {
    let missing = |cell: &str| MISSING.contains(&cell);
    let present = || column.iter().map(String::as_str).filter(|cell| !missing(cell)).map(str::trim);
    let real = |cell: &str| {
        let real = cell.trim().parse::<f64>().ok().and_then(Number::from_f64);
        real.map(Value::Number)
    };
    let truth = |cell: &str| match cell {
        "True" | "true" | "TRUE" => Some(Value::Bool(true)),
        "False" | "false" | "FALSE" => Some(Value::Bool(false)),
        _ => None,
    };
    let fits = |cell: &str| cell.parse::<i64>().is_ok();
    let unsigned = |cell: &str| cell.parse::<u64>().is_ok();
    let complete = present().count() == column.len();
    // What ends the attempt at 64 bits decides: a larger number, or something else.
    let first = present().find(|cell| !is_whole(cell) || !(fits(cell) || unsigned(cell)));
    match first {
        Some(cell) if is_whole(cell) => {
            let whole = |cell: &str| Some(cell.trim()).filter(|cell| is_whole(cell)).map(canonical);
            let whole = every(column, missing, |cell| whole(cell).map(Value::from));
            return whole.unwrap_or_else(|| texts(column, |_| false));
        }
        Some(_) => {}
        None if complete && present().all(fits) => {
            return present().map(|cell| cell.parse::<i64>().map_or(Value::Null, Value::from)).collect();
        }
        None if complete && present().all(unsigned) => {
            return present().map(|cell| cell.parse::<u64>().map_or(Value::Null, Value::from)).collect();
        }
        None if present().all(fits) => {}
        // Beside negative and missing ones uint64 is given up, and a missing one is a text too.
        None => return texts(column, |_| false),
    }
    every(column, missing, real)
        .or_else(|| every(column, missing, truth))
        .unwrap_or_else(|| texts(column, missing))
}

/// Every cell's value, if each has one; what is missing is null.
fn every(
    column: &[String],
    missing: impl Fn(&str) -> bool,
    parse: impl Fn(&str) -> Option<Value>,
) -> Option<Vec<Value>> {
    column.iter().map(|cell| if missing(cell) { Some(Value::Null) } else { parse(cell) }).collect()
}

fn texts(column: &[String], missing: impl Fn(&str) -> bool) -> Vec<Value> {
    let value = |cell: &String| if missing(cell) { Value::Null } else { Value::from(cell.as_str()) };
    column.iter().map(value).collect()
}

/// A whole number of any size.
fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A whole number as it is printed: no plus sign, no zeros in front.
fn canonical(whole: &str) -> String {
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", whole.trim_start_matches('+')),
    };
    match digits.trim_start_matches('0') {
        "" => "0".to_string(),
        digits => format!("{sign}{digits}"),
    }
}

/// A JSON text with its whole numbers of more than 64 bits as strings of their digits, which the parser
/// would round; borrowed where there are none.
pub fn all_digits(json: &str) -> Cow<'_, str> {
    let bytes = json.as_bytes();
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while let Some(&byte) = bytes.get(at) {
        if byte == b'"' {
            at = after_string(bytes, at);
            continue;
        }
        if byte != b'-' && !byte.is_ascii_digit() {
            at += 1;
            continue;
        }
        let end = at + bytes[at..].iter().take_while(|byte| b"+-.0123456789Ee".contains(byte)).count();
        let number = &json[at..end];
        if number.len() > FIT
            && is_whole(number)
            && number.parse::<i64>().is_err()
            && number.parse::<u64>().is_err()
        {
            out.push_str(&json[copied..at]);
            out.push('"');
            out.push_str(number);
            out.push('"');
            copied = end;
        }
        at = end;
    }
    if copied == 0 {
        return Cow::Borrowed(json);
    }
    out.push_str(&json[copied..]);
    Cow::Owned(out)
}

/// The place after a string that begins here.
fn after_string(bytes: &[u8], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Gives the numbers of each column one type, as Arrow does, in lists and objects too: where one is real
/// or doesn't fit, all are real.
pub fn widen(rows: &mut [Map<String, Value>], fits: &dyn Fn(&Number) -> bool) {
    columns(rows.iter_mut().flat_map(|row| row.iter_mut()), fits);
}

/// Gives columns of a JSON array the types of `pandas.read_json`: real numbers that are all whole become
/// whole, and those of uint64 real where one is missing.
pub fn narrow(rows: &mut [Map<String, Value>]) {
    let mut columns: indexmap::IndexMap<&String, Vec<&mut Value>> = indexmap::IndexMap::new();
    for (name, value) in rows.iter_mut().flat_map(|row| row.iter_mut()) {
        columns.entry(name).or_default().push(value);
    }
    for column in columns.into_values() {
        let numbers = column.iter().filter_map(|value| value.as_number()).count();
        let missing = column.iter().filter(|value| value.is_null()).count();
        if numbers + missing < column.len() {
            continue;
        }
        let whole = |value: &&mut Value| match value.as_f64() {
            Some(real) => value.is_i64() || (real.fract() == 0.0 && real.abs() < 9.2e18 && !value.is_u64()),
            None => true,
        };
        let whole = column.iter().all(whole);
        let large = column.iter().any(|value| value.is_u64() && !value.is_i64());
        for value in column {
            match value.as_f64() {
                Some(real) if whole && value.is_f64() => *value = Value::from(real as i64),
                Some(real) if large && missing > 0 => *value = Value::from(real),
                _ => {}
            }
        }
    }
}

fn columns<'a>(cells: impl Iterator<Item = (&'a String, &'a mut Value)>, fits: &dyn Fn(&Number) -> bool) {
    let mut columns: indexmap::IndexMap<&String, Vec<&mut Value>> = indexmap::IndexMap::new();
    for (name, value) in cells {
        columns.entry(name).or_default().push(value);
    }
    for column in columns.into_values() {
        one_type(column, fits);
    }
}

fn one_type(column: Vec<&mut Value>, fits: &dyn Fn(&Number) -> bool) {
    let (mut numbers, mut inside, mut maps) = (Vec::new(), Vec::new(), Vec::new());
    for value in column {
        match value {
            Value::Number(number) => numbers.push(number),
            Value::Array(items) => inside.extend(items),
            Value::Object(map) => maps.extend(map.iter_mut()),
            _ => {}
        }
    }
    if !numbers.iter().all(|number| fits(number)) {
        for number in numbers {
            if let Some(real) = number.as_f64().and_then(Number::from_f64) {
                *number = real;
            }
        }
    }
    if !inside.is_empty() {
        one_type(inside, fits);
    }
    columns(maps.into_iter(), fits);
}

#[cfg(test)]
mod tests;
