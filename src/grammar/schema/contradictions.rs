//! Why nothing satisfies a schema, in plain words and with the place.
//!
//! The engine only says that it found a contradiction, somewhere. Here the schema is tried part by part:
//! of a part that can't hold, one that must hold for it and can't either is nearer to the reason.

use serde_json::Value;

use super::compile::{normalise_part, try_schema};
use super::keys::{SchemaKeys, below};
use super::places::Places;
use super::refusal::Refusal;
use crate::grammar::mask::UNSATISFIABLE;

/// Parts in parts that are followed.
const DEEPEST: usize = 50;

/// Pairs of keywords of which the first must not be above the second.
const PAIRS: [(&str, &str); 6] = [
    ("minimum", "maximum"),
    ("minimum", "exclusiveMaximum"),
    ("exclusiveMinimum", "maximum"),
    ("exclusiveMinimum", "exclusiveMaximum"),
    ("minLength", "maxLength"),
    ("minItems", "maxItems"),
];

/// The reason why nothing satisfies a document that the engine has found to be so.
pub(super) fn explain(document: &Value) -> Refusal {
    let mut pointer = String::new();
    for _ in 0..DEEPEST {
        let needed = needed(document, &pointer);
        match needed.into_iter().find(|part| *part != pointer && is_contradiction(document, part)) {
            Some(part) => pointer = part,
            None => break,
        }
    }
    let keys = document.pointer(&pointer).and_then(Value::as_object);
    keys.and_then(|keys| reason(keys, &pointer)).unwrap_or_else(|| Refusal::at(&pointer, UNSATISFIABLE))
}

fn is_contradiction(document: &Value, pointer: &str) -> bool {
    normalise_part(document, pointer)
        .is_ok_and(|normal| try_schema(&normal).is_err_and(|what| what == UNSATISFIABLE))
}

/// Pointers of the parts without which a part can't hold.
fn needed(document: &Value, pointer: &str) -> Vec<String> {
    let Some(Value::Object(keys)) = document.pointer(pointer) else { return Vec::new() };
    let at = |key: &str| below(pointer, key);
    let mut parts = Vec::new();
    if let Some(reference) = keys.get("$ref")
        && let Ok(places) = Places::of(document)
    {
        parts.extend(places.target(reference, &at("$ref")));
    }
    let list = |key: &str| keys.get(key).and_then(Value::as_array).map_or(0, Vec::len);
    parts.extend((0..list("allOf")).map(|i| format!("{}/{i}", at("allOf"))));
    for name in names(keys.get("required")).filter(|name| has_property(keys, name)) {
        parts.push(below(&at("properties"), name));
    }
    let least = keys.get("minItems").and_then(Value::as_u64).unwrap_or(0) as usize;
    let tuple = if list("items") > 0 { "items" } else { "prefixItems" };
    parts.extend((0..least.min(list(tuple))).map(|i| format!("{}/{i}", at(tuple))));
    if least > list(tuple) && tuple != "items" && keys.contains_key("items") {
        parts.push(at("items"));
    }
    // What is false is forbidden by the part itself.
    parts.retain(|part| document.pointer(part) != Some(&Value::Bool(false)));
    parts
}

fn names(list: Option<&Value>) -> impl Iterator<Item = &str> {
    list.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn has_property(keys: &SchemaKeys, name: &str) -> bool {
    keys.get("properties").is_some_and(|properties| properties.get(name).is_some())
}

/// What one schema's keywords say against each other.
fn reason(keys: &SchemaKeys, pointer: &str) -> Option<Refusal> {
    let refusal = |key: &str, what: String| Some(Refusal::at(&below(pointer, key), what));
    for (low, high) in PAIRS {
        let (Some(least), Some(most)) = (keys.get(low), keys.get(high)) else { continue };
        let exclusive = low.starts_with("exclusive") || high.starts_with("exclusive");
        let (Some(from), Some(to)) = (least.as_f64(), most.as_f64()) else { continue };
        if from > to || exclusive && from == to {
            return refusal(low, format!("{low} {least} and {high} {most} leave nothing between them"));
        }
    }
    let closed = keys.get("additionalProperties") == Some(&Value::Bool(false))
        && !keys.contains_key("patternProperties");
    let is_forbidden = |name: &&str| match keys.get("properties").and_then(|all| all.get(*name)) {
        Some(property) => *property == Value::Bool(false),
        None => closed,
    };
    if let Some(name) = names(keys.get("required")).find(is_forbidden) {
        let key = if has_property(keys, name) { "properties" } else { "additionalProperties" };
        return refusal("required", format!("{name:?} is required, and {key} forbids it"));
    }
    if let Some(wanted) = keys.get("type") {
        let wanted: Vec<&str> = wanted.as_str().into_iter().chain(names(Some(wanted))).collect();
        let is_wanted = |value: &Value| wanted.iter().any(|name| is_of_type(value, name));
        let types = wanted.join(" or ");
        if let Some(value) = keys.get("const").filter(|value| !is_wanted(value)) {
            return refusal("const", format!("{value} is not of type {types}"));
        }
        if keys.get("enum").and_then(Value::as_array).is_some_and(|all| !all.iter().any(is_wanted)) {
            return refusal("enum", format!("none of these values is of type {types}"));
        }
    }
    let key = ["anyOf", "oneOf", "allOf"].into_iter().find(|key| keys.contains_key(*key))?;
    let beside = if keys.len() > 1 { " together with what stands beside it" } else { "" };
    refusal(key, format!("nothing satisfies this{beside}"))
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        _ => value.is_object(),
    }
}
