//! Values that may be written in more than one form.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, SeqAccess, Unexpected, Visitor};

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

/// What becomes of a list.
type FromList<T> = fn(Vec<serde_json::Value>) -> Result<T, String>;

/// What a value may be written as: a text, and of the others those for which there is a way to take them.
struct Form<T> {
    expecting: &'static str,
    text: fn(String) -> T,
    list: Option<FromList<T>>,
    whole: Option<fn(i64) -> T>,
    truth: Option<fn(bool) -> T>,
}

impl<T> Form<T> {
    fn of(text: fn(String) -> T, expecting: &'static str) -> Form<T> {
        Form { expecting, text, list: None, whole: None, truth: None }
    }
}

impl<'de, T> Visitor<'de> for Form<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.expecting)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok((self.text)(text.to_string()))
    }

    fn visit_bool<E: Error>(self, is: bool) -> Result<T, E> {
        self.truth.map(|take| take(is)).ok_or_else(|| E::invalid_type(Unexpected::Bool(is), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<T, E> {
        let take = self.whole.ok_or_else(|| E::invalid_type(Unexpected::Signed(number), &self))?;
        Ok(take(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        let take = self.whole.ok_or_else(|| E::invalid_type(Unexpected::Unsigned(number), &self))?;
        Ok(take(i64::try_from(number).unwrap_or(i64::MAX)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        let take = self.list.ok_or_else(|| A::Error::invalid_type(Unexpected::Seq, &self))?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        take(list).map_err(A::Error::custom)
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

macro_rules! form {
    ($name:ident, $form:expr, $shown:literal, $schema:tt) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($form)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $shown.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

form!(
    Prompts,
    Form {
        list: Some(|list| texts(list).map(Prompts::Several)),
        ..Form::of(Prompts::One, "a string or a list of strings")
    },
    "Prompts",
    { "type": ["string", "array"], "items": { "type": "string" } }
);
form!(
    Choices,
    Form {
        list: Some(|list| texts(list).map(Choices::List)),
        ..Form::of(Choices::Template, "a list of strings, or a template that gives one")
    },
    "Choices",
    { "type": ["array", "string"], "items": { "type": "string" } }
);
form!(
    Values,
    Form {
        list: Some(|list| Ok(Values::List(list))),
        ..Form::of(Values::Template, "a list of values, or a template that gives one")
    },
    "Values",
    { "type": ["array", "string"], "items": true }
);
form!(
    AnswerForm,
    Form {
        whole: Some(AnswerForm::Index),
        ..Form::of(AnswerForm::Text, "the index of a choice, its text, or a template")
    },
    "Answer",
    { "type": ["integer", "string"] }
);
form!(
    Flag,
    Form { truth: Some(Flag::Is), ..Form::of(Flag::When, "true, false, or an expression") },
    "Flag",
    { "type": ["boolean", "string"] }
);
