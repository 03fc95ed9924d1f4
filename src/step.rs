//! What one position of a sequence shows: the token there and what the model said about it.
//!
//! The one record that the engine produces and every view, report and export reads. It holds ids and
//! numbers only; bytes come from the [`crate::token::Vocab`]. Raw figures (before any sampler) and
//! final ones (after) have separate fields and are never mixed. What a backend may not know is a
//! [`Figure`]; candidates are what it gave.

mod doubt;
mod figure;
mod stage;

pub use doubt::Doubt;
pub use figure::Figure;
pub use stage::Stage;

use crate::distribution::{BoundaryMass, Depth, Distribution};
use crate::token::TokenId;

/// What the sampler chain made of a token.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerOutcome {
    /// Probability after the whole chain; 0 where a stage dropped the token.
    pub prob: f32,
    /// The first stage that removed it or set it to −∞.
    pub dropped_by: Option<Stage>,
}

/// One token that could stand at a position. `Rank` is a [`Figure`] for a token of which it may not be
/// known, because it is none of the most probable.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate<Rank = u32> {
    /// The token.
    pub id: TokenId,
    /// Raw ln p in nats; −∞ for an impossible token.
    pub logprob: f32,
    /// 1-based rank by raw probability; ties share the better rank.
    pub rank: Rank,
    /// Present where a sampler ran.
    pub outcome: Option<SamplerOutcome>,
}

/// A token of which no more may be known than its log-probability.
pub type AnyToken = Candidate<Figure<u32>>;

impl From<Candidate> for AnyToken {
    fn from(candidate: Candidate) -> AnyToken {
        let Candidate { id, logprob, rank, outcome } = candidate;
        AnyToken { id, logprob, rank: rank.into(), outcome }
    }
}

impl<Rank> Candidate<Rank> {
    /// Raw probability.
    pub fn prob(&self) -> f64 {
        f64::from(self.logprob).exp()
    }
}

/// The distribution at a position, as far as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// The most probable tokens, by (logprob descending, id ascending).
    pub top_logprobs: Vec<Candidate>,
    /// Entropy in nats, over the whole vocabulary.
    pub entropy: Figure<f32>,
    /// Varentropy in nats², over the whole vocabulary.
    pub varentropy: Figure<f32>,
    /// Summed probability of everything outside `top_logprobs`.
    pub residual: Figure<f64>,
    /// Size of the vocabulary.
    pub n_vocab: u32,
    /// Mass of the tokens that may end a word, where it was asked for.
    pub boundary: Option<Box<BoundaryMass>>,
}

impl Prediction {
    /// The first k candidates and the mass outside them. Asking for more than is kept gives what is
    /// kept.
    pub fn shown(&self, k: usize) -> (&[Candidate], Figure<f64>) {
        let k = k.min(self.top_logprobs.len());
        let hidden: f64 = self.top_logprobs[k..].iter().map(Candidate::prob).sum();
        (&self.top_logprobs[..k], self.residual.map(|residual| residual + hidden))
    }

    /// What is kept of a measured row of `n_vocab` logits; `outcome` tells what a sampler did with each of the
    /// most probable tokens.
    pub fn measured(
        raw: &Distribution,
        n_vocab: usize,
        outcome: impl Fn(usize) -> Option<SamplerOutcome>,
    ) -> Prediction {
        let (mut rank, mut last) = (0, f32::INFINITY);
        let top = raw.top().iter().enumerate().map(|(i, &(id, logit))| {
            if logit < last {
                (rank, last) = (i as u32 + 1, logit);
            }
            Candidate { id, logprob: raw.logprob(logit) as f32, rank, outcome: outcome(i) }
        });
        Prediction {
            top_logprobs: top.collect(),
            entropy: (raw.entropy as f32).into(),
            varentropy: (raw.varentropy as f32).into(),
            residual: raw.residual.into(),
            n_vocab: n_vocab as u32,
            boundary: raw.boundary.map(Box::new),
        }
    }

