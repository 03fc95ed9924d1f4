//! The last line: model, speed, context, sampling, seed; or what is being waited for.

use std::borrow::Cow;

use ratatui::Frame;
use ratatui::layout::{Alignment, Rect};
use ratatui::text::Line;
use unicode_width::UnicodeWidthStr;

use crate::token::printable;
use crate::tui::state::{Loading, State};

pub(super) fn draw(state: &State, frame: &mut Frame, area: Rect) {
    let (text, style) = match &state.loading {
        Loading::Ready => (ready(state), state.theme.dim()),
        Loading::Failed(reason) => {
            (format!(" {}", printable(reason).replace('\n', " ")), state.theme.error())
        }
        Loading::Loading(share) => (
            format!(" loading {} {} {:.0} %", printable(&state.model_name()), gauge(*share), share * 100.0),
            state.theme.warning(),
        ),
        Loading::Fetching(fetch) => {
            let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            let progress = match fetch.total {
                Some(total) if total > 0 => {
                    let share = fetch.done as f32 / total as f32;
                    format!(" {} {:.0} of {:.0} MiB", gauge(share), mib(fetch.done), mib(total))
                }
                _ if fetch.done > 0 => format!(" {:.0} MiB", mib(fetch.done)),
                _ => String::new(),
            };
            (format!(" {}{progress}", printable(&fetch.what)), state.theme.warning())
        }
    };
    let hint = hint(state, area.width);
    let left = area.width.saturating_sub(hint.width() as u16 + 1);
    frame.render_widget(Line::styled(text, style), Rect { width: left, ..area });
    frame.render_widget(Line::styled(hint, state.theme.dim()).alignment(Alignment::Right), area);
}

fn ready(state: &State) -> String {
    let session = &state.session;
    let mut parts = vec![printable(&state.model_name())];
    if let Some(job) = session.job().filter(|job| job.prefill.0 < job.prefill.1) {
        parts.push(format!("prompt {}/{}", job.prefill.0, job.prefill.1));
    }
    let reply = session.turns().last().and_then(|turn| turn.reply.as_ref());
    if let Some(speed) = reply.and_then(|reply| reply.timing.tokens_per_second()) {
        parts.push(format!("{speed:.1} t/s"));
    }
    if let Some(model) = session.model() {
        parts.push(format!("ctx {}/{}", session.trace().len(), model.context));
    }
    parts.push(session.settings().sampling.summary());
    let seed = match reply {
        Some(reply) if session.job().is_some() => reply.seed,
        _ => session.next_seed(),
    };
    parts.push(format!("seed {seed}"));
    format!(" {}", parts.join(" · "))
}

fn hint(state: &State, width: u16) -> Cow<'static, str> {
    if let Some(key) = state.leaving {
        let lost = if state.session.is_unsaved() { ", the conversation is not saved" } else { "" };
        return format!("{key} again to leave{lost} ").into();
    }
    let hint = if state.session.is_busy() {
        "^C stop "
    } else if width >= 90 {
        "? help  ⇥ focus "
    } else {
        "? help "
    };
    hint.into()
}

fn gauge(share: f32) -> String {
    let full = (share.clamp(0.0, 1.0) * 10.0).round() as usize;
    format!("{}{}", "█".repeat(full), "░".repeat(10 - full))
}
