//! From a request's fields to a sampler chain: OpenAI's names, vLLM's and llama-server's for what OpenAI has
//! not, and the ranges of the command line.

use std::sync::Arc;

use serde_json::{Value, json};

use super::error::ApiError;
use super::fields::{Fields, kind};
use crate::grammar::{self, schema};
use crate::sampling::{Constraint, LogitBias, Sampling};
use crate::settings::Settings;
use crate::settings::key::SettingKey;
use crate::token::TokenId;

/// Names of a field, the first of which is ours, and the setting it is.
const NUMBERS: [(&[&str], SettingKey); 10] = [
    (&["temperature"], SettingKey::Temp),
    (&["top_p"], SettingKey::TopP),
    (&["top_k"], SettingKey::TopK),
    (&["min_p"], SettingKey::MinP),
    (&["typical_p", "typical"], SettingKey::Typical),
    (&["top_n_sigma"], SettingKey::TopNSigma),
    (&["dry_multiplier"], SettingKey::Dry),
    (&["repeat_penalty", "repetition_penalty"], SettingKey::RepeatPenalty),
    (&["presence_penalty"], SettingKey::PresencePenalty),
    (&["frequency_penalty"], SettingKey::FrequencyPenalty),
];

/// Most tokens with a bias.
const MOST_BIASES: usize = 1024;

/// Reads the sampling fields, over what holds where a request says nothing.
pub(super) fn read(fields: &mut Fields, base: &Settings, vocabulary: usize) -> Result<Sampling, ApiError> {
    let mut trial = base.clone();
    for (names, key) in NUMBERS {
        for name in names {
            let Some(number) = fields.number(name)? else { continue };
            // vLLM and llama-server write -1 for the whole vocabulary.
            let number = if key == SettingKey::TopK && number == -1.0 { 0.0 } else { number };
            set(&mut trial, key, name, &number.to_string())?;
        }
    }
    mirostat(fields, &mut trial)?;
    let threshold = fields.number("xtc_threshold")?.unwrap_or(0.1);
    if let Some(probability) = fields.number("xtc_probability")? {
        let value = if probability == 0.0 { "off".to_string() } else { format!("{probability},{threshold}") };
        set(&mut trial, SettingKey::Xtc, "xtc_probability", &value)?;
    }
    if let Some(number) = fields.number("penalty_last_n")? {
        trial.sampling.penalty_last_n = last_n(number)?;
    }
    trial.sampling.seed = match fields.whole("seed", i64::MIN..=i64::MAX)? {
        Some(-1) | None => random_seed(),
        Some(seed) => fold(seed),
    };
    if let Some(value) = fields.value("logit_bias") {
        trial.sampling.bias = logit_bias(value, vocabulary)?;
    }
    trial.sampling.grammar = constraint(fields)?;
    Ok(trial.sampling)
}

fn set(trial: &mut Settings, key: SettingKey, name: &str, value: &str) -> Result<(), ApiError> {
    key.set(trial, value).map_err(|_| ApiError::field(name, format!("must be {}, not {value}", key.range())))
}

/// OpenAI's object of ids and numbers, or llama-server's list of such pairs.
fn logit_bias(value: Value, vocabulary: usize) -> Result<Arc<[LogitBias]>, ApiError> {
    let wrong = |found: String| {
        let wanted = format!(
            "must give at most {MOST_BIASES} tokens, by ids from 0 to {}, a number from -100 to 100 each, as in {{\"5\": -100}}",
            vocabulary - 1
        );
        ApiError::field("logit_bias", format!("{wanted}, not {found}"))
    };
    let pairs: Vec<(Value, Value)> = match value {
        Value::Object(map) => map.into_iter().map(|(id, nats)| (Value::String(id), nats)).collect(),
        Value::Array(list) => {
            let pair = |entry| match entry {
                Value::Array(pair) => <[Value; 2]>::try_from(pair).map(|[id, nats]| (id, nats)).ok(),
                _ => None,
            };
            let pairs: Option<Vec<_>> = list.into_iter().map(pair).collect();
            pairs.ok_or_else(|| wrong("a list of anything but pairs".to_string()))?
        }
        other => return Err(wrong(kind(&other).to_string())),
    };
    if pairs.len() > MOST_BIASES {
        return Err(wrong(format!("{}", pairs.len())));
    }
    let bias = |(id, nats): (Value, Value)| {
        let number = match &id {
            Value::String(text) => text.parse().ok(),
            other => other.as_u64(),
        };
        let known = number.filter(|&id| id < vocabulary as u64);
        let known = known.ok_or_else(|| wrong(format!("the id {id}")))?;
        let number = nats.as_f64().filter(|nats| (-100.0..=100.0).contains(nats));
        let nats = number.ok_or_else(|| wrong(format!("{nats} for token {known}")))? as f32;
        Ok(LogitBias { id: TokenId(known as u32), nats })
    };
    pairs.into_iter().map(bias).collect()
}

