//! What a string may be: its length, patterns and formats.

use serde_json::{Value, json};

use super::keys::{Enforced, SchemaKeys, below, count};
use super::refusal::Refusal;
use crate::grammar::pattern::{Extent, translate};

/// Lengths and a pattern of one schema.
pub(super) fn lengths_and_patterns(keys: &SchemaKeys, pointer: &str, out: &mut SchemaKeys) -> Enforced<()> {
    for name in ["minLength", "maxLength"] {
        if let Some(n) = count(keys, name, pointer)? {
            out.insert(name.to_string(), n.into());
        }
    }
    if let Some(value) = keys.get("pattern") {
        let place = below(pointer, "pattern");
        let text = value.as_str().ok_or_else(|| Refusal::at(&place, "a regular expression is wanted"))?;
        out.insert("pattern".to_string(), pattern(text, &place)?.into());
    }
    Ok(())
}

/// A pattern as the engine takes it: anchored at both ends.
pub(super) fn pattern(text: &str, place: &str) -> Enforced<String> {
    match translate(text, Extent::Part) {
        Ok(whole) => Ok(format!("^{whole}$")),
        Err(fault) => Err(Refusal::at(place, format!("character {}: {}", fault.column, fault.what))),
    }
}

const LEAP: &str = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)";
const TIME: &str =
    r"([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]+)?([zZ]|[+\-]([01][0-9]|2[0-3]):[0-5][0-9])";

fn date() -> String {
    let long = "(0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])";
    let short = "(0[469]|11)-(0[1-9]|[12][0-9]|30)";
    let february = "02-(0[1-9]|1[0-9]|2[0-8])";
    format!("([0-9]{{4}}-({long}|{short}|{february})|{LEAP}-02-29)")
}

/// A format. Dates are spelled out, since the engine's own February is too long.
pub(super) fn format(
    keys: &SchemaKeys,
    pointer: &str,
    out: &mut SchemaKeys,
    all_of: &mut Vec<Value>,
) -> Enforced<()> {
    let Some(value) = keys.get("format") else { return Ok(()) };
    let place = below(pointer, "format");
    let name = value.as_str().unwrap_or_default();
    let spelled = match name {
        "date" => date(),
        "time" => TIME.to_string(),
        "date-time" => format!("{}[tT]{TIME}", date()),
        "json-pointer" => "(/([^/~]|~[01])*)*".to_string(),
        "duration" | "email" | "ipv4" | "ipv6" | "uri" | "uuid" => {
            out.insert("format".to_string(), name.into());
            return Ok(());
        }
        "hostname" => {
            out.insert("format".to_string(), name.into());
            all_of.push(json!({"maxLength": 253}));
            // Two hyphens in the third and fourth place mean an encoding.
            "(-?[^\\-])*".to_string()
        }
        _ => {
            let known =
                "date, time, date-time, duration, email, hostname, ipv4, ipv6, json-pointer, uri and uuid";
            let name = crate::token::printable(&value.to_string());
            return Err(Refusal::at(&place, format!("the format {name} can't be enforced; {known} can")));
        }
    };
    all_of.push(json!({"pattern": pattern(&format!("^({spelled})$"), &place)?}));
    Ok(())
}
