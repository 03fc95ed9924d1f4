//! A JSON schema → the same schema in the one dialect that the engine enforces exactly.
//!
//! llguidance leaves some keywords out, takes some numbers for others and knows references only as far
//! as a plain pointer goes. What is written here holds only keywords and values that it enforces; every
//! reference leads to `#/$defs/N`; what can't be had is refused with its place.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::keys::{Enforced, SchemaKeys, below, count};
use super::objects;
use super::places::{Places, SchemaDraft};
use super::refusal::Refusal;
use super::{misspelt, numbers, strings};

/// Subschemas of a schema, counting those that references lead to once.
const MOST_SCHEMAS: usize = 20_000;
/// References that lead to references; the engine recurses for each.
const LONGEST_CHAIN: usize = 200;
/// Keywords that say something about a schema and nothing about an instance.
const REMARKS: &str = "$anchor $comment $defs $dynamicAnchor $id $recursiveAnchor $schema $vocabulary contentSchema \
    default definitions deprecated description example examples id readOnly title writeOnly \
    maxContains minContains";

/// Keywords that no mask over the next token can enforce, or that the engine lacks.
const REFUSED: &str = "$dynamicRef $recursiveRef contains contentEncoding contentMediaType dependencies \
    dependentRequired dependentSchemas else if not propertyNames then unevaluatedItems";

const ENFORCED: &str = "$ref additionalItems additionalProperties allOf anyOf const enum exclusiveMaximum \
    exclusiveMinimum format items maxItems maxLength maxProperties maximum minItems minLength \
    minProperties minimum multipleOf oneOf pattern patternProperties prefixItems properties required \
    type unevaluatedProperties uniqueItems";

fn is_listed(words: &str, name: &str) -> bool {
    words.split(' ').any(|word| word == name)
}

/// A schema in the engine's dialect.
pub(super) struct NormalSchema {
    pub schema: Value,
    /// Pointers of keywords that are none.
    pub unknown: Vec<String>,
}

/// The schema at a pointer of a document (the whole one at the empty pointer), normalised.
///
/// # Errors
/// The first thing that can't be enforced.
pub(super) fn normalise(document: &Value, pointer: &str) -> Enforced<NormalSchema> {
    let places = Places::of(document)?;
    let mut walk = Walk {
        places,
        numbers: numbers::AllNumbers::default(),
        targets: HashMap::new(),
        queue: Vec::new(),
        schemas: 0,
        unknown: Vec::new(),
    };
    let start = document.pointer(pointer).unwrap_or(document);
    let root = walk.schema(start, pointer)?;
    let mut definitions = SchemaKeys::new();
    let mut next = 0;
    while let Some(pointer) = walk.queue.get(next).cloned() {
        let target =
            walk.places.at(&pointer).ok_or_else(|| Refusal::at(&pointer, "there is no such place"))?;
        let normal = walk.schema(target, &pointer)?;
        definitions.insert(next.to_string(), normal);
        next += 1;
    }
    walk.numbers.check()?;
    let mut root = match root {
        Value::Bool(false) => return Err(Refusal::at("", "the schema is false: nothing satisfies it")),
        Value::Object(keys) => keys,
        _ => SchemaKeys::new(),
    };
    Chains { definitions: &definitions, pointers: &walk.queue }.check(&root)?;
    root.insert("$defs".to_string(), Value::Object(definitions));
    Ok(NormalSchema { schema: Value::Object(root), unknown: walk.unknown })
}

/// The walk over a document.
pub(super) struct Walk<'a> {
    places: Places<'a>,
    numbers: numbers::AllNumbers,
    /// Pointers of schemas that references lead to, and their numbers.
    targets: HashMap<String, usize>,
    /// The same, in the order of their numbers.
    queue: Vec<String>,
    schemas: usize,
    unknown: Vec<String>,
}

