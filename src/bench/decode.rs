//! What choosing and looking cost a reply: the sampler, and every step's statistics and events, against
//! decode alone.

use std::io::{self, Write};
use std::time::Instant;

use serde::Serialize;

use super::side::{Bench, apart, context, median, ratio, sequence};
use crate::distribution::{self, Depth};
use crate::engine::llama::{MaskedChain, Scratch, SeqId};
use crate::engine::{Command, EngineError, Generate};
use crate::sampling::Sampling;
use crate::sampling::chain::FIRST_LOOK;
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

/// A reply that is generated again and again.
pub struct BenchReply {
    /// What every continuation starts from.
    pub prompt: Vec<TokenId>,
    /// How it is sampled: the same seed on both sides gives the same tokens, and they cost the sampler
    /// the same.
    pub sampling: Sampling,
    /// Tokens a run.
    pub tokens: usize,
}

impl Bench<'_> {
    /// The same loop three times: decode alone, with the sampler, with looking.
    ///
    /// # Errors
    /// What the engine says.
    pub fn decode(&self, reply: &BenchReply) -> Result<DecodeReport, EngineError> {
        let measure = || {
            let (alone, choosing) = apart(|| {
                let (choosing, ids) = self.by_hand(reply, None)?;
                Ok((self.by_hand(reply, Some(ids))?.0, choosing))
            })?;
            let [looking, share] = self.looking(reply)?;
            Ok([alone, choosing, looking, share])
        };
        let [bare, sampled, measured, statistics_share] =
            self.pairs(measure, |[alone, choosing, looking, _]| {
                format!(
                    "decode alone {alone:.1} t/s, with sampler {choosing:.1} t/s, looking {looking:.1} t/s"
                )
            })?;
        Ok(DecodeReport {
            tokens: reply.tokens,
            median_ratio: ratio(&measured, &bare),
            median_sampler_ratio: ratio(&sampled, &bare),
            median_statistics_share: median(statistics_share.clone()),
            bare,
            sampled,
            measured,
            statistics_share,
        })
    }

    /// Decode and sample, or decode these tokens alone. Tokens a second, and the tokens.
    fn by_hand(
        &self,
        reply: &BenchReply,
        given: Option<Vec<TokenId>>,
    ) -> Result<(f64, Vec<TokenId>), EngineError> {
        let prompt = &reply.prompt;
        let model = self.raw_model()?;
        let mut context = context(&model, self.params(prompt.len().max(64), 1))?;
        let mut chain = MaskedChain::new(&model, &reply.sampling)?;
        chain.accept_prompt(prompt);
        let mut scratch = Scratch::new(&model);
        let mut batch = sequence(prompt, false);
        context.decode(&batch)?;
        let mut ids = Vec::with_capacity(reply.tokens);
        let mut row = prompt.len() - 1;
        let begun = Instant::now();
        for position in prompt.len()..prompt.len() + reply.tokens {
            let logits = context.logits(row).ok_or(EngineError::Decode(-1))?;
            let id = match &given {
                Some(given) => given[position - prompt.len()],
                None => {
                    let best = distribution::best(logits, FIRST_LOOK);
                    let id = chain.choose(logits, best[..].into(), &mut scratch)?.id;
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
        Ok((reply.tokens as f64 / begun.elapsed().as_secs_f64(), ids))
    }

    /// The same through the engine, as a chat does. Tokens a second, and the share of statistics.
    fn looking(&self, reply: &BenchReply) -> Result<[f64; 2], EngineError> {
        self.engine(|client| {
            let (mut tokens, mut seconds, mut statistics) = (0, 0.0, 0.0);
            // An end of generation may come early; the rest is asked for again.
            while tokens < reply.tokens {
                let request = Generate {
                    prompt: reply.prompt.clone(),
                    sampling: reply.sampling.clone(),
                    max_tokens: Some(reply.tokens - tokens),
                    depth: Depth::Count(KEPT),
                    ..Generate::default()
                };
                let (_, timing) = client.run(Command::Generate(request), |_| {})?;
                tokens += timing.decode_tokens;
                seconds += timing.decode.as_secs_f64();
                statistics += timing.statistics.as_secs_f64();
            }
            Ok([tokens as f64 / seconds, statistics / seconds])
        })
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
