//! The handle that fronts hold: a clone of a sender to the thread on which the backend lives.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::backend::{Backend, Opener, Sink, WaitingRequest};
use super::local::Local;
use super::protocol::{Command, EngineError, Event, LoadOptions};
use super::remote::Remote;
use super::rpc::OverRpc;
use super::worker::{self, WorkerMessage};

/// Name of the thread that runs the model.
const ENGINE_THREAD: &str = "engine";

/// Requests that may wait while one is running.
const QUEUE: usize = 16;
/// Events of one request that may wait for whoever asked.
pub(super) const EVENTS: usize = 256;

/// The handle to an engine: any number of fronts hold clones of it and ask at the same time. When the last
/// one goes, the running request finishes and the thread ends.
#[derive(Clone)]
pub struct Engine {
    inbox: SyncSender<WorkerMessage>,
    thread: Arc<Option<JoinHandle<()>>>,
}

impl Engine {
    /// Starts an engine on a model of this machine, which is loaded at once (in a process of its own where others
    /// compute its layers), or on a server, which is asked what it is. `say` is called on the engine's thread with what it says of itself, and may block it.
    pub fn load(options: LoadOptions, say: impl Fn(Event) + Send + 'static) -> Engine {
        let open = move |sink: Sink| -> Result<Box<dyn Backend>, EngineError> {
            Ok(match &options.server {
                Some(access) => Box::new(Remote::open(access, &options, sink)?),
                None if !options.rpc.is_empty() => Box::new(OverRpc::open(&options, sink)?),
                None => Box::new(Local::load(&options, sink)?),
            })
        };
        Engine::start(Box::new(open), say)
    }

    /// Starts an engine on any backend, which `open` makes ready on the engine's thread.
    pub fn start(open: Box<Opener>, say: impl Fn(Event) + Send + 'static) -> Engine {
        let (inbox, messages) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name(ENGINE_THREAD.to_string())
            .spawn(move || worker::run(open, &messages, &say))
            .ok();
        Engine { inbox, thread: Arc::new(thread) }
    }

    /// Asks for something. What comes of it, in order, ends with [`Event::Finished`] or
    /// [`Event::Failed`]; dropping the receiver cancels the request. Never waits.
    pub fn request(&self, mut command: Command) -> Receiver<Event> {
        let (sender, events) = sync_channel(EVENTS);
        let unheard = command.cancel().narrower();
        *command.cancel() = unheard.clone();
        let refused = sender.clone();
        let tell = move |event| {
            if sender.send(event).is_err() {
                unheard.cancel();
            }
        };
        if let Err(error) = self.submit(command, tell) {
            let _ = refused.send(Event::Failed(error));
        }
        events
    }

    /// The same for whoever has one channel for everything: `tell` is called on the engine's thread with
    /// each event, and may block it. Never waits.
    ///
    /// # Errors
    /// [`EngineError::Died`] where the request can't be taken; `tell` is not called then.
    pub fn submit(&self, command: Command, tell: impl Fn(Event) + Send + 'static) -> Result<(), EngineError> {
        let request = WaitingRequest { command: Box::new(command), tell: Box::new(tell) };
        let reason = match self.inbox.try_send(WorkerMessage::Request(request)) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Full(_)) => "it is busy with earlier requests",
            Err(TrySendError::Disconnected(_)) => "it takes no more requests",
        };
        Err(EngineError::Died(reason.to_string()))
    }

    /// Ends the thread after its present request, whoever else holds the engine, and waits for it this
    /// long; `false` if it goes on.
    pub fn shut_down(&self, patience: Duration) -> bool {
        let _ = self.inbox.try_send(WorkerMessage::End);
        let deadline = Instant::now() + patience;
        while !self.has_ended() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// Whether its thread has ended, and everything it held is gone.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().as_ref().is_none_or(JoinHandle::is_finished)
    }
}

#[cfg(test)]
mod tests;