fn last_n(number: f64) -> Result<u32, ApiError> {
    match number {
        -1.0 => Ok(i32::MAX as u32),
        n if n >= 0.0 && n.fract() == 0.0 && n <= f64::from(i32::MAX) => Ok(n as u32),
        _ => Err(ApiError::field("penalty_last_n", "must be -1 (all), 0 (off) or a number of tokens")),
    }
}

fn mirostat(fields: &mut Fields, trial: &mut Settings) -> Result<(), ApiError> {
    let version = fields.whole("mirostat", 0..=2)?;
    let tau = fields.number("mirostat_tau")?.unwrap_or(5.0);
    let eta = fields.number("mirostat_eta")?.unwrap_or(0.1);
    match version {
        None => Ok(()),
        Some(0) => set(trial, SettingKey::Mirostat, "mirostat", "off"),
        Some(version) => set(trial, SettingKey::Mirostat, "mirostat", &format!("{version},{tau},{eta}")),
    }
}

/// A seed of 64 bits as one of ours.
fn fold(seed: i64) -> u32 {
    let seed = seed as u64;
    let folded = (seed ^ (seed >> 32)) as u32;
    if folded == u32::MAX { 0 } else { folded }
}

/// A seed that nobody chose.
fn random_seed() -> u32 {
    use std::hash::{BuildHasher, Hasher};
    (std::collections::hash_map::RandomState::new().build_hasher().finish() % 1_000_000) as u32
}

/// What a reply must follow: one of `grammar`, `regex`, `json_schema` and `response_format`.
fn constraint(fields: &mut Fields) -> Result<Option<Constraint>, ApiError> {
    let mut found: Vec<(&str, Constraint)> = Vec::new();
    if let Some(source) = fields.text("grammar")?.filter(|source| !source.is_empty()) {
        grammar::check(&source).map_err(|fault| ApiError::field("grammar", format!("is faulty: {fault}")))?;
        found.push(("grammar", Constraint::Gbnf(source.into())));
    }
    if let Some(source) = fields.text("regex")? {
        let regex = grammar::regex(&source)
            .map_err(|error| ApiError::field("regex", format!("is faulty: {error}")))?;
        found.push(("regex", regex));
    }
    if let Some(document) = fields.value("json_schema") {
        found.push(("json_schema", of_schema("json_schema", &document)?));
    }
    if let Some(format) = fields.value("response_format")
        && let Some(constraint) = response_format(format)?
    {
        found.push(("response_format", constraint));
    }
    if let [(first, _), (second, _), ..] = found.as_slice() {
        return Err(ApiError::field(second, format!("can't hold beside \"{first}\": give one of them")));
    }
    Ok(found.pop().map(|(_, constraint)| constraint))
}

fn response_format(format: Value) -> Result<Option<Constraint>, ApiError> {
    const NAME: &str = "response_format";
    let mut fields = Fields::within(NAME, format)?;
    let kind_of = fields.text("type")?;
    let schema = match kind_of.as_deref() {
        Some("text") => None,
        Some("json_object") => Some(fields.value("schema").unwrap_or(json!({"type": "object"}))),
        Some("json_schema") => {
            let Some(inner) = fields.value("json_schema") else {
                return Err(ApiError::field(NAME, "of type json_schema must have \"json_schema\""));
            };
            let mut inner = Fields::within("response_format.json_schema", inner)?;
            let schema = inner.value("schema");
            // A schema is always held to; its name and what it is for are for other models to read.
            inner.done(&["name", "strict", "description"])?;
            Some(schema.ok_or_else(|| ApiError::field(NAME, "has no \"json_schema.schema\""))?)
        }
        _ => return Err(ApiError::field(NAME, "must be of type text, json_object or json_schema")),
    };
    fields.done(&[])?;
    schema.map(|schema| of_schema(NAME, &schema)).transpose()
}

fn of_schema(name: &str, document: &Value) -> Result<Constraint, ApiError> {
    if !document.is_object() && !document.is_boolean() {
        return Err(ApiError::field(name, format!("must hold a JSON schema, not {}", kind(document))));
    }
    schema::of_document(document).map_err(|what| ApiError::field(name, format!("can't be enforced: {what}")))
}

#[cfg(test)]
mod tests;
