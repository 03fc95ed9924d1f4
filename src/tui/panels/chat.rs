//! The conversation.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Alignment, Position, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Scrollbar, ScrollbarOrientation, ScrollbarState};
use unicode_segmentation::UnicodeSegmentation;

use crate::archive::event::VerdictScope;
use crate::chat::Role;
use crate::columns::{drawn, drawn_text, grapheme_width, width};
use crate::report::view;
use crate::session::Notice;
use crate::session::doubt::{is_below, places};
use crate::session::turn::Turn;
use crate::session::words::words;
use crate::tui::colouring::{Colouring, LEVELS};
use crate::tui::layout::{gutter, inside, text_width};
use crate::tui::msg::Effect;
use crate::tui::picture::report_line;
use crate::tui::seek::go as seek;
use crate::tui::send::submit;
use crate::tui::state::{EXAMPLES, State};
use crate::tui::theme::Theme;
use crate::tui::transcript::RowKind;
use crate::tui::view::items::{WholeItem, line};
use crate::tui::view::welcome;
use crate::tui::wrap::Row;

use crate::tui::pane::{CHAT, PanePlace};

use super::likelihood::{BARS, FULL_BAR};
use super::panel::Panel;
use super::table::{self, verdict_sign};

pub static PANEL: Panel = Panel {
    pane: &CHAT,
    title,
    draw,
    click,
    scroll: |state, by| state.transcript.scroll_by(by),
    act,
    figures: table::figures,
};

fn title(state: &State) -> Vec<String> {
    let told = seek::told(state).map(|told| format!(" chat ─ {told} "));
    let taken = state.transcript.row().and_then(|(answer, item)| {
        let (count, of_conversation) = answer.offers();
        let key = if state.has_keys(&CHAT) { "Enter" } else { "Enter here" };
        let what = match of_conversation {
            true => format!("go on with {} on a branch of its own", item + 1),
            false => format!("take {} and look what comes then", item + 1),
        };
        (item < count).then(|| format!(" chat ─ {key}: {what} "))
    });
    told.or(taken).into_iter().chain([" chat ".to_string()]).collect()
}

fn act(state: &mut State, name: &str) -> Vec<Effect> {
    match name {
        "next-row" => walk_rows(state, 1),
        "previous-row" => walk_rows(state, -1),
        _ => take_row(state),
    }
}

fn walk_rows(state: &mut State, by: isize) -> Vec<Effect> {
    state.cursor = None;
    state.table_scroll = 0;
    state.transcript.walk_rows(by);
    Vec::new()
}

fn take_row(state: &mut State) -> Vec<Effect> {
    let Some((answer, item)) = state.transcript.row() else { return Vec::new() };
    let Some(draft) = answer.draft().filter(|draft| item < draft.offers.len()) else { return Vec::new() };
    if !state.session.is_busy() {
        // Where somebody went back to an earlier table, the text goes on from there.
        state.session.take_up(draft);
    }
    submit(state, &format!("/step {}", item + 1))
}

/// The row of an answer at a place of the screen.
fn row_at(state: &State, place: PanePlace, at: Position) -> Option<(usize, usize)> {
    let line = at.y.checked_sub(inside(place.area).y)?;
    match state.transcript.at_line(&state.session, line)? {
        RowKind::Answer { answer, line, .. } => Some((answer, line.item?)),
        _ => None,
    }
}

/// A click on a question to begin with, or on a row that offers something, chooses it; one on what is chosen takes it.
fn click(state: &mut State, place: PanePlace, at: Position) -> Vec<Effect> {
    if state.is_welcoming() {
        let row = at.y.checked_sub(inside(place.area).y + 1).map(usize::from);
        let Some(row) = row.filter(|&row| row < EXAMPLES.len()) else { return Vec::new() };
        if state.example == row && state.composer.is_empty() {
            return submit(state, EXAMPLES[row]);
        }
        state.example = row;
        return Vec::new();
    }
    if let Some(row) = row_at(state, place, at) {
        if state.transcript.is_on(row) {
            return take_row(state);
        }
        state.cursor = None;
        state.table_scroll = 0;
        state.transcript.walk_rows_to(Some(row));
        return Vec::new();
    }
    if let Some(token) = token_at(state, place, at) {
        state.walk_to(token);
    }
    Vec::new()
}

/// The token of the sequence at a place of the screen: the inverse of what is drawn, on the same geometry.
fn token_at(state: &State, place: PanePlace, at: Position) -> Option<usize> {
    let inner = inside(place.area);
    let line = at.y.checked_sub(inner.y)?;
    let column = usize::from(at.x.checked_sub(inner.x + gutter(place.area))?);
    let RowKind::Turn { turn, row, .. } = state.transcript.at_line(&state.session, line)? else {
        return None;
    };
    let text = &turn.text[row.start..row.end];
    let mut columns = 0;
    let found = text.grapheme_indices(true).find(|(_, grapheme)| {
        columns += grapheme_width(grapheme);
        columns > column
    });
    let bytes = match found {
        Some((offset, grapheme)) => row.start + offset..row.start + offset + grapheme.len(),
        // To the right of a line that ends there is its line break.
        None if row.broken => row.end..row.end + 1,
        None => return None,
    };
    turn.marks.get(marks_of(turn, bytes).start).map(|mark| mark.token)
}

