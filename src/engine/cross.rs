//! Two models of one vocabulary, token by token: how surprising the one finds what the other expects.
//!
//! The reference is loaded when it is first asked for and kept until nobody asks any more. Rows of logits
//! are used in place and never leave this module.

use std::path::PathBuf;
use std::sync::Arc;

use super::backend::Sink;
use super::llama::{Attention, Batch, Context, ContextParams, Model, SeqId};
use super::protocol::{CrossEntropy, EngineError, Event, FinishReason, ModelInfo, Sequence, Timing};
use crate::distribution::cross_entropy;

/// Rows of logits held at once, of either model.
const CHUNK: usize = 64;
const SEQUENCE: SeqId = SeqId(0);

/// The other model, when there is one.
#[derive(Default)]
pub(super) struct Reference(Option<(PathBuf, Arc<Model>)>);

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
        (model, info): (&Arc<Model>, &ModelInfo),
        params: ContextParams,
        request: &CrossEntropy,
        sink: Sink,
    ) -> Result<(FinishReason, Timing), EngineError> {
        let other = self.load(request)?;
        if let Some(difference) = model.vocab().difference(other.vocab()) {
            let (model, reference) = (info.name.clone(), request.reference.name.clone());
            return Err(EngineError::Vocabulary { model, reference, difference });
        }
        let cells = request.sequences.iter().map(|sequence| sequence.tokens.len()).max().unwrap_or(1);
        let make = |model: &Arc<Model>, exact: bool| {
            let attention = Attention::of_many(exact, model);
            let (cells, chunk) = ((cells as u32).max(CHUNK as u32), CHUNK as u32);
            let params =
                ContextParams { cells, batch: chunk, outputs: chunk, sequences: 1, attention, ..params };
            Context::new(model, params).ok_or(EngineError::NoContext { cells: cells as usize })
        };
        let mut pair = ModelPair {
            own: make(model, params.attention == Attention::Exact)?,
            reference: make(&other, request.reference.exact)?,
            batch: Batch::default(),
        };
        let mut timing = Timing { threads: params.threads, ..Timing::default() };
        for (index, sequence) in request.sequences.iter().enumerate() {
            let Some(values) = pair.compare(sequence, request)? else {
                return Ok((FinishReason::Cancelled, timing));
            };
            timing.rows += values.len();
            sink(Event::CrossEntropy { index, values });
        }
        Ok((FinishReason::Stop, timing))
    }

    fn load(&mut self, request: &CrossEntropy) -> Result<Arc<Model>, EngineError> {
        let path = &request.reference.path;
        match self.0.take() {
            Some(loaded) if loaded.0 == *path => self.0 = Some(loaded),
            // The old one goes first.
            old => drop(old),
        }
        if let Some((_, model)) = &self.0 {
            return Ok(Arc::clone(model));
        }
        let model = Arc::new(Model::load(path, &request.cancel, |_| {})?);
        self.0 = Some((path.clone(), Arc::clone(&model)));
        Ok(model)
    }
}

struct ModelPair {
    own: Context,
    reference: Context,
    batch: Batch,
}

impl ModelPair {
    /// `None` when cancelled.
    fn compare(
        &mut self,
        sequence: &Sequence,
        request: &CrossEntropy,
    ) -> Result<Option<Vec<f32>>, EngineError> {
        self.own.clear();
        self.reference.clear();
        let mut values = Vec::new();
        // The last token predicts nothing that is asked for.
        let inputs = &sequence.tokens[..sequence.tokens.len().saturating_sub(1)];
        for (i, chunk) in inputs.chunks(CHUNK).enumerate() {
            if request.cancel.is_cancelled() {
                return Ok(None);
            }
            let first = i * CHUNK;
            self.batch.clear();
            for (offset, &token) in chunk.iter().enumerate() {
                let position = first + offset;
                self.batch.push(token, position, &[SEQUENCE], position + 1 >= sequence.from);
            }
            self.own.decode(&self.batch)?;
            self.reference.decode(&self.batch)?;
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
}
