//! The whole row of logits at a step of any path, and how a text goes on from there: a look, which leaves the
//! cache as it was.

use std::rc::Rc;
use std::sync::Arc;

use super::{CachedConversation, GenerateRun, RowPlace, row_at};
use crate::distribution::{Depth, Distribution};
use crate::engine::backend::Sink;
use crate::engine::cache::AskedPath;
use crate::engine::figures::stats;
use crate::engine::intervene;
use crate::engine::llama::{MaskedChain, SeqId};
use crate::engine::protocol::{EngineError, Event, FinishReason, Generate, Timing};
use crate::engine::row::{LogitsFound, RowRequest};
use crate::sampling::Sampling;
use crate::step::Step;
use crate::token::TokenId;

impl CachedConversation {
    /// Tells the row after a path, and the figures of what goes on from there.
    pub fn row(&mut self, request: &RowRequest, sink: Sink) -> Result<(FinishReason, Timing), EngineError> {
        let RowRequest { path, then, begun, in_force, .. } = request;
        let (length, room) = (path.len(), self.room());
        if length == 0 {
            return Err(EngineError::Empty);
        }
        if length + then.len() > room {
            return Err(EngineError::TooLong { needed: length + then.len(), context: room });
        }
        intervene::check(&self.model, in_force)?;
        let bare = |&id: &TokenId| Arc::new(Step { id, stats: None });
        let asked = Generate {
            prompt: path.clone(),
            begun: path[length - begun.min(&length)..].iter().map(bare).collect(),
            known: length,
            in_force: in_force.clone(),
            cancel: request.cancel.clone(),
            ..Generate::default()
        };
        let mut run = GenerateRun {
            request: &asked,
            sink,
            timing: Timing::default(),
            steps: vec![None; length],
            told: length,
            sequence: SeqId(0),
            is_written: false,
            named: Vec::new(),
            is_look: true,
        };
        let outcome = self.look(request, &mut run);
        match outcome {
            Err(_) => self.cache.clear(),
            // One sequence alone is the conversation's.
            Ok(_) if self.cache.context().params().sequences == 1 => self.cache.give_back(),
            Ok(_) if run.is_written => self.cache.free(run.sequence),
            Ok(_) => {}
        }
        outcome.map(|reason| (reason, run.timing))
    }

    fn look(&mut self, request: &RowRequest, run: &mut GenerateRun) -> Result<FinishReason, EngineError> {
        let RowRequest { path, in_force, then, .. } = request;
        // What is computed for the look is gone afterwards: the row belongs to the conversation's own token.
        let own =
            self.cache.ledger().find(AskedPath { ids: path, in_force }).1.get(path.len() - 1).map(Rc::clone);
        let kept = own.as_ref().filter(|_| then.is_empty()).and_then(|own| self.kept_row(own));
        let place = match kept {
            Some(kept) => Some(RowPlace::Kept(kept)),
            None => {
                run.is_written = true;
                self.prefill(run)?
            }
        };
        let Some(place) = place else { return Ok(FinishReason::Cancelled) };
        let found = self.found(request, place)?;
        let logits = Arc::clone(&found.logits);
        (run.sink)(Event::Row(Box::new(found)));
        if let (Some(own), RowPlace::Batch(row)) = (&own, place) {
            self.keep_row(own, row);
        }
        let Some(&first) = then.first() else { return Ok(FinishReason::Stop) };
        let mut steps = vec![measured(&logits, first)?];
        let most = if self.is_exact() { 1 } else { self.cache.context().params().batch as usize };
        for (part, follow) in then[..then.len() - 1].chunks(most).zip(then[1..].chunks(most)) {
            if !self.evaluate(part, run)? {
                return Ok(FinishReason::Cancelled);
            }
            for (i, &id) in follow.iter().enumerate() {
                let row = self.cache.context().logits(i).ok_or(EngineError::Decode(-1))?;
                steps.push(measured(row, id)?);
            }
        }
        (run.sink)(Event::Scored { index: 0, steps, after: None });
        Ok(FinishReason::Stop)
    }

    /// The row, and what the constraint leaves of it.
    fn found(&mut self, request: &RowRequest, place: RowPlace) -> Result<LogitsFound, EngineError> {
        let logits: Arc<[f32]> = row_at(&self.cache, &self.rows, place)?.into();
        let reply = &request.path[request.path.len() - request.begun.min(request.path.len())..];
        let allowed = request.constraint.as_ref().map(|constraint| {
            let sampling = Sampling { grammar: Some(constraint.clone()), ..Sampling::default() };
            let mut chain = MaskedChain::new(&self.model, &sampling)?;
            let bare: Vec<Arc<Step>> = reply.iter().map(|&id| Arc::new(Step { id, stats: None })).collect();
            chain.replay(&[], &bare)?;
            chain.masked(&logits, &mut self.scratch)
        });
        let allowed =
            allowed.map(|row: Result<Arc<[f32]>, EngineError>| row.map_err(|error| error.to_string()));
        Ok(LogitsFound { logits, allowed, reach: self.model.trained_context() as usize })
    }
}

fn measured(row: &[f32], id: TokenId) -> Result<Step, EngineError> {
    let raw = Distribution::measure(row, Depth::Count(1), None)?;
    Ok(Step { id, stats: Some(stats(row, &raw, id, None)) })
}
