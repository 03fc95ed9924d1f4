//! What a sampler with other settings would make of a step: its final distribution, by the one implementation of
//! the chain there is, with the path before the step replayed.

use super::at_step::{SampledRow, StepRow};
use crate::sampling::chain::{Chain, LeftTokens, WatchedToken};
use crate::sampling::{Sampling, Stage, Xtc};
use crate::step::{Candidate, Figure, Prediction, SamplerOutcome};
use crate::token::{TokenId, Vocab};

/// What became of one token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fate {
    /// The token.
    pub id: TokenId,
    /// Raw ln p in nats.
    pub logprob: f32,
    /// 1-based, by raw probability.
    pub rank: u32,
    /// Its probability after the whole chain.
    pub prob: Figure<f32>,
    /// The first stage that dropped it.
    pub dropped_by: Option<Stage>,
}

/// What a sampler makes of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct WhatIf {
    /// The tokens that were asked for, in their order.
    pub tokens: Vec<Fate>,
    /// How many tokens of the vocabulary can still be chosen.
    pub left: Option<usize>,
    /// What a person should know of it.
    pub note: Option<String>,
}

impl StepRow {
    /// What a sampler makes of these tokens here. A stage that acts by chance is shown acting.
    pub fn what_if(&self, sampling: &Sampling, ids: &[TokenId]) -> WhatIf {
        let fates = |left: Option<&LeftTokens>| {
            let fate = |(i, &id): (usize, &TokenId)| {
                let raw = self.raw(id);
                let outcome = left.and_then(|left| left.watched.get(i)).copied();
                Fate::new(sampling, raw, outcome, sampling.grammar.is_some() && self.is_ruled_out(id))
            };
            ids.iter().enumerate().map(fate).collect()
        };
        let Some(SampledRow { row, best }) = self.sampled(sampling.grammar.is_some()) else {
            let nothing = "the constraint on replies leaves no token here".to_string();
            let note = self.refusal().map_or(nothing, str::to_string);
            return WhatIf { tokens: fates(None), left: None, note: Some(note) };
        };
        let (sampling, note) = acting(sampling);
        let mut chain = Chain::new(&sampling, &self.model.vocab, self.reach);
        self.wish.path.iter().for_each(|&id| chain.accept(id));
        self.wish.begun.iter().for_each(|&prob| chain.observe(prob));
        let left = chain.left(row, best[..].into(), WatchedToken::new(ids.to_vec()));
        WhatIf { tokens: fates(Some(&left)), left: Some(left.count), note }
    }
}

impl Fate {
    fn new(sampling: &Sampling, raw: Candidate, outcome: Option<SamplerOutcome>, is_ruled_out: bool) -> Fate {
        let prob = outcome.map_or(Figure::NotGiven, |outcome| outcome.prob.into());
        let by_mirostat = sampling.mirostat.is_some() && !sampling.is_greedy();
        let dropped_by = match outcome {
            _ if is_ruled_out => Some(Stage::Grammar),
            // Mirostat is no stage to the chain.
            Some(SamplerOutcome { prob: 0.0, dropped_by: None }) if by_mirostat => Some(Stage::Mirostat),
            outcome => outcome.and_then(|outcome| outcome.dropped_by),
        };
        Fate { id: raw.id, logprob: raw.logprob, rank: raw.rank, prob, dropped_by }
    }
}

/// The settings with what acts by chance acting, and a word on that.
fn acting(sampling: &Sampling) -> (Sampling, Option<String>) {
    let Some(Xtc { probability, threshold }) = sampling.xtc.filter(|xtc| xtc.probability > 0.0) else {
        return (sampling.clone(), None);
    };
    let note = (probability < 1.0)
        .then(|| format!("xtc acts at {} % of the steps: shown is what it does there", probability * 100.0));
    (Sampling { xtc: Some(Xtc { probability: 1.0, threshold }), ..sampling.clone() }, note)
}

