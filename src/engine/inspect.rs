//! Looks between the layers: carries [`Inspect`] out in a context of its own, without flash attention.
//!
//! Variants are copies of one sequence in one unified cache, many in a batch; what lies before a variant's
//! first change is computed once. A cell computed under a change is never used again without it: every
//! variant has its own.

use std::sync::Arc;
use std::time::Instant;

use super::backend::Sink;
use super::figures::in_parts;
use super::figures::prediction;
use super::intervene;
use super::llama::eval::anatomy::Layer;
use super::llama::eval::{Script, TensorAction, TensorRegion};
use super::llama::{Attention, Batch, Context, ContextParams, Model, SeqId, Slots};
use super::look::{Found, Inspect, LookFor, Reading, WeightsOf};
use super::protocol::{EngineError, Event, FinishReason, Timing};
use super::threads::Governor;
use crate::distribution::{Distribution, ExpectedRow};
use crate::intervention::{AttentionEdge, InForce};
use crate::room;
use crate::step::Candidate;
use crate::token::TokenId;

mod cuts;
mod ground;
mod parts;
mod place;
mod rows;
mod shares;
mod streams;
mod variants;

use ground::{Ground, TRUNKS};
use place::Cutting;

/// Tokens of a sequence evaluated at once: without flash attention every pair of a token and a cell takes
/// memory.
const CHUNK: usize = 256;
/// Bytes of values that one evaluation reads, about.
const READ_BYTES: usize = 64 << 20;
/// Fewest rows of logits of a batch, and of its sequences.
const ROWS: usize = 64;
/// Memory for the rows of logits of a batch, where that makes more of them.
const LOGITS_BYTES: usize = 32 << 20;
/// Copies of the logit lens' own row, which tell what rounding does.
const COPIES: usize = 4;
/// The sequence that the request is about.
const TRUNK: SeqId = SeqId(0);

/// The context for looking, when there is one.
pub(super) struct Inspector {
    model: Arc<Model>,
    governor: Governor,
    /// Longest sequence.
    room: usize,
    context: Option<Context>,
    layers: Vec<Layer>,
}

impl Inspector {
    /// Without a context.
    pub fn new(model: Arc<Model>, room: usize, governor: Governor) -> Inspector {
        Inspector { model, governor, room, context: None, layers: Vec::new() }
    }

    /// Gives the memory back.
    pub fn release(&mut self) {
        self.context = None;
    }

    /// Answers one request.
    ///
    /// # Errors
    /// [`EngineError`]; a part that the model has not is found before anything is computed.
    pub fn inspect(&mut self, request: &Inspect, sink: Sink) -> Result<(FinishReason, Timing), EngineError> {
        let begun = Instant::now();
        let length = request.tokens.len();
        if length == 0 {
            return Err(EngineError::Empty);
        }
        if length > self.room {
            return Err(EngineError::TooLong { needed: length, context: self.room });
        }
        let plain = self.model.has_plain_cache();
        intervene::check(&self.model, &request.interventions.clone().into())?;
        let rows = self.model.layers() + 1 + COPIES;
        let cells = length + CHUNK + rows;
        let usual = RoomNeeded { cells, rows };
        let (reason, mut timing) = match &request.look {
            LookFor::Layers { copies } if plain => {
                self.run(request, sink, usual, |run| run.layers(*copies))?
            }
            LookFor::Layers { .. } => self.run(request, sink, usual, |run| run.layers_in_two())?,
            LookFor::Streams(streams) => {
                self.run(request, sink, usual, |run| run.of_streams(streams, None))?
            }
            LookFor::Weights(wanted) => self.run(request, sink, usual, |run| run.weights(wanted))?,
            LookFor::Rows { part, layers } => self.run(request, sink, usual, |run| run.rows(part, layers))?,
            LookFor::Shares => self.run(request, sink, usual, |run| run.shares())?,
            LookFor::Variants(_) if !plain => {
                return Err(
                    self.no_part(0, "cache of positions that could be computed again from the middle")
                );
            }
            LookFor::Variants(asked) => {
                let ground = Ground::new(request, asked, rows_at_once(self.model.vocab().len()))?;
                self.run(request, sink, ground.needs(asked), |run| run.variants(asked, ground))?
            }
        };
        timing.prefill = begun.elapsed();
        Ok((reason, timing))
    }

