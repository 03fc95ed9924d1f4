//! The stages of the sampler chain, as a step names what dropped a candidate.

use std::fmt;

/// One stage of the chain. Its name is the one `dropped_by` reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// A grammar, JSON schema or regular expression.
    Grammar,
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

impl Stage {
    /// Every stage, in the order of the chain.
    pub const ALL: [Stage; 11] = [
        Stage::Grammar,
        Stage::Penalties,
        Stage::Dry,
        Stage::TopNSigma,
        Stage::TopK,
        Stage::Typical,
        Stage::TopP,
        Stage::MinP,
        Stage::Xtc,
        Stage::Temperature,
        Stage::Mirostat,
    ];

    /// The stage of a name.
    pub fn named(name: &str) -> Option<Stage> {
        Stage::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// The name in tables and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Grammar => "grammar",
            Stage::Penalties => "penalties",
            Stage::Dry => "dry",
            Stage::TopNSigma => "top-n-sigma",
            Stage::TopK => "top-k",
            Stage::Typical => "typical",
            Stage::TopP => "top-p",
            Stage::MinP => "min-p",
            Stage::Xtc => "xtc",
            Stage::Temperature => "temperature",
            Stage::Mirostat => "mirostat",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
