//! Conversations in files: texts, exact ids and the figures of every token.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::turn::Turn;
use crate::bounded::{self, TEXT};
use crate::chat::Role;
use crate::engine::ModelInfo;
use crate::token::TokenId;

/// What the file says it is.
const FORMAT: &str = "tokenscope-conversation";
const VERSION: u32 = 1;

/// A conversation as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stored {
    format: String,
    version: u32,
    /// The model that wrote the replies.
    pub model: String,
    /// Size of its vocabulary: ids mean nothing in another.
    pub n_vocab: usize,
    /// The system prompt.
    pub system: Option<String>,
    /// What was said, in order.
    pub turns: Vec<StoredTurn>,
}

/// One thing said.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredTurn {
    /// `user` or `assistant`.
    pub role: String,
    /// Exactly what was typed, or the reply's text.
    pub content: String,
    /// A reply's exact ids, without the token that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<TokenId>>,
    /// Seed of its sampler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// Raw ln p of every chosen token, the one that ended it included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logprobs: Vec<Option<f32>>,
}

/// Why a conversation can't be kept or taken.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file can't be used.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file holds something else.
    #[error("{}: no conversation of tokenscope: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        reason: String,
    },
}

impl Stored {
    /// A conversation to keep.
    pub fn new(model: Option<&ModelInfo>, system: Option<&str>, turns: Vec<StoredTurn>) -> Stored {
        Stored {
            format: FORMAT.to_string(),
            version: VERSION,
            model: model.map(|model| model.name.clone()).unwrap_or_default(),
            n_vocab: model.map_or(0, |model| model.vocab.len()),
            system: system.map(str::to_string),
            turns,
        }
    }

    /// Writes the file as a whole or not at all.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn write(&self, path: &Path) -> Result<(), StoreError> {
        let failed = |error| StoreError::Io { path: path.to_path_buf(), error };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
        serde_json::to_writer_pretty(&mut file, self).map_err(|error| failed(error.into()))?;
        file.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn read(path: &Path) -> Result<Stored, StoreError> {
        let malformed = |reason: String| StoreError::Malformed { path: path.to_path_buf(), reason };
        let text =
            bounded::file(path, TEXT).map_err(|error| StoreError::Io { path: path.to_path_buf(), error })?;
        let stored: Stored = serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
        if stored.format != FORMAT || stored.version != VERSION {
            return Err(malformed(format!("it says {} version {}", stored.format, stored.version)));
        }
        if let Some(turn) = stored.turns.iter().find(|turn| turn.role().is_none()) {
            return Err(malformed(format!("a turn's role is {:?}; write user or assistant", turn.role)));
        }
        Ok(stored)
    }
}

impl StoredTurn {
    /// A turn to keep; `logprobs` are those of its tokens.
    pub fn new(turn: &Turn, logprobs: Vec<Option<f32>>) -> StoredTurn {
        let role = if turn.role == Role::Assistant { "assistant" } else { "user" };
        StoredTurn {
            role: role.to_string(),
            content: turn.content.clone(),
            ids: turn.reply.as_ref().map(|reply| reply.ids.clone()),
            seed: turn.reply.as_ref().map(|reply| reply.seed),
            logprobs,
        }
    }

    /// Who said it.
    pub fn role(&self) -> Option<Role> {
        match self.role.as_str() {
            "user" => Some(Role::User),
            "assistant" => Some(Role::Assistant),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("talk.json");
        let turn = StoredTurn {
            role: "assistant".to_string(),
            content: "北京\n".to_string(),
            ids: Some(vec![TokenId(7)]),
            seed: Some(3),
            logprobs: vec![Some(-0.5), None],
        };
        Stored::new(None, Some("be brief"), vec![turn]).write(&path).unwrap();
        let back = Stored::read(&path).unwrap();
        assert_eq!((back.system.as_deref(), back.turns[0].content.as_str()), (Some("be brief"), "北京\n"));
        assert_eq!(back.turns[0].logprobs, [Some(-0.5), None]);
    }

    #[test]
    fn other_files_are_named_with_line_and_column() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.json");
        for text in ["", "{", "[1]", "{\"format\":\"x\"}"] {
            std::fs::write(&path, text).unwrap();
            let message = Stored::read(&path).unwrap_err().to_string();
            assert!(message.contains("x.json: no conversation of tokenscope"), "{message}");
            assert!(message.contains("line"), "{message}");
        }
        assert!(Stored::read(&dir.path().join("none")).unwrap_err().to_string().contains("none:"));
    }
}
