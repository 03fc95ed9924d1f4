use ratatui::crossterm::event::{KeyCode, KeyModifiers};

use super::*;
use crate::tui::pane::{CHAT, TABLE};

fn press(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
    KeyEvent::new(code, modifiers)
}

#[test]
fn every_key_that_comes_with_the_program_is_one_and_stands_once_in_its_scope() {
    for bound in PANES.iter().map(|pane| pane.keys).chain([EVERYWHERE, READING]) {
        let keys: Vec<KeyPress> = bound.iter().map(|(key, _)| KeyPress::parse(key).unwrap()).collect();
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key), "{key}");
        }
    }
}

#[test]
fn every_action_has_a_name_of_its_own_and_says_what_it_does() {
    let names: Vec<&str> = actions().map(|(name, _)| name).collect();
    for (i, (name, action)) in actions().enumerate() {
        assert!(!action.help().is_empty() && !names[..i].contains(&name), "{name}");
    }
    for bound in PANES.iter().map(|pane| pane.keys).chain([EVERYWHERE, READING]).flatten() {
        assert!(actions().any(|(_, action)| action == bound.1), "{}", bound.0);
    }
}

#[test]
fn letters_are_text_in_the_composer_and_commands_elsewhere() {
    let keymap = Keymap::default();
    let n = press(KeyCode::Char('n'), KeyModifiers::NONE);
    assert_eq!(keymap.action(&MESSAGE, true, n), None);
    for pane in PANES.into_iter().filter(|&pane| *pane != MESSAGE) {
        assert_eq!(keymap.action(pane, true, n), Some(KeyAction::Unsure(1)));
    }
    let shifted = press(KeyCode::Char('N'), KeyModifiers::SHIFT);
    assert_eq!(keymap.action(&CHAT, true, shifted), Some(KeyAction::Unsure(-1)));
}

#[test]
fn keys_that_edit_ask_for_nothing_once_something_is_written() {
    let keymap = Keymap::default();
    for (code, action) in [(KeyCode::Char('?'), KeyAction::Help), (KeyCode::Left, KeyAction::Walk(-1))] {
        let key = press(code, KeyModifiers::NONE);
        assert_eq!(keymap.action(&MESSAGE, true, key), Some(action));
        assert_eq!(keymap.action(&MESSAGE, false, key), None);
        assert_eq!(keymap.action(&TABLE, false, key), Some(action));
    }
    let tab = press(KeyCode::Tab, KeyModifiers::NONE);
    assert_eq!(keymap.action(&MESSAGE, false, tab), Some(KeyAction::Focus(1)));
}

#[test]
fn keys_are_written_as_they_are_shown_or_in_small_letters() {
    for (written, shown) in [
        ("ctrl-c", "Ctrl-C"),
        ("CTRL-C", "Ctrl-C"),
        ("alt-n", "Alt-n"),
        ("alt-N", "Alt-N"),
        ("shift-n", "N"),
        ("shift-tab", "Shift-Tab"),
        ("-", "−"),
        ("alt--", "Alt-−"),
        ("ctrl-alt-left", "Ctrl-Alt-←"),
        ("PgUp", "PgUp"),
        ("f12", "F12"),
        ("space", "Space"),
        ("ä", "ä"),
    ] {
        assert_eq!(KeyPress::parse(written).unwrap().to_string(), shown);
    }
    for (wrong, hint) in [
        ("", "a key is a character"),
        ("entr", "did you mean enter?"),
        ("meta-x", "ctrl-, alt- or shift-"),
        ("shift-1", "with letters"),
        ("f25", "a key is"),
        ("ctrl-", "a key is"),
    ] {
        let error = KeyPress::parse(wrong).unwrap_err();
        assert!(error.contains(hint), "{wrong}: {error}");
    }
}
