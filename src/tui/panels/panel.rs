//! What one pane does.

use ratatui::Frame;
use ratatui::layout::Position;

use crate::tui::msg::Effect;
use crate::tui::pane::{Pane, PanePlace};
use crate::tui::state::State;

/// What a pane does.
#[derive(Debug)]
pub struct Panel {
    /// Whose it is.
    pub pane: &'static Pane,
    /// What stands in its border, the longest wording first.
    pub title: fn(&State) -> Vec<String>,
    /// Draws what is inside of its border.
    pub draw: fn(&State, &mut Frame, PanePlace),
    /// Takes a click at this position of the screen.
    pub click: fn(&mut State, PanePlace, Position) -> Vec<Effect>,
    /// Scrolls by so many rows.
    pub scroll: fn(&mut State, isize),
    /// Does what a key of its own asks for, by its name.
    pub act: fn(&mut State, &str) -> Vec<Effect>,
    /// Its figures by the names that the glossary has, each with its value in words.
    pub figures: fn(&State) -> Vec<NamedFigure>,
}

/// A figure's name in the glossary, and its value in words.
pub type NamedFigure = (&'static str, String);
