//! Several replies side by side, each of a prompt of its own: what is asked, one round at a time, and what
//! comes of it. Plain data.
//!
//! A round gives every reply that is read one token. Whoever asks decides after each round who joins, who
//! leaves and what else the engine does in between, so that nobody waits for a long reply to end.

use std::sync::Arc;

use super::protocol::{CancelFlag, EngineError, FinishReason};
use crate::distribution::Depth;
use crate::intervention::Interventions;
use crate::sampling::Sampling;
use crate::step::{AnyToken, Step};
use crate::token::TokenId;

/// Names a reply among those that are written side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReplyId(pub u64);

/// A reply that begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Newcomer {
    /// Its name; no other reply has it.
    pub reply: ReplyId,
    /// The exact ids to continue; at least one.
    pub prompt: Vec<TokenId>,
    /// How to choose.
    pub sampling: Sampling,
    /// Ends after this many tokens, 1 or more.
    pub max_tokens: usize,
    /// How many candidates each step keeps.
    pub depth: Depth,
    /// Tokens whose figures are wanted at every step, whatever is chosen.
    pub named: Vec<TokenId>,
}

/// One round: replies leave, others join, and everyone whose prompt is read gets a token.
#[derive(Clone, Debug, PartialEq)]
pub struct Round {
    /// Most replies side by side, where the model and its arithmetic allow for several; the same in every
    /// round.
    pub most: usize,
    /// Those that leave before they have ended. One that is not there any more is no error.
    pub leave: Vec<ReplyId>,
    /// Those that join. Who finds no room waits, and tells nothing until there is some.
    pub join: Vec<Newcomer>,
    /// What is in force at every position.
    pub interventions: Interventions,
    /// Stops the round; the replies go on with the next one.
    pub cancel: CancelFlag,
}

/// What became of one reply in a round.
#[derive(Clone, Debug)]
pub enum ReplyEvent {
    /// A token, with the figures of those that were named.
    Step(Arc<Step>, Vec<AnyToken>),
    /// It has ended; nothing further comes of it.
    Ended(FinishReason),
    /// It can't go on; nothing further comes of it.
    Failed(EngineError),
}
