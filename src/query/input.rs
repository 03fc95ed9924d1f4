//! Texts from the command line, a file or standard input, byte for byte.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::bounded::{self, TEXT};

/// Why there is no text.
#[derive(Debug, Error)]
pub enum TextInputError {
    /// The file could not be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Standard input could not be read.
    #[error("standard input: {0}")]
    Stdin(std::io::Error),
    /// Nobody gave one.
    #[error("there is no text: write it as an argument, name a file with -f, or pipe it in")]
    Missing,
}

/// The text that was given: `-f FILE`, an argument (`-` is standard input), or a pipe.
///
/// # Errors
/// [`TextInputError`].
pub fn read(argument: Option<&str>, file: Option<&Path>) -> Result<Vec<u8>, TextInputError> {
    match (file, argument) {
        (Some(path), _) => read_file(path),
        (None, Some("-")) => read_stdin(),
        (None, Some(text)) => Ok(text.as_bytes().to_vec()),
        (None, None) if std::io::stdin().is_terminal() => Err(TextInputError::Missing),
        (None, None) => read_stdin(),
    }
}

/// A file's bytes.
///
/// # Errors
/// [`TextInputError`].
pub fn read_file(path: &Path) -> Result<Vec<u8>, TextInputError> {
    bounded::file(path, TEXT).map_err(|source| TextInputError::File { path: path.to_path_buf(), source })
}

/// Standard input's bytes.
///
/// # Errors
/// [`TextInputError`].
pub fn read_stdin() -> Result<Vec<u8>, TextInputError> {
    bounded::stdin(TEXT).map_err(TextInputError::Stdin)
}
