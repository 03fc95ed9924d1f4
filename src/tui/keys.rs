//! What keys ask for, and which key asks for what: values that the config file may change, that update
//! obeys and that the help shows.

pub mod action;
pub mod key;

use ratatui::crossterm::event::KeyEvent;

use super::pane::{MESSAGE, PANES, Pane};

pub use action::{KeyAction, Own};
pub use key::KeyPress;

/// A key, written as in the config file, and what it asks for.
pub type DefaultKey = (&'static str, KeyAction);

/// Keys that do the same in every pane.
const EVERYWHERE: &[DefaultKey] = &[
    ("ctrl-c", KeyAction::Stop),
    ("ctrl-z", KeyAction::Suspend),
    ("ctrl-p", KeyAction::Palette),
    ("ctrl-r", KeyAction::Retry),
    ("ctrl-l", KeyAction::Redraw),
    ("alt-i", KeyAction::Explain),
    ("alt-l", KeyAction::Lens),
    ("alt-t", KeyAction::Tree),
    ("alt-w", KeyAction::WhatIf),
    ("alt-m", KeyAction::Beside),
    ("alt-o", KeyAction::One),
    ("alt-p", KeyAction::Pause),
    ("alt-n", KeyAction::Unsure(1)),
    ("alt-N", KeyAction::Unsure(-1)),
    ("alt-c", KeyAction::Colour),
    ("alt-s", KeyAction::Frame),
    ("alt-+", KeyAction::Candidates(1)),
    ("alt-=", KeyAction::Candidates(1)),
    ("alt--", KeyAction::Candidates(-1)),
    ("alt-z", KeyAction::Zoom),
    ("pageup", KeyAction::Page(-1)),
    ("pagedown", KeyAction::Page(1)),
    ("tab", KeyAction::Focus(1)),
    ("shift-tab", KeyAction::Focus(-1)),
    ("esc", KeyAction::Live),
];

/// Keys of every pane but the message, where letters are text.
const READING: &[DefaultKey] = &[
    ("left", KeyAction::Walk(-1)),
    ("right", KeyAction::Walk(1)),
    ("i", KeyAction::Explain),
    ("l", KeyAction::Lens),
    ("t", KeyAction::Tree),
    ("f", KeyAction::WhatIf),
    ("b", KeyAction::Beside),
    ("o", KeyAction::One),
    ("p", KeyAction::Pause),
    ("r", KeyAction::Mark(true)),
    ("w", KeyAction::Mark(false)),
    ("u", KeyAction::MarkUndo),
    ("v", KeyAction::Span),
    ("y", KeyAction::Copy),
    ("n", KeyAction::Unsure(1)),
    ("N", KeyAction::Unsure(-1)),
    ("home", KeyAction::First),
    ("end", KeyAction::Last),
    ("up", KeyAction::Scroll(-1)),
    ("down", KeyAction::Scroll(1)),
    ("/", KeyAction::Find),
    ("d", KeyAction::Doubt(1)),
    ("D", KeyAction::Doubt(-1)),
    ("m", KeyAction::Measure),
    ("c", KeyAction::Colour),
    ("z", KeyAction::Zoom),
    ("s", KeyAction::Frame),
    ("+", KeyAction::Candidates(1)),
    ("=", KeyAction::Candidates(1)),
    ("-", KeyAction::Candidates(-1)),
    ("[", KeyAction::Dose(-1)),
    ("]", KeyAction::Dose(1)),
    ("q", KeyAction::Quit),
    ("?", KeyAction::Help),
    (":", KeyAction::Palette),
];

/// A key that is bound; without an action it does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The key.
    pub key: KeyPress,
    /// What it asks for.
    pub action: Option<KeyAction>,
}

/// Where a table of keys holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In every pane.
    Everywhere,
    /// In every pane but the message.
    Reading,
    /// In one pane.
    Pane(&'static Pane),
}

