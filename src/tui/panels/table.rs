//! The distribution a step was taken from: raw beside final, and what is not shown.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::archive::event::Pin;
use crate::columns::{clipped, fitted, width, wrapped};
use crate::distribution::Depth;
use crate::report::bars::bar;
use crate::settings::key::SettingKey;
use crate::step::{AnyToken, Candidate, Figure, SamplerOutcome, TokenStats};
use crate::token::{TokenId, printable};
use crate::tui::layout::{candidate_rows, inside};
use crate::tui::msg::Effect;
use crate::tui::segment::{reply_at, segment};
use crate::tui::send::submit;
use crate::tui::state::State;

use crate::tui::view::items::{WholeItem, figure, first_fitting, line};
use crate::tui::view::status::gauge;

use super::likelihood::sum_line;
use crate::tui::pane::{PanePlace, TABLE};

use super::figures::{self, of_step};
use super::panel::{NamedFigure, Panel};

/// Columns of everything but token and bar: mark, raw, final, ln p, and the gaps.
const FIGURES: usize = 2 + 6 + 7 + 9;

pub static PANEL: Panel = Panel { pane: &TABLE, title, draw, click, scroll, act, figures };

/// The candidates that can be scrolled to: as many as a person asked for, else all that the step keeps.
fn listed<'a>(state: &State, stats: &'a TokenStats, area: Rect) -> (&'a [Candidate], Figure<f64>) {
    let settings = state.session.settings();
    let asked = state.candidates_on(Some(area));
    let kept = stats.prediction.top_logprobs.len();
    let is_asked = settings.sources.of(SettingKey::K).is_person() || !matches!(settings.k, Depth::Count(_));
    stats.prediction.shown(if is_asked { asked } else { asked.max(kept) })
}

/// Those of them that are in view, and the chosen token, where it is none of these.
fn in_view(state: &State, stats: &TokenStats, area: Rect) -> (Range<usize>, Option<AnyToken>) {
    let all = listed(state, stats, area).0;
    let view = |room: usize| {
        let first = state.table_scroll.min(all.len().saturating_sub(room));
        first..all.len().min(first + room)
    };
    let room = candidate_rows(area).saturating_sub(pins(state).len());
    let outside = outside_of(state, stats, &all[view(room)]);
    (view(room.saturating_sub(usize::from(outside.is_some()))), outside)
}

/// How many tokens have no row, and their mass.
fn out_of_sight(state: &State, stats: &TokenStats, area: Rect) -> (usize, Figure<f64>) {
    let (shown, residual) = listed(state, stats, area);
    let (view, outside) = in_view(state, stats, area);
    let rows = view.len() + usize::from(outside.is_some());
    let hidden: f64 = shown[view.end..].iter().chain(&shown[..view.start]).map(Candidate::prob).sum();
    let chosen = outside.map_or(0.0, |chosen| chosen.prob());
    let mass = residual.map(|residual| (residual + hidden - chosen).max(0.0));
    ((stats.prediction.n_vocab as usize).saturating_sub(rows), mass)
}

/// The figures of the step, with what the table on the screen leaves out.
pub(super) fn figures(state: &State) -> Vec<NamedFigure> {
    let mut figures = of_step(state);
    let area = state.areas().and_then(|areas| areas.of(&TABLE)).map(|place| place.area);
    if let (Some(area), Some(stats)) = (area, state.shown())
        && let Some((_, value)) = figures.iter_mut().find(|(name, _)| *name == "residual")
    {
        *value = out_of_sight(state, stats, area).1.shown(figures::percent);
    }
    figures
}

/// How many candidates there are, and which are in view.
fn extent(state: &State) -> Option<(usize, Range<usize>)> {
    let area = state.areas().and_then(|areas| areas.of(&TABLE))?.area;
    let stats = state.shown()?;
    Some((listed(state, stats, area).0.len(), in_view(state, stats, area).0))
}

/// Chooses the candidate beside the chosen one.
fn walk(state: &mut State, by: isize) {
    let Some((all, view)) = extent(state).filter(|(all, _)| *all > 0) else { return };
    let row = state.table_row.map_or(view.start, |row| row.saturating_add_signed(by).min(all - 1));
    state.table_row = Some(row);
    state.table_scroll = view.start.clamp((row + 1).saturating_sub(view.len().max(1)), row);
}

/// What is chosen stays in view.
fn scroll(state: &mut State, by: isize) {
    let Some((all, view)) = extent(state).filter(|(all, _)| *all > 0) else { return };
    state.table_scroll = view.start.saturating_add_signed(by).min(all - 1);
    // The row of a chosen token that is out of sight takes one of those in view.
    let Some((_, view)) = extent(state) else { return };
    state.table_scroll = view.start;
    state.table_row = state.table_row.map(|row| row.clamp(view.start, view.end.max(view.start + 1) - 1));
}