/// The marks of the tokens that a stretch of a turn's text is made of. The first is of the token that
/// begins it, also where that holds only the first bytes of a character.
fn marks_of(turn: &Turn, bytes: Range<usize>) -> Range<usize> {
    let marks = &turn.marks;
    let mut first = marks.partition_point(|mark| mark.end <= bytes.start);
    let begin = |i: usize| if i == 0 { 0 } else { marks[i - 1].end };
    while first > 0 && begin(first - 1) == bytes.start {
        first -= 1;
    }
    let end = marks.partition_point(|mark| mark.end < bytes.end);
    first..(end + 1).clamp(first, marks.len())
}

fn draw(state: &State, frame: &mut Frame, place: PanePlace) {
    let (area, theme) = (place.area, state.theme);
    let more = if state.transcript.follows() { "" } else { " ↓ more " };
    let mut block = Block::bordered().border_style(theme.border(state.has_keys(&CHAT)));
    if state.colouring != Colouring::Off {
        let room = usize::from(area.width).saturating_sub(2 + width(more));
        block = block.title_bottom(legend(state, room));
    }
    if !more.is_empty() {
        block = block.title_bottom(
            Line::styled(more, Style::reset().patch(theme.warning())).alignment(Alignment::Right),
        );
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
                let content = drawn_text(&note.text()[row.start..row.end]).into_owned();
                frame.render_widget(Line::styled(content, note_style(state, note)), text);
            }
            RowKind::Answer { answer, line, first } => {
                if first {
                    frame.render_widget(Span::styled("·", state.theme.dim()), place);
                }
                frame.render_widget(answer_line(state, answer, line), text);
            }
            RowKind::Turn { turn, row, first } => {
                if first {
                    frame.render_widget(name(state, turn, names), place);
                }
                frame.render_widget(turn_row(state, turn, row), text);
                // Behind the text a column is free.
                let beside = Rect { x: text.x + text_width(area), width: 1, ..place };
                frame.render_widget(surprise(state, turn, row), beside.intersection(inner));
            }
        }
    }
    if state.transcript.rows() > usize::from(inner.height) {
        scroll_bar(state, frame, area);
    } else if state.is_welcoming() {
        welcome::draw(state, frame, inner);
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
    let marked = turn.tokens().and_then(|tokens| state.session.verdict_of(&tokens)).map(verdict_sign);
    let name = if names > 2 { long } else { short };
    match marked {
        Some(sign) if names > 2 => Span::styled(format!("{name}{sign}"), style),
        Some(sign) => Span::styled(sign, style),
        None => Span::styled(name, style),
    }
}

fn note_name(state: &State, note: &Notice, names: u16) -> Span<'static> {
    let (long, short) = match note {
        Notice::Info(_) => ("·", "·"),
        Notice::Warning(_) => ("note", "!"),
        Notice::Error(_) => ("error", "✗"),
    };
    Span::styled(if names > 2 { long } else { short }, note_style(state, note))
}

fn note_style(state: &State, note: &Notice) -> Style {
    match note {
        Notice::Info(_) => state.theme.dim(),
        Notice::Warning(_) => state.theme.warning(),
        Notice::Error(_) => state.theme.error(),
    }
}

/// One line of an answer.
fn answer_line(state: &State, answer: usize, line: &view::Line) -> Line<'static> {
    let on = state.transcript.is_on_row(answer, line);
    report_line(line, state.theme).patch_style(if on { state.theme.cursor() } else { Style::new() })
}

/// How surprising the most surprising token of a row was: the mark's height says it, and its colour.
fn surprise(state: &State, turn: &Turn, row: Row) -> Span<'static> {
    let marks = &turn.marks[marks_of(turn, row.start..row.end)];
    let steps = marks.iter().filter_map(|mark| state.session.sequence().step(mark.token)?.stats.as_ref());
    let most = steps.max_by(|a, b| a.surprisal().total_cmp(&b.surprisal()));
    let Some(stats) = most.filter(|_| !turn.is_frame()) else { return Span::raw("") };
    let bits = stats.surprisal() / std::f64::consts::LN_2;
    let height = (bits / FULL_BAR * 8.0).ceil().clamp(1.0, 8.0) as usize;
    let level = Colouring::Surprisal.level(stats).unwrap_or(0);
    // The mark has no cue but its height and colour.
    Span::styled(BARS[height], Style::new().fg(state.theme.level(level).fg.unwrap_or_default()))
}

/// What stands out in a row.
struct Marked {
    found: Vec<Range<usize>>,
    flagged: Vec<Range<usize>>,
}

