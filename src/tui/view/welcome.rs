//! What an empty conversation shows: questions to begin with, and the keys that matter.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::items::first_fitting;
use crate::tui::keys::KeyAction;
use crate::tui::pane::MESSAGE;
use crate::tui::state::{EXAMPLES, State};

/// The keys that matter, and what they do.
const KEYS: [(&[KeyAction], &str); 5] = [
    (&[KeyAction::Walk(-1), KeyAction::Walk(1)], "walk token by token"),
    (&[KeyAction::Unsure(1)], "next step the model was unsure of"),
    (&[KeyAction::Colour], "colour the tokens"),
    (&[KeyAction::Help], "all keys, commands and figures"),
    (&[KeyAction::Stop], "stop the reply; twice: leave"),
];

pub fn draw(state: &State, frame: &mut Frame, inner: Rect) {
    let theme = state.theme;
    let begin =
        ["Write a message below, or ask one of these:", "Write, or ask one of these:"].map(str::to_string);
    let begin = first_fitting(&begin, usize::from(inner.width));
    let mut lines = vec![Line::styled(begin, theme.dim())];
    for (i, example) in EXAMPLES.into_iter().enumerate() {
        let chosen = i == state.example && state.composer.is_empty();
        let (mark, style) = if chosen { ("▸ ", theme.chosen()) } else { ("  ", Style::new()) };
        lines.push(Line::from(vec![Span::styled(mark, style), Span::styled(example, style)]));
    }
    lines.push(Line::styled("↓ chooses, Enter asks", theme.dim()));
    lines.push(Line::raw(""));
    let spelled = |action: &KeyAction| state.look.keymap.spelled(&MESSAGE, *action);
    let keys =
        KEYS.map(|(actions, help)| (actions.iter().filter_map(spelled).collect::<Vec<_>>().join(" "), help));
    let bound = keys.into_iter().filter(|(key, _)| !key.is_empty());
    for (key, help) in [("Enter".to_string(), "send the message")].into_iter().chain(bound) {
        lines.push(Line::from(vec![Span::styled(format!("{key:<8}"), theme.key()), Span::raw(help)]));
    }
    for (line, place) in lines.into_iter().zip(inner.rows()) {
        frame.render_widget(line, place);
    }
}