fn act(state: &mut State, name: &str) -> Vec<Effect> {
    match name {
        "candidate-up" => walk(state, -1),
        "candidate-down" => walk(state, 1),
        "first-candidate" => scroll(state, isize::MIN),
        "last-candidate" => scroll(state, isize::MAX),
        name => {
            let nth = name.strip_prefix("swap-").and_then(|nth| nth.parse().ok());
            let chosen = nth.or(state.table_row.map(|row| row + 1));
            return chosen.map_or_else(Vec::new, |nth| take(state, nth));
        }
    }
    Vec::new()
}

/// Takes a candidate of the step that is shown, counted from 1.
fn take(state: &mut State, nth: usize) -> Vec<Effect> {
    if state.answer_step().is_some() {
        return Vec::new();
    }
    let Some(at) = state.shown_step() else { return Vec::new() };
    let reply = state.session.sequence().reply_start();
    let place = if at >= reply { (at - reply + 1).to_string() } else { format!("p{}", at + 1) };
    submit(state, &format!("/swap {place} {nth}"))
}

/// The first click on a candidate chooses it, one on what is chosen takes it.
fn click(state: &mut State, place: PanePlace, at: Position) -> Vec<Effect> {
    let inner = inside(place.area);
    let Some(stats) = state.shown() else { return Vec::new() };
    let mut view = in_view(state, stats, place.area).0;
    let row = at.y.checked_sub(inner.y + 1).map(usize::from);
    let Some(candidate) = row.and_then(|row| view.nth(row)) else { return Vec::new() };
    if state.table_row == Some(candidate) {
        return take(state, candidate + 1);
    }
    state.table_row = Some(candidate);
    Vec::new()
}

/// A compact one ends with the sum of what is written.
fn draw(state: &State, frame: &mut Frame, place: PanePlace) {
    let area = place.area;
    let inner = inside(area);
    if reading(state, frame, inner) {
        return;
    }
    let Some(stats) = state.shown() else {
        frame.render_widget(
            Paragraph::new(nothing(state)).style(state.theme.dim()).wrap(Wrap { trim: true }),
            inner,
        );
        return;
    };
    let columns = Columns::of(usize::from(inner.width));
    let mut lines = vec![columns.header(state)];
    let (view, outside) = in_view(state, stats, area);
    let (first, rows) = (view.start, &listed(state, stats, area).0[view]);
    let chosen = chosen_id(state);
    let marked = state.table_row.filter(|_| state.has_keys(&TABLE));
    lines.extend(rows.iter().enumerate().map(|(i, candidate)| {
        let line = columns.row(state, &(*candidate).into(), Some(candidate.id) == chosen);
        if marked == Some(first + i) { line.patch_style(state.theme.cursor()) } else { line }
    }));
    let (others, mass) = out_of_sight(state, stats, area);
    lines.push(columns.rest(state, others, mass));
    if let Some(candidate) = outside {
        lines.push(columns.row(state, &candidate, true));
    }
    lines.extend(pins(state).iter().filter_map(|pin| columns.pin(state, pin)));
    let columns = usize::from(inner.width);
    lines.push(match segment(state).filter(|_| place.is_compact) {
        Some(segment) => sum_line(state, &segment, columns),
        None => whole(state, stats, columns),
    });
    for (i, line) in lines.into_iter().take(usize::from(inner.height)).enumerate() {
        frame.render_widget(line, Rect { y: inner.y + i as u16, height: 1, ..inner });
    }
}

/// The texts that are pinned, where the step that is shown is one of the conversation.
fn pins(state: &State) -> &[Pin] {
    if state.answer_step().is_some() { &[] } else { state.session.pinned() }
}

