//! What keys that come in one burst mean: the terminals that don't bracket a paste send it as keys.
//!
//! A pure rule; the time is given. An Enter that is followed by more text within [`GAP`] is a line break
//! inside a paste. An Enter that ends a burst sends, as in `tmux send-keys TEXT Enter`, unless the burst
//! had a line break already: then it is the last line of a paste. Keys that no paste holds (arrows,
//! Ctrl-C) end a burst.

use std::time::Duration;

use ratatui::crossterm::event::{Event as Input, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// Keys that come this close together are one burst: nobody types as fast.
pub const GAP: Duration = Duration::from_millis(10);
/// How long a letter waits for the next of its burst: a moment that nobody sees.
const LETTER: Duration = Duration::from_millis(1);
/// Text as long as this in one burst was pasted: no letter of it is a key of a pane.
const PASTED: usize = 64;

/// Text keys that have come and are not passed on yet.
#[derive(Debug, Default)]
pub struct Burst {
    held: Vec<KeyEvent>,
    /// Whether the burst had a line break inside.
    broken: bool,
    /// When its last key came.
    last: Option<Duration>,
}

impl Burst {
    /// Takes what came at a time; returns what is known to be meant by now.
    pub fn take(&mut self, at: Duration, input: Input) -> Vec<Input> {
        let mut meant = Vec::new();
        if self.last.is_some_and(|last| at.saturating_sub(last) > GAP) {
            meant.extend(self.settle());
            self.broken = false;
        }
        match input {
            Input::Key(key) if self.is_text(key) => {
                self.held.push(key);
                self.last = Some(at);
            }
            // A key that is let go says nothing, and comes between those of a burst.
            Input::Key(key) if key.kind == KeyEventKind::Release => {}
            other => {
                meant.extend(self.settle());
                (self.broken, self.last) = (false, None);
                meant.push(other);
            }
        }
        meant
    }

    /// How long more text may take before [`Burst::settle`]; `None` while nothing is held.
    pub fn patience(&self) -> Option<Duration> {
        let last = self.held.last()?;
        // Only an Enter has two meanings.
        Some(if last.code == KeyCode::Enter { GAP } else { LETTER })
    }

    /// Nothing more came: what was held is passed on.
    pub fn settle(&mut self) -> Vec<Input> {
        let mut held = std::mem::take(&mut self.held);
        let breaks_before_last = held.iter().rev().skip(1).any(|key| is_break(*key));
        self.broken |= breaks_before_last;
        let sends = held.pop_if(|last| last.code == KeyCode::Enter && !self.broken);
        let mut meant: Vec<Input> = match held.len() {
            0 => Vec::new(),
            n if self.broken || n >= PASTED => {
                vec![Input::Paste(held.iter().filter_map(character).collect())]
            }
            _ => held.into_iter().map(Input::Key).collect(),
        };
        meant.extend(sends.map(Input::Key));
        meant
    }

    /// Whether a paste may hold the key. A tab is text in the lines after the first: before, it completes.
    fn is_text(&self, key: KeyEvent) -> bool {
        key.kind != KeyEventKind::Release
            && match key.code {
                KeyCode::Tab => self.broken || self.held.iter().any(|key| is_break(*key)),
                _ => character(&key).is_some(),
            }
    }
}

fn is_break(key: KeyEvent) -> bool {
    matches!(character(&key), Some('\r' | '\n'))
}

/// What a key writes in a paste.
fn character(key: &KeyEvent) -> Option<char> {
    match (key.code, key.modifiers - KeyModifiers::SHIFT) {
        (KeyCode::Char(c), KeyModifiers::NONE) => Some(c),
        (KeyCode::Enter, KeyModifiers::NONE) => Some('\r'),
        (KeyCode::Char('j'), KeyModifiers::CONTROL) => Some('\n'),
        (KeyCode::Tab, KeyModifiers::NONE) => Some('\t'),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
