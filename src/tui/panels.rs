//! The panes of the screen, as one table that layout, focus, mouse, help, keys and palette read.
//!
//! A pane is a value: what it is called, where it stands, its keys, how it is drawn, and what a click and
//! a turn of the wheel do there. Another one is one file here and one entry in [`PANES`].

mod chat;
mod likelihood;
mod message;
mod table;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};

use super::keys::Bound;
use super::state::State;

pub use chat::CHAT;
pub use likelihood::LIKELIHOOD;
pub use message::MESSAGE;
pub use table::TABLE;

/// Every pane, in the order in which Tab goes round. The first of a slot is shown until another is asked
/// for.
pub static PANES: [&Pane; 4] = [&MESSAGE, &CHAT, &TABLE, &LIKELIHOOD];

/// A pane of the screen.
#[derive(Debug)]
pub struct Pane {
    /// What it is called: by the palette, in the help, in the config file.
    pub name: &'static str,
    /// What it shows, in a few words.
    pub about: &'static str,
    /// Where it stands.
    pub slot: Slot,
    /// Keys of its own, beside those of every pane.
    pub keys: &'static [Bound],
    /// What stands in its border, the longest wording first.
    pub title: fn(&State) -> Vec<String>,
    /// Draws what is inside of its border.
    pub draw: fn(&State, &mut Frame, PanePlace),
    /// Takes a click at this position of the screen.
    pub click: fn(&mut State, PanePlace, Position),
    /// Scrolls by so many rows.
    pub scroll: fn(&mut State, isize),
}

impl PartialEq for Pane {
    fn eq(&self, other: &Pane) -> bool {
        self.name == other.name
    }
}

impl Eq for Pane {}

/// A place of the screen that one pane takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// What was said.
    Conversation,
    /// What is being written.
    Message,
    /// The upper part of the figures.
    Upper,
    /// The lower part of the figures.
    Lower,
}

/// Where a pane stands on a screen, its border included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanePlace {
    /// Its area.
    pub area: Rect,
    /// Whether it is the short one below the conversation, which says the most important alone.
    pub is_compact: bool,
}

/// The pane that goes by this name.
pub fn named(name: &str) -> Option<&'static Pane> {
    PANES.into_iter().find(|pane| pane.name == name)
}

/// The pane after this one, or with −1 the one before.
pub fn after(pane: &'static Pane, by: isize) -> &'static Pane {
    let at = PANES.iter().position(|&other| other == pane).unwrap_or(0) as isize;
    PANES[(at + by).rem_euclid(PANES.len() as isize) as usize]
}

/// The pane that each slot shows.
#[derive(Clone, Copy, Debug)]
pub struct Fronts([&'static Pane; 4]);

impl Default for Fronts {
    fn default() -> Fronts {
        Fronts([&CHAT, &MESSAGE, &TABLE, &LIKELIHOOD])
    }
}

impl Fronts {
    /// The pane of a slot.
    pub fn of(&self, slot: Slot) -> &'static Pane {
        self.0[slot as usize]
    }

    /// Brings a pane to the front of its slot.
    pub fn show(&mut self, pane: &'static Pane) {
        self.0[pane.slot as usize] = pane;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_shows_its_first_pane_and_names_are_told_apart() {
        for (i, pane) in PANES.into_iter().enumerate() {
            let first = PANES.into_iter().find(|other| other.slot == pane.slot);
            assert_eq!(Some(Fronts::default().of(pane.slot)), first);
            assert!(PANES[..i].iter().all(|other| other.name != pane.name), "{}", pane.name);
        }
    }
}
