//! How doubtful a step was, by one of several measures.

use super::TokenStats;
use crate::text::named;

/// A measure of doubt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Doubt {
    /// −ln p of the token that stands there: the largest first.
    #[default]
    Surprisal,
    /// How far the best candidate is ahead of the second: the smallest first.
    Margin,
    /// How open the choice was: the largest first.
    Entropy,
}

named!(Doubt: Surprisal "surprisal", Margin "margin", Entropy "entropy");

impl Doubt {
    /// The figure in nats, where it is known exactly.
    pub fn figure(self, stats: &TokenStats) -> Option<f64> {
        match self {
            Doubt::Surprisal => Some(stats.surprisal()),
            Doubt::Margin => stats.prediction.margin().map(f64::from),
            Doubt::Entropy => stats.prediction.entropy.map(f64::from).exact(),
        }
    }

    /// The measure after this one.
    #[must_use]
    pub fn next(self) -> Doubt {
        let at = Doubt::ALL.iter().position(|other| *other == self).unwrap_or(0);
        Doubt::ALL[(at + 1) % Doubt::ALL.len()]
    }

    /// The most doubtful first, of equals the earlier one; what has no figure is left out.
    pub fn ranked<'a>(self, steps: impl Iterator<Item = (usize, &'a TokenStats)>) -> Vec<usize> {
        let sign = if self == Doubt::Margin { 1.0 } else { -1.0 };
        let mut ranked: Vec<(f64, usize)> =
            steps.filter_map(|(at, stats)| Some((sign * self.figure(stats)?, at))).collect();
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        ranked.into_iter().map(|(_, at)| at).collect()
    }
}
