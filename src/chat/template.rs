//! A model's chat template: messages in, text out, exactly as transformers renders it.

use std::sync::OnceLock;

use serde_json::{Map, Value as Json, json};

use super::{ChatError, Conversation};
use crate::engine::ModelInfo;
use crate::jinja::{self, Clock, Dialect, ErrorKind, Jinja, TemplateError};

/// What a model without a chat template gets. Markers it has never seen (ChatML's) are noise to a model
/// that was trained on no chat: it repeats what it was asked. Of the forms tried with such a model it
/// answered most often after "Question:" and "Answer:"; after "User:" and "Assistant:" it mostly
/// repeated. The space after "Answer:" is the reply's own, as the model writes it.
const TRANSCRIPT: &str = include_str!("transcript.jinja");

/// Names under which templates look for a message's reasoning; the first is the standard one.
const REASONING: [&str; 3] = ["reasoning_content", "thinking", "reasoning"];

/// A compiled chat template.
#[derive(Debug)]
pub struct ChatTemplate {
    template: jinja::Template,
    bos: Option<String>,
    eos: Option<String>,
    is_transcript: bool,
    /// The forms of content it takes; asked when first needed.
    takes: OnceLock<Takes>,
}

/// What a template is given beside the messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Extras {
    /// Descriptions of tools, or null.
    pub tools: Json,
    /// Variables of the template's own.
    pub variables: Map<String, Json>,
    /// Whether the beginning of the next reply is asked for.
    pub add_generation_prompt: bool,
}

impl ChatTemplate {
    /// Compiles a template. `bos` and `eos` are the texts of these tokens, empty where a model has
    /// none. A blank template stands for a model that has none: see [`ChatTemplate::transcript`].
    ///
    /// # Errors
    /// What is wrong with it, with line and column.
    pub fn new(source: &str, bos: &str, eos: &str) -> Result<ChatTemplate, TemplateError> {
        ChatTemplate::with_clock(source, (bos, eos), Clock::Local)
    }

    /// As [`ChatTemplate::new`], with the time that `strftime_now` tells.
    ///
    /// # Errors
    /// What is wrong with it, with line and column.
    pub fn with_clock(source: &str, (bos, eos): (&str, &str), clock: Clock) -> Result<Self, TemplateError> {
        let is_transcript = source.trim().is_empty();
        let source = if is_transcript { TRANSCRIPT } else { source };
        let template = Jinja::with_clock(Dialect::Chat, clock).template("chat template", source)?;
        let known = |text: &str| (!text.is_empty()).then(|| text.to_string());
        Ok(ChatTemplate { template, bos: known(bos), eos: known(eos), is_transcript, takes: OnceLock::new() })
    }

    /// The template of a model, or `source` in its place, with the model's own special tokens.
    ///
    /// # Errors
    /// What is wrong with it, with line and column.
    pub fn of_model(info: &ModelInfo, source: Option<&str>) -> Result<ChatTemplate, TemplateError> {
        let special = info.vocab.special();
        let text = |id: Option<crate::token::TokenId>| id.map(|id| info.vocab.text(id)).unwrap_or_default();
        let source = source.or(info.chat_template.as_deref()).unwrap_or_default();
        ChatTemplate::new(source, &text(special.bos), &text(special.eos))
    }

    /// The template as its author wrote it.
    pub fn source(&self) -> &str {
        self.template.text()
    }

    /// What looks like a marker (`</think>`) and is a string of the template's: it may look for these in
    /// what a message says.
    pub(super) fn markers(&self) -> impl Iterator<Item = &str> {
        let literals = self.template.literals().into_iter();
        literals.filter(|text| text.len() > 2 && text.starts_with(['<', '[']) && !text.contains('\\'))
    }

    /// Whether the model has no template of its own.
    pub fn is_transcript(&self) -> bool {
        self.is_transcript
    }

    /// Renders messages in the form a template gets them, with everything else as prepared.
    pub(super) fn render_json(&self, extras: &Extras, messages: &[Json]) -> Result<String, TemplateError> {
        let mut variables = Map::new();
        for (name, token) in [("bos_token", &self.bos), ("eos_token", &self.eos)] {
            if let Some(token) = token {
                variables.insert(name.to_string(), json!(token));
            }
        }
        variables.extend(extras.variables.clone());
        variables.insert("messages".to_string(), messages.iter().map(with_reasoning).collect());
        variables.insert("tools".to_string(), extras.tools.clone());
        variables.insert("documents".to_string(), Json::Null);
        variables.insert("add_generation_prompt".to_string(), json!(extras.add_generation_prompt));
        self.template.render(jinja::from_json(&Json::Object(variables)))
    }

    /// Whether a message in parts comes out as its text.
    pub(super) fn takes_parts(&self) -> bool {
        self.content().parts
    }

    /// Whether only a message in parts does.
    pub(super) fn takes_only_parts(&self) -> bool {
        let content = self.content();
        content.parts && !content.text
    }

    /// Tries both forms of content on a message of the user.
    fn content(&self) -> Takes {
        const PROBE: &str = "how are you";
        let tried = |content: Json| {
            let message = json!({"role": "user", "content": content});
            self.render_json(&Extras::default(), &[message]).is_ok_and(|text| {
                let printed = text.contains("'type'") || text.contains("\"type\"");
                text.contains(PROBE) && !printed
            })
        };
        *self.takes.get_or_init(|| Takes {
            text: tried(json!(PROBE)),
            parts: tried(json!([{"type": "text", "text": PROBE}])),
        })
    }
}

/// The forms of content a template writes.
#[derive(Clone, Copy, Debug)]
struct Takes {
    text: bool,
    parts: bool,
}

/// A message whose reasoning, whatever its name, is found under the names that templates use.
fn with_reasoning(message: &Json) -> Json {
    let Json::Object(fields) = message else { return message.clone() };
    let given = |name: &&str| fields.get(*name).filter(|reasoning| !reasoning.is_null());
    let Some(reasoning) = REASONING.iter().find_map(given).cloned() else {
        return message.clone();
    };
    let mut aliased = Map::new();
    aliased.insert("thinking".to_string(), reasoning.clone());
    aliased.extend(fields.clone());
    aliased.insert("reasoning_content".to_string(), reasoning);
    Json::Object(aliased)
}

/// A template's error as a person should read it.
pub(super) fn explain(error: TemplateError, conversation: &Conversation) -> ChatError {
    if error.kind != ErrorKind::Raised {
        return ChatError::Template(error);
    }
    let roles: Vec<&str> = conversation.messages.iter().map(|message| message.role.name()).collect();
    ChatError::Refused { reason: error.reason, roles: roles.join(", ") }
}

#[cfg(test)]
mod tests;
