//! The stages of the sampler chain, as a step names what dropped a candidate.

use std::fmt;

use crate::text::named;

/// One stage of the chain. Its name is the one `dropped_by` reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A grammar, JSON schema or regular expression.
    Grammar,
    /// Adds to the logits of named tokens.
    Bias,
    /// Repeat, presence and frequency penalties.
    Penalties,
    /// Don't-repeat-yourself: penalises continuing a repetition.
    Dry,
    /// Keeps logits within n standard deviations of the largest.
    TopNSigma,
    /// Keeps the k most probable.
    TopK,
    /// Keeps the locally typical.
    Typical,
    /// Keeps the fewest that hold p of the mass (nucleus).
    TopP,
    /// Keeps those above a share of the best one's probability.
    MinP,
    /// Excludes top choices at random.
    Xtc,
    /// Divides logits by the temperature.
    Temperature,
    /// Chooses for a target surprisal.
    Mirostat,
}

named!(Stage:
    Grammar "grammar", Bias "bias", Penalties "penalties", Dry "dry", TopNSigma "top-n-sigma", TopK "top-k",
    Typical "typical", TopP "top-p", MinP "min-p", Xtc "xtc", Temperature "temperature", Mirostat "mirostat",
);

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
