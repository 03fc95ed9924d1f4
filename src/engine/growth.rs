//! The cache of a growing tree: each path has a sequence of one unified KV cache and shares the cells of its
//! beginning with the others.
//!
//! A path that goes on where another one ends has that one's sequence; one that leaves it takes a sequence that
//! nobody used for long. What had to go is computed again when it is asked for, so that nothing but time depends
//! on what is there. Where sequences can't share a cache, and where figures must repeat, each path is computed
//! by itself in an empty one.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use super::backend::Sink;
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

/// A path and the cells it has.
#[derive(Debug, Default)]
struct GrownPath {
    cells: Vec<Rc<TokenId>>,
    /// When it was last gone on with; larger is later.
    used: u64,
    /// Whether it grows in the batch that is being filled.
    grows: bool,
}

/// What a batch has of one path.
struct GrownPart {
    path: usize,
    tokens: Vec<TokenId>,
    /// Where its last token stands in the batch, if that ends the sequence.
    row: Option<usize>,
}

/// Where a sequence is to grow: which path, and how many of its cells are there.
struct Place {
    path: usize,
    has: usize,
}

/// The cache of growing trees of one model.
pub(super) struct Growth {
    model: Arc<Model>,
    /// Those of a conversation.
    params: ContextParams,
    governor: Governor,
    /// Made when first needed.
    context: Option<Context>,
    paths: Vec<GrownPath>,
    /// What everything in it was computed under.
    under: InForce,
    /// Cells in use.
    used: usize,
    clock: u64,
    batch: Batch,
}

impl Growth {
    /// Nothing yet.
    pub fn new(model: Arc<Model>, params: ContextParams, governor: Governor) -> Growth {
        Growth {
            model,
            params,
            governor,
            context: None,
            paths: Vec::new(),
            under: InForce::default(),
            used: 0,
            clock: 0,
            batch: Batch::default(),
        }
    }

    /// Gives the memory back.
    pub fn release(&mut self) {
        self.context = None;
        self.paths.clear();
        self.used = 0;
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
        let outcome = self.make_room(longest, &request.in_force).and_then(|()| {
            if self.shares() {
                self.together(request, &mut timing, sink)
            } else {
                self.one_by_one(request, &mut timing, sink)
            }
        });
        if outcome.is_err() {
            self.release();
        }
        timing.prefill = begun.elapsed();
        timing.threads = self.context.as_ref().map_or(0, |context| context.params().threads);
        Ok((outcome?, timing))
    }

    /// Whether paths can share a cache.
    fn shares(&self) -> bool {
        self.params.attention != Attention::Exact && self.model.has_plain_cache()
    }

    /// A context in which the longest path fits, made anew where there is none.
    fn make_room(&mut self, longest: usize, in_force: &InForce) -> Result<(), EngineError> {
        let (shares, exact) = (self.shares(), self.params.attention == Attention::Exact);
        let needed = longest + if shares { SPARE / 2 } else { 0 };
        let fits = |context: &Context| context.params().cells as usize >= needed;
        if self.context.as_ref().is_some_and(fits) {
            if self.under != *in_force {
                self.forget();
                self.under = in_force.clone();
            }
            return Ok(());
        }
        self.release();
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
        self.context = Some(context.ok_or(EngineError::NoContext { cells: params.cells as usize })?);
        self.paths = (0..paths).map(|_| GrownPath::default()).collect();
        self.under = in_force.clone();
        Ok(())
    }

    fn forget(&mut self) {
        if let Some(context) = &mut self.context {
            context.clear();
        }
        self.paths.iter_mut().for_each(|path| path.cells.clear());
        self.used = 0;
    }

