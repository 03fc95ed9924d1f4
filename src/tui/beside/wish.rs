//! What a second model is asked, and what comes of it: plain values.

use std::sync::Arc;

use crate::distribution::Depth;
use crate::engine::ModelInfo;
use crate::session::state::Fetch;
use crate::step::Step;
use crate::token::TokenId;

/// What is new of the second model.
#[derive(Debug)]
pub enum BesideNews {
    /// So far it is found, fetched or converted.
    Fetch(Fetch),
    /// So far it is loaded, 0..=1.
    Share(f32),
    /// It is ready.
    Ready(Arc<ModelInfo>),
    /// It can't be had, or has stopped: one line.
    Lost(String),
}

/// Tokens of the first model that the second one is to read.
#[derive(Clone, Debug)]
pub struct FollowWish {
    /// The second model.
    pub model: Arc<ModelInfo>,
    /// The first model's tokens.
    pub ids: Vec<TokenId>,
    /// Their text, where the second model has other tokens.
    pub text: Option<Vec<u8>>,
    /// What it puts before a text.
    pub bos: Option<TokenId>,
    /// Its own tokens whose figures are known.
    pub read: Vec<TokenId>,
    /// Instead of figures: from which token on the divergence from the first model is wanted.
    pub diverge: Option<usize>,
    /// How many candidates each step keeps.
    pub depth: Depth,
}

/// What the second model made of them.
#[derive(Clone, Debug, Default)]
pub struct Following {
    /// How many of the first model's tokens these are.
    pub length: usize,
    /// The second model's own tokens.
    pub own: Vec<TokenId>,
    /// Figures of its own tokens.
    pub steps: Vec<Arc<Step>>,
    /// The first of them.
    pub from: usize,
    /// Instead of figures: the divergence at each token, from the one that was asked about on.
    pub divergence: Option<Vec<f32>>,
}
