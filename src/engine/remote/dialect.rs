//! What every kind of server is asked, in whatever way it wants to be asked.

use serde_json::{Map, Value};

use super::wire::{Trouble, WireCall};
use crate::engine::protocol::{FinishReason, Sequence};
use crate::sampling::Sampling;
use crate::step::{Prediction, Step};
use crate::token::TokenId;

/// How much a server is asked at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AtOnce {
    /// Sequences in one request.
    pub sequences: usize,
    /// Requests on their way.
    pub requests: usize,
}

/// Sequences to score.
#[derive(Clone, Copy, Debug)]
pub(super) struct ScoreWish<'a> {
    pub sequences: &'a [Sequence],
    /// Candidates of each token.
    pub k: usize,
    /// Whether the distribution after each is wanted.
    pub after: bool,
}

/// The figures of one sequence.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scores {
    /// Of its tokens from `Sequence::from` on.
    pub steps: Vec<Step>,
    pub after: Option<Prediction>,
}

/// A reply to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct WriteWish<'a> {
    pub prompt: &'a [TokenId],
    pub sampling: &'a Sampling,
    /// At least one, and no more than there is room for.
    pub max_tokens: usize,
    /// Candidates of each token.
    pub k: usize,
}

/// One kind of server.
pub(super) trait Dialect: Send + Sync {
    /// How much it is asked at a time.
    fn at_once(&self) -> AtOnce;

    /// Whether the figures of a reply's prompt cost no more than a request.
    fn gives_prompts(&self) -> bool;

    /// The figures of some sequences, in order.
    fn score(&self, call: WireCall, asked: ScoreWish) -> Result<Vec<Scores>, Trouble>;

    /// Writes a reply; `each` is given its steps as they come.
    fn write(
        &self,
        call: WireCall,
        asked: WriteWish,
        each: &mut dyn FnMut(Step) -> Result<(), Trouble>,
    ) -> Result<FinishReason, Trouble>;
}

/// The fields of an object.
pub(super) fn object(fields: Value) -> Map<String, Value> {
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}
