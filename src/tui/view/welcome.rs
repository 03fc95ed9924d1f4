//! What an empty conversation shows: questions to begin with, and the keys that matter.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::state::{EXAMPLES, State};

/// The keys that matter, and what they do.
const KEYS: [(&str, &str); 6] = [
    ("Enter", "send the message"),
    ("← →", "walk token by token"),
    ("Alt-n", "next step the model was unsure of"),
    ("Alt-c", "colour the tokens"),
    ("?", "all keys, commands and figures"),
    ("Ctrl-C", "stop the reply; twice: leave"),
];

pub(super) fn draw(state: &State, frame: &mut Frame, inner: Rect) {
    let theme = state.theme;
    let mut lines = vec![Line::styled("Write a message below, or ask one of these:", theme.dim())];
    for (i, example) in EXAMPLES.into_iter().enumerate() {
        let chosen = i == state.example && state.composer.is_empty();
        let (mark, style) = if chosen { ("▸ ", theme.chosen()) } else { ("  ", Style::new()) };
        lines.push(Line::from(vec![Span::styled(mark, style), Span::styled(example, style)]));
    }
    lines.push(Line::styled("↓ chooses, Enter asks", theme.dim()));
    lines.push(Line::raw(""));
    for (key, help) in KEYS {
        lines.push(Line::from(vec![Span::styled(format!("{key:<8}"), theme.key()), Span::raw(help)]));
    }
    for (line, place) in lines.into_iter().zip(inner.rows()) {
        frame.render_widget(line, place);
    }
}
