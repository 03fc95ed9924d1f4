//! Scoring sequences as they stand, in a context of its own, so that the conversation's cache stays.

use std::sync::Arc;
use std::time::Instant;

use super::generate::{outlook, seen};
use super::llama::{Batch, Context, ContextParams, Model, SeqId};
use super::{EngineError, Event, FinishReason, ScoreBatch, Sequence, Timing};
use crate::distribution::Distribution;
use crate::step::{Outlook, Step};

const SEQUENCE: SeqId = SeqId(0);

/// Scores with the model's weights; its context is made when first needed.
pub(super) struct Scorer {
    model: Arc<Model>,
    params: ContextParams,
    context: Option<Context>,
    batch: Batch,
}

/// A sequence's steps and, if it was asked for, the distribution after it.
type Scored = (Vec<Step>, Option<Box<Outlook>>);

impl Scorer {
    /// A scorer with the conversation's limits.
    pub fn new(model: Arc<Model>, params: ContextParams) -> Scorer {
        Scorer { model, params, context: None, batch: Batch::default() }
    }

    /// Answers one request.
    pub fn score<S: Fn(Event)>(
        &mut self,
        request: &ScoreBatch,
        sink: &S,
    ) -> Result<(FinishReason, Timing), EngineError> {
        let mut timing = Timing { threads: self.params.threads, ..Timing::default() };
        let begun = Instant::now();
        let mut reason = FinishReason::Stop;
        for (index, sequence) in request.sequences.iter().enumerate() {
            let Some((steps, after)) = self.score_one(request, sequence, &mut timing)? else {
                reason = FinishReason::Cancelled;
                break;
            };
            sink(Event::Scored { id: request.id, index, steps, after });
        }
        timing.prefill = begun.elapsed();
        Ok((reason, timing))
    }

    fn context(&mut self) -> Result<&mut Context, EngineError> {
        if self.context.is_none() {
            self.context = Context::new(&self.model, self.params);
        }
        self.context.as_mut().ok_or(EngineError::Decode(-1))
    }

    /// `None` when cancelled.
    fn score_one(
        &mut self,
        request: &ScoreBatch,
        sequence: &Sequence,
        timing: &mut Timing,
    ) -> Result<Option<Scored>, EngineError> {
        let tokens = &sequence.tokens;
        let room = self.params.cells as usize;
        if tokens.len() > room {
            return Err(EngineError::TooLong { needed: tokens.len(), context: room });
        }
        let mut batch = std::mem::take(&mut self.batch);
        let chunk = self.params.batch as usize;
        let context = self.context()?;
        context.clear();
        let boundaries = request.boundaries.then(|| Arc::clone(self.model.vocab()));
        let boundaries = boundaries.as_ref().map(|vocab| vocab.boundaries());
        let mut steps = Vec::with_capacity(tokens.len().saturating_sub(sequence.from));
        let mut after = None;
        if sequence.from == 0
            && let Some(&id) = tokens.first()
        {
            steps.push(Step { id, seen: None });
        }
        let context = self.context.as_mut().ok_or(EngineError::Decode(-1))?;
        for first in (0..tokens.len()).step_by(chunk) {
            if request.cancel.is_cancelled() {
                return Ok(None);
            }
            let end = tokens.len().min(first + chunk);
            batch.clear();
            for position in first..end {
                let next = position + 1;
                let wanted = if next == tokens.len() { request.after } else { next >= sequence.from };
                batch.push(tokens[position], position, &[SEQUENCE], wanted);
            }
            context.decode(&batch)?;
            timing.prefill_tokens += end - first;
            for position in first..end {
                let Some(row) = context.logits(position - first) else { continue };
                let raw = Distribution::measure(row, request.depth, boundaries)?;
                match tokens.get(position + 1) {
                    Some(&id) => steps.push(Step { id, seen: Some(seen(row, &raw, id, None)) }),
                    None => after = Some(Box::new(outlook(row, &raw, None))),
                }
            }
        }
        self.batch = batch;
        Ok(Some((steps, after)))
    }
}
