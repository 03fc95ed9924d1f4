//! What stands behind an [`Engine`](super::handle::Engine): a model that answers requests, wherever it runs.
//!
//! A backend lives on its engine's thread and is asked one thing after the other. Nothing here knows
//! llama.cpp: [`llama`](super::llama) is one backend, the script of the tests another.

use std::sync::Arc;

use super::protocol::{Command, EngineError, Event, FinishReason, ModelInfo, Timing};

/// Is told what comes of a request, or how far a model is loaded; may block (that is the back-pressure).
pub type Sink<'a> = &'a dyn Fn(Event);

/// A model that is ready.
pub trait Backend {
    /// What it is.
    fn info(&self) -> &Arc<ModelInfo>;

    /// Runs a request to its end. The sink is told what comes of it on the way; the end is the answer.
    ///
    /// # Errors
    /// [`EngineError`], after which the next request finds the backend as if this one had not been.
    fn run(&mut self, command: &Command, sink: Sink) -> Result<(FinishReason, Timing), EngineError>;

    /// Nobody has asked for anything in a while: what only further requests would use may go.
    fn idle(&mut self) {}
}

/// Makes a backend ready on the engine's thread, telling how far it is.
pub type Opener = dyn FnOnce(Sink) -> Result<Box<dyn Backend>, EngineError> + Send;
