//! What looking costs a reply: every step's statistics and events, against decode and sampler alone.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::{PATIENCE, apart, median, sequence};
use crate::distribution::{Depth, Distribution};
use crate::engine::llama::{Attention, Chain, Context, ContextParams, Model, Scratch, SeqId};
use crate::engine::{CancelFlag, Client, Command, EngineError, Generate, LoadOptions, ModelInfo};
use crate::sampling::Sampling;
use crate::token::TokenId;

/// Candidates kept, as in a chat.
const KEPT: usize = 40;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct DecodeReport {
    /// Tokens generated in each run.
    pub tokens: usize,
    /// Tokens a second of the bare loop (decode and sampler), one per pair.
    pub bare: Vec<f64>,
    /// Tokens a second with every step's statistics and events, one per pair.
    pub measured: Vec<f64>,
    /// Time in statistics ÷ time of the whole step, one per pair.
    pub statistics_share: Vec<f64>,
    /// Median of measured ÷ bare.
    pub median_ratio: f64,
    /// Median of `statistics_share`.
    pub median_statistics_share: f64,
}

/// The same loop twice: without and with looking.
pub struct DecodeBench {
    /// The model.
    pub options: LoadOptions,
    /// What an engine says of it.
    pub info: Arc<ModelInfo>,
    /// What every continuation starts from.
    pub prompt: Vec<TokenId>,
    /// How it is sampled: the same seed on both sides gives the same tokens, and they cost the sampler
    /// the same.
    pub sampling: Sampling,
    /// Runs of each kind.
    pub pairs: usize,
    /// Tokens a run.
    pub tokens: usize,
}

impl DecodeBench {
    /// Runs all pairs. `each` is told after every pair.
    ///
    /// # Errors
    /// What the engine says.
    pub fn run(&self, mut each: impl FnMut(usize, f64, f64)) -> Result<DecodeReport, EngineError> {
        let (mut bare, mut measured, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        for pair in 0..self.pairs {
            let raw = apart(|| self.bare())?;
            let (looking, share) = self.measured()?;
            each(pair + 1, raw, looking);
            bare.push(raw);
            measured.push(looking);
            shares.push(share);
        }
        let ratios = bare.iter().zip(&measured).map(|(bare, measured)| measured / bare).collect();
        Ok(DecodeReport {
            tokens: self.tokens,
            median_ratio: median(ratios),
            median_statistics_share: median(shares.clone()),
            bare,
            measured,
            statistics_share: shares,
        })
    }

    /// Decode and sample, and nothing else. Tokens a second.
    fn bare(&self) -> Result<f64, EngineError> {
        let prompt = &self.prompt;
        let model = Arc::new(Model::load(&self.info.path, &CancelFlag::default(), |_| {})?);
        let params = ContextParams {
            cells: self.info.context,
            batch: prompt.len().max(64) as u32,
            outputs: 1,
            sequences: 1,
            threads: self.info.threads,
            attention: Attention::of_conversation(false),
        };
        let mut context = Context::new(&model, params).ok_or(EngineError::Decode(-1))?;
        let mut chain = Chain::new(&model, &self.sampling)?;
        chain.accept_prompt(prompt);
        let mut scratch = Scratch::new(&model);
        let mut batch = sequence(prompt, false);
        context.decode(&batch)?;
        let unseen = Distribution {
            max: 0.0,
            log_sum: 0.0,
            entropy: 0.0,
            varentropy: 0.0,
            top: Vec::new(),
            residual: 1.0,
            boundary: None,
        };
        let mut row = prompt.len() - 1;
        let begun = Instant::now();
        for position in prompt.len()..prompt.len() + self.tokens {
            let logits = context.logits(row).ok_or(EngineError::Decode(-1))?;
            let id = chain.choose(logits, &unseen, &mut scratch)?.id;
            chain.accept(id)?;
            batch.clear();
            batch.push(id, position, &[SeqId(0)], true);
            context.decode(&batch)?;
            row = 0;
        }
        Ok(self.tokens as f64 / begun.elapsed().as_secs_f64())
    }

    /// The same through the engine, as a chat does. Tokens a second, and the share of statistics.
    fn measured(&self) -> Result<(f64, f64), EngineError> {
        let (mut client, _) = Client::load(self.options.clone(), |_| {})?;
        let mut tokens = 0;
        let mut seconds = 0.0;
        let mut statistics = 0.0;
        // An end of generation may come early; the rest is asked for again.
        while tokens < self.tokens {
            let request = Generate {
                id: client.next_id(),
                prompt: self.prompt.clone(),
                sampling: self.sampling.clone(),
                max_tokens: Some(self.tokens - tokens),
                depth: Depth::Count(KEPT),
                cancel: CancelFlag::default(),
            };
            let (_, timing) = client.run(Command::Generate(request), |_| {})?;
            tokens += timing.decode_tokens;
            seconds += timing.decode.as_secs_f64();
            statistics += timing.statistics.as_secs_f64();
        }
        client.shut_down(PATIENCE);
        Ok((tokens as f64 / seconds, statistics / seconds))
    }
}

impl DecodeReport {
    /// For people.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "pair   bare t/s   looking t/s   ratio   statistics")?;
        for (i, ((bare, measured), share)) in
            self.bare.iter().zip(&self.measured).zip(&self.statistics_share).enumerate()
        {
            writeln!(
                out,
                "{:>4} {bare:>10.1} {measured:>13.1} {:>7.3} {:>10.2} %",
                i + 1,
                measured / bare,
                share * 100.0
            )?;
        }
        writeln!(
            out,
            "a reply, looking ÷ bare: median ratio {:.3}, statistics {:.2} % of a step ({} tokens a run)",
            self.median_ratio,
            self.median_statistics_share * 100.0,
            self.tokens
        )
    }
}
