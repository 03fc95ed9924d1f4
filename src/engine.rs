//! Running a model. The only place that does.
//!
//! [`protocol`] is what is said between an engine and the rest of the program; [`Engine`] is a handle
//! to the one thread that owns a model. [`llama`] is the only folder that names llama.cpp.

pub mod cross;
mod figures;
mod generate;
pub mod llama;
mod plan;
mod pool;
pub mod protocol;
mod sample;
mod scorer;
#[cfg(test)]
pub mod scripted;
mod threads;
pub mod trial;
mod trie;
pub mod vocabulary;
mod worker;

pub use protocol::*;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Name of the thread that runs the model.
pub const ENGINE_THREAD: &str = "engine";

/// Requests that may wait while one is running.
const QUEUE: usize = 16;

/// A handle to the engine thread. Dropping it lets the running request finish its step and ends the
/// thread.
pub struct Engine {
    commands: SyncSender<Command>,
    thread: Option<JoinHandle<()>>,
}

/// Why a command was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// Too many requests are waiting.
    Busy,
    /// The engine thread has ended.
    Gone,
}

impl Engine {
    /// Starts the engine thread, which loads the model at once. `sink` is called on that thread for
    /// every event and may block it (that is the back-pressure).
    pub fn spawn(options: LoadOptions, sink: impl Fn(Event) + Send + 'static) -> Engine {
        let (commands, inbox) = sync_channel(QUEUE);
        let thread = std::thread::Builder::new()
            .name(ENGINE_THREAD.to_string())
            .spawn(move || watch(&sink, |sink| worker::run(&options, &inbox, sink)))
            .ok();
        Engine { commands, thread }
    }

    /// Hands a command over without waiting.
    ///
    /// # Errors
    /// [`SendError`] where nobody can take it.
    pub fn try_send(&self, command: Command) -> Result<(), SendError> {
        self.commands.try_send(command).map_err(|error| match error {
            TrySendError::Full(_) => SendError::Busy,
            TrySendError::Disconnected(_) => SendError::Gone,
        })
    }

    /// Ends the thread after its present step and waits for it this long; `false` if it goes on.
    pub fn shut_down(mut self, patience: Duration) -> bool {
        let thread = self.thread.take();
        drop(self.commands);
        let Some(thread) = thread else { return true };
        let deadline = Instant::now() + patience;
        while !thread.is_finished() {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }
}

/// Runs the worker and turns a panic into an event, so that a dead engine is a message, not a hang.
fn watch<S: Fn(Event)>(sink: &S, work: impl FnOnce(&S)) {
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(sink)));
    if let Err(payload) = outcome {
        let reason = payload
            .downcast_ref::<&str>()
            .map(|text| text.to_string())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "unknown reason".to_string());
        sink(Event::Failed { id: None, error: EngineError::Died(reason) });
    }
}

/// Ids from here on belong to clients that share an engine with a conversation.
pub const ASIDE: RequestId = RequestId(1 << 32);

/// An engine whose events are waited for, for everything that has no screen to keep alive.
pub struct Client {
    engine: Arc<Engine>,
    events: Receiver<Event>,
    last_id: RequestId,
    /// Told how far a request is.
    watcher: Option<Watcher>,
}

/// Is told how many tokens a request has read, of how many.
pub type Watcher = Box<dyn FnMut(usize, usize) + Send>;

impl Client {
    /// Loads a model and waits until it is ready. `progress` is told the share loaded.
    ///
    /// # Errors
    /// The reason why it could not be loaded.
    pub fn load(
        options: LoadOptions,
        mut progress: impl FnMut(f32),
    ) -> Result<(Client, Arc<ModelInfo>), EngineError> {
        let (sender, events) = sync_channel(256);
        let engine = Engine::spawn(options, move |event| {
            let _ = sender.send(event);
        });
        let client =
            Client { engine: Arc::new(engine), events, last_id: RequestId::default(), watcher: None };
        loop {
            match client.wait()? {
                Event::LoadProgress(share) => progress(share),
                Event::Ready(info) => return Ok((client, info)),
                Event::Failed { error, .. } => return Err(error),
                _ => {}
            }
        }
    }

    /// A client of an engine that others use too: `events` must bring the answers to ids from
    /// [`ASIDE`] on, and no others.
    pub fn attach(engine: Arc<Engine>, events: Receiver<Event>) -> Client {
        Client { engine, events, last_id: ASIDE, watcher: None }
    }

    /// Has someone told how far every request from now on is; `None` ends that.
    pub fn watch(&mut self, watcher: Option<Watcher>) {
        self.watcher = watcher;
    }

    /// Ends the engine if nobody else uses it, as [`Engine::shut_down`] does.
    pub fn shut_down(self, patience: Duration) -> bool {
        Arc::into_inner(self.engine).is_none_or(|engine| engine.shut_down(patience))
    }

    /// An id no request has had.
    pub fn next_id(&mut self) -> RequestId {
        self.last_id = self.last_id.next();
        self.last_id
    }

    /// Runs one request to its end; `each` sees every event of it but the last.
    ///
    /// # Errors
    /// What the engine says of a failed request, or that it is gone.
    pub fn run(
        &mut self,
        command: Command,
        mut each: impl FnMut(Event),
    ) -> Result<(FinishReason, Timing), EngineError> {
        if self.engine.try_send(command).is_err() {
            return Err(EngineError::Died("it takes no more requests".to_string()));
        }
        loop {
            match self.wait()? {
                Event::Finished { reason, timing, .. } => return Ok((reason, timing)),
                Event::Failed { error, .. } => return Err(error),
                event => {
                    if let (
                        Event::Prefill { done, total, .. } | Event::Progress { done, total, .. },
                        Some(watcher),
                    ) = (&event, &mut self.watcher)
                    {
                        watcher(*done, *total);
                    }
                    each(event);
                }
            }
        }
    }

    fn wait(&self) -> Result<Event, EngineError> {
        self.events.recv().map_err(|_| EngineError::Died("its thread ended".to_string()))
    }
}