    /// What the most probable tokens alone say of a whole distribution over `n_vocab` tokens. Its entropy
    /// is at least that of what is known, and at most what it would be if all the rest were equally
    /// probable.
    pub fn of_top(top_logprobs: Vec<Candidate>, n_vocab: u32) -> Prediction {
        let known =
            |of: fn(f64) -> f64| top_logprobs.iter().map(|candidate| of(candidate.prob())).sum::<f64>();
        let rest = (1.0 - known(|p| p)).max(0.0);
        let part = |p: f64| if p > 0.0 { -p * p.ln() } else { 0.0 };
        let low = known(|p| if p > 0.0 { -p * p.ln() } else { 0.0 });
        let others = f64::from(n_vocab) - top_logprobs.len() as f64;
        let entropy = if others <= 0.0 || rest == 0.0 {
            Figure::Exact(low as f32)
        } else {
            Figure::Bounded([low as f32, (low + part(rest) + rest * others.ln()) as f32])
        };
        Prediction {
            top_logprobs,
            entropy,
            varentropy: Figure::NotGiven,
            residual: rest.into(),
            n_vocab,
            boundary: None,
        }
    }

    /// The rank of a token among the most probable; outside them it is only known to come later.
    pub fn rank_of(&self, id: TokenId) -> Figure<u32> {
        match self.top_logprobs.iter().find(|candidate| candidate.id == id) {
            Some(candidate) => candidate.rank.into(),
            None => Figure::Bounded([self.top_logprobs.len() as u32 + 1, self.n_vocab]),
        }
    }

    /// The fewest candidates that hold `share` of the mass, as far as they are kept.
    fn enough_for(&self, share: f64) -> usize {
        let mut held = 0.0;
        let last = self.top_logprobs.iter().position(|candidate| {
            held += candidate.prob();
            held >= share
        });
        last.map_or(self.top_logprobs.len(), |i| i + 1)
    }

    /// How many candidates a depth means here.
    pub fn count(&self, depth: Depth) -> usize {
        match depth {
            Depth::Count(k) => k.min(self.top_logprobs.len()),
            Depth::Mass(share) => self.enough_for(share),
        }
    }

    /// What the Kullback–Leibler divergence of another distribution from this one is at least, Σ p ln(p ÷ other),
    /// as far as both lists of candidates tell: everything that is not in both counts as one.
    pub fn divergence_at_least(&self, other: &Prediction) -> f64 {
        let (mut sum, mut own_rest, mut other_rest) = (0.0, 1.0, 1.0);
        for candidate in &self.top_logprobs {
            let Some(same) = other.top_logprobs.iter().find(|same| same.id == candidate.id) else { continue };
            let (p, q) = (candidate.prob(), same.prob());
            if p > 0.0 {
                sum += p * f64::from(candidate.logprob - same.logprob);
            }
            own_rest -= p;
            other_rest -= q;
        }
        // What is left of 1 is known to rounding only.
        if own_rest > 1e-6 && other_rest > 1e-6 {
            sum += own_rest * (own_rest / other_rest).ln();
        }
        sum.max(0.0)
    }

    /// The difference between the two best log-probabilities, in nats.
    pub fn margin(&self) -> Option<f32> {
        match self.top_logprobs.as_slice() {
            [best, second, ..] => Some(best.logprob - second.logprob),
            _ => None,
        }
    }
}

/// A token at its position, with the distribution it was taken from.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The token that stands here.
    pub id: TokenId,
    /// `None` for a token without context (the first of a sequence).
    pub stats: Option<TokenStats>,
}

/// A chosen token's own figures and the distribution around it.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenStats {
    /// Raw ln p of the token in nats; −∞ for an impossible token.
    pub logprob: f32,
    /// 1-based rank by raw probability; ties share the better rank.
    pub rank: Figure<u32>,
    /// Present where a sampler chose the token.
    pub outcome: Option<SamplerOutcome>,
    /// The whole distribution, as far as it is kept.
    pub prediction: Prediction,
}

impl TokenStats {
    /// Surprisal in nats.
    pub fn surprisal(&self) -> f64 {
        -f64::from(self.logprob)
    }

    /// These figures as those of a token like the candidates.
    pub fn of_token(&self, id: TokenId) -> AnyToken {
        AnyToken { id, logprob: self.logprob, rank: self.rank, outcome: self.outcome }
    }
}

impl Step {
    /// Raw ln p in nats, where the token has context.
    pub fn logprob(&self) -> Option<f32> {
        self.stats.as_ref().map(|stats| stats.logprob)
    }
}

#[cfg(test)]
mod tests;
