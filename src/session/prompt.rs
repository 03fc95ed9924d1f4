//! What the model reads beside what people type: the template's scaffold and its own system prompt.

use super::task::Task;
use super::{Notice, Outcome, Session, Ticket, resolve_system};
use crate::chat::Message;
use crate::token::text_of;

impl Session {
    /// What `/system` says.
    pub(super) fn tell_system(&self) -> Outcome {
        match &self.system {
            Some(text) => Outcome::Say(Notice::Info(format!("system prompt: {text}"))),
            None => self.with_template("you have set no system prompt; "),
        }
    }

    /// Changes the system prompt, and says what holds now.
    pub(super) fn set_system(&mut self, text: &str) -> Outcome {
        self.system = resolve_system(text);
        match &self.system {
            Some(text) => {
                Outcome::Say(Notice::Info(format!("system prompt, from the next message on: {text}")))
            }
            None => self.with_template("no system prompt of yours, from the next message on; "),
        }
    }

    /// Says this, and which system prompt stands there where nobody sets one.
    fn with_template(&self, before: &str) -> Outcome {
        match self.template() {
            Some(template) => {
                Outcome::Run(Ticket::default(), Task::TemplateSystem(before.to_string(), template.clone()))
            }
            None => Outcome::Say(Notice::Info(format!(
                "{before}the model, which is not ready yet, may bring one of its own"
            ))),
        }
    }

    /// The prompt as the model read it last, special tokens and all; before the first message, what
    /// one would become.
    pub(super) fn tell_prompt(&self) -> Outcome {
        let (Some(model), Some(template)) = (self.model(), self.template()) else {
            let reason = "the model is not ready yet: its chat template is not known";
            return Outcome::Say(Notice::Info(reason.to_string()));
        };
        let sequence = self.sequence();
        let count = sequence.reply_start();
        if count > 0 {
            let read = sequence.tokens().take(count).map(|token| token.id);
            let text = text_of(&model.vocab.concat(read));
            return Outcome::Say(Notice::Info(format!(
                "what the model read before its last reply, {count} tokens:\n{text}"
            )));
        }
        let system = self.system.iter().map(|text| Message::system(text.clone()));
        let example = system.chain([Message::user("YOUR MESSAGE")]).collect();
        Outcome::Run(Ticket::default(), Task::Example(example, template.clone()))
    }
}
