//! Why a source gave nothing.

use std::io;

use crate::model::store::is_full;

/// Why a source gave nothing.
#[derive(Debug)]
pub enum FetchError {
    Interrupted,
    DiskFull,
    /// In a few words, for people.
    Failed(String),
}

impl FetchError {
    pub(super) fn failed<T>(what: impl Into<String>) -> Result<T, FetchError> {
        Err(FetchError::Failed(what.into()))
    }
}

impl From<io::Error> for FetchError {
    fn from(error: io::Error) -> Self {
        match is_full(&error) {
            true => FetchError::DiskFull,
            false => FetchError::Failed(error.to_string()),
        }
    }
}
