//! Colours and styles, in one place. Without colour every difference is still told by a modifier.

use ratatui::style::{Color, Modifier, Style};

use super::colouring::{LEVELS, Level, SCALE};

/// Styles of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Whether colours may be used.
    pub color: bool,
}

impl Theme {
    fn fg(self, color: Color) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new() }
    }

    /// Less important.
    pub fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// A border, bright where the keys go.
    pub fn border(self, focused: bool) -> Style {
        if focused { self.fg(Color::Cyan).add_modifier(Modifier::BOLD) } else { self.dim() }
    }

    /// A pane's title.
    pub fn title(self, focused: bool) -> Style {
        if focused { self.fg(Color::Cyan).add_modifier(Modifier::BOLD) } else { Style::new() }
    }

    /// The name beside what a person said.
    pub fn you(self) -> Style {
        self.fg(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// The name beside what the model said.
    pub fn model(self) -> Style {
        self.fg(Color::Magenta).add_modifier(Modifier::BOLD)
    }

    /// Something that did not work.
    pub fn error(self) -> Style {
        self.fg(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// Something that may surprise.
    pub fn warning(self) -> Style {
        self.fg(Color::Yellow)
    }

    /// The step the panels show.
    pub fn cursor(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// The chosen token in the table.
    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// A bar of raw probability.
    pub fn bar(self) -> Style {
        self.fg(Color::Blue)
    }

    /// A figure the eye should find.
    pub fn figure(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// A name in a list that can be picked.
    pub fn key(self) -> Style {
        self.fg(Color::Cyan)
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
        self.fg(Color::Indexed(SCALE[level])).add_modifier(cue)
    }
}
