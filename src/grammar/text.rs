//! The text of a constraint, and what is made of it.

use std::path::Path;

use super::error::GrammarError;
use crate::bounded::{self, Bound};
use crate::sampling::Constraint;

/// A grammar file larger than this is not one.
const LARGEST: Bound = Bound(1 << 20);

/// A constraint that has been read.
#[derive(Debug)]
pub struct ReadConstraint {
    pub constraint: Constraint,
    /// What a person should know of it, in one line.
    pub note: Option<String>,
}

/// Reads a file that holds a grammar or a schema.
///
/// # Errors
/// [`GrammarError::Unreadable`].
pub(super) fn read_text(path: &Path) -> Result<String, GrammarError> {
    let unreadable = |source| GrammarError::Unreadable { path: path.to_path_buf(), source };
    bounded::text(path, LARGEST).map_err(unreadable)
}
