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
use super::layout::{SMALLEST, Tab};
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
        let shares_title = !areas.side_by_side && !areas.compact;
        let beside = if shares_title { tab_hint(Tab::Panels).width() + 1 } else { 0 };
        let title_room = usize::from(area.width).saturating_sub(2 + beside);
        table::draw(state, frame, area, (title_room, areas.compact));
    }
    if let Some(area) = areas.likelihood {
        likelihood::draw(state, frame, area);
    }
    composer::draw(state, frame, areas.composer);
    status::draw(state, frame, areas.status);
    if !areas.side_by_side {
        tabs(state, frame, areas.chat.or(areas.table));
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

/// On a narrow screen, which side is shown and which key shows the other.
fn tabs(state: &State, frame: &mut Frame, pane: Option<Rect>) {
    let Some(pane) = pane else { return };
    let line = Line::styled(tab_hint(state.tab), state.theme.dim()).alignment(Alignment::Right);
    let area = Rect { height: 1, width: pane.width.saturating_sub(2), ..pane };
    frame.render_widget(line, area);
}

fn tab_hint(tab: Tab) -> &'static str {
    match tab {
        Tab::Chat => " Tab: figures ",
        Tab::Panels => " Tab: chat ",
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
