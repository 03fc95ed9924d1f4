//! What reading a prompt costs: the prompt of a reply and the same tokens scored, every token with its
//! figures, against evaluating them with all their logits and looking at none.

use std::io::{self, Write};
use std::time::Instant;

use serde::Serialize;

use super::side::{Bench, apart, context, ratio};
use crate::distribution::Depth;
use crate::engine::llama::{Batch, SeqId};
use crate::engine::{Command, EngineError, Generate, Layout, ScoreBatch, Sequence};
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

impl Bench<'_> {
    /// The same tokens three times: by the raw engine, as a prompt, as a scored text.
    ///
    /// # Errors
    /// What the engine says.
    pub fn prompt(&self, tokens: &[TokenId]) -> Result<PromptReport, EngineError> {
        let measure = || {
            Ok([
                apart(|| self.all_rows(tokens))?,
                apart(|| self.through_engine(as_prompt(tokens)))?,
                apart(|| self.through_engine(as_text(tokens)))?,
            ])
        };
        let [bare, prompt, scored] = self.pairs(measure, |[bare, prompt, scored]| {
            format!("bare {bare:.1} t/s, prompt {prompt:.1} t/s, scored {scored:.1} t/s")
        })?;
        Ok(PromptReport {
            tokens: tokens.len(),
            median_prompt_ratio: ratio(&prompt, &bare),
            median_scored_ratio: ratio(&scored, &bare),
            median_prompt_to_scored: ratio(&prompt, &scored),
            bare,
            prompt,
            scored,
        })
    }

    /// Every row of logits computed and none looked at.
    fn all_rows(&self, tokens: &[TokenId]) -> Result<f64, EngineError> {
        let model = self.raw_model()?;
        let batch = (LOGITS_BYTES / (4 * self.info.vocab.len().max(1))).clamp(1, BATCH);
        let mut context = context(&model, self.params(batch, batch))?;
        let begun = Instant::now();
        for (i, chunk) in tokens.chunks(batch).enumerate() {
            let mut all = Batch::default();
            for (offset, &token) in chunk.iter().enumerate() {
                all.push(token, i * batch + offset, &[SeqId(0)], true);
            }
            context.decode(&all)?;
            // llama.cpp computes while nobody looks; this waits for it.
            context.logits(chunk.len() - 1).ok_or(EngineError::Decode(-1))?;
        }
        Ok(tokens.len() as f64 / begun.elapsed().as_secs_f64())
    }

    fn through_engine(&self, command: Command) -> Result<f64, EngineError> {
        let (_, timing) = self.engine(|client| client.run(command, |_| {}))?;
        Ok(timing.prefill_tokens as f64 / timing.prefill.as_secs_f64())
    }
}

fn as_prompt(tokens: &[TokenId]) -> Command {
    Command::Generate(Generate {
        prompt: tokens.to_vec(),
        max_tokens: Some(1),
        depth: Depth::Count(KEPT),
        ..Generate::default()
    })
}

fn as_text(tokens: &[TokenId]) -> Command {
    Command::Score(ScoreBatch {
        sequences: vec![Sequence { tokens: tokens.to_vec(), from: 1 }],
        layout: Layout::Long,
        depth: Depth::Count(KEPT),
        ..ScoreBatch::default()
    })
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
