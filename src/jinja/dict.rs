//! Dictionaries that come from JSON, with Python's attribute lookup.
//!
//! In Python's Jinja `schema.items` is the dictionary's method even where the dictionary has a key of
//! that name, while `schema['items']` is the key. Both are asked for in tool descriptions.

use std::collections::HashMap;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::{Enumerator, Object};

use super::methods;

/// A value for templates from JSON: order of keys kept, dictionaries as Python's.
pub fn from_json(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Array(items) => items.iter().map(from_json).collect(),
        serde_json::Value::Object(map) => {
            Value::from_object(Dict::new(map.iter().map(|(key, value)| (key.clone(), from_json(value)))))
        }
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(value) => Value::from(*value),
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Number(number) => from_number(number),
    }
}

fn from_number(number: &serde_json::Number) -> Value {
    match (number.as_i64(), number.as_u64()) {
        (Some(whole), _) => Value::from(whole),
        (None, Some(whole)) => Value::from(whole),
        (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
    }
}

/// Values as a template's variables: `items` is a variable then, not a method.
pub(super) fn variables(value: Value) -> Value {
    match value.downcast_object::<Dict>() {
        Some(dict) => Value::from_object(Variables(dict)),
        None => value,
    }
}

#[derive(Debug)]
struct Variables(Arc<Dict>);

impl Object for Variables {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        self.0.get(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.0.enumerate()
    }
}

#[derive(Debug)]
struct Dict {
    entries: Vec<(String, Value)>,
    places: HashMap<String, usize>,
}

impl Dict {
    fn new(entries: impl Iterator<Item = (String, Value)>) -> Dict {
        let entries: Vec<_> = entries.collect();
        let places = entries.iter().enumerate().map(|(place, (key, _))| (key.clone(), place)).collect();
        Dict { entries, places }
    }

    fn get(&self, key: &str) -> Option<Value> {
        self.places.get(key).map(|place| self.entries[*place].1.clone())
    }
}

impl Object for Dict {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key.as_str()?)
    }

    /// What `value.name` looks up.
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if methods::is_map_attribute(key) {
            return Some(Value::from_object(Method(key.to_string())));
        }
        self.get(key)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.entries.iter().map(|(key, _)| Value::from(key.as_str())).collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.entries.len())
    }
}

/// A method that is mentioned but not called: true, and nothing else.
#[derive(Debug)]
struct Method(String);

impl Object for Method {
    fn repr(self: &Arc<Self>) -> minijinja::value::ObjectRepr {
        minijinja::value::ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "<built-in method {} of dict object>", self.0)
    }
}
