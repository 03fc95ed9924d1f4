//! Scoring sequences as they stand: what they share is computed once, many of them in one batch.
//!
//! [`Trie`] says what must be computed, [`plan`](super::plan) in which batches; this module carries
//! the plan out in the [`Pool`]'s context and hands the figures out in the order of the request.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backend::Sink;
use super::figures::{LogitsRow, Reader};
use super::intervene;
use super::llama::eval::Script;
use super::llama::{Batch, Context, SeqId, TILE, filled};
use super::plan::{Group, Limits, Need, cut};
use super::pool::Pool;
use super::protocol::{CancelFlag, EngineError, Event, FinishReason, GivesWay, Layout, ScoreBatch, Timing};
use super::threads::Governor;
use super::trie::{NodeId, Sharing, Trie, evaluated, first_scored};
use crate::intervention::InForce;
use crate::step::{Prediction, Step};

/// Nodes of a batch. More of them fill the processor no better.
const NODES: usize = 256;
/// Nodes of a batch of long sequences.
const NODES_LONG: usize = 256;
/// Pairs of a node and a cell before it in a batch of long sequences that others wait for: about as much work
/// again as the nodes themselves.
const PAIRS: usize = 256 << 10;
/// Nodes of a batch with one sequence alone. Without flash attention every pair of a node and a cell
/// takes memory.
const NODES_ALONE: usize = 64;
/// How far ahead of its turn a sequence may be computed.
const WINDOW: Sharing = Sharing::Windows { sequences: 1024, tokens: 1 << 16 };
/// The sequence that holds the path the next group goes on from.
const TRUNK: SeqId = SeqId(0);

/// Answers one request; `between` is called after each batch, with the time it took.
///
/// # Errors
/// [`EngineError`]; a sequence that is too long is found before anything is computed.
pub(super) fn score(
    pool: &mut Pool,
    request: &ScoreBatch,
    sink: Sink,
    between: &mut dyn FnMut(Duration),
) -> Result<(FinishReason, Timing), EngineError> {
    let begun = Instant::now();
    let in_force = request.in_force.clone();
    intervene::check(pool.model(), &in_force)?;
    intervene::without_edges(&in_force)?;
    let room = pool.room();
    // A last token that is only predicted takes no cell.
    let mut needed = request.sequences.iter().map(|sequence| evaluated(sequence, request.after));
    if let Some(needed) = needed.find(|&needed| needed > room) {
        return Err(EngineError::TooLong { needed, context: room });
    }
    let (sharing, nodes, sequences) = match request.layout {
        _ if !pool.shares() => (Sharing::Alone, NODES_ALONE, 1),
        Layout::Together | Layout::Growing => (WINDOW, NODES, pool.sequences() - 1),
        Layout::Long => (WINDOW, NODES_LONG, 1),
    };
    // One path at a time lies in the first cells without a gap, and then it makes no difference to a row in
    // which batch of the tiled kernel it is.
    let least = if pool.shares() && request.layout == Layout::Long { TILE } else { 0 };
    let pairs = if least > 0 && request.gives_way == GivesWay::ToAll { PAIRS } else { usize::MAX };
    let trie = Trie::new(&request.sequences, request.after, sharing);
    let limits = Limits { nodes, rows: pool.rows(request.layout), sequences, pairs };
    let (groups, need) = cut(&trie, &limits);
    let spare = pool.model().has_plain_cache().then_some(SeqId(need.sequences as u32));
    let need = with_filling(need, spare, least);
    let mut run = ScoreRun::new(request, sink, trie);
    let mut reason = FinishReason::Stop;
    if !groups.is_empty() {
        let vocab = Arc::clone(pool.model().vocab());
        let boundaries = request.boundaries.then(|| vocab.boundaries());
        let governor = pool.governor().clone();
        let context = pool.context(need, request.layout)?;
        let batch = Batch::default();
        let mut cache = Cache { context, governor, in_force, batch, spare, least, trunk: 0 };
        for group in groups {
            let begun = Instant::now();
            let group = Group::new(&run.trie, group);
            if request.cancel.is_cancelled() || !cache.evaluate(&run.trie, &group, &request.cancel)? {
                reason = FinishReason::Cancelled;
                break;
            }
            run.read(&group, cache.context, boundaries)?;
            between(begun.elapsed());
        }
        run.timing.threads = cache.context.params().threads;
    }
    run.hand_out(reason == FinishReason::Cancelled);
    run.timing.prefill = begun.elapsed();
    Ok((reason, run.timing))
}

/// What the largest batches take when they are filled up.
fn with_filling(need: Need, spare: Option<SeqId>, least: usize) -> Need {
    let rows = filled(need.rows);
    if spare.is_none() {
        return Need { rows, ..need };
    }
    Need {
        cells: need.cells + filled(least),
        batch: filled(need.batch.max(least)),
        rows,
        sequences: need.sequences + 1,
    }
}

/// The context, and what its trunk holds.
struct Cache<'a> {
    context: &'a mut Context,
    governor: Governor,
    in_force: InForce,
    batch: Batch,
    /// The sequence of what fills a batch up, which is forgotten with it.
    spare: Option<SeqId>,
    /// Fewest tokens of a batch.
    least: usize,
    /// Positions of the trunk.
    trunk: usize,
}

