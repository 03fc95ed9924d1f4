//! What the panes of [`super::pane`] do, as one table that drawing, the mouse and the keys read. Another pane
//! is one file here, its entry there and its line in [`PANELS`].

mod beside;
mod chat;
mod diff;
mod figures;
mod lens;
mod likelihood;
mod message;
mod panel;
mod replies;
mod table;
mod tree;
mod what_if;

use super::pane::Pane;

pub use message::proposal_at;
pub use panel::Panel;

/// What every pane does.
static PANELS: [&Panel; 10] = [
    &message::PANEL,
    &chat::PANEL,
    &replies::PANEL,
    &diff::PANEL,
    &table::PANEL,
    &tree::PANEL,
    &lens::PANEL,
    &what_if::PANEL,
    &beside::PANEL,
    &likelihood::PANEL,
];

/// What a pane does.
pub fn of(pane: &Pane) -> Option<&'static Panel> {
    PANELS.into_iter().find(|panel| panel.pane == pane)
}

#[cfg(test)]
mod tests {
    use super::super::pane::PANES;
    use super::*;

    #[test]
    fn every_pane_does_something() {
        assert!(PANES.into_iter().all(|pane| of(pane).is_some()) && PANES.len() == PANELS.len());
    }
}
