//! How many properties an object may have.

use serde_json::Value;

use super::keys::{Enforced, SchemaKeys, below, count};
use super::refusal::Refusal;

/// Objects into which a count may be spelled out.
const MOST_CHOICES: usize = 200;

/// Adds minProperties and maxProperties. Where every property has a name the count is spelled out, as a
/// choice of objects; the engine counts by itself where all named ones are required.
pub(super) fn count_properties(
    out: &mut SchemaKeys,
    all_of: &mut Vec<Value>,
    keys: &SchemaKeys,
    pointer: &str,
) -> Enforced<()> {
    let count = |name: &str| Ok(count(keys, name, pointer)?.map(|n| n as usize));
    let (least, most) = (count("minProperties")?.unwrap_or(0), count("maxProperties")?);
    if least == 0 && most.is_none() {
        return Ok(());
    }
    let place = |name: &str| below(pointer, name);
    let names = |key: &str| -> Vec<String> {
        match out.get(key) {
            Some(Value::Object(map)) => map.keys().cloned().collect(),
            Some(Value::Array(list)) => {
                list.iter().filter_map(|name| name.as_str().map(str::to_string)).collect()
            }
            _ => Vec::new(),
        }
    };
    let mut required = names("required");
    required.sort_unstable();
    required.dedup();
    let possible = |name: &String| out["properties"][name.as_str()] != Value::Bool(false);
    let optional: Vec<String> =
        names("properties").into_iter().filter(|name| possible(name) && !required.contains(name)).collect();
    let closed = out.get("additionalProperties") == Some(&Value::Bool(false))
        && !out.contains_key("patternProperties");
    let missing = least.saturating_sub(required.len());
    if !closed {
        // Names that are free could be the same name twice.
        if missing > 1 || (missing == 1 && !optional.is_empty()) {
            let what = "can be enforced only where additionalProperties is false or all but one of the names are required";
            return Err(Refusal::at(&place("minProperties"), what));
        }
        if let Some(most) = most {
            if !optional.is_empty() {
                let what = "can be enforced only where additionalProperties is false or every named property is required";
                return Err(Refusal::at(&place("maxProperties"), what));
            }
            out.insert("maxProperties".to_string(), most.into());
        }
        if missing > 0 {
            out.insert("minProperties".to_string(), least.into());
        }
        return Ok(());
    }
    let all = required.len() + optional.len();
    if missing > optional.len() {
        return Err(Refusal::at(&place("minProperties"), format!("only {all} properties are possible")));
    }
    let room = most.map_or(optional.len(), |most| most.saturating_sub(required.len()).min(optional.len()));
    if most.is_some_and(|most| most < required.len()) || missing > room {
        return Err(Refusal::at(
            &place("maxProperties"),
            "nothing satisfies this beside the required properties",
        ));
    }
    let choices = spelled_out(&optional, missing, room).ok_or_else(|| {
        Refusal::at(
            &place(if missing > 0 { "minProperties" } else { "maxProperties" }),
            format!("this many choices of properties (more than {MOST_CHOICES}) can't be enforced"),
        )
    })?;
    if choices.len() > 1 || missing > 0 || room < optional.len() {
        all_of.push(serde_json::json!({ "anyOf": choices }));
    }
    Ok(())
}

/// Every choice of `room` of the names, and of `missing` among those that must be there.
fn spelled_out(names: &[String], missing: usize, room: usize) -> Option<Vec<Value>> {
    let mut choices = Vec::new();
    for allowed in subsets(names.len(), room)? {
        for needed in subsets(allowed.len(), missing)? {
            let required: Vec<&String> = needed.iter().map(|i| &names[allowed[*i]]).collect();
            let none = (0..names.len())
                .filter(|i| !allowed.contains(i))
                .map(|i| (names[i].clone(), Value::Bool(false)));
            let mut choice = SchemaKeys::new();
            choice.insert("properties".to_string(), Value::Object(none.collect()));
            choice.insert("required".to_string(), serde_json::json!(required));
            choices.push(Value::Object(choice));
            if choices.len() > MOST_CHOICES {
                return None;
            }
        }
    }
    Some(choices)
}

/// Every set of `k` of the first `n` numbers.
fn subsets(n: usize, k: usize) -> Option<Vec<Vec<usize>>> {
    let mut sets: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..k {
        let mut longer = Vec::new();
        for set in &sets {
            let from = set.last().map_or(0, |last| last + 1);
            longer.extend((from..n).map(|next| [set.as_slice(), &[next]].concat()));
        }
        // Sets that can't be completed are few beside these.
        if longer.len() > 50 * MOST_CHOICES {
            return None;
        }
        sets = longer;
    }
    Some(sets)
}
