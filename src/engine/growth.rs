//! The cache of a growing tree: each path has a sequence of one unified KV cache and shares the cells of its
//! beginning with the others.
//!
//! A path that goes on where another one ends has that one's sequence; one that leaves it takes a sequence that
//! nobody used for long. What had to go is computed again when it is asked for, so that nothing but time depends
//! on what is there. Where sequences can't share a cache, and where figures must repeat, each path is computed
//! by itself in an empty one.

use std::sync::Arc;
use std::time::Instant;

use super::backend::Sink;
use super::cache::{AskedPath, CachedToken, PathCache};
use super::figures::{in_parts, prediction};
use super::frontier::Frontier;
use super::intervene;
use super::llama::eval::Script;
use super::llama::{Attention, Batch, Context, ContextParams, Model, SeqId};
use super::protocol::{EngineError, Event, FinishReason, Timing};
use super::threads::Governor;
use crate::distribution::Distribution;
use crate::intervention::InForce;
use crate::step::Prediction;
use crate::token::TokenId;

/// Tokens of a batch.
const BATCH: usize = 256;
/// The same without flash attention, where every pair of a token and a cell takes memory.
const BATCH_EXACT: usize = 64;
/// Cells beside those of the longest path.
const SPARE: usize = 1024;
/// Most and fewest paths that are kept; llama.cpp makes room for a row of logits of each.
const MOST_PATHS: usize = 128;
const FEWEST_PATHS: usize = 16;
/// Memory for those rows.
const LOGITS_BYTES: usize = 64 << 20;

/// What a batch has of one sequence.
struct GrownPart {
    /// Where it grows.
    sequence: SeqId,
    /// Its first position.
    first: usize,
    tokens: Vec<TokenId>,
    /// Where its last token stands in the batch, if that ends the sequence.
    row: Option<usize>,
}

/// The cache of growing trees of one model.
pub(super) struct Growth {
    model: Arc<Model>,
    /// Those of a conversation.
    params: ContextParams,
    governor: Governor,
    /// Made when first needed.
    cache: Option<PathCache>,
    batch: Batch,
}

impl Growth {
    /// Nothing yet.
    pub fn new(model: Arc<Model>, params: ContextParams, governor: Governor) -> Growth {
        Growth { model, params, governor, cache: None, batch: Batch::default() }
    }

    /// Gives the memory back.
    pub fn release(&mut self) {
        self.cache = None;
    }

    /// Answers one request.
    ///
    /// # Errors
    /// [`EngineError`]; a sequence that is too long is found before anything is computed.
    pub fn answer(&mut self, request: &Frontier, sink: Sink) -> Result<(FinishReason, Timing), EngineError> {
        intervene::check(&self.model, &request.in_force)?;
        intervene::without_edges(&request.in_force)?;
        let room = self.params.cells as usize;
        let longest = request.sequences.iter().map(Vec::len).max().unwrap_or(0);
        if request.sequences.iter().any(Vec::is_empty) {
            return Err(EngineError::Empty);
        }
        if longest > room {
            return Err(EngineError::TooLong { needed: longest, context: room });
        }
        let begun = Instant::now();
        let mut timing = Timing::default();
        let mut cache = self.cache(longest)?;
        let outcome = match self.shares() {
            true => self.together(request, &mut cache, &mut timing, sink),
            false => self.one_by_one(request, &mut cache, &mut timing, sink),
        };
        timing.prefill = begun.elapsed();
        timing.threads = cache.context().params().threads;
        // After an error nothing is kept.
        self.cache = outcome.is_ok().then_some(cache);
        Ok((outcome?, timing))
    }

    /// Whether paths can share a cache.
    fn shares(&self) -> bool {
        self.params.attention != Attention::Exact && self.model.has_plain_cache()
    }

    /// A cache in which the longest path fits, made anew where there is none.
    fn cache(&mut self, longest: usize) -> Result<PathCache, EngineError> {
        let (shares, exact) = (self.shares(), self.params.attention == Attention::Exact);
        let needed = longest + if shares { SPARE / 2 } else { 0 };
        let fits = |cache: &PathCache| cache.context().params().cells as usize >= needed;
        if let Some(cache) = self.cache.take().filter(fits) {
            return Ok(cache);
        }
        let row = 4 * self.model.vocab().len().max(1);
        let paths = if shares { (LOGITS_BYTES / row).clamp(FEWEST_PATHS, MOST_PATHS) } else { 1 };
        let cells = longest + if shares { SPARE } else { 0 };
        let params = ContextParams {
            cells: cells.next_multiple_of(512) as u32,
            batch: if exact { BATCH_EXACT } else { BATCH } as u32,
            outputs: paths as u32,
            sequences: paths as u32,
            threads: self.governor.most(),
            attention: Attention::of_many(exact, &self.model),
        };
        let context = Context::new(&self.model, params);
        let failed = EngineError::NoContext { cells: params.cells as usize };
        Ok(PathCache::new(context.ok_or(failed)?))
    }