impl Walk<'_> {
    pub(super) fn schema(&mut self, schema: &Value, pointer: &str) -> Enforced<Value> {
        self.schemas += 1;
        if self.schemas > MOST_SCHEMAS {
            return Err(Refusal::at(pointer, format!("the schema has more than {MOST_SCHEMAS} subschemas")));
        }
        match schema {
            Value::Bool(_) => Ok(schema.clone()),
            Value::Object(keys) => self.keys(keys, pointer),
            _ => Err(Refusal::at(pointer, "a schema is an object, true or false")),
        }
    }

    fn keys(&mut self, keys: &SchemaKeys, pointer: &str) -> Enforced<Value> {
        if self.places.draft <= SchemaDraft::Seven
            && let Some(reference) = keys.get("$ref")
        {
            // Up to draft 7 a reference stands for the whole schema.
            return Ok(json!({"$ref": self.reference(reference, pointer)?}));
        }
        self.check_names(keys, pointer)?;
        let mut out = SchemaKeys::new();
        if let Some(types) = keys.get("type") {
            out.insert("type".to_string(), self::types(types, &below(pointer, "type"))?);
        }
        numbers::bounds(keys, pointer, self.places.draft, &mut out)?;
        self.numbers.note(keys, &out, pointer)?;
        strings::lengths_and_patterns(keys, pointer, &mut out)?;
        self.array(keys, pointer, &mut out)?;
        let mut all_of = Vec::new();
        self.object(keys, pointer, &mut out, &mut all_of)?;
        strings::format(keys, pointer, &mut out, &mut all_of)?;
        self.in_place(keys, pointer, &mut out, all_of)?;
        Ok(Value::Object(out))
    }

    fn check_names(&mut self, keys: &SchemaKeys, pointer: &str) -> Enforced<()> {
        for (name, value) in keys {
            let name = name.as_str();
            let place = || below(pointer, name);
            let idle = match name {
                // What says nothing may stand.
                "then" | "else" => !keys.contains_key("if"),
                "if" => !keys.contains_key("then") && !keys.contains_key("else"),
                "not" => *value == Value::Bool(false),
                "propertyNames" | "unevaluatedItems" | "unevaluatedProperties" => *value == Value::Bool(true),
                _ => false,
            };
            if idle {
                continue;
            }
            if is_listed(REFUSED, name) || name == "unevaluatedProperties" {
                return Err(Refusal::keyword(&place(), name));
            }
            if name == "$schema" && !pointer.is_empty() && !self.places.is_own_draft(value) {
                return Err(Refusal::at(&place(), "another draft than the whole schema's"));
            }
            // What begins with x- is by agreement somebody's own.
            if is_listed(REMARKS, name) || is_listed(ENFORCED, name) || name.starts_with("x-") {
                continue;
            }
            if let Some(meant) = misspelt::meant(name, ENFORCED) {
                let what = format!("there is no keyword {name}; did you mean {meant}?");
                return Err(Refusal::at(&place(), what));
            }
            self.unknown.push(place());
        }
        Ok(())
    }

    fn reference(&mut self, reference: &Value, pointer: &str) -> Enforced<String> {
        let place = below(pointer, "$ref");
        let target = self.places.target(reference, &place)?;
        let next = self.queue.len();
        let number = *self.targets.entry(target.clone()).or_insert(next);
        if number == next {
            self.queue.push(target);
        }
        Ok(format!("#/$defs/{number}"))
    }

    fn list(&mut self, list: &Value, pointer: &str) -> Enforced<Vec<Value>> {
        let wrong = || Refusal::at(pointer, "a list of schemas is wanted");
        let list = list.as_array().ok_or_else(wrong)?;
        let each = list.iter().enumerate();
        each.map(|(i, schema)| self.schema(schema, &format!("{pointer}/{i}"))).collect()
    }

    /// What holds at the same place: values, alternatives, references.
    fn in_place(
        &mut self,
        keys: &SchemaKeys,
        pointer: &str,
        out: &mut SchemaKeys,
        mut all_of: Vec<Value>,
    ) -> Enforced<()> {
        if let Some(value) = keys.get("const") {
            numbers::exact_value(value, &below(pointer, "const"))?;
            out.insert("const".to_string(), value.clone());
        }
        if let Some(values) = keys.get("enum") {
            let place = below(pointer, "enum");
            match values.as_array() {
                Some(list) if !list.is_empty() => {}
                _ => return Err(Refusal::at(&place, "a list of values is wanted, with at least one")),
            }
            numbers::exact_value(values, &place)?;
            out.insert("enum".to_string(), values.clone());
        }
        if let Some(list) = keys.get("allOf") {
            all_of.extend(self.list(list, &below(pointer, "allOf"))?);
        }
        if !all_of.is_empty() {
            out.insert("allOf".to_string(), Value::Array(all_of));
        }
        for name in ["anyOf", "oneOf"] {
            let Some(list) = keys.get(name) else { continue };
            let place = below(pointer, name);
            let list = self.list(list, &place)?;
            if list.is_empty() {
                return Err(Refusal::at(&place, "at least one schema is wanted"));
            }
            out.insert(name.to_string(), Value::Array(list));
        }
        if let Some(reference) = keys.get("$ref") {
            let reference = self.reference(reference, pointer)?;
            out.insert("$ref".to_string(), Value::String(reference));
        }
        Ok(())
    }

    fn array(&mut self, keys: &SchemaKeys, pointer: &str, out: &mut SchemaKeys) -> Enforced<()> {
        for name in ["minItems", "maxItems"] {
            if let Some(n) = count(keys, name, pointer)? {
                out.insert(name.to_string(), n.into());
            }
        }
        let place = |name: &str| below(pointer, name);
        let few = out.get("maxItems").and_then(Value::as_u64).is_some_and(|most| most <= 1);
        match keys.get("uniqueItems") {
            None | Some(Value::Bool(false)) => {}
            Some(Value::Bool(true)) if few => {}
            Some(_) => return Err(Refusal::keyword(&place("uniqueItems"), "uniqueItems")),
        }
        let old = self.places.draft <= SchemaDraft::Old2019;
        let tuple = keys.get("items").is_some_and(Value::is_array);
        if tuple && self.places.draft == SchemaDraft::Stated2020 {
            return Err(Refusal::at(
                &place("items"),
                "a list of schemas is called prefixItems in this draft",
            ));
        }
        if let Some(list) = keys.get("prefixItems") {
            if old || tuple {
                return Err(Refusal::at(
                    &place("prefixItems"),
                    "this draft writes a list of schemas as items",
                ));
            }
            out.insert("prefixItems".to_string(), self.list(list, &place("prefixItems"))?.into());
        }
        let rest = match tuple {
            true => {
                let list = self.list(&keys["items"], &place("items"))?;
                out.insert("prefixItems".to_string(), list.into());
                "additionalItems"
            }
            false => "items",
        };
        if let Some(items) = keys.get(rest) {
            out.insert("items".to_string(), self.schema(items, &place(rest))?);
        }
        Ok(())
    }

    fn object(
        &mut self,
        keys: &SchemaKeys,
        pointer: &str,
        out: &mut SchemaKeys,
        all_of: &mut Vec<Value>,
    ) -> Enforced<()> {
        let place = |name: &str| below(pointer, name);
        if let Some(properties) = keys.get("properties") {
            let properties = self.named(properties, &place("properties"))?;
            out.insert("properties".to_string(), Value::Object(properties));
        }
        if let Some(patterns) = keys.get("patternProperties") {
            let at = place("patternProperties");
            let mut known = SchemaKeys::new();
            for (pattern, schema) in self.named(patterns, &at)? {
                let place = below(&at, &pattern);
                known.insert(strings::pattern(&pattern, &place)?, schema);
            }
            if !known.is_empty() {
                out.insert("patternProperties".to_string(), Value::Object(known));
            }
        }
        if let Some(rest) = keys.get("additionalProperties") {
            let rest = self.schema(rest, &place("additionalProperties"))?;
            out.insert("additionalProperties".to_string(), rest);
        }
        if let Some(required) = keys.get("required") {
            let at = place("required");
            let wrong = || Refusal::at(&at, "a list of property names is wanted");
            // SchemaDraft 3 has `"required": true` in the property itself.
            let list = required.as_array().ok_or_else(wrong)?;
            if !list.iter().all(Value::is_string) {
                return Err(wrong());
            }
            out.insert("required".to_string(), required.clone());
        }
        objects::count_properties(out, all_of, keys, pointer)
    }

    fn named(&mut self, map: &Value, pointer: &str) -> Enforced<SchemaKeys> {
        let map = map.as_object().ok_or_else(|| Refusal::at(pointer, "an object of schemas is wanted"))?;
        let each = map.iter();
        each.map(|(name, schema)| Ok((name.clone(), self.schema(schema, &below(pointer, name))?))).collect()
    }
}