    fn no_part(&self, layer: usize, part: &'static str) -> EngineError {
        EngineError::NoPart { architecture: self.model.architecture(), layer, part }
    }

    /// Bytes that a context takes, about.
    fn needs(&self, params: ContextParams) -> u64 {
        let (cells, batch) = (u64::from(params.cells), u64::from(params.batch));
        let (layers, width) = (self.model.layers() as u64, self.model.width() as u64);
        let float = size_of::<f32>() as u64;
        let kept = cells * layers * self.model.cache_width() as u64 * float;
        let logits = u64::from(params.outputs) * self.model.vocab().len() as u64 * float;
        // Scores and weights of every head, and some rows of the stream at a time.
        let work = batch * (2 * cells * self.model.heads() as u64 + 16 * width) * float;
        kept + logits + work
    }

    /// Has a request answered in an empty context with what it needs.
    fn run<'a>(
        &'a mut self,
        request: &'a Inspect,
        sink: Sink<'a>,
        RoomNeeded { cells, rows }: RoomNeeded,
        answer: impl FnOnce(&mut InspectRun<'a>) -> Result<FinishReason, EngineError>,
    ) -> Result<(FinishReason, Timing), EngineError> {
        let (layers, sequences) = (self.model.layers(), rows_at_once(self.model.vocab().len()) + TRUNKS);
        let params = ContextParams {
            cells: cells.next_multiple_of(256) as u32,
            batch: (CHUNK + layers + COPIES).next_multiple_of(64) as u32,
            outputs: sequences.max(rows).max(layers + 1 + COPIES) as u32,
            // A state for each takes memory even where it is not used.
            sequences: if self.model.has_plain_cache() { sequences as u32 } else { TRUNKS as u32 },
            threads: self.governor.most(),
            attention: Attention::Exact,
        };
        let holds = |has: ContextParams| has.cells >= params.cells && has.outputs >= params.outputs;
        let large_enough = self.context.as_ref().is_some_and(|has| holds(has.params()));
        if !large_enough {
            self.context = None;
            must_have_room(self.needs(params), room::memory())?;
            let failed = EngineError::NoContext { cells: params.cells as usize };
            let mut context = Context::new(&self.model, params).ok_or(failed)?;
            self.layers = context.anatomy(0)?.to_vec();
            self.context = Some(context);
        }
        let failed = EngineError::NoContext { cells: params.cells as usize };
        let context = self.context.as_mut().ok_or(failed)?;
        context.clear();
        let (edges, everywhere) = request.interventions.apart();
        let mut run = InspectRun {
            request,
            everywhere: everywhere.into(),
            edges,
            sink,
            context,
            governor: &self.governor,
            parts: &self.layers,
            architecture: self.model.architecture(),
            total: 0,
            timing: Timing::default(),
        };
        let reason = answer(&mut run)?;
        Ok((reason, Timing { threads: run.context.params().threads, ..run.timing }))
    }
}

/// Refuses what would push everything else out of memory; `free` where the system says how much that is.
fn must_have_room(needed: u64, free: Option<u64>) -> Result<(), EngineError> {
    match free {
        Some(free) if free < needed => Err(EngineError::NoRoom { needed: needed >> 20, free: free >> 20 }),
        _ => Ok(()),
    }
}

/// Tokens of an evaluation, of which so many may be in a batch, that reads so many values at each.
fn at_once(values: usize, most: usize) -> usize {
    (READ_BYTES / (size_of::<f32>() * values.max(1))).clamp(1, most)
}

