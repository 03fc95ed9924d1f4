//! What every pair of sides needs.

use std::time::Duration;

use crate::aside;
use crate::engine::EngineError;
use crate::engine::llama::{Batch, SeqId};
use crate::token::TokenId;

/// How long an engine may take to end.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Runs one side on a thread of its own.
pub(super) fn apart<T: Send>(side: impl FnOnce() -> Result<T, EngineError> + Send) -> Result<T, EngineError> {
    std::thread::scope(|scope| aside::joined(aside::part(scope, side)))
}

/// A batch of one sequence from its beginning, with the logits of every token or of the last.
pub(super) fn sequence(tokens: &[TokenId], all: bool) -> Batch {
    let mut batch = Batch::default();
    for (i, &token) in tokens.iter().enumerate() {
        batch.push(token, i, &[SeqId(0)], all || i + 1 == tokens.len());
    }
    batch
}

/// Of an even number of values, the mean of the two in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}
