//! What a server says of a model, before and after it was asked.

use std::sync::Arc;

use serde_json::Value;

use crate::engine::gives::Gives;
use crate::engine::protocol::{LoadOptions, ModelInfo, Tokenize};
use crate::model::{About, Reason, ServerAbout, Weights, WeightsInForce};
use crate::token::Vocab;

/// What a server says of the model that is asked.
pub(super) struct ListedModel {
    /// As requests name it.
    pub name: String,
    /// Its entry in the list of models.
    pub entry: Value,
}

impl ListedModel {
    /// Who serves it, as the list says.
    pub fn owner(&self) -> &str {
        self.entry["owned_by"].as_str().unwrap_or_default()
    }
}

/// What every kind of server tells of its model.
pub(super) struct ServedModel {
    pub name: String,
    pub architecture: String,
    pub quantization: String,
    pub parameters: u64,
    pub context: u32,
    pub threads: u32,
    pub gives: Gives,
    pub chat_template: Option<String>,
    pub weights: Option<Weights>,
    pub about: ServerAbout,
}

impl ServedModel {
    /// A model that is behind a server.
    pub fn info(self, vocab: Arc<Vocab>, tokenizer: Arc<dyn Tokenize>, options: &LoadOptions) -> ModelInfo {
        let reason = if self.weights.is_some() { Reason::Server } else { Reason::Untold };
        let weights = WeightsInForce { weights: self.weights.unwrap_or_default(), reason };
        let about = About {
            quantization: Some(self.quantization.clone()),
            weights,
            server: Some(Arc::new(self.about)),
            ..About::default()
        };
        let host = options.server.as_ref().map_or("server", |access| access.address.host());
        ModelInfo {
            // The same model may be here too, and figures of both are told apart by the name.
            name: format!("{}@{host}", self.name),
            path: options.path.clone(),
            architecture: self.architecture,
            quantization: self.quantization,
            parameters: self.parameters,
            layers: 0,
            heads: 0,
            width: 0,
            context: options.context.map_or(self.context, |context| context.min(self.context)),
            gives: self.gives,
            threads: self.threads,
            chat_template: self.chat_template,
            vocab,
            tokenizer,
            about: Arc::new(about),
        }
    }
}

/// A whole number of an answer.
pub(super) fn whole(value: &Value) -> Option<u32> {
    value.as_u64().and_then(|number| u32::try_from(number).ok())
}
