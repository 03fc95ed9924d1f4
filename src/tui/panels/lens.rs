//! The lens pane: one sentence, the views, what the chosen one found, and what the arrows are on.

use std::ops::Range;

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Paragraph, Wrap};

use crate::columns::{clipped, width, wrapped};
use crate::intervention::Interventions;
use crate::lens::spans::SpanUnit;
use crate::token::printable;
use crate::tui::layout::inside;
use crate::tui::lens::{
    self,
    deed::{Deed, enter},
    tabs::TABS,
};
use crate::tui::msg::Effect;
use crate::tui::pane::{LENS, PanePlace};
use crate::tui::picture::PictureRow;
use crate::tui::send::execute;
use crate::tui::state::State;
use crate::tui::view::items::first_fitting;
use crate::tui::view::status::gauge;

use super::figures::nats;
use super::panel::{NamedFigure, Panel};
use super::table::step_name;

/// Columns and rows, borders aside, below which nothing of a view can be read.
const LEAST: (u16, u16) = (30, 7);
/// Most rows of the sentence.
const SENTENCE: usize = 3;
/// Columns between two tabs, and those of the sign at each end where not all are seen.
const TAB_GAP: usize = 2;
const TAB_MORE: usize = 2;
/// A row of tabs for so many rows of the pane.
const TAB_SHARE: u16 = 8;
/// What is left out in turn.
const UNITS: [Option<SpanUnit>; 4] =
    [None, Some(SpanUnit::Token), Some(SpanUnit::Char), Some(SpanUnit::Sentence)];

pub static PANEL: Panel = Panel {
    pane: &LENS,
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
    let what = match state.lens.spot() {
        None => return vec![" lens ".to_string()],
        Some(spot) => match spot.at {
            Some(at) => step_name(state, at),
            None => "a text".to_string(),
        },
    };
    let plain = [format!(" lens ─ {what} "), format!(" {what} "), " lens ".to_string()];
    match Deed::of(state).map(Deed::told) {
        Some(deed) => {
            let telling =
                [format!(" lens ─ {what} ─ {deed} "), format!(" {what} ─ {deed} "), format!(" {deed} ")];
            telling.into_iter().chain(plain).collect()
        }
        None => plain.to_vec(),
    }
}

/// Where everything inside of the pane stands.
struct Parts {
    sentence: Vec<String>,
    tabs: Rect,
    /// The views in each row of the tabs.
    tab_rows: Vec<Range<usize>>,
    body: Rect,
    /// What the arrows are on.
    about: Rect,
}

fn parts(state: &State, place: PanePlace) -> Option<Parts> {
    let inner = inside(place.area);
    if inner.width < LEAST.0 || inner.height < LEAST.1 {
        return None;
    }
    let text = [dosed(state), Some(sentence(state))].into_iter().flatten().collect::<Vec<_>>().join("; ");
    let mut sentence = wrapped(&text, usize::from(inner.width));
    if sentence.len() > SENTENCE {
        sentence.truncate(SENTENCE);
        sentence[SENTENCE - 1].push('…');
        sentence[SENTENCE - 1] = clipped(&sentence[SENTENCE - 1], usize::from(inner.width));
    }
    let rows = sentence.len() as u16;
    let tab_rows = tab_rows(&tab_names(), state.lens.tab, inner);
    let tabs = Rect { y: inner.y + rows, height: tab_rows.len() as u16, ..inner };
    let about = Rect { y: inner.bottom() - 1, height: 1, ..inner };
    let body = Rect { y: tabs.bottom(), height: about.y - tabs.bottom(), ..inner };
    Some(Parts { sentence, tabs, tab_rows, body, about })
}

/// Why, in one sentence; or why there is none.
fn sentence(state: &State) -> String {
    let Some(model) = state.model() else { return "no model to look into yet".to_string() };
    if let Some(sentence) = state.lens.sentence(model) {
        return match state.lens.spot().filter(|spot| spot.uneven) {
            Some(spot) => format!("{sentence} ({})", as_if(&spot.under)),
            None => sentence,
        };
    }
    let key = state.look.keymap.spelled(state.focus, crate::tui::keys::KeyAction::Lens).unwrap_or_default();
    match (state.lens.spot(), state.shown_step()) {
        _ if state.session.is_busy() => "the lens waits: the chat goes first".to_string(),
        (None, Some(0)) => "the first token has no context: there is nothing before it".to_string(),
        (None, _) => {
            "nothing to look at yet: write a message; each of its tokens and of the reply can be looked at"
                .to_string()
        }
        (Some(_), _) if state.lens.is_running() => "why this token? looking …".to_string(),
        (Some(_), _) => format!("why this token? {key} looks"),
    }
}

