//! The weights a conversation is computed with, and a better copy of them that is made meanwhile.

use super::{Notice, Outcome, Session};
use crate::command::Command;
use crate::engine::ModelInfo;
use crate::model::{Reason, Weights};

impl Session {
    /// A copy of the running model's weights is ready. A conversation keeps the weights it has; where
    /// nothing was asked yet, the copy is taken.
    pub fn on_copy(&mut self, weights: Weights) -> Vec<Outcome> {
        self.copy = Some(weights);
        self.offer_copy()
    }

    /// Whether a copy waits to be taken.
    pub(super) fn has_better_copy(&self) -> bool {
        let reason = self.model.as_ref().map(|model| model.about.weights.reason);
        self.copy.is_some_and(|copy| reason == Some(Reason::Making(copy)))
    }

    /// Says that a copy is ready, or takes it.
    pub(super) fn offer_copy(&mut self) -> Vec<Outcome> {
        let (Some(copy), Some(model)) = (self.copy, &self.model) else { return Vec::new() };
        if !self.has_better_copy() {
            return Vec::new();
        }
        let ready = format!("the {} copy of {} is ready: /model takes it", copy.name(), model.name);
        if self.asked || self.is_busy() {
            return vec![Outcome::Say(Notice::Info(ready))];
        }
        self.execute(Command::Model(None)).unwrap_or_default()
    }
}

/// The model in one line.
pub(super) fn describe(model: &ModelInfo) -> String {
    let weights = model.about.weights.shown();
    format!("{} ({}, weights {weights}, {})", model.name, model.quantization, model.path.display())
}

#[cfg(test)]
mod tests;
