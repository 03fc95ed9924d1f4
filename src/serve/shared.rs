//! What the threads that ask the engine have in common.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::Duration;

use super::metrics::Metrics;
use crate::engine::{CancelFlag, Engine, EngineError};
use crate::intervention::Interventions;

/// How often it is looked whether anybody still listens.
pub(super) const PULSE: Duration = Duration::from_millis(20);
/// How often a thread with nothing to do looks whether the server is to end.
const REST: Duration = Duration::from_millis(200);

/// The engine, and how it is asked.
#[derive(Clone)]
pub(super) struct SharedEngine {
    pub engine: Engine,
    /// Most replies side by side.
    pub parallel: usize,
    pub interventions: Interventions,
    pub stop: CancelFlag,
    pub metrics: Arc<Metrics>,
}

impl SharedEngine {
    /// Takes what has come, and waits for something where there is nothing to do; `false` when nobody can
    /// send any more, or the server stops.
    pub fn collect<T>(&self, inbox: &Receiver<T>, mut idle: bool, mut take: impl FnMut(T)) -> bool {
        loop {
            if self.stop.is_cancelled() {
                return false;
            }
            let next = match idle {
                true => inbox.recv_timeout(REST).map_err(|error| error == RecvTimeoutError::Timeout),
                false => match inbox.try_recv() {
                    Err(TryRecvError::Empty) => return true,
                    next => next.map_err(|_| false),
                },
            };
            match next {
                Ok(item) => {
                    take(item);
                    idle = false;
                }
                Err(true) => {}
                Err(false) => return false,
            }
        }
    }
}

/// What is said where the engine says nothing.
pub(super) fn ended() -> EngineError {
    EngineError::Died("its thread ended".to_string())
}
