//! What kind of server stands at an address, which of its models is meant, and what it gives: asked, not assumed.

use std::sync::Arc;

use serde_json::Value;

use super::dialect::Dialect;
use super::served::ListedModel;
use super::wire::{Trouble, Wire, WireCall};
use super::{llama_server, openai, tokenscope, vllm};
use crate::engine::protocol::{LoadOptions, ModelInfo};

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
            Err(Trouble::Unlisted(format!(
                "{wanted}name one of its models after #: {}",
                crate::token::printable(&names.join(", "))
            )))
        }
    }
}
