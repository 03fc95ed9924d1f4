//! What stands behind an [`Engine`](super::handle::Engine): a model that answers requests, wherever it runs.
//!
//! A backend lives on its engine's thread and is asked one thing after the other. Nothing here knows
//! llama.cpp: [`llama`](super::llama) is one backend, the script of the tests another.

use std::sync::Arc;
use std::time::Duration;

use super::protocol::{Command, EngineError, Event, FinishReason, ModelInfo, Timing};

/// What became of a request.
pub type RequestOutcome = Result<(FinishReason, Timing), EngineError>;

/// Is told what comes of a request, or how far a model is loaded; may block (that is the back-pressure).
pub type Sink<'a> = &'a dyn Fn(Event);

/// A request that waits, and who is told what comes of it.
pub struct WaitingRequest {
    /// What is asked.
    pub command: Box<Command>,
    /// Is told.
    pub tell: Box<dyn Fn(Event) + Send>,
}

impl WaitingRequest {
    /// Tells how it ended.
    pub fn end(&self, outcome: RequestOutcome) {
        (self.tell)(match outcome {
            Ok((reason, timing)) => Event::Finished { reason, timing },
            Err(error) => Event::Failed(error),
        });
    }
}

/// Requests that wait while another one runs.
pub trait Others {
    /// Takes the first that is of this kind, for which it may wait this long.
    fn next(&mut self, kind: fn(&Command) -> bool, patience: Duration) -> Option<WaitingRequest>;
}

/// A model that is ready.
pub trait Backend {
    /// What it is.
    fn info(&self) -> &Arc<ModelInfo>;

    /// Runs a request to its end. The sink is told what comes of it on the way; the end is the answer.
    ///
    /// # Errors
    /// [`EngineError`], after which the next request finds the backend as if this one had not been.
    fn run(&mut self, command: &Command, sink: Sink) -> RequestOutcome;

    /// The same, and on the way answers others that the request gives way to, where the backend can.
    ///
    /// # Errors
    /// As above.
    fn run_beside(&mut self, command: &Command, sink: Sink, _others: &mut dyn Others) -> RequestOutcome {
        self.run(command, sink)
    }

    /// Nobody has asked for anything in a while: what only further requests would use may go.
    fn idle(&mut self) {}
}

/// Makes a backend ready on the engine's thread, telling how far it is.
pub type Opener = dyn FnOnce(Sink) -> Result<Box<dyn Backend>, EngineError> + Send;
