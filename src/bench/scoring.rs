//! What scoring costs: distributions a second out of the engine, against evaluating tokens with all
//! their logits and looking at none.

use std::io::{self, Write};
use std::time::Instant;

use serde::Serialize;

use super::side::{Bench, apart, context, ratio, sequence};
use crate::engine::llama::{Attention, ContextParams};
use crate::engine::{Client, Command, EngineError, Layout, ScoreBatch, Sequence, Timing};
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

impl Bench<'_> {
    /// A text in windows and short sequences, beside the raw engine on the windows.
    ///
    /// # Errors
    /// What the engine says.
    pub fn scoring(
        &self,
        windows: &[Vec<TokenId>],
        sequences: &[Sequence],
    ) -> Result<ScoringReport, EngineError> {
        let mut computed_share = f64::NAN;
        let measure = || {
            let raw = apart(|| self.bare_windows(windows))?;
            let [long, short] = self.engine(|client| {
                let windows = windows.iter().map(|tokens| Sequence { tokens: tokens.clone(), from: 1 });
                let long = score(client, windows.collect(), Layout::Long)?;
                Ok([long, score(client, sequences.to_vec(), Layout::Together)?])
            })?;
            computed_share = short.prefill_tokens as f64 / short.naive_tokens as f64;
            Ok([raw, rows_per_second(&long), rows_per_second(&short)])
        };
        let [bare, text, short] = self.pairs(measure, |[bare, text, short]| {
            format!("bare {bare:.1} t/s, text {text:.1} rows/s, short {short:.1} rows/s")
        })?;
        Ok(ScoringReport {
            tokens: windows.iter().map(Vec::len).sum(),
            sequences: sequences.len(),
            computed_share,
            median_text_ratio: ratio(&text, &bare),
            median_short_ratio: ratio(&short, &bare),
            bare,
            text,
            short,
        })
    }

    /// The windows one after the other, every row of logits computed and none looked at.
    fn bare_windows(&self, windows: &[Vec<TokenId>]) -> Result<f64, EngineError> {
        let model = self.raw_model()?;
        let size = windows.iter().map(Vec::len).max().unwrap_or(0);
        let params = self.params(size, size);
        // The engine makes one for its first request, too.
        let begun = Instant::now();
        let params = ContextParams { cells: size as u32, attention: Attention::Tiled, ..params };
        let mut context = context(&model, params)?;
        for window in windows {
            context.clear();
            context.decode(&sequence(window, true))?;
            // llama.cpp computes while nobody looks; this waits for it.
            context.logits(window.len() - 1).ok_or(EngineError::Decode(-1))?;
        }
        Ok(windows.iter().map(Vec::len).sum::<usize>() as f64 / begun.elapsed().as_secs_f64())
    }
}

fn score(client: &mut Client, sequences: Vec<Sequence>, layout: Layout) -> Result<Timing, EngineError> {
    let request = ScoreBatch { sequences, layout, ..ScoreBatch::default() };
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
