//! Fits a conversation to what a template takes: parts or plain text, with or without a system message.

use std::ops::Range;

use serde_json::{Map, Value as Json, json};

use super::message::part_text;
use super::template::{ChatTemplate, Extras, explain};
use super::{ChatError, Content, Conversation, Message, Note, Role};
use crate::jinja::ErrorKind;

/// A conversation in the form the template renders, and rendered.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// The messages as the template gets them.
    pub messages: Vec<Json>,
    /// The texts inside them that are a message's own, by place and part.
    pub slots: Vec<ContentSlot>,
    /// What it gets beside them.
    pub extras: Extras,
    /// What the template makes of it.
    pub text: String,
    /// What a person should know about it.
    pub notes: Vec<Note>,
}

/// A message's own text inside the messages that a template gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentSlot {
    /// Index among the messages the template gets.
    pub place: usize,
    /// Which part of the content, if it has parts.
    pub part: Option<usize>,
    /// The bytes of that string.
    pub range: Range<usize>,
    /// Index among the messages of the conversation.
    pub message: usize,
}

/// A conversation as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendered {
    pub text: String,
    /// What a person should know about it.
    pub notes: Vec<Note>,
}

impl ChatTemplate {
    /// Renders a conversation, with or without the beginning of the reply that is asked for.
    ///
    /// # Errors
    /// The template's refusal, or its mistake.
    pub fn render(
        &self,
        conversation: &Conversation,
        add_generation_prompt: bool,
    ) -> Result<Rendered, ChatError> {
        let prepared = prepare(self, conversation, add_generation_prompt)?;
        Ok(Rendered { text: prepared.text, notes: prepared.notes })
    }
}

/// Between the system text and the message it is put into.
const BETWEEN: &str = "\n\n";

/// Renders a conversation in the first form that the template takes.
pub fn prepare(
    template: &ChatTemplate,
    conversation: &Conversation,
    add_generation_prompt: bool,
) -> Result<Prepared, ChatError> {
    fitted(template, conversation, add_generation_prompt).or_else(|error| {
        // APIs write null for what there is none of, and some templates stumble over it.
        let bare = without_nulls(conversation).ok_or_else(|| error.clone())?;
        let mut prepared = fitted(template, &bare, add_generation_prompt).map_err(|_| error)?;
        prepared.notes.push(Note::NullsLeftOut);
        Ok(prepared)
    })
}

/// The conversation without fields that are null; `None` if it has none.
fn without_nulls(conversation: &Conversation) -> Option<Conversation> {
    let mut bare = conversation.clone();
    for message in &mut bare.messages {
        message.fields.retain(|_, value| !value.is_null());
    }
    (bare != *conversation).then_some(bare)
}

fn fitted(
    template: &ChatTemplate,
    conversation: &Conversation,
    add_generation_prompt: bool,
) -> Result<Prepared, ChatError> {
    if conversation.messages.is_empty() {
        return Err(ChatError::Empty);
    }
    let mut notes = Vec::new();
    if template.is_transcript() {
        notes.push(Note::PlainTranscript);
    }
    let messages = fit_parts(template, &conversation.messages, &mut notes);
    let mut prepared = Prepared {
        extras: Extras {
            tools: conversation.tools.clone().map_or(Json::Null, Json::Array),
            variables: conversation.variables.clone(),
            add_generation_prompt,
        },
        notes,
        ..Prepared::default()
    };
    prepared.place(&messages, false);
    let folds = messages.first().is_some_and(|first| first.role == Role::System && !first.text().is_empty())
        && messages.iter().any(|message| message.role == Role::User);
    match template.render_json(&prepared.extras, &prepared.messages) {
        Ok(text) => {
            prepared.text = text;
            if folds && leaves_out_system(template, &prepared, &messages[0]) {
                prepared.notes.push(Note::SystemLeftOut);
            }
            Ok(prepared)
        }
        Err(error) if folds && error.kind == ErrorKind::Raised => {
            prepared.place(&messages, true);
            prepared.text = template
                .render_json(&prepared.extras, &prepared.messages)
                .map_err(|_| explain(error, conversation))?;
            prepared.notes.push(Note::SystemFolded);
            Ok(prepared)
        }
        Err(error) => Err(explain(error, conversation)),
    }
}

