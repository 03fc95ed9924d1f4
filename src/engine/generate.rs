//! Continuing a sequence: prefill with the figures of every prompt token, then one token at a time.
//!
//! Owns the conversation's KV cache and, position by position, the step that stands there, so that a
//! prompt that begins like the last one is neither computed nor measured again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::Sink;
use super::figures::{in_parts, stats};
use super::intervene;
use super::llama::eval::Script;
use super::llama::{Attention, Batch, Context, MaskedChain, Model, Scratch, SeqId};
use super::protocol::{EngineError, Event, FinishReason, Generate, Timing};
use super::threads::Governor;
use crate::distribution::{Depth, Distribution};
use crate::intervention::Interventions;
use crate::step::Step;
use crate::token::TokenId;

const SEQUENCE: SeqId = SeqId(0);

/// Tokens of a prompt in a chunk at its beginning, where few cells are looked at and more in a chunk would
/// only make progress coarser.
const SMALL_CHUNK: usize = 128;
/// From this position on chunks are as large as they may be: their tokens read the same cells together.
const LARGE_FROM: usize = 1024;

/// The conversation's sequence in the KV cache, and what was seen at each position.
pub(super) struct CachedConversation {
    model: Arc<Model>,
    context: Context,
    governor: Governor,
    /// For each position in the KV cache, what was in force when it was computed.
    cached: Vec<Interventions>,
    /// The steps at positions 0.. ; may be one longer than the cache, by a token chosen but not
    /// evaluated.
    steps: Vec<Arc<Step>>,
    depth: Option<Depth>,
    /// Where the last batch of the latest prompt began, and where that prompt ended.
    last_chunk: (usize, usize),
    batch: Batch,
    scratch: Scratch,
}

/// A request on its way.
struct GenerateRun<'a> {
    request: &'a Generate,
    sink: Sink<'a>,
    timing: Timing,
}

impl CachedConversation {
    /// An empty conversation in a context with one sequence.
    pub fn new(model: Arc<Model>, context: Context, governor: Governor) -> CachedConversation {
        let scratch = Scratch::new(&model);
        CachedConversation {
            model,
            context,
            governor,
            cached: Vec::new(),
            steps: Vec::new(),
            depth: None,
            last_chunk: (0, 0),
            batch: Batch::default(),
            scratch,
        }
    }

    /// The arithmetic of its attention.
    pub fn attention(&self) -> Attention {
        self.context.params().attention
    }

    /// Answers one request; see [`Event`] for what the sink is told on the way.
    pub fn generate(
        &mut self,
        request: &Generate,
        sink: Sink,
    ) -> Result<(FinishReason, Timing), EngineError> {
        let room = self.context.params().cells as usize;
        if request.prompt.is_empty() {
            return Err(EngineError::Empty);
        }
        if request.prompt.len() >= room {
            return Err(EngineError::TooLong { needed: request.prompt.len() + 1, context: room });
        }
        intervene::check(&self.model, &request.in_force)?;
        let mut chain = MaskedChain::new(&self.model, &request.sampling)?;
        let mut run = GenerateRun { request, sink, timing: Timing::default() };
        let outcome = self.prefill(&mut run).and_then(|last| match last {
            Some(last) => self.decode(&mut run, &mut chain, last),
            None => Ok(FinishReason::Cancelled),
        });
        if outcome.is_err() {
            self.forget();
        }
        run.timing.threads = self.context.params().threads;
        outcome.map(|reason| (reason, run.timing))
    }

    fn forget(&mut self) {
        self.context.clear();
        self.cached.clear();
        self.steps.clear();
    }

    /// Keeps what the cache has of the prompt; returns from where it must be evaluated.
    fn reuse(&mut self, request: &Generate) -> usize {
        if self.context.params().attention == Attention::Exact || self.depth != Some(request.depth) {
            self.forget();
        }
        self.depth = Some(request.depth);
        let same_cell = |position: usize| {
            let cell = self.cached.get(position);
            self.steps[position].id == request.prompt[position]
                && cell.is_none_or(|cell| *cell == request.in_force.at(position))
        };
        let both = self.steps.len().min(request.prompt.len());
        let same = (0..both).take_while(|&position| same_cell(position)).count();
        // The row before the first new token is needed for its figures, so one position is evaluated
        // again. One of the last prompt's is so with the batch it was in: alone, another kernel would
        // compute it, and a greedy reply asked for again could begin otherwise.
        let mut start = same.saturating_sub(1).min(self.cached.len());
        let (chunk, end) = self.last_chunk;
        if start < end {
            start = start.min(chunk);
        }
        if start < self.cached.len() && !self.context.rewind(SEQUENCE, start) {
            self.forget();
            return 0;
        }
        self.steps.truncate(same);
        self.cached.truncate(start);
        start
    }

