//! A whole row of logits: what is asked, and what comes of it. Plain data.

use std::sync::Arc;

use super::cancel::CancelFlag;
use crate::intervention::InForce;
use crate::sampling::Constraint;
use crate::token::TokenId;

/// The whole row of logits after a path, on the conversation's cache, which keeps what it holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowRequest {
    /// The exact ids before it; at least one.
    pub path: Vec<TokenId>,
    /// How many of them, at the end, are the reply so far: a constraint begins with it.
    pub begun: usize,
    /// What the reply must follow, where it is to be known what that rules out.
    pub constraint: Option<Constraint>,
    /// Tokens that go on after the path, whose figures are wanted too.
    pub then: Vec<TokenId>,
    /// What is in force at each position.
    pub in_force: InForce,
    /// Stops the request early.
    pub cancel: CancelFlag,
}

/// A row of logits, one per token of the vocabulary.
#[derive(Clone, Debug, PartialEq)]
pub struct LogitsFound {
    /// As the model has them.
    pub logits: Arc<[f32]>,
    /// The same with −∞ for what the constraint rules out, where one was given; or why that is not known.
    pub allowed: Option<Result<Arc<[f32]>, String>>,
    /// How many tokens back the sampler looks for repetitions.
    pub reach: usize,
}