impl Cache<'_> {
    /// Evaluates a group; its rows can be read until the next one. `false`: the flag stopped it.
    fn evaluate(&mut self, trie: &Trie, group: &Group, stop: &CancelFlag) -> Result<bool, EngineError> {
        self.batch.clear();
        let mut ids = Vec::new();
        for entry in &group.entries {
            let node = trie.node(entry.node);
            ids.clear();
            ids.extend(entry.trunk.then_some(TRUNK));
            ids.extend(entry.lanes.clone().map(lane_id));
            self.batch.push(node.token, node.position, &ids, node.read);
        }
        self.batch.fill(self.spare, self.least);
        let mut script = Script::default();
        intervene::add(&mut script, self.context, &self.in_force, self.batch.positions(), self.trunk)?;
        if group.depth == 0 {
            self.context.clear();
        } else if self.trunk != group.depth && !self.context.rewind(TRUNK, group.depth) {
            return Err(EngineError::Decode(-1));
        }
        for lane in 0..group.lanes {
            self.context.share(TRUNK, lane_id(lane), group.depth);
        }
        if !self.governor.evaluate(self.context, &self.batch, script, stop)? {
            return Ok(false);
        }
        if group.lanes > 0 || self.spare.is_some() {
            self.context.keep_only(TRUNK);
        }
        self.trunk = group.reached;
        Ok(true)
    }
}

fn lane_id(lane: usize) -> SeqId {
    SeqId(lane as u32 + 1)
}

/// A request on its way: the figures that are known and not yet handed out.
struct ScoreRun<'a> {
    request: &'a ScoreBatch,
    sink: Sink<'a>,
    trie: Trie,
    /// By node.
    steps: Vec<Option<Box<Step>>>,
    after: HashMap<NodeId, Prediction>,
    /// Sequences handed out.
    out: usize,
    /// Nodes evaluated.
    done: usize,
    timing: Timing,
}

impl<'a> ScoreRun<'a> {
    fn new(request: &'a ScoreBatch, sink: Sink<'a>, trie: Trie) -> Self {
        let naive = request.sequences.iter().map(|sequence| evaluated(sequence, request.after)).sum();
        let steps = vec![None; trie.len()];
        let timing = Timing { naive_tokens: naive, ..Timing::default() };
        ScoreRun { request, sink, trie, steps, after: HashMap::new(), out: 0, done: 0, timing }
    }

    /// Reads the rows of the group that was just evaluated and hands out what is complete.
    fn read(
        &mut self,
        group: &Group,
        context: &Context,
        boundaries: Option<&[u8]>,
    ) -> Result<(), EngineError> {
        let begun = Instant::now();
        let entries = group.entries.iter().enumerate();
        let read = entries.filter(|(_, entry)| self.trie.node(entry.node).read);
        let rows: Option<Vec<LogitsRow>> =
            read.map(|(i, entry)| Some(LogitsRow { node: entry.node, logits: context.logits(i)? })).collect();
        let rows = rows.ok_or(EngineError::Decode(-1))?;
        self.timing.rows += rows.len();
        let reader = Reader { trie: &self.trie, depth: self.request.depth, boundaries };
        for figures in reader.read_all(&rows, context.params().threads as usize)? {
            for (node, step) in figures.steps {
                self.steps[node.index()] = Some(step);
            }
            self.after.extend(figures.after);
        }
        self.timing.statistics += begun.elapsed();
        self.done += group.entries.len();
        self.timing.prefill_tokens = self.done;
        self.hand_out(false);
        let total = self.trie.order().len();
        (self.sink)(Event::Progress { done: self.done, total });
        Ok(())
    }

    /// Hands out every sequence whose turn it is; with `rest`, every other one that is complete too.
    fn hand_out(&mut self, rest: bool) {
        let ends = self.trie.ends();
        let turn = (self.out..ends.len()).take_while(|&i| ends[i].ready <= self.done).count();
        for index in self.out..self.out + turn {
            self.hand_out_one(index);
        }
        self.out += turn;
        if rest {
            for index in self.out..self.trie.ends().len() {
                if self.trie.ends()[index].ready <= self.done {
                    self.hand_out_one(index);
                }
            }
        }
    }

    fn hand_out_one(&mut self, index: usize) {
        let sequence = &self.request.sequences[index];
        let end = self.trie.ends()[index].node;
        let path: Vec<NodeId> = match end {
            Some(end) => self
                .trie
                .path(end)
                .take_while(|&id| self.trie.node(id).position >= first_scored(sequence))
                .collect(),
            None => Vec::new(),
        };
        let first = sequence.tokens.first().filter(|_| sequence.from == 0);
        let mut steps: Vec<Step> = Vec::with_capacity(path.len() + 1);
        steps.extend(first.map(|&id| Step { id, stats: None }));
        for &node in path.iter().rev() {
            let step = match self.trie.release(node) {
                true => self.steps[node.index()].clone(),
                false => self.steps[node.index()].take(),
            };
            steps.extend(step.map(|step| *step));
        }
        let after = end.and_then(|end| self.after.get(&end)).cloned().map(Box::new);
        (self.sink)(Event::Scored { index, steps, after });
    }
}
