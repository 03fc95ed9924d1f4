//! What is wrong with a file that people write: one line with file, place, reason and excerpt.

use std::fmt;
use std::path::Path;

use thiserror::Error;

use crate::text::{line_and_column, nearest};
use crate::token::printable;

/// Characters of a line that are shown with an error.
const EXCERPT: usize = 60;

/// Input that can't be run. Everything here is found before a model is loaded, unless only the model
/// can tell (a prompt longer than its context).
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{}", self.line_of_text())]
pub struct InputError {
    /// The file, or the name of what has none.
    pub file: String,
    /// 1-based.
    pub line: Option<usize>,
    /// 1-based, in characters.
    pub column: Option<usize>,
    /// What is wrong and what would be right.
    pub reason: String,
    /// The text at the place.
    pub excerpt: Option<String>,
}

impl InputError {
    /// An error about a file as a whole.
    pub fn new(file: impl fmt::Display, reason: impl fmt::Display) -> InputError {
        InputError {
            file: file.to_string(),
            line: None,
            column: None,
            reason: reason.to_string(),
            excerpt: None,
        }
    }

    /// An error about a file that can't be read.
    pub fn unreadable(path: &Path, error: &std::io::Error) -> InputError {
        let reason = match error.kind() {
            std::io::ErrorKind::NotFound => "there is no such file".to_string(),
            _ => error.to_string(),
        };
        InputError::new(path.display(), reason)
    }

    /// The same error at a line.
    pub fn at_line(mut self, line: usize) -> InputError {
        self.line = Some(line);
        self
    }

    /// The same error at a byte of the file's text.
    pub fn at(mut self, text: &str, offset: usize) -> InputError {
        let (line, column) = line_and_column(text, offset);
        (self.line, self.column) = (Some(line), Some(column));
        let written = text.lines().nth(line - 1).unwrap_or_default().trim();
        let excerpt: String = written.chars().take(EXCERPT).collect();
        self.excerpt = Some(excerpt).filter(|excerpt| !excerpt.is_empty());
        self
    }

    fn line_of_text(&self) -> String {
        let place = match (self.line, self.column) {
            (Some(line), Some(column)) => format!(":{line}:{column}"),
            (Some(line), None) => format!(":{line}"),
            _ => String::new(),
        };
        let excerpt = self.excerpt.as_ref().map(|excerpt| format!(" (at `{excerpt}`)")).unwrap_or_default();
        printable(&format!("{}{place}: {}{excerpt}", self.file, self.reason)).replace('\n', " ")
    }
}

/// "did you mean …?", or the list where nothing is near.
pub fn meant<'a>(written: &str, names: impl IntoIterator<Item = &'a str> + Clone) -> String {
    match nearest(written, names.clone()) {
        Some(name) => format!("did you mean {name}?"),
        None => {
            let names: Vec<&str> = names.into_iter().collect();
            format!("there is {}", names.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_line_and_column_in_characters() {
        let text = "a = 1\n北京 = oops\n";
        let error = InputError::new("x.toml", "no such thing").at(text, text.find("oops").unwrap());
        assert_eq!(error.to_string(), "x.toml:2:6: no such thing (at `北京 = oops`)");
    }

    #[test]
    fn an_error_is_one_line_that_no_terminal_executes() {
        let error = InputError::new("x\u{1b}[2J.toml", "two\nlines");
        assert_eq!(error.to_string(), "x<0x1B>[2J.toml: two lines");
    }

    #[test]
    fn the_nearest_name_or_all_of_them() {
        assert_eq!(meant("promt", ["prompt", "choices"]), "did you mean prompt?");
        assert_eq!(meant("xylophone", ["p", "rank"]), "there is p, rank");
    }
}
