//! The keys of the focused pane, over everything else.

use ratatui::Frame;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use crate::command::COMMANDS;
use crate::tui::keymap::{Focus, tables};
use crate::tui::state::State;

pub(super) fn draw(state: &State, frame: &mut Frame, from: usize) {
    let lines = lines(state);
    let width = 74.min(frame.area().width);
    let height = (lines.len() as u16 + 2).min(frame.area().height);
    let area = centred(frame.area(), width, height);
    let room = usize::from(height.saturating_sub(2));
    let from = from.min(lines.len().saturating_sub(room));
    let name = match state.focus {
        Focus::Message => "message",
        Focus::Chat => "chat",
        Focus::Table => "next token",
    };
    let block = Block::bordered()
        .border_style(state.theme.border(true))
        .title(format!(" keys: {name} "))
        .title_bottom(" any key closes, ↑ ↓ scroll ");
    frame.render_widget(Clear, area);
    let text: Vec<Line> = lines.into_iter().skip(from).collect();
    frame.render_widget(Paragraph::new(text).block(block), area);
}

fn lines(state: &State) -> Vec<Line<'static>> {
    let row = |key: String, help: String| {
        Line::from(vec![Span::styled(format!(" {key:<12}"), state.theme.key()), Span::raw(help)])
    };
    let mut lines = Vec::new();
    if state.focus == Focus::Message {
        lines.push(row("Enter".to_string(), "send; with Alt (or Ctrl-J) break the line".to_string()));
        lines.push(row("↑ ↓".to_string(), "earlier messages".to_string()));
    }
    for binding in tables(state.focus, true).into_iter().flatten().filter(|binding| !binding.help.is_empty())
    {
        lines.push(row(binding.key.to_string(), binding.help.to_string()));
    }
    lines.push(row(
        "mouse".to_string(),
        "click a token or a bar to see its step; the wheel scrolls".to_string(),
    ));
    lines.push(Line::raw(""));
    for spec in COMMANDS {
        lines.push(row(spec.name.to_string(), format!("{} {}", spec.usage, spec.help).trim().to_string()));
    }
    lines
}

fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let [area] = Layout::horizontal([Constraint::Length(width)]).flex(Flex::Center).areas(area);
    let [area] = Layout::vertical([Constraint::Length(height)]).flex(Flex::Center).areas(area);
    area
}
