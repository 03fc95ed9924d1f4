//! What comes after several texts that begin alike, asked for piece by piece. Plain data.
//!
//! Whoever grows a tree of continuations asks for the distributions after some of its nodes, then after some
//! of their children. What was computed for one request stays for the next, so that only new tokens are.

use super::cancel::CancelFlag;
use crate::distribution::Depth;
use crate::intervention::InForce;
use crate::token::TokenId;

/// The distribution after each of several sequences; [`Event::Scored`](super::protocol::Event::Scored) without
/// steps brings it, in order. When the request is cancelled the last ones are missing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frontier {
    /// The exact ids; none is empty.
    pub sequences: Vec<Vec<TokenId>>,
    /// How many candidates each distribution keeps.
    pub depth: Depth,
    /// What is in force at each position.
    pub in_force: InForce,
    /// Stops the request early.
    pub cancel: CancelFlag,
}
