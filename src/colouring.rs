//! Colouring text by what the model thought of each token.

use crate::step::{Figure, TokenStats};

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

/// From expected to surprising (of the 256 colours): from blue over grey to amber and red, told apart by
/// those who see no red or no green, with a contrast of 3 or more on black and on white.
pub const SCALE: [u8; LEVELS] = [33, 67, 102, 136, 160];

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
    pub fn level(self, stats: &TokenStats) -> Option<Level> {
        let bits = |nats: f64| nats / std::f64::consts::LN_2;
        let below =
            |value: f64, edges: [f64; LEVELS - 1]| edges.iter().filter(|&&edge| value >= edge).count();
        match self {
            Colouring::Off => None,
            Colouring::Probability => {
                let p = f64::from(stats.logprob).exp();
                Some([0.9, 0.6, 0.3, 0.1].iter().filter(|&&edge| p < edge).count())
            }
            Colouring::Surprisal => Some(below(bits(stats.surprisal()), [0.5, 1.0, 2.0, 4.0])),
            Colouring::Entropy => {
                one(stats.prediction.entropy.map(|nats| below(bits(f64::from(nats)), [0.5, 1.0, 2.0, 4.0])))
            }
            Colouring::Rank => one(stats.rank.map(|rank| below(f64::from(rank), [2.0, 4.0, 11.0, 101.0]))),
        }
    }
}

/// The level that a figure has whatever it is within its bounds.
fn one(level: Figure<Level>) -> Option<Level> {
    match level {
        Figure::Exact(level) => Some(level),
        Figure::Bounded([low, high]) => (low == high).then_some(low),
        Figure::NotGiven => None,
    }
}

/// Whether the model was unsure before this token: no candidate held half of the mass.
pub fn is_unsure(stats: &TokenStats) -> bool {
    stats.prediction.top_logprobs.first().is_some_and(|best| best.prob() < 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Colour = [f64; 3];

    /// A colour of the 6×6×6 cube, as light.
    fn light(index: u8) -> Colour {
        const STEPS: [f64; 6] = [0.0, 95.0, 135.0, 175.0, 215.0, 255.0];
        let at = usize::from(index - 16);
        [at / 36, at / 6 % 6, at % 6].map(|step| {
            let share = STEPS[step] / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        })
    }

    /// What is shown, 0..=255 a channel, to someone whose cones mix light like this.
    fn seen(light: Colour, mix: [Colour; 3]) -> Colour {
        mix.map(|row| {
            let share: f64 = row.iter().zip(light).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0);
            255.0 * if share <= 0.003_130_8 { 12.92 * share } else { 1.055 * share.powf(1.0 / 2.4) - 0.055 }
        })
    }

    #[test]
    fn every_level_is_readable_on_black_and_on_white() {
        for index in SCALE {
            let [r, g, b] = light(index);
            let luminance = 0.2126 * r + 0.7152 * g + 0.0722 * b;
            assert!((luminance + 0.05) / 0.05 >= 3.0 && 1.05 / (luminance + 0.05) >= 3.0, "{index}");
        }
    }

    #[test]
    fn levels_are_told_apart_without_red_or_green_cones() {
        // Machado, Oliveira and Fernandes 2009, severity 1.
        let deuteranopia = [
            [0.367_322, 0.860_646, -0.227_968],
            [0.280_085, 0.672_501, 0.047_413],
            [-0.011_820, 0.042_940, 0.968_881],
        ];
        let protanopia = [
            [0.152_286, 1.052_583, -0.204_868],
            [0.114_503, 0.786_281, 0.099_216],
            [-0.003_882, -0.048_116, 1.051_998],
        ];
        for mix in [deuteranopia, protanopia] {
            for (i, &a) in SCALE.iter().enumerate() {
                for &b in &SCALE[..i] {
                    let (a_seen, b_seen) = (seen(light(a), mix), seen(light(b), mix));
                    let distance =
                        a_seen.iter().zip(b_seen).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt();
                    assert!(distance >= 30.0, "{a} and {b}: {distance}");
                }
            }
        }
    }
}
