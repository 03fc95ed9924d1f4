//! What another way costs: the first new token of a branch whose beginning lies in the cache, against a step of the
//! reply it leaves.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::decode::BenchReply;
use super::side::{Bench, median};
use crate::distribution::Depth;
use crate::engine::{Client, Command, EngineError, Event, Generate};
use crate::step::Step;
use crate::token::TokenId;

/// Candidates kept, as in a chat.
const KEPT: usize = 40;

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct BranchReport {
    /// Milliseconds of a step of the reply, the median; one per pair.
    pub step_ms: Vec<f64>,
    /// Milliseconds from asking for the branch to its first new token, one per pair.
    pub first_ms: Vec<f64>,
    /// Median of the one ÷ the other.
    pub median_ratio: f64,
}

impl Bench<'_> {
    /// A reply, and then a branch that leaves it in its middle with another token.
    ///
    /// # Errors
    /// What the engine says.
    pub fn branch(&self, reply: &BenchReply) -> Result<BranchReport, EngineError> {
        let measured = self.engine(|client| {
            (0..self.pairs.max(1)).map(|pair| measure(client, reply, pair)).collect::<Result<Vec<_>, _>>()
        })?;
        let ratios = measured.iter().map(|[step, first]| first / step).collect();
        let [step_ms, first_ms] = [0, 1].map(|i| measured.iter().map(|pair| pair[i] * 1e3).collect());
        Ok(BranchReport { step_ms, first_ms, median_ratio: median(ratios) })
    }
}

/// Seconds of a step, and until the first token of the branch. Each pair has a seed of its own.
fn measure(client: &mut Client, reply: &BenchReply, pair: usize) -> Result<[f64; 2], EngineError> {
    let mut sampling = reply.sampling.clone();
    sampling.seed = sampling.seed.wrapping_add(pair as u32);
    let mut request = Generate {
        prompt: reply.prompt.clone(),
        sampling,
        max_tokens: Some(reply.tokens),
        depth: Depth::Count(KEPT),
        ..Generate::default()
    };
    let (mut steps, mut last): (Vec<(f64, Arc<Step>)>, _) = (Vec::new(), Duration::ZERO);
    client.run(Command::Generate(request.clone()), |event| {
        if let Event::Step { step, elapsed, .. } = event {
            steps.push(((elapsed - last).as_secs_f64(), step));
            last = elapsed;
        }
    })?;
    let step = median(steps.iter().skip(1).map(|(seconds, _)| *seconds).collect());
    // As `/swap` does: the beginning, and the second candidate of the step in the middle.
    let at = steps.len() / 2;
    let second = |step: &Step| Some(step.stats.as_ref()?.prediction.top_logprobs.get(1)?.id);
    let swapped = steps.get(at).and_then(|(_, step)| second(step)).unwrap_or(TokenId(0));
    request.prompt.extend(steps[..at].iter().map(|(_, step)| step.id).chain([swapped]));
    request.known = request.prompt.len();
    request.max_tokens = Some(1);
    let begun = Instant::now();
    let mut first = None;
    client.run(Command::Generate(request), |event| {
        if let (Event::Step { .. }, None) = (event, first) {
            first = Some(begun.elapsed());
        }
    })?;
    Ok([step, first.unwrap_or_default().as_secs_f64()])
}

impl BranchReport {
    /// For people.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let (step, first) = (median(self.step_ms.clone()), median(self.first_ms.clone()));
        writeln!(
            out,
            "the first token of a branch: {first:.1} ms, a step of the reply {step:.1} ms, median ratio {:.2}",
            self.median_ratio
        )
    }
}
