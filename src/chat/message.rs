//! Messages and conversations, and how they are read from JSON.
//!
//! Content and the fields that tools need are kept as they came, because chat templates look at them.

use serde_json::{Map, Value as Json};
use thiserror::Error;

use crate::bounded::MARK_BYTES;
use crate::token::{TokenId, Vocab};

/// Who says something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// Instructions for the whole conversation.
    System,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// What a tool answered.
    Tool,
    /// A role of a template's own.
    Other(String),
}

impl Role {
    /// The role's name, as templates compare it.
    pub fn name(&self) -> &str {
        match self {
            Role::System => "system",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::Tool => "tool",
            Role::Other(name) => name,
        }
    }
}

impl From<&str> for Role {
    fn from(name: &str) -> Role {
        match name {
            "system" => Role::System,
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "tool" => Role::Tool,
            name => Role::Other(name.to_string()),
        }
    }
}

/// What a message says.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// Nothing: a message may carry only tool calls.
    None,
    /// Plain text.
    Text(String),
    /// OpenAI's list of parts: `{"type": "text", "text": …}` and others.
    Parts(Vec<Json>),
}

/// One message of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
    pub content: Content,
    /// Further fields a template may look at: `name`, `tool_calls`, `reasoning_content`, …, and `content`
    /// where it is null.
    pub fields: Map<String, Json>,
    /// For a reply that a model has given: its exact ids, without the token that ended it.
    pub reply: Option<Vec<TokenId>>,
}

impl Message {
    /// A message that is plain text.
    pub fn new(role: Role, text: impl Into<String>) -> Message {
        Message { role, content: Content::Text(text.into()), fields: Map::new(), reply: None }
    }

    /// Instructions for the whole conversation.
    pub fn system(text: impl Into<String>) -> Message {
        Message::new(Role::System, text)
    }

    /// What the person says.
    pub fn user(text: impl Into<String>) -> Message {
        Message::new(Role::User, text)
    }

    /// The message's text; of parts, the text ones put together.
    pub fn text(&self) -> String {
        match &self.content {
            Content::None => String::new(),
            Content::Text(text) => text.clone(),
            Content::Parts(parts) => parts.iter().filter_map(part_text).collect(),
        }
    }
}

/// The text of a reply's ids: U+FFFD stands where their bytes are no UTF-8.
pub fn reply_text(ids: &[TokenId], vocab: &Vocab) -> String {
    String::from_utf8_lossy(&vocab.concat(ids.iter().copied())).into_owned()
}

/// The text of a text part.
pub(super) fn part_text(part: &Json) -> Option<&str> {
    part.get("text").filter(|_| part.get("type").is_some_and(|kind| kind == "text"))?.as_str()
}

/// What a template renders.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conversation {
    /// The messages in order.
    pub messages: Vec<Message>,
    /// Descriptions of tools, as OpenAI has them.
    pub tools: Option<Vec<Json>>,
    /// Variables of a template's own (`enable_thinking`).
    pub variables: Map<String, Json>,
}

impl From<Vec<Message>> for Conversation {
    fn from(messages: Vec<Message>) -> Conversation {
        Conversation { messages, ..Conversation::default() }
    }
}

/// What is wrong with a file of messages.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{0}")]
pub struct MessageError(String);

impl MessageError {
    fn of_shape(found: &str) -> MessageError {
        MessageError(format!("expected an array of messages, or an object with \"messages\", not {found}"))
    }
}

impl Conversation {
    /// Reads a JSON array of messages, or an object with `messages` and optionally `tools` and
    /// `chat_template_kwargs`.
    ///
    /// # Errors
    /// What is wrong, with the message's number and the field's name.
    pub fn from_json(bytes: &[u8]) -> Result<Conversation, MessageError> {
        let bytes = bytes.strip_prefix(MARK_BYTES).unwrap_or(bytes);
        let json =
            serde_json::from_slice(bytes).map_err(|error| MessageError(format!("not JSON: {error}")))?;
        match json {
            Json::Array(messages) => Conversation::from_parts(messages, None, Map::new()),
            Json::Object(object) => Conversation::from_object(object),
            other => Err(MessageError::of_shape(kind(&other))),
        }
    }

