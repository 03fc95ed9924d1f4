//! Running a model. The only place that does.
//!
//! [`protocol`] is what is said between an engine and the rest of the program.

pub mod protocol;

pub use protocol::*;
