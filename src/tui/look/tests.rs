use std::path::Path;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::*;
use crate::tui::pane::{CHAT, TABLE};

fn read(text: &str) -> Result<Appearance, String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let file = ConfigFile::read(Path::new(&path)).map_err(|error| error.to_string());
    let look = file.and_then(|file| Appearance::of(&file).map_err(|error| error.to_string()));
    look.map_err(|error| error.replace(&format!("{}:", path.display()), ""))
}

fn press(c: char) -> KeyEvent {
    KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE)
}

#[test]
fn keys_are_bound_for_all_panes_for_those_one_reads_and_for_one() {
    let look = read(
        "[keys]\nf3 = 'zoom'\nctrl-p = 'none'\n[keys.panes]\nx = 'next-unsure'\nn = 'none'\n[keys.table]\nx = 'retry'\n[keys.message]\n'?' = 'none'\n",
    )
    .unwrap();
    let keymap = look.keymap;
    let f3 = KeyEvent::new(KeyCode::F(3), KeyModifiers::NONE);
    for pane in PANES {
        assert_eq!(keymap.action(pane, false, f3), Some(KeyAction::Zoom));
    }
    assert_eq!(keymap.action(&CHAT, true, press('x')), Some(KeyAction::Unsure(1)));
    assert_eq!(keymap.action(&TABLE, true, press('x')), Some(KeyAction::Retry));
    assert_eq!(keymap.action(&CHAT, true, press('n')), None);
    assert_eq!(keymap.action(&MESSAGE, true, press('x')), None);
    assert_eq!(keymap.action(&MESSAGE, true, press('?')), None);
    assert_eq!(keymap.action(&CHAT, true, press('?')), Some(KeyAction::Help));
    assert_eq!(keymap.spelled(&CHAT, KeyAction::Palette), Some(":".to_string()));
    assert_eq!(keymap.spelled(&MESSAGE, KeyAction::Palette), None);
}

#[test]
fn a_key_bound_everywhere_is_bound_also_where_a_pane_had_it() {
    let keymap = read("[keys]\nleft = 'first-token'\n").unwrap().keymap;
    let left = KeyEvent::new(KeyCode::Left, KeyModifiers::NONE);
    for pane in PANES {
        assert_eq!(keymap.action(pane, true, left), Some(KeyAction::First));
    }
    assert_eq!(keymap.action(&MESSAGE, false, left), None, "it moves in what is written");
}

#[test]
fn a_theme_is_named_and_coloured() {
    let look =
        read("[theme]\nname = 'light'\nerror = '#ff8800'\nbar = 'bright-blue'\naccent = 33\n").unwrap();
    let theme = look.theme("light").unwrap();
    let light = theme::named("light", Colors::Many).unwrap();
    assert_eq!(
        (theme.error, theme.bar, theme.accent),
        (Color::Rgb(255, 136, 0), Color::LightBlue, Color::Indexed(33))
    );
    assert_eq!(theme.model, light.model);
    assert_eq!(look.theme("dark"), theme::named("dark", Colors::Many), "the file colours its own");
    let few = look.clone().on(Colors::Sixteen).theme("light").unwrap();
    assert_eq!((few.error, few.bar), (nearest_of_sixteen(Color::Rgb(255, 136, 0)), Color::LightBlue));
    assert_eq!(look.on(Colors::None).theme("light").unwrap().error, Color::Reset);
    let scale = "[theme]\nscale = [21, 'default', 'green', '#ffffff', 9]\n";
    assert_eq!(read(scale).unwrap().theme("dark").unwrap().scale[1], Color::Reset);
}

#[test]
fn every_mistake_is_told_with_its_line_and_what_would_be_right() {
    for (text, at, hint) in [
        ("[keys]\nctrl-q = 'leav'\n", "2:10", "did you mean leave?"),
        ("[keys]\nctrl-q = 7\n", "2:10", "an action in quotes"),
        ("[keys]\nentr = 'leave'\n", "2:1", "did you mean enter?"),
        ("[keys]\n\nctrl-x = 'zoom'\nCTRL-X = 'help'\n", "4:1", "the same key as \"ctrl-x\""),
        ("[keys]\nf1 = 'zoom'\nf1 = 'help'\n", "3:1", "duplicate key"),
        ("[keys]\nx = 'zoom'\n", "2:1", "is text in the message"),
        ("[keys.message]\nx = 'zoom'\n", "2:1", "is text in the message"),
        ("[keys.tabel]\nx = 'zoom'\n", "1:7", "did you mean table?"),
        ("[keys]\nctrl-c = 'none'\n[keys.message]\nctrl-d = 'none'\n", "1:1", "stops or leaves"),
        ("keys = 3\n", "1:8", "expected"),
        ("[theme]\nname = 'drak'\n", "2:8", "did you mean dark?"),
        ("[theme]\nname = 3\n", "2:8", "a theme's name in quotes"),
        ("[theme]\nerorr = 'red'\n", "2:1", "did you mean error?"),
        ("[theme]\nerror = 'rde'\n", "2:9", "#rrggbb"),
        ("[theme]\nerror = 256\n", "2:9", "from 0 to 255"),
        ("[theme]\nscale = ['red']\n", "2:9", "5 colours"),
        ("[theme]\nscale = [1, 2, 3, 4, 'x']\n", "2:22", "no colour is called \"x\""),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.starts_with(&format!("{at}: ")) && error.contains(hint), "{text}: {error}");
    }
}

#[test]
fn without_a_file_everything_is_as_it_comes() {
    assert_eq!(read("").unwrap().keymap, Keymap::default());
    assert_eq!(read("[chat]\npace = 4\n").unwrap().theme, "dark");
}

#[test]
fn the_readme_names_every_action_theme_and_colour() {
    let readme = include_str!("../../../README.md");
    let section = readme.split("[theme]").nth(1).unwrap();
    let words: Vec<&str> = section.split(|c: char| !(c.is_alphanumeric() || c == '-')).collect();
    for name in actions().map(|(name, _)| name).chain(THEMES.map(|(name, ..)| name)) {
        assert!(words.contains(&name), "{name}");
    }
}
