//! The distribution a step was taken from: raw beside final, and what is not shown.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::columns::fitted;
use crate::step::{Candidate, Fate, Seen};
use crate::token::TokenId;
use crate::tui::keymap::Focus;
use crate::tui::layout::inside;
use crate::tui::state::State;

use super::{is_focused, pane};

/// Columns of everything but token and bar: mark, raw, final, ln p, and the gaps.
const FIGURES: usize = 2 + 6 + 7 + 9;

pub(super) fn draw(state: &State, frame: &mut Frame, area: Rect) {
    let block = pane(state.theme, title(state), is_focused(state, Focus::Table));
    frame.render_widget(block, area);
    let inner = inside(area);
    let Some(seen) = state.shown() else {
        frame.render_widget(Line::styled(nothing(state), state.theme.dim()), inner);
        return;
    };
    let columns = Columns::of(usize::from(inner.width));
    let mut lines = vec![columns.header(state)];
    let (shown, residual) = seen.outlook.shown(state.candidates());
    // Header, the rest, the figures of the whole distribution, perhaps the chosen token.
    let outside = outside_of(state, seen, shown);
    let room = usize::from(inner.height).saturating_sub(3 + usize::from(outside.is_some()));
    let first = state.table_scroll.min(shown.len().saturating_sub(room));
    let rows = &shown[first..shown.len().min(first + room)];
    let chosen = chosen_id(state);
    lines.extend(rows.iter().map(|candidate| columns.row(state, candidate, Some(candidate.id) == chosen)));
    let hidden: f64 = shown[first + rows.len()..].iter().chain(&shown[..first]).map(Candidate::prob).sum();
    let out_of_sight = seen.outlook.n_vocab as usize - rows.len();
    lines.push(columns.rest(state, out_of_sight, residual + hidden));
    if let Some(candidate) = outside {
        lines.push(columns.row(state, &candidate, true));
    }
    lines.push(whole(state, seen));
    for (i, line) in lines.into_iter().take(usize::from(inner.height)).enumerate() {
        frame.render_widget(line, Rect { y: inner.y + i as u16, height: 1, ..inner });
    }
}

fn title(state: &State) -> String {
    let trace = state.session.trace();
    match state.shown_step() {
        None => " next token ".to_string(),
        Some(index) if index >= trace.reply_start() => {
            let live = if state.cursor.is_none() { " ─ live" } else { "" };
            format!(" next token ─ step {}{live} ", index - trace.reply_start() + 1)
        }
        Some(index) => format!(" next token ─ prompt token {} of {} ", index + 1, trace.reply_start()),
    }
}

fn nothing(state: &State) -> &'static str {
    match state.shown_step() {
        Some(0) => "the first token has no context: the model says nothing about it",
        Some(_) => "not computed yet",
        None => "each step shows here what the model expects",
    }
}

fn chosen_id(state: &State) -> Option<TokenId> {
    state.shown_step().and_then(|index| state.session.trace().get(index)).map(|token| token.id)
}

/// The chosen token, where it is not among the shown candidates.
fn outside_of(state: &State, seen: &Seen, shown: &[Candidate]) -> Option<Candidate> {
    let id = chosen_id(state)?;
    if shown.iter().any(|candidate| candidate.id == id) {
        return None;
    }
    Some(Candidate { id, logprob: seen.logprob, rank: seen.rank, fate: seen.fate })
}

/// How wide token and bar are.
struct Columns {
    token: usize,
    bar: usize,
}

impl Columns {
    fn of(width: usize) -> Columns {
        let free = width.saturating_sub(FIGURES);
        let token = (free * 3 / 5).clamp(6, 24).min(free);
        Columns { token, bar: free.saturating_sub(token + 1) }
    }

