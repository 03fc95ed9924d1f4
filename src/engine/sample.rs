//! Many continuations of one prompt at once: the prompt is computed once, and every continuation is a
//! sequence of its own in the same batch.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::Sink;
use super::figures::stats;
use super::intervene;
use super::llama::eval::Script;
use super::llama::{Batch, Context, MaskedChain, Model, Scratch, SeqId};
use super::plan::Need;
use super::pool::Pool;
use super::protocol::{EngineError, Event, FinishReason, Layout, Sample, Timing};
use super::threads::Governor;
use crate::distribution::{Depth, Distribution};
use crate::intervention::InForce;
use crate::step::Step;

/// Most continuations at once: every one pays for the cells of all.
const MOST_LANES: usize = 32;
/// Cells of the cache up to which more continuations run at once.
const CELLS: usize = 8192;
/// Tokens of the prompt in one batch.
const CHUNK: usize = 256;
/// The prompt's sequence.
const TRUNK: SeqId = SeqId(0);

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
    let timing = Timing::default();
    let governor = pool.governor().clone();
    let context = pool.context(need, Layout::Together)?;
    let mut run = SampleRun {
        request,
        sink,
        chooser: Chooser {
            depth: request.depth,
            scratch: Scratch::new(&model),
            chosen: 0,
            statistics: Duration::ZERO,
        },
        model,
        context,
        governor,
        in_force,
        shares,
        room,
        batch: Batch::default(),
        first_row: Vec::new(),
        finished: BTreeMap::new(),
        out: 0,
        timing,
    };
    let reason = run.all(lanes)?;
    run.timing.threads = run.context.params().threads;
    let timing =
        Timing { decode_tokens: run.chooser.chosen, statistics: run.chooser.statistics, ..run.timing };
    Ok((reason, timing))
}

/// A continuation on its way.
struct SampleLane {
    sequence: SeqId,
    index: usize,
    chain: MaskedChain,
    steps: Vec<Step>,
}

/// Chooses tokens and keeps count of it.
struct Chooser {
    depth: Depth,
    scratch: Scratch,
    chosen: usize,
    statistics: Duration,
}

impl Chooser {
    fn choose(&mut self, row: &[f32], lane: &mut SampleLane) -> Result<(), EngineError> {
        let begun = Instant::now();
        // The best token is needed even by someone who wants to see none.
        let raw = Distribution::measure(row, self.depth.at_least(1), None)?;
        self.statistics += begun.elapsed();
        let choice = lane.chain.choose(row, &raw.top, &mut self.scratch)?;
        lane.chain.accept(choice.id)?;
        lane.steps.push(Step { id: choice.id, stats: Some(stats(row, &raw, choice.id, Some(&choice))) });
        self.chosen += 1;
        Ok(())
    }
}

/// A request on its way.
struct SampleRun<'a> {
    request: &'a Sample,
    sink: Sink<'a>,
    model: Arc<Model>,
    context: &'a mut Context,
    governor: Governor,
    in_force: InForce,
    /// Whether a continuation can take the prompt over from the trunk.
    shares: bool,
    room: usize,
    batch: Batch,
    chooser: Chooser,
    /// The logits after the prompt, with which every continuation begins.
    first_row: Vec<f32>,
    /// Continuations that wait for an earlier one.
    finished: BTreeMap<usize, (Vec<Step>, FinishReason)>,
    /// Continuations handed out.
    out: usize,
    timing: Timing,
}

