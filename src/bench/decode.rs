//! What choosing and looking cost a reply: the sampler, and every step's statistics and events, against
//! decode alone.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use super::side::{PATIENCE, apart, median, sequence};
use crate::distribution::{self, Depth};
use crate::engine::llama::{Attention, Context, ContextParams, MaskedChain, Model, Scratch, SeqId};
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
    /// Tokens a second of decode alone, without a sampler, on the same tokens; one per pair.
    pub bare: Vec<f64>,
    /// Tokens a second of decode and sampler, one per pair.
    pub sampled: Vec<f64>,
    /// Tokens a second with every step's statistics and events, one per pair.
    pub measured: Vec<f64>,
    /// Time in statistics ÷ time of the whole step, one per pair.
    pub statistics_share: Vec<f64>,
    /// Median of measured ÷ bare.
    pub median_ratio: f64,
    /// Median of sampled ÷ bare.
    pub median_sampler_ratio: f64,
    /// Median of `statistics_share`.
    pub median_statistics_share: f64,
}

/// The same loop three times: decode alone, with the sampler, with looking.
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
    pub fn run(&self, mut each: impl FnMut(usize, [f64; 3])) -> Result<DecodeReport, EngineError> {
        let (mut bare, mut measured, mut shares) = (Vec::new(), Vec::new(), Vec::new());
        let mut sampled = Vec::new();
        for pair in 0..self.pairs {
            let (alone, choosing) = apart(|| {
                let (choosing, ids) = self.by_hand(None)?;
                Ok::<_, EngineError>((self.by_hand(Some(ids))?.0, choosing))
            })?;
            let (looking, share) = self.measured()?;
            each(pair + 1, [alone, choosing, looking]);
            bare.push(alone);
            sampled.push(choosing);
            measured.push(looking);
            shares.push(share);
        }
        let ratios = |of: &[f64]| median(bare.iter().zip(of).map(|(bare, of)| of / bare).collect());
        Ok(DecodeReport {
            tokens: self.tokens,
            median_ratio: ratios(&measured),
            median_sampler_ratio: ratios(&sampled),
            median_statistics_share: median(shares.clone()),
            bare,
            sampled,
            measured,
            statistics_share: shares,
        })
    }

    /// Decode and sample, or decode these tokens alone. Tokens a second, and the tokens.
    fn by_hand(&self, given: Option<Vec<TokenId>>) -> Result<(f64, Vec<TokenId>), EngineError> {
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
        let mut chain = MaskedChain::new(&model, &self.sampling)?;
        chain.accept_prompt(prompt);
        let mut scratch = Scratch::new(&model);
        let mut batch = sequence(prompt, false);
        context.decode(&batch)?;
        let mut ids = Vec::with_capacity(self.tokens);
        let mut row = prompt.len() - 1;
        let begun = Instant::now();
        for position in prompt.len()..prompt.len() + self.tokens {
            let logits = context.logits(row).ok_or(EngineError::Decode(-1))?;
            let id = match &given {
                Some(given) => given[position - prompt.len()],
                None => {
                    let best = distribution::best(logits, 1);
                    let id = chain.choose(logits, &best, &mut scratch)?.id;
                    chain.accept(id)?;
                    id
                }
            };
            ids.push(id);
            batch.clear();
            batch.push(id, position, &[SeqId(0)], true);
            context.decode(&batch)?;
            row = 0;
        }
        Ok((self.tokens as f64 / begun.elapsed().as_secs_f64(), ids))
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
                prompt: self.prompt.clone(),
                sampling: self.sampling.clone(),
                max_tokens: Some(self.tokens - tokens),
                depth: Depth::Count(KEPT),
                cancel: CancelFlag::default(),
                in_force: Default::default(),
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
        writeln!(out, "pair   bare t/s   sampler t/s   looking t/s   statistics")?;
        for i in 0..self.bare.len() {
            let (bare, sampled, measured) = (self.bare[i], self.sampled[i], self.measured[i]);
            let share = self.statistics_share[i] * 100.0;
            writeln!(out, "{:>4} {bare:>10.1} {sampled:>13.1} {measured:>13.1} {share:>10.2} %", i + 1)?;
        }
        writeln!(
            out,
            "a reply ÷ decode alone: with sampler median ratio {:.3}, looking {:.3}, statistics {:.2} % of a step ({} tokens a run)",
            self.median_sampler_ratio,
            self.median_ratio,
            self.median_statistics_share * 100.0,
            self.tokens
        )
    }
}
