//! What a key can ask for, by the name that the config file uses.

use crate::tui::msg::Effect;
use crate::tui::panels::PANES;
use crate::tui::state::State;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Stop the running reply; when idle, clear the draft and hint, and then leave.
    Stop,
    /// Leave; asks first where something would be lost.
    Quit,
    /// Hand the terminal back to the shell for a while.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Show the keys.
    Help,
    /// List all commands and panes.
    Palette,
    /// Next or previous pane.
    Focus(isize),
    /// Walk by tokens.
    Walk(isize),
    /// First token.
    First,
    /// Last token.
    Last,
    /// Next or previous token where the model was unsure.
    Unsure(isize),
    /// Back to the newest step.
    Live,
    /// Scroll by rows.
    Scroll(isize),
    /// Scroll by pages.
    Page(isize),
    /// Let the focused pane fill the screen, or show all panes again.
    Zoom,
    /// Next way to colour.
    Colour,
    /// Show or hide the template's scaffold.
    Frame,
    /// More or fewer candidates.
    Candidates(isize),
    /// Answer again.
    Retry,
    /// Something that one pane alone does.
    Own(&'static Own),
}

/// An action of one pane.
#[derive(Debug)]
pub struct Own {
    /// In the config file.
    pub name: &'static str,
    /// In the help.
    pub help: &'static str,
    /// What it does.
    pub act: fn(&mut State) -> Vec<Effect>,
}

impl PartialEq for Own {
    fn eq(&self, other: &Own) -> bool {
        self.name == other.name
    }
}

impl Eq for Own {}

/// Every action of the whole screen: what the config file calls it, and what it does in a few words. Two
/// that belong together say the same.
const ACTIONS: [(&str, Action, &str); 25] = [
    ("stop", Action::Stop, "stop the reply, or clear what is written; twice when idle: leave"),
    ("leave", Action::Quit, "leave; asks where something would be lost"),
    ("suspend", Action::Suspend, "back to the shell; fg returns"),
    ("redraw", Action::Redraw, "draw the screen anew"),
    ("help", Action::Help, "show keys, commands and figures"),
    ("palette", Action::Palette, "list all commands and panes"),
    ("next-pane", Action::Focus(1), PANE),
    ("previous-pane", Action::Focus(-1), PANE),
    ("previous-token", Action::Walk(-1), WALK),
    ("next-token", Action::Walk(1), WALK),
    ("first-token", Action::First, ENDS),
    ("last-token", Action::Last, ENDS),
    ("next-unsure", Action::Unsure(1), UNSURE),
    ("previous-unsure", Action::Unsure(-1), UNSURE),
    ("newest", Action::Live, "back to the newest step and to the message"),
    ("scroll-up", Action::Scroll(-1), "scroll"),
    ("scroll-down", Action::Scroll(1), "scroll"),
    ("page-up", Action::Page(-1), PAGE),
    ("page-down", Action::Page(1), PAGE),
    ("zoom", Action::Zoom, "the pane that has the keys fills the screen; again: all panes"),
    ("colour", Action::Colour, "colour by probability, surprisal, entropy, rank, off"),
    ("frame", Action::Frame, "show, hide the frame: what the chat template puts around the messages"),
    ("more-candidates", Action::Candidates(1), CANDIDATES),
    ("fewer-candidates", Action::Candidates(-1), CANDIDATES),
    ("retry", Action::Retry, "answer the last message again"),
];

const PANE: &str = "next, previous pane";
const WALK: &str = "walk token by token; the panels follow";
const ENDS: &str = "first, last token";
const UNSURE: &str = "next, previous unsure step (no candidate has half the mass)";
const PAGE: &str = "scroll the conversation";
const CANDIDATES: &str = "more, fewer candidates (k)";

impl Action {
    /// Every action and its name, those of single panes included.
    pub fn all() -> impl Iterator<Item = (&'static str, Action)> {
        let bound = PANES.into_iter().flat_map(|pane| pane.keys);
        let own = bound.filter_map(|&(_, action)| match action {
            Action::Own(own) => Some((own.name, action)),
            _ => None,
        });
        ACTIONS.into_iter().map(|(name, action, _)| (name, action)).chain(own)
    }

    /// What it does, in a few words.
    pub fn help(self) -> &'static str {
        match self {
            Action::Own(own) => own.help,
            _ => ACTIONS.iter().find(|(_, action, _)| *action == self).map_or("", |(_, _, help)| help),
        }
    }
}
