//! A step with another dose of a steering vector: plain values.

use std::sync::Arc;

use crate::engine::CancelFlag;
use crate::intervention::Interventions;
use crate::step::Step;

/// The step that was asked for, and what came of it.
#[derive(Debug)]
pub struct Dosed {
    /// Names the question.
    pub number: u32,
    /// Where in the sequence.
    pub at: usize,
    /// How long that was.
    pub length: usize,
    /// What would be in force.
    pub under: Interventions,
    /// Raise it to stop.
    pub cancel: CancelFlag,
    /// The step, once it is known.
    pub found: Option<Arc<Step>>,
}
