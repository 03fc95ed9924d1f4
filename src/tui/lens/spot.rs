//! What the lens pane looks at, and how it shows what was found: plain values.

use crate::intervention::{InForce, Interventions};
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
    /// What is in force at every position.
    pub under: Interventions,
    /// Whether the step itself was computed with other things in force before it.
    pub uneven: bool,
}

impl Spot {
    /// A token of a sequence in which this is in force.
    pub fn of_token(at: usize, given: Given, in_force: &InForce) -> Spot {
        let under = in_force.of_token(at);
        let uneven = in_force.spans().iter().any(|(from, _)| (1..at).contains(from));
        Spot { at: Some(at), given, target: None, versus: None, under, uneven }
    }
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
    /// Whether knockouts stand layer by layer instead of by size.
    pub grid: bool,
}
