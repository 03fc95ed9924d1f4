//! The screen as a pure function of the state.

mod gate;
mod help;
pub mod items;
pub mod status;
pub mod welcome;

use ratatui::Frame;
use ratatui::layout::{Alignment, Margin, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Block, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use items::first_fitting;

use super::keys::Action;
use super::layout::{Areas, Arrangement, SMALLEST, Tab};
use super::panels::{Pane, Place};
use super::state::State;

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
    // The hint stands in the first pane.
    let mut hint = corner_hint(state, &areas);
    for &(pane, place) in &areas.panes {
        draw_pane(state, frame, (pane, place), hint.take());
    }
    status::draw(state, frame, areas.status);
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

/// A border, the title in it as long as it fits beside the hint, and what is inside.
fn draw_pane(state: &State, frame: &mut Frame, (pane, place): (&Pane, Place), hint: Option<String>) {
    let (theme, focused) = (state.theme, state.has_keys(pane));
    let beside = hint.as_ref().map_or(0, |hint| hint.width() + 1);
    let room = usize::from(place.area.width).saturating_sub(2 + beside);
    frame.render_widget(Block::bordered().border_style(theme.border(focused)), place.area);
    (pane.draw)(state, frame, place);
    let title = first_fitting(&(pane.title)(state), room);
    let top = Rect { height: 1, ..place.area }.inner(Margin::new(1, 0));
    frame.render_widget(Line::styled(title, theme.title(focused)), top);
    if let Some(hint) = hint {
        let top = Rect { width: top.width.saturating_sub(1), ..top };
        frame.render_widget(Line::styled(hint, theme.dim()).alignment(Alignment::Right), top);
    }
}

/// Which key shows what is out of sight.
fn corner_hint(state: &State, areas: &Areas) -> Option<String> {
    let key = |action| state.look.keymap.spelled(state.focus, action);
    match (areas.arrangement, state.tab) {
        (Arrangement::Zoomed, _) => Some(format!(" {}: all panes ", key(Action::Zoom)?)),
        (Arrangement::SideBySide, _) => None,
        (_, Tab::Chat) => Some(format!(" {}: figures ", key(Action::Focus(1))?)),
        (_, Tab::Panels) => Some(format!(" {}: chat ", key(Action::Focus(1))?)),
    }
}

#[cfg(test)]
mod sizes;
#[cfg(test)]
mod tests;
