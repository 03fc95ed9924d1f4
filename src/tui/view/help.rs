//! The keys of every pane, the commands and the figures, over everything else.

use ratatui::Frame;
use ratatui::layout::{Constraint, Flex, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};
use unicode_width::UnicodeWidthStr;

use crate::columns::wrapped;
use crate::command::COMMANDS;
use crate::glossary::FIGURES;
use crate::tui::keys::{Binding, Scope};
use crate::tui::palette;
use crate::tui::pane::{MESSAGE, PANES};
use crate::tui::state::State;
use crate::tui::theme::THEMES;

/// Columns of the key, the gap after it included.
const KEY: usize = 14;
/// Where there is less room than this beside the key, what it does goes below it.
const BESIDE: usize = 24;
/// Wider lines are harder to read.
const WIDEST: u16 = 90;

/// What editing does; the rest of the composer's keys stands in the tables.
const EDITING: [(&str, &str); 8] = [
    ("Enter", "send; Alt-Enter or Ctrl-J breaks the line, and so does an Enter inside a paste"),
    ("↑ ↓", "a row up, down; from the first, the last one: earlier messages"),
    ("Ctrl-A Ctrl-E", "begin, end of the line (Home End)"),
    ("Alt-B Alt-F", "a word back, forward"),
    ("Ctrl-U Ctrl-K", "cut what stands before, after the cursor"),
    ("Ctrl-W Alt-D", "cut a word back, forward"),
    ("Ctrl-Y Ctrl-_", "write again what was cut; undo"),
    ("Tab", "complete a command or a file's name"),
];

const MOUSE: (&str, &str) = (
    "mouse",
    "click a token or a bar to see its step, a candidate, a branch or a proposal to take it; the wheel scrolls",
);

pub(super) fn draw(state: &State, frame: &mut Frame, from: usize) {
    let width = WIDEST.min(frame.area().width);
    let lines = lines(state, usize::from(width.saturating_sub(2)));
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(frame.area().height);
    let area = centred(frame.area(), width, height);
    let room = usize::from(height.saturating_sub(2));
    let from = from.min(lines.len().saturating_sub(room));
    let block = Block::bordered()
        .border_style(state.theme.border(true))
        .title(" keys, commands, figures ")
        .title_bottom(" ↑ ↓ scroll, any other key closes ");
    frame.render_widget(Clear, area);
    let text: Vec<Line> = lines.into_iter().skip(from).collect();
    frame.render_widget(Paragraph::new(text).block(block), area);
}

fn lines(state: &State, width: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut section = |title: &str, rows: Vec<(String, String)>| {
        if rows.is_empty() {
            return;
        }
        if !lines.is_empty() {
            lines.push(Line::raw(""));
        }
        lines.extend(wrapped(title, width).into_iter().map(|text| Line::styled(text, state.theme.dim())));
        rows.iter().for_each(|(key, help)| lines.extend(row(state, key, help, width)));
    };
    let owned = |(key, help): (&str, &str)| (key.to_string(), help.to_string());
    for scope in Scope::all() {
        let mut rows = keys(state.look.keymap.of(scope), scope);
        match scope {
            Scope::Pane(pane) if *pane == MESSAGE => rows.splice(0..0, EDITING.map(owned)).for_each(drop),
            Scope::Everywhere => rows.push(owned(MOUSE)),
            _ => {}
        }
        section(&title(scope), rows);
    }
    let command =
        |spec: &crate::command::CommandSpec| (spec.name.to_string(), format!("{} {}", spec.usage, spec.help));
    section(
        "commands, in the message",
        COMMANDS.iter().map(command).chain(palette::OWN.map(owned)).collect(),
    );
    section("themes (/theme NAME)", THEMES.iter().map(|&(name, about, _)| owned((name, about))).collect());
    let figure = |entry: &crate::glossary::GlossaryEntry| owned((entry.names[0], entry.text));
    section("figures (/explain NAME)", FIGURES.iter().map(figure).collect());
    lines
}

fn title(scope: Scope) -> String {
    match scope {
        Scope::Pane(pane) if *pane == MESSAGE => "while a message is written".to_string(),
        Scope::Pane(pane) => format!("in the pane {}", pane.name),
        Scope::Reading => {
            let names: Vec<&str> = PANES.iter().skip(1).map(|pane| pane.name).collect();
            format!("in the panes {} (Tab or a click)", names.join(", "))
        }
        Scope::Everywhere => "everywhere".to_string(),
    }
}

/// The keys of a scope and what they do: those that do the same, or belong together, in one row.
fn keys(table: &[Binding], scope: Scope) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> = Vec::new();
    for Binding { key, action } in table {
        let Some(action) = action else { continue };
        let is_message = matches!(scope, Scope::Pane(pane) if *pane == MESSAGE);
        let condition = if is_message && key.edits() { "(nothing written) " } else { "" };
        let help = format!("{condition}{}", action.help());
        match rows.iter_mut().find(|(_, other)| *other == help) {
            Some((keys, _)) => keys.push_str(&format!(" {key}")),
            None => rows.push((key.to_string(), help)),
        }
    }
    rows
}

/// A key and what it does, in as many lines as that takes.
fn row(state: &State, key: &str, help: &str, width: usize) -> Vec<Line<'static>> {
    let beside = width.saturating_sub(KEY + 1);
    let (indent, room) = if beside < BESIDE { (3, width.saturating_sub(3)) } else { (KEY + 1, beside) };
    let mut texts = wrapped(help, room).into_iter();
    let gap = indent.saturating_sub(key.width() + 1);
    let mut head = Line::from(Span::styled(format!(" {key}"), state.theme.key()));
    if gap > 0 && indent > 3 {
        head.push_span(Span::raw(format!("{:gap$}{}", "", texts.next().unwrap_or_default())));
    }
    let rest = texts.map(|text| Line::raw(format!("{:indent$}{text}", "")));
    std::iter::once(head).chain(rest).collect()
}

fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let [area] = Layout::horizontal([Constraint::Length(width)]).flex(Flex::Center).areas(area);
    let [area] = Layout::vertical([Constraint::Length(height)]).flex(Flex::Center).areas(area);
    area
}
