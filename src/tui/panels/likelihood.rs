//! The log-likelihood panel: the running sum, its curve, and each step's surprisal.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::canvas::{Canvas, Line as Stroke};

use crate::columns::{clipped, width};
use crate::step::Step;
use crate::tui::colouring::Colouring;
use crate::tui::layout::inside;
use crate::tui::segment::{Segment, segment};
use crate::tui::state::State;

use crate::tui::view::items::{WholeItem, at_right, figure, line};

use super::table::{grouped, reading};
use crate::tui::pane::{LIKELIHOOD, PanePlace};

use super::figures::{in_both, nats, of_score, of_step};
use super::panel::{NamedFigure, Panel};

pub(super) const BARS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// Surprisal of a full bar, in bits.
pub(super) const FULL_BAR: f64 = 12.0;

pub static PANEL: Panel = Panel {
    pane: &LIKELIHOOD,
    title,
    draw,
    click: |state, place, at| {
        click(state, place, at);
        Vec::new()
    },
    scroll: |state, by| state.transcript.scroll_by(by),
    act: |_, _| Vec::new(),
    figures,
};

fn title(state: &State) -> Vec<String> {
    match segment(state).filter(|_| state.reading().is_none()) {
        Some(segment) => {
            vec![format!(" log-likelihood ─ {} ", segment.title), format!(" {} ", segment.title)]
        }
        None => vec![" log-likelihood ".to_string()],
    }
}

/// Of the reply, or of the prompt, up to the shown step.
fn figures(state: &State) -> Vec<NamedFigure> {
    let Some(segment) = segment(state) else { return Vec::new() };
    let score = segment.score(state);
    let mut figures = of_score(&score, &format!("the {}", segment.title));
    figures.extend(score.perplexity().map(|perplexity| ("ppl", figure(perplexity, 2, 9))));
    let per_byte = (score.bytes() > 0).then(|| score.sum_logprob() / score.bytes() as f64);
    figures.extend(per_byte.map(|per_byte| ("nat/byte", format!("{} a byte", nats(per_byte, 3)))));
    let step = state.session.sequence().step(segment.shown).and_then(|step| step.logprob());
    figures.extend(step.map(|logprob| ("surprisal", in_both(-logprob))));
    figures.extend(of_step(state).into_iter().filter(|(name, _)| *name == "pinned"));
    figures
}

/// A click on a bar shows its step.
fn click(state: &mut State, place: PanePlace, at: Position) {
    let inner = inside(place.area);
    let column = at.x.checked_sub(inner.x).map(usize::from);
    let bars = segment(state).map(|segment| segment.window(usize::from(inner.width)));
    if let Some(token) = bars.zip(column).and_then(|(mut bars, column)| bars.nth(column)) {
        state.walk_to(token);
    }
}