/// How a step is looked at before which not always the same was in force.
fn as_if(under: &Interventions) -> String {
    match under.is_empty() {
        true => "as if nothing had been off".to_string(),
        false => format!("as if always {}", under.told()),
    }
}

fn draw(state: &State, frame: &mut Frame, place: PanePlace) {
    let theme = state.theme;
    let Some(parts) = parts(state, place) else {
        let zoom = state.look.keymap.spelled(&LENS, crate::tui::keys::KeyAction::Zoom);
        let zoom = zoom
            .filter(|_| !state.zoom)
            .map_or(String::new(), |key| format!(" ({key}: it fills the screen)"));
        let (columns, rows) = (LEAST.0 + 2, LEAST.1 + 2);
        let text = format!("too small for a lens: it needs {columns}×{rows}{zoom}");
        frame.render_widget(Paragraph::new(text).wrap(Wrap { trim: true }), inside(place.area));
        return;
    };
    for (line, y) in parts.sentence.into_iter().zip(inside(place.area).y..) {
        let row = Rect { y, height: 1, ..parts.tabs };
        frame.render_widget(Line::styled(line, theme.figure()), row);
    }
    frame.render_widget(Text::from(tabs(state, parts.tabs, &parts.tab_rows).0), parts.tabs);
    draw_body(state, frame, parts.body);
    let about = match (state.lens.progress(), &state.lens.picture) {
        (Some((words, share)), _) => {
            let gauge = share.map_or(String::new(), |share| format!(" {}", gauge(share)));
            Line::styled(clipped(&format!("{words}{gauge}"), usize::from(parts.about.width)), theme.warning())
        }
        (None, Some(picture)) => {
            Line::raw(clipped(&picture.about(state.lens.selected), usize::from(parts.about.width)))
        }
        (None, None) if is_missing(state) => {
            let key = state.look.keymap.spelled(&LENS, crate::tui::keys::KeyAction::Lens).unwrap_or_default();
            Line::raw(clipped(&format!("not looked at yet: {key} looks"), usize::from(parts.about.width)))
        }
        (None, None) => Line::default(),
    };
    frame.render_widget(about, parts.about);
    let views = TABS.len();
    let hint = [format!(" 1–{views} view  arrows walk  , . token  Esc close "), " Esc close ".to_string()];
    let room = usize::from(place.area.width).saturating_sub(2);
    let hint = Line::styled(first_fitting(&hint, room), Style::reset().patch(theme.dim()));
    let bottom = Block::new().title_bottom(hint);
    frame.render_widget(bottom, Rect { x: place.area.x + 1, width: place.area.width - 2, ..place.area });
}

/// The view's figure at what the arrows are on, and its floor.
fn figures(state: &State) -> Vec<NamedFigure> {
    let tab = state.lens.shown();
    let about =
        state.lens.picture.as_ref().map_or(String::new(), |picture| picture.about(state.lens.selected));
    let about = if about.is_empty() { "nothing is looked at yet".to_string() } else { about };
    let floor = state.lens.looking().and_then(|looking| state.lens.found(&looking)?.as_ref().ok()?.floor);
    let floor = floor.map(|floor| ("floor", nats(floor, 5)));
    std::iter::once((tab.name, format!("({about})"))).chain(floor).collect()
}

/// Whether the view could show something that nobody looks for: its look was stopped, or waits to be asked for.
fn is_missing(state: &State) -> bool {
    let lens = &state.lens;
    let unknown = lens.looking().is_some_and(|looking| lens.found(&looking).is_none());
    unknown && lens.spot().is_some() && state.model().is_some() && !state.session.is_busy()
}