impl Marked {
    fn of(state: &State, turn: &Turn, row: Row) -> Marked {
        let wanted = seek::text(state);
        let reach = wanted.len() * 2;
        let edge = |at: usize| (0..=at.min(turn.text.len())).rev().find(|at| turn.text.is_char_boundary(*at));
        let (from, to) =
            (edge(row.start.saturating_sub(reach)).unwrap_or(0), edge(row.end + reach).unwrap_or(0));
        let found = match wanted.is_empty() || turn.is_frame() {
            true => Vec::new(),
            false => places(&turn.text[from..to], wanted),
        };
        let found = found.into_iter().map(|at| from + at.start..from + at.end).collect();
        let flagged =
            state.session.flagged().filter(|_| turn.reply.is_some()).map_or_else(Vec::new, |below| {
                let words = words(turn, marks_of(turn, row.start..row.end), state.session.sequence());
                words.into_iter().filter(|word| is_below(word, below)).map(|word| word.bytes).collect()
            });
        Marked { found, flagged }
    }

    fn style(&self, theme: Theme, at: usize) -> Style {
        let holds = |ranges: &[Range<usize>]| ranges.iter().any(|range| range.contains(&at));
        let flagged = if holds(&self.flagged) { theme.flagged() } else { Style::new() };
        if holds(&self.found) { flagged.patch(theme.found()) } else { flagged }
    }
}

/// One row of a turn. Each grapheme is drawn whole, in the style of the token that begins it.
fn turn_row(state: &State, turn: &Turn, row: Row) -> Line<'static> {
    let mut line = Line::default();
    let marked = Marked::of(state, turn, row);
    for (offset, grapheme) in turn.text[row.start..row.end].grapheme_indices(true) {
        let start = row.start + offset;
        let style = style_of(state, turn, start..start + grapheme.len(), &marked);
        // Text in runs of one style.
        match line.spans.last_mut() {
            Some(last) if last.style == style => last.content.to_mut().push_str(&drawn(grapheme)),
            _ => line.push_span(Span::styled(drawn(grapheme).into_owned(), style)),
        }
    }
    if row.broken && cursor_is_on(state, turn, &marks_of(turn, row.end..row.end + 1)) {
        line.push_span(Span::styled("⏎", state.theme.cursor()));
    }
    line
}

fn style_of(state: &State, turn: &Turn, bytes: Range<usize>, marked: &Marked) -> Style {
    let stands_out = marked.style(state.theme, bytes.start);
    let marks = marks_of(turn, bytes);
    let Some(first) = turn.marks.get(marks.start) else { return stands_out };
    let style = token_style(state, turn, first.token).patch(stands_out);
    // A token that only goes on with a grapheme is walked to as well.
    if cursor_is_on(state, turn, &marks) { style.patch(state.theme.cursor()) } else { style }
}

/// Whether the shown step is one of these tokens.
fn cursor_is_on(state: &State, turn: &Turn, marks: &Range<usize>) -> bool {
    turn.marks[marks.clone()].iter().any(|mark| state.cursor == Some(mark.token))
}

fn token_style(state: &State, turn: &Turn, token: usize) -> Style {
    let stats = state.session.sequence().step(token).and_then(|step| step.stats.as_ref());
    let level = stats.and_then(|stats| state.colouring.level(stats));
    let plain = if turn.is_frame() { state.theme.dim() } else { Style::new() };
    let mut style = level.map_or(plain, |level| state.theme.level(level));
    let ends = state.session.vocab().zip(state.session.sequence().get(token));
    if level.is_none()
        && turn.role == Role::Assistant
        && ends.is_some_and(|(vocab, token)| vocab.ends_generation(token.id))
    {
        style = style.patch(state.theme.dim());
    }
    let spans = state.span.zip(state.cursor).map(|(from, to)| from.min(to)..=from.max(to));
    if spans.is_some_and(|span| span.contains(&token)) {
        style = style.add_modifier(Modifier::REVERSED);
    }
    // A marked reply has its mark beside its name.
    let verdict = state.session.verdict_at(token).filter(|judged| judged.scope != VerdictScope::Reply);
    match verdict.and_then(|judged| judged.right) {
        Some(true) => style.add_modifier(Modifier::UNDERLINED),
        Some(false) => style.add_modifier(Modifier::CROSSED_OUT),
        None => style,
    }
}

/// What the colours mean, as far as it fits; in nats, like the panels.
fn legend(state: &State, columns: usize) -> Line<'static> {
    let dim = state.theme.dim();
    let levels = state.colouring.legend(true).into_iter().enumerate().take(LEVELS);
    let name = WholeItem::new(0, "", format!(" {}", state.colouring.name(true)), dim);
    let labels = levels
        .map(|(level, label)| WholeItem::new(level + 1, " ", label.to_string(), state.theme.level(level)));
    let items: Vec<WholeItem> = std::iter::once(name).chain(labels).collect();
    let mut line = line(&items, columns.saturating_sub(1));
    line.push_span(Span::raw(" "));
    // The border's own style must not make it fainter.
    line.style(Style::reset())
}
