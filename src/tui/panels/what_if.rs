//! The what-if pane: the settings that are tried, and what they make of the step's tokens beside what it was.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::Block;

use crate::columns::{clipped, fitted, width};
use crate::query::what_if::Fate;
use crate::report::bars::bar;
use crate::settings::key::SettingKey;
use crate::step::{SamplerOutcome, Stage};
use crate::token::{printable, visible};
use crate::tui::layout::inside;
use crate::tui::msg::Effect;
use crate::tui::pane::{PanePlace, WHAT_IF};
use crate::tui::send::{execute, prefill};
use crate::tui::state::State;
use crate::tui::view::items::first_fitting;
use crate::tui::what_if::WhatIfList;
use crate::tui::what_if::show as what_if;
use crate::tui::what_if::tried::TRIED;

use super::figures::percent as share;
use super::panel::{NamedFigure, Panel};
use super::table::{final_figure, grouped, percent, short_stage, step_name, token_and_bar};

/// Columns of everything but token and bar: mark, raw, what it was, final, and the gaps.
const FIGURES: usize = 2 + 6 + 7 + 7;

pub static PANEL: Panel = Panel {
    pane: &WHAT_IF,
    title,
    draw,
    click: |state, place, at| {
        click(state, place, at);
        Vec::new()
    },
    scroll,
    act,
    figures,
};

fn title(state: &State) -> Vec<String> {
    let Some(at) = state.shown_step() else { return vec![" what if ".to_string()] };
    let what = step_name(state, at);
    let plain = [format!(" what if ─ {what} "), " what if ".to_string()];
    if state.what_if.tried.changed(state.session.settings()).is_empty() {
        return plain.to_vec();
    }
    let told = [
        format!(" what if ─ {what} ─ Enter: hold from now on "),
        format!(" what if ─ {what} ─ Enter: hold "),
    ];
    told.into_iter().chain(plain).collect()
}

/// A setting on its line.
struct SettingPlace {
    /// Which of [`TRIED`].
    index: usize,
    area: Rect,
    text: String,
}

/// The settings, as many to a line as fit.
fn settings(state: &State, inner: Rect) -> Vec<SettingPlace> {
    let tried = state.what_if.tried.of(state.session.settings());
    let (mut x, mut y) = (0, 0);
    let mut places = Vec::with_capacity(TRIED.len());
    for (index, key) in TRIED.into_iter().enumerate() {
        let is_changed = key.show(&tried) != key.show(state.session.settings());
        let mark = if is_changed { "*" } else { "" };
        let text = clipped(&format!("{} {}{mark}", short(key), key.show(&tried)), usize::from(inner.width));
        let columns = width(&text) as u16;
        if x > 0 && x + columns > inner.width {
            (x, y) = (0, y + 1);
        }
        let area = Rect { x: inner.x + x, y: inner.y + y, width: columns, height: 1 };
        places.push(SettingPlace { index, area: area.intersection(inner), text });
        x += columns + 2;
    }
    places
}

/// A setting's name in few columns.
fn short(key: SettingKey) -> &'static str {
    match key {
        SettingKey::RepeatPenalty => "repeat",
        SettingKey::PresencePenalty => "presence",
        SettingKey::FrequencyPenalty => "frequency",
        SettingKey::TopNSigma => "top-nσ",
        other => other.name(),
    }
}

/// Where the list stands: below the settings and what is said of it, above the rest.
fn rows(state: &State, inner: Rect) -> Rect {
    let below = settings(state, inner).last().map_or(inner.y, |last| last.area.y + 1);
    // What is said, and the head.
    let top = (below + 2).min(inner.bottom());
    Rect { y: top, height: (inner.bottom() - top).saturating_sub(1), ..inner }
}

