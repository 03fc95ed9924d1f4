//! Two branches side by side: their first difference stands at the top, after the last tokens that they share.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::columns::{clipped, fitted};
use crate::sequence::TreeNode;
use crate::session::compare::{BranchComparison, ComparedSide, figure, logprob};
use crate::token::Vocab;
use crate::tui::diff::show::{chosen, take_side, walk};
use crate::tui::layout::inside;
use crate::tui::msg::Effect;
use crate::tui::pane::{CHAT, DIFF, PanePlace};
use crate::tui::send::submit;
use crate::tui::state::State;
use crate::tui::view::items::minus;

use super::figures::nats;
use super::panel::{NamedFigure, Panel};

/// Tokens before the first difference that are shown.
const BEFORE: usize = 2;
/// Rows below: a line about each branch, and one about their difference.
const FOOT: usize = 3;
/// Rows of what differs that are there before any other.
const LEAST: usize = 3;
/// Columns of a token's place and of a figure, with the blank before it.
const AT: usize = 6;
const FIGURE: usize = 9;
/// Fewest columns of a token for which places and ln p are shown too.
const TOKEN: usize = 8;

pub static PANEL: Panel = Panel { pane: &DIFF, title, draw, click, scroll: walk, act, figures };

fn title(state: &State) -> Vec<String> {
    let Some(both) = state.diff.comparison(state.session.branches()) else {
        return vec![" diff ".to_string()];
    };
    let [a, b] = &both.sides;
    let (a, b, common) = (a.number, b.number, both.common.len());
    vec![
        format!(" diff ─ branches {a} and {b}, the same for {common} tokens "),
        format!(" diff ─ branches {a} and {b} "),
        format!(" diff {a} {b} "),
    ]
}

/// Those of the chosen row, and the sums below.
fn figures(state: &State) -> Vec<NamedFigure> {
    let both = state.diff.comparison(state.session.branches()).filter(|both| both.rows() > 0);
    let Some(both) = both else { return Vec::new() };
    let row = state.diff.row.min(both.rows() - 1);
    let place = both.common.len() + row + 1;
    let known = both.sides.iter().filter_map(|side| Some((side.number, logprob(side.own.get(row)?)?)));
    let known: Vec<String> = known.map(|(number, p)| format!("{} on branch {number}", nats(p, 3))).collect();
    let mut figures = Vec::new();
    if !known.is_empty() {
        figures.push(("ln p", format!("{} at token {place}", known.join(", "))));
    }
    figures.extend(both.delta(row).map(|delta| ("Δ", format!("{} at token {place}", nats(delta, 3)))));
    for side in &both.sides {
        let (sum, n) = side.sum();
        if n > 0 {
            let (of, mean) = (format!("what branch {} alone has, {n} tokens", side.number), sum / n as f64);
            figures.push(("Σ", format!("{} over {of}", nats(sum, 2))));
            figures.push(("mean", format!("{} a token on branch {}", nats(mean, 3), side.number)));
        }
    }
    figures
}

/// The columns there are: what has no room is left out whole.
#[derive(Clone, Copy)]
struct DiffColumns {
    at: usize,
    token: usize,
    logprob: usize,
}

impl DiffColumns {
    fn of(width: u16) -> DiffColumns {
        let token = |used: usize| usize::from(width).saturating_sub(used) / 2;
        match () {
            () if token(AT + 3 * FIGURE + 2) >= TOKEN => {
                DiffColumns { at: AT, token: token(AT + 3 * FIGURE + 2), logprob: FIGURE }
            }
            () if token(3 * FIGURE + 2) >= TOKEN => {
                DiffColumns { at: 0, token: token(3 * FIGURE + 2), logprob: FIGURE }
            }
            () => DiffColumns { at: 0, token: token(FIGURE + 2), logprob: 0 },
        }
    }

    /// Something in a row's columns: a place, for each side a token and its figure, and the difference.
    fn row(self, at: &str, sides: [(String, String); 2], delta: &str) -> [String; 4] {
        let [left, right] = sides.map(|(token, logprob)| {
            format!("{}{:>wide$}", fitted(&token, self.token), self.cut(&logprob), wide = self.logprob)
        });
        let place = format!("{:>wide$} ", clipped(at, self.at), wide = self.at.saturating_sub(1));
        [if self.at > 0 { place } else { String::new() }, left, right, format!("{delta:>FIGURE$}")]
    }

    fn cut(self, logprob: &str) -> String {
        clipped(logprob, self.logprob)
    }
}

fn draw(state: &State, frame: &mut Frame, place: PanePlace) {
    let inner = inside(place.area);
    let branches = state.session.branches();
    let (Some(both), Some(vocab)) = (state.diff.comparison(branches), state.session.vocab()) else {
        let nothing = "two branches stand here side by side: /diff 1 2, or d on a branch in the tree";
        let nothing = Paragraph::new(nothing).style(state.theme.dim()).wrap(Wrap { trim: true });
        return frame.render_widget(nothing, inner);
    };
    let columns = DiffColumns::of(inner.width);
    let mut lines = vec![head(state, &both, columns)];
    let (before, room, below) = rows(inner, &both);
    for (i, node) in both.common.iter().enumerate().skip(both.common.len() - before) {
        let same = || (vocab.visible(node.id), minus(&figure(logprob(node))));
        let row = columns.row(&(i + 1).to_string(), [same(), same()], "");
        lines.push(Line::styled(joined(&row), state.theme.dim()));
    }
    let first = first(state, &both, room);
    lines.extend((first..both.rows()).take(room).map(|row| line(state, &both, row, columns, vocab)));
    if both.rows() == 0 {
        lines.push(Line::styled("they are the same", state.theme.dim()));
    }
    let width = usize::from(inner.width);
    let foot = both.sides.iter().map(ComparedSide::told).chain(both.difference());
    let foot: Vec<String> = foot.take(below).map(|told| clipped(&minus(&told), width)).collect();
    for (line, place) in lines.into_iter().zip(inner.rows()) {
        frame.render_widget(line, place);
    }
    let below = inner.rows().skip(usize::from(inner.height).saturating_sub(foot.len()));
    for (told, place) in foot.into_iter().zip(below) {
        frame.render_widget(Line::styled(fitted(&told, width), state.theme.dim()), place);
    }
}

