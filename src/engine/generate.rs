//! Continuing a sequence: prefill with the figures of the prompt's tokens, then one token at a time.
//!
//! [`row`] gives the whole row of logits at any step, on the same cache.
//! What the cache has of a path, on whichever branch it was computed, is neither computed nor measured again.

mod row;

use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::Sink;
use super::beside::{Beside, BesideTerms, WrittenToken};
use super::cache::{AskedPath, CachedToken, PathCache};
use super::figures::{in_parts, of_token, stats};
use super::intervene;
use super::llama::eval::Script;
use super::llama::{Attention, Batch, Context, MaskedChain, Model, Scratch, SeqId};
use super::protocol::{EngineError, Event, FinishReason, Generate, Siblings, Timing};
use super::replies::{ReplyEvent, ReplyId};
use super::threads::Governor;
use crate::distribution::Distribution;
use crate::sampling::Sampling;
use crate::sampling::chain::FIRST_LOOK;
use crate::step::{AnyToken, Step};
use crate::token::TokenId;

/// Rows of logits at the ends of prompts that are kept, for replies beside one another.
const KEPT_ROWS: usize = 4;

/// Tokens of a prompt in a chunk at its beginning, where few cells are looked at and more in a chunk would
/// only make progress coarser.
const SMALL_CHUNK: usize = 128;
/// From this position on chunks are as large as they may be: their tokens read the same cells together.
const LARGE_FROM: usize = 1024;

/// The conversation's branches in the KV cache.
pub(super) struct CachedConversation {
    model: Arc<Model>,
    cache: PathCache,
    governor: Governor,
    /// What came after the last tokens of prompts, the latest last.
    rows: Vec<KeptRow>,
    batch: Batch,
    scratch: Scratch,
}

/// A token, and the logits after it.
type KeptRow = (Weak<CachedToken>, Vec<f32>);

/// A request on its way.
struct GenerateRun<'a> {
    request: &'a Generate,
    sink: Sink<'a>,
    timing: Timing,
    /// The figures of the prompt's tokens, as far as they are known here.
    steps: Vec<Option<Arc<Step>>>,
    /// Prompt tokens whose figures whoever asked has.
    told: usize,
    /// The sequence that the prompt, and then the reply, is written to.
    sequence: SeqId,
    /// The figures of the tokens that were named, at the newest step.
    named: Vec<AnyToken>,
    /// Whether it is a look, after which the cache is to hold what it holds.
    is_look: bool,
    /// Whether a look has taken a sequence.
    is_written: bool,
}

/// Where a row of logits is.
#[derive(Clone, Copy)]
enum RowPlace {
    /// After this token of the last batch.
    Batch(usize),
    /// Among those that are kept.
    Kept(usize),
}

impl GenerateRun<'_> {
    /// Tells the figures that are known now and were not told.
    fn tell(&mut self) {
        let total = self.request.prompt.len();
        let next = self.steps[self.told.min(total)..].iter();
        let steps: Vec<Arc<Step>> = next.map_while(Clone::clone).collect();
        self.told += steps.len();
        (self.sink)(Event::Prefill { steps, done: self.told, total });
    }
}

impl CachedConversation {
    /// An empty cache in a context.
    pub fn new(model: Arc<Model>, context: Context, governor: Governor) -> CachedConversation {
        let scratch = Scratch::new(&model);
        CachedConversation {
            model,
            cache: PathCache::new(context),
            governor,
            rows: Vec::new(),
            batch: Batch::default(),
            scratch,
        }
    }

    /// The arithmetic of its attention.
    pub fn attention(&self) -> Attention {
        self.cache.context().params().attention
    }

    /// Answers one request; see [`Event`] for what the sink is told on the way.
    pub fn generate(
        &mut self,
        request: &Generate,
        sink: Sink,
    ) -> Result<(FinishReason, Timing), EngineError> {
        self.write(request, &[], sink)
    }

    /// Writes several replies side by side, the first of them as if it were alone.
    pub fn siblings(
        &mut self,
        Siblings { first, seeds }: &Siblings,
        sink: Sink,
    ) -> Result<(FinishReason, Timing), EngineError> {
        self.write(first, seeds, sink)
    }

    /// Frees what a path has after its first `keep` tokens, which nobody needs any more.
    pub fn forget(&mut self, path: &[TokenId], keep: usize) {
        self.cache.give_back();
        self.cache.forget(path, keep);
    }