fn draw(state: &State, frame: &mut Frame, place: PanePlace) {
    let (inner, theme) = (inside(place.area), state.theme);
    let selected = state.what_if.tried.selected;
    for SettingPlace { index, area, text } in settings(state, inner) {
        let style = match (index == selected && state.has_keys(&WHAT_IF), text.ends_with('*')) {
            (true, _) => theme.cursor(),
            (false, true) => theme.figure(),
            (false, false) => Style::new(),
        };
        frame.render_widget(Span::styled(text, style), area);
    }
    let list = rows(state, inner);
    let columns = usize::from(inner.width);
    let line = |frame: &mut Frame, y: u16, line: Line<'static>| {
        frame.render_widget(line, Rect { y, height: 1, ..inner }.intersection(inner));
    };
    line(frame, list.y.saturating_sub(2), Line::styled(clipped(&told(state), columns), theme.dim()));
    let Some(found) = &state.what_if.list else { return };
    let wide = Wide::of(columns);
    line(frame, list.y.saturating_sub(1), wide.header(state));
    let (first, seen) = in_view(state, found, list);
    for (i, fate) in seen.iter().enumerate() {
        line(frame, list.y + i as u16, wide.row(state, fate));
    }
    let rest = rest(found, first, seen, state.session.vocab().map_or(0, |vocab| vocab.len()));
    line(frame, list.bottom(), Line::styled(clipped(&rest, columns), theme.dim()));
    let hint = [
        " ↑↓ setting  ←→ try  Enter hold  r reset  v letters  , . token  Esc close ".to_string(),
        " ↑↓ setting  ←→ try  v letters  Esc close ".to_string(),
        " Esc close ".to_string(),
    ];
    let room = usize::from(place.area.width).saturating_sub(2);
    let hint = Line::styled(first_fitting(&hint, room), Style::reset().patch(theme.dim()));
    let bottom = Block::new().title_bottom(hint);
    frame.render_widget(bottom, Rect { x: place.area.x + 1, width: place.area.width - 2, ..place.area });
}

/// What the list is of, and what is not known of it.
fn told(state: &State) -> String {
    let what_if = &state.what_if;
    let holding = what_if.list.as_ref().and_then(|list| list.holding).map(|count| {
        let letters = visible(what_if.letters.as_bytes());
        let tokens = if count == 1 { "token holds" } else { "tokens hold" };
        format!("{} {tokens} «{letters}»", grouped(count))
    });
    let left = what_if.list.as_ref().and_then(|list| list.what_if.left);
    let left = left.map(|left| match left {
        1 => "1 token can still be chosen".to_string(),
        left => format!("{} tokens can still be chosen", grouped(left)),
    });
    let note = what_if.list.as_ref().and_then(|list| list.what_if.note.clone());
    let parts = [what_if::missing(state), holding, note, left];
    printable(&parts.into_iter().flatten().collect::<Vec<_>>().join(" · "))
}

/// Those of the token that stands there, and what the chosen setting does.
fn figures(state: &State) -> Vec<NamedFigure> {
    let Some(list) = &state.what_if.list else { return Vec::new() };
    let token = state.shown_step().and_then(|at| state.session.sequence().get(at)).map(|token| token.id);
    let mut figures = Vec::new();
    if let Some(fate) = list.what_if.tokens.iter().find(|fate| Some(fate.id) == token) {
        let fell = |prob: String, stage: Option<Stage>| match stage {
            Some(stage) => format!("0 %, dropped by {}", stage.name()),
            None => prob,
        };
        figures.push(("raw", share(f64::from(fate.logprob).exp())));
        let was = was(state, fate);
        let was = was.map(|was| fell(share(f64::from(was.prob)), was.dropped_by));
        figures.push(("was", was.unwrap_or_else(|| "not given: no sampler ran here".to_string())));
        let now = fell(fate.prob.shown(|prob| share(f64::from(prob))), fate.dropped_by);
        figures.push(("final", format!("{now} with what is tried")));
    }
    let left = list.what_if.left.map(|left| ("can still be chosen", grouped(left)));
    figures.extend(left);
    figures
}

/// What is listed and out of sight, and what no list has.
fn rest(list: &WhatIfList, first: usize, seen: &[Fate], vocabulary: usize) -> String {
    let all = list.holding.unwrap_or(vocabulary);
    let more = all.saturating_sub(seen.len());
    match first {
        0 => format!("  … {} more", grouped(more)),
        first => format!("  … {} more, {} of them above", grouped(more), grouped(first)),
    }
}

/// The rows in view, and how many stand above. Of a whole list the token that stands there is the last, wherever
/// it is in the order.
fn in_view<'a>(state: &State, list: &'a WhatIfList, area: Rect) -> (usize, &'a [Fate]) {
    let (all, room) = (&list.what_if.tokens, usize::from(area.height));
    let first = state.what_if.scroll.min(all.len().saturating_sub(room));
    (first, &all[first..all.len().min(first + room)])
}

/// How wide token and bar are.
struct Wide {
    token: usize,
    bar: usize,
}

