//! Running a model. The only place that does.
//!
//! [`protocol`] is what is said between an engine and the rest of the program; [`Engine`] is a handle
//! to the one thread on which a [`Backend`] answers. [`llama`] is the only folder that names llama.cpp.

mod backend;
mod beside;
mod cache;
mod cancel;
mod client;
mod cross;
mod error;
mod figures;
mod follow;
pub mod frontier;
mod generate;
mod gives;
mod growth;
mod handle;
mod inspect;
mod intervene;
mod lanes;
pub mod llama;
mod local;
pub mod look;
mod plan;
mod pool;
pub mod protocol;
mod remote;
pub mod replies;
pub mod row;
pub mod rpc;
mod sample;
mod scorer;
#[cfg(test)]
pub mod testing;
mod threads;
pub mod trial;
mod trie;
pub mod vocabulary;
mod worker;

pub use backend::{Backend, Opener, Others, RequestOutcome, Sink, WaitingRequest};
pub use client::{Client, Watcher};
pub use gives::Gives;
pub use handle::Engine;
pub use protocol::*;
