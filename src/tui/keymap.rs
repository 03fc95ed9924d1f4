//! Which key does what, pane by pane: the one table that update obeys and the help shows.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Where the keys go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Focus {
    /// Writing a message.
    #[default]
    Message,
    /// Walking the conversation's tokens.
    Chat,
    /// The table of candidates.
    Table,
}

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
    /// List all commands.
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
    Scaffold,
    /// More or fewer candidates.
    Candidates(isize),
    /// Answer again.
    Retry,
}

/// One key.
pub struct Binding {
    code: KeyCode,
    modifiers: KeyModifiers,
    /// How the key is written.
    pub key: &'static str,
    /// What it does, in a few words; empty for a second way to do the same.
    pub help: &'static str,
    /// What it asks for.
    pub action: Action,
}

const fn on(code: KeyCode, key: &'static str, action: Action, help: &'static str) -> Binding {
    Binding { code, modifiers: KeyModifiers::NONE, key, help, action }
}

const fn ctrl(c: char, key: &'static str, action: Action, help: &'static str) -> Binding {
    Binding { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL, key, help, action }
}

const fn alt(c: char, key: &'static str, action: Action, help: &'static str) -> Binding {
    Binding { code: KeyCode::Char(c), modifiers: KeyModifiers::ALT, key, help, action }
}

const SCAFFOLD: &str = "show, hide the frame: what the chat template puts around the messages";

/// Keys that do the same in every pane.
pub const EVERYWHERE: &[Binding] = &[
    ctrl('c', "Ctrl-C", Action::Stop, "stop the reply, or clear what is written; twice when idle: leave"),
    ctrl('z', "Ctrl-Z", Action::Suspend, "back to the shell; fg returns"),
    ctrl('p', "Ctrl-P", Action::Palette, "list all commands"),
    ctrl('r', "Ctrl-R", Action::Retry, "answer the last message again"),
    ctrl('l', "Ctrl-L", Action::Redraw, "draw the screen anew"),
    alt('n', "Alt-n Alt-N", Action::Unsure(1), "next, previous unsure step (no candidate has half the mass)"),
    alt('N', "Alt-N", Action::Unsure(-1), ""),
    alt('c', "Alt-c", Action::Colour, "colour by probability, surprisal, entropy, rank, off"),
    alt('s', "Alt-s", Action::Scaffold, SCAFFOLD),
    alt('+', "Alt-+ Alt-−", Action::Candidates(1), "more, fewer candidates (k)"),
    alt('=', "Alt-=", Action::Candidates(1), ""),
    alt('-', "Alt--", Action::Candidates(-1), ""),
    alt('z', "Alt-z", Action::Zoom, "the pane that has the keys fills the screen; again: all panes"),
    on(KeyCode::PageUp, "PgUp PgDn", Action::Page(-1), "scroll the conversation"),
    on(KeyCode::PageDown, "PgDn", Action::Page(1), ""),
];

/// Keys of the composer that are not editing.
pub const MESSAGE: &[Binding] = &[
    on(KeyCode::Tab, "Tab", Action::Focus(1), "complete a command or a file's name, else next pane"),
    on(KeyCode::BackTab, "Shift-Tab", Action::Focus(-1), "previous pane"),
    on(KeyCode::Esc, "Esc", Action::Live, "back to the newest step"),
];

/// Keys of the composer while nothing is written.
pub const MESSAGE_EMPTY: &[Binding] = &[
    on(KeyCode::Char('?'), "?", Action::Help, "(nothing written) show the keys"),
    on(KeyCode::Left, "← →", Action::Walk(-1), "(nothing written) walk token by token; the panels follow"),
    on(KeyCode::Right, "→", Action::Walk(1), ""),
    on(KeyCode::Home, "Home End", Action::First, "(nothing written) first, last token"),
    on(KeyCode::End, "End", Action::Last, ""),
    ctrl('d', "Ctrl-D", Action::Quit, "(nothing written) leave"),
];

/// Keys of the conversation.
pub const CHAT: &[Binding] = &[
    on(KeyCode::Left, "← →", Action::Walk(-1), "walk token by token; the panels follow"),
    on(KeyCode::Right, "→", Action::Walk(1), ""),
    on(
        KeyCode::Char('n'),
        "n N",
        Action::Unsure(1),
        "next, previous unsure step (no candidate has half the mass)",
    ),
    on(KeyCode::Char('N'), "N", Action::Unsure(-1), ""),
    on(KeyCode::Home, "Home End", Action::First, "first, last token"),
    on(KeyCode::End, "End", Action::Last, ""),
    on(KeyCode::Up, "↑ ↓", Action::Scroll(-1), "scroll"),
    on(KeyCode::Down, "↓", Action::Scroll(1), ""),
    on(KeyCode::Char('c'), "c", Action::Colour, "colour by probability, surprisal, entropy, rank, off"),
    on(KeyCode::Char('z'), "z", Action::Zoom, "this pane fills the screen; again: all panes"),
    on(KeyCode::Char('s'), "s", Action::Scaffold, SCAFFOLD),
    on(KeyCode::Char('+'), "+ −", Action::Candidates(1), "more, fewer candidates (k)"),
    on(KeyCode::Char('='), "=", Action::Candidates(1), ""),
    on(KeyCode::Char('-'), "-", Action::Candidates(-1), ""),
    on(KeyCode::Esc, "Esc", Action::Live, "back to the newest step and the message"),
    on(KeyCode::Char('q'), "q", Action::Quit, "leave; asks where something would be lost"),
    on(KeyCode::Char('?'), "?", Action::Help, "show the keys"),
    on(KeyCode::Char(':'), ":", Action::Palette, "list all commands"),
    on(KeyCode::Tab, "Tab", Action::Focus(1), "next pane"),
    on(KeyCode::BackTab, "Shift-Tab", Action::Focus(-1), "previous pane"),
];

