//! The `tokenizers` crate as a second opinion: a tokenizer.json, or a tokenizer built from a GGUF file's
//! own vocabulary, compared with llama.cpp's tokens.
//!
//! The model's own tokenizer is the truth for every figure; what differs here is a finding to show. The
//! crate may panic on a strange file, so it runs on a thread of its own ([`aside`]) whose panic is an
//! error. Nothing here prints or knows a command line.

mod compare;
mod compose;
mod families;

use std::path::PathBuf;

use thiserror::Error;
use tokenizers::Tokenizer;

use crate::aside::{self, Left};
use crate::bounded::{self, TOKENIZER};
use crate::engine::CancelFlag;
use crate::model::gguf::{Gguf, GgufError};
use crate::token::TokenId;

use compare::{Spelled, first_difference};

pub use compare::{Agreement, Other, Strange, TokenizerDifference, TokenizersCompared};
pub use compose::Unbuildable;

/// Name of the thread that runs the crate.
const TOKENIZERS_THREAD: &str = "tokenizers";

/// Longest text, in bytes.
const MOST: usize = 16 << 20;

/// Why nothing could be compared.
#[derive(Debug, Error)]
pub enum CheckError {
    /// The file is no tokenizer.json.
    #[error("{}: no tokenizer.json that can be used: {what}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What the crate says.
        what: String,
    },
    /// The file can't be read.
    #[error("{}: {source}; --check without a file must stand after the text", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The model's file can't be read.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// The vocabulary in the GGUF file makes no tokenizer.
    #[error(
        "no tokenizer can be built from this model's own vocabulary: {0}; name a file: --check tokenizer.json"
    )]
    Unbuildable(#[from] Unbuildable),
    /// The crate takes text only.
    #[error("byte {0} of the text is no UTF-8, and a tokenizer.json is for text: convert it first")]
    NotUtf8(usize),
    /// The crate needs a hundred and fifty times the memory of a text.
    #[error("a text of {0} bytes is too long to compare; compare parts of at most {MOST} bytes")]
    TooLong(usize),
    /// The crate refuses the text.
    #[error("the tokenizers crate can't tokenize this text: {0}")]
    Refused(String),
    /// The person does not want to wait.
    #[error("interrupted")]
    Interrupted,
}

/// What to compare with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CompareWith {
    /// A tokenizer.json.
    File(PathBuf),
    /// The GGUF file's own vocabulary, merges and scores.
    Gguf,
}

impl CompareWith {
    /// The file's name, or `gguf`.
    pub fn name(&self) -> String {
        match self {
            CompareWith::File(path) => path.display().to_string(),
            CompareWith::Gguf => "gguf".to_string(),
        }
    }

    /// For people.
    pub fn title(&self) -> String {
        match self {
            CompareWith::File(path) => path.display().to_string(),
            CompareWith::Gguf => "the tokenizers crate".to_string(),
        }
    }
}

/// A tokenizer of the crate.
pub struct Second {
    inner: Tokenizer,
}

impl Second {
    /// Reads a tokenizer.json. What would cut or lengthen a text is left out.
    ///
    /// # Errors
    /// What the crate says.
    pub fn from_json(bytes: &[u8]) -> Result<Second, String> {
        let mut inner = Tokenizer::from_bytes(bytes).map_err(|error| error.to_string())?;
        inner.with_padding(None);
        inner.with_truncation(None).map_err(|error| error.to_string())?;
        Ok(Second { inner })
    }

    /// Builds one from a GGUF file's vocabulary.
    ///
    /// # Errors
    /// [`CheckError::Gguf`] and [`CheckError::Unbuildable`].
    pub fn from_gguf(gguf: &Gguf) -> Result<Second, CheckError> {
        let vocabulary = gguf.check_vocabulary()?;
        Ok(Second { inner: compose::compose(gguf, &vocabulary)? })
    }

    /// The tokenizer.json it is.
    ///
    /// # Errors
    /// What the crate says.
    pub fn to_json(&self) -> Result<String, String> {
        self.inner.to_string(false).map_err(|error| error.to_string())
    }

    /// The ids of a text, without any that stand for no text. `special`: whether special tokens written
    /// in the text are recognised.
    ///
    /// The crate's patterns give up in a run of about a million spaces, and the rest of such a text is cut
    /// differently.
    ///
    /// # Errors
    /// What the crate says.
    pub fn encode(&mut self, text: &str, special: bool) -> Result<Vec<TokenId>, String> {
        self.inner.set_encode_special_tokens(!special);
        let encoding = self.inner.encode_fast(text, false).map_err(|error| error.to_string())?;
        Ok(encoding.get_ids().iter().copied().map(TokenId).collect())
    }
}

/// What is asked of a second tokenizer.
pub struct TokenizerQuestion {
    /// What to compare with.
    pub against: CompareWith,
    /// The model's file.
    pub model: PathBuf,
    pub text: Vec<u8>,
    /// llama.cpp's tokens of it, without an inserted BOS.
    pub ids: Vec<TokenId>,
    /// Whether special tokens written in the text are recognised.
    pub special: bool,
}

impl TokenizerQuestion {
    /// Compares, until the flag is raised.
    ///
    /// # Errors
    /// [`CheckError`].
    pub fn answer(self, cancel: &CancelFlag) -> Result<TokenizersCompared, CheckError> {
        let against = self.against.clone();
        match aside::run(TOKENIZERS_THREAD, &|| cancel.is_cancelled(), move || self.work()) {
            Ok(result) => result,
            Err(Left::Interrupted) => Err(CheckError::Interrupted),
            Err(Left::Died(reason)) => Err(match against {
                CompareWith::File(path) => CheckError::Broken { path, what: reason },
                CompareWith::Gguf => CheckError::Refused(reason),
            }),
        }
    }

    fn work(self) -> Result<TokenizersCompared, CheckError> {
        if self.text.len() > MOST {
            return Err(CheckError::TooLong(self.text.len()));
        }
        let text =
            std::str::from_utf8(&self.text).map_err(|error| CheckError::NotUtf8(error.valid_up_to() + 1))?;
        let gguf = Gguf::read(&self.model)?;
        let vocabulary = gguf.check_vocabulary()?;
        let mut second = match self.against {
            CompareWith::Gguf => Second::from_gguf(&gguf)?,
            CompareWith::File(path) => {
                let bytes = bounded::file(&path, TOKENIZER)
                    .map_err(|source| CheckError::Unreadable { path: path.clone(), source })?;
                Second::from_json(&bytes).map_err(|what| CheckError::Broken { path, what })?
            }
        };
        let theirs = second.encode(text, self.special).map_err(CheckError::Refused)?;
        let ids = Spelled::new(&second.inner, &vocabulary);
        Ok(TokenizersCompared {
            tokens: self.ids.len(),
            other_tokens: theirs.len(),
            difference: first_difference(&self.ids, &theirs, |id| ids.bytes(id)),
            vocabulary: ids.agreement(),
        })
    }
}

#[cfg(test)]
mod tests;
