//! What kind of server stands at an address, which of its models is meant, and what it gives: asked, not assumed.

use std::sync::Arc;

use serde_json::Value;

use super::dialect::Dialect;
use super::wire::{Trouble, Wire, WireCall};
use super::{llama_server, openai, tokenscope, vllm};
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

/// Asks a server what it is.
pub(super) fn open(
    call: WireCall,
    wire: &Arc<Wire>,
    options: &LoadOptions,
) -> Result<(ModelInfo, Box<dyn Dialect>), Trouble> {
    let found = find(call, wire.model())?;
    match found.owner() {
        "tokenscope" => tokenscope::open(call, found, options),
        "vllm" => vllm::open(call, wire, found, options),
        "llamacpp" => llama_server::open(call, wire, found, options),
        _ => openai::open(call, found, options),
    }
}

/// The model that is meant: the one that is named, or the only one.
fn find(call: WireCall, named: Option<&str>) -> Result<ListedModel, Trouble> {
    let list = call.get("/v1/models")?;
    let models = list["data"].as_array();
    let models = models.ok_or_else(|| Trouble::wrong("its list of models (/v1/models) is none"))?;
    let entries = models.iter().filter_map(|entry| Some((entry["id"].as_str()?, entry)));
    let entries: Vec<(&str, &Value)> = entries.collect();
    let found =
        |(name, entry): &(&str, &Value)| ListedModel { name: name.to_string(), entry: (*entry).clone() };
    match (named, entries.as_slice()) {
        (_, []) => Err(Trouble::wrong("it serves no model")),
        (None, [only]) => Ok(found(only)),
        (Some(named), all) if all.iter().any(|(name, _)| *name == named) => {
            Ok(all.iter().find(|(name, _)| *name == named).map(found).unwrap_or(found(&all[0])))
        }
        (named, all) => {
            let names: Vec<&str> = all.iter().take(10).map(|(name, _)| *name).collect();
            let wanted = named.map_or(String::new(), |named| format!("it serves no {named:?}; "));
            Err(Trouble::wrong(format!(
                "{wanted}name one of its models after #: {}",
                crate::token::printable(&names.join(", "))
            )))
        }
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
        let weights = WeightsInForce { weights: self.weights.unwrap_or_default(), reason: Reason::Server };
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
