//! `POST /v1/score`: what a prefix could be followed by, each choice with its sums and reductions.
//!
//! The question is [`crate::query::choices`]' own; it is asked of an engine that hands scoring on to
//! [`super::work`], so that what many requests ask is computed together.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::answer::answered;
use super::body::Payload;
use super::error::ApiError;
use super::fields::Fields;
use super::scoring::ToScore;
use super::server::Server;
use super::work::WorkQueue;
use crate::engine::{
    Backend, CancelFlag, Client, Command, Engine, EngineError, Event, FinishReason, ModelInfo, Sink, Timing,
};
use crate::query::Asker;
use crate::query::choices::{ChoiceComparison, compare};
use crate::report::choices::ChoicesRecord;
use crate::report::record::Origin;
use crate::settings::Bos;

/// Most choices of a request.
const MOST: usize = 4096;

pub(super) async fn answer(
    State(server): State<Arc<Server>>,
    payload: Payload,
) -> Result<Response, ApiError> {
    let cancel = server.stop.narrower();
    // RaisedOnDrop when nobody waits for the answer any more.
    let _gone = RaisedOnDrop(cancel.clone());
    server.aside(move |server| score(server, &payload, cancel)).await
}

/// Raises a flag when it is dropped.
struct RaisedOnDrop(CancelFlag);

impl Drop for RaisedOnDrop {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn score(server: &Server, payload: &Payload, cancel: CancelFlag) -> Result<Response, ApiError> {
    let mut fields = Fields::read(&payload.bytes)?;
    server.must_be_model(&mut fields)?;
    let prefix = fields.text("prefix")?.unwrap_or_default();
    let choices = choices(fields.value("choices"))?;
    let bos = fields.flag("add_special_tokens")?;
    fields.done(&[])?;
    let served = &server.served;
    let relay = Relay { info: Arc::clone(&served.model), work: server.work.clone() };
    let engine = Engine::start(Box::new(move |_| Ok(Box::new(relay) as Box<dyn Backend>)), |_| {});
    let mut asker = Asker {
        client: &mut Client::from(engine),
        model: Arc::clone(&served.model),
        template: None,
        settings: served.raw.clone(),
        cancel,
        far: Arc::new(|_| {}),
        cache: served.cache.clone(),
    };
    let asked = ChoiceComparison {
        context: prefix.into_bytes(),
        choices,
        windowing: asker.windowing(),
        bos: if bos == Some(false) { Bos::Never } else { served.raw.bos },
    };
    let compared = compare(&mut asker, &asked)?;
    let origin = Origin { provenance: server.provenance(None), ..served.origin.clone() };
    answered(ChoicesRecord::new(&compared, &origin))
}

fn choices(value: Option<Value>) -> Result<Vec<Vec<u8>>, ApiError> {
    let wrong =
        || ApiError::field("choices", format!("must be a list of 1 to {MOST} texts, none of them empty"));
    let Some(Value::Array(list)) = value else { return Err(wrong()) };
    if list.is_empty() || list.len() > MOST {
        return Err(wrong());
    }
    let text = |entry| match entry {
        Value::String(text) if !text.is_empty() => Ok(text.into_bytes()),
        _ => Err(wrong()),
    };
    list.into_iter().map(text).collect()
}

/// An engine whose scoring is done with whatever else waits.
struct Relay {
    info: Arc<ModelInfo>,
    work: WorkQueue,
}

impl Backend for Relay {
    fn info(&self) -> &Arc<ModelInfo> {
        &self.info
    }

    fn run(&mut self, command: &Command, sink: Sink) -> Result<(FinishReason, Timing), EngineError> {
        let Command::Score(batch) = command else {
            return Err(EngineError::Unsupported("do more than score"));
        };
        let (sequences, depth, after) = (batch.sequences.clone(), batch.depth, batch.after);
        let count = sequences.len();
        let mut events = self.work.score(ToScore { sequences, depth, after });
        let mut early = BTreeMap::new();
        let mut out = 0;
        while out < count {
            let scored =
                events.blocking_recv().ok_or(EngineError::Died("the server is stopping".to_string()))??;
            if batch.cancel.is_cancelled() {
                return Ok((FinishReason::Cancelled, Timing::default()));
            }
            early.insert(scored.index, scored);
            while let Some(scored) = early.remove(&out) {
                sink(Event::Scored { index: out, steps: scored.steps, after: scored.after });
                out += 1;
            }
        }
        Ok((FinishReason::Stop, Timing::default()))
    }
}