fn draw(state: &State, frame: &mut Frame, place: PanePlace) {
    let inner = inside(place.area);
    if reading(state, frame, inner) {
        return;
    }
    let Some(segment) = segment(state) else { return };
    let [figures, curve, bars, legend] = Layout::vertical([
        Constraint::Length(2),
        Constraint::Fill(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(inner);
    draw_figures(state, &segment, frame, figures);
    draw_curve(state, &segment, frame, curve);
    draw_bars(state, &segment, frame, bars);
    draw_step(state, &segment, frame, legend);
}

/// What stands at a value, or a dash.
fn or_dash(value: Option<f64>) -> String {
    value.map_or("–".to_string(), |value| figure(value, 2, 9))
}

/// The running sum and its means, in nats as everything here.
pub(super) fn sum_line(state: &State, segment: &Segment, columns: usize) -> Line<'static> {
    let score = segment.score(state);
    let (plain, bold) = (Style::new(), state.theme.figure());
    let items = [
        WholeItem::new(0, "  ", figure(score.sum_logprob(), 2, 10), bold).with("Σ ", " nat", plain),
        WholeItem::new(1, "  ", or_dash(score.mean_logprob()), bold).with("", " nat/token", plain),
        WholeItem::new(2, "  ", or_dash(score.perplexity()), bold).with("ppl ", "", plain),
    ];
    line(&items, columns)
}

fn draw_figures(state: &State, segment: &Segment, frame: &mut Frame, area: Rect) {
    let score = segment.score(state);
    let columns = usize::from(area.width);
    let dim = state.theme.dim();
    let per_byte = (score.bytes() > 0).then(|| score.sum_logprob() / score.bytes() as f64);
    let second = [
        WholeItem::new(1, "  ", format!("{} nat/byte", or_dash(per_byte)), dim),
        WholeItem::new(0, "  ", counted(score.tokens()), dim),
    ];
    let rows = [sum_line(state, segment, columns), line(&second, columns)];
    for (row, y) in rows.into_iter().zip(area.y..area.bottom()) {
        frame.render_widget(row, Rect { y, height: 1, ..area });
    }
}

fn counted(tokens: usize) -> String {
    format!("{} {}", grouped(tokens), if tokens == 1 { "token" } else { "tokens" })
}

fn draw_curve(state: &State, segment: &Segment, frame: &mut Frame, area: Rect) {
    if area.height == 0 || area.width < 8 {
        return;
    }
    let curve = segment.curve(state, usize::from(area.width) * 2);
    let lowest = curve.last().map_or(0.0, |&(_, sum)| sum).min(-1e-9);
    if !lowest.is_finite() {
        frame.render_widget(Line::styled("the sum is −∞", state.theme.dim()), area);
        return;
    }
    let pinned: Vec<Vec<(f64, f64)>> = state
        .session
        .pinned()
        .iter()
        .map(|pin| segment.pinned(state, pin, usize::from(area.width) * 2))
        .collect();
    let canvas = Canvas::default()
        .marker(Marker::Braille)
        .x_bounds([0.0, 1.0])
        .y_bounds([lowest, 0.0])
        .paint(|painter| {
            for pair in curve.windows(2) {
                let ((x1, y1), (x2, y2)) = (pair[0], pair[1]);
                painter.draw(&Stroke { x1, y1, x2, y2, color: state.theme.bar().fg.unwrap_or_default() });
            }
            let color = state.theme.warning().fg.unwrap_or_default();
            for (begin, end) in pinned.iter().flat_map(|line| line.windows(2).map(|pair| (pair[0], pair[1])))
            {
                // From nothing at the bottom to certainty at the top.
                let [y1, y2] = [begin.1, end.1].map(|p| lowest * (1.0 - p));
                painter.draw(&Stroke { x1: begin.0, y1, x2: end.0, y2, color });
            }
        });
    frame.render_widget(canvas, area);
    let pins = state.session.pinned().iter().map(|pin| pin.text.as_str()).collect::<Vec<_>>();
    if !pins.is_empty() {
        let told = format!("• p of {}: 0 to 1", pins.join(", "));
        let told = clipped(&told, usize::from(area.width) / 2);
        at_right(frame, Rect { height: 1, ..area }, told, state.theme.warning());
    }
    let bottom = figure(lowest, 1, 8);
    let label = Rect { y: area.bottom() - 1, height: 1, width: width(&bottom) as u16, ..area };
    frame.render_widget(Line::styled(bottom, state.theme.dim()), label);
}

fn draw_bars(state: &State, segment: &Segment, frame: &mut Frame, area: Rect) {
    let spans: Vec<Span> = segment
        .window(usize::from(area.width))
        .map(|index| {
            let step = state.session.sequence().step(index);
            let stats = step.and_then(|step| step.stats.as_ref());
            let height = step.map_or(0.0, |step| surprisal_bits(step) / FULL_BAR * 8.0);
            let glyph = match stats {
                None => "·",
                Some(_) => BARS[(height.ceil() as usize).min(8)],
            };
            let level = stats.and_then(|stats| Colouring::Surprisal.level(stats));
            let colour = level.map_or_else(Default::default, |level| ratatui::style::Style {
                fg: state.theme.level(level).fg,
                ..Default::default()
            });
            let style = if index == segment.shown { colour.patch(state.theme.cursor()) } else { colour };
            Span::styled(glyph, style)
        })
        .collect();
    frame.render_widget(Line::from(spans), area);
}

/// What the marked bar is.
fn draw_step(state: &State, segment: &Segment, frame: &mut Frame, area: Rect) {
    let sequence = state.session.sequence();
    let (Some(vocab), Some(token)) = (state.session.vocab(), sequence.get(segment.shown)) else { return };
    let surprisal = match sequence.step(segment.shown).and_then(|step| step.stats.as_ref()) {
        Some(stats) => format!("surprisal {} nat", figure(stats.surprisal(), 3, 8)),
        None => "no context".to_string(),
    };
    let kind = if token.is_said() { "" } else { " (scaffold)" };
    let room = usize::from(area.width).saturating_sub(width(&surprisal) + 2);
    let spelling = clipped(&vocab.visible(token.id), room.saturating_sub(width(kind)));
    let text = format!("{spelling}{kind}  {surprisal}");
    frame.render_widget(Line::styled(text, state.theme.dim()), area);
}

fn surprisal_bits(step: &Step) -> f64 {
    step.stats.as_ref().map_or(0.0, |stats| stats.surprisal() / std::f64::consts::LN_2)
}
