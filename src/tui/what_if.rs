//! The what-if pane's state: which step's row is looked at, which settings are tried on it, what comes of them.
//!
//! A row is fetched once for each step, away from the screen and after the chat; then every change of a setting is
//! computed here, at once. Where no row is to be had, what the step keeps says as much as it can.

pub mod show;
pub mod tried;

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use crate::engine::{CancelFlag, ModelInfo};
use crate::query::at_step::StepRow;
use crate::query::what_if::WhatIf;
use crate::sampling::{Constraint, Sampling};
use crate::sequence::NodeNumber;

use super::pane::Pane;
use tried::Tried;

/// Rows that are kept: of the largest vocabularies three megabytes each.
const KEPT: usize = 8;

/// Which row.
#[derive(Clone, Debug, PartialEq)]
struct RowSpot {
    /// The token that stands there, which names the path before it.
    node: NodeNumber,
    /// What the reply must follow.
    constraint: Option<Constraint>,
}

/// A row on its way.
#[derive(Debug)]
struct RowRunning {
    number: u32,
    spot: RowSpot,
    cancel: CancelFlag,
}

/// What the list is of.
#[derive(Clone, Debug, PartialEq)]
struct ListKey {
    spot: Option<RowSpot>,
    is_whole: bool,
    sampling: Sampling,
    letters: String,
}

/// What is shown.
#[derive(Debug)]
pub struct WhatIfList {
    key: ListKey,
    /// What the settings make of the tokens.
    pub what_if: WhatIf,
    /// How many tokens hold the letters, where some are looked for.
    pub holding: Option<usize>,
}

/// The pane's state.
#[derive(Debug, Default)]
pub struct WhatIfState {
    /// The settings that are tried.
    pub tried: Tried,
    /// Rows of the list that are scrolled out of sight.
    pub scroll: usize,
    /// What every token that is listed holds.
    pub letters: String,
    /// The list, once there is one.
    pub list: Option<WhatIfList>,
    before: Option<&'static Pane>,
    /// Oldest first.
    kept: VecDeque<(RowSpot, Result<Arc<StepRow>, String>)>,
    running: Option<RowRunning>,
    last: u32,
    model: Weak<ModelInfo>,
}

impl WhatIfState {
    /// Whether a row is on its way.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    fn found(&self, spot: &RowSpot) -> Option<&Result<Arc<StepRow>, String>> {
        self.kept.iter().find(|(other, _)| other == spot).map(|(_, found)| found)
    }

    /// What came of a row.
    pub fn on_row(&mut self, number: u32, found: Result<Arc<StepRow>, String>) {
        let Some(running) = self.running.take_if(|running| running.number == number) else { return };
        if !running.cancel.is_cancelled() {
            self.kept.push_back((running.spot, found));
            self.kept.drain(..self.kept.len().saturating_sub(KEPT));
        }
    }
}

#[cfg(test)]
mod tests;
