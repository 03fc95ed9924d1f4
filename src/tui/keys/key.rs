//! A key, as people write it and as terminals send it.

use std::fmt;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::text::nearest;

/// A key with what is held down beside it. Shift is part of what a letter is, and of Shift-Tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyPress {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// Names of keys that write nothing: in files, and on the screen.
const NAMED: [(&str, KeyCode, &str); 18] = [
    ("left", KeyCode::Left, "←"),
    ("right", KeyCode::Right, "→"),
    ("up", KeyCode::Up, "↑"),
    ("down", KeyCode::Down, "↓"),
    ("home", KeyCode::Home, "Home"),
    ("end", KeyCode::End, "End"),
    ("pageup", KeyCode::PageUp, "PgUp"),
    ("pagedown", KeyCode::PageDown, "PgDn"),
    ("tab", KeyCode::Tab, "Tab"),
    ("esc", KeyCode::Esc, "Esc"),
    ("enter", KeyCode::Enter, "Enter"),
    ("backspace", KeyCode::Backspace, "Backspace"),
    ("delete", KeyCode::Delete, "Delete"),
    ("insert", KeyCode::Insert, "Insert"),
    ("space", KeyCode::Char(' '), "Space"),
    // Other words for the same.
    ("escape", KeyCode::Esc, ""),
    ("pgup", KeyCode::PageUp, ""),
    ("pgdn", KeyCode::PageDown, ""),
];

impl From<KeyEvent> for KeyPress {
    fn from(event: KeyEvent) -> KeyPress {
        KeyPress { code: event.code, modifiers: event.modifiers - KeyModifiers::SHIFT }
    }
}

impl KeyPress {
    /// The key that is written like this: `q`, `N`, `?`, `left`, `f5`, `ctrl-x`, `alt-n`, `shift-tab`.
    ///
    /// # Errors
    /// Why it is none, and what would be right.
    pub fn parse(text: &str) -> Result<KeyPress, String> {
        let (mut rest, mut modifiers) = (text, KeyModifiers::NONE);
        let mut is_shifted = false;
        // What is left when nothing follows is the minus itself.
        while let Some((held, after)) = rest.split_once('-').filter(|(_, after)| !after.is_empty()) {
            match held.to_ascii_lowercase().as_str() {
                "ctrl" => modifiers |= KeyModifiers::CONTROL,
                "alt" => modifiers |= KeyModifiers::ALT,
                "shift" => is_shifted = true,
                _ => {
                    return Err(format!(
                        "no key is called {text:?}: before a key stand ctrl-, alt- or shift-"
                    ));
                }
            }
            rest = after;
        }
        let mut code = KeyPress::code(rest).ok_or_else(|| KeyPress::unknown(text, rest))?;
        if is_shifted {
            code = match code {
                KeyCode::Tab => KeyCode::BackTab,
                KeyCode::Char(c) if c.is_alphabetic() => KeyCode::Char(c.to_uppercase().next().unwrap_or(c)),
                _ => return Err(format!("{text:?}: shift- goes with letters and with tab")),
            };
        }
        if let (KeyCode::Char(c), true) = (code, modifiers.contains(KeyModifiers::CONTROL)) {
            code = KeyCode::Char(c.to_ascii_lowercase());
        }
        Ok(KeyPress { code, modifiers })
    }

    fn code(name: &str) -> Option<KeyCode> {
        let mut chars = name.chars();
        if let (Some(c), None) = (chars.next(), chars.next()) {
            return (!c.is_control()).then_some(KeyCode::Char(c));
        }
        let name = name.to_ascii_lowercase();
        let named = NAMED.iter().find(|(other, ..)| *other == name).map(|&(_, code, _)| code);
        let function =
            || name.strip_prefix('f')?.parse().ok().filter(|n| (1..=24).contains(n)).map(KeyCode::F);
        named.or_else(function)
    }

    fn unknown(text: &str, name: &str) -> String {
        let hint = nearest(name, NAMED.iter().map(|&(name, ..)| name));
        let hint = hint.map_or_else(String::new, |name| format!("did you mean {name}? "));
        format!(
            "no key is called {text:?}: {hint}a key is a character, left, pageup, esc, f5 and the like, after ctrl- or alt- perhaps"
        )
    }

    /// The character that it writes, if it writes one.
    pub fn written(self) -> Option<char> {
        match self.code {
            KeyCode::Char(c) if self.modifiers.is_empty() => Some(c),
            _ => None,
        }
    }

    /// Whether it writes, deletes or moves in the message.
    pub fn edits(self) -> bool {
        use KeyCode::{Backspace, Char, Delete, Down, End, Enter, Home, Left, Right, Up};
        let plain =
            matches!(self.code, Char(_) | Left | Right | Up | Down | Home | End | Backspace | Delete | Enter)
                && self.modifiers.is_empty();
        // What a shell does with it: leaves, or deletes a character.
        plain || (self.code == Char('d') && self.modifiers == KeyModifiers::CONTROL)
    }
}

impl fmt::Display for KeyPress {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let is_control = self.modifiers.contains(KeyModifiers::CONTROL);
        if is_control {
            f.write_str("Ctrl-")?;
        }
        if self.modifiers.contains(KeyModifiers::ALT) {
            f.write_str("Alt-")?;
        }
        match self.code {
            KeyCode::BackTab => f.write_str("Shift-Tab"),
            KeyCode::F(n) => write!(f, "F{n}"),
            KeyCode::Char('-') => f.write_str("−"),
            KeyCode::Char(c) if c != ' ' && is_control => write!(f, "{}", c.to_uppercase()),
            KeyCode::Char(c) if c != ' ' => write!(f, "{c}"),
            code => {
                let named = NAMED.iter().find(|(_, other, _)| *other == code);
                f.write_str(named.map_or("?", |(_, _, shown)| shown))
            }
        }
    }
}
