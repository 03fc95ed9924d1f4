//! What every benchmark does: pairs of runs, each side with a model of its own.

use std::sync::Arc;
use std::time::Duration;

use crate::aside;
use crate::engine::llama::{Attention, Batch, Context, ContextParams, Model, SeqId};
use crate::engine::{CancelFlag, Client, EngineError, LoadOptions, ModelInfo};
use crate::token::TokenId;

/// How long an engine may take to end.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A model and how often it is measured.
pub struct Bench<'a> {
    /// The model.
    pub options: LoadOptions,
    /// What an engine says of it.
    pub info: Arc<ModelInfo>,
    /// Runs of each kind.
    pub pairs: usize,
    /// Is told in one line what each pair came to.
    pub tell: &'a (dyn Fn(String) + Sync),
}

impl Bench<'_> {
    /// Measures pair by pair; one list of figures for each side.
    pub(super) fn pairs<const SIDES: usize>(
        &self,
        mut measure: impl FnMut() -> Result<[f64; SIDES], EngineError>,
        shown: impl Fn([f64; SIDES]) -> String,
    ) -> Result<[Vec<f64>; SIDES], EngineError> {
        let mut all = [const { Vec::new() }; SIDES];
        for pair in 1..=self.pairs {
            let figures = measure()?;
            (self.tell)(format!("pair {pair}: {}", shown(figures)));
            all.iter_mut().zip(figures).for_each(|(side, figure)| side.push(figure));
        }
        Ok(all)
    }

    /// The raw engine's model.
    pub(super) fn raw_model(&self) -> Result<Arc<Model>, EngineError> {
        Model::load(&self.info.path, &CancelFlag::default(), |_| {}).map(Arc::new)
    }

    /// As a conversation's context is made, with batches of so many tokens.
    pub(super) fn params(&self, batch: usize, outputs: usize) -> ContextParams {
        ContextParams {
            cells: self.info.context,
            batch: batch as u32,
            outputs: outputs as u32,
            sequences: 1,
            threads: self.info.threads,
            attention: Attention::of_conversation(false),
        }
    }

    /// Runs something on an engine of its own.
    pub(super) fn engine<T>(
        &self,
        run: impl FnOnce(&mut Client) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let (mut client, _) = Client::load(self.options.clone(), |_| {})?;
        let found = run(&mut client)?;
        client.shut_down(PATIENCE);
        Ok(found)
    }
}

/// The raw engine's context.
pub(super) fn context(model: &Arc<Model>, params: ContextParams) -> Result<Context, EngineError> {
    Context::new(model, params).ok_or(EngineError::NoContext { cells: params.cells as usize })
}

/// Runs one side on a thread of its own.
pub(super) fn apart<T: Send>(side: impl FnOnce() -> Result<T, EngineError> + Send) -> Result<T, EngineError> {
    std::thread::scope(|scope| aside::joined(aside::part(scope, side)))
}

/// A batch of one sequence from its beginning, with the logits of every token or of the last.
pub(super) fn sequence(tokens: &[TokenId], all: bool) -> Batch {
    let mut batch = Batch::default();
    for (i, &token) in tokens.iter().enumerate() {
        batch.push(token, i, &[SeqId(0)], all || i + 1 == tokens.len());
    }
    batch
}

/// The median of one side's figures over the other's.
pub(super) fn ratio(of: &[f64], to: &[f64]) -> f64 {
    median(of.iter().zip(to).map(|(of, to)| of / to).collect())
}

/// Of an even number of values, the mean of the two in the middle.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
    }
}
