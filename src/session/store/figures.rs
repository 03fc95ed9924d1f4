//! The figures of one token, as they are kept.

use serde::{Deserialize, Serialize};

use super::ROUNDING;
use crate::sampling::Stage;
use crate::step::{Candidate, Figure, Prediction, SamplerOutcome, TokenStats};
use crate::token::TokenId;

/// A token's own figures and the distribution around it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredStats {
    /// Raw ln p; null for −∞.
    logprob: Option<f32>,
    rank: Figure<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fate: Option<StoredOutcome>,
    entropy: Figure<f32>,
    varentropy: Figure<f32>,
    /// Probability outside `top`.
    residual: Figure<f64>,
    /// The best candidates: id, raw ln p, rank, and what the sampler made of it.
    top: Vec<(TokenId, Option<f32>, u32, Option<StoredOutcome>)>,
}

/// Probability after the sampler, and the stage that dropped it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct StoredOutcome(f32, Option<String>);

impl StoredStats {
    pub(super) fn new(stats: &TokenStats) -> StoredStats {
        let prediction = &stats.prediction;
        let top = prediction.top_logprobs.iter();
        StoredStats {
            logprob: finite(stats.logprob),
            rank: stats.rank,
            fate: stats.outcome.map(StoredOutcome::new),
            entropy: prediction.entropy,
            varentropy: prediction.varentropy,
            residual: prediction.residual,
            top: top.map(|c| (c.id, finite(c.logprob), c.rank, c.outcome.map(StoredOutcome::new))).collect(),
        }
    }

    /// What is wrong with it, if anything.
    pub(super) fn check(&self, n_vocab: usize) -> Result<(), &'static str> {
        let candidate = |(id, logprob, rank, fate): &(TokenId, Option<f32>, u32, Option<StoredOutcome>)| {
            id.index() < n_vocab && *rank > 0 && is_logprob(*logprob) && is_fate(fate.as_ref())
        };
        let sums = [self.entropy.map(f64::from), self.varentropy.map(f64::from), self.residual];
        match () {
            () if !is_logprob(self.logprob) => Err("its ln p is above 0"),
            () if self.rank != Figure::NotGiven && !self.rank.all(|rank| rank > 0) => {
                Err("its rank is 0; the first rank is 1")
            }
            () if !is_fate(self.fate.as_ref()) => {
                Err("what the sampler made of it is no probability and stage")
            }
            () if sums
                .iter()
                .any(|sum| *sum != Figure::NotGiven && !sum.all(|sum| sum.is_finite() && sum >= 0.0)) =>
            {
                Err("entropy, varentropy or residual is below 0")
            }
            () if self.top.len() > n_vocab => Err("it has more candidates than there are tokens"),
            () if !self.top.iter().all(candidate) => Err("a candidate's figures can't be"),
            () => Ok(()),
        }
    }

    pub(super) fn restored(&self, n_vocab: usize) -> TokenStats {
        let top = self.top.iter().map(|(id, logprob, rank, fate)| Candidate {
            id: *id,
            logprob: logprob.unwrap_or(f32::NEG_INFINITY),
            rank: *rank,
            outcome: fate.as_ref().map(StoredOutcome::restored),
        });
        TokenStats {
            logprob: self.logprob.unwrap_or(f32::NEG_INFINITY),
            rank: self.rank,
            outcome: self.fate.as_ref().map(StoredOutcome::restored),
            prediction: Prediction {
                top_logprobs: top.collect(),
                entropy: self.entropy,
                varentropy: self.varentropy,
                residual: self.residual,
                n_vocab: u32::try_from(n_vocab).unwrap_or(u32::MAX),
                boundary: None,
            },
        }
    }
}

impl StoredOutcome {
    fn new(outcome: SamplerOutcome) -> StoredOutcome {
        StoredOutcome(outcome.prob, outcome.dropped_by.map(|stage| stage.name().to_string()))
    }

    fn restored(&self) -> SamplerOutcome {
        SamplerOutcome { prob: self.0, dropped_by: self.1.as_deref().and_then(Stage::named) }
    }
}

fn finite(logprob: f32) -> Option<f32> {
    logprob.is_finite().then_some(logprob)
}

fn is_logprob(logprob: Option<f32>) -> bool {
    logprob.is_none_or(|logprob| logprob <= ROUNDING)
}

fn is_fate(fate: Option<&StoredOutcome>) -> bool {
    fate.is_none_or(|StoredOutcome(prob, stage)| {
        (0.0..=1.0 + ROUNDING).contains(prob)
            && stage.as_deref().is_none_or(|name| Stage::named(name).is_some())
    })
}
