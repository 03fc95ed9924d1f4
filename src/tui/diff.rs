//! The diff pane's state: which two branches stand side by side, and which of their tokens is chosen.

pub mod show;

use crate::session::branches::Branches;
use crate::session::compare::BranchComparison;

/// The pane's state.
#[derive(Clone, Copy, Debug, Default)]
pub struct DiffState {
    /// The numbers of the branches, as they were named.
    pair: Option<[u32; 2]>,
    /// The chosen row, counted from the first difference.
    pub row: usize,
    /// The chosen one of the two.
    pub side: usize,
}

impl DiffState {
    /// The branches, where both are there.
    pub fn comparison<'a>(&self, branches: &'a Branches) -> Option<BranchComparison<'a>> {
        BranchComparison::of(branches, self.pair?)
    }
}