    fn header(&self, state: &State) -> Line<'static> {
        let token = self.token;
        let bar = self.bar;
        let text = format!("  {:<token$}{:>6}{:>7} {:<bar$}{:>9}", "token", "raw%", "final%", "", "ln p");
        Line::styled(text, state.theme.dim())
    }

    fn row(&self, state: &State, candidate: &Candidate, chosen: bool) -> Line<'static> {
        let spelling = state.model().map_or_else(String::new, |model| model.vocab.visible(candidate.id));
        let style = if chosen { state.theme.chosen() } else { Style::new() };
        let mark = if chosen { "▸ " } else { "  " };
        let dropped = candidate.fate.is_some_and(|fate| fate.dropped_by.is_some());
        let final_style = if dropped { state.theme.dim() } else { style };
        let logprob = shown_logprob(candidate.logprob);
        let last = if chosen && candidate.rank > 1 && self.bar >= 12 {
            format!("#{}", candidate.rank)
        } else {
            String::new()
        };
        Line::from(vec![
            Span::styled(mark, style),
            Span::styled(fitted(&spelling, self.token), style),
            Span::styled(format!("{:>6}", percent(candidate.prob())), style),
            Span::styled(format!("{:>7}", final_figure(candidate.fate)), final_style),
            Span::raw(" "),
            Span::styled(
                fitted(&format!("{} {last}", bar(candidate.prob(), self.bar)), self.bar),
                state.theme.bar(),
            ),
            Span::styled(format!("{logprob:>9}"), style),
        ])
    }

    fn rest(&self, state: &State, n: usize, mass: f64) -> Line<'static> {
        let label = format!("… {} more", grouped(n));
        let figures = format!("{:>6}{:>7} ", percent(mass), "");
        let bar = fitted(&bar(mass, self.bar), self.bar);
        Line::styled(format!("  {}{figures}{bar}", fitted(&label, self.token)), state.theme.dim())
    }
}

/// Figures of the whole distribution.
fn whole(state: &State, seen: &Seen) -> Line<'static> {
    let bits = f64::from(seen.outlook.entropy) / std::f64::consts::LN_2;
    let figure = |text: String| Span::styled(text, state.theme.figure());
    let mut spans = vec![
        Span::raw("entropy "),
        figure(format!("{bits:.2}")),
        Span::raw(" bit  rank "),
        figure(grouped(seen.rank as usize)),
    ];
    if let Some(margin) = seen.outlook.margin() {
        spans.extend([Span::raw("  margin "), figure(format!("{margin:.2}")), Span::raw(" nat")]);
    }
    Line::from(spans)
}

fn final_figure(fate: Option<Fate>) -> String {
    match fate {
        None => String::new(),
        Some(Fate { dropped_by: Some(stage), .. }) => short_stage(stage.name()),
        Some(Fate { prob, .. }) => percent(f64::from(prob)),
    }
}

/// A stage's name in six columns.
fn short_stage(name: &str) -> String {
    match name {
        "penalties" => "penal.".to_string(),
        "temperature" => "temp".to_string(),
        "top-n-sigma" => "top-nσ".to_string(),
        "grammar" => "gramm.".to_string(),
        "typical" => "typic.".to_string(),
        other => other.to_string(),
    }
}

fn shown_logprob(logprob: f32) -> String {
    if logprob == f32::NEG_INFINITY { "−∞".to_string() } else { minus(format!("{logprob:.3}")) }
}

/// The typographic minus, as wide as a digit.
pub(super) fn minus(text: String) -> String {
    text.replace('-', "−")
}

/// Three figures that matter: 78.0, 6.21, 0.03, 1e-5.
fn percent(p: f64) -> String {
    let value = p * 100.0;
    if value >= 99.95 && p < 1.0 {
        return format!("{:.2}", (value * 100.0).floor() / 100.0);
    }
    match value {
        v if v >= 10.0 => format!("{v:.1}"),
        v if v >= 0.01 || v == 0.0 => format!("{v:.2}"),
        v => format!("{v:.0e}"),
    }
}

/// 49152 → 49 152.
pub(super) fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202F}');
        }
        out.push(digit);
    }
    out
}

/// A bar in eighths of a column.
fn bar(share: f64, columns: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share.clamp(0.0, 1.0) * columns as f64 * 8.0).round() as usize;
    let mut out = "█".repeat(eighths / 8);
    out.push_str(EIGHTHS[eighths % 8]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_keep_the_figures_that_matter() {
        let shown = [0.78, 0.0621, 0.0003, 0.0, 0.0000001, 1.0, 0.99999].map(percent);
        assert_eq!(shown, ["78.0", "6.21", "0.03", "0.00", "1e-5", "100.0", "99.99"]);
    }

    #[test]
    fn bars_grow_by_eighths() {
        assert_eq!(bar(0.5, 3), "█▌");
        assert_eq!(bar(1.0, 2), "██");
        assert_eq!(bar(0.0, 9), "");
    }
}
