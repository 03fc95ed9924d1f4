//! What reading a prompt costs: the prompt of a reply and the same tokens scored, every token with its
//! figures, against evaluating them with all their logits and looking at none.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::side::{PATIENCE, apart, median};
use crate::distribution::Depth;
use crate::engine::llama::{Attention, Batch, Context, ContextParams, Model, SeqId};
use crate::engine::{
    CancelFlag, Client, Command, EngineError, Generate, Layout, LoadOptions, ModelInfo, ScoreBatch, Sequence,
};
use crate::sampling::Sampling;
use crate::token::TokenId;

/// Candidates kept, as in a chat.
const KEPT: usize = 40;
/// Tokens in one batch of the bare side, where their logits take no more than this.
const BATCH: usize = 512;
const LOGITS_BYTES: usize = 128 << 20;

/// What was measured, one value per pair.
#[derive(Clone, Debug, Serialize)]
pub struct PromptReport {
    /// Tokens of the prompt.
    pub tokens: usize,
    /// Tokens a second of the bare engine with all logits asked for.
    pub bare: Vec<f64>,
    /// Tokens a second as the prompt of a reply.
    pub prompt: Vec<f64>,
    /// Tokens a second scored.
    pub scored: Vec<f64>,
    /// Median of prompt ÷ bare.
    pub median_prompt_ratio: f64,
    /// Median of scored ÷ bare.
    pub median_scored_ratio: f64,
    /// Median of prompt ÷ scored.
    pub median_prompt_to_scored: f64,
}

/// One prompt, three times.
pub struct PromptBench {
    /// The model.
    pub options: LoadOptions,
    /// What an engine says of it.
    pub info: Arc<ModelInfo>,
    /// The prompt; it fits the context.
    pub tokens: Vec<TokenId>,
    /// Runs of each kind.
    pub pairs: usize,
}

impl PromptBench {
    /// Runs all pairs. `each` is told after every pair: bare, prompt, scored.
    ///
    /// # Errors
    /// What the engine says.
    pub fn run(&self, mut each: impl FnMut(usize, [f64; 3])) -> Result<PromptReport, EngineError> {
        let (mut bare, mut prompt, mut scored) = (Vec::new(), Vec::new(), Vec::new());
        for pair in 0..self.pairs {
            let rates = [
                apart(|| self.bare())?,
                apart(|| self.through_engine(self.as_prompt()))?,
                apart(|| self.through_engine(self.as_text()))?,
            ];
            each(pair + 1, rates);
            bare.push(rates[0]);
            prompt.push(rates[1]);
            scored.push(rates[2]);
        }
        let ratio = |of: &[f64], to: &[f64]| median(of.iter().zip(to).map(|(of, to)| of / to).collect());
        Ok(PromptReport {
            tokens: self.tokens.len(),
            median_prompt_ratio: ratio(&prompt, &bare),
            median_scored_ratio: ratio(&scored, &bare),
            median_prompt_to_scored: ratio(&prompt, &scored),
            bare,
            prompt,
            scored,
        })
    }

    fn bare(&self) -> Result<f64, EngineError> {
        let model = Arc::new(Model::load(&self.info.path, &CancelFlag::default(), |_| {})?);
        let batch = (LOGITS_BYTES / (4 * self.info.vocab.len().max(1))).clamp(1, BATCH);
        let params = ContextParams {
            cells: self.info.context,
            batch: batch as u32,
            outputs: batch as u32,
            sequences: 1,
            threads: self.info.threads,
            attention: Attention::of_conversation(false),
        };
        let cells = params.cells as usize;
        let mut context = Context::new(&model, params).ok_or(EngineError::NoContext { cells })?;
        let begun = Instant::now();
        for (i, chunk) in self.tokens.chunks(batch).enumerate() {
            let mut all = Batch::default();
            for (offset, &token) in chunk.iter().enumerate() {
                all.push(token, i * batch + offset, &[SeqId(0)], true);
            }
            context.decode(&all)?;
            // llama.cpp computes while nobody looks; this waits for it.
            context.logits(chunk.len() - 1).ok_or(EngineError::Decode(-1))?;
        }
        Ok(self.tokens.len() as f64 / begun.elapsed().as_secs_f64())
    }

    fn through_engine(&self, command: Command) -> Result<f64, EngineError> {
        let (mut client, _) = Client::load(self.options.clone(), |_| {})?;
        let (_, timing) = client.run(command, |_| {})?;
        client.shut_down(PATIENCE);
        Ok(timing.prefill_tokens as f64 / timing.prefill.as_secs_f64())
    }

    fn as_prompt(&self) -> Command {
        Command::Generate(Generate {
            prompt: self.tokens.clone(),
            sampling: Sampling::default(),
            max_tokens: Some(1),
            depth: Depth::Count(KEPT),
            cancel: CancelFlag::default(),
            in_force: Default::default(),
        })
    }

    fn as_text(&self) -> Command {
        Command::Score(ScoreBatch {
            sequences: vec![Sequence { tokens: self.tokens.clone(), from: 1 }],
            layout: Layout::Long,
            depth: Depth::Count(KEPT),
            boundaries: false,
            after: false,
            cancel: CancelFlag::default(),
            in_force: Default::default(),
        })
    }
}

impl PromptReport {
    /// For people.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "pair   bare t/s   prompt t/s   scored t/s")?;
        for (i, bare) in self.bare.iter().enumerate() {
            writeln!(out, "{:>4} {bare:>10.1} {:>12.1} {:>12.1}", i + 1, self.prompt[i], self.scored[i])?;
        }
        writeln!(
            out,
            "a prompt of {} tokens: prompt ÷ bare median ratio {:.3}, scored ÷ bare {:.3}, prompt ÷ scored {:.3}",
            self.tokens, self.median_prompt_ratio, self.median_scored_ratio, self.median_prompt_to_scored
        )
    }
}
