//! What may be looked at and changed between the layers of a model: plain data, without a tensor's name.

use std::sync::Arc;

use super::protocol::CancelFlag;
use crate::distribution::Depth;
use crate::intervention::Interventions;
use crate::step::{Candidate, Prediction};
use crate::token::TokenId;

/// Look between the layers while a sequence, or variants of it, are computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Inspect {
    /// The sequence; at least one token.
    pub tokens: Vec<TokenId>,
    /// What is wanted.
    pub look: LookFor,
    /// Tokens whose log-probability is wanted in every reading.
    pub named: Vec<TokenId>,
    /// How many candidates each reading keeps.
    pub depth: Depth,
    /// What is in force at every position.
    pub interventions: Interventions,
    /// Stops the request early.
    pub cancel: CancelFlag,
}

/// What is wanted of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub enum LookFor {
    /// What the model's own head says of the residual stream after each layer, at the last token: one
    /// [`Reading`] a layer, and one more of the row that nothing was done to.
    Layers {
        /// Whether copies of that row in other places follow, the last of them in a batch of its own; there are
        /// none where positions are no cells that could be shared.
        copies: bool,
    },
    /// What the model's own head says of these, each as the residual stream after the last layer: one
    /// [`Reading`] each. The sequence doesn't matter.
    Streams(Vec<Arc<[f32]>>),
    /// Weights of attention.
    Weights(Vec<WeightsOf>),
    /// The rows that a part has for every token, layer by layer; nothing of layers that have no such part.
    Rows {
        /// The part: residual, input, attention, ffn, heads, or a name of llama.cpp.
        part: String,
        /// The layers.
        layers: Vec<usize>,
    },
    /// What everything that adds to the last token's residual stream adds to the logits of the named tokens,
    /// the last norm's divisor held still.
    Shares,
    /// The distribution after each variant of the sequence.
    Variants(Variants),
}

/// Variants of a sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variants {
    /// They.
    pub variants: Vec<Variant>,
    /// Those that every batch has once more; their numbers follow the variants'.
    pub controls: Vec<Variant>,
    /// Another sequence, as long as the one that is asked about, which [`PartValue::Other`] and
    /// [`Variant::of_other`] are of; may be empty where nothing is.
    pub other: Vec<TokenId>,
    /// Tokens that follow in every variant. With some, [`Inspect::named`] is one token more and each is told
    /// after those before it.
    pub then: Vec<TokenId>,
}

impl Variants {
    /// The variants and the controls.
    pub fn all(&self) -> impl Iterator<Item = &Variant> {
        self.variants.iter().chain(&self.controls)
    }
}

/// Which weights of attention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightsOf {
    /// The layer; `None` is every one.
    pub layer: Option<usize>,
    /// The positions that attend.
    pub positions: std::ops::Range<usize>,
    /// Whether the mean over the heads is enough.
    pub mean: bool,
}

/// The sequence with changes on the way through the layers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variant {
    /// The first position that is computed anew; nothing before it is changed.
    pub from: usize,
    /// The changes; none is a copy for control.
    pub edits: Vec<Edit>,
    /// Whether it is a variant of the other sequence.
    pub of_other: bool,
}

impl Variant {
    /// A copy of the sequence that is computed anew from a position on.
    pub fn copy(from: usize) -> Variant {
        Variant { from, ..Variant::default() }
    }

    /// Whether it takes anything from the other sequence.
    pub fn needs_other(&self) -> bool {
        let is_other = |edit: &Edit| matches!(edit, Edit::Write { value: PartValue::Other, .. });
        self.of_other || self.edits.iter().any(is_other)
    }
}

/// A change.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    /// Another value for a part.
    Write {
        /// The layer.
        layer: usize,
        /// The part.
        part: Part,
        /// Where; `None` is every position from [`Variant::from`] on.
        position: Option<usize>,
        /// The value.
        value: PartValue,
    },
    /// Attention that may not look.
    Cut {
        /// The layer.
        layer: usize,
        /// The head; `None` is every one.
        head: Option<usize>,
        /// The position that is not seen.
        from: usize,
        /// The position that does not see it.
        to: usize,
    },
}

/// A part of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// The residual stream after the layer.
    Residual,
    /// What attention adds to the stream.
    Attention,
    /// What the feed-forward network adds to it.
    FeedForward,
    /// What one head gives before the heads are mixed.
    Head(usize),
}

/// What adds to the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addend {
    /// What the token itself is turned into.
    Embedding,
    /// A part of a layer; a head's share is one of its attention's.
    Part {
        /// The layer.
        layer: usize,
        /// The part: anything but the stream itself.
        part: Part,
    },
    /// All of it: the model's own logits.
    Whole,
}

/// Where a part's other value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartValue {
    /// Nothing is added.
    Zero,
    /// The mean over the sequence's own positions, the first left out.
    Mean,
    /// What the part has at the same position of the other sequence.
    Other,
    /// What it has anyway.
    Itself,
}

/// A distribution between or after the layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The distribution.
    pub prediction: Prediction,
    /// The tokens that were named, in their order.
    pub named: Vec<Candidate>,
    /// With [`LookFor::Layers`]: Σ p (ln p − ln q) in nats, p after the last layer and q here.
    pub divergence: Option<f64>,
}

/// What a request for [`Inspect`] finds.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// The distribution of a layer or variant.
    Reading(Reading),
    /// A variant changes what this model has not.
    Missing {
        /// In which layer.
        layer: usize,
        /// What.
        part: &'static str,
    },
    /// Shares in the logits of the named tokens, in their order.
    Share {
        /// Whose.
        addend: Addend,
        /// They.
        logits: Vec<f32>,
    },
    /// Rows of a part, one position after the other.
    Rows {
        /// The layer.
        layer: usize,
        /// Values of one row.
        width: usize,
        /// The rows.
        values: Vec<f32>,
    },
    /// Weights of attention.
    Weights {
        /// The layer.
        layer: usize,
        /// The position that attends.
        position: usize,
        /// Number of heads; 1 for their mean.
        heads: usize,
        /// For each head, the weights of positions 0 to `position`.
        weights: Vec<f32>,
    },
}
