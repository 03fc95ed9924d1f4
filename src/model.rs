//! Models: finding, fetching, verifying and describing GGUF files.
//!
//! [`resolve`] turns what people write after `-m` into a file that is safe to load, fetching it if
//! need be. Stands beside the engine: it must not run a model and knows nothing of llama.cpp beyond
//! what [`gguf`] checks on its behalf. Nothing here prints; progress goes to a [`Progress`].

mod about;
pub mod bar;
pub mod check;
mod choice;
pub mod command;
pub mod control;
pub mod copies;
pub mod describe;
mod error;
mod fetch;
pub mod gguf;
mod library;
mod lock;
mod memory;
mod progress;
mod rpc;
mod server;
mod spec;
mod store;
mod weights;

pub use about::{About, ServerAbout};
pub use choice::{Processor, Reason, WeightsInForce, decide};
pub use command::ModelsCommand;
pub use copies::{Consent, Copies, FlagIsConsent, tidy};
pub use describe::ModelSummary;
pub use error::ModelError;
pub use fetch::{Fetcher, HttpLimits};
pub use library::{Library, ModelFile, Pulled, Purpose};
pub use memory::{FileId, KnownFile, Memory};
pub use progress::{ModelStage, Progress, Silent};
pub use rpc::RpcServer;
pub use server::{ApiKey, KEY_VARIABLE, Patience, ServerAccess, ServerAddress, authorities};
pub use spec::{ALIASES, Alias, CatalogPart, CatalogSource, DEFAULT, HubFile, PackageFile, Spec, SpecError};
pub use store::StoredModel;
pub use weights::Weights;
