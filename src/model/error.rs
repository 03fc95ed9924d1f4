//! What can go wrong with models, in one line each, and the exit code that goes with it.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::gguf::GgufError;
use crate::paths::PathsError;
use crate::token::printable;

/// Why there is no model.
#[derive(Debug, Error)]
pub enum ModelError {
    /// The text that names a model is wrong.
    #[error(transparent)]
    Spec(#[from] super::spec::SpecError),
    /// The file is no usable model.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// A model of ours is not what was fetched.
    #[error("{}: damaged ({what}); fetch it again with 'tokenscope models pull {name}'", shown(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The name to fetch it by.
        name: String,
        /// How it differs.
        what: String,
    },
    /// llama.cpp cannot load a file whose format is right.
    #[error("{}: llama.cpp cannot load it: {what}", shown(path))]
    Refused {
        /// The file.
        path: PathBuf,
        /// What llama.cpp says.
        what: String,
    },
    /// A child process ended abnormally while it loaded the file.
    #[error(
        "{}: loading it ends the process ({what}), so it is not loaded; the file is damaged or made to do harm",
        shown(path)
    )]
    Harmful {
        /// The file.
        path: PathBuf,
        /// How the process ended.
        what: String,
    },
    /// Every source of a model failed.
    #[error("{name} could not be fetched ({}); to use a file you have, pass it with '-m FILE'", .reasons.join("; "))]
    Fetch {
        /// The model.
        name: String,
        /// What each source said.
        reasons: Vec<String>,
    },
    /// The disk is full.
    #[error("{}: the disk is full: {need} are needed there", shown(path))]
    DiskFull {
        /// The folder.
        path: PathBuf,
        /// How much room the model needs, for people.
        need: String,
    },
    /// There is not enough memory.
    #[error("{need} does not fit into memory: {free} are free; use another format or close other programs")]
    NoMemory {
        /// How much, and for what.
        need: String,
        /// How much there is.
        free: String,
    },
    /// A file or folder could not be used.
    #[error("cannot {action} {}: {error}", shown(path))]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// A key that can't be sent.
    #[error("{0}")]
    Key(String),
    /// There is nowhere to keep models.
    #[error(transparent)]
    Paths(#[from] PathsError),
    /// Nothing to remove.
    #[error("{0} is not among the models fetched by tokenscope; 'tokenscope models list' shows them")]
    NotOurs(String),
    /// Nobody can be asked.
    #[error("removing {0} needs a yes: pass --yes where there is no terminal to ask on")]
    NeedsYes(String),
    /// Results could not be written.
    #[error("cannot write the result: {0}")]
    Output(io::Error),
    /// The person was asked in a place where the answer is the same command again.
    #[error("{0}; give the command again to go on")]
    Asks(String),
    /// The person stopped it.
    #[error("interrupted")]
    Interrupted,
}

impl ModelError {
    /// A failure of the file system. A full disk has its own variant once the caller knows the need.
    pub(super) fn io(action: &'static str, path: &Path, error: io::Error) -> ModelError {
        ModelError::Io { action, path: path.to_path_buf(), error }
    }

    /// The exit code of a program that ends with this error.
    pub fn exit_code(&self) -> u8 {
        match self {
            ModelError::Interrupted => 130,
            ModelError::Gguf(error) if error.is_wrong_path() => 2,
            ModelError::Spec(_)
            | ModelError::Key(_)
            | ModelError::NotOurs(_)
            | ModelError::NeedsYes(_)
            | ModelError::Paths(_) => 2,
            // As of every other command.
            ModelError::Output(_) => 2,
            _ => 3,
        }
    }

    /// Whether the reader of our output has gone, which is no failure.
    pub fn is_closed_pipe(&self) -> bool {
        matches!(self, ModelError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe)
    }
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string())
}