    /// Writes a reply, and one for each seed beside it.
    fn write(
        &mut self,
        request: &Generate,
        seeds: &[u32],
        sink: Sink,
    ) -> Result<(FinishReason, Timing), EngineError> {
        let room = self.room();
        let length = request.prompt.len();
        if length == 0 {
            return Err(EngineError::Empty);
        }
        if length >= room {
            return Err(EngineError::TooLong { needed: length + 1, context: room });
        }
        intervene::check(&self.model, &request.in_force)?;
        let seeds = [&[request.sampling.seed], seeds].concat();
        let mut chains = self.chains(request, &seeds)?;
        let steps = vec![None; length];
        let told = request.known.min(length);
        let mut run = GenerateRun {
            request,
            sink,
            timing: Timing::default(),
            steps,
            told,
            sequence: SeqId(0),
            named: Vec::new(),
            is_look: false,
            is_written: false,
        };
        let outcome = self.prefill(&mut run).and_then(|row| match row {
            Some(row) => match &mut chains[..] {
                [chain] => self.decode(&mut run, chain, row),
                _ => self.decode_beside(&mut run, chains, row),
            },
            None => Ok(FinishReason::Cancelled),
        });
        if outcome.is_err() {
            self.cache.clear();
        }
        run.timing.threads = self.cache.context().params().threads;
        outcome.map(|reason| (reason, run.timing))
    }

    /// For each seed, how its reply's tokens are chosen.
    fn chains(&self, request: &Generate, seeds: &[u32]) -> Result<Vec<MaskedChain>, EngineError> {
        let Generate { prompt, begun, sampling, .. } = request;
        let before = &prompt[..prompt.len() - begun.len().min(prompt.len())];
        let chain = |&seed: &u32| {
            let mut chain = MaskedChain::new(&self.model, &Sampling { seed, ..sampling.clone() })?;
            chain.replay(before, begun)?;
            Ok(chain)
        };
        seeds.iter().map(chain).collect()
    }

    fn room(&self) -> usize {
        self.cache.context().params().cells as usize
    }

    fn is_exact(&self) -> bool {
        self.attention() == Attention::Exact
    }

    /// Takes over what the cache has of the prompt; returns from where it must be evaluated: not at all, if
    /// all that is wanted is known.
    fn reuse(&mut self, run: &mut GenerateRun) -> usize {
        let Generate { prompt, in_force, depth, .. } = run.request;
        self.cache.give_back();
        if self.is_exact() {
            self.cache.clear();
        }
        let (sequence, cells) = self.cache.ledger().find(AskedPath { ids: prompt, in_force });
        for (step, cell) in run.steps.iter_mut().zip(cells) {
            *step = cell.step(*depth);
        }
        run.steps[0] = Some(Arc::new(Step { id: prompt[0], stats: None }));
        // A token's figures are those of the row before it.
        let wanted = (run.told.max(1)..prompt.len()).find(|&at| run.steps[at].is_none());
        let mut start = cells.len().min(wanted.map_or(prompt.len(), |at| at - 1));
        if start == prompt.len() && self.kept_row(&cells[start - 1]).is_none() {
            start -= 1;
        }
        // A token that was computed is computed again with the batch it was in: alone, another kernel would
        // compute it, and a greedy reply asked for again could begin otherwise.
        if let Some(cell) = cells.get(start) {
            start = cell.batch;
        }
        let there = cells.len();
        let taken = match run.is_look {
            true => self.cache.borrow(sequence, start),
            false => self.cache.take(sequence, start),
        };
        run.sequence = taken.unwrap_or_default();
        let held = self.cache.ledger().cells(run.sequence).len();
        if held < start {
            // The model's cache can't be rewound.
            run.timing.read_again = there;
        }
        held
    }

    fn kept_row(&self, cell: &Rc<CachedToken>) -> Option<usize> {
        self.rows.iter().position(|(after, _)| std::ptr::eq(after.as_ptr(), Rc::as_ptr(cell)))
    }

    /// Evaluates the prompt; says where the row after its last token is, or `None` if cancelled.
    fn prefill(&mut self, run: &mut GenerateRun) -> Result<Option<RowPlace>, EngineError> {
        let begun = Instant::now();
        let prompt = &run.request.prompt;
        let mut first = self.reuse(run);
        run.tell();
        let mut place = None;
        while first < prompt.len() {
            if run.request.cancel.is_cancelled() {
                return Ok(None);
            }
            let end = self.end_of_batch(first, run.request);
            if !self.evaluate(&prompt[first..end], run)? {
                return Ok(None);
            }
            place = Some(RowPlace::Batch(end - 1 - first));
            self.observe(first, end, run)?;
            run.timing.prefill_tokens += end - first;
            first = end;
            run.tell();
        }
        run.timing.prefill = begun.elapsed();
        let last = self.cache.ledger().cells(run.sequence).last().map(Rc::clone);
        Ok(match (place, last) {
            (Some(RowPlace::Batch(row)), Some(last)) if run.request.begun.is_empty() && !run.is_look => {
                self.keep_row(&last, row);
                place
            }
            (None, Some(last)) => self.kept_row(&last).map(RowPlace::Kept),
            (place, _) => place,
        })
    }

