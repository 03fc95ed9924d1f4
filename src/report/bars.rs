//! Bars and colours of tables, as plain text.

use std::fmt::Write;

use crate::colouring::{Colors, LEVELS, Level, SCALE};

/// A bar of `share` (0..=1) of `columns`, in eighths of a column. Anything above 0 is seen.
pub fn bar(share: f64, columns: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
    let eighths = (share * columns as f64 * 8.0).round() as usize;
    let eighths = if share > 0.0 { eighths.max(1) } else { 0 };
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

/// Levels in a terminal's own 16 colours, the same as on the screen, with their cues; one of them is plain.
const FEW: [&str; LEVELS] = ["94", "", "4", "1;4;35", "1;3;4;91"];

/// Colours text, or leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(pub Colors);

impl Default for Paint {
    fn default() -> Paint {
        Paint(Colors::None)
    }
}

impl Paint {
    /// As the terminal has colours, where there are to be any.
    pub fn new(on: bool) -> Paint {
        match Colors::of_terminal() {
            _ if !on => Paint::default(),
            Colors::Sixteen => Paint(Colors::Sixteen),
            Colors::None | Colors::Many => Paint(Colors::Many),
        }
    }

    /// Whether it colours.
    pub fn is_on(self) -> bool {
        self.0 != Colors::None
    }

    /// Text in the colour of a level; the more surprising levels are underlined and bold as well, for
    /// those who don't see the colours.
    pub fn level(self, level: Level, text: &str) -> String {
        let level = level.min(LEVELS - 1);
        let cue = ["", "", "4;", "1;4;", "1;3;4;"][level];
        match self.0 {
            Colors::Sixteen if !FEW[level].is_empty() => format!("\u{1b}[{}m{text}\u{1b}[0m", FEW[level]),
            Colors::None | Colors::Sixteen => text.to_string(),
            Colors::Many => format!("\u{1b}[{cue}38;5;{}m{text}\u{1b}[0m", SCALE[level]),
        }
    }

    /// Less important text.
    pub fn dim(self, text: &str) -> String {
        if self.is_on() { format!("\u{1b}[2m{text}\u{1b}[0m") } else { text.to_string() }
    }

    /// What each level stands for.
    pub fn legend(self, name: &str, labels: [&str; LEVELS]) -> String {
        let mut line = name.to_string();
        for (level, label) in labels.into_iter().enumerate() {
            let _ = write!(line, "  {}", self.level(level, label));
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_share() {
        assert_eq!(bar(0.0, 4), "");
        assert_eq!(bar(1e-9, 4), "▏");
        assert_eq!(bar(0.5, 4), "██");
        assert_eq!(bar(0.53, 4), "██▏");
        assert_eq!(bar(7.0, 4), "████");
        assert_eq!(bar(f64::NAN, 4), "");
    }

    #[test]
    fn without_colour_nothing_is_added() {
        assert_eq!(Paint::default().level(4, "x"), "x");
        assert!(Paint(Colors::Many).level(4, "x").contains("38;5;160m"));
    }

    #[test]
    fn a_terminal_of_16_colours_gets_none_of_the_256() {
        for level in 0..LEVELS {
            assert!(!Paint(Colors::Sixteen).level(level, "x").contains("38;5"));
        }
        let few = [1, 2, 4].map(|level| Paint(Colors::Sixteen).level(level, "x"));
        assert_eq!(few, ["x", "\u{1b}[4mx\u{1b}[0m", "\u{1b}[1;3;4;91mx\u{1b}[0m"]);
    }
}
