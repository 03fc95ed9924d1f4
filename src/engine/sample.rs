//! Many continuations of one prompt at once: the prompt is computed once, and every continuation is a
//! sequence of its own in the same batch.

use std::sync::Arc;
use std::time::Instant;

use super::backend::Sink;
use super::beside::{Beside, BesideTerms, WrittenToken};
use super::cache::PathCache;
use super::intervene;
use super::llama::{Context, MaskedChain, Model, SeqId};
use super::plan::Need;
use super::pool::Pool;
use super::protocol::{EngineError, Event, FinishReason, Layout, Sample, Timing};
use crate::intervention::InForce;
use crate::step::Step;

/// Most continuations at once: every one pays for the cells of all.
const MOST_LANES: usize = 32;
/// Cells of the cache up to which more continuations run at once.
const CELLS: usize = 8192;
/// Tokens of the prompt in one batch.
const CHUNK: usize = 256;
/// Answers one request.
///
/// # Errors
/// [`EngineError`].
pub(super) fn sample(
    pool: &mut Pool,
    request: &Sample,
    sink: Sink,
) -> Result<(FinishReason, Timing), EngineError> {
    let in_force = InForce::from(request.interventions.clone());
    intervene::check(pool.model(), &in_force)?;
    intervene::without_edges(&in_force)?;
    let room = pool.room();
    let length = request.prompt.len();
    if length == 0 {
        return Err(EngineError::Empty);
    }
    if length >= room {
        return Err(EngineError::TooLong { needed: length + 1, context: room });
    }
    let most = request.max_tokens.unwrap_or(room).min(room - length).max(1);
    let together = (CELLS.saturating_sub(length) / most).clamp(1, MOST_LANES.min(pool.sequences() - 1));
    let lanes = if pool.shares() { together.min(request.samplings.len()) } else { 1 };
    let need = Need {
        cells: length + lanes * most,
        batch: length.min(CHUNK).max(lanes),
        rows: lanes,
        sequences: lanes + 1,
    };
    let model = Arc::clone(pool.model());
    let shares = pool.shares();
    let governor = pool.governor().clone();
    let mut cache = PathCache::new(pool.context(need, Layout::Together)?);
    let terms = BesideTerms {
        model: &model,
        governor: &governor,
        in_force: &in_force,
        depth: request.depth,
        named: &[],
        max_tokens: request.max_tokens,
        prompt: length,
        room,
        cancel: &request.cancel,
    };
    let mut run = SampleRun {
        request,
        sink,
        model: &model,
        beside: Beside::new(&mut cache, terms),
        trunk: SeqId(0),
        first_row: Vec::new(),
        steps: vec![Vec::new(); request.samplings.len()],
        ended: vec![None; request.samplings.len()],
        out: 0,
        timing: Timing::default(),
    };
    let reason = run.all(if shares { lanes } else { 1 }, shares)?;
    let timing = Timing { statistics: run.beside.statistics, ..run.timing };
    let timing = Timing { threads: cache.context().params().threads, ..timing };
    Ok((reason, timing))
}

/// A request on its way.
struct SampleRun<'a, 'b> {
    request: &'a Sample,
    sink: Sink<'a>,
    model: &'a Arc<Model>,
    beside: Beside<'a, &'b mut Context>,
    /// The sequence that holds the prompt.
    trunk: SeqId,
    /// The logits after the prompt, with which every continuation begins.
    first_row: Vec<f32>,
    /// What each continuation has so far, and why it ended.
    steps: Vec<Vec<Step>>,
    ended: Vec<Option<FinishReason>>,
    /// Continuations handed out.
    out: usize,
    timing: Timing,
}

impl SampleRun<'_, '_> {
    fn all(&mut self, lanes: usize, shares: bool) -> Result<FinishReason, EngineError> {
        let mut waiting = 0..self.request.samplings.len();
        self.prefill()?;
        loop {
            if self.request.cancel.is_cancelled() {
                return Ok(FinishReason::Cancelled);
            }
            while self.beside.len() < lanes
                && let Some(index) = waiting.next()
            {
                self.begin(index, shares)?;
            }
            if self.beside.len() > 0 {
                let begun = Instant::now();
                let written = self.beside.step()?.unwrap_or_default();
                self.timing.decode += begun.elapsed();
                written.into_iter().for_each(|one| self.take(one));
            } else if waiting.is_empty() {
                return Ok(FinishReason::Stop);
            }
        }
    }

    /// Evaluates the prompt on the trunk, as far as nobody cancels.
    fn prefill(&mut self) -> Result<(), EngineError> {
        let begun = Instant::now();
        let prompt = &self.request.prompt;
        self.trunk = self.beside.cache.take(SeqId(0), 0).unwrap_or_default();
        let chunk = self.beside.cache.context().params().batch as usize;
        for tokens in prompt.chunks(chunk) {
            if self.request.cancel.is_cancelled() || !self.beside.read(self.trunk, tokens, prompt.len())? {
                return Ok(());
            }
        }
        let last = (prompt.len() - 1) % chunk;
        let row = self.beside.cache.context().logits(last).ok_or(EngineError::Decode(-1))?;
        self.first_row.clear();
        self.first_row.extend_from_slice(row);
        self.timing.prefill_tokens += prompt.len();
        self.timing.prefill += begun.elapsed();
        Ok(())
    }

    /// Gives a continuation the prompt and chooses its first token. Where sequences can't share one, the prompt is
    /// read again.
    fn begin(&mut self, index: usize, shares: bool) -> Result<(), EngineError> {
        if !shares && index > 0 {
            self.beside.cache.clear();
            self.prefill()?;
        }
        let length = self.request.prompt.len();
        let own = if shares { self.beside.cache.take(self.trunk, length) } else { Some(self.trunk) };
        let own = own.ok_or_else(|| EngineError::Died("no sequence is free".to_string()))?;
        let mut chain = MaskedChain::new(self.model, &self.request.samplings[index])?;
        chain.accept_prompt(&self.request.prompt);
        let first = match self.request.max_tokens {
            Some(0) => WrittenToken {
                number: index,
                sequence: own,
                step: None,
                named: Vec::new(),
                ended: Some(FinishReason::Length),
            },
            _ => self.beside.begin(index, own, chain, &self.first_row)?,
        };
        self.take(first);
        Ok(())
    }

    /// Takes what was written, and hands out the continuations whose turn it is.
    fn take(&mut self, WrittenToken { number, sequence, step, ended, .. }: WrittenToken) {
        self.timing.decode_tokens += step.iter().len();
        self.steps[number].extend(step.map(|step| Step::clone(&step)));
        self.ended[number] = ended;
        if ended.is_some() {
            self.beside.cache.free(sequence);
        }
        while let Some(Some(reason)) = self.ended.get(self.out).copied() {
            let steps = std::mem::take(&mut self.steps[self.out]);
            (self.sink)(Event::Sampled { index: self.out, steps, reason });
            self.out += 1;
        }
    }
}
