//! The message being written, and the commands that could complete it.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};

use crate::columns::{padded, width};
use crate::tui::composer::LISTED;
use crate::tui::keys::Action;
use crate::tui::layout::inside;
use crate::tui::state::State;

use super::{Pane, Place, Slot};

/// The message being written.
pub static MESSAGE: Pane = Pane {
    name: "message",
    about: "what you are writing",
    slot: Slot::Message,
    // Those that edit hold while nothing is written.
    keys: &[
        ("?", Action::Help),
        ("left", Action::Walk(-1)),
        ("right", Action::Walk(1)),
        ("home", Action::First),
        ("end", Action::Last),
        ("ctrl-d", Action::Quit),
    ],
    title: |_| vec![" message ".to_string()],
    draw,
    click: |_, _, _| {},
    scroll: |state, by| state.transcript.scroll_by(by),
};

fn draw(state: &State, frame: &mut Frame, place: Place) {
    let area = place.area;
    let focused = state.has_keys(&MESSAGE);
    let inner = inside(area);
    let prompt = Rect { width: 2.min(inner.width), ..inner };
    frame.render_widget(Line::styled("> ", state.theme.border(focused)), prompt);
    let text = Rect { x: inner.x + prompt.width, width: inner.width - prompt.width, ..inner };
    if text.is_empty() {
        return;
    }
    let mut editor = state.composer.area().clone();
    editor.set_placeholder_style(state.theme.dim());
    let cursor = if focused { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() };
    editor.set_cursor_style(cursor);
    frame.render_widget(&editor, text);
    if focused {
        completions(state, frame, area);
    }
}

/// A list above the text.
fn completions(state: &State, frame: &mut Frame, composer: Rect) {
    let (all, selected) = state.composer.completions();
    if all.is_empty() {
        return;
    }
    // A composer that fills the screen has them at its own end.
    let below = if composer.y < 3 { composer.bottom() } else { composer.y };
    let rows = all.len().min(LISTED).min(usize::from(below).saturating_sub(2));
    let first = (selected + 1).saturating_sub(rows);
    let area = Rect { y: below.saturating_sub(rows as u16 + 2), height: rows as u16 + 2, ..composer };
    frame.render_widget(Clear, area);
    frame.render_widget(Block::bordered().border_style(state.theme.dim()), area);
    let inner = inside(area);
    let widest = all.iter().map(|completion| width(&completion.label)).max().unwrap_or(0);
    for (i, completion) in all.iter().enumerate().skip(first).take(rows) {
        let label = padded(&completion.label, widest + 2);
        let style = if i == selected { state.theme.cursor() } else { Style::new() };
        let line = Line::from(vec![
            Span::styled(label, state.theme.key()),
            Span::styled(completion.help.as_str(), state.theme.dim()),
        ]);
        let place = Rect { y: inner.y + (i - first) as u16, height: 1, ..inner };
        frame.render_widget(line.style(style), place.intersection(inner));
    }
}
