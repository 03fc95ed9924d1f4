//! Why a constraint can't be used.

use std::path::PathBuf;

use thiserror::Error;

use crate::text::line_and_column;

/// Why a grammar can't be used.
#[derive(Debug, Error)]
pub enum GrammarError {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The grammar is faulty.
    #[error("{path}:{fault}")]
    Faulty {
        /// The file.
        path: PathBuf,
        /// Where and what.
        fault: GrammarFault,
    },
    /// The schema can't be enforced.
    #[error("{path}: {what}")]
    Schema {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// The regular expression can't be enforced.
    #[error("{from}regex, character {column}: {what}")]
    Regex {
        /// What goes before its name where it was given, as `--`; see [`GrammarError::given`].
        from: &'static str,
        /// 1-based, in characters.
        column: usize,
        /// What is wrong.
        what: String,
    },
}

impl GrammarError {
    /// The same about what was given in this way: files have names, an expression has none.
    pub fn given(self, from: &'static str) -> GrammarError {
        match self {
            GrammarError::Regex { column, what, .. } => GrammarError::Regex { from, column, what },
            other => other,
        }
    }
}

/// A fault of a grammar.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{line}:{column}: {what}")]
pub struct GrammarFault {
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
    /// What is wrong and what would be right.
    pub what: String,
}

impl GrammarFault {
    pub(super) fn at(source: &str, position: usize, what: impl Into<String>) -> GrammarFault {
        let (line, column) = line_and_column(source, position);
        GrammarFault { line, column, what: what.into() }
    }
}
