//! Why a setting can't be used.

use thiserror::Error;

use crate::grammar::GrammarError;

/// A setting that can't be used.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct SettingsError(pub String);

impl From<GrammarError> for SettingsError {
    fn from(error: GrammarError) -> SettingsError {
        SettingsError(error.to_string())
    }
}