/// Whether the prompt is the same without the system message's text.
fn leaves_out_system(template: &ChatTemplate, prepared: &Prepared, system: &Message) -> bool {
    if prepared.text.contains(system.text().trim()) {
        return false;
    }
    let mut others = prepared.messages.clone();
    others[0]["content"] = json!("Say nothing.");
    template.render_json(&prepared.extras, &others).is_ok_and(|text| text == prepared.text)
}

/// Messages with plain text where the template knows no parts, and in parts where it knows nothing else.
fn fit_parts(template: &ChatTemplate, messages: &[Message], notes: &mut Vec<Note>) -> Vec<Message> {
    let has_parts = messages.iter().any(|message| matches!(message.content, Content::Parts(_)));
    let has_text =
        messages.iter().any(|message| matches!(&message.content, Content::Text(text) if !text.is_empty()));
    if has_text && template.takes_only_parts() {
        notes.push(Note::TextAsParts);
        return messages.iter().map(in_parts).collect();
    }
    if !has_parts || template.takes_parts() {
        return messages.to_vec();
    }
    notes.push(Note::PartsJoined);
    let joined = messages.iter().enumerate().map(|(index, message)| {
        let Content::Parts(parts) = &message.content else { return message.clone() };
        for part in parts.iter().filter(|part| part_text(part).is_none()) {
            let kind = part["type"].as_str().unwrap_or_default().to_string();
            notes.push(Note::PartLeftOut { message: index, kind });
        }
        Message { content: Content::Text(message.text()), ..message.clone() }
    });
    joined.collect()
}

/// A message whose text is a part of its content.
fn in_parts(message: &Message) -> Message {
    match &message.content {
        Content::Text(text) => {
            let part = json!({"type": "text", "text": text});
            Message { content: Content::Parts(vec![part]), ..message.clone() }
        }
        _ => message.clone(),
    }
}

impl Prepared {
    /// Puts messages into place, the system message into the first of the user's if it is to be folded.
    fn place(&mut self, messages: &[Message], fold: bool) {
        self.messages.clear();
        self.slots.clear();
        if !fold {
            for (number, message) in messages.iter().enumerate() {
                self.add(message, number);
            }
            return;
        }
        let host = messages.iter().position(|message| message.role == Role::User);
        for (number, message) in messages.iter().enumerate().skip(1) {
            match host {
                Some(host) if host == number => self.add_host(&messages[0].text(), message, number),
                _ => self.add(message, number),
            }
        }
    }

    /// Adds a message whose own text is all of its content.
    fn add(&mut self, message: &Message, number: usize) {
        let place = self.messages.len();
        let mut slot = |part, text: &str| {
            self.slots.push(ContentSlot { place, part, range: 0..text.len(), message: number });
        };
        match &message.content {
            Content::None => {}
            Content::Text(text) => slot(None, text),
            Content::Parts(parts) => {
                for (part, text) in parts.iter().enumerate() {
                    if let Some(text) = part_text(text) {
                        slot(Some(part), text);
                    }
                }
            }
        }
        self.messages.push(as_json(message, &message.content));
    }

    /// Adds the message of the user that the system's text is put into.
    fn add_host(&mut self, system: &str, message: &Message, number: usize) {
        let place = self.messages.len();
        if let Content::Parts(parts) = &message.content {
            let mut all = vec![json!({"type": "text", "text": format!("{system}{BETWEEN}")})];
            all.extend(parts.iter().cloned());
            self.add(&Message { content: Content::Parts(all), ..message.clone() }, number);
            if let Some(slot) = self.slots.iter_mut().find(|slot| slot.place == place) {
                *slot = ContentSlot { range: 0..system.len(), message: 0, ..slot.clone() };
            }
            return;
        }
        let text = format!("{system}{BETWEEN}{}", message.text());
        let begin = system.len() + BETWEEN.len();
        let slot = |range, message| ContentSlot { place, part: None, range, message };
        self.slots.extend([slot(0..system.len(), 0), slot(begin..text.len(), number)]);
        self.messages.push(as_json(message, &Content::Text(text)));
    }
}

/// A message as a template gets it.
fn as_json(message: &Message, content: &Content) -> Json {
    let mut fields = Map::new();
    fields.insert("role".to_string(), json!(message.role.name()));
    match content {
        Content::None => {}
        Content::Text(text) => {
            fields.insert("content".to_string(), json!(text));
        }
        Content::Parts(parts) => {
            fields.insert("content".to_string(), json!(parts));
        }
    }
    fields.extend(message.fields.clone());
    Json::Object(fields)
}
