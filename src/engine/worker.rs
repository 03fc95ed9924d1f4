//! The engine thread: makes a backend ready, then takes one request after the other.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::backend::{Backend, Opener, Others, Sink, WaitingRequest};
use super::gives::{Gives, NO_LOOK, NO_ROW};
use super::protocol::{Command, EngineError, Event, Sequence};
use crate::aside;

/// How long after its last request a backend may give memory back.
const IDLE: Duration = Duration::from_secs(30);

/// What an engine's thread is sent.
pub(super) enum WorkerMessage {
    Request(WaitingRequest),
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
    let mut inbox = Inbox { messages: inbox, passed_over: VecDeque::new() };
    while let Some(WorkerMessage::Request(request)) = inbox.next(backend.as_mut()) {
        if let Some(what) = beyond(&request.command, backend.info().gives) {
            request.end(Err(EngineError::Unsupported(what)));
            continue;
        }
        match guarded(|| backend.run_beside(&request.command, &request.tell, &mut inbox)) {
            Ok(outcome) => request.end(outcome),
            Err(died) => {
                request.end(Err(died.clone()));
                return say(Event::Lost(died));
            }
        }
    }
}

/// What was sent.
struct Inbox<'a> {
    messages: &'a Receiver<WorkerMessage>,
    /// Those that could not be answered beside another.
    passed_over: VecDeque<WorkerMessage>,
}

impl Inbox<'_> {
    /// Waits for a message; a backend that nobody has used for a while may rest.
    fn next(&mut self, backend: &mut dyn Backend) -> Option<WorkerMessage> {
        if let Some(message) = self.passed_over.pop_front() {
            return Some(message);
        }
        match self.messages.recv_timeout(IDLE) {
            Err(RecvTimeoutError::Timeout) => {
                backend.idle();
                self.messages.recv().ok()
            }
            message => message.ok(),
        }
    }
}

impl Others for Inbox<'_> {
    fn next(&mut self, kind: fn(&Command) -> bool, patience: Duration) -> Option<WaitingRequest> {
        let fits = |message: &WorkerMessage| match message {
            WorkerMessage::Request(request) => kind(&request.command),
            WorkerMessage::End => false,
        };
        let deadline = Instant::now() + patience;
        self.passed_over.extend(self.messages.try_iter());
        loop {
            if let Some(at) = self.passed_over.iter().position(fits) {
                return match self.passed_over.remove(at) {
                    Some(WorkerMessage::Request(request)) => Some(request),
                    _ => None,
                };
            }
            let left = deadline.saturating_duration_since(Instant::now());
            self.passed_over.push_back(self.messages.recv_timeout(left).ok()?);
        }
    }
}

/// What a request asks for that the engine can't give.
fn beyond(command: &Command, gives: Gives) -> Option<&'static str> {
    match command {
        Command::Generate(_)
        | Command::Siblings(_)
        | Command::Forget(_)
        | Command::Frontier(_)
        | Command::Sample(_)
        | Command::Round(_) => None,
        // What comes after a text is no figure of it.
        Command::Score(asked) => {
            let scores = |sequence: &Sequence| sequence.from.max(1) < sequence.tokens.len();
            (!gives.scores && asked.sequences.iter().any(scores)).then_some("score a text")
        }
        Command::Inspect(_) => (!gives.layers).then_some(NO_LOOK),
        Command::Row(_) => gives.candidates.is_some().then_some(NO_ROW),
        Command::CrossEntropy(_) => (!gives.comparison).then_some("compare itself with another model"),
    }
}

fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, EngineError> {
    aside::guarded(work).map_err(|reason| {
        EngineError::Died(if reason.is_empty() { "unknown reason".to_string() } else { reason })
    })
}