    fn from_object(object: Map<String, Json>) -> Result<Conversation, MessageError> {
        let mut messages = None;
        let mut tools = None;
        let mut variables = Map::new();
        for (name, value) in object {
            let found = kind(&value);
            match (name.as_str(), value) {
                ("messages", Json::Array(list)) => messages = Some(list),
                ("tools", Json::Array(list)) => tools = Some(list),
                ("tools", Json::Null) => {}
                ("chat_template_kwargs", Json::Object(map)) => variables = map,
                ("messages" | "tools", _) => {
                    return Err(MessageError(format!("{name:?} must be an array, not {found}")));
                }
                ("chat_template_kwargs", _) => {
                    return Err(MessageError(format!("{name:?} must be an object, not {found}")));
                }
                _ => {
                    return Err(MessageError(format!(
                        "unknown field {name:?}; expected \"messages\", \"tools\" or \"chat_template_kwargs\""
                    )));
                }
            }
        }
        let messages = messages.ok_or_else(|| MessageError::of_shape("an object without it"))?;
        Conversation::from_parts(messages, tools, variables)
    }

    fn from_parts(
        messages: Vec<Json>,
        tools: Option<Vec<Json>>,
        variables: Map<String, Json>,
    ) -> Result<Conversation, MessageError> {
        if messages.is_empty() {
            return Err(MessageError("there is no message".to_string()));
        }
        let messages = messages.into_iter().enumerate().map(|(index, message)| {
            read_message(message).map_err(|reason| MessageError(format!("message {}: {reason}", index + 1)))
        });
        Ok(Conversation { messages: messages.collect::<Result<_, _>>()?, tools, variables })
    }
}

fn read_message(message: Json) -> Result<Message, String> {
    let Json::Object(mut fields) = message else {
        return Err(format!("expected an object with \"role\" and \"content\", not {}", kind(&message)));
    };
    let role = match fields.shift_remove("role") {
        Some(Json::String(name)) => Role::from(name.as_str()),
        Some(other) => return Err(format!("\"role\" must be a string, not {}", kind(&other))),
        None => return Err("there is no \"role\"".to_string()),
    };
    let content = match fields.shift_remove("content") {
        None => Content::None,
        Some(Json::Null) => {
            // Templates tell it from a message without content.
            fields.insert("content".to_string(), Json::Null);
            Content::None
        }
        Some(Json::String(text)) => Content::Text(text),
        Some(Json::Array(parts)) => Content::Parts(check_parts(parts)?),
        Some(other) => {
            let found = kind(&other);
            return Err(format!("\"content\" must be a string or an array of parts, not {found}"));
        }
    };
    Ok(Message { role, content, fields, reply: None })
}

fn check_parts(parts: Vec<Json>) -> Result<Vec<Json>, String> {
    for (index, part) in parts.iter().enumerate() {
        let place = format!("part {} of \"content\"", index + 1);
        let Some(part) = part.as_object() else {
            return Err(format!("{place} must be an object with a \"type\", not {}", kind(part)));
        };
        match part.get("type").map(Json::as_str) {
            Some(Some("text")) if part.get("text").is_some_and(Json::is_string) => {}
            Some(Some("text")) => return Err(format!("{place} is of type text but has no \"text\" string")),
            Some(Some(_)) => {}
            Some(None) => return Err(format!("\"type\" of {place} must be a string")),
            None => return Err(format!("{place} has no \"type\"")),
        }
    }
    Ok(parts)
}

fn kind(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a truth value",
        Json::Number(_) => "a number",
        Json::String(_) => "a string",
        Json::Array(_) => "an array",
        Json::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests;
