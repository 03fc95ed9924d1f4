//! Colouring text by what the model thought of each token.

use crate::step::Seen;

/// What decides a token's colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colouring {
    /// Plain text.
    #[default]
    Off,
    /// Raw probability of the token.
    Probability,
    /// Surprisal of the token, in bits.
    Surprisal,
    /// Entropy before the token, in bits.
    Entropy,
    /// Rank of the token.
    Rank,
}

/// How notable a token is: 0 is expected, 4 the most surprising.
pub type Level = usize;

/// Levels a colouring has.
pub const LEVELS: usize = 5;

/// From expected to surprising, readable on dark and on light screens (of the 256 colours).
pub const SCALE: [u8; LEVELS] = [34, 148, 220, 208, 196];

impl Colouring {
    /// The one after this.
    pub fn next(self) -> Colouring {
        use Colouring::*;
        match self {
            Off => Probability,
            Probability => Surprisal,
            Surprisal => Entropy,
            Entropy => Rank,
            Rank => Off,
        }
    }

    /// Name and unit for the legend, in bits or in nats.
    pub fn name(self, nats: bool) -> &'static str {
        match (self, nats) {
            (Colouring::Off, _) => "off",
            (Colouring::Probability, _) => "probability %",
            (Colouring::Surprisal, false) => "surprisal bit",
            (Colouring::Surprisal, true) => "surprisal nat",
            (Colouring::Entropy, false) => "entropy bit",
            (Colouring::Entropy, true) => "entropy nat",
            (Colouring::Rank, _) => "rank",
        }
    }

    /// What each level stands for, from expected to surprising: the same edges in either unit.
    pub fn legend(self, nats: bool) -> [&'static str; LEVELS] {
        match (self, nats) {
            (Colouring::Off, _) => [""; LEVELS],
            (Colouring::Probability, _) => ["≥90", "≥60", "≥30", "≥10", "<10"],
            (Colouring::Surprisal | Colouring::Entropy, false) => ["<½", "<1", "<2", "<4", "≥4"],
            (Colouring::Surprisal | Colouring::Entropy, true) => {
                ["<0.35", "<0.69", "<1.39", "<2.77", "≥2.77"]
            }
            (Colouring::Rank, _) => ["1", "≤3", "≤10", "≤100", ">100"],
        }
    }

    /// The level of a token.
    pub fn level(self, seen: &Seen) -> Option<Level> {
        let bits = |nats: f64| nats / std::f64::consts::LN_2;
        let below =
            |value: f64, edges: [f64; LEVELS - 1]| edges.iter().filter(|&&edge| value >= edge).count();
        match self {
            Colouring::Off => None,
            Colouring::Probability => {
                let p = f64::from(seen.logprob).exp();
                Some([0.9, 0.6, 0.3, 0.1].iter().filter(|&&edge| p < edge).count())
            }
            Colouring::Surprisal => Some(below(bits(seen.surprisal()), [0.5, 1.0, 2.0, 4.0])),
            Colouring::Entropy => Some(below(bits(f64::from(seen.outlook.entropy)), [0.5, 1.0, 2.0, 4.0])),
            Colouring::Rank => Some(below(f64::from(seen.rank), [2.0, 4.0, 11.0, 101.0])),
        }
    }
}

/// Whether the model was unsure before this token: no candidate held half of the mass.
pub fn is_unsure(seen: &Seen) -> bool {
    seen.outlook.top.first().is_some_and(|best| best.prob() < 0.5)
}
