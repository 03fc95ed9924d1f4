//! What can go wrong in an engine, in words for people.

use thiserror::Error;

use crate::distribution::RowError;

/// What can go wrong in an engine.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum EngineError {
    /// The model could not be loaded.
    #[error("{path}: {reason}")]
    Load {
        /// The file.
        path: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// Loading was cancelled.
    #[error("loading was cancelled")]
    LoadCancelled,
    /// A sequence does not fit.
    #[error("{needed} tokens do not fit into the context of {context}: shorten the text or raise --ctx")]
    TooLong {
        /// Tokens to evaluate.
        needed: usize,
        /// Tokens there is room for.
        context: usize,
    },
    /// A sequence without a token.
    #[error("there is no token to start from: give a prompt, or --bos always")]
    Empty,
    /// llama.cpp made no context.
    #[error(
        "llama.cpp could not make a context of {cells} tokens (its log says why): score less at once, \
         shorten the text or free memory"
    )]
    NoContext {
        /// Cells it was asked for.
        cells: usize,
    },
    /// There is not as much memory as would be used.
    #[error(
        "about {needed} MiB of memory would be used and {free} MiB are free: shorten the text, or free some memory"
    )]
    NoRoom {
        /// In MiB.
        needed: u64,
        /// In MiB.
        free: u64,
    },
    /// llama.cpp refused to evaluate.
    #[error("llama.cpp could not evaluate a batch (code {0}); its log says more")]
    Decode(i32),
    /// What was to be done between the layers could not be.
    #[error("the model could not be looked into: {0}")]
    Graph(String),
    /// A part that this model's graph has not, or has otherwise.
    #[error(
        "{architecture} has no {part} in layer {layer} that could be told apart: this view is not to be had of it"
    )]
    NoPart {
        /// The architecture, as GGUF names it.
        architecture: String,
        /// The layer.
        layer: usize,
        /// What is missing.
        part: &'static str,
    },
    /// Logits that are no distribution.
    #[error(transparent)]
    Row(#[from] RowError),
    /// A reference model whose tokens are not this model's.
    #[error("{reference} has another vocabulary than {model}: {difference}; give a model of the same family")]
    Vocabulary {
        /// The model that scores.
        model: String,
        /// The model it is compared with.
        reference: String,
        /// The first difference.
        difference: String,
    },
    /// What was to be switched off or added can't be.
    #[error("{0}")]
    Intervention(String),
    /// A request of a kind that this engine doesn't answer.
    #[error("this engine can't {0}")]
    Unsupported(&'static str),
    /// A reply can't go on with a token under its constraint.
    #[error(
        "the constraint on replies does not allow {0}: choose another, or take the constraint away (/set)"
    )]
    Refused(String),
    /// A server that does not answer, or with what can't be; with its address.
    #[error("{0}")]
    Server(String),
    /// A server that has not the model that is named; with its address.
    #[error("{0}")]
    NoSuchModel(String),
    /// The grammar could not be used.
    #[error("the grammar could not be used: {0}")]
    Grammar(String),
    /// The engine thread is gone.
    #[error("the engine stopped: {0}")]
    Died(String),
}

/// A tokenizer that can't be reached, in one line.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct TokenizerLost(pub String);
