//! Conversations and the prompts they become.
//!
//! Owns messages, chat templates and the way from both to exact token ids: special tokens only where
//! the template wrote them, earlier replies by the ids that were chosen. Runs no model and knows no
//! screen.

mod continued;
mod encode;
mod marks;
mod message;
mod prepare;
mod spans;
mod specials;
pub mod system;
mod template;
#[cfg(test)]
mod testing;

use std::fmt;
use std::ops::Range;

use thiserror::Error;

pub use continued::continued;
pub use message::{Content, Conversation, Message, MessageError, Role, reply_text};
pub use prepare::Rendered;
pub use template::ChatTemplate;

use crate::engine::TokenizerLost;
use crate::jinja::TemplateError;
use crate::token::TokenId;

/// A token of a prompt, and what it stands for in the rendered text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptToken {
    /// The token.
    pub id: TokenId,
    /// Its first byte in the rendered text.
    pub start: usize,
    /// One past its last byte there.
    pub end: usize,
    /// Whether it holds any of a message's own text, and not only scaffold.
    pub typed: bool,
    /// Index of that message.
    pub message: Option<usize>,
}

/// A conversation as a model reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatPrompt {
    /// The exact tokens, in order.
    pub tokens: Vec<PromptToken>,
    /// The rendered text.
    pub text: String,
    /// For every message, the tokens that hold its own text; an empty range where the template left it
    /// out or altered it beyond recognition.
    pub spans: Vec<Range<usize>>,
    /// What a person should know about it.
    pub notes: Vec<Note>,
}

/// Something about a prompt that may surprise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// The model has no chat template.
    PlainTranscript,
    /// The template refuses a system message: it was put into the first of the user's.
    SystemFolded,
    /// The template writes nothing of the system message.
    SystemLeftOut,
    /// The template fails on fields that are null, and not without them.
    NullsLeftOut,
    /// The template takes only plain text.
    PartsJoined,
    /// The template takes text only in parts.
    TextAsParts,
    /// A part that is no text was left out.
    PartLeftOut {
        /// Index of the message.
        message: usize,
        /// The part's type.
        kind: String,
    },
    /// Earlier replies had to be tokenized anew.
    Retokenized {
        /// Indices of the messages.
        messages: Vec<usize>,
    },
    /// Where the text of messages lies in the prompt is not known.
    SpanUnknown {
        /// Indices of the messages.
        messages: Vec<usize>,
    },
    /// A literal that is one token in any text, because the vocabulary says so.
    UserDefined {
        /// Index of the message.
        message: usize,
        /// The literals.
        literals: Vec<String>,
    },
    /// The literal of a control token in an earlier reply that the template itself looks for.
    ControlKept {
        /// Index of the message.
        message: usize,
        /// The literal.
        literal: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Note::PlainTranscript => f.write_str(
                "this model has no chat template (it is no chat model): the conversation is a plain transcript of \"Question:\" and \"Answer:\"",
            ),
            Note::SystemFolded => f.write_str(
                "the chat template refuses a system message: it stands at the beginning of the first user message",
            ),
            Note::SystemLeftOut => {
                f.write_str("the chat template leaves the system message out: the model does not see it")
            }
            Note::NullsLeftOut => {
                f.write_str("the chat template fails on fields that are null: they were left out")
            }
            Note::PartsJoined => f.write_str("the chat template takes plain text only: text parts were joined"),
            Note::TextAsParts => {
                f.write_str("the chat template writes no plain text: every text is given as a part of type text")
            }
            Note::PartLeftOut { message, kind } => {
                write!(f, "message {}: a part of type {kind:?} was left out", message + 1)
            }
            Note::Retokenized { messages } => write!(
                f,
                "{}: the chat template alters an earlier reply, which was tokenized anew",
                numbered(messages)
            ),
            Note::SpanUnknown { messages } => write!(
                f,
                "{}: the chat template takes the text apart; which tokens hold it is not known",
                numbered(messages)
            ),
            Note::UserDefined { message, literals } => write!(
                f,
                "message {}: {} is one token in any text of this model, typed or not",
                message + 1,
                literals.join(", ")
            ),
            Note::ControlKept { message, literal } => write!(
                f,
                "message {}: {literal} in this earlier reply is kept as a special token, because the chat template looks for it",
                message + 1
            ),
        }
    }
}

/// Messages by their numbers: `messages 2, 4 and 6`.
fn numbered(messages: &[usize]) -> String {
    let numbers: Vec<String> = messages.iter().map(|message| (message + 1).to_string()).collect();
    match numbers.split_last() {
        Some((last, [])) => format!("message {last}"),
        Some((last, others)) => format!("messages {} and {last}", others.join(", ")),
        None => "no message".to_string(),
    }
}

/// Why a conversation can't become a prompt.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum ChatError {
    /// There is nothing to render.
    #[error("there is no message")]
    Empty,
    /// The template refused the conversation.
    #[error("the chat template refuses this conversation ({roles}): {reason}")]
    Refused {
        /// What it says.
        reason: String,
        /// The roles, in order.
        roles: String,
    },
    /// The template does not work.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The tokenizer is a server's, and out of reach.
    #[error(transparent)]
    Lost(#[from] TokenizerLost),
    /// Typed text and scaffold can't be told apart.
    #[error("{}: the chat template takes text with {literal:?} apart, so that it could act as the special token; leave it out", place(.message))]
    Inseparable {
        /// Index of the message; `None` for tools and fields beside the content.
        message: Option<usize>,
        /// The literal of a special token in it.
        literal: String,
    },
}

fn place(message: &Option<usize>) -> String {
    message.map_or("tools or fields".to_string(), |message| numbered(&[message]))
}
