//! A schema in the engine's dialect, and whether the engine can compile it.

use std::sync::Arc;

use serde_json::{Value, json};

use super::normal;
use super::refusal::Refusal;
use crate::grammar::mask::TokenTable;
use crate::sampling::Constraint;

/// White space that a reply may hold between two parts: a space, or line breaks with an indentation.
/// Without a bound a small model fills its context with it.
const WHITE_SPACE: &str = r"[ ]|\n{1,2}[ \t]{0,40}";

/// The part of a document at a pointer, as a schema of its own.
pub(super) fn normalise_part(document: &Value, pointer: &str) -> Result<String, Refusal> {
    let mut normal = normal::normalise(document, pointer)?.schema;
    normal["x-guidance"] = json!({
        "whitespace_flexible": true,
        "whitespace_pattern": WHITE_SPACE,
        "coerce_one_of": false,
        "lenient": false,
        // A name that could be written in two ways could stand for a property that is taken.
        "json_allowed_escapes": "nrbtf\\\"",
    });
    Ok(normal.to_string())
}

/// Whether a normalised schema can be compiled.
///
/// # Errors
/// The engine's reason, in one line.
pub(super) fn try_schema(normal: &str) -> Result<(), String> {
    TokenTable::of_bytes()?.matcher(&Constraint::Schema(Arc::from(normal))).map(|_| ())
}
