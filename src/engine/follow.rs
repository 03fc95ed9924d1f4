//! Scoring a sequence that grows, such as another model's conversation: each token is evaluated once.
//!
//! A context of its own holds the tokens so far, and the row of logits after the last of them is kept, which the
//! next token's figures are taken from.

use std::sync::Arc;
use std::time::Instant;

use super::backend::Sink;
use super::figures::{in_parts, prediction, stats};
use super::llama::eval::Script;
use super::llama::{Attention, Batch, Context, ContextParams, Model, SeqId};
use super::protocol::{EngineError, Event, FinishReason, Layout, ScoreBatch, Sequence, Timing};
use super::threads::Governor;
use crate::distribution::Distribution;
use crate::step::Step;
use crate::token::TokenId;

/// Tokens evaluated at once: few, because whoever writes the sequence may be waiting for its turn.
const CHUNK: usize = 32;
const SEQUENCE: SeqId = SeqId(0);

/// Follows a sequence.
pub(super) struct Follower {
    model: Arc<Model>,
    params: ContextParams,
    governor: Governor,
    held: Option<Followed>,
}

/// What was read so far.
struct Followed {
    context: Context,
    tokens: Vec<TokenId>,
    /// The logits after the last of them.
    row: Vec<f32>,
}

impl Followed {
    fn forget(&mut self) {
        self.context.clear();
        self.tokens.clear();
        self.row.clear();
    }
}

/// The token that stands after a row.
struct RowAfter<'a> {
    at: usize,
    logits: &'a [f32],
}

impl Follower {
    /// One that has read nothing, with the conversation's length.
    pub fn new(model: Arc<Model>, conversation: ContextParams, governor: Governor) -> Follower {
        let chunk = CHUNK as u32;
        let attention = Attention::of_many(conversation.attention == Attention::Exact, &model);
        let batch = chunk.min(conversation.cells);
        let params = ContextParams { batch, outputs: batch, sequences: 1, attention, ..conversation };
        Follower { model, params, governor, held: None }
    }

    /// Whether it can answer a request as it was meant.
    pub fn takes(&self, request: &ScoreBatch) -> bool {
        request.layout == Layout::Growing
            && request.sequences.len() == 1
            && request.in_force.spans().is_empty()
            && self.params.attention != Attention::Exact
    }

    /// Gives the memory back.
    pub fn release(&mut self) {
        self.held = None;
    }

    /// Answers a request that it takes.
    ///
    /// # Errors
    /// [`EngineError`], after which nothing is held.
    pub fn score(&mut self, request: &ScoreBatch, sink: Sink) -> Result<(FinishReason, Timing), EngineError> {
        let begun = Instant::now();
        let mut timing = Timing { threads: self.params.threads, ..Timing::default() };
        let Some(sequence) = request.sequences.first() else { return Ok((FinishReason::Stop, timing)) };
        let room = self.params.cells as usize;
        if sequence.tokens.len() > room {
            return Err(EngineError::TooLong { needed: sequence.tokens.len(), context: room });
        }
        let mut held = match self.held.take() {
            Some(held) => held,
            None => {
                let context = Context::new(&self.model, self.params);
                let context = context.ok_or(EngineError::NoContext { cells: room })?;
                Followed { context, tokens: Vec::new(), row: Vec::new() }
            }
        };
        let mut steps = Vec::new();
        let read = self.read(&mut held, sequence, request, &mut steps)?;
        timing.prefill_tokens = read.unwrap_or_default();
        timing.naive_tokens = sequence.tokens.len();
        timing.rows = steps.len();
        timing.prefill = begun.elapsed();
        if read.is_none() {
            self.held = Some(held);
            return Ok((FinishReason::Cancelled, timing));
        }
        let boundaries = self.boundaries(request);
        let after = match request.after && !held.row.is_empty() {
            true => {
                let raw = Distribution::measure(&held.row, request.depth, boundaries)?;
                Some(Box::new(prediction(&held.row, &raw, None)))
            }
            false => None,
        };
        self.held = Some(held);
        sink(Event::Scored { index: 0, steps, after });
        Ok((FinishReason::Stop, timing))
    }

    fn boundaries(&self, request: &ScoreBatch) -> Option<&[u8]> {
        request.boundaries.then(|| self.model.vocab().boundaries())
    }

    /// Reads what is new; says how many tokens that were, or `None` if cancelled.
    fn read(
        &self,
        held: &mut Followed,
        sequence: &Sequence,
        request: &ScoreBatch,
        steps: &mut Vec<Step>,
    ) -> Result<Option<usize>, EngineError> {
        let (tokens, from) = (&sequence.tokens, sequence.from);
        if from == 0 {
            steps.extend(tokens.first().map(|&id| Step { id, stats: None }));
        }
        let from = from.max(1);
        let common = held.tokens.iter().zip(tokens).take_while(|(held, wanted)| held == wanted).count();
        let known = common == held.tokens.len() && common > 0 && from >= common;
        let first = if known { common } else { common.min(from - 1) };
        if first < held.tokens.len() {
            // Its last row is another one's then.
            held.row.clear();
            held.tokens.truncate(first);
            if first == 0 || !held.context.rewind(SEQUENCE, first) {
                held.forget();
            }
        }
        let (depth, boundaries) = (request.depth, self.boundaries(request));
        let measure = |following: &RowAfter| {
            let id = tokens[following.at];
            let raw = Distribution::measure(following.logits, depth, boundaries)?;
            Ok::<_, EngineError>(Step { id, stats: Some(stats(following.logits, &raw, id, None)) })
        };
        let threads = self.governor.most() as usize;
        if known && from == common && common < tokens.len() {
            steps.push(measure(&RowAfter { at: common, logits: &held.row })?);
        }
        let begin = held.tokens.len();
        let mut batch = Batch::default();
        for chunk in tokens[begin..].chunks(CHUNK) {
            let first = held.tokens.len();
            batch.clear();
            for (offset, &token) in chunk.iter().enumerate() {
                let position = first + offset;
                let wanted = position + 1 >= from || position + 1 == tokens.len();
                batch.push(token, position, &[SEQUENCE], wanted);
            }
            if request.cancel.is_cancelled() {
                return Ok(None);
            }
            held.row.clear();
            if !self.governor.evaluate(&mut held.context, &batch, Script::default(), &request.cancel)? {
                held.forget();
                return Ok(None);
            }
            held.tokens.extend_from_slice(chunk);
            let rows = (0..chunk.len())
                .filter_map(|i| Some(RowAfter { at: first + i + 1, logits: held.context.logits(i)? }));
            let rows: Vec<RowAfter> =
                rows.filter(|following| following.at >= from && following.at < tokens.len()).collect();
            steps.extend(in_parts(&rows, threads, measure)?);
            if let Some(row) = held.context.logits(chunk.len() - 1) {
                held.row = row.to_vec();
            }
        }
        Ok(Some(tokens.len() - begin))
    }
}