    /// As many of the sequences as fit into a batch, again and again.
    fn together(
        &mut self,
        request: &Frontier,
        timing: &mut Timing,
        sink: Sink,
    ) -> Result<FinishReason, EngineError> {
        let mut index = 0;
        while index < request.sequences.len() {
            if request.cancel.is_cancelled() {
                return Ok(FinishReason::Cancelled);
            }
            let parts = self.fill(&request.sequences[index..]);
            if parts.is_empty() {
                return Err(EngineError::Died("a tree of continuations found no room to grow".to_string()));
            }
            if !self.evaluate(request)? {
                self.undo(&parts);
                return Ok(FinishReason::Cancelled);
            }
            timing.prefill_tokens += self.batch.len();
            for part in &parts {
                let path = &mut self.paths[part.path];
                path.cells.extend(part.tokens.iter().copied().map(Rc::new));
                (path.used, path.grows) = (self.clock, false);
                self.used += part.tokens.len();
            }
            let rows: Vec<usize> = parts.iter().filter_map(|part| part.row).collect();
            let before = Instant::now();
            for prediction in self.read(&rows, request)? {
                sink(Event::Scored { index, steps: Vec::new(), after: Some(Box::new(prediction)) });
                index += 1;
            }
            timing.statistics += before.elapsed();
            timing.rows += rows.len();
            if let ([part], Some(sequence)) = (&parts[..], request.sequences.get(index))
                && part.row.is_none()
            {
                let done = self.paths[part.path].cells.len();
                sink(Event::Progress { done, total: sequence.len() });
            }
        }
        Ok(FinishReason::Stop)
    }

    /// Each sequence from its beginning.
    fn one_by_one(
        &mut self,
        request: &Frontier,
        timing: &mut Timing,
        sink: Sink,
    ) -> Result<FinishReason, EngineError> {
        for (index, sequence) in request.sequences.iter().enumerate() {
            self.forget();
            let size = self.context.as_ref().map_or(1, |context| context.params().batch as usize);
            for first in (0..sequence.len()).step_by(size) {
                if request.cancel.is_cancelled() {
                    return Ok(FinishReason::Cancelled);
                }
                let end = sequence.len().min(first + size);
                self.batch.clear();
                for (at, &token) in sequence.iter().enumerate().take(end).skip(first) {
                    self.batch.push(token, at, &[SeqId(0)], at + 1 == sequence.len());
                }
                if !self.evaluate(request)? {
                    return Ok(FinishReason::Cancelled);
                }
                // What is in force may look at how many positions there are.
                self.paths[0].cells.extend(sequence[first..end].iter().copied().map(Rc::new));
                timing.prefill_tokens += end - first;
            }
            for prediction in self.read(&[self.batch.len() - 1], request)? {
                sink(Event::Scored { index, steps: Vec::new(), after: Some(Box::new(prediction)) });
            }
            timing.rows += 1;
        }
        Ok(FinishReason::Stop)
    }

    /// Fills the batch with the first of the sequences that fit; one that is longer than a batch has one of
    /// its own, or a part of one.
    fn fill(&mut self, sequences: &[Vec<TokenId>]) -> Vec<GrownPart> {
        self.clock += 1;
        self.batch.clear();
        let size = self.context.as_ref().map_or(0, |context| context.params().batch as usize);
        let mut parts: Vec<GrownPart> = Vec::new();
        // Half of the sequences, so that what these go on from is there until they have it.
        for sequence in sequences.iter().take(self.paths.len() / 2) {
            let Some(Place { path, has }) = self.place(sequence, size - self.batch.len()) else { break };
            self.paths[path].grows = true;
            let end = sequence.len().min(has + size - self.batch.len());
            let whole = end == sequence.len();
            for (at, &token) in sequence.iter().enumerate().take(end).skip(has) {
                self.batch.push(token, at, &[SeqId(path as u32)], at + 1 == sequence.len());
            }
            let row = whole.then(|| self.batch.len() - 1);
            parts.push(GrownPart { path, tokens: sequence[has..end].to_vec(), row });
            if !whole {
                break;
            }
        }
        parts
    }

