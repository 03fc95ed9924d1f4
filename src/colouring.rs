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

/// How many colours a terminal has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Colors {
    None,
    /// Its own 16, whatever people make of them.
    Sixteen,
    /// 256 or more.
    #[default]
    Many,
}

impl Colors {
    /// Of the terminal that the environment names.
    pub fn of_terminal() -> Colors {
        let named = |name| std::env::var(name).unwrap_or_default();
        Colors::of(&named("TERM"), &named("COLORTERM"))
    }

    fn of(term: &str, colorterm: &str) -> Colors {
        const MANY: [&str; 9] =
            ["256", "direct", "truecolor", "kitty", "alacritty", "ghostty", "wezterm", "foot", "contour"];
        let is_glass =
            term.strip_prefix("vt").is_some_and(|model| model.starts_with(|c: char| c.is_ascii_digit()));
        if matches!(term, "" | "dumb") || is_glass || term.ends_with("-m") || term.ends_with("-mono") {
            Colors::None
        } else if term == "linux" || (colorterm.is_empty() && !MANY.iter().any(|name| term.contains(name))) {
            Colors::Sixteen
        } else {
            Colors::Many
        }
    }
}

/// Whether the model was unsure before this token: no candidate held half of the mass.
pub fn is_unsure(stats: &TokenStats) -> bool {
    stats.prediction.top_logprobs.first().is_some_and(|best| best.prob() < 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_has_the_colours_that_its_name_says() {
        use Colors::{Many, None, Sixteen};
        for (term, colorterm, colors) in [
            ("xterm-256color", "", Many),
            ("xterm", "truecolor", Many),
            ("xterm-kitty", "", Many),
            ("alacritty", "", Many),
            ("xterm", "", Sixteen),
            ("screen", "", Sixteen),
            ("linux", "", Sixteen),
            ("linux", "truecolor", Sixteen),
            ("vt100", "", None),
            ("vt220", "truecolor", None),
            ("xterm-mono", "", None),
            ("dumb", "truecolor", None),
            ("", "truecolor", None),
        ] {
            assert_eq!(Colors::of(term, colorterm), colors, "{term} {colorterm}");
        }
    }
}
