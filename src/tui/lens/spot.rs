//! What the lens pane looks at, and how it shows what was found: plain values.

use crate::lens::spans::SpanUnit;
use crate::lens::subject::Given;

/// Names a look, so that what comes of one that was given up is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookId(pub(super) u64);

/// What is looked at.
#[derive(Clone, Debug, PartialEq)]
pub struct Spot {
    /// Where in the sequence; `None` for a text of its own.
    pub at: Option<usize>,
    /// What the prediction is made from.
    pub given: Given,
    /// What is asked about, where a person says so.
    pub target: Option<Vec<u8>>,
    /// And what it is compared with.
    pub versus: Option<Vec<u8>>,
}

/// How the pane shows what was found.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LensChoice {
    /// What is left out at a time; `None` is a word or a character.
    pub by: Option<SpanUnit>,
    /// Whether the first token's share of attention is shown among the others.
    pub first_token: bool,
    /// The layer whose heads are shown.
    pub layer: Option<usize>,
}
