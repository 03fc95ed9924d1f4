//! The conversation.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Scrollbar, ScrollbarOrientation, ScrollbarState};
use unicode_segmentation::UnicodeSegmentation;

use crate::chat::Role;
use crate::columns::{clipped, drawn, drawn_text, width};
use crate::session::Notice;
use crate::session::turn::Turn;
use crate::tui::colouring::{Colouring, LEVELS};
use crate::tui::hit::marks_of;
use crate::tui::keymap::Focus;
use crate::tui::layout::{gutter, inside};
use crate::tui::state::State;
use crate::tui::transcript::RowKind;
use crate::tui::wrap::Row;

use super::items::{Item, line};
use super::{is_focused, pane};

pub(super) fn draw(state: &State, frame: &mut Frame, area: Rect) {
    let theme = state.theme;
    let mut block = pane(theme, " chat ", is_focused(state, Focus::Chat));
    let more = if state.transcript.follows() { "" } else { " ↓ more " };
    if state.colouring != Colouring::Off {
        let room = usize::from(area.width).saturating_sub(2 + width(more));
        block = block.title_bottom(legend(state, room));
    }
    if !more.is_empty() {
        block = block.title_bottom(Line::styled(more, theme.warning()).alignment(Alignment::Right));
    }
    frame.render_widget(block, area);

    let inner = inside(area);
    let names = gutter(area);
    // The rows were counted for the size that was known last.
    for (at, row) in state.transcript.visible(&state.session).take(usize::from(inner.height)).enumerate() {
        let place = Rect { y: inner.y + at as u16, height: 1, ..inner };
        let text = Rect { x: place.x + names, width: place.width.saturating_sub(names), ..place };
        match row {
            RowKind::Gap => {}
            RowKind::Note { note, row, first } => {
                if first {
                    frame.render_widget(note_name(state, note, names), place);
                }
                let content = &note.text()[row.start..row.end];
                let content = match note {
                    // A row that is cut says so: the cut may lie inside of a number.
                    Notice::Table(_) => clipped(content, usize::from(text.width)),
                    _ => drawn_text(content).into_owned(),
                };
                frame.render_widget(Line::styled(content, note_style(state, note)), text);
            }
            RowKind::Turn { turn, row, first } => {
                if first {
                    frame.render_widget(name(state, turn, names), place);
                }
                frame.render_widget(turn_row(state, turn, row), text);
            }
        }
    }
    if state.transcript.rows() > usize::from(inner.height) {
        scroll_bar(state, frame, area);
    } else if state.is_welcoming() {
        super::welcome::draw(state, frame, inner);
    }
}

fn scroll_bar(state: &State, frame: &mut Frame, area: Rect) {
    let hidden = state.transcript.rows().saturating_sub(usize::from(inside(area).height));
    let mut position = ScrollbarState::new(hidden).position(state.transcript.top());
    let bar = Scrollbar::new(ScrollbarOrientation::VerticalRight).begin_symbol(None).end_symbol(None);
    let area = Rect { y: area.y + 1, height: area.height.saturating_sub(2), ..area };
    frame.render_stateful_widget(bar, area, &mut position);
}

fn name(state: &State, turn: &Turn, names: u16) -> Span<'static> {
    let (long, short, style) = match turn.role {
        _ if turn.is_frame() => ("frame", "·", state.theme.dim()),
        Role::Assistant => ("model", "●", state.theme.model()),
        _ => ("you", "›", state.theme.you()),
    };
    Span::styled(if names > 2 { long } else { short }, style)
}

fn note_name(state: &State, note: &Notice, names: u16) -> Span<'static> {
    let (long, short) = match note {
        Notice::Info(_) | Notice::Table(_) => ("·", "·"),
        Notice::Warning(_) => ("note", "!"),
        Notice::Error(_) => ("error", "✗"),
    };
    Span::styled(if names > 2 { long } else { short }, note_style(state, note))
}

fn note_style(state: &State, note: &Notice) -> Style {
    match note {
        Notice::Info(_) | Notice::Table(_) => state.theme.dim(),
        Notice::Warning(_) => state.theme.warning(),
        Notice::Error(_) => state.theme.error(),
    }
}

/// One row of a turn. Each grapheme is drawn whole, in the style of the token that begins it.
fn turn_row(state: &State, turn: &Turn, row: Row) -> Line<'static> {
    let mut line = Runs::default();
    for (offset, grapheme) in turn.text[row.start..row.end].grapheme_indices(true) {
        let start = row.start + offset;
        line.push(&drawn(grapheme), style_of(state, turn, start..start + grapheme.len()));
    }
    if row.broken && cursor_is_on(state, turn, &marks_of(turn, row.end..row.end + 1)) {
        line.push("⏎", state.theme.cursor());
    }
    line.into()
}

fn style_of(state: &State, turn: &Turn, bytes: Range<usize>) -> Style {
    let marks = marks_of(turn, bytes);
    let Some(first) = turn.marks.get(marks.start) else { return Style::new() };
    let style = token_style(state, turn, first.token);
    // A token that only goes on with a grapheme is walked to as well.
    if cursor_is_on(state, turn, &marks) { style.patch(state.theme.cursor()) } else { style }
}

/// Whether the shown step is one of these tokens.
fn cursor_is_on(state: &State, turn: &Turn, marks: &Range<usize>) -> bool {
    turn.marks[marks.clone()].iter().any(|mark| state.cursor == Some(mark.token))
}

/// Text in runs of one style.
#[derive(Default)]
struct Runs {
    spans: Vec<Span<'static>>,
}

impl Runs {
    fn push(&mut self, text: &str, style: Style) {
        match self.spans.last_mut() {
            Some(last) if last.style == style => last.content.to_mut().push_str(text),
            _ => self.spans.push(Span::styled(text.to_string(), style)),
        }
    }
}

impl From<Runs> for Line<'static> {
    fn from(runs: Runs) -> Line<'static> {
        Line::from(runs.spans)
    }
}

fn token_style(state: &State, turn: &Turn, token: usize) -> Style {
    let stats = state.session.trace().step(token).and_then(|step| step.stats.as_ref());
    let level = stats.and_then(|stats| state.colouring.level(stats));
    let plain = if turn.is_frame() { state.theme.dim() } else { Style::new() };
    let mut style = level.map_or(plain, |level| state.theme.level(level));
    let ends = state.model().zip(state.session.trace().get(token));
    if turn.role == Role::Assistant
        && ends.is_some_and(|(model, token)| model.vocab.ends_generation(token.id))
    {
        style = style.patch(state.theme.dim());
    }
    style
}

/// What the colours mean, as far as it fits; in nats, like the panels.
fn legend(state: &State, columns: usize) -> Line<'static> {
    let dim = state.theme.dim();
    let levels = state.colouring.legend(true).into_iter().enumerate().take(LEVELS);
    let name = Item::new(0, "", format!(" {}", state.colouring.name(true)), dim);
    let labels =
        levels.map(|(level, label)| Item::new(level + 1, " ", label.to_string(), state.theme.level(level)));
    let items: Vec<Item> = std::iter::once(name).chain(labels).collect();
    let mut line = line(&items, columns.saturating_sub(1));
    line.push_span(Span::raw(" "));
    line
}
