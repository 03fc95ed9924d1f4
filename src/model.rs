//! Models: finding, fetching, verifying and describing GGUF files.
pub mod gguf;
