//! Models: finding, fetching, verifying and describing GGUF files.
pub mod check;
pub mod error;
pub mod gguf;
pub mod memory;
pub mod progress;
pub mod spec;