    /// Finds a path on which a sequence grows and lets it have what others have of it; `None` where the batch
    /// must be evaluated first. The sequence's last token is never taken over: its row is wanted.
    fn place(&mut self, sequence: &[TokenId], left: usize) -> Option<Place> {
        let most = sequence.len() - 1;
        let common = |path: &GrownPath| {
            path.cells.iter().zip(&sequence[..most]).take_while(|(cell, id)| ***cell == **id).count()
        };
        let ends = |path: &GrownPath| !path.grows && path.cells.len() == common(path);
        let best = (0..self.paths.len()).max_by_key(|&i| (common(&self.paths[i]), ends(&self.paths[i])))?;
        let has = common(&self.paths[best]);
        // A batch in which something is, is not filled with a part of a path.
        let missing = (sequence.len() - has).min(if self.batch.is_empty() { left } else { usize::MAX });
        if missing > left {
            return None;
        }
        let own = if has > 0 && ends(&self.paths[best]) {
            best
        } else {
            let own = self.oldest(|i, path| !path.grows && (i != best || has == 0))?;
            self.cut(own);
            own
        };
        while self.used + self.batch.len() + missing > self.cells() {
            let full =
                |i: usize, path: &GrownPath| !path.grows && i != best && i != own && !path.cells.is_empty();
            let oldest = self.oldest(full)?;
            self.cut(oldest);
        }
        if own != best && has > 0 {
            let (from, to) = (SeqId(best as u32), SeqId(own as u32));
            if let Some(context) = &mut self.context {
                context.share(from, to, has);
            }
            self.paths[own].cells = self.paths[best].cells[..has].to_vec();
        }
        self.paths[best].used = self.clock;
        Some(Place { path: own, has })
    }

    fn cells(&self) -> usize {
        self.context.as_ref().map_or(0, |context| context.params().cells as usize)
    }

    /// Of the paths for which this holds, an empty one, or else the one that was used longest ago.
    fn oldest(&self, holds: impl Fn(usize, &GrownPath) -> bool) -> Option<usize> {
        let held = self.paths.iter().enumerate().filter(|(i, path)| holds(*i, path));
        held.min_by_key(|(_, path)| (!path.cells.is_empty(), path.used)).map(|(i, _)| i)
    }

    /// Takes everything out of a path.
    fn cut(&mut self, path: usize) {
        let cells = std::mem::take(&mut self.paths[path].cells);
        if cells.is_empty() {
            return;
        }
        // A cell that no other path has is free again.
        self.used -= cells.into_iter().filter(|cell| Rc::strong_count(cell) == 1).count();
        if let Some(context) = &mut self.context {
            context.rewind(SeqId(path as u32), 0);
        }
    }

    /// Takes back what an evaluation that was stopped may have left.
    fn undo(&mut self, parts: &[GrownPart]) {
        for part in parts {
            let path = &mut self.paths[part.path];
            path.grows = false;
            if let Some(context) = &mut self.context {
                context.rewind(SeqId(part.path as u32), path.cells.len());
            }
        }
    }

    fn evaluate(&mut self, request: &Frontier) -> Result<bool, EngineError> {
        let Some(context) = &mut self.context else { return Err(EngineError::Decode(-1)) };
        let mut script = Script::default();
        let length = self.paths.first().map_or(0, |path| path.cells.len());
        intervene::add(&mut script, context, &request.in_force, self.batch.positions(), length)?;
        self.governor.evaluate(context, &self.batch, script, &request.cancel)
    }

    /// The distributions after these tokens of the batch.
    fn read(&self, rows: &[usize], request: &Frontier) -> Result<Vec<Prediction>, EngineError> {
        let context = self.context.as_ref().ok_or(EngineError::Decode(-1))?;
        let rows: Option<Vec<&[f32]>> = rows.iter().map(|&row| context.logits(row)).collect();
        let rows = rows.ok_or(EngineError::Decode(-1))?;
        in_parts(&rows, context.params().threads as usize, |row| {
            let raw = Distribution::measure(row, request.depth, None)?;
            Ok(prediction(row, &raw, None))
        })
    }
}