impl Wide {
    fn of(columns: usize) -> Wide {
        let (token, bar) = token_and_bar(columns.saturating_sub(FIGURES));
        Wide { token, bar }
    }

    fn header(&self, state: &State) -> Line<'static> {
        let token = self.token;
        let text = format!("  {:<token$}{:>6}{:>7}{:>7}", "token", "raw%", "was%", "final%");
        Line::styled(text, state.theme.dim())
    }

    fn row(&self, state: &State, fate: &Fate) -> Line<'static> {
        let stood = state.shown_step().and_then(|at| state.session.sequence().get(at)).map(|token| token.id);
        let is_chosen = stood == Some(fate.id);
        let is_dropped = fate.dropped_by.is_some();
        let style = match (is_dropped, is_chosen) {
            (true, _) => state.theme.dim(),
            (false, true) => state.theme.chosen(),
            (false, false) => Style::new(),
        };
        let spelling = state.session.vocab().map_or_else(String::new, |vocab| vocab.visible(fate.id));
        let mark = if is_chosen { "▸ " } else { "  " };
        let p = f64::from(fate.logprob).exp();
        let now = match fate.dropped_by {
            Some(stage) => short_stage(stage.name()),
            None => fate.prob.shown(|prob| percent(f64::from(prob))),
        };
        let length = fate.prob.exact().or(fate.prob.bounds().map(|[low, _]| low)).unwrap_or(0.0);
        // Bounds take the room of the bar.
        let bars =
            format!(" {}", bar(f64::from(length), self.bar.saturating_sub(width(&now).saturating_sub(7))));
        Line::from(vec![
            Span::styled(mark, style),
            Span::styled(fitted(&spelling, self.token), style),
            Span::styled(format!("{:>6}", percent(p)), style),
            Span::styled(format!("{:>7}", final_figure(was(state, fate))), state.theme.dim()),
            Span::styled(format!("{now:>7}"), style),
            Span::styled(bars, state.theme.bar()),
        ])
    }
}

/// What became of the token when the step was written.
fn was(state: &State, fate: &Fate) -> Option<SamplerOutcome> {
    let step = state.session.sequence().step(state.shown_step()?)?;
    let stats = step.stats.as_ref()?;
    if step.id == fate.id {
        return stats.outcome;
    }
    stats.prediction.top_logprobs.iter().find(|one| one.id == fate.id).and_then(|one| one.outcome)
}

fn scroll(state: &mut State, by: isize) {
    let Some(place) = state.areas().and_then(|areas| areas.of(&WHAT_IF)) else { return };
    let room = usize::from(rows(state, inside(place.area)).height);
    let listed = state.what_if.list.as_ref().map_or(0, |list| list.what_if.tokens.len());
    let last = listed.saturating_sub(room);
    state.what_if.scroll = state.what_if.scroll.min(last).saturating_add_signed(by).min(last);
}

/// A click chooses a setting.
fn click(state: &mut State, place: PanePlace, at: Position) {
    let clicked = settings(state, inside(place.area)).into_iter().find(|setting| setting.area.contains(at));
    if let Some(setting) = clicked {
        state.what_if.tried.selected = setting.index;
    }
}

fn act(state: &mut State, name: &str) -> Vec<Effect> {
    match name {
        "setting-up" => state.what_if.tried.select(-1),
        "setting-down" => state.what_if.tried.select(1),
        "setting-less" => state.what_if.tried.change(state.session.settings(), -1),
        "setting-more" => state.what_if.tried.change(state.session.settings(), 1),
        "what-if-up" => scroll(state, -1),
        "what-if-down" => scroll(state, 1),
        "what-if-reset" => state.what_if.tried.reset(),
        "what-if-vocab" => prefill(state, "/vocab "),
        "what-if-close" if !state.what_if.letters.is_empty() => {
            state.what_if.letters.clear();
            state.what_if.scroll = 0;
        }
        "what-if-close" => what_if::close(state),
        _ => return take_over(state),
    }
    Vec::new()
}

/// Has what is tried hold from the next reply on.
fn take_over(state: &mut State) -> Vec<Effect> {
    let changed = state.what_if.tried.changed(state.session.settings());
    state.what_if.tried.reset();
    let mut effects = Vec::new();
    for (key, value) in changed {
        effects.extend(execute(state, crate::command::Command::Set(Some((key, Some(value))))));
    }
    effects
}
