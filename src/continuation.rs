//! One scale: where a continuation begins in a text that is tokenized as a whole, what stands before a text
//! that has no context, what a reduction divides by, and the reductions themselves.
//!
//! `score`, `/compare`, `next --token`, suites, tasks and words all ask here; lm-evaluation-harness's rule
//! is a parameter ([`Join`]). Must not know a tokenizer's insides, an engine or a screen.

pub mod join;
pub mod reduction;

pub use join::{Encoded, Join, Joined, JoinedToken, after_nothing, joined};
