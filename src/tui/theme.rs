//! Colours and styles, as values that the config file may change. Without colour every difference is still
//! told by a modifier.
//!
//! Each theme that ships is readable on a black and on a white screen (a contrast of 3 and more). On a
//! terminal of 16 colours all of them are the same three, which are readable in xterm's palette and in the
//! console's.

use ratatui::style::{Color, Modifier, Style};

use crate::colouring::{Colors, LEVELS, Level, SCALE};
use crate::text::nearest;

/// Styles of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Where the keys go, names that can be picked, what a person said.
    pub accent: Color,
    /// The name beside what the model said.
    pub model: Color,
    /// Something that did not work.
    pub error: Color,
    /// Something that may surprise.
    pub warning: Color,
    /// A bar of probability, the curve.
    pub bar: Color,
    /// Tokens, from expected to surprising.
    pub scale: [Color; LEVELS],
    /// Whether what is less important is fainter.
    pub fades: bool,
}

const fn scale(indices: [u8; LEVELS]) -> [Color; LEVELS] {
    let [a, b, c, d, e] = indices;
    [Color::Indexed(a), Color::Indexed(b), Color::Indexed(c), Color::Indexed(d), Color::Indexed(e)]
}

/// The themes that ship: their names, what they are for, their colours. The first is the default.
pub const THEMES: [(&str, &str, Theme); 4] = [
    (
        "dark",
        "brighter colours, for a dark screen",
        Theme {
            accent: Color::Indexed(32),
            model: Color::Indexed(170),
            error: Color::Indexed(196),
            warning: Color::Indexed(136),
            bar: Color::Indexed(33),
            scale: scale(SCALE),
            fades: true,
        },
    ),
    (
        "light",
        "deeper colours, for a bright screen",
        Theme {
            accent: Color::Indexed(25),
            model: Color::Indexed(127),
            error: Color::Indexed(160),
            warning: Color::Indexed(94),
            bar: Color::Indexed(26),
            scale: scale([26, 61, 96, 130, 161]),
            fades: true,
        },
    ),
    (
        "high-contrast",
        "a contrast of 4.5 and more on any screen, nothing faint",
        Theme {
            accent: Color::Indexed(63),
            model: Color::Indexed(29),
            error: Color::Indexed(163),
            warning: Color::Indexed(131),
            bar: Color::Indexed(63),
            // Nothing is easier to read than the terminal's own foreground.
            scale: [Color::Indexed(63), Color::Reset, Color::Reset, Color::Indexed(131), Color::Indexed(163)],
            fades: false,
        },
    ),
    (
        "colour-blind",
        "blue, grey and orange: told apart without red, green or blue cones",
        Theme {
            accent: Color::Indexed(26),
            model: Color::Indexed(130),
            error: Color::Indexed(161),
            warning: Color::Indexed(139),
            bar: Color::Indexed(26),
            scale: scale([26, 105, 139, 130, 161]),
            fades: true,
        },
    ),
];

/// What every theme is on a terminal of 16 colours.
const FEW: Theme = Theme {
    accent: Color::LightBlue,
    model: Color::Magenta,
    error: Color::LightRed,
    warning: Color::Magenta,
    bar: Color::LightBlue,
    scale: [Color::LightBlue, Color::Reset, Color::Reset, Color::Magenta, Color::LightRed],
    // Half of the console's grey is too dark to be read.
    fades: false,
};

/// What every theme is without colours.
const NONE: Theme = Theme {
    accent: Color::Reset,
    model: Color::Reset,
    error: Color::Reset,
    warning: Color::Reset,
    bar: Color::Reset,
    scale: [Color::Reset; LEVELS],
    fades: true,
};

/// A theme that ships, on a terminal that has so many colours.
///
/// # Errors
/// That there is none of this name, and which there are.
pub fn named(name: &str, colors: Colors) -> Result<Theme, String> {
    let Some((_, _, theme)) = THEMES.into_iter().find(|(other, ..)| *other == name) else {
        let names = THEMES.map(|(name, ..)| name);
        let hint = nearest(name, names).map(|name| format!("did you mean {name}? "));
        let (hint, all) = (hint.unwrap_or_default(), names.join(", "));
        return Err(format!("no theme is called {name:?}: {hint}there are {all}"));
    };
    Ok(match colors {
        Colors::Many => theme,
        Colors::Sixteen => FEW,
        Colors::None => Theme { fades: theme.fades, ..NONE },
    })
}