    /// Where a batch of the prompt ends that begins here: at the same positions however much of it is known
    /// already. Where arithmetic must be repeatable, a reply that has begun is read as it is written, token by
    /// token.
    fn end_of_batch(&self, first: usize, request: &Generate) -> usize {
        let length = request.prompt.len();
        let end = length.min(chunk_end(first, self.cache.context().params().batch as usize));
        let reply = length.saturating_sub(request.begun.len());
        match self.is_exact() {
            true if first >= reply => first + 1,
            true => end.min(reply),
            false => end,
        }
    }

    /// Keeps a row of the last batch, which comes after a token.
    fn keep_row(&mut self, after: &Rc<CachedToken>, row: usize) {
        self.rows
            .retain(|(cell, _)| cell.strong_count() > 0 && !std::ptr::eq(cell.as_ptr(), Rc::as_ptr(after)));
        let mut kept = match self.rows.len() >= KEPT_ROWS {
            true => self.rows.remove(0).1,
            false => Vec::new(),
        };
        if let Some(row) = self.cache.context().logits(row) {
            kept.clear();
            kept.extend_from_slice(row);
            self.rows.push((Rc::downgrade(after), kept));
        }
    }

    /// Evaluates the next tokens; `false`: the flag stopped it.
    fn evaluate(&mut self, tokens: &[TokenId], run: &GenerateRun) -> Result<bool, EngineError> {
        let Generate { in_force, depth, cancel, .. } = run.request;
        self.cache.make_room(tokens.len());
        let sequence = run.sequence;
        let first = self.cache.ledger().cells(sequence).len();
        let positions = first..first + tokens.len();
        let mut script = Script::default();
        let probed = self.cache.ledger().cells(SeqId(0)).len();
        intervene::add(&mut script, self.cache.context_mut(), in_force, positions.clone(), probed)?;
        self.batch.clear();
        for (&token, position) in tokens.iter().zip(positions.clone()) {
            self.batch.push(token, position, &[sequence], true);
        }
        let evaluated = self.governor.evaluate(self.cache.context_mut(), &self.batch, script, cancel)?;
        if !evaluated {
            self.cache.undo(sequence);
            return Ok(false);
        }
        for (&token, position) in tokens.iter().zip(positions) {
            let cell = CachedToken::new(token, in_force.at(position), first);
            if let Some(Some(step)) = run.steps.get(position) {
                cell.measured(*depth, step);
            }
            self.cache.push(sequence, cell);
        }
        Ok(true)
    }

    /// Measures the prompt's tokens after those of the batch that began with `first`, as far as nobody knows
    /// their figures.
    fn observe(&mut self, first: usize, end: usize, run: &mut GenerateRun) -> Result<(), EngineError> {
        let begun = Instant::now();
        let prompt = &run.request.prompt;
        let following = (first + 1).max(run.told)..prompt.len().min(end + 1);
        let unknown = following.filter(|&at| run.steps[at].is_none());
        let context = self.cache.context();
        let rows = unknown.map(|at| Some((at, context.logits(at - 1 - first)?)));
        let rows: Vec<(usize, &[f32])> = rows.collect::<Option<_>>().ok_or(EngineError::Decode(-1))?;
        let depth = run.request.depth;
        let steps = in_parts(&rows, context.params().threads as usize, |&(at, row)| {
            let raw = Distribution::measure(row, depth, None)?;
            let id = prompt[at];
            Ok((at, Arc::new(Step { id, stats: Some(stats(row, &raw, id, None)) })))
        })?;
        for (at, step) in steps {
            if let Some(cell) = self.cache.ledger().cells(run.sequence).get(at) {
                cell.measured(depth, &step);
            }
            run.steps[at] = Some(step);
        }
        run.timing.statistics += begun.elapsed();
        Ok(())
    }

    /// Generates until something ends the reply.
    fn decode(
        &mut self,
        run: &mut GenerateRun,
        chain: &mut MaskedChain,
        mut row: RowPlace,
    ) -> Result<FinishReason, EngineError> {
        run.timing.statistics = Duration::ZERO;
        let begun = Instant::now();
        let room = self.room();
        let reason = loop {
            if run.request.max_tokens.is_some_and(|most| run.timing.decode_tokens >= most) {
                break FinishReason::Length;
            }
            if run.request.cancel.is_cancelled() {
                break FinishReason::Cancelled;
            }
            if run.steps.len() >= room {
                break FinishReason::Context;
            }
            if let Some(Some(last)) = run.steps.get(self.cache.ledger().cells(run.sequence).len()) {
                if !self.evaluate(&[last.id], run)? {
                    break FinishReason::Cancelled;
                }
                row = RowPlace::Batch(0);
            }
            let step = self.choose(run, chain, row)?;
            let id = step.id;
            run.steps.push(Some(Arc::clone(&step)));
            run.timing.decode_tokens += 1;
            let named = std::mem::take(&mut run.named);
            (run.sink)(Event::Step { step, elapsed: begun.elapsed(), named });
            if self.model.vocab().ends_generation(id) {
                break FinishReason::Stop;
            }
        };
        run.timing.decode = begun.elapsed();
        // Whoever asks what else might have come of the newest step waits for nothing.
        let last = self.cache.ledger().cells(run.sequence).last().map(Rc::clone);
        if let (RowPlace::Batch(row), Some(last)) = (row, last) {
            self.keep_row(&last, row);
        }
        Ok(reason)
    }

