//! Cells of CSV files. A spreadsheet takes a cell that begins with one of a few characters for a formula
//! and runs it; texts that begin so get an apostrophe in front, which spreadsheets take for "this is a
//! text". Numbers stay numbers, negative ones too.

use std::borrow::Cow;
use std::io;

/// What begins a formula somewhere. Control characters in front of one are passed over.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// A text as a cell that no spreadsheet runs.
pub fn cell(text: &str) -> Cow<'_, str> {
    // One sign alone is no formula, and often a token.
    let seen = text.trim_start_matches(char::is_control);
    let runs = seen.starts_with(FORMULA) && seen.chars().nth(1).is_some();
    if runs && !is_number(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// An error of the CSV writer as that of what it writes to.
pub fn io_error(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A number as programs write it: a sign, digits with at most one point, an exponent.
fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c))
        && text.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_texts_and_numbers_stay() {
        for text in
            ["=cmd|' /C calc'!A0", "+1+cmd|x", "-2+3", "@SUM(1)", "\t=1", "\r=1", "＝1", "- a list", "-=1"]
        {
            assert_eq!(cell(text), format!("'{text}"), "{text:?}");
        }
        for text in [
            "-1.5", "+5", "-0.25e-3", "12", "a=b", "", " text", " =1", "'=1", "-", "=", "\n", "\nx", "1-2",
            "−3", "NA",
        ] {
            assert_eq!(cell(text), text, "{text:?}");
        }
    }
}
