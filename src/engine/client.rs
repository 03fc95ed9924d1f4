//! Asking an engine and waiting for the answer, for everything that has no screen to keep alive.

use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use super::handle::{EVENTS, Engine};
use super::protocol::{Command, EngineError, Event, FinishReason, LoadOptions, ModelInfo, Timing};
use crate::intervention::InForce;

/// An engine whose events are waited for.
pub struct Client {
    engine: Engine,
    /// Told how far a request is.
    watcher: Option<Watcher>,
    /// In force in every request that names none.
    in_force: InForce,
}

/// Is told how many tokens a request has read, of how many.
pub type Watcher = Box<dyn FnMut(usize, usize) + Send>;

impl From<Engine> for Client {
    fn from(engine: Engine) -> Client {
        Client { engine, watcher: None, in_force: InForce::default() }
    }
}

impl Client {
    /// Loads a model and waits until it is ready. `progress` is told the share loaded.
    ///
    /// # Errors
    /// The reason why it could not be loaded.
    pub fn load(
        options: LoadOptions,
        mut progress: impl FnMut(f32),
    ) -> Result<(Client, Arc<ModelInfo>), EngineError> {
        let (sender, events) = sync_channel(EVENTS);
        let engine = Engine::load(options, move |event| {
            let _ = sender.send(event);
        });
        for event in events {
            match event {
                Event::LoadProgress(share) => progress(share),
                Event::Ready(info) => return Ok((engine.into(), info)),
                Event::Lost(error) => return Err(error),
                _ => {}
            }
        }
        Err(ended())
    }

    /// The engine, which others may ask too.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Has someone told how far every request from now on is; `None` ends that.
    pub fn watch(&mut self, watcher: Option<Watcher>) {
        self.watcher = watcher;
    }

    /// Has these in force in every request from now on; none leaves requests as they are.
    pub fn intervene(&mut self, these: impl Into<InForce>) {
        self.in_force = these.into();
    }

    /// What is in force in every request.
    pub fn in_force(&self) -> &InForce {
        &self.in_force
    }

    /// Ends the engine, as [`Engine::shut_down`] does.
    pub fn shut_down(&self, patience: Duration) -> bool {
        self.engine.shut_down(patience)
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
        let command = match self.in_force.spans().is_empty() {
            true => command,
            false => command.under(&self.in_force)?,
        };
        for event in self.engine.request(command) {
            match event {
                Event::Finished { reason, timing } => return Ok((reason, timing)),
                Event::Failed(error) => return Err(error),
                event => {
                    if let (
                        Event::Prefill { done, total, .. } | Event::Progress { done, total },
                        Some(watcher),
                    ) = (&event, &mut self.watcher)
                    {
                        watcher(*done, *total);
                    }
                    each(event);
                }
            }
        }
        Err(ended())
    }
}

fn ended() -> EngineError {
    EngineError::Died("its thread ended".to_string())
}