/// Rows of logits of a batch where a row has so many, and sequences of one.
fn rows_at_once(vocabulary: usize) -> usize {
    (LOGITS_BYTES / (size_of::<f32>() * vocabulary.max(1))).clamp(ROWS, CHUNK - CHUNK / 4)
}

/// What a request takes of a context.
struct RoomNeeded {
    cells: usize,
    /// Rows of logits in a batch.
    rows: usize,
}

/// A request on its way.
struct InspectRun<'a> {
    request: &'a Inspect,
    /// What is in force whatever a token's position.
    everywhere: InForce,
    /// Edges of attention that are off.
    edges: Vec<AttentionEdge>,
    sink: Sink<'a>,
    context: &'a mut Context,
    governor: &'a Governor,
    parts: &'a [Layer],
    architecture: String,
    /// Tokens that will be computed.
    total: usize,
    timing: Timing,
}

impl InspectRun<'_> {
    fn cancelled(&self) -> bool {
        self.request.cancel.is_cancelled()
    }

    fn found(&self, index: usize, found: Found) {
        (self.sink)(Event::Found { index, found: Box::new(found) });
    }

    /// Evaluates a batch by a script.
    fn evaluate(&mut self, batch: &Batch, script: Script, slots: usize) -> Result<Slots, EngineError> {
        let mut all = Script::default();
        all.keep_slots(slots);
        // First what is in force anyway: views look at what that leaves, and may write over it.
        intervene::add(&mut all, self.context, &self.everywhere, 0..batch.len(), 0)?;
        all.append(script);
        let decode = |context: &mut Context| context.decode_by(batch, all);
        let read = self.governor.evaluate_by(self.context, decode)?;
        self.timing.prefill_tokens += batch.len();
        let (done, total) = (self.timing.prefill_tokens, self.total);
        (self.sink)(Event::Progress { done: done.min(total), total });
        Ok(read)
    }

    /// Evaluates so many of the sequence's tokens; `false`: it was cancelled.
    fn begin_with(&mut self, count: usize) -> Result<bool, EngineError> {
        let mut position = 0;
        for chunk in self.request.tokens[..count].chunks(CHUNK) {
            if self.cancelled() {
                return Ok(false);
            }
            let (mut batch, mut script) = (Batch::default(), Script::default());
            for &token in chunk {
                self.cut_edges(&mut script, Cutting { token: batch.len(), position }, |cell| cell)?;
                batch.push(token, position, &[TRUNK], false);
                position += 1;
            }
            self.evaluate(&batch, script, 0)?;
        }
        Ok(!self.cancelled())
    }

    /// Reads the distributions after these tokens of the last batch, each with what is named there; `last`:
    /// the logits that the others' divergence is told from.
    fn readings(
        &self,
        rows: &[(usize, &[TokenId])],
        last: Option<&[f32]>,
    ) -> Result<Vec<Reading>, EngineError> {
        let rows: Option<Vec<_>> =
            rows.iter().map(|&(row, named)| Some((self.context.logits(row)?, named))).collect();
        let rows = rows.ok_or(EngineError::Decode(-1))?;
        let last = last.map(|row| ExpectedRow::measure(row, self.request.depth)).transpose()?;
        let entropy = last.as_ref().map_or(0.0, ExpectedRow::entropy);
        in_parts(&rows, self.context.params().threads as usize, |&(row, named)| {
            let raw = Distribution::measure(row, self.request.depth, None)?;
            let named = named.iter().map(|&id| candidate(row, &raw, id)).collect();
            let divergence = last.as_ref().map(|last| (last.cross_entropy(row, &raw) - entropy).max(0.0));
            Ok(Reading { prediction: prediction(row, &raw, None), named, divergence })
        })
    }

    /// Weights of attention. In a fresh cache a position's cell has its number.
    fn weights(&mut self, wanted: &[WeightsOf]) -> Result<FinishReason, EngineError> {
        let tokens = &self.request.tokens;
        self.total = tokens.len();
        let of_layer = |layer: usize| self.parts.get(layer).map_or(0, |parts| parts.n_heads * tokens.len());
        let of = |wanted: &WeightsOf| match wanted.layer {
            // One position alone is read where it comes.
            _ if wanted.positions.len() == 1 => 0,
            Some(layer) => of_layer(layer),
            None => (0..self.parts.len()).map(of_layer).sum(),
        };
        let most = at_once(wanted.iter().map(of).sum(), CHUNK);
        for start in (0..tokens.len()).step_by(most) {
            if self.cancelled() {
                return Ok(FinishReason::Cancelled);
            }
            let chunk = start..tokens.len().min(start + most);
            let (mut batch, mut script) = (Batch::default(), Script::default());
            for position in chunk.clone() {
                self.cut_edges(&mut script, Cutting { token: batch.len(), position }, |cell| cell)?;
                batch.push(tokens[position], position, &[TRUNK], position + 1 == tokens.len());
            }
            let mut slots = Vec::new();
            for (index, wanted) in wanted.iter().enumerate() {
                let layers = wanted.layer.map_or(0..self.parts.len(), |layer| layer..layer + 1);
                for layer in layers {
                    let (place, heads) = self.weights_place(layer)?;
                    let positions = wanted.positions.clone();
                    for position in positions.start.max(chunk.start)..positions.end.min(chunk.end) {
                        let token = position - chunk.start;
                        let region = TensorRegion::Cells { token, cells: 0..position + 1, heads: 0..heads };
                        script.add(place, TensorAction::Read { region, slot: slots.len() });
                        slots.push((index, layer, position, heads));
                    }
                }
            }
            // Without an output a model computes nothing of its last layer's attention that anyone reads.
            let read = self.evaluate(&batch, script, slots.len())?;
            for ((index, layer, position, heads), values) in slots.into_iter().zip(read) {
                let values = values.ok_or_else(|| self.no_part(layer, "weights of attention"))?;
                let (heads, weights) = match wanted[index].mean {
                    true => (1, mean(&values, heads)),
                    false => (heads, values),
                };
                self.found(index, Found::Weights { layer, position, heads, weights });
            }
        }
        Ok(FinishReason::Stop)
    }
}

