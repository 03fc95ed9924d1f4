//! What people are told on standard error: the one gate for errors, warnings, notices and progress.
//!
//! Whatever a message quotes, a file, a template, a model or another program may have written it: nothing
//! in it may move a cursor, begin an escape sequence or reorder text, and no line is longer than a person
//! reads.

pub mod clipboard;

use std::io::{IsTerminal, Write, stderr};

use crate::token::printable;

/// Bytes of a line that are shown.
const LONGEST: usize = 600;

/// One line as a terminal may have it: what would act on it spelled out, line breaks as spaces, the middle
/// of a long one left out.
pub fn line(text: &str) -> String {
    let text = text.trim_end().replace("\r\n", "\n").replace(['\n', '\r'], " ");
    shortened(&printable(&text))
}

/// Beginning and end of a text that is too long.
fn shortened(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_string();
    }
    let (head, tail) = (LONGEST * 3 / 4, LONGEST / 4);
    let from = (text.len() - tail..).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    let to = (0..=head).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    format!("{} … {}", &text[..to], &text[from..])
}

/// Whether the terminal only writes one line after the other: it is called `dumb`, or has no name.
pub fn is_plain_terminal() -> bool {
    std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb")
}

/// Whether a line on standard error can be drawn over and taken away.
pub fn can_redraw() -> bool {
    stderr().is_terminal() && !is_plain_terminal()
}

/// An error, a warning or a notice of this program.
pub fn tell(text: &str) {
    plain(&format!("tokenscope: {text}"));
}

/// A line without the program's name: a header, a figure, how far something is. A standard error that is
/// closed is no reason to fail.
pub fn plain(text: &str) {
    let _ = writeln!(stderr(), "{}", line(text));
}

/// A question; the answer is typed behind it.
pub fn ask(text: &str) {
    let mut stderr = stderr();
    let _ = write!(stderr, "{} ", line(text));
    let _ = stderr.flush();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_line_acts_on_a_terminal() {
        let hostile = "a\u{1b}]0;PWNED\u{7}\u{1b}[31mRED\u{9b}2J\r\nb\u{202e}c\u{2066}d\u{61c}\ne";
        assert_eq!(line(hostile), "a<0x1B>]0;PWNED<0x07><0x1B>[31mRED<0x9B>2J b<U+202E>c<U+2066>d<U+061C> e");
    }

    #[test]
    fn a_long_line_keeps_its_beginning_and_its_end() {
        let long = format!("x.toml: {} is wrong", "é\u{1b}".repeat(100_000));
        let shown = line(&long);
        assert!(shown.len() < LONGEST + 8 && shown.starts_with("x.toml: é<0x1B>"), "{shown}");
        assert!(shown.contains(" … ") && shown.ends_with(" is wrong"), "{shown}");
        assert_eq!(line("short"), "short");
    }
}