fn types(types: &Value, pointer: &str) -> Enforced<Value> {
    const KNOWN: [&str; 7] = ["null", "boolean", "integer", "number", "string", "array", "object"];
    let known = |value: &Value| value.as_str().is_some_and(|name| KNOWN.contains(&name));
    let fine = match types {
        Value::Array(list) => !list.is_empty() && list.iter().all(known),
        one => known(one),
    };
    match fine {
        true => Ok(types.clone()),
        false => {
            Err(Refusal::at(pointer, format!("a type is one of {}, or a list of them", KNOWN.join(", "))))
        }
    }
}

/// How far references lead, in the order in which the engine follows them.
struct Chains<'a> {
    definitions: &'a SchemaKeys,
    /// Where each definition stood.
    pointers: &'a [String],
}

/// A definition's state in the search for circles.
#[derive(Clone, Copy, PartialEq)]
enum SearchState {
    New,
    Open,
    Done,
}

impl Chains<'_> {
    fn check(&self, root: &SchemaKeys) -> Enforced<()> {
        let mut state = vec![SearchState::New; self.definitions.len()];
        let root = Value::Object(root.clone());
        self.circle(&root, &mut state)?;
        for number in 0..self.pointers.len() {
            self.circle_from(number, &mut state)?;
        }
        let mut seen = vec![false; self.definitions.len()];
        self.depth(&root, &mut seen, 0)
    }

    fn number(schema: &Value) -> Option<usize> {
        schema.get("$ref")?.as_str()?.strip_prefix("#/$defs/")?.parse().ok()
    }

    /// A schema that is itself, before anything of the text is read, allows everything and nothing.
    fn circle(&self, schema: &Value, state: &mut [SearchState]) -> Enforced<()> {
        for name in ["allOf", "anyOf", "oneOf"] {
            let list = schema.get(name).and_then(Value::as_array);
            list.into_iter().flatten().try_for_each(|inner| self.circle(inner, state))?;
        }
        Self::number(schema).map_or(Ok(()), |number| self.circle_from(number, state))
    }

    fn circle_from(&self, number: usize, state: &mut [SearchState]) -> Enforced<()> {
        match state[number] {
            SearchState::Done => Ok(()),
            SearchState::Open => {
                Err(Refusal::at(&self.pointers[number], "this schema refers to itself alone, in a circle"))
            }
            SearchState::New => {
                if state.iter().filter(|state| **state == SearchState::Open).count() > LONGEST_CHAIN {
                    return Err(self.too_long(number));
                }
                state[number] = SearchState::Open;
                self.circle(&self.definitions[&number.to_string()], state)?;
                state[number] = SearchState::Done;
                Ok(())
            }
        }
    }

    fn depth(&self, schema: &Value, seen: &mut [bool], links: usize) -> Enforced<()> {
        if let Some(number) = Self::number(schema).filter(|number| !seen[*number]) {
            if links >= LONGEST_CHAIN {
                return Err(self.too_long(number));
            }
            seen[number] = true;
            self.depth(&self.definitions[&number.to_string()], seen, links + 1)?;
        }
        match schema {
            Value::Object(keys) => keys
                .iter()
                .filter(|(name, _)| !matches!(name.as_str(), "const" | "enum"))
                .try_for_each(|(_, inner)| self.depth(inner, seen, links)),
            Value::Array(list) => list.iter().try_for_each(|inner| self.depth(inner, seen, links)),
            _ => Ok(()),
        }
    }

    fn too_long(&self, number: usize) -> Refusal {
        Refusal::at(
            &self.pointers[number],
            format!("more than {LONGEST_CHAIN} references lead to one another here"),
        )
    }
}