/// The nearest of the terminal's own 16 in xterm's palette, for a terminal that has no more.
pub fn nearest_of_sixteen(color: Color) -> Color {
    use Color::*;
    const OWN: [(Color, [i32; 3]); 16] = [
        (Black, [0, 0, 0]),
        (Red, [205, 0, 0]),
        (Green, [0, 205, 0]),
        (Yellow, [205, 205, 0]),
        (Blue, [0, 0, 238]),
        (Magenta, [205, 0, 205]),
        (Cyan, [0, 205, 205]),
        (Gray, [229, 229, 229]),
        (DarkGray, [127, 127, 127]),
        (LightRed, [255, 0, 0]),
        (LightGreen, [0, 255, 0]),
        (LightYellow, [255, 255, 0]),
        (LightBlue, [92, 92, 255]),
        (LightMagenta, [255, 0, 255]),
        (LightCyan, [0, 255, 255]),
        (White, [255, 255, 255]),
    ];
    const STEPS: [i32; 6] = [0, 95, 135, 175, 215, 255];
    let rgb = match color {
        Indexed(index @ 0..16) => return OWN[usize::from(index)].0,
        Indexed(index @ 16..232) => {
            let at = usize::from(index - 16);
            [at / 36, at / 6 % 6, at % 6].map(|step| STEPS[step])
        }
        Indexed(index) => [8 + 10 * (i32::from(index) - 232); 3],
        Rgb(r, g, b) => [r, g, b].map(i32::from),
        named => return named,
    };
    let distance = |own: [i32; 3]| own.iter().zip(rgb).map(|(a, b)| (a - b).pow(2)).sum::<i32>();
    OWN.into_iter().min_by_key(|&(_, own)| distance(own)).map_or(Reset, |(color, _)| color)
}

impl Theme {
    /// Less important.
    pub fn dim(self) -> Style {
        if self.fades { Style::new().add_modifier(Modifier::DIM) } else { Style::new() }
    }

    /// A border, bright where the keys go.
    pub fn border(self, focused: bool) -> Style {
        if focused { self.you() } else { self.dim() }
    }

    /// A pane's title.
    pub fn title(self, focused: bool) -> Style {
        if focused { self.you() } else { Style::new() }
    }

    /// The name beside what a person said.
    pub fn you(self) -> Style {
        self.key().add_modifier(Modifier::BOLD)
    }

    /// The name beside what the model said.
    pub fn model(self) -> Style {
        Style::new().fg(self.model).add_modifier(Modifier::BOLD)
    }

    /// Something that did not work.
    pub fn error(self) -> Style {
        Style::new().fg(self.error).add_modifier(Modifier::BOLD)
    }

    /// Something that may surprise.
    pub fn warning(self) -> Style {
        Style::new().fg(self.warning)
    }

    /// The step the panels show.
    pub fn cursor(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A text that is looked for.
    pub fn found(self) -> Style {
        self.key().add_modifier(Modifier::UNDERLINED.union(Modifier::BOLD))
    }

    /// A word that is flagged.
    pub fn flagged(self) -> Style {
        self.warning().add_modifier(Modifier::BOLD.union(Modifier::ITALIC))
    }

    /// The chosen token in the table.
    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// A bar of raw probability.
    pub fn bar(self) -> Style {
        Style::new().fg(self.bar)
    }

    /// A figure the eye should find.
    pub fn figure(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// A name in a list that can be picked.
    pub fn key(self) -> Style {
        Style::new().fg(self.accent)
    }

    /// Text by how surprising it is. The modifier tells the levels apart without colour.
    pub fn level(self, level: Level) -> Style {
        let level = level.min(LEVELS - 1);
        let cue = match level {
            0 | 1 => Modifier::empty(),
            2 => Modifier::UNDERLINED,
            3 => Modifier::UNDERLINED.union(Modifier::BOLD),
            _ => Modifier::UNDERLINED.union(Modifier::BOLD).union(Modifier::ITALIC),
        };
        Style::new().fg(self.scale[level]).add_modifier(cue)
    }
}

#[cfg(test)]
mod tests;
