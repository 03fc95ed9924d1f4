//! The names of a suite's figures.

use crate::continuation::reduction::Reduction;

/// A figure of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Share of items whose best choice is right; of a lone continuation, whether it is greedy.
    Accuracy(Reduction),
    /// exp of the mean surprisal of a continuation, as a whole.
    Perplexity,
    /// exp of the surprisal per word.
    WordPerplexity,
    /// exp of the surprisal per byte.
    BytePerplexity,
    /// Surprisal per byte, in bits.
    BitsPerByte,
    /// F1 of choice 1 against choice 0.
    F1,
    /// Matthews' correlation of answers and right answers.
    Mcc,
    /// Share of items whose right choice is greedy.
    ExactMatch,
    /// Mean squared distance of the choices' shares of probability from the right answer.
    BrierScore,
    /// Share of items of which everything predicted holds, and of each prediction.
    Predictions,
}

impl Metric {
    /// Every one that a task can name.
    pub const ALL: [Metric; 12] = [
        Metric::Accuracy(Reduction::Acc),
        Metric::Accuracy(Reduction::AccNorm),
        Metric::Accuracy(Reduction::AccBytes),
        Metric::Accuracy(Reduction::AccMutualInfo),
        Metric::Perplexity,
        Metric::WordPerplexity,
        Metric::BytePerplexity,
        Metric::BitsPerByte,
        Metric::F1,
        Metric::Mcc,
        Metric::ExactMatch,
        Metric::BrierScore,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Metric::Accuracy(reduction) => reduction.name(),
            Metric::Perplexity => "perplexity",
            Metric::WordPerplexity => "word_perplexity",
            Metric::BytePerplexity => "byte_perplexity",
            Metric::BitsPerByte => "bits_per_byte",
            Metric::F1 => "f1",
            Metric::Mcc => "mcc",
            Metric::ExactMatch => "exact_match",
            Metric::BrierScore => "brier_score",
            Metric::Predictions => "acc",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Metric> {
        Metric::ALL.into_iter().find(|metric| metric.name() == name)
    }
}

/// Names of the figures a suite file's own suites can have, for limits to be checked against.
pub fn names() -> Vec<String> {
    let mut names = Vec::new();
    for reduction in Reduction::ALL {
        let name = reduction.name();
        names.push(name.to_string());
        names.extend(["stderr", "low", "high"].map(|end| format!("{name}_{end}")));
    }
    let others = "brier_score ece p_mean p_lowest p_highest p_spread difference difference_low \
        difference_high greedy_match greedy_match_low greedy_match_high prevalence \
        prevalence_low prevalence_high agreement passed";
    names.extend(others.split(' ').map(str::to_string));
    names
}
