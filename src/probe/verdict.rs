//! How something that must hold turned out: what expectations, limits and predictions give.

use serde::{Deserialize, Serialize};

/// How an expectation turned out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The expression.
    pub text: String,
    /// Whether it holds.
    pub passed: bool,
    /// What was found: every measured value in it.
    pub found: String,
    /// Whether it is only reported.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub informational: bool,
}

impl Verdict {
    /// Whether a run fails by it.
    pub fn fails(&self) -> bool {
        !self.passed && !self.informational
    }
}
