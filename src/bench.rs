//! `tokenscope bench`: what the instrument costs beside the raw engine, as ratios from one run.
//!
//! Pairs of runs are interleaved, so that a machine whose speed drifts slows both sides. Only one side
//! exists at a time, each on a thread of its own: llama.cpp's threads belong to the thread that asks for
//! them, and more of them than there are cores wait for each other asleep, which takes three times as long.

mod decode;
mod prompt;
mod scoring;
mod start;

use std::time::Duration;

use crate::aside;
use crate::engine::EngineError;
use crate::engine::llama::{Batch, SeqId};
use crate::token::TokenId;

pub use decode::{DecodeBench, DecodeReport};
pub use prompt::{PromptBench, PromptReport};
pub use scoring::{ScoringBench, ScoringReport};
pub use start::{StartBench, StartReport};

/// How long an engine may take to end.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Runs one side on a thread of its own.
fn apart<T: Send>(side: impl FnOnce() -> Result<T, EngineError> + Send) -> Result<T, EngineError> {
    std::thread::scope(|scope| aside::joined(aside::part(scope, side)))
}

/// A batch of one sequence from its beginning, with the logits of every token or of the last.
fn sequence(tokens: &[TokenId], all: bool) -> Batch {
    let mut batch = Batch::default();
    for (i, &token) in tokens.iter().enumerate() {
        batch.push(token, i, &[SeqId(0)], all || i + 1 == tokens.len());
    }
    batch
}

/// Of an even number of values, the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}
