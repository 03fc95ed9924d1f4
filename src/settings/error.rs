//! Why a setting can't be used.

use std::path::PathBuf;

use thiserror::Error;

use crate::grammar::GrammarError;

/// A setting that can't be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The config file could not be read.
    #[error("{path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The config file is not what it should be.
    #[error("{path}:{message}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Line, column and what is wrong.
        message: String,
    },
    /// A value out of range.
    #[error("{name} {value}: must be {range}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What would be right.
        range: &'static str,
    },
    /// No such setting.
    #[error("no setting is called {name}; {hint}")]
    Unknown {
        /// What was given.
        name: String,
        /// The nearest, or the list.
        hint: String,
    },
    /// A steering vector that can't be used.
    #[error("{0}")]
    Vector(String),
    /// A grammar or schema that can't be used.
    #[error(transparent)]
    Grammar(#[from] GrammarError),
    /// A value of the wrong form.
    #[error("{name}: {message}")]
    Invalid {
        /// The setting.
        name: &'static str,
        /// What would be right.
        message: String,
    },
}
