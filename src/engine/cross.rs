//! Two models of one vocabulary, token by token: how surprising the one finds what the other expects.
//!
//! Loads both models itself and runs on the caller's thread; the weights of a model that is loaded
//! already are mapped, not copied. Rows of logits are used in place and never leave this module.

use std::sync::Arc;

use super::llama::{Attention, Batch, Context, ContextParams, Model, SeqId};
use super::{CancelFlag, EngineError, FinishReason, LoadOptions, Sequence, Threads};
use crate::distribution::{RowError, cross_entropy};

/// Rows of logits held at once, of either model.
const CHUNK: usize = 64;
const SEQUENCE: SeqId = SeqId(0);

/// For every token of each sequence from `Sequence::from` on (1 or more), −Σ p_reference ln p in nats over
/// the vocabulary at its position. `each` is given a sequence's values as soon as they are known.
///
/// # Errors
/// [`EngineError::Vocabulary`] where the models' tokens differ, and those of loading and evaluating.
pub fn cross_entropies(
    model: &LoadOptions,
    reference: &LoadOptions,
    sequences: &[Sequence],
    cancel: &CancelFlag,
    each: impl FnMut(Vec<f32>),
) -> Result<FinishReason, EngineError> {
    compared((model, reference), sequences, cancel, cross_entropy, each)
}

/// As [`cross_entropies`], but Σ p_reference ln(p_reference ÷ p), the Kullback–Leibler divergence of the
/// model from the reference.
///
/// # Errors
/// As [`cross_entropies`].
pub fn divergences(
    model: &LoadOptions,
    reference: &LoadOptions,
    sequences: &[Sequence],
    cancel: &CancelFlag,
    each: impl FnMut(Vec<f32>),
) -> Result<FinishReason, EngineError> {
    let divergence = |reference: &[f32], own: &[f32]| {
        // Two sums of one size: what is below zero is rounding.
        Ok((cross_entropy(reference, own)? - cross_entropy(reference, reference)?).max(0.0))
    };
    compared((model, reference), sequences, cancel, divergence, each)
}

fn compared(
    (model, reference): (&LoadOptions, &LoadOptions),
    sequences: &[Sequence],
    cancel: &CancelFlag,
    measure: impl Fn(&[f32], &[f32]) -> Result<f64, RowError>,
    mut each: impl FnMut(Vec<f32>),
) -> Result<FinishReason, EngineError> {
    let cells = sequences.iter().map(|sequence| sequence.tokens.len()).max().unwrap_or(1);
    let mut pair = Pair::load(model, reference, cells, cancel)?;
    for sequence in sequences {
        match pair.compare(sequence, cancel, &measure)? {
            Some(values) => each(values),
            None => return Ok(FinishReason::Cancelled),
        }
    }
    Ok(FinishReason::Stop)
}

struct Pair {
    own: Context,
    reference: Context,
    batch: Batch,
}

impl Pair {
    fn load(
        model: &LoadOptions,
        reference: &LoadOptions,
        cells: usize,
        cancel: &CancelFlag,
    ) -> Result<Pair, EngineError> {
        let own = Arc::new(Model::load(&model.path, cancel, |_| {})?);
        let other = Arc::new(Model::load(&reference.path, cancel, |_| {})?);
        if let Some(difference) = own.vocab().difference(other.vocab()) {
            let (model, reference) = (model.name.clone(), reference.name.clone());
            return Err(EngineError::Vocabulary { model, reference, difference });
        }
        Ok(Pair {
            own: context(&own, model, cells)?,
            reference: context(&other, reference, cells)?,
            batch: Batch::default(),
        })
    }

    /// `None` when cancelled.
    fn compare(
        &mut self,
        sequence: &Sequence,
        cancel: &CancelFlag,
        measure: &impl Fn(&[f32], &[f32]) -> Result<f64, RowError>,
    ) -> Result<Option<Vec<f32>>, EngineError> {
        self.own.clear();
        self.reference.clear();
        let mut values = Vec::new();
        // The last token predicts nothing that is asked for.
        let inputs = &sequence.tokens[..sequence.tokens.len().saturating_sub(1)];
        for (i, chunk) in inputs.chunks(CHUNK).enumerate() {
            if cancel.is_cancelled() {
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
                    values.push(measure(reference, own)? as f32);
                }
            }
        }
        Ok(Some(values))
    }
}

fn context(model: &Arc<Model>, options: &LoadOptions, cells: usize) -> Result<Context, EngineError> {
    let threads = match options.threads {
        Threads::Fixed(n) => n.max(1),
        Threads::Auto => std::thread::available_parallelism().map_or(1, |n| n.get() as u32),
    };
    let chunk = CHUNK as u32;
    let params = ContextParams {
        cells: (cells as u32).max(chunk),
        batch: chunk,
        outputs: chunk,
        sequences: 1,
        threads,
        attention: Attention::of_many(options.exact, model),
    };
    Context::new(model, params).ok_or_else(|| EngineError::Load {
        path: options.path.display().to_string(),
        reason: format!("llama.cpp could not make a context of {cells} tokens"),
    })
}
