//! The context in which many sequences are evaluated at once, apart from the conversation's.
//!
//! Made when first needed, as large as the request at hand needs it, and made anew only for one that
//! needs more. Given back by [`Pool::release`] when nobody has asked for anything for a while; the old
//! one goes before a larger one is made, so there are never two.

use std::sync::Arc;

use super::llama::{Attention, Context, ContextParams, MOST_SEQUENCES, Model, TILE};
use super::plan::Need;
use super::protocol::{EngineError, Layout};
use super::threads::Governor;

/// Memory for one batch's rows of logits; llama.cpp keeps them twice, once in its compute buffer.
const LOGITS_BYTES: usize = 128 << 20;
/// Fewest rows of a batch.
const FEWEST_ROWS: usize = 16;
/// Most rows of a batch.
const MOST_ROWS: usize = 512;

/// A context of many sequences, when there is one.
pub(super) struct Pool {
    model: Arc<Model>,
    governor: Governor,
    attention: Attention,
    /// Longest sequence.
    room: usize,
    context: Option<Context>,
}

impl Pool {
    /// An empty pool with the conversation's exactness and length.
    pub fn new(model: Arc<Model>, conversation: ContextParams, governor: Governor) -> Pool {
        let exact = conversation.attention == Attention::Exact;
        let attention = Attention::of_many(exact, &model);
        Pool { model, governor, attention, room: conversation.cells as usize, context: None }
    }

    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Longest sequence that may be asked for.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Says how many threads evaluate.
    pub fn governor(&self) -> &Governor {
        &self.governor
    }

    /// Whether sequences can be computed together: not where the arithmetic must be repeatable, nor
    /// where the model's cache is a state that cannot be shared and rewound.
    pub fn shares(&self) -> bool {
        self.attention != Attention::Exact && self.model.has_plain_cache()
    }

    /// Most rows of logits in one batch.
    pub fn rows(&self, layout: Layout) -> usize {
        let row = 4 * self.model.vocab().len().max(1);
        let fewest = match layout {
            Layout::Together | Layout::Growing => FEWEST_ROWS,
            // A plan may cut a batch in half.
            Layout::Long => 2 * TILE,
        };
        // As many as a full batch is filled up to.
        (LOGITS_BYTES / row).clamp(fewest, MOST_ROWS) / 4 * 4
    }

    /// Most sequence ids in one batch: llama.cpp makes room for a row of each.
    pub fn sequences(&self) -> usize {
        self.rows(Layout::Together).min(MOST_SEQUENCES as usize)
    }

    /// An empty context with at least this much room.
    ///
    /// # Errors
    /// [`EngineError::NoContext`] where it can't be made.
    pub fn context(&mut self, need: Need, layout: Layout) -> Result<&mut Context, EngineError> {
        let wanted = self.params(need, layout);
        let fits = |has: ContextParams| {
            has.attention == wanted.attention
                && has.cells >= wanted.cells
                && has.batch >= wanted.batch
                && has.outputs >= wanted.outputs
                && has.sequences >= wanted.sequences
        };
        let params = match self.context.take() {
            Some(mut context) if fits(context.params()) => {
                context.clear();
                return Ok(self.context.insert(context));
            }
            // What was needed once is needed again.
            Some(old) => larger(old.params(), wanted),
            None => wanted,
        };
        let context = Context::new(&self.model, params);
        let failed = EngineError::NoContext { cells: params.cells as usize };
        Ok(self.context.insert(context.ok_or(failed)?))
    }

    /// In steps, so that a request a little larger than the last finds its room.
    fn params(&self, need: Need, layout: Layout) -> ContextParams {
        let sequences = need.sequences.next_multiple_of(64).min(self.sequences());
        let rows = need.rows.next_multiple_of(64).min(self.rows(layout));
        ContextParams {
            cells: need.cells.next_multiple_of(512) as u32,
            batch: need.batch.next_multiple_of(128) as u32,
            outputs: rows.max(sequences) as u32,
            sequences: sequences as u32,
            threads: self.governor.most(),
            attention: match layout {
                Layout::Long if self.shares() => Attention::Tiled,
                _ => self.attention,
            },
        }
    }

    /// Gives the memory back.
    pub fn release(&mut self) {
        self.context = None;
    }
}

fn larger(a: ContextParams, b: ContextParams) -> ContextParams {
    ContextParams {
        cells: a.cells.max(b.cells),
        batch: a.batch.max(b.batch),
        outputs: a.outputs.max(b.outputs),
        sequences: a.sequences.max(b.sequences),
        ..b
    }
}
