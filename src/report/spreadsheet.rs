//! Cells that no spreadsheet takes for a formula.

use std::borrow::Cow;

/// A text for a CSV cell. One that a spreadsheet would execute (it begins with =, +, -, @, a tab or a
/// carriage return) gets an apostrophe before it, as OWASP recommends. Numbers are not to pass here.
pub fn cell(text: &str) -> Cow<'_, str> {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => Cow::Owned(format!("'{text}")),
        _ => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn what_a_spreadsheet_would_execute_gets_an_apostrophe() {
        for text in ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"] {
            assert_eq!(cell(text), format!("'{text}"));
        }
        for text in ["", " =1", "a=b", "1", "'x"] {
            assert_eq!(cell(text), text);
        }
    }
}
