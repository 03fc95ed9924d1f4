//! What every question needs, and why one may stay without an answer.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use super::text::{TextEncoder, TextError};
use super::window::Windowing;
use crate::chat::{ChatError, ChatTemplate};
use crate::counter::Far;
use crate::engine::{CancelFlag, Client, EngineError, ModelInfo};
use crate::settings::{Bos, Settings};

/// A model that is ready to be asked, and how it is asked.
pub struct Asker<'a> {
    /// Its engine.
    pub client: &'a mut Client,
    /// What it is.
    pub model: Arc<ModelInfo>,
    /// Its chat template, for questions about a conversation.
    pub template: Option<Arc<ChatTemplate>>,
    /// The settings at the time of the question.
    pub settings: Settings,
    /// Raise it to stop.
    pub cancel: CancelFlag,
    /// Is told how far the answer is.
    pub far: Arc<dyn Fn(Far) + Send + Sync>,
    /// The folder for what can be found out again.
    pub cache: PathBuf,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum QueryError {
    /// Ctrl-C.
    #[error("stopped")]
    Stopped,
    /// A text can't be read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The template refused the conversation.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// A question that has no answer; what is wrong with it.
    #[error("{0}")]
    Refused(String),
}

impl Asker<'_> {
    /// Turns raw text into tokens, by a policy of its own where a question has one.
    ///
    /// # Errors
    /// [`TextError::NoBos`].
    pub fn encoder<'m>(&self, model: &'m ModelInfo, bos: Bos) -> Result<TextEncoder<'m>, TextError> {
        Ok(TextEncoder::new(model, bos, self.settings.special)?.cancelled_by(self.cancel.clone()))
    }

    /// How a text longer than the context is cut where nobody says.
    pub fn windowing(&self) -> Windowing {
        Windowing::new(self.model.context as usize, None, 1)
    }

    /// Refuses sequences that don't fit into the context.
    ///
    /// # Errors
    /// [`EngineError::TooLong`].
    pub fn must_fit(&self, tokens: usize) -> Result<(), EngineError> {
        let context = self.model.context as usize;
        if tokens > context { Err(EngineError::TooLong { needed: tokens, context }) } else { Ok(()) }
    }
}
