//! Trying a model: load it, evaluate a few tokens, throw it away.
//!
//! Meant for a child process of our own: llama.cpp answers some damaged files by ending the process
//! it runs in. Whoever calls this where that would matter has misunderstood it.

use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;

use super::client::Client;
use super::llama::{self, Model};
use super::protocol::{
    CancelFlag, Command, EngineError, Generate, LoadOptions, ModelInfo, Threads, Tokenize,
};
use crate::sampling::Sampling;
use crate::token::TokenId;

/// Text with words, digits, white space, several scripts and an emoji: every path of a tokenizer.
const SAMPLE: &str = "Hello, world!  It's 1999 \n\t— 你好，世界 ñandú <|x|> 🦀\u{0} x^2";

/// Sends llama.cpp's log to standard error, where the parent process reads it, loads the model as the
/// engine does and predicts two tokens; of a file without weights, loads the
/// vocabulary and tokenizes.
///
/// # Errors
/// What stands in the way.
pub fn run(path: &Path, vocabulary_only: bool) -> Result<(), EngineError> {
    if let Ok(stderr) = std::io::stderr().as_fd().try_clone_to_owned() {
        llama::send_log_to(stderr.into());
    }
    if vocabulary_only {
        let model = Model::load_vocabulary(path)?;
        model.tokenize(SAMPLE.as_bytes(), true);
        return Ok(());
    }
    let options = LoadOptions {
        path: path.to_path_buf(),
        name: String::new(),
        context: Some(256),
        threads: Threads::Fixed(1),
        exact: false,
        about: Arc::default(),
        server: None,
        rpc: Vec::new(),
        patience: Default::default(),
        cancel: CancelFlag::default(),
    };
    // Flash attention, then without: they are different code, and both are used later.
    predict(&options)?;
    predict(&LoadOptions { exact: true, ..options })
}

fn predict(options: &LoadOptions) -> Result<(), EngineError> {
    let (mut client, info) = Client::load(options.clone(), |_| {})?;
    let request = Generate {
        begun: Vec::new(),
        known: 0,
        prompt: prompt(&info),
        sampling: Sampling { greedy: true, ..Sampling::default() },
        max_tokens: Some(2),
        ..Generate::default()
    };
    match client.run(Command::Generate(request), |_| {}) {
        // Weights that give no distribution are a model's own business, and reported when it is used.
        Ok(_) | Err(EngineError::Row(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

fn prompt(info: &ModelInfo) -> Vec<TokenId> {
    let last = info.vocab.len().saturating_sub(1) as u32;
    let mut ids = vec![TokenId(0), TokenId(last)];
    ids.extend(info.tokenizer.tokenize(SAMPLE.as_bytes(), true));
    ids.truncate(128);
    ids
}