/// The first choices with the dose of now.
fn dosed(state: &State) -> Option<String> {
    let (under, stats, model) = (state.dosed_under()?, state.dosed_stats()?, state.model()?);
    let first = stats.prediction.top_logprobs.iter().take(3);
    let first = first.map(|one| format!("{} {:.1} %", model.vocab.visible(one.id), one.prob() * 100.0));
    Some(format!("{}: {}", printable(&under), first.collect::<Vec<_>>().join(", ")))
}

/// The views by their keys, in the order of [`TABS`].
fn tab_names() -> Vec<String> {
    TABS.iter().enumerate().map(|(i, tab)| format!("{} {}", i + 1, tab.name)).collect()
}

/// Which views stand in which row: all of them where the rows are enough, else those around the one that is shown.
fn tab_rows(names: &[String], shown: usize, room: Rect) -> Vec<Range<usize>> {
    let wide =
        |tabs: &Range<usize>| names[tabs.clone()].iter().map(|name| width(name) + TAB_GAP).sum::<usize>();
    let columns = usize::from(room.width) + TAB_GAP;
    let mut rows: Vec<Range<usize>> = Vec::new();
    for tab in 0..names.len() {
        match rows.last_mut().filter(|row| wide(&(row.start..tab + 1)) <= columns) {
            Some(row) => row.end = tab + 1,
            None => rows.push(tab..tab + 1),
        }
    }
    if rows.len() <= usize::from(room.height / TAB_SHARE).max(1) {
        return rows;
    }
    let mut seen = 0..names.len();
    while wide(&seen) + 2 * TAB_MORE > columns && seen.len() > 1 {
        if seen.end - 1 - shown > shown - seen.start { seen.end -= 1 } else { seen.start += 1 }
    }
    vec![seen]
}

/// The views by their keys, and the place of each that is seen. A sign says where there are more.
fn tabs(state: &State, area: Rect, rows: &[Range<usize>]) -> (Vec<Line<'static>>, Vec<(usize, Rect)>) {
    let (names, mut places) = (tab_names(), Vec::new());
    let more =
        |there: bool, sign: &'static str| Span::styled(if there { sign } else { "" }, state.theme.dim());
    let lines = rows.iter().zip(area.y..).map(|(row, y)| {
        let (before, after) = (rows.len() == 1 && row.start > 0, rows.len() == 1 && row.end < names.len());
        let mut line = Line::from(more(before, "‹ "));
        for tab in row.clone() {
            let style = if tab == state.lens.tab { state.theme.cursor() } else { state.theme.key() };
            let name = Span::styled(names[tab].clone(), style);
            places.push((tab, Rect::new(area.x + line.width() as u16, y, name.width() as u16, 1)));
            line.extend([name, Span::raw(" ".repeat(TAB_GAP))]);
        }
        line.push_span(more(after, "›"));
        line
    });
    (lines.collect(), places)
}

/// The rows of the picture, and the first of them that is seen.
fn rows(state: &State, body: Rect) -> (Vec<PictureRow>, usize) {
    let picture = state.lens.picture.as_ref();
    let rows = picture.map_or_else(Vec::new, |picture| {
        picture.rows(usize::from(body.width), state.lens.selected, state.theme)
    });
    let (height, last) = (usize::from(body.height), last(&rows, body));
    // What is selected stands in a text above its table, too: where the pane opens, the text is read first.
    let selected = || rows.iter().position(|row| row.holds(state.lens.selected)).unwrap_or(0);
    let from = state.lens.scroll.unwrap_or_else(|| (selected() + 1).saturating_sub(height));
    (rows, from.min(last))
}

/// The first row that is seen where the last one is.
fn last(rows: &[PictureRow], body: Rect) -> usize {
    rows.len().saturating_sub(usize::from(body.height))
}

/// The rows that are seen. The head of a table whose beginning is above stays at the top.
fn seen(state: &State, body: Rect) -> Vec<PictureRow> {
    let (rows, from) = rows(state, body);
    let mut seen: Vec<_> = rows.iter().skip(from).take(usize::from(body.height)).cloned().collect();
    if let Some(first) = seen.first_mut()
        && let Some(head) = first.head.and_then(|head| rows.get(head))
        && body.height > 1
    {
        *first = head.clone();
    }
    seen
}

