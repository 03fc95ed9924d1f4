//! The keys that open the server.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use thiserror::Error;

use crate::bounded::{self, Bound};

/// A file of keys is no larger.
const LARGEST: Bound = Bound(64 << 10);
/// Shorter keys can be guessed.
const SHORTEST: usize = 16;

/// A file of keys that can't be used.
#[derive(Debug, Error)]
#[error("--api-key-file {path}: {what}")]
pub struct KeysError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it; never a key.
    pub what: String,
}

/// The keys that open the server, as checksums: a key itself is nowhere kept. None lets everybody in.
#[derive(Clone, Debug, Default)]
pub struct ApiKeys(Vec<[u8; 32]>);

impl ApiKeys {
    /// Reads a file with a key a line; empty lines and those that begin with `#` are no keys.
    ///
    /// # Errors
    /// [`KeysError`].
    pub fn read(path: &Path) -> Result<ApiKeys, KeysError> {
        let wrong = |what: String| KeysError { path: path.to_path_buf(), what };
        let text = bounded::text(path, LARGEST).map_err(|error| wrong(error.to_string()))?;
        let lines = text.lines().map(str::trim).enumerate();
        let keys: Vec<(usize, &str)> =
            lines.filter(|(_, key)| !key.is_empty() && !key.starts_with('#')).collect();
        if let Some((line, _)) = keys.iter().find(|(_, key)| key.len() < SHORTEST) {
            return Err(wrong(format!("line {}: a key has at least {SHORTEST} characters", line + 1)));
        }
        if let Some((line, _)) = keys.iter().find(|(_, key)| !key.bytes().all(|byte| byte.is_ascii_graphic()))
        {
            return Err(wrong(format!(
                "line {}: a key is letters, digits and signs of ASCII, without spaces",
                line + 1
            )));
        }
        match keys.is_empty() {
            true => Err(wrong("holds no key: write one, a line each".to_string())),
            false => Ok(ApiKeys(keys.iter().map(|(_, key)| Sha256::digest(key).into()).collect())),
        }
    }

    /// One key.
    pub fn of(key: &str) -> ApiKeys {
        ApiKeys(vec![Sha256::digest(key).into()])
    }

    /// Whether everybody may ask.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is one of them. It takes as long whichever it is, and if it is none.
    pub(super) fn has(&self, key: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(key).into();
        let one = self.0.iter().fold(subtle::Choice::from(0), |any, known| any | known.ct_eq(&given));
        one.into()
    }
}

#[cfg(test)]
mod tests;