/// What a sampler would make of a step of which only the most probable tokens are known: what no other token can
/// change is exact, a temperature alone has bounds, everything else is not given.
pub fn of_known(prediction: &Prediction, sampling: &Sampling, vocab: &Vocab) -> WhatIf {
    let nothing = |note: &str| WhatIf {
        tokens: fates_of(prediction, |_| (Figure::NotGiven, None)),
        left: None,
        note: Some(note.to_string()),
    };
    const WHOLE: &str = "final probabilities are not given: these settings need the whole row";
    let stages = sampling.stages();
    let whole =
        [Stage::Grammar, Stage::Penalties, Stage::Dry, Stage::TopNSigma, Stage::Typical, Stage::Mirostat];
    let top = &prediction.top_logprobs;
    let is_there = !top.is_empty() && prediction.n_vocab as usize >= top.len();
    let Some(residual) = prediction.residual.exact().filter(|_| is_there) else { return nothing(WHOLE) };
    if stages.iter().any(|stage| whole.contains(stage)) {
        return nothing(WHOLE);
    }
    let (sampling, note) = acting(sampling);
    let known = top.len() as u32;
    let left = [Spread::Even, Spread::Steep].map(|spread| {
        let row = row_of(prediction, residual, spread);
        let best: Vec<(TokenId, f32)> = (0..).map(TokenId).zip(row[..top.len()].iter().copied()).collect();
        Chain::new(&sampling, vocab, 0).left(
            &row,
            best[..].into(),
            WatchedToken::new((0..known).map(TokenId).collect()),
        )
    });
    let [even, steep] = &left;
    let others = prediction.n_vocab > known;
    let is_settled = !others || (even.count == steep.count && even.count < top.len());
    if is_settled {
        let fate = |i: usize| (even.watched[i].prob.into(), even.watched[i].dropped_by);
        return WhatIf { tokens: fates_of(prediction, fate), left: Some(even.count), note };
    }
    if stages.iter().all(|stage| *stage == Stage::Temperature) {
        let fate = |i: usize| {
            let (a, b) = (even.watched[i].prob, steep.watched[i].prob);
            (if a == b { Figure::Exact(a) } else { Figure::Bounded([a.min(b), a.max(b)]) }, None)
        };
        let left = Some(prediction.n_vocab as usize);
        return WhatIf { tokens: fates_of(prediction, fate), left, note };
    }
    nothing("final probabilities are not given: more tokens may be left than are kept here")
}

fn fates_of(prediction: &Prediction, fate: impl Fn(usize) -> (Figure<f32>, Option<Stage>)) -> Vec<Fate> {
    let each = prediction.top_logprobs.iter().enumerate();
    each.map(|(i, candidate)| {
        let (prob, dropped_by) = fate(i);
        Fate { id: candidate.id, logprob: candidate.logprob, rank: candidate.rank, prob, dropped_by }
    })
    .collect()
}

/// How what is not known lies among the other tokens.
#[derive(Clone, Copy)]
enum Spread {
    /// Equally.
    Even,
    /// On as few as can hold it: none is more probable than the last that is known.
    Steep,
}

/// A row that begins with the known probabilities, and in which the rest is spread somehow: between the two
/// extremes lies whatever it is, as x ↦ x^(1/T) is concave or convex.
fn row_of(prediction: &Prediction, residual: f64, spread: Spread) -> Vec<f32> {
    let mut row: Vec<f32> = prediction.top_logprobs.iter().map(|one| one.logprob).collect();
    let others = (prediction.n_vocab as usize).saturating_sub(row.len());
    let last = prediction.top_logprobs.last().map_or(0.0, Candidate::prob);
    match spread {
        Spread::Even => {
            row.extend(std::iter::repeat_n((residual / others.max(1) as f64).ln() as f32, others))
        }
        Spread::Steep => {
            let full = if last > 0.0 { ((residual / last) as usize).min(others) } else { 0 };
            row.extend(std::iter::repeat_n(last.ln() as f32, full));
            if full < others {
                row.push((residual - full as f64 * last).max(0.0).ln() as f32);
            }
            row.resize(prediction.n_vocab as usize, f32::NEG_INFINITY);
        }
    }
    row
}

#[cfg(test)]
mod tests;
