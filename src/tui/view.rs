//! The screen as a pure function of the state.

mod gate;
mod help;
pub mod items;
pub mod status;
pub mod welcome;

use ratatui::Frame;
use ratatui::layout::{Margin, Rect};
use ratatui::style::Style;
use ratatui::text::Span;
use ratatui::widgets::{Block, Paragraph, Wrap};
use unicode_width::UnicodeWidthStr;

use items::{at_right, first_fitting};

use super::keys::KeyAction;
use super::layout::{Areas, Arrangement, SMALLEST, Tab};
use super::pane::{PANES, Pane, PanePlace, Slot};
use super::panels;
use super::state::State;

/// Draws everything. A window can change between the last message and this frame: only the frame knows
/// how large it is, and what the state remembers is never asked.
pub fn draw(state: &State, frame: &mut Frame) {
    draw_panes(state, frame);
    gate::close(frame.buffer_mut());
}

fn draw_panes(state: &State, frame: &mut Frame) {
    let screen = frame.area();
    let Some(areas) = state.areas_of(screen.as_size()) else {
        return too_small(frame);
    };
    // The hint stands in the first pane.
    let mut hint = corner_hint(state, &areas);
    for &(pane, place) in &areas.panes {
        draw_pane(state, frame, pane, place, hint.take());
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
fn draw_pane(state: &State, frame: &mut Frame, pane: &Pane, place: PanePlace, hint: Option<String>) {
    let (theme, focused) = (state.theme, state.has_keys(pane));
    let beside = hint.as_ref().map_or(0, |hint| hint.width() + 1);
    let room = usize::from(place.area.width).saturating_sub(2 + beside);
    frame.render_widget(Block::bordered().border_style(theme.border(focused)), place.area);
    let Some(panel) = panels::of(pane) else { return };
    (panel.draw)(state, frame, place);
    let title = first_fitting(&(panel.title)(state), room);
    let top = Rect { height: 1, ..place.area }.inner(Margin::new(1, 0));
    // The border's own style must not make it fainter.
    let plain = Style::reset();
    frame.render_widget(Span::styled(title, plain.patch(theme.title(focused))), top);
    if let Some(hint) = hint {
        let top = Rect { width: top.width.saturating_sub(1), ..top };
        at_right(frame, top, hint, plain.patch(theme.dim()));
    }
}

/// Which key shows what is out of sight.
fn corner_hint(state: &State, areas: &Areas) -> Option<String> {
    match (areas.arrangement, state.tab) {
        (Arrangement::Zoomed, _) => {
            let key = state.look.keymap.spelled(state.focus, KeyAction::Zoom)?;
            Some(format!(" {key}: all panes "))
        }
        (Arrangement::SideBySide, _) => None,
        (_, Tab::Chat) => Some(format!(" {}: figures ", way(state, Slot::Upper)?)),
        (_, Tab::Panels) => Some(format!(" {}: chat ", way(state, Slot::Conversation)?)),
    }
}

/// What to press until the pane of a slot has the keys: a step back, or some on.
fn way(state: &State, slot: Slot) -> Option<String> {
    let key = |by| state.look.keymap.spelled(state.focus, KeyAction::Focus(by));
    let after = |by| state.fronts.after(state.focus, by);
    if after(-1).slot == slot {
        return key(-1);
    }
    let steps = (1..PANES.len() as isize).find(|&by| after(by).slot == slot)?;
    Some(vec![key(1)?; steps as usize].join(" "))
}

#[cfg(test)]
mod tests;
