//! The branches of the conversation, each below the one it left.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use crate::columns::{clipped, fitted};
use crate::session::branches::{Branch, Branches};
use crate::session::branching::BranchLine;
use crate::tui::layout::inside;
use crate::tui::msg::Effect;
use crate::tui::pane::{PanePlace, TREE};
use crate::tui::send::submit;
use crate::tui::state::State;
use crate::tui::view::items::minus;

use super::figures::of_score;
use super::panel::{NamedFigure, Panel};

/// Columns of the figures: Σ, per token, tokens, and the gaps.
const FIGURES: usize = 10 + 9 + 7;
/// Columns of the mark, the branch's number and the lines that lead to it.
const BRANCH: usize = 10;

pub static PANEL: Panel = Panel { pane: &TREE, title, draw, click, scroll: walk, act, figures };

fn title(state: &State) -> Vec<String> {
    let count = state.session.branches().all().len();
    let branches = if count == 1 { "branch" } else { "branches" };
    vec![format!(" tree ─ {count} {branches} "), " tree ".to_string()]
}

/// The branches in the order of the tree, each with how far it stands in.
fn rows(branches: &Branches) -> Vec<(usize, &Branch)> {
    let all = branches.all();
    let is_root = |branch: &&Branch| !all.iter().any(|other| Some(other.number) == branch.from);
    let mut open: Vec<(usize, &Branch)> =
        all.iter().rev().filter(is_root).map(|branch| (0, branch)).collect();
    let mut rows = Vec::with_capacity(all.len());
    while let Some((depth, branch)) = open.pop() {
        rows.push((depth, branch));
        let left_it = all.iter().rev().filter(|other| other.from == Some(branch.number));
        open.extend(left_it.map(|other| (depth + 1, other)));
    }
    rows
}

/// The row that is chosen, and its branch: the present one until somebody walks.
fn chosen(state: &State) -> Option<(usize, u32)> {
    let rows = rows(state.session.branches());
    let wanted = state.tree_row.filter(|wanted| rows.iter().any(|(_, branch)| branch.number == *wanted));
    let wanted = wanted.unwrap_or(state.session.branches().current().number);
    rows.iter().position(|(_, branch)| branch.number == wanted).map(|at| (at, wanted))
}

/// Those of the chosen branch.
fn figures(state: &State) -> Vec<NamedFigure> {
    let branches = state.session.branches();
    let number = chosen(state).map(|(_, number)| number);
    let branch = branches.all().iter().find(|branch| Some(branch.number) == number);
    let last = branch.and_then(|branch| branch.turns.iter().rev().find_map(|turn| turn.reply.as_ref()));
    let (Some(branch), Some(reply)) = (branch, last) else { return Vec::new() };
    of_score(&reply.score, &format!("the last reply of branch {}", branch.number))
}

/// The first row in view, below the head.
fn first(state: &State, room: usize) -> usize {
    chosen(state).map_or(0, |(at, _)| (at + 1).saturating_sub(room))
}

fn draw(state: &State, frame: &mut Frame, place: PanePlace) {
    let inner = inside(place.area);
    let branches = state.session.branches();
    if state.session.turns().is_empty() && branches.all().len() == 1 {
        let nothing = "every way the conversation goes is a row here: in the table, Enter on a candidate leaves \
                       the reply for another";
        frame
            .render_widget(Paragraph::new(nothing).style(state.theme.dim()).wrap(Wrap { trim: true }), inner);
        return;
    }
    let text = usize::from(inner.width).saturating_sub(FIGURES + BRANCH + 1);
    let head =
        format!("{}{:>10}{:>9}{:>7} {}", fitted("  branch", BRANCH), "Σ nat", "/token", "tokens", "reply");
    let mut lines = vec![Line::styled(clipped(&head, usize::from(inner.width)), state.theme.dim())];
    let room = usize::from(inner.height).saturating_sub(1);
    let chosen = chosen(state).map(|(_, number)| number);
    for (depth, branch) in rows(branches).into_iter().skip(first(state, room)).take(room) {
        let figures = BranchLine::of(branches, branch);
        let mark = if branch.number == branches.current().number { "▸ " } else { "  " };
        let lead = if depth > 0 { format!("{}└", " ".repeat((depth - 1).min(3))) } else { String::new() };
        let line = format!(
            "{}{:>10}{:>9}{:>7} {}",
            fitted(&format!("{mark}{lead}{}", branch.number), BRANCH),
            minus(&figures.sum),
            minus(&figures.mean),
            figures.tokens,
            clipped(&figures.text, text)
        );
        let is_chosen = state.has_keys(&TREE) && chosen == Some(branch.number);
        let line = Line::raw(clipped(&line, usize::from(inner.width)));
        lines.push(if is_chosen { line.style(state.theme.cursor()) } else { line });
    }
    for (i, line) in lines.into_iter().take(usize::from(inner.height)).enumerate() {
        frame.render_widget(line, Rect { y: inner.y + i as u16, height: 1, ..inner });
    }
}

fn walk(state: &mut State, by: isize) {
    let rows = rows(state.session.branches());
    let Some((at, _)) = chosen(state) else { return };
    let to = at.saturating_add_signed(by).min(rows.len().saturating_sub(1));
    let number = rows.get(to).map(|(_, branch)| branch.number);
    state.tree_row = number;
}

/// The first click chooses, one on what is chosen goes there.
fn click(state: &mut State, place: PanePlace, at: Position) -> Vec<Effect> {
    let inner = inside(place.area);
    let Some(row) = at.y.checked_sub(inner.y + 1) else { return Vec::new() };
    let room = usize::from(inner.height).saturating_sub(1);
    let at = first(state, room) + usize::from(row);
    let number = rows(state.session.branches()).get(at).map(|(_, branch)| branch.number);
    let Some(number) = number else { return Vec::new() };
    if state.tree_row == Some(number) {
        return act(state, "tree-go");
    }
    state.tree_row = Some(number);
    Vec::new()
}

fn act(state: &mut State, name: &str) -> Vec<Effect> {
    let Some((_, number)) = chosen(state) else { return Vec::new() };
    match name {
        "tree-up" => walk(state, -1),
        "tree-down" => walk(state, 1),
        "tree-compare" => {
            let current = state.session.branches().current().number;
            return submit(state, &format!("/diff {current} {number}"));
        }
        // The only one stays, which the session says.
        "tree-prune" if state.session.branches().all().len() > 1 && state.tree_gone != Some(number) => {
            state.tree_gone = Some(number);
        }
        "tree-prune" => {
            state.tree_gone = None;
            return submit(state, &format!("/prune {number}"));
        }
        _ => return submit(state, &format!("/branch {number}")),
    }
    Vec::new()
}