    /// Generates several replies until something has ended each of them.
    fn decode_beside(
        &mut self,
        run: &mut GenerateRun,
        chains: Vec<MaskedChain>,
        row: RowPlace,
    ) -> Result<FinishReason, EngineError> {
        let begun = Instant::now();
        let Generate { prompt, in_force, depth, named, max_tokens, cancel, .. } = run.request;
        if *max_tokens == Some(0) {
            return Ok(FinishReason::Length);
        }
        let row = row_at(&self.cache, &self.rows, row)?.to_vec();
        let mut sequences = vec![run.sequence];
        for _ in 1..chains.len() {
            let taken = self.cache.take(run.sequence, prompt.len());
            sequences.push(taken.ok_or(EngineError::Unsupported("write so many replies side by side"))?);
        }
        let terms = BesideTerms {
            model: &self.model,
            governor: &self.governor,
            in_force,
            depth: *depth,
            named,
            max_tokens: *max_tokens,
            prompt: prompt.len(),
            room: self.cache.context().params().cells as usize,
            cancel,
        };
        let mut beside = Beside::new(&mut self.cache, terms);
        let (mut reason, mut decoded) = (FinishReason::Cancelled, 0);
        let mut tell = |WrittenToken { number, step, named, ended, .. }: WrittenToken| match number {
            0 => {
                decoded += step.iter().len();
                let elapsed = begun.elapsed();
                step.into_iter()
                    .for_each(|step| (run.sink)(Event::Step { step, elapsed, named: named.clone() }));
                reason = ended.unwrap_or(reason);
            }
            _ => {
                let tell = |event| (run.sink)(Event::Reply(ReplyId(number as u64), event));
                step.into_iter().for_each(|step| tell(ReplyEvent::Step(step, named.clone())));
                ended.into_iter().for_each(|reason| tell(ReplyEvent::Ended(reason)));
            }
        };
        for (number, (sequence, chain)) in sequences.into_iter().zip(chains).enumerate() {
            tell(beside.begin(number, sequence, chain, &row)?);
        }
        while beside.len() > 0 && !cancel.is_cancelled() {
            let Some(written) = beside.step()? else { break };
            written.into_iter().for_each(&mut tell);
        }
        run.timing.statistics = beside.statistics;
        (run.timing.decode_tokens, run.timing.decode) = (decoded, begun.elapsed());
        Ok(reason)
    }

    fn choose(
        &mut self,
        run: &mut GenerateRun,
        chain: &mut MaskedChain,
        row: RowPlace,
    ) -> Result<Arc<Step>, EngineError> {
        let row = row_at(&self.cache, &self.rows, row)?;
        let measuring = Instant::now();
        // The best token is needed even by someone who wants to see none.
        let raw = Distribution::measure_to_choose(row, run.request.depth.at_least(1), FIRST_LOOK)?;
        run.named = run.request.named.iter().map(|&id| of_token(row, &raw, id)).collect();
        run.timing.statistics += measuring.elapsed();
        let choice = chain.choose(row, (&raw).into(), &mut self.scratch)?;
        let id = choice.id;
        chain.accept(id)?;
        Ok(Arc::new(Step { id, stats: Some(stats(row, &raw, id, Some(&choice))) }))
    }
}

fn row_at<'a>(cache: &'a PathCache, kept: &'a [KeptRow], place: RowPlace) -> Result<&'a [f32], EngineError> {
    let row = match place {
        RowPlace::Batch(index) => cache.context().logits(index),
        RowPlace::Kept(index) => kept.get(index).map(|(_, row)| row.as_slice()),
    };
    row.ok_or(EngineError::Decode(-1))
}

/// Where the chunk that begins at `first` ends: at the same positions, however much of a prompt is known already.
fn chunk_end(first: usize, largest: usize) -> usize {
    let size = if first < LARGE_FROM { largest.min(SMALL_CHUNK) } else { largest };
    (first / size + 1) * size
}