fn head(state: &State, both: &BranchComparison, columns: DiffColumns) -> Line<'static> {
    let current = state.session.branches().current().number;
    let side = |side: &ComparedSide| {
        let mark = if side.number == current { "▸" } else { "" };
        (format!("{mark}branch {}", side.number), "ln p".to_string())
    };
    let [a, b] = &both.sides;
    Line::styled(joined(&columns.row("at", [side(a), side(b)], "Δ")), state.theme.dim())
}

fn joined(row: &[String; 4]) -> String {
    let [at, left, right, delta] = row;
    format!("{at}{left}  {right}{delta}")
}

/// Tokens before the first difference, rows for what differs, and rows below: in a low pane what differs comes first.
fn rows(inner: Rect, both: &BranchComparison) -> (usize, usize, usize) {
    let all = usize::from(inner.height).saturating_sub(1);
    let least = both.rows().min(LEAST);
    let foot = all.saturating_sub(least).min(FOOT);
    let before = both.common.len().min(BEFORE).min(all.saturating_sub(least + foot));
    (before, all - foot - before, foot)
}

/// The first row in view: the chosen one stands in the middle where there are more.
fn first(state: &State, both: &BranchComparison, room: usize) -> usize {
    state.diff.row.saturating_sub(room / 2).min(both.rows().saturating_sub(room))
}

fn line(
    state: &State,
    both: &BranchComparison,
    row: usize,
    columns: DiffColumns,
    vocab: &Vocab,
) -> Line<'static> {
    let node = |side: &ComparedSide| {
        side.own.get(row).map(|node| (vocab.visible(node.id), minus(&figure(logprob(node)))))
    };
    let [a, b] = &both.sides;
    let at = (both.common.len() + row + 1).to_string();
    let delta = both.delta(row).map_or(String::new(), |delta| minus(&format!("{delta:+.3}")));
    let [at, left, right, delta] =
        columns.row(&at, [a, b].map(|side| node(side).unwrap_or_default()), &delta);
    let style = |side: usize| match () {
        () if state.diff.row == row && state.diff.side == side && state.has_keys(&DIFF) => {
            state.theme.cursor()
        }
        () => both.sides[side].own.get(row).map_or(Style::new(), |node| token_style(state, node)),
    };
    Line::from(vec![
        Span::styled(at, state.theme.dim()),
        Span::styled(left, style(0)),
        Span::raw("  "),
        Span::styled(right, style(1)),
        Span::styled(delta, state.theme.figure()),
    ])
}

/// A token in the colour that the conversation has.
fn token_style(state: &State, node: &TreeNode) -> Style {
    let stats = node.step.as_ref().and_then(|step| step.stats.as_ref());
    let level = stats.and_then(|stats| state.colouring.level(stats));
    level.map_or(Style::new(), |level| state.theme.level(level))
}

/// The first click chooses, one on what is chosen goes there.
fn click(state: &mut State, place: PanePlace, at: Position) -> Vec<Effect> {
    let inner = inside(place.area);
    let Some(both) = state.diff.comparison(state.session.branches()) else { return Vec::new() };
    let ((before, room, _), columns) = (rows(inner, &both), DiffColumns::of(inner.width));
    let head = 1 + before;
    let line = usize::from(at.y.saturating_sub(inner.y));
    let row = (head..head + room).contains(&line).then(|| first(state, &both, room) + line - head);
    let Some(row) = row.filter(|&row| row < both.rows()) else { return Vec::new() };
    let left = columns.at + columns.token + columns.logprob + 1;
    let side = usize::from(usize::from(at.x.saturating_sub(inner.x)) >= left);
    if (state.diff.row, state.diff.side) == (row, side) {
        return act(state, "diff-go");
    }
    state.diff.row = row;
    take_side(state, side);
    Vec::new()
}

fn act(state: &mut State, name: &str) -> Vec<Effect> {
    match name {
        "diff-up" => walk(state, -1),
        "diff-down" => walk(state, 1),
        "diff-left" => take_side(state, 0),
        "diff-right" => take_side(state, 1),
        "diff-first" => walk(state, isize::MIN),
        "diff-last" => walk(state, isize::MAX),
        "diff-go" => {
            let Some((number, at)) = chosen(state) else { return Vec::new() };
            state.focus_on(&CHAT);
            let mut effects = Vec::new();
            if number != state.session.branches().current().number {
                effects = submit(state, &format!("/branch {number}"));
            }
            state.walk_to(at);
            return effects;
        }
        _ => state.focus_on(&CHAT),
    }
    Vec::new()
}
