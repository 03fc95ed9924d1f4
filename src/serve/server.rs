//! What every handler works with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;

use super::error::ApiError;
use super::fields::Fields;
use super::keys::ApiKeys;
use super::metrics::Metrics;
use super::options::{ServeOptions, Served};
use super::scoring::{ScoredSequence, ToScore};
use super::shared::SharedEngine;
use super::work::WorkQueue;
use crate::chat::ChatTemplate;
use crate::engine::{CancelFlag, EngineError};
use crate::report::record::Provenance;
use axum::http::StatusCode;

/// All bodies together are counted in parts of so many bytes, of which there are [`BODY_PARTS`].
pub(super) const BODY_PART: usize = 64 << 10;
const BODY_PARTS: usize = 4096;

/// The model, and how it is asked.
pub(super) struct Server {
    pub served: Served,
    pub template: Arc<ChatTemplate>,
    pub work: WorkQueue,
    pub metrics: Arc<Metrics>,
    pub keys: ApiKeys,
    /// Whether only this machine can reach it.
    pub is_local: bool,
    /// Room for bodies, in parts of [`BODY_PART`] bytes.
    pub bodies: Arc<Semaphore>,
    pub stop: CancelFlag,
    /// When it began, in seconds since 1970.
    pub begun: u64,
    answers: AtomicU64,
}

impl Server {
    /// Starts the threads that ask the engine.
    pub fn start(
        served: Served,
        template: Arc<ChatTemplate>,
        options: ServeOptions,
    ) -> std::io::Result<Server> {
        let (metrics, stop) = (Arc::new(Metrics::new()), CancelFlag::default());
        let shared = SharedEngine {
            engine: served.engine.clone(),
            parallel: options.parallel,
            interventions: served.raw.interventions(),
            stop: stop.clone(),
            metrics: Arc::clone(&metrics),
        };
        Ok(Server {
            work: WorkQueue::start(shared)?,
            served,
            template,
            metrics,
            is_local: options.host.is_loopback(),
            keys: options.keys,
            bodies: Arc::new(Semaphore::new(BODY_PARTS)),
            stop,
            begun: now(),
            answers: AtomicU64::default(),
        })
    }

    /// A name for an answer.
    pub fn name(&self, kind: &str) -> String {
        let number = self.answers.fetch_add(1, Ordering::Relaxed);
        format!("{kind}-{:x}-{number:x}", self.begun)
    }

    /// What figures depend on, in short.
    pub fn fingerprint(&self) -> String {
        let Provenance { sha256, weights, version, exact, .. } = &self.served.origin.provenance;
        let hash = sha256.as_deref().map_or("unknown", |hash| &hash[..hash.len().min(12)]);
        format!("tokenscope-{version}-{hash}-{weights}{}", if *exact { "-exact" } else { "" })
    }

    /// The provenance of an answer in which chance began with this seed, if there was any.
    pub fn provenance(&self, seed: Option<u32>) -> Provenance {
        Provenance { seed, ..self.served.origin.provenance.clone() }
    }

    /// Refuses a request for another model than this one.
    pub fn must_be_model(&self, fields: &mut Fields) -> Result<(), ApiError> {
        let own = &self.served.model.name;
        match fields.text("model")? {
            Some(name) if name != *own => {
                let what = format!("must be \"{own}\", the model that is served here");
                Err(ApiError::field("model", what).with(StatusCode::NOT_FOUND).code("model_not_found"))
            }
            _ => Ok(()),
        }
    }

    /// Does what takes time beside the connections.
    pub async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Server) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let server = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || crate::aside::guarded(|| work(&server))).await;
        match done {
            Ok(Ok(result)) => result,
            Ok(Err(reason)) => {
                let what = crate::aside::bug(&reason);
                Err(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, what))
            }
            Err(_) => Err(ApiError::stopping()),
        }
    }

    /// Scores sequences with whatever else waits; answers are in the order asked.
    pub async fn score(&self, scoring: ToScore) -> Result<Vec<ScoredSequence>, ApiError> {
        let count = scoring.sequences.len();
        let context = self.served.model.context as usize;
        let needed = scoring.sequences.iter().map(|sequence| sequence.tokens.len()).max().unwrap_or(0);
        if needed > context {
            return Err(EngineError::TooLong { needed, context }.into());
        }
        let mut events = self.work.score(scoring);
        let mut all: Vec<ScoredSequence> = Vec::with_capacity(count);
        while let Some(scored) = events.recv().await {
            all.push(scored?);
            if all.len() == count {
                all.sort_by_key(|scored| scored.index);
                return Ok(all);
            }
        }
        if count == 0 { Ok(all) } else { Err(ApiError::stopping()) }
    }
}

pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