impl SampleRun<'_> {
    fn all(&mut self, lanes: usize) -> Result<FinishReason, EngineError> {
        let mut free: Vec<SeqId> = match self.shares {
            true => (1..=lanes as u32).rev().map(SeqId).collect(),
            false => vec![TRUNK],
        };
        let mut waiting = 0..self.request.samplings.len();
        let mut live: Vec<SampleLane> = Vec::new();
        self.prefill()?;
        loop {
            if self.request.cancel.is_cancelled() {
                return Ok(FinishReason::Cancelled);
            }
            while !waiting.is_empty()
                && let Some(sequence) = free.pop()
            {
                live.push(self.begin(sequence, waiting.start)?);
                waiting.start += 1;
            }
            live = self.retire(live, &mut free);
            if !live.is_empty() {
                self.step(&mut live)?;
            } else if waiting.is_empty() {
                return Ok(FinishReason::Stop);
            }
        }
    }

    /// Evaluates the prompt on the trunk, as far as nobody cancels.
    fn prefill(&mut self) -> Result<(), EngineError> {
        let begun = Instant::now();
        let prompt = &self.request.prompt;
        let chunk = self.context.params().batch as usize;
        for first in (0..prompt.len()).step_by(chunk) {
            if self.request.cancel.is_cancelled() {
                return Ok(());
            }
            let end = prompt.len().min(first + chunk);
            self.batch.clear();
            for (position, &token) in prompt.iter().enumerate().take(end).skip(first) {
                self.batch.push(token, position, &[TRUNK], position + 1 == prompt.len());
            }
            if !self.evaluate(first)? {
                return Ok(());
            }
        }
        let row = self.context.logits(self.batch.len() - 1).ok_or(EngineError::Decode(-1))?;
        self.first_row.clear();
        self.first_row.extend_from_slice(row);
        self.timing.prefill_tokens += prompt.len();
        self.timing.prefill += begun.elapsed();
        Ok(())
    }

    /// Evaluates the batch; the prompt's sequence has `length` positions.
    fn evaluate(&mut self, length: usize) -> Result<bool, EngineError> {
        let mut script = Script::default();
        // The same is in force at every position.
        intervene::add(&mut script, self.context, &self.in_force, 0..self.batch.len(), length)?;
        self.governor.evaluate(self.context, &self.batch, script, &self.request.cancel)
    }

    /// Gives a continuation the prompt and chooses its first token.
    fn begin(&mut self, sequence: SeqId, index: usize) -> Result<SampleLane, EngineError> {
        if self.shares {
            self.context.share(TRUNK, sequence, self.request.prompt.len());
        } else if index > 0 {
            self.context.clear();
            self.prefill()?;
        }
        let mut chain = MaskedChain::new(&self.model, &self.request.samplings[index])?;
        chain.accept_prompt(&self.request.prompt);
        let mut lane = SampleLane { sequence, index, chain, steps: Vec::new() };
        if self.request.max_tokens != Some(0) {
            self.chooser.choose(&self.first_row, &mut lane)?;
        }
        Ok(lane)
    }

    /// Evaluates the last token of every continuation and chooses the next one of each.
    fn step(&mut self, live: &mut [SampleLane]) -> Result<(), EngineError> {
        let begun = Instant::now();
        let prompt = self.request.prompt.len();
        self.batch.clear();
        for lane in live.iter() {
            if let Some(last) = lane.steps.last() {
                self.batch.push(last.id, prompt + lane.steps.len() - 1, &[lane.sequence], true);
            }
        }
        if !self.evaluate(prompt)? {
            return Ok(());
        }
        for (i, lane) in live.iter_mut().enumerate() {
            let row = self.context.logits(i).ok_or(EngineError::Decode(-1))?;
            self.chooser.choose(row, lane)?;
        }
        self.timing.decode += begun.elapsed();
        Ok(())
    }

    /// Takes out the continuations that have ended and hands out those whose turn it is.
    fn retire(&mut self, live: Vec<SampleLane>, free: &mut Vec<SeqId>) -> Vec<SampleLane> {
        let (ended, live): (Vec<SampleLane>, Vec<SampleLane>) =
            live.into_iter().partition(|lane| self.ended(lane).is_some());
        for lane in ended {
            if self.shares {
                self.context.rewind(lane.sequence, 0);
            }
            free.push(lane.sequence);
            let reason = self.ended(&lane).unwrap_or(FinishReason::Length);
            self.finished.insert(lane.index, (lane.steps, reason));
        }
        while let Some((steps, reason)) = self.finished.remove(&self.out) {
            (self.sink)(Event::Sampled { index: self.out, steps, reason });
            self.out += 1;
        }
        live
    }

    fn ended(&self, lane: &SampleLane) -> Option<FinishReason> {
        let chosen = lane.steps.len();
        if lane.steps.last().is_some_and(|step| self.model.vocab().ends_generation(step.id)) {
            Some(FinishReason::Stop)
        } else if self.request.max_tokens.is_some_and(|most| chosen >= most) {
            Some(FinishReason::Length)
        } else if self.request.prompt.len() + chosen >= self.room {
            Some(FinishReason::Context)
        } else {
            None
        }
    }
}
