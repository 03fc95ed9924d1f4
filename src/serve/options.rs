//! What is served, where and to whom, and why nothing is.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::keys::{ApiKeys, KeysError};
use crate::engine::{Engine, ModelInfo};
use crate::jinja::TemplateError;
use crate::report::record::Origin;
use crate::settings::Settings;

/// What is served.
pub struct Served {
    /// Its engine.
    pub engine: Engine,
    /// What it is.
    pub model: Arc<ModelInfo>,
    /// Where its figures come from.
    pub origin: Origin,
    /// How raw text is continued where a request says nothing.
    pub raw: Settings,
    /// How a chat is.
    pub chat: Settings,
    /// The folder for what can be found out again.
    pub cache: PathBuf,
}

/// Where and how.
pub struct ServeOptions {
    /// The address.
    pub host: IpAddr,
    /// 0 takes one that is free.
    pub port: u16,
    /// Who may ask.
    pub keys: ApiKeys,
    /// Most replies side by side.
    pub parallel: usize,
}

/// Why nothing is served.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Another address than this machine's own, and nobody is kept out.
    #[error(
        "{0} can be reached from other machines: give --api-key-file FILE, so that only who has a key can ask, or serve 127.0.0.1"
    )]
    Open(IpAddr),
    /// The key file.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The address is taken, or not ours.
    #[error("{address}: {source}; choose another --port or --host")]
    Address {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The chat template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The system.
    #[error("the server could not be started: {0}")]
    System(#[from] io::Error),
}

impl ServeOptions {
    /// Refuses an address that others can reach where no key keeps them out.
    ///
    /// # Errors
    /// [`ServeError::Open`].
    pub fn check(&self) -> Result<(), ServeError> {
        match self.host.is_loopback() || !self.keys.is_empty() {
            true => Ok(()),
            false => Err(ServeError::Open(self.host)),
        }
    }
}
