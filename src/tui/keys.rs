//! What keys ask for, and which key asks for what: values that the config file may change, that update
//! obeys and that the help shows.

pub mod action;
pub mod key;

use ratatui::crossterm::event::KeyEvent;

use super::panels::{MESSAGE, PANES, Pane};

pub use action::{Action, Own};
pub use key::Key;

/// A key, written as in the config file, and what it asks for.
pub type Bound = (&'static str, Action);

/// Keys that do the same in every pane.
const EVERYWHERE: &[Bound] = &[
    ("ctrl-c", Action::Stop),
    ("ctrl-z", Action::Suspend),
    ("ctrl-p", Action::Palette),
    ("ctrl-r", Action::Retry),
    ("ctrl-l", Action::Redraw),
    ("alt-n", Action::Unsure(1)),
    ("alt-N", Action::Unsure(-1)),
    ("alt-c", Action::Colour),
    ("alt-s", Action::Frame),
    ("alt-+", Action::Candidates(1)),
    ("alt-=", Action::Candidates(1)),
    ("alt--", Action::Candidates(-1)),
    ("alt-z", Action::Zoom),
    ("pageup", Action::Page(-1)),
    ("pagedown", Action::Page(1)),
    ("tab", Action::Focus(1)),
    ("shift-tab", Action::Focus(-1)),
    ("esc", Action::Live),
];

/// Keys of every pane but the message, where letters are text.
const READING: &[Bound] = &[
    ("left", Action::Walk(-1)),
    ("right", Action::Walk(1)),
    ("n", Action::Unsure(1)),
    ("N", Action::Unsure(-1)),
    ("home", Action::First),
    ("end", Action::Last),
    ("up", Action::Scroll(-1)),
    ("down", Action::Scroll(1)),
    ("c", Action::Colour),
    ("z", Action::Zoom),
    ("s", Action::Frame),
    ("+", Action::Candidates(1)),
    ("=", Action::Candidates(1)),
    ("-", Action::Candidates(-1)),
    ("q", Action::Quit),
    ("?", Action::Help),
    (":", Action::Palette),
];

/// A key that is bound; without an action it does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The key.
    pub key: Key,
    /// What it asks for.
    pub action: Option<Action>,
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
        let binding =
            |&(key, action): &Bound| Some(Binding { key: Key::parse(key).ok()?, action: Some(action) });
        let table = |scope| (scope, bound(scope).iter().filter_map(binding).collect());
        Keymap { tables: Scope::all().map(table).collect() }
    }
}

impl Keymap {
    /// Has a key ask for something in a scope, or for nothing: also where a pane's own key did before.
    pub fn bind(&mut self, scope: Scope, key: Key, action: Option<Action>) {
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
    pub fn action(&self, pane: &'static Pane, nothing_written: bool, key: KeyEvent) -> Option<Action> {
        let key = Key::from(key);
        if *pane == MESSAGE && !nothing_written && key.edits() {
            return None;
        }
        self.holding(pane).find(|binding| binding.key == key).and_then(|binding| binding.action)
    }

    /// How the first key is written that asks for something in a pane.
    pub fn spelled(&self, pane: &'static Pane, action: Action) -> Option<String> {
        let found = self.holding(pane).find(|binding| binding.action == Some(action))?;
        Some(found.key.to_string())
    }

    /// The same as short as it goes, for hints.
    pub fn short(&self, pane: &'static Pane, action: Action) -> Option<String> {
        let spelled = self.spelled(pane, action)?;
        Some(spelled.replace("Ctrl-", "^").replace("Tab", "⇥"))
    }
}

/// The character that a key writes, if it writes one.
pub fn written(key: KeyEvent) -> Option<char> {
    Key::from(key).written()
}

#[cfg(test)]
mod tests;
