//! The engine thread: makes a backend ready, then takes one request after the other.

use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::backend::{Backend, Opener, Sink};
use super::gives::Gives;
use super::protocol::{Command, EngineError, Event};
use crate::aside;

/// How long after its last request a backend may give memory back.
const IDLE: Duration = Duration::from_secs(30);

/// What an engine's thread is sent.
pub(super) enum WorkerMessage {
    /// A request, and who is told what comes of it.
    Request(Box<Command>, Box<dyn Fn(Event) + Send>),
    /// To end, whoever else may still hold the engine.
    End,
}

/// Opens the backend and answers requests until nobody can send any more. A panic is an error like
/// another, so that a dead engine is a message, not a hang.
pub(super) fn run(open: Box<Opener>, inbox: &Receiver<WorkerMessage>, say: Sink) {
    let mut backend = match guarded(|| open(say)) {
        Ok(Ok(backend)) => backend,
        Ok(Err(error)) | Err(error) => return say(Event::Lost(error)),
    };
    say(Event::Ready(backend.info().clone()));
    while let Some(WorkerMessage::Request(command, tell)) = next(inbox, backend.as_mut()) {
        if let Some(what) = beyond(&command, backend.info().gives) {
            tell(Event::Failed(EngineError::Unsupported(what)));
            continue;
        }
        match guarded(|| backend.run(&command, &tell)) {
            Ok(Ok((reason, timing))) => tell(Event::Finished { reason, timing }),
            Ok(Err(error)) => tell(Event::Failed(error)),
            Err(died) => {
                tell(Event::Failed(died.clone()));
                return say(Event::Lost(died));
            }
        }
    }
}

/// Waits for a message; a backend that nobody has used for a while may rest.
fn next(inbox: &Receiver<WorkerMessage>, backend: &mut dyn Backend) -> Option<WorkerMessage> {
    match inbox.recv_timeout(IDLE) {
        Err(RecvTimeoutError::Timeout) => {
            backend.idle();
            inbox.recv().ok()
        }
        message => message.ok(),
    }
}

/// What a request asks for that the engine can't give.
fn beyond(command: &Command, gives: Gives) -> Option<&'static str> {
    match command {
        Command::Generate(_) | Command::Sample(_) | Command::Round(_) => None,
        Command::Score(_) => (!gives.scores).then_some("score a text"),
        Command::Inspect(_) => (!gives.layers).then_some("be looked into"),
        Command::CrossEntropy(_) => (!gives.comparison).then_some("compare itself with another model"),
    }
}

fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, EngineError> {
    aside::guarded(work).map_err(|reason| {
        EngineError::Died(if reason.is_empty() { "unknown reason".to_string() } else { reason })
    })
}