impl Scope {
    /// Every scope, in the order of the help.
    pub fn all() -> impl Iterator<Item = Scope> {
        let of_panes = PANES.into_iter().skip(1).map(Scope::Pane);
        [Scope::Pane(&MESSAGE), Scope::Reading].into_iter().chain(of_panes).chain([Scope::Everywhere])
    }

    /// Whether its keys hold in a pane.
    fn holds_in(self, pane: &Pane) -> bool {
        match self {
            Scope::Everywhere => true,
            Scope::Reading => *pane != MESSAGE,
            Scope::Pane(own) => own == pane,
        }
    }
}

/// Which key asks for what, scope by scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keymap {
    /// Each scope's keys, those that the config file adds at the end.
    tables: Vec<(Scope, Vec<Binding>)>,
}

impl Default for Keymap {
    /// The keys that tokenscope comes with.
    fn default() -> Keymap {
        let bound = |scope| match scope {
            Scope::Everywhere => EVERYWHERE,
            Scope::Reading => READING,
            Scope::Pane(pane) => pane.keys,
        };
        let binding = |&(key, action): &DefaultKey| {
            Some(Binding { key: KeyPress::parse(key).ok()?, action: Some(action) })
        };
        let table = |scope| (scope, bound(scope).iter().filter_map(binding).collect());
        Keymap { tables: Scope::all().map(table).collect() }
    }
}

impl Keymap {
    /// Has a key ask for something in a scope, or for nothing: also where a pane's own key did before.
    pub fn bind(&mut self, scope: Scope, key: KeyPress, action: Option<KeyAction>) {
        for (other, table) in &mut self.tables {
            let covers = match (scope, *other) {
                (Scope::Everywhere, _) => true,
                (Scope::Reading, Scope::Pane(pane)) => *pane != MESSAGE,
                (scope, other) => scope == other,
            };
            if covers {
                table.retain(|binding| binding.key != key);
            }
            if *other == scope {
                table.insert(0, Binding { key, action });
            }
        }
    }

    /// The keys of a scope.
    pub fn of(&self, scope: Scope) -> &[Binding] {
        self.tables.iter().find(|(other, _)| *other == scope).map_or(&[], |(_, table)| table)
    }

    /// What holds in a pane, the nearest first.
    fn holding(&self, pane: &'static Pane) -> impl Iterator<Item = &Binding> {
        let scopes = [Scope::Pane(pane), Scope::Reading, Scope::Everywhere];
        scopes.into_iter().filter(|scope| scope.holds_in(pane)).flat_map(|scope| self.of(scope))
    }

    /// What a key asks for in a pane. In the message, keys that edit ask for something only while nothing
    /// is written.
    pub fn action(&self, pane: &'static Pane, nothing_written: bool, key: KeyEvent) -> Option<KeyAction> {
        let key = KeyPress::from(key);
        if *pane == MESSAGE && !nothing_written && key.edits() {
            return None;
        }
        self.holding(pane).find(|binding| binding.key == key).and_then(|binding| binding.action)
    }

    /// How the first key is written that asks for something in a pane.
    pub fn spelled(&self, pane: &'static Pane, action: KeyAction) -> Option<String> {
        let found = self.holding(pane).find(|binding| binding.action == Some(action))?;
        Some(found.key.to_string())
    }

    /// The same as short as it goes, for hints.
    pub fn short(&self, pane: &'static Pane, action: KeyAction) -> Option<String> {
        let spelled = self.spelled(pane, action)?;
        Some(spelled.replace("Ctrl-", "^").replace("Tab", "⇥"))
    }
}

/// Every action and its name, those of single panes included.
pub fn actions() -> impl Iterator<Item = (&'static str, KeyAction)> {
    let own = PANES.into_iter().flat_map(|pane| pane.keys).filter_map(|&(_, action)| match action {
        KeyAction::Own(own) => Some((own.name, action)),
        _ => None,
    });
    KeyAction::all().chain(own)
}

/// The character that a key writes, if it writes one.
pub fn written(key: KeyEvent) -> Option<char> {
    KeyPress::from(key).written()
}

#[cfg(test)]
mod tests;
