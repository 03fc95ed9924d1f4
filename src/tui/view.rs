//! The screen as a pure function of the state.

mod chat;
mod composer;
mod gate;
mod help;
mod items;
mod likelihood;
mod status;
mod table;
mod welcome;

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use super::keymap::Focus;
use super::layout::{Areas, SMALLEST, Tab};
use super::state::State;
use super::theme::Theme;

/// Draws everything. A window can change between the last message and this frame: only the frame knows
/// how large it is, and what the state remembers is never asked.
pub fn draw(state: &State, frame: &mut Frame) {
    draw_panes(state, frame);
    gate::close(frame.buffer_mut());
}

fn draw_panes(state: &State, frame: &mut Frame) {
    let screen = frame.area();
    let Some(areas) = state.areas_of(screen.width, screen.height) else {
        return too_small(frame);
    };
    if let Some(area) = areas.chat {
        chat::draw(state, frame, area);
    }
    if let Some(area) = areas.table {
        let hint = if areas.compact { None } else { corner_hint(state, &areas) };
        let beside = hint.map_or(0, |hint| hint.width() + 1);
        let title_room = usize::from(area.width).saturating_sub(2 + beside);
        table::draw(state, frame, area, (title_room, areas.compact));
    }
    if let Some(area) = areas.likelihood {
        likelihood::draw(state, frame, area);
    }
    if !areas.composer.is_empty() {
        composer::draw(state, frame, areas.composer);
    }
    status::draw(state, frame, areas.status);
    if let Some(hint) = corner_hint(state, &areas) {
        corner(state, frame, areas.chat.or(areas.table).unwrap_or(areas.composer), hint);
    }
    if let Some(line) = state.help {
        help::draw(state, frame, line);
    }
}

fn too_small(frame: &mut Frame) {
    let Rect { width, height, .. } = frame.area();
    let text = format!(
        "{width}×{height} is too small: tokenscope needs {}×{}. Make the window larger, or Ctrl-C twice to leave.",
        SMALLEST.0, SMALLEST.1
    );
    frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), frame.area());
}

/// A hint in the upper right corner of a pane.
fn corner(state: &State, frame: &mut Frame, pane: Rect, hint: &str) {
    let line = Line::styled(hint, state.theme.dim()).alignment(Alignment::Right);
    let area = Rect { height: 1, width: pane.width.saturating_sub(2), ..pane };
    frame.render_widget(line, area);
}

/// Which key shows what is out of sight.
fn corner_hint(state: &State, areas: &Areas) -> Option<&'static str> {
    match (areas.zoomed, state.focus, state.tab) {
        (true, Focus::Message, _) => Some(" Alt-z: all panes "),
        (true, ..) => Some(" z: all panes "),
        _ if areas.side_by_side => None,
        (_, _, Tab::Chat) => Some(" Tab: figures "),
        (_, _, Tab::Panels) => Some(" Tab: chat "),
    }
}

/// A pane's border and title.
fn pane<'a>(theme: Theme, title: impl Into<Line<'a>>, focused: bool) -> Block<'a> {
    let title: Line = title.into();
    Block::bordered().border_style(theme.border(focused)).title(title.style(theme.title(focused)))
}

fn is_focused(state: &State, focus: Focus) -> bool {
    state.focus == focus && state.help.is_none()
}

#[cfg(test)]
mod sizes;
#[cfg(test)]
mod tests;
