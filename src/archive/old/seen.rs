//! The figures of one token in a file of version 1.

use serde::Deserialize;

use crate::archive::figures::{is_logprob, is_probability};
use crate::sampling::Stage;
use crate::step::{Candidate, Figure, Prediction, SamplerOutcome, TokenStats};
use crate::token::TokenId;

/// A token's own figures and the distribution around it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredStats {
    /// Raw ln p; null for −∞.
    logprob: Option<f32>,
    rank: Figure<u32>,
    fate: Option<StoredOutcome>,
    entropy: Figure<f32>,
    varentropy: Figure<f32>,
    /// Probability outside `top`.
    residual: Figure<f64>,
    /// The best candidates: id, raw ln p, rank, and what the sampler made of it.
    top: Vec<(TokenId, Option<f32>, u32, Option<StoredOutcome>)>,
}

/// Probability after the sampler, and the stage that dropped it.
#[derive(Deserialize)]
struct StoredOutcome(f32, Option<String>);

impl StoredStats {
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
    fn restored(&self) -> SamplerOutcome {
        SamplerOutcome { prob: self.0, dropped_by: self.1.as_deref().and_then(Stage::named) }
    }
}

fn is_fate(fate: Option<&StoredOutcome>) -> bool {
    fate.is_none_or(|StoredOutcome(prob, stage)| {
        is_probability(*prob) && stage.as_deref().is_none_or(|name| Stage::named(name).is_some())
    })
}