/// The mean of so many rows that lie one after the other.
fn mean(values: &[f32], rows: usize) -> Vec<f32> {
    let width = values.len() / rows.max(1);
    let column = |i: usize| (0..rows).map(|row| f64::from(values[row * width + i])).sum::<f64>();
    (0..width).map(|i| (column(i) / rows as f64) as f32).collect()
}

fn candidate(row: &[f32], raw: &Distribution, id: TokenId) -> Candidate {
    let logit = row.get(id.0 as usize).copied().unwrap_or(f32::NEG_INFINITY);
    Candidate { id, logprob: raw.logprob(logit) as f32, rank: raw.rank(row, logit), outcome: None }
}

#[cfg(test)]
mod tests {
    use super::{at_once, must_have_room};

    #[test]
    fn what_is_read_at_a_time_is_bounded() {
        assert_eq!((at_once(0, 256), at_once(30 * 576, 256)), (256, 256));
        // Every head of every layer of a prompt of 4096 tokens.
        assert_eq!((at_once(32 * 32 * 4096, 256), at_once(usize::MAX >> 3, 256)), (4, 1));
    }

    #[test]
    fn too_little_memory_is_said_with_both_figures() {
        assert!(must_have_room(3 << 20, Some(3 << 20)).is_ok() && must_have_room(u64::MAX, None).is_ok());
        let error = must_have_room(300 << 20, Some(200 << 20)).unwrap_err().to_string();
        assert!(error.starts_with("about 300 MiB of memory would be used and 200 MiB are free"), "{error}");
    }
}
