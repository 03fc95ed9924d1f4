//! Where the parts of a schema document are: its draft, its anchors, what a reference leads to.

use std::collections::HashMap;

use serde_json::Value;

use super::keys::{Enforced, below};
use super::refusal::Refusal;

/// Which specification a schema follows, as far as the difference matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SchemaDraft {
    /// SchemaDraft 4: bounds are exclusive by a flag.
    Four,
    /// Drafts 6 and 7: a reference stands alone.
    Seven,
    /// 2019-09: a tuple is written as items.
    Old2019,
    /// 2020-12 where nobody says so: old spellings are understood.
    Assumed2020,
    /// 2020-12.
    Stated2020,
}

fn draft_of(uri: &str) -> Option<SchemaDraft> {
    let uri = uri.trim_end_matches('#').trim_start_matches("https://").trim_start_matches("http://");
    match uri {
        "json-schema.org/draft/2020-12/schema" => Some(SchemaDraft::Stated2020),
        "json-schema.org/draft/2019-09/schema" => Some(SchemaDraft::Old2019),
        "json-schema.org/draft-07/schema" | "json-schema.org/draft-06/schema" => Some(SchemaDraft::Seven),
        "json-schema.org/draft-04/schema" => Some(SchemaDraft::Four),
        _ => None,
    }
}

/// A document and its names.
pub(super) struct Places<'a> {
    document: &'a Value,
    /// The document's draft.
    pub draft: SchemaDraft,
    id: Option<&'a str>,
    /// Anchors and the pointers of what they name.
    anchors: HashMap<String, String>,
    /// Pointers of parts that have an identifier of their own, against which references are read.
    embedded: Vec<String>,
}

impl<'a> Places<'a> {
    pub fn of(document: &'a Value) -> Enforced<Places<'a>> {
        let draft = match document.get("$schema") {
            None => SchemaDraft::Assumed2020,
            Some(uri) => uri.as_str().and_then(draft_of).ok_or_else(|| {
                Refusal::at("/$schema", "a draft from 4 to 2020-12 is wanted; no other is known")
            })?,
        };
        let id_key = if draft == SchemaDraft::Four { "id" } else { "$id" };
        let id = document.get(id_key).and_then(Value::as_str).map(|id| id.trim_end_matches('#'));
        let mut places = Places { document, draft, id, anchors: HashMap::new(), embedded: Vec::new() };
        places.collect(document, "", id_key);
        Ok(places)
    }

    fn collect(&mut self, part: &'a Value, pointer: &str, id_key: &str) {
        match part {
            Value::Array(list) => {
                for (i, inner) in list.iter().enumerate() {
                    self.collect(inner, &format!("{pointer}/{i}"), id_key);
                }
            }
            Value::Object(keys) => {
                for name in ["$anchor", "$dynamicAnchor"] {
                    if let Some(anchor) = keys.get(name).and_then(Value::as_str) {
                        self.anchors.insert(anchor.to_string(), pointer.to_string());
                    }
                }
                match keys.get(id_key).and_then(Value::as_str) {
                    Some(id) if id.starts_with('#') => {
                        self.anchors.insert(id[1..].to_string(), pointer.to_string());
                    }
                    Some(_) if !pointer.is_empty() => self.embedded.push(pointer.to_string()),
                    _ => {}
                }
                for (name, inner) in keys {
                    if !matches!(name.as_str(), "const" | "enum" | "default" | "examples") {
                        self.collect(inner, &below(pointer, name), id_key);
                    }
                }
            }
            _ => {}
        }
    }

    /// The part at a pointer.
    pub fn at(&self, pointer: &str) -> Option<&'a Value> {
        self.document.pointer(pointer)
    }

    /// Whether this is what the document itself says, or would mean.
    pub fn is_own_draft(&self, uri: &Value) -> bool {
        let draft = uri.as_str().and_then(draft_of);
        draft == Some(self.draft)
            || (draft == Some(SchemaDraft::Stated2020) && self.draft == SchemaDraft::Assumed2020)
    }

    /// The pointer that a reference at `place` leads to.
    pub fn target(&self, reference: &Value, place: &str) -> Enforced<String> {
        let refused = |what: String| Err(Refusal::at(place, what));
        let Some(reference) = reference.as_str() else { return refused("a text is wanted".to_string()) };
        let inside = |at: &str| place.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'));
        if self.embedded.iter().any(|at| inside(at)) {
            return refused(
                "a reference inside a part with an identifier of its own is not followed".to_string(),
            );
        }
        let (uri, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        if !uri.is_empty() && self.id != Some(uri) {
            return refused(format!("{reference} is outside of this file, where nothing is fetched from"));
        }
        let Some(fragment) = decoded(fragment) else {
            return refused(format!("{reference} has a faulty percent sign"));
        };
        let pointer = match fragment.as_str() {
            "" => String::new(),
            pointer if pointer.starts_with('/') => pointer.to_string(),
            anchor => match self.anchors.get(anchor) {
                Some(pointer) => pointer.clone(),
                None => return refused(format!("there is no anchor {anchor}")),
            },
        };
        if self
            .embedded
            .iter()
            .any(|at| pointer.strip_prefix(at.as_str()).is_some_and(|rest| rest.starts_with('/')))
        {
            return refused(
                "a reference into a part with an identifier of its own is not followed".to_string(),
            );
        }
        match self.at(&pointer) {
            Some(Value::Object(_) | Value::Bool(_)) => Ok(pointer),
            Some(_) => refused(format!("{reference} leads to what is no schema")),
            None => refused(format!("{reference} leads nowhere")),
        }
    }
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let hex = std::str::from_utf8(after.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(hex, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}
