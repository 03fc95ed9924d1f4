//! What is looked for in the conversation: a text, or the steps that were most in doubt. Plain values.

pub mod go;

use crate::session::doubt::FoundPlace;
use crate::step::Doubt;

/// What is looked for.
#[derive(Debug, Default)]
pub struct SeekState {
    /// The text, while one is looked for.
    pub text: String,
    /// The place that was shown last, and how many there are before it and in all.
    pub place: Option<(FoundPlace, usize, usize)>,
    /// By which measure steps are in doubt.
    pub doubt: Doubt,
    /// The step that was shown last, how many are more in doubt, and how many steps there are.
    pub doubted: Option<(usize, usize, usize)>,
}
