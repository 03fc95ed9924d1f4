//! Texts from the command line, a file or standard input, byte for byte.

use std::io::IsTerminal;
use std::path::Path;

use thiserror::Error;

use crate::bounded::{self, TEXT};

/// Why there is no text.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct TextInputError(String);

/// The text that was given: `-f FILE`, an argument (`-` is standard input), or a pipe.
///
/// # Errors
/// [`TextInputError`].
pub fn read(argument: Option<&str>, file: Option<&Path>) -> Result<Vec<u8>, TextInputError> {
    match (file, argument) {
        (Some(path), _) => read_file(path),
        (None, Some("-")) => read_stdin(),
        (None, Some(text)) => Ok(text.as_bytes().to_vec()),
        (None, None) if std::io::stdin().is_terminal() => {
            let what = "there is no text: write it as an argument, name a file with -f, or pipe it in";
            Err(TextInputError(what.to_string()))
        }
        (None, None) => read_stdin(),
    }
}

/// A file's bytes.
///
/// # Errors
/// [`TextInputError`].
pub fn read_file(path: &Path) -> Result<Vec<u8>, TextInputError> {
    bounded::file(path, TEXT).map_err(|error| TextInputError(format!("{}: {error}", path.display())))
}

/// Standard input's bytes.
///
/// # Errors
/// [`TextInputError`].
pub fn read_stdin() -> Result<Vec<u8>, TextInputError> {
    bounded::stdin(TEXT).map_err(|error| TextInputError(format!("standard input: {error}")))
}
