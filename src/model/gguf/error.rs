//! What can be wrong with a model file, in one line each.

use std::path::PathBuf;

use thiserror::Error;

/// A file that is no usable model: which file, and what is wrong with it.
#[derive(Debug, Error)]
#[error("{}: {fault}", crate::token::printable(&path.display().to_string()))]
pub struct GgufError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, where, and what would be right.
    pub fault: Fault,
}

impl GgufError {
    /// Whether the path itself is wrong, rather than the file it leads to.
    pub fn is_wrong_path(&self) -> bool {
        matches!(self.fault, Fault::Missing | Fault::Folder | Fault::Special)
    }
}

/// What is wrong with a model file.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is there.
    #[error("no such file")]
    Missing,
    /// A folder.
    #[error("a folder, and a model is one file (name the .gguf file inside it)")]
    Folder,
    /// A pipe, a socket, a device.
    #[error("not a regular file, and a model must be one")]
    Special,
    /// The operating system refuses.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// Zero bytes.
    #[error("an empty file: download it again")]
    Empty,
    /// Something else, recognised by its first bytes.
    #[error("{0}")]
    Foreign(super::sniff::Foreign),
    /// The tensor data ends before the table says.
    #[error("cut short: {missing} of its {total} bytes are missing; download it again")]
    Truncated {
        /// Bytes missing.
        missing: u64,
        /// Bytes a whole file has.
        total: u64,
    },
    /// The file ends inside its header.
    #[error("cut short at byte {at}, inside {within}; download it again")]
    EndsEarly {
        /// Where the file ends.
        at: u64,
        /// What was being read.
        within: &'static str,
    },
    /// The header breaks the format.
    #[error("byte {at}: {what}")]
    Malformed {
        /// Offset of the first byte of what is wrong.
        at: u64,
        /// What is wrong and what would be right.
        what: String,
    },
    /// A metadata key holds something that cannot be used.
    #[error("key {key}: {what}")]
    Key {
        /// The key.
        key: String,
        /// What is wrong and what would be right.
        what: String,
    },
    /// A tensor cannot be used.
    #[error("tensor {name}: {what}")]
    Tensor {
        /// The tensor.
        name: String,
        /// What is wrong and what would be right.
        what: String,
    },
    /// A sound file that this program cannot use.
    #[error("{0}")]
    Unsupported(String),
}

impl Fault {
    /// A fault of a metadata key.
    pub(crate) fn key(key: impl AsRef<str>, what: impl Into<String>) -> Fault {
        Fault::Key { key: shown(key.as_ref().as_bytes()), what: what.into() }
    }

    /// A fault of a tensor.
    pub(crate) fn tensor(name: impl AsRef<str>, what: impl Into<String>) -> Fault {
        Fault::Tensor { name: shown(name.as_ref().as_bytes()), what: what.into() }
    }
}

/// Bytes from a file as a short text that a terminal can be given.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const LONGEST: usize = 60;
    let text = crate::token::visible(&bytes[..bytes.len().min(4 * LONGEST)]).replace('␣', " ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("'{}…'", &text[..end]),
        None => format!("'{text}'"),
    }
}
