//! What is known of a model before it is loaded and has to be known while it runs.

use std::sync::Arc;

use super::choice::WeightsInForce;
use super::spec::Alias;

/// What goes with a model from its file to whoever runs it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// Quantization of the file that was named; a copy of it has another. `None` asks the loaded file.
    pub quantization: Option<String>,
    /// The weights that are computed with, and why.
    pub weights: WeightsInForce,
    /// The sampling that the file recommends: what follows `general.sampling.` in its keys, and the values
    /// as text. Nothing has been checked.
    pub sampling: Vec<(String, String)>,
    /// The file's entry in the catalogue.
    pub entry: Option<&'static Alias>,
    /// Who computes it, where that is a server.
    pub server: Option<Arc<ServerAbout>>,
}

/// What a server says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerAbout {
    /// What kind of server it is, with its version.
    pub kind: String,
    /// The model's file there.
    pub file: Option<String>,
    /// Its checksum.
    pub sha256: Option<String>,
    /// Whether its arithmetic is repeatable.
    pub exact: bool,
    /// What a person should know of its figures, a line each.
    pub notes: Vec<String>,
}
