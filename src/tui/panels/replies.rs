//! The replies to the last message, side by side.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::{Paragraph, Wrap};

use crate::columns::{clipped, wrapped};
use crate::session::branches::Branch;
use crate::session::turn::Turn;
use crate::tui::layout::inside;
use crate::tui::msg::Effect;
use crate::tui::pane::{CHAT, PanePlace, REPLIES};
use crate::tui::send::submit;
use crate::tui::state::State;
use crate::tui::view::items::figure;

use super::figures::of_score;
use super::panel::{NamedFigure, Panel};

/// Columns below which a reply can't be read.
const NARROWEST: u16 = 19;
/// Rows above the text: which branch, and its figures.
const HEAD: usize = 2;

pub static PANEL: Panel = Panel { pane: &REPLIES, title, draw, click, scroll, act, figures };

fn title(state: &State) -> Vec<String> {
    let count = state.session.branches().beside().len();
    let more = more(state, count);
    vec![
        format!(" replies ─ {count} to the last message{more} "),
        format!(" replies ─ {count}{more} "),
        " replies ".to_string(),
    ]
}

/// How many of them stand left and right of those in view.
fn more(state: &State, count: usize) -> String {
    let Some(place) = state.areas().and_then(|areas| areas.of(&REPLIES)) else { return String::new() };
    let (left, places) = columns(state, place.area);
    let right = count.saturating_sub(left + places.len());
    let left = if left > 0 { format!(" · ‹ {left} more") } else { String::new() };
    let right = if right > 0 { format!(" · {right} more ›") } else { String::new() };
    left + &right
}

/// Which of them is chosen: the present branch's until somebody chooses.
fn chosen(state: &State) -> usize {
    let branches = state.session.branches();
    let all = branches.beside();
    let at = |number| all.iter().position(|(branch, _)| branch.number == number);
    state.reply_column.and_then(at).or_else(|| at(branches.current().number)).unwrap_or(0)
}

/// Those of the chosen reply.
fn figures(state: &State) -> Vec<NamedFigure> {
    let all = state.session.branches().beside();
    let Some(&(branch, turn)) = all.get(chosen(state)) else { return Vec::new() };
    let Some(reply) = &turn.reply else { return Vec::new() };
    let mut figures = of_score(&reply.score, &format!("the reply on branch {}", branch.number));
    figures.push(("seed", reply.seed.to_string()));
    figures
}

/// The places of those that are in view, and the number of the first.
fn columns(state: &State, area: Rect) -> (usize, Vec<Rect>) {
    let all = state.session.branches().beside().len().max(1);
    let inner = inside(area);
    let fit = usize::from(inner.width / NARROWEST).clamp(1, all);
    let chosen = chosen(state);
    let first = state.reply_first.clamp((chosen + 1).saturating_sub(fit), chosen).min(all - fit);
    let places = Layout::horizontal(vec![Constraint::Fill(1); fit]).spacing(1).split(inner).to_vec();
    (first, places)
}

fn draw(state: &State, frame: &mut Frame, place: PanePlace) {
    let all = state.session.branches().beside();
    if all.is_empty() {
        let nothing = "replies to the same message stand here side by side: /retry 3 writes three more";
        let nothing = Paragraph::new(nothing).style(state.theme.dim()).wrap(Wrap { trim: true });
        return frame.render_widget(nothing, inside(place.area));
    }
    let (first, places) = columns(state, place.area);
    for (at, area) in (first..).zip(places) {
        let Some(&(branch, turn)) = all.get(at) else { break };
        let width = usize::from(area.width);
        let mut lines = head(state, branch, turn).map(|line| clipped(&line, width)).map(Line::raw);
        lines[1].style = state.theme.dim();
        lines[0].style = match state.has_keys(&REPLIES) && at == chosen(state) {
            true => state.theme.cursor(),
            false => state.theme.model(),
        };
        let rows = wrapped(&turn.text, width);
        let room = usize::from(area.height).saturating_sub(HEAD);
        let from = state.reply_scroll.min(rows.len().saturating_sub(room));
        let text = rows.into_iter().skip(from).map(Line::raw);
        for (line, place) in lines.into_iter().chain(text).zip(area.rows()) {
            frame.render_widget(line, place);
        }
    }
}

/// Which branch, and its figures.
fn head(state: &State, branch: &Branch, turn: &Turn) -> [String; HEAD] {
    let branches = state.session.branches();
    let mark = if branch.number == branches.current().number { "▸" } else { " " };
    let seed = turn.reply.as_ref().map_or(String::new(), |reply| format!(" seed {}", reply.seed));
    let score = turn.reply.as_ref().map(|reply| reply.score).unwrap_or_default();
    let mean = score.mean_logprob().map_or(String::new(), |mean| format!("  {}/t", figure(mean, 2, 6)));
    [format!("{mark}{}{seed}", branch.number), format!(" Σ {}{mean}", figure(score.sum_logprob(), 2, 8))]
}

fn scroll(state: &mut State, by: isize) {
    let Some(area) = state.areas().and_then(|areas| areas.of(&REPLIES)).map(|place| place.area) else {
        return;
    };
    let (_, places) = columns(state, area);
    let width = places.first().map_or(1, |place| usize::from(place.width));
    let all = state.session.branches().beside();
    let longest = all.iter().map(|(_, turn)| wrapped(&turn.text, width).len()).max().unwrap_or(0);
    let room = usize::from(inside(area).height).saturating_sub(HEAD);
    let last = longest.saturating_sub(room);
    state.reply_scroll = state.reply_scroll.min(last).saturating_add_signed(by).min(last);
}

fn choose(state: &mut State, at: usize) {
    let number = state.session.branches().beside().get(at).map(|(branch, _)| branch.number);
    state.reply_column = number.or(state.reply_column);
    if let Some(place) = state.areas().and_then(|areas| areas.of(&REPLIES)) {
        state.reply_first = columns(state, place.area).0;
    }
}

/// The first click chooses, one on what is chosen goes there.
fn click(state: &mut State, place: PanePlace, at: Position) -> Vec<Effect> {
    let (first, places) = columns(state, place.area);
    let Some(column) = places.iter().position(|place| place.contains(at)) else { return Vec::new() };
    let before = state.reply_column;
    choose(state, first + column);
    if before.is_some() && before == state.reply_column { act(state, "reply-go") } else { Vec::new() }
}

fn act(state: &mut State, name: &str) -> Vec<Effect> {
    let at = chosen(state);
    match name {
        "reply-left" => choose(state, at.saturating_sub(1)),
        "reply-right" => choose(state, at + 1),
        "reply-go" => {
            let number = state.session.branches().beside().get(at).map(|(branch, _)| branch.number);
            state.focus_on(&CHAT);
            return number.map_or_else(Vec::new, |number| submit(state, &format!("/branch {number}")));
        }
        _ => state.focus_on(&CHAT),
    }
    Vec::new()
}