/// Keys of the table.
pub const TABLE: &[Binding] = &[
    on(KeyCode::Up, "↑ ↓", Action::Scroll(-1), "scroll the candidates"),
    on(KeyCode::Down, "↓", Action::Scroll(1), ""),
    on(KeyCode::Char('z'), "z", Action::Zoom, "this pane fills the screen; again: all panes"),
    on(KeyCode::Char('+'), "+ −", Action::Candidates(1), "more, fewer candidates (k)"),
    on(KeyCode::Char('='), "=", Action::Candidates(1), ""),
    on(KeyCode::Char('-'), "-", Action::Candidates(-1), ""),
    on(KeyCode::Left, "← →", Action::Walk(-1), "walk token by token"),
    on(KeyCode::Right, "→", Action::Walk(1), ""),
    on(KeyCode::Char('n'), "n N", Action::Unsure(1), "next, previous unsure step"),
    on(KeyCode::Char('N'), "N", Action::Unsure(-1), ""),
    on(KeyCode::Char('c'), "c", Action::Colour, "colour the conversation"),
    on(KeyCode::Char('s'), "s", Action::Scaffold, SCAFFOLD),
    on(KeyCode::Esc, "Esc", Action::Live, "back to the newest step and the message"),
    on(KeyCode::Char('q'), "q", Action::Quit, "leave; asks where something would be lost"),
    on(KeyCode::Char('?'), "?", Action::Help, "show the keys"),
    on(KeyCode::Char(':'), ":", Action::Palette, "list all commands"),
    on(KeyCode::Tab, "Tab", Action::Focus(1), "next pane"),
    on(KeyCode::BackTab, "Shift-Tab", Action::Focus(-1), "previous pane"),
];

/// The character that a key writes, if it writes one.
pub fn written(key: KeyEvent) -> Option<char> {
    match key.code {
        KeyCode::Char(c) if (key.modifiers - KeyModifiers::SHIFT).is_empty() => Some(c),
        _ => None,
    }
}

/// The tables that hold in a pane, the nearest first.
pub fn tables(focus: Focus, nothing_written: bool) -> Vec<&'static [Binding]> {
    match focus {
        Focus::Message if nothing_written => vec![MESSAGE_EMPTY, MESSAGE, EVERYWHERE],
        Focus::Message => vec![MESSAGE, EVERYWHERE],
        Focus::Chat => vec![CHAT, EVERYWHERE],
        Focus::Table => vec![TABLE, EVERYWHERE],
    }
}

/// What a key asks for in a pane.
pub fn action(focus: Focus, nothing_written: bool, key: KeyEvent) -> Option<Action> {
    // Shift is part of the character already ('N'), and of BackTab.
    let modifiers = key.modifiers - KeyModifiers::SHIFT;
    tables(focus, nothing_written)
        .into_iter()
        .flatten()
        .find(|binding| binding.code == key.code && binding.modifiers == modifiers)
        .map(|binding| binding.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_stands_twice_in_a_table() {
        for table in [EVERYWHERE, MESSAGE, MESSAGE_EMPTY, CHAT, TABLE] {
            for (i, a) in table.iter().enumerate() {
                assert!(
                    !table[..i].iter().any(|b| (a.code, a.modifiers) == (b.code, b.modifiers)),
                    "{}",
                    a.key
                );
            }
        }
    }

    #[test]
    fn letters_are_text_in_the_composer_and_commands_elsewhere() {
        let n = KeyEvent::new(KeyCode::Char('n'), KeyModifiers::NONE);
        assert_eq!(action(Focus::Message, true, n), None);
        assert_eq!(action(Focus::Chat, true, n), Some(Action::Unsure(1)));
        let shifted = KeyEvent::new(KeyCode::Char('N'), KeyModifiers::SHIFT);
        assert_eq!(action(Focus::Chat, true, shifted), Some(Action::Unsure(-1)));
    }

    #[test]
    fn a_question_mark_is_help_only_while_nothing_is_written() {
        let key = KeyEvent::new(KeyCode::Char('?'), KeyModifiers::NONE);
        assert_eq!(action(Focus::Message, true, key), Some(Action::Help));
        assert_eq!(action(Focus::Message, false, key), None);
    }
}
