//! Exit codes, and why the program can't do what was asked.

use crate::engine::EngineError;
use crate::model::ModelError;
use crate::paths::PathsError;
use crate::pipe::PipeError;
use crate::probe::error::InputError;
use crate::query::QueryError;
use crate::query::input::TextInputError;
use crate::query::text::TextError;
use crate::report::target::ReportError;
use crate::settings::SettingsError;
use crate::token::printable;
use crate::tokenizer::CheckError;

/// Everything was answered.
pub(super) const OK: u8 = 0;
/// What was expected does not hold: a probe failed, tokenizers differ.
pub(super) const DIFFERS: u8 = 1;
/// Wrong use or bad input.
pub(super) const USAGE: u8 = 2;
/// The model or the engine failed.
pub(super) const ENGINE: u8 = 3;
/// Ctrl-C.
pub const INTERRUPTED: u8 = 130;

/// One line and an exit code.
#[derive(Debug)]
pub struct Failure {
    /// For people.
    pub message: String,
    /// For programs.
    pub code: u8,
}

impl Failure {
    pub(super) fn usage(error: impl std::fmt::Display) -> Failure {
        Failure { message: error.to_string(), code: USAGE }
    }
}

macro_rules! is_usage {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Failure {
                Failure::usage(error)
            }
        }
    )*};
}

is_usage!(SettingsError, PathsError, InputError, ReportError, TextInputError);

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Failure {
        Failure { code: error.exit_code(), message: error.to_string() }
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Failure {
        let code = match error {
            EngineError::TooLong { .. }
            | EngineError::Empty
            | EngineError::Grammar(_)
            | EngineError::Intervention(_)
            | EngineError::NoSuchModel(_)
            | EngineError::Vocabulary { .. } => USAGE,
            EngineError::LoadCancelled => INTERRUPTED,
            _ => ENGINE,
        };
        Failure { message: error.to_string(), code }
    }
}

impl From<PipeError> for Failure {
    fn from(error: PipeError) -> Failure {
        match error {
            PipeError::Engine(error) => error.into(),
            other => Failure::usage(other),
        }
    }
}

impl From<TextError> for Failure {
    fn from(error: TextError) -> Failure {
        let code = match error {
            TextError::Interrupted => INTERRUPTED,
            TextError::Died(_) | TextError::Lost(_) => ENGINE,
            _ => USAGE,
        };
        Failure { message: error.to_string(), code }
    }
}

impl From<CheckError> for Failure {
    fn from(error: CheckError) -> Failure {
        let code = match error {
            CheckError::Interrupted => INTERRUPTED,
            CheckError::Gguf(_) => ENGINE,
            _ => USAGE,
        };
        Failure { message: printable(&error.to_string()).replace('\n', " "), code }
    }
}

impl From<QueryError> for Failure {
    fn from(error: QueryError) -> Failure {
        match error {
            QueryError::Engine(error) => error.into(),
            QueryError::Text(error) => error.into(),
            QueryError::Stopped => Failure { message: "interrupted".to_string(), code: INTERRUPTED },
            other => Failure::usage(other),
        }
    }
}
