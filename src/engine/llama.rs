//! llama.cpp behind safe types: the only folder that names `llama_cpp_2` or `llama_cpp_sys_2`.
//!
//! llama.cpp ends the process where its own assertions fail, so every bound is checked here before a
//! call goes down.

mod backend;
mod batch;
mod context;
mod convert;
pub mod eval;
mod model;
pub mod rpc;
mod sampler;
mod tokenizer;

pub use backend::{on_native_abort, send_log_to};
pub use batch::{Batch, SeqId, filled};
pub use context::{Attention, Context, ContextParams, MOST_SEQUENCES, Slots, TILE};
pub use convert::convert;
pub use model::Model;
pub use sampler::{ChosenToken, MaskedChain, Scratch};
pub use tokenizer::Tokenizer;
