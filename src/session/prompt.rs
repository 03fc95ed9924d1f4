//! What the model reads beside what people type: the template's scaffold and its own system prompt.

use super::{Session, resolve_system};
use crate::chat::{Conversation, Message, system};
use crate::token::text_of;

impl Session {
    /// What `/system` says.
    pub(super) fn tell_system(&self) -> String {
        match &self.system {
            Some(text) => format!("system prompt: {text}"),
            None => format!("you have set no system prompt; {}", self.of_template()),
        }
    }

    /// Changes the system prompt, and says what holds now.
    pub(super) fn set_system(&mut self, text: &str) -> String {
        self.system = resolve_system(text);
        match &self.system {
            Some(text) => format!("system prompt, from the next message on: {text}"),
            None => format!("no system prompt of yours, from the next message on; {}", self.of_template()),
        }
    }

    /// The system prompt that stands there where nobody sets one.
    fn of_template(&self) -> String {
        let Some(template) = &self.template else {
            return "the model, which is not ready yet, may bring one of its own".to_string();
        };
        match system::of_template(template) {
            Some(text) => format!(
                "the model's chat template writes its own: {text}\n/system NAME or TEXT replaces it, /prompt shows all that the model reads"
            ),
            None => "the model's chat template writes none of its own either; /system NAME or TEXT sets one"
                .to_string(),
        }
    }

    /// The prompt as the model read it last, special tokens and all; before the first message, what
    /// one would become.
    pub(super) fn tell_prompt(&self) -> String {
        let (Some(model), Some(template)) = (&self.model, &self.template) else {
            return "the model is not ready yet: its chat template is not known".to_string();
        };
        let read = &self.trace.tokens()[..self.trace.reply_start()];
        if !read.is_empty() {
            let text = text_of(&model.vocab.concat(read.iter().map(|token| token.id)));
            return format!("what the model read before its last reply, {} tokens:\n{text}", read.len());
        }
        let system = self.system.iter().map(|text| Message::system(text.clone()));
        let example: Vec<Message> = system.chain([Message::user("YOUR MESSAGE")]).collect();
        match template.render(&Conversation::from(example), true) {
            Ok(rendered) => format!("what the model will read of your first message:\n{}", rendered.text),
            Err(error) => format!("the model's chat template refuses a first message: {error}"),
        }
    }
}
