//! What of a schema can't be enforced.

use crate::token::printable;

/// Something in a schema that can't be enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// JSON pointer of the keyword or value.
    pub pointer: String,
    /// Why.
    pub what: String,
}

impl Refusal {
    pub(super) fn at(pointer: &str, what: impl Into<String>) -> Refusal {
        Refusal { pointer: pointer.to_string(), what: what.into() }
    }

    pub(super) fn keyword(pointer: &str, name: &str) -> Refusal {
        Refusal::at(pointer, format!("{name} can't be enforced while a reply is written"))
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pointer: String = printable(&self.pointer).chars().take(300).collect();
        let pointer = if pointer.is_empty() { "the schema" } else { &pointer };
        let what: String = printable(&self.what).chars().take(500).collect();
        write!(f, "{pointer}: {what}")
    }
}
