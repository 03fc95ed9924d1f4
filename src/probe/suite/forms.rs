//! Values that may be written in more than one form.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Visitor};

/// One prompt, or one question in several phrasings.
#[derive(Clone, Debug, PartialEq)]
pub enum Prompts {
    /// A template.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// Continuations: a list of templates, or one that gives a list.
#[derive(Clone, Debug, PartialEq)]
pub enum Choices {
    /// One template each.
    List(Vec<String>),
    /// A template that gives them all.
    Template(String),
}

/// Values of a parameter: a list, or a template that gives one.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// The values.
    List(Vec<serde_json::Value>),
    /// A template that gives them.
    Template(String),
}

/// The right choice: an index, a text, or a template for either.
#[derive(Clone, Debug, PartialEq)]
pub enum AnswerForm {
    /// From 0.
    Index(i64),
    /// A text or a template.
    Text(String),
}

/// Whether something is so: always, or where an expression says so.
#[derive(Clone, Debug, PartialEq)]
pub enum Flag {
    /// Of every case, or of none.
    Is(bool),
    /// Of the cases for which it is true.
    When(String),
}

impl Flag {
    /// As an expression.
    pub fn expression(&self) -> &str {
        match self {
            Flag::Is(true) => "true",
            Flag::Is(false) => "false",
            Flag::When(text) => text,
        }
    }
}

impl AnswerForm {
    /// As a template.
    pub fn template(&self) -> String {
        match self {
            AnswerForm::Index(index) => index.to_string(),
            AnswerForm::Text(text) => text.clone(),
        }
    }
}

/// Takes a text or a list.
struct TextOrList<T> {
    expecting: &'static str,
    text: fn(String) -> T,
    list: fn(Vec<serde_json::Value>) -> Result<T, String>,
}

impl<'de, T> Visitor<'de> for TextOrList<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok((self.text)(text.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        (self.list)(list).map_err(A::Error::custom)
    }
}

fn texts(values: Vec<serde_json::Value>) -> Result<Vec<String>, String> {
    values
        .into_iter()
        .map(|value| match value {
            serde_json::Value::String(text) => Ok(text),
            other => Err(format!("{other} is no string: put it in quotes")),
        })
        .collect()
}

impl<'de> Deserialize<'de> for Prompts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrList {
            expecting: "a string or a list of strings",
            text: Prompts::One,
            list: |list| texts(list).map(Prompts::Several),
        })
    }
}

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrList {
            expecting: "a list of strings, or a template that gives one",
            text: Choices::Template,
            list: |list| texts(list).map(Choices::List),
        })
    }
}

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOrList {
            expecting: "a list of values, or a template that gives one",
            text: Values::Template,
            list: |list| Ok(Values::List(list)),
        })
    }
}

impl<'de> Deserialize<'de> for AnswerForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnswerVisitor;
        impl Visitor<'_> for AnswerVisitor {
            type Value = AnswerForm;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("the index of a choice, its text, or a template")
            }

            fn visit_i64<E: Error>(self, index: i64) -> Result<AnswerForm, E> {
                Ok(AnswerForm::Index(index))
            }

            fn visit_u64<E: Error>(self, index: u64) -> Result<AnswerForm, E> {
                Ok(AnswerForm::Index(i64::try_from(index).unwrap_or(i64::MAX)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<AnswerForm, E> {
                Ok(AnswerForm::Text(text.to_string()))
            }
        }
        deserializer.deserialize_any(AnswerVisitor)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FlagVisitor;
        impl Visitor<'_> for FlagVisitor {
            type Value = Flag;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("true, false, or an expression")
            }

            fn visit_bool<E: Error>(self, is: bool) -> Result<Flag, E> {
                Ok(Flag::Is(is))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Flag, E> {
                Ok(Flag::When(text.to_string()))
            }
        }
        deserializer.deserialize_any(FlagVisitor)
    }
}

macro_rules! schema {
    ($name:ident, $types:tt, $items:tt) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": $types, "items": $items })
            }
        }
    };
}

schema!(Prompts, ["string", "array"], { "type": "string" });
schema!(Choices, ["array", "string"], { "type": "string" });
schema!(Values, ["array", "string"], true);

impl JsonSchema for AnswerForm {
    fn schema_name() -> Cow<'static, str> {
        "Answer".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["integer", "string"] })
    }
}

impl JsonSchema for Flag {
    fn schema_name() -> Cow<'static, str> {
        "Flag".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["boolean", "string"] })
    }
}
