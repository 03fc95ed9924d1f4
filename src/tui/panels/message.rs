//! The message being written, and the commands that could complete it.

use std::borrow::Cow;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};

use crate::columns::{drawn_text, padded, width};
use crate::tui::composer::LISTED;
use crate::tui::layout::{inside, message_columns};
use crate::tui::state::State;
use crate::tui::wrap::Row;

use crate::tui::pane::{MESSAGE, PanePlace};

use super::panel::Panel;
use super::table;

pub static PANEL: Panel = Panel {
    pane: &MESSAGE,
    title: |_| vec![" message ".to_string()],
    draw,
    click: |state, place, at| {
        click(state, place, at);
        Vec::new()
    },
    scroll: |state, by| state.transcript.scroll_by(by),
    act: |_, _| Vec::new(),
    figures: table::figures,
};

fn draw(state: &State, frame: &mut Frame, place: PanePlace) {
    let area = place.area;
    let focused = state.has_keys(&MESSAGE);
    let inner = inside(area);
    frame.render_widget(Span::styled("> ", state.theme.border(focused)), inner);
    if state.composer.is_empty() {
        let hint = Line::styled("write a message, or / for commands", state.theme.dim());
        frame.render_widget(hint, Rect { x: inner.x + 3, ..inner }.intersection(inner));
    }
    let (rows, first) = rows(state, area);
    let (row, column) = state.composer.editor().place(&rows);
    let text = text_area(area);
    for (row, place) in rows.iter().skip(first).zip(text.rows()) {
        let content = drawn_text(&state.composer.text()[row.start..row.end]).into_owned();
        frame.render_widget(Line::raw(content), place);
    }
    if focused {
        // White space may hang over the end of a row.
        let column = u16::try_from(column).unwrap_or(u16::MAX).min(text.width);
        let row = (row - first) as u16;
        let cursor = Rect { x: text.x + column, y: text.y + row, width: 1, height: 1 }.intersection(inner);
        frame.buffer_mut().set_style(cursor, state.theme.cursor());
        completions(state, frame, area);
    }
}

/// Where the text stands: after the prompt, with a column for the cursor after it.
fn text_area(area: Rect) -> Rect {
    let inner = inside(area);
    Rect { x: inner.x + 2.min(inner.width), width: message_columns(area), ..inner }
}

/// The rows of the text, and the first that is shown: the cursor's is among them.
fn rows(state: &State, area: Rect) -> (Cow<'_, [Row]>, usize) {
    let editor = state.composer.editor();
    let rows = editor.rows(message_columns(area));
    let (row, _) = editor.place(&rows);
    let first = (row + 1).saturating_sub(usize::from(inside(area).height));
    (rows, first)
}

/// Puts the cursor where somebody clicks.
fn click(state: &mut State, place: PanePlace, at: Position) {
    let text = text_area(place.area);
    let (rows, first) = rows(state, place.area);
    let (row, column) = (at.y.saturating_sub(text.y), at.x.saturating_sub(text.x));
    let row = (first + usize::from(row)).min(rows.len().saturating_sub(1));
    let row = rows.get(row).copied();
    state.composer.editor_mut().put(row.as_ref(), usize::from(column));
}

/// Where the list of proposals lies, above the text, and the first that is in view.
fn list(state: &State, composer: Rect) -> Option<(Rect, usize)> {
    let (all, selected) = state.composer.completions();
    if all.is_empty() || !state.has_keys(&MESSAGE) {
        return None;
    }
    // A composer that fills the screen has them at its own end.
    let below = if composer.y < 3 { composer.bottom() } else { composer.y };
    let rows = all.len().min(LISTED).min(usize::from(below).saturating_sub(2));
    let area = Rect { y: below.saturating_sub(rows as u16 + 2), height: rows as u16 + 2, ..composer };
    Some((area, (selected + 1).saturating_sub(rows)))
}

/// The proposal at a place of the screen.
pub fn proposal_at(state: &State, at: Position) -> Option<usize> {
    let composer = state.areas().and_then(|areas| areas.of(&MESSAGE))?.area;
    let (area, first) = list(state, composer)?;
    let inner = inside(area);
    let number = first + usize::from(at.y.checked_sub(inner.y)?);
    inner.contains(at).then_some(number)
}

fn completions(state: &State, frame: &mut Frame, composer: Rect) {
    let Some((area, first)) = list(state, composer) else { return };
    let (all, selected) = state.composer.completions();
    frame.render_widget(Clear, area);
    frame.render_widget(Block::bordered().border_style(state.theme.dim()), area);
    let inner = inside(area);
    let widest = all.iter().map(|completion| width(&completion.label)).max().unwrap_or(0);
    for (i, completion) in all.iter().enumerate().skip(first).take(usize::from(inner.height)) {
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
