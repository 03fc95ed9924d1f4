//! What scoring costs: distributions a second out of the engine, against evaluating tokens with all
//! their logits and looking at none.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::side::{PATIENCE, apart, median, sequence};
use crate::distribution::Depth;
use crate::engine::llama::{Attention, Context, ContextParams, Model};
use crate::engine::{
    CancelFlag, Client, Command, EngineError, Layout, LoadOptions, ModelInfo, ScoreBatch, Sequence, Timing,
};
use crate::token::TokenId;

/// What was measured, one value per pair.
#[derive(Clone, Debug, Serialize)]
pub struct ScoringReport {
    /// Tokens of the long text.
    pub tokens: usize,
    /// Short sequences.
    pub sequences: usize,
    /// Tokens of the short sequences computed ÷ tokens of them all: they share beginnings.
    pub computed_share: f64,
    /// Tokens a second of the bare engine with all logits asked for.
    pub bare: Vec<f64>,
    /// Distributions a second of the long text.
    pub text: Vec<f64>,
    /// Distributions a second of the short sequences.
    pub short: Vec<f64>,
    /// Median of text ÷ bare.
    pub median_text_ratio: f64,
    /// Median of short ÷ bare.
    pub median_short_ratio: f64,
}

/// One long text and many short ones.
pub struct ScoringBench {
    /// The model.
    pub options: LoadOptions,
    /// What an engine says of it.
    pub info: Arc<ModelInfo>,
    /// The long text, in windows.
    pub windows: Vec<Vec<TokenId>>,
    /// The short ones.
    pub sequences: Vec<Sequence>,
    /// Runs of each kind.
    pub pairs: usize,
}

impl ScoringBench {
    /// Runs all pairs. `each` is told after every pair.
    ///
    /// # Errors
    /// What the engine says.
    pub fn run(&self, mut each: impl FnMut(usize, f64, f64, f64)) -> Result<ScoringReport, EngineError> {
        let (mut bare, mut text, mut short) = (Vec::new(), Vec::new(), Vec::new());
        let mut computed_share = f64::NAN;
        for pair in 0..self.pairs {
            let raw = apart(|| self.bare())?;
            let (long, few) = self.measured()?;
            let [long_rate, short_rate] = [&long, &few].map(rows_per_second);
            each(pair + 1, raw, long_rate, short_rate);
            bare.push(raw);
            text.push(long_rate);
            short.push(short_rate);
            computed_share = few.prefill_tokens as f64 / few.naive_tokens as f64;
        }
        let ratio = |rates: &[f64]| median(rates.iter().zip(&bare).map(|(rate, bare)| rate / bare).collect());
        Ok(ScoringReport {
            tokens: self.windows.iter().map(Vec::len).sum(),
            sequences: self.sequences.len(),
            computed_share,
            median_text_ratio: ratio(&text),
            median_short_ratio: ratio(&short),
            bare,
            text,
            short,
        })
    }

    /// The long text's windows, one after the other, in llama.cpp's own layout.
    fn bare(&self) -> Result<f64, EngineError> {
        let model = Arc::new(Model::load(&self.info.path, &CancelFlag::default(), |_| {})?);
        let size = self.windows.iter().map(Vec::len).max().unwrap_or(0) as u32;
        let params = ContextParams {
            cells: size,
            batch: size,
            outputs: size,
            sequences: 1,
            threads: self.info.threads,
            attention: Attention::Tiled,
        };
        // The engine makes one for its first request, too.
        let begun = Instant::now();
        let mut context =
            Context::new(&model, params).ok_or(EngineError::NoContext { cells: size as usize })?;
        for window in &self.windows {
            context.clear();
            context.decode(&sequence(window, true))?;
            // llama.cpp computes while nobody looks; this waits for it.
            context.logits(window.len() - 1).ok_or(EngineError::Decode(-1))?;
        }
        Ok(self.windows.iter().map(Vec::len).sum::<usize>() as f64 / begun.elapsed().as_secs_f64())
    }

    /// The long text and the short ones through the engine.
    fn measured(&self) -> Result<(Timing, Timing), EngineError> {
        let (mut client, _) = Client::load(self.options.clone(), |_| {})?;
        let windows = self.windows.iter().map(|tokens| Sequence { tokens: tokens.clone(), from: 1 });
        let long = score(&mut client, windows.collect(), Layout::Long)?;
        let short = score(&mut client, self.sequences.clone(), Layout::Together)?;
        client.shut_down(PATIENCE);
        Ok((long, short))
    }
}

fn score(client: &mut Client, sequences: Vec<Sequence>, layout: Layout) -> Result<Timing, EngineError> {
    let request = ScoreBatch {
        sequences,
        layout,
        depth: Depth::Count(1),
        boundaries: false,
        after: false,
        cancel: CancelFlag::default(),
        in_force: Default::default(),
    };
    client.run(Command::Score(request), |_| {}).map(|(_, timing)| timing)
}

fn rows_per_second(timing: &Timing) -> f64 {
    timing.rows as f64 / timing.prefill.as_secs_f64()
}

impl ScoringReport {
    /// For people.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "pair   bare t/s   text rows/s   ratio   short rows/s   ratio")?;
        for (i, bare) in self.bare.iter().enumerate() {
            let (text, short) = (self.text[i], self.short[i]);
            let (of_text, of_short) = (text / bare, short / bare);
            writeln!(
                out,
                "{:>4} {bare:>10.1} {text:>13.1} {of_text:>7.3} {short:>14.1} {of_short:>7.3}",
                i + 1
            )?;
        }
        writeln!(
            out,
            "scoring ÷ bare: median ratio {:.3} on a text of {} tokens, {:.3} on {} short sequences \
             ({:.3} of their tokens computed)",
            self.median_text_ratio, self.tokens, self.median_short_ratio, self.sequences, self.computed_share
        )
    }
}