/// What the pane shows, the longest wording first.
fn title(state: &State) -> Vec<String> {
    let sequence = state.session.sequence();
    if state.reading().is_some() {
        return vec![" next token ─ reading the prompt ".to_string(), " reading ".to_string()];
    }
    if state.answer_step().is_some()
        && let Some((_, item)) = state.transcript.row()
    {
        let what = format!("token {} of an answer", item + 1);
        return vec![format!(" next token ─ {what} "), format!(" {what} "), " answer ".to_string()];
    }
    let Some(index) = state.shown_step() else { return vec![" next token ".to_string()] };
    let verdict = state.session.verdict_at(index).and_then(|judged| {
        let note = judged.note.as_ref().map_or(String::new(), |note| format!(" {}", printable(note)));
        Some(format!(" {}{note}", verdict_sign(judged.right?)))
    });
    let what = step_name(state, index) + &verdict.unwrap_or_default();
    if let Some(under) = state.dosed_under() {
        let under = printable(&under);
        return vec![
            format!(" next token ─ {what} with {under} "),
            format!(" {what} with {under} "),
            format!(" {what} otherwise "),
        ];
    }
    if index >= sequence.reply_start() {
        let live = if state.cursor.is_none() { " ─ live" } else { "" };
        return vec![format!(" next token ─ {what}{live} "), format!(" {what}{live} "), format!(" {what} ")];
    }
    vec![format!(" next token ─ {what} "), format!(" {what} "), " next token ".to_string()]
}

/// What stands for right and for wrong.
pub(super) fn verdict_sign(right: bool) -> &'static str {
    if right { "✓" } else { "✗" }
}

/// What a token of the sequence is called.
pub(super) fn step_name(state: &State, index: usize) -> String {
    let start = state.session.sequence().reply_start();
    if index >= start {
        return format!("step {}", index - start + 1);
    }
    match reply_at(state, index).filter(|_| state.cursor.is_some()) {
        Some((reply, tokens)) => format!("{reply}, step {}", index - tokens.start + 1),
        None => format!("prompt token {} of {start}", index + 1),
    }
}

/// Says how far the prompt is read, while that is what happens.
pub(super) fn reading(state: &State, frame: &mut Frame, area: Rect) -> bool {
    let Some((words, share)) = state.reading() else { return false };
    let lines = wrapped(&words, usize::from(area.width)).into_iter().chain([gauge(share)]);
    for (line, place) in lines.zip(area.rows()) {
        frame.render_widget(Line::styled(line, state.theme.dim()), place);
    }
    true
}

fn nothing(state: &State) -> &'static str {
    match state.shown_step() {
        Some(0) => "the first token has no context: the model says nothing about it",
        Some(_) => "not computed yet",
        None => "each step shows here what the model expects",
    }
}

fn chosen_id(state: &State) -> Option<TokenId> {
    if let Some(step) = state.answer_step() {
        return Some(step.id);
    }
    state.shown_step().and_then(|index| state.session.sequence().get(index)).map(|token| token.id)
}

/// The chosen token, where it is not among these candidates.
fn outside_of(state: &State, stats: &TokenStats, shown: &[Candidate]) -> Option<AnyToken> {
    let id = chosen_id(state)?;
    if shown.iter().any(|candidate| candidate.id == id) {
        return None;
    }
    Some(stats.of_token(id))
}

/// How the columns that the figures leave are shared by token and bar.
pub(super) fn token_and_bar(free: usize) -> (usize, usize) {
    let token = (free * 3 / 5).clamp(6, 24).min(free);
    (token, free.saturating_sub(token + 1))
}

/// How wide token and bar are.
struct Columns {
    token: usize,
    bar: usize,
}

impl Columns {
    fn of(width: usize) -> Columns {
        let (token, bar) = token_and_bar(width.saturating_sub(FIGURES));
        Columns { token, bar }
    }