    /// As many of the sequences as fit into a batch, again and again.
    fn together(
        &mut self,
        request: &Frontier,
        cache: &mut PathCache,
        timing: &mut Timing,
        sink: Sink,
    ) -> Result<FinishReason, EngineError> {
        let mut index = 0;
        while index < request.sequences.len() {
            if request.cancel.is_cancelled() {
                return Ok(FinishReason::Cancelled);
            }
            let parts = self.fill(cache, &request.sequences[index..], &request.in_force);
            if parts.is_empty() {
                return Err(EngineError::Died("a tree of continuations found no room to grow".to_string()));
            }
            if !self.evaluate(request, cache, &parts)? {
                return Ok(FinishReason::Cancelled);
            }
            timing.prefill_tokens += self.batch.len();
            let rows: Vec<usize> = parts.iter().filter_map(|part| part.row).collect();
            let before = Instant::now();
            for prediction in read(cache.context(), &rows, request)? {
                sink(Event::Scored { index, steps: Vec::new(), after: Some(Box::new(prediction)) });
                index += 1;
            }
            timing.statistics += before.elapsed();
            timing.rows += rows.len();
            if let ([part], Some(sequence)) = (&parts[..], request.sequences.get(index))
                && part.row.is_none()
            {
                sink(Event::Progress { done: part.first + part.tokens.len(), total: sequence.len() });
            }
        }
        Ok(FinishReason::Stop)
    }

    /// Each sequence from its beginning.
    fn one_by_one(
        &mut self,
        request: &Frontier,
        cache: &mut PathCache,
        timing: &mut Timing,
        sink: Sink,
    ) -> Result<FinishReason, EngineError> {
        let size = cache.context().params().batch as usize;
        for (index, tokens) in request.sequences.iter().enumerate() {
            cache.clear();
            let sequence = cache.take(SeqId(0), 0).unwrap_or_default();
            for first in (0..tokens.len()).step_by(size) {
                if request.cancel.is_cancelled() {
                    return Ok(FinishReason::Cancelled);
                }
                let end = tokens.len().min(first + size);
                self.batch.clear();
                let part = self.part(sequence, first, tokens, end);
                if !self.evaluate(request, cache, &[part])? {
                    return Ok(FinishReason::Cancelled);
                }
                timing.prefill_tokens += end - first;
            }
            for prediction in read(cache.context(), &[self.batch.len() - 1], request)? {
                sink(Event::Scored { index, steps: Vec::new(), after: Some(Box::new(prediction)) });
            }
            timing.rows += 1;
        }
        Ok(FinishReason::Stop)
    }

    /// Fills the batch with the first of the sequences that fit; one that is longer than a batch has one of
    /// its own, or a part of one.
    fn fill(
        &mut self,
        cache: &mut PathCache,
        sequences: &[Vec<TokenId>],
        in_force: &InForce,
    ) -> Vec<GrownPart> {
        self.batch.clear();
        cache.give_back();
        let params = cache.context().params();
        let (size, paths) = (params.batch as usize, params.sequences as usize);
        let mut parts: Vec<GrownPart> = Vec::new();
        // Half of the sequences, so that what these go on from is there until they have it.
        for tokens in sequences.iter().take(paths / 2) {
            // The last token is never taken over: its row is wanted.
            let path = AskedPath { ids: &tokens[..tokens.len() - 1], in_force };
            let Some((sequence, has)) = self.place(cache, path, size - self.batch.len()) else { break };
            let end = tokens.len().min(has + size - self.batch.len());
            let part = self.part(sequence, has, tokens, end);
            let is_whole = part.row.is_some();
            parts.push(part);
            if !is_whole {
                break;
            }
        }
        parts
    }

    /// Puts a part of a sequence into the batch.
    fn part(&mut self, sequence: SeqId, first: usize, tokens: &[TokenId], end: usize) -> GrownPart {
        for (at, &token) in tokens.iter().enumerate().take(end).skip(first) {
            self.batch.push(token, at, &[sequence], at + 1 == tokens.len());
        }
        let row = (end == tokens.len()).then(|| self.batch.len() - 1);
        GrownPart { sequence, first, tokens: tokens[first..end].to_vec(), row }
    }

    /// Takes a sequence that holds as much of a path as there is, and says how much; `None` where the batch must
    /// be evaluated first.
    fn place(&self, cache: &mut PathCache, path: AskedPath, left: usize) -> Option<(SeqId, usize)> {
        let (best, cells) = cache.ledger().find(path);
        let has = cells.len();
        // A batch in which something is, is not filled with a part of a path.
        let most = if self.batch.is_empty() { left } else { usize::MAX };
        let missing = (path.ids.len() + 1 - has).min(most);
        if missing > left {
            return None;
        }
        let own = cache.take(best, has)?;
        let needed = self.batch.len() + missing;
        cache.make_room(needed);
        if cache.ledger().free() < needed {
            cache.release(own);
            return None;
        }
        Some((own, has))
    }

    fn evaluate(
        &mut self,
        request: &Frontier,
        cache: &mut PathCache,
        parts: &[GrownPart],
    ) -> Result<bool, EngineError> {
        let in_force = &request.in_force;
        let mut script = Script::default();
        let length = cache.ledger().cells(SeqId(0)).len();
        intervene::add(&mut script, cache.context_mut(), in_force, self.batch.positions(), length)?;
        if !self.governor.evaluate(cache.context_mut(), &self.batch, script, &request.cancel)? {
            parts.iter().for_each(|part| cache.undo(part.sequence));
            return Ok(false);
        }
        for part in parts {
            for (at, &token) in (part.first..).zip(&part.tokens) {
                cache.push(part.sequence, CachedToken::new(token, in_force.at(at), part.first));
            }
        }
        Ok(true)
    }
}

/// The distributions after these tokens of the batch.
fn read(context: &Context, rows: &[usize], request: &Frontier) -> Result<Vec<Prediction>, EngineError> {
    let rows: Option<Vec<&[f32]>> = rows.iter().map(|&row| context.logits(row)).collect();
    let rows = rows.ok_or(EngineError::Decode(-1))?;
    in_parts(&rows, context.params().threads as usize, |row| {
        let raw = Distribution::measure(row, request.depth, None)?;
        Ok(prediction(row, &raw, None))
    })
}