fn draw_body(state: &State, frame: &mut Frame, body: Rect) {
    if let Some(Err(reason)) = state.lens.looking().and_then(|looking| state.lens.found(&looking)) {
        let text = Paragraph::new(reason.clone()).style(state.theme.error()).wrap(Wrap { trim: true });
        return frame.render_widget(text, body);
    }
    for (row, place) in seen(state, body).into_iter().zip(body.rows()) {
        frame.render_widget(row.line, place);
    }
}

fn click(state: &mut State, place: PanePlace, at: Position) {
    let Some(parts) = parts(state, place) else { return };
    if parts.tabs.contains(at) {
        let (_, places) = tabs(state, parts.tabs, &parts.tab_rows);
        if let Some((tab, _)) = places.iter().find(|(_, place)| place.contains(at)) {
            turn_to(state, *tab);
        }
    } else if parts.body.contains(at) {
        let row = seen(state, parts.body).into_iter().nth(usize::from(at.y - parts.body.y));
        if let Some(item) = row.and_then(|row| row.item_at(at.x - parts.body.x)) {
            state.lens.selected = item;
        }
    }
}

/// Scrolls no further than the last row.
fn scroll(state: &mut State, by: isize) {
    let place = state.areas().and_then(|areas| areas.of(&LENS));
    let body = place.and_then(|place| parts(state, place)).map(|parts| parts.body);
    let (Some(body), true) = (body, state.lens.picture.is_some()) else { return };
    let (rows, from) = rows(state, body);
    state.lens.scroll = Some(from.saturating_add_signed(by).min(last(&rows, body)));
}

fn turn_to(state: &mut State, tab: usize) {
    if tab < TABS.len() {
        state.lens.tab = tab;
        state.lens.ask();
    }
}

fn act(state: &mut State, name: &str) -> Vec<Effect> {
    match name {
        "row-up" => walk(state, 0, -1),
        "row-down" => walk(state, 0, 1),
        "item-left" => walk(state, -1, 0),
        "item-right" => walk(state, 1, 0),
        "lens-close" if state.lens.stop() => {}
        "lens-close" => lens::close(state),
        "lens-unit" => {
            let at = UNITS.iter().position(|unit| *unit == state.lens.choice.by).unwrap_or(0);
            state.lens.leave_out(UNITS[(at + 1) % UNITS.len()]);
        }
        "lens-act" => return enter(state).map_or_else(Vec::new, |command| execute(state, command)),
        "lens-heads" if state.lens.shown().name == "knockout" => {
            state.lens.choice.grid = !state.lens.choice.grid;
        }
        "lens-heads" => {
            let heat = state.lens.picture.as_ref().and_then(|picture| picture.heat());
            let row = heat.and_then(|heat| heat.cell(state.lens.selected)).map(|(row, _)| row);
            state.lens.choice.layer = if state.lens.choice.layer.is_some() { None } else { row };
        }
        "lens-first-token" => state.lens.choice.first_token = !state.lens.choice.first_token,
        view => {
            let number = view.strip_prefix("view-").and_then(|number| number.parse::<usize>().ok());
            turn_to(state, number.map_or(usize::MAX, |number| number - 1));
        }
    }
    Vec::new()
}

/// Walks to another item, which is then seen; where there is none above or below, the rows move.
fn walk(state: &mut State, across: isize, down: isize) {
    let Some(picture) = &state.lens.picture else { return };
    let to = picture.step(state.lens.selected, across, down);
    if to == state.lens.selected && down != 0 {
        return scroll(state, down);
    }
    let place = state.areas().and_then(|areas| areas.of(&LENS));
    let Some(body) = place.and_then(|place| parts(state, place)).map(|parts| parts.body) else {
        state.lens.selected = to;
        return;
    };
    let from = rows(state, body).1;
    state.lens.selected = to;
    let (rows, _) = rows(state, body);
    // The lowest row of it: walking down a table that stands below its text.
    let Some(row) = rows.iter().rposition(|row| row.holds(to)) else { return };
    let lowest = (row + 1).saturating_sub(usize::from(body.height));
    let below_head = row.saturating_sub(usize::from(rows[row].head.is_some()));
    state.lens.scroll = Some(from.clamp(lowest, below_head.max(lowest)));
}