    fn header(&self, state: &State) -> Line<'static> {
        let token = self.token;
        let bar = self.bar;
        let text = format!("  {:<token$}{:>6}{:>7} {:<bar$}{:>9}", "token", "raw%", "final%", "", "ln p");
        Line::styled(text, state.theme.dim())
    }

    fn row(&self, state: &State, candidate: &AnyToken, chosen: bool) -> Line<'static> {
        let spelling = state.session.vocab().map_or_else(String::new, |vocab| vocab.visible(candidate.id));
        let style = if chosen { state.theme.chosen() } else { Style::new() };
        let mark = if chosen { "▸ " } else { "  " };
        let dropped = candidate.outcome.is_some_and(|outcome| outcome.dropped_by.is_some());
        let final_style = if dropped { state.theme.dim() } else { style };
        let logprob = figure(f64::from(candidate.logprob), 3, 8);
        Line::from(vec![
            Span::styled(mark, style),
            Span::styled(fitted(&spelling, self.token), style),
            Span::styled(format!("{:>6}", percent(candidate.prob())), style),
            Span::styled(format!("{:>7}", final_figure(candidate.outcome)), final_style),
            Span::raw(" "),
            Span::styled(self.bar_and_rank(candidate, chosen), state.theme.bar()),
            Span::styled(format!("{logprob:>9}"), style),
        ])
    }

    /// The bar, and after the chosen token's the rank, where it has one to speak of and there is room.
    fn bar_and_rank(&self, candidate: &AnyToken, chosen: bool) -> String {
        let bar = bar(candidate.prob(), self.bar);
        let ranked = format!("{bar} #{}", candidate.rank.shown(|rank| rank.to_string()));
        if chosen && candidate.rank.all(|rank| rank > 1) && width(&ranked) <= self.bar {
            fitted(&ranked, self.bar)
        } else {
            fitted(&bar, self.bar)
        }
    }

    /// A pinned token, which need not be among the candidates.
    fn pin(&self, state: &State, pin: &Pin) -> Option<Line<'static>> {
        let found = state.session.pinned_at(state.shown_step()?, pin)?;
        let spelling = state.session.vocab().map_or_else(String::new, |vocab| vocab.visible(pin.first));
        let (p, logprob) = match found.prob {
            Figure::Bounded([_, most]) => (format!("≤{}", percent(most)), String::new()),
            prob => (prob.shown(percent), prob.exact().map_or(String::new(), |p| figure(p.ln(), 3, 8))),
        };
        let rank = match found.rank {
            Figure::Bounded([least, _]) => format!("#≥{least}"),
            rank => format!("#{}", rank.shown(|rank| rank.to_string())),
        };
        let bars = format!("{} {rank}", bar(found.prob.exact().unwrap_or(0.0), self.bar));
        let bars = if width(&bars) <= self.bar { bars } else { rank };
        Some(Line::from(vec![
            Span::styled("• ", state.theme.warning()),
            Span::raw(fitted(&spelling, self.token)),
            Span::raw(format!("{p:>6}{:>7} ", "")),
            Span::styled(fitted(&bars, self.bar), state.theme.warning()),
            Span::raw(format!("{logprob:>9}")),
        ]))
    }

    fn rest(&self, state: &State, n: usize, mass: Figure<f64>) -> Line<'static> {
        // Another program's answer does not say how large the vocabulary is.
        let n = if n > 0 { grouped(n) } else { String::new() };
        let wordings = [format!("… {n} more"), format!("… {n}"), "… more".to_string(), "…".to_string()];
        let wordings = if n.is_empty() { &wordings[2..] } else { &wordings[..] };
        let label = first_fitting(wordings, self.token);
        let figures = format!("{:>6}{:>7} ", mass.shown(percent), "");
        let bar = fitted(&mass.exact().map_or(String::new(), |mass| bar(mass, self.bar)), self.bar);
        Line::styled(format!("  {}{figures}{bar}", fitted(&label, self.token)), state.theme.dim())
    }
}

/// Figures of the whole distribution, in nats like the candidates'.
fn whole(state: &State, stats: &TokenStats, columns: usize) -> Line<'static> {
    let (plain, bold) = (Style::new(), state.theme.figure());
    let entropy = stats.prediction.entropy.shown(|entropy| figure(f64::from(entropy), 2, 8));
    let mut items = vec![
        WholeItem::new(1, "  ", entropy, bold).with("entropy ", " nat", plain),
        WholeItem::new(0, "  ", stats.rank.shown(|rank| grouped(rank as usize)), bold)
            .with("rank ", "", plain),
    ];
    if let Some(margin) = stats.prediction.margin() {
        let margin = figure(f64::from(margin), 2, 8);
        items.push(WholeItem::new(2, "  ", margin, bold).with("margin ", " nat", plain));
    }
    line(&items, columns)
}

pub(super) fn final_figure(outcome: Option<SamplerOutcome>) -> String {
    match outcome {
        None => String::new(),
        Some(SamplerOutcome { dropped_by: Some(stage), .. }) => short_stage(stage.name()),
        Some(SamplerOutcome { prob, .. }) => percent(f64::from(prob)),
    }
}

/// A stage's name in six columns.
pub(super) fn short_stage(name: &str) -> String {
    match name {
        "penalties" => "penal.".to_string(),
        "temperature" => "temp".to_string(),
        "top-n-sigma" => "top-nσ".to_string(),
        "grammar" => "gramm.".to_string(),
        "typical" => "typic.".to_string(),
        "mirostat" => "miro.".to_string(),
        other => clipped(other, 6),
    }
}

/// Three figures that matter: 78.0, 6.21, 0.03, 1e-5.
pub(super) fn percent(p: f64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_keep_the_figures_that_matter() {
        let shown = [0.78, 0.0621, 0.0003, 0.0, 0.0000001, 1.0, 0.99999].map(percent);
        assert_eq!(shown, ["78.0", "6.21", "0.03", "0.00", "1e-5", "100.0", "99.99"]);
    }
}
