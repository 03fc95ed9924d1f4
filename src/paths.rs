//! Where tokenscope keeps its files on this computer.
//!
//! Owns the four folders (data, cache, config, state) and the names of the files inside them. It
//! creates nothing and reads nothing: whoever writes a file makes its folder.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use thiserror::Error;

/// Names a folder that holds everything, in place of the platform's own folders.
pub const HOME_VARIABLE: &str = "TOKENSCOPE_HOME";

/// Why the folders are unknown.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PathsError {
    /// Neither a home folder nor the variable.
    #[error(
        "this user has no home folder: set {HOME_VARIABLE} to a folder where tokenscope may keep its files"
    )]
    NoHome,
    /// The variable holds a relative path and the current folder is gone.
    #[error("{HOME_VARIABLE} is a relative path and the current folder is unknown: make it an absolute path")]
    NoCurrentFolder,
}

/// The folders. All absolute; none need exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paths {
    /// Models: large, fetched once, worth keeping.
    pub data: PathBuf,
    /// What can be made again: remembered checksums, converted copies of models.
    pub cache: PathBuf,
    /// What people write: `config.toml`.
    pub config: PathBuf,
    /// Logs and histories.
    pub state: PathBuf,
}

impl Paths {
    /// The folders of the current user: below `TOKENSCOPE_HOME` if that is set, else where the
    /// platform keeps such things.
    pub fn from_env() -> Result<Paths, PathsError> {
        match std::env::var_os(HOME_VARIABLE).filter(|home| !home.is_empty()) {
            Some(home) => Self::from_home(&home),
            None => Self::of_user(),
        }
    }

    fn from_home(home: &OsStr) -> Result<Paths, PathsError> {
        let root = std::path::absolute(home).map_err(|_| PathsError::NoCurrentFolder)?;
        Ok(Self::under(&root))
    }

    fn of_user() -> Result<Paths, PathsError> {
        let dirs = ProjectDirs::from("", "", "tokenscope").ok_or(PathsError::NoHome)?;
        let state = match dirs.state_dir() {
            Some(state) => state.to_path_buf(),
            // Only Linux has a folder for state.
            None => dirs.data_local_dir().join("state"),
        };
        Ok(Paths {
            data: dirs.data_dir().to_path_buf(),
            cache: dirs.cache_dir().to_path_buf(),
            config: dirs.config_dir().to_path_buf(),
            state,
        })
    }

    /// All four folders below one.
    pub fn under(root: &Path) -> Paths {
        Paths {
            data: root.join("data"),
            cache: root.join("cache"),
            config: root.join("config"),
            state: root.join("state"),
        }
    }

    /// Fetched models.
    pub fn models(&self) -> PathBuf {
        self.data.join("models")
    }

    /// Conversations, saved as they go on.
    pub fn sessions(&self) -> PathBuf {
        self.data.join("sessions")
    }

    /// Copies of models in another format.
    pub fn copies(&self) -> PathBuf {
        self.cache.join("copies")
    }

    /// Checksums of files that have been read once.
    pub fn memory_file(&self) -> PathBuf {
        self.cache.join("files.json")
    }

    /// The configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.config.join("config.toml")
    }

    /// llama.cpp's log, which must never reach the screen.
    pub fn log_file(&self) -> PathBuf {
        self.state.join("llama.log")
    }
}

#[cfg(test)]
mod tests;