    /// Evaluates the prompt. Returns the index of the last token in its batch, or `None` if cancelled.
    fn prefill(&mut self, run: &mut GenerateRun) -> Result<Option<usize>, EngineError> {
        let begun = Instant::now();
        let prompt = &run.request.prompt;
        let start = self.reuse(run.request);
        if self.steps.is_empty() {
            self.steps.push(Arc::new(Step { id: prompt[0], stats: None }));
        }
        self.report_prefill(run, 0);
        let largest = self.context.params().batch as usize;
        let mut last = 0;
        let mut first = start;
        while first < prompt.len() {
            if run.request.cancel.is_cancelled() {
                return Ok(None);
            }
            let end = prompt.len().min(chunk_end(first, largest));
            if !self.evaluate(&prompt[first..end], run.request)? {
                return Ok(None);
            }
            self.last_chunk = (first, end);
            last = end - 1 - first;
            let known = self.steps.len();
            let following = known.max(first + 1)..prompt.len().min(end + 1);
            self.observe(first, &prompt[following.clone()], following.start, run)?;
            run.timing.prefill_tokens += end - first;
            first = end;
            self.report_prefill(run, known);
        }
        run.timing.prefill = begun.elapsed();
        Ok(Some(last))
    }

    /// Evaluates the next tokens; `false`: the flag stopped it.
    fn evaluate(&mut self, tokens: &[TokenId], request: &Generate) -> Result<bool, EngineError> {
        let first = self.cached.len();
        let positions = first..first + tokens.len();
        let mut script = Script::default();
        intervene::add(&mut script, &mut self.context, &request.in_force, positions.clone(), first)?;
        self.batch.clear();
        for (i, &token) in tokens.iter().enumerate() {
            self.batch.push(token, first + i, &[SEQUENCE], true);
        }
        let evaluated = self.governor.evaluate(&mut self.context, &self.batch, script, &request.cancel)?;
        if evaluated {
            self.cached.extend(positions.map(|position| request.in_force.at(position)));
        } else if !self.context.rewind(SEQUENCE, first) {
            // A state that can't be rewound may have been written half.
            self.forget();
        }
        Ok(evaluated)
    }

    fn report_prefill(&self, run: &GenerateRun, from: usize) {
        let steps = self.steps[from.min(self.steps.len())..].to_vec();
        let total = run.request.prompt.len();
        (run.sink)(Event::Prefill { steps, done: self.steps.len().min(total), total });
    }

    /// Adds the steps of tokens that were given, from `next` on, each from the row before it in a batch
    /// that began with position `first`.
    fn observe(
        &mut self,
        first: usize,
        ids: &[TokenId],
        next: usize,
        run: &mut GenerateRun,
    ) -> Result<(), EngineError> {
        let begun = Instant::now();
        let rows =
            ids.iter().enumerate().map(|(i, &id)| Some((self.context.logits(next + i - 1 - first)?, id)));
        let rows: Vec<(&[f32], TokenId)> = rows.collect::<Option<_>>().ok_or(EngineError::Decode(-1))?;
        let depth = run.request.depth;
        let threads = self.context.params().threads as usize;
        let steps = in_parts(&rows, threads, |&(row, id)| {
            let raw = Distribution::measure(row, depth, None)?;
            Ok(Step { id, stats: Some(stats(row, &raw, id, None)) })
        })?;
        self.steps.extend(steps.into_iter().map(Arc::new));
        run.timing.statistics += begun.elapsed();
        Ok(())
    }

    /// Generates until something ends the reply.
    fn decode(
        &mut self,
        run: &mut GenerateRun,
        chain: &mut MaskedChain,
        mut row: usize,
    ) -> Result<FinishReason, EngineError> {
        chain.accept_prompt(&run.request.prompt);
        run.timing.statistics = Duration::ZERO;
        let begun = Instant::now();
        let room = self.context.params().cells as usize;
        let reason = loop {
            if run.request.max_tokens.is_some_and(|most| run.timing.decode_tokens >= most) {
                break FinishReason::Length;
            }
            if run.request.cancel.is_cancelled() {
                break FinishReason::Cancelled;
            }
            if self.steps.len() >= room {
                break FinishReason::Context;
            }
            if let Some(last) = self.steps.get(self.cached.len()) {
                if !self.evaluate(&[last.id], run.request)? {
                    break FinishReason::Cancelled;
                }
                row = 0;
            }
            let id = self.choose(run, chain, row, begun)?;
            if self.model.vocab().ends_generation(id) {
                break FinishReason::Stop;
            }
        };
        run.timing.decode = begun.elapsed();
        Ok(reason)
    }

    fn choose(
        &mut self,
        run: &mut GenerateRun,
        chain: &mut MaskedChain,
        row: usize,
        begun: Instant,
    ) -> Result<TokenId, EngineError> {
        let row = self.context.logits(row).ok_or(EngineError::Decode(-1))?;
        let measuring = Instant::now();
        // The best token is needed even by someone who wants to see none.
        let raw = Distribution::measure(row, run.request.depth.at_least(1), None)?;
        run.timing.statistics += measuring.elapsed();
        let choice = chain.choose(row, &raw.top, &mut self.scratch)?;
        let id = choice.id;
        chain.accept(id)?;
        let step = Arc::new(Step { id, stats: Some(stats(row, &raw, id, Some(&choice))) });
        self.steps.push(Arc::clone(&step));
        run.timing.decode_tokens += 1;
        (run.sink)(Event::Step { step, elapsed: begun.elapsed() });
        Ok(id)
    }
}

/// Where the chunk that begins at `first` ends: at the same positions, however much of a prompt is known already.
fn chunk_end(first: usize, largest: usize) -> usize {
    let size = if first < LARGE_FROM { largest.min(SMALL_CHUNK) } else { largest };
    (first / size + 1) * size
}
