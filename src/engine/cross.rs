//! Two models of one vocabulary, token by token: how surprising the one finds what the other expects.
//!
//! The reference is loaded when it is first asked for, unless this process has it already, and kept until nobody
//! asks any more; so are the contexts of both, and what of a sequence the one before had is not computed again.
//! Rows of logits are used in place and never leave this module.

use std::path::PathBuf;
use std::sync::Arc;

use super::backend::Sink;
use super::llama::eval::Script;
use super::llama::{Attention, Batch, Context, ContextParams, Model, SeqId};
use super::protocol::{CrossEntropy, EngineError, Event, FinishReason, ModelInfo, Sequence, Timing};
use super::threads::Governor;
use crate::distribution::cross_entropy;
use crate::token::TokenId;

/// Rows of logits held at once, of either model.
const CHUNK: usize = 64;
const SEQUENCE: SeqId = SeqId(0);

/// The model that is asked.
#[derive(Clone, Copy)]
pub(super) struct OwnModel<'a> {
    /// The weights.
    pub model: &'a Arc<Model>,
    /// What it is.
    pub info: &'a ModelInfo,
    /// Says how many threads evaluate.
    pub governor: &'a Governor,
}

/// The other model, when there is one.
#[derive(Default)]
pub(super) struct Reference(Option<LoadedReference>);

struct LoadedReference {
    path: PathBuf,
    model: Arc<Model>,
    pair: Option<ModelPair>,
}

impl Reference {
    /// Gives the memory back.
    pub fn release(&mut self) {
        self.0 = None;
    }

    /// Answers one request about a model whose contexts are made like `params`.
    ///
    /// # Errors
    /// [`EngineError::Vocabulary`] where the models' tokens differ, and those of loading and evaluating.
    pub fn compare(
        &mut self,
        own: OwnModel,
        params: ContextParams,
        request: &CrossEntropy,
        sink: Sink,
    ) -> Result<(FinishReason, Timing), EngineError> {
        let OwnModel { model, info, governor } = own;
        let mut reference = self.load(request)?;
        if let Some(difference) = model.vocab().difference(reference.model.vocab()) {
            let (model, reference) = (info.name.clone(), request.reference.name.clone());
            return Err(EngineError::Vocabulary { model, reference, difference });
        }
        let longest = request.sequences.iter().map(|sequence| sequence.tokens.len()).max().unwrap_or(1);
        let exact = [params.attention == Attention::Exact, request.reference.exact];
        let fits = |pair: &ModelPair| pair.cells >= longest && pair.exact == exact;
        let mut pair = match reference.pair.take().filter(fits) {
            Some(pair) => pair,
            None => {
                // Room to grow, so that a conversation doesn't have it made anew with every token.
                let cells =
                    longest.next_power_of_two().clamp(CHUNK, longest.max(params.cells as usize).max(CHUNK));
                let make = |model: &Arc<Model>, exact: bool| {
                    let attention = Attention::of_many(exact, model);
                    let (cells, chunk) = (cells.max(CHUNK) as u32, CHUNK as u32);
                    let params = ContextParams {
                        cells,
                        batch: chunk,
                        outputs: chunk,
                        sequences: 1,
                        attention,
                        ..params
                    };
                    Context::new(model, params).ok_or(EngineError::NoContext { cells: cells as usize })
                };
                let (own, other) = (make(model, exact[0])?, make(&reference.model, exact[1])?);
                let (batch, read) = (Batch::default(), Vec::new());
                ModelPair { own, reference: other, governor: governor.clone(), cells, exact, batch, read }
            }
        };
        let mut timing = Timing { threads: params.threads, ..Timing::default() };
        let mut reason = FinishReason::Stop;
        for (index, sequence) in request.sequences.iter().enumerate() {
            let Some(values) = pair.compare(sequence, request)? else {
                reason = FinishReason::Cancelled;
                break;
            };
            timing.rows += values.len();
            sink(Event::CrossEntropy { index, values });
        }
        reference.pair = Some(pair);
        self.0 = Some(reference);
        Ok((reason, timing))
    }

    fn load(&mut self, request: &CrossEntropy) -> Result<LoadedReference, EngineError> {
        let path = &request.reference.path;
        // Another one goes first.
        if let Some(loaded) = self.0.take().filter(|loaded| loaded.path == *path) {
            return Ok(loaded);
        }
        let model = match Model::loaded(path) {
            Some(model) => model,
            None => Model::load(path, &request.cancel, |_| {})?.at_hand(path),
        };
        Ok(LoadedReference { path: path.clone(), model, pair: None })
    }
}

struct ModelPair {
    own: Context,
    reference: Context,
    governor: Governor,
    /// Longest sequence.
    cells: usize,
    /// Whether the arithmetic of either is repeatable.
    exact: [bool; 2],
    batch: Batch,
    /// What the caches hold.
    read: Vec<TokenId>,
}

impl ModelPair {
    /// `None` when cancelled.
    fn compare(
        &mut self,
        sequence: &Sequence,
        request: &CrossEntropy,
    ) -> Result<Option<Vec<f32>>, EngineError> {
        // The last token predicts nothing that is asked for.
        let inputs = &sequence.tokens[..sequence.tokens.len().saturating_sub(1)];
        let begin = self.keep(inputs, sequence.from.saturating_sub(1));
        let mut values = Vec::new();
        for (i, chunk) in inputs[begin..].chunks(CHUNK).enumerate() {
            if request.cancel.is_cancelled() {
                return Ok(None);
            }
            let first = begin + i * CHUNK;
            self.batch.clear();
            for (offset, &token) in chunk.iter().enumerate() {
                let position = first + offset;
                self.batch.push(token, position, &[SEQUENCE], position + 1 >= sequence.from);
            }
            let mut evaluated = true;
            for context in [&mut self.own, &mut self.reference] {
                let (batch, script) = (&self.batch, Script::default());
                evaluated &= self.governor.evaluate(context, batch, script, &request.cancel)?;
            }
            if !evaluated {
                self.forget();
                return Ok(None);
            }
            self.read.extend_from_slice(chunk);
            for index in 0..chunk.len() {
                if let (Some(own), Some(reference)) = (self.own.logits(index), self.reference.logits(index)) {
                    let crossed = cross_entropy(reference, own)?;
                    // Two sums of one size: what is below zero is rounding.
                    let value = match request.divergence {
                        true => (crossed - cross_entropy(reference, reference)?).max(0.0),
                        false => crossed,
                    };
                    values.push(value as f32);
                }
            }
        }
        Ok(Some(values))
    }

    /// Keeps what the caches have of a sequence before a position, in whole chunks, so that its figures are those
    /// of a sequence that is computed alone; says where to begin.
    fn keep(&mut self, inputs: &[TokenId], before: usize) -> usize {
        let common = self.read.iter().zip(inputs).take_while(|(read, wanted)| read == wanted).count();
        let begin = common.min(before) / CHUNK * CHUNK;
        let rewound = begin > 0
            && [&mut self.own, &mut self.reference].map(|context| context.rewind(SEQUENCE, begin))
                == [true; 2];
        if !rewound {
            self.forget();
        }
        self.read.truncate(begin);
        self.read.len()
    }

    fn forget(&mut self) {
        self.own.clear();
        self.reference.clear();
        self.read.clear();
    }
}
