//! The last line: model, speed, context, sampling, seed; or what is being waited for. What does not fit
//! is left out whole.

use std::sync::Arc;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::columns::{clipped, width};
use crate::model::{Reason, WeightsInForce};
use crate::sampling::Sampling;
use crate::session::state::{Fetch, ModelState};
use crate::session::turn::Reply;
use crate::token::printable;
use crate::tui::keys::KeyAction;
use crate::tui::pane::PRUNE;
use crate::tui::state::State;

use super::items::{WholeItem, at_right, line};

pub fn draw(state: &State, frame: &mut Frame, area: Rect) {
    let hint = clipped(&hint(state, area.width), usize::from(area.width));
    // A blank before it, and one between it and the hint.
    let room = usize::from(area.width).saturating_sub(width(&hint) + 2);
    let loading = |share: f32| {
        let (name, percent) = (one_line(&state.model_name()), format!("{:.0} %", share * 100.0));
        line(&progress(format!("loading {name}"), Some(gauge(share)), Some(percent), room), room)
    };
    let (text, style) = match state.session.state() {
        ModelState::Ready(_) => (line(&ready(state, room), room), state.theme.dim()),
        ModelState::None(reason) => (Line::raw(clipped(&one_line(reason), room)), state.theme.error()),
        ModelState::Loading { share, .. } => (loading(*share), state.theme.warning()),
        ModelState::Preparing(..) => (loading(1.0), state.theme.warning()),
        ModelState::Finding { fetch, .. } => (line(&fetching(fetch, room), room), state.theme.warning()),
    };
    let place = Rect { x: area.x + 1.min(area.width), width: room as u16, ..area };
    frame.render_widget(text.style(style), place.intersection(area));
    at_right(frame, area, hint, state.theme.dim());
}

/// Text of files and libraries, for one line.
fn one_line(text: &str) -> String {
    printable(text).replace('\n', " ")
}

fn fetching(fetch: &Fetch, room: usize) -> Vec<WholeItem> {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let (gauge, count) = match fetch.total {
        Some(total) if total > 0 => (
            Some(gauge(fetch.done as f32 / total as f32)),
            Some(format!("{:.0} of {:.0} MiB", mib(fetch.done), mib(total))),
        ),
        _ => (None, (fetch.done > 0).then(|| format!("{:.0} MiB", mib(fetch.done)))),
    };
    progress(one_line(&fetch.what), gauge, count, room)
}

/// What is done, and how far it is: the figure stays longest.
fn progress(what: String, gauge: Option<String>, count: Option<String>, room: usize) -> Vec<WholeItem> {
    let others: usize = [&gauge, &count].into_iter().flatten().map(|text| width(text) + 1).sum();
    let what = clipped(&what, room.saturating_sub(others).max(room.min(16)));
    let item = |importance, text: String| WholeItem::new(importance, " ", text, Style::new());
    let gauge = gauge.map(|text| item(2, text));
    let count = count.map(|text| item(0, text));
    [Some(item(1, what)), gauge, count].into_iter().flatten().collect()
}

/// The reply that the panels show, or the last one.
fn reply(state: &State) -> Option<&Reply> {
    let shown = state.shown_step().and_then(|token| state.turn_of(token));
    let last = state.session.turns().iter().rev().map(Arc::as_ref);
    shown.into_iter().chain(last).find_map(|turn| turn.reply.as_ref())
}

fn ready(state: &State, room: usize) -> Vec<WholeItem> {
    let session = &state.session;
    let item = |importance, gap, text: String| WholeItem::new(importance, gap, text, Style::new());
    let name = clipped(&one_line(&state.model_name()), (room / 2).max(24));
    let columns = width(&name);
    let mut items = vec![item(0, " · ", name)];
    let in_force = session.in_force();
    if let Some(model) = session.model() {
        let WeightsInForce { weights, reason } = model.about.weights;
        // What is off comes before it, with since when: neither says enough without the other.
        items.push(item(if in_force.is_some() { 2 } else { 1 }, " · ", weights.name().to_string()));
        // What is usual needs no reason.
        if reason != Reason::NotInCatalogue {
            items.push(item(4, " ", format!("({reason})")));
        }
    }
    if let Some(in_force) = in_force {
        let beside = room.saturating_sub(columns + width(&in_force.since) + 4);
        let most = beside.clamp(16, (room / 3).max(24));
        items.push(item(1, " · ", clipped(&one_line(&in_force.what), most)));
        items.push(item(1, " ", in_force.since));
    }
    if let Some(far) = state.far {
        items.push(item(1, " · ", far.words()));
    }
    if let Some(job) = session.job().filter(|job| job.prefill.0 < job.prefill.1) {
        items.push(item(1, " · ", format!("{} of {} prompt tokens", job.prefill.0, job.prefill.1)));
    }
    if let Some(Fetch { what, done, total }) = &state.copying {
        let share = total.filter(|&total| total > 0).map(|total| format!(" {} %", done * 100 / total));
        items.push(item(1, " · ", format!("{what} a copy{}", share.unwrap_or_default())));
    }
    if session.job().is_some_and(|job| job.undo.is_some()) {
        items.push(item(1, " · ", "tokenizing".to_string()));
    }
    let reply = reply(state);
    if let Some(speed) = reply.and_then(|reply| reply.timing.tokens_per_second()) {
        items.push(item(4, " · ", format!("{speed:.1} t/s")));
    }
    if let Some(reason) = reply.and_then(|reply| reply.finish) {
        items.push(item(3, " · ", reason.words().to_string()));
    }
    if let Some(again) = reply.map(|reply| reply.timing.read_again).filter(|&again| again > 0) {
        let words = format!("{again} tokens read again: this model's cache can't be rewound");
        items.push(item(2, " · ", words));
    }
    if let Some(model) = session.model() {
        let used = session.sequence().len();
        let of = if model.tells_context() { format!("/{}", model.context) } else { String::new() };
        items.push(item(5, " · ", format!("ctx {used}{of}")));
    }
    // The reply's own, which the settings may have left behind.
    let own = reply.map_or(Some(&session.settings().sampling), |reply| reply.sampling.as_ref());
    let sampling = own.map(Sampling::summary).unwrap_or_default();
    for (i, part) in sampling.into_iter().enumerate() {
        let (importance, gap) = if i == 0 { (3, " · ") } else { (5 + i, " ") };
        items.push(item(importance, gap, part));
    }
    // Without a reply on the screen: the one that the first will have.
    let seed = reply.map_or_else(|| session.next_seed(), |reply| reply.seed);
    items.push(item(2, " · ", format!("seed {seed}")));
    items
}

fn hint(state: &State, width: u16) -> String {
    if let Some(key) = state.leaving {
        let lost = if state.session.is_unsaved() { ", the conversation is not saved" } else { "" };
        return format!("{key} again to leave{lost} ");
    }
    let short =
        |action, what| state.look.keymap.short(state.focus, action).map(|key| format!("{key} {what} "));
    if let (Some(number), Some(key)) = (state.tree_gone, state.look.keymap.short(state.focus, PRUNE)) {
        return format!("{key} again to take branch {number} out ");
    }
    if state.session.is_busy() {
        return short(KeyAction::Stop, "stop").unwrap_or_default();
    }
    let focus = short(KeyAction::Focus(1), "focus").filter(|_| width >= 90).map(|hint| format!(" {hint}"));
    [short(KeyAction::Help, "help"), focus].into_iter().flatten().collect()
}

pub fn gauge(share: f32) -> String {
    let full = (share.clamp(0.0, 1.0) * 10.0).round() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(10 - full))
}
