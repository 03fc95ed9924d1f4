//! A second model over the same tokens: both tables, both ln p, and how far they are apart.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

use crate::columns::{clipped, fitted, wrapped};
use crate::report::bars::bar;
use crate::step::{Figure, TokenStats};
use crate::token::{TokenId, Vocab, printable};
use crate::tui::beside::FirstTokens;
use crate::tui::beside::held::{ComparedPiece, FirstModel, SecondModel, sum};
use crate::tui::layout::inside;
use crate::tui::pane::{BESIDE, PanePlace};
use crate::tui::segment::segment;
use crate::tui::state::State;
use crate::tui::view::items::{WholeItem, figure, line};

use super::figures::nats;
use super::panel::{NamedFigure, Panel};
use super::table::percent;

/// From this width on the tables stand side by side.
const SIDE_BY_SIDE: usize = 44;
/// From this width on a table has bars.
const WITH_BARS: usize = 30;
/// Columns between two tables.
const GAP: usize = 2;

pub static PANEL: Panel = Panel {
    pane: &BESIDE,
    title,
    draw,
    click: |_, _, _| Vec::new(),
    scroll: |state, by| state.transcript.scroll_by(by),
    act: |_, _| Vec::new(),
    figures,
};

fn title(state: &State) -> Vec<String> {
    match (&state.beside.name, state.shown_step()) {
        (None, _) => vec![" beside ".to_string()],
        (Some(_), Some(at)) if state.beside.model.is_some() => {
            let both = format!("{} | {}", state.model_name(), second(&state.beside));
            vec![format!(" {both} ─ token {} ", at + 1), format!(" {both} "), " beside ".to_string()]
        }
        (Some(_), _) => vec![format!(" beside: {} ", second(&state.beside)), " beside ".to_string()],
    }
}

fn second(beside: &SecondModel) -> String {
    let known = beside.model.as_ref().map(|model| model.name.as_str()).or(beside.name.as_deref());
    printable(known.unwrap_or_default())
}

/// What stands in place of figures.
fn instead(state: &State) -> Option<String> {
    let beside = &state.beside;
    if beside.name.is_none() {
        return Some("a second model over the same tokens: start with -m A -m B".to_string());
    }
    if let Some(reason) = &beside.failed {
        return Some(printable(reason));
    }
    if beside.model.is_none() {
        let coming = beside.coming.as_deref().unwrap_or("waiting for the first model");
        return Some(format!("{}: {coming}", second(beside)));
    }
    state
        .session
        .sequence()
        .is_empty()
        .then(|| format!("{} is ready, and reads what is said", second(beside)))
}

fn draw(state: &State, frame: &mut Frame, place: PanePlace) {
    let inner = inside(place.area);
    if let Some(text) = instead(state) {
        let text = Paragraph::new(text).style(state.theme.dim()).wrap(Wrap { trim: true });
        return frame.render_widget(text, inner);
    }
    let all = FirstTokens::of(state);
    let (Some(first), Some(at)) = (all.side(state), state.shown_step()) else { return };
    let pieces = state.beside.pieces(first);
    let shown = BesideView { state, first, at, pieces: &pieces };
    let columns = usize::from(inner.width);
    let below = shown.figures(columns);
    let room = usize::from(inner.height).saturating_sub(below.len());
    let lines = shown.tables(columns, room).into_iter().chain(below);
    for (line, y) in lines.zip(inner.y..inner.bottom()) {
        frame.render_widget(line, Rect { y, height: 1, ..inner });
    }
}

/// Those of the token under the cursor, and of the stretch up to it.
fn figures(state: &State) -> Vec<NamedFigure> {
    let all = FirstTokens::of(state);
    let (Some(first), Some(at)) = (all.side(state).filter(|_| instead(state).is_none()), state.shown_step())
    else {
        return Vec::new();
    };
    let pieces = state.beside.pieces(first);
    let shown = BesideView { state, first, at, pieces: &pieces };
    let mut figures = Vec::new();
    if let Some([a, b]) = shown.piece().and_then(|piece| piece.logprobs) {
        figures.push(("ln p", format!("{} by A, {} by B", nats(a, 3), nats(b, 3))));
        figures.push(("Δ", format!("{} at this token", nats(b - a, 3))));
    }
    let kl = shown.own().map_or(Figure::NotGiven, |own| state.beside.divergence(at, own));
    match kl {
        Figure::Exact(kl) => figures.push(("KL", nats(kl, 3))),
        Figure::Bounded([least, _]) => figures.push(("KL", format!("at least {}", nats(least, 3)))),
        Figure::NotGiven => {}
    }
    let Some(stretch) = segment(state) else { return figures };
    let tokens = stretch.tokens.start..(stretch.shown + 1).min(stretch.tokens.end);
    let sums = sum(&pieces, &tokens);
    let [a, b] = sums.logprobs;
    let (per, of) = if state.beside.is_kin() { ("token", sums.pieces) } else { ("byte", sums.bytes) };
    figures.push(("Σ", format!("{} by A, {} by B over the {}", nats(a, 2), nats(b, 2), stretch.title)));
    if of > 0 {
        figures.push(("mean Δ", format!("{} a {per}", nats(sums.difference() / of as f64, 3))));
    }
    let mean = state.beside.mean_divergence(tokens);
    figures.extend(mean.map(|(mean, n)| ("KL", format!("{} a token, over {n} of them", nats(mean, 3)))));
    figures
}

/// One model's table.
struct Side<'a> {
    /// The token that stands there, and its figures.
    chosen: Option<(TokenId, &'a TokenStats)>,
    vocab: &'a Vocab,
    name: &'static str,
}

/// The token under the cursor before both models.
struct BesideView<'a> {
    state: &'a State,
    first: FirstModel<'a>,
    at: usize,
    pieces: &'a [ComparedPiece],
}

impl BesideView<'_> {
    fn piece(&self) -> Option<&ComparedPiece> {
        self.pieces.iter().find(|piece| piece.first.contains(&self.at))
    }

    fn own(&self) -> Option<&TokenStats> {
        self.first.steps.get(self.at)?.as_ref()?.stats.as_ref()
    }

    /// The second's token that begins where the piece of the first one's does, and its figures.
    fn other(&self) -> Option<(TokenId, &TokenStats)> {
        let place = self.piece()?.other.start;
        let step = self.state.beside.step(place)?;
        Some((step.id, step.stats.as_ref()?))
    }

    /// Both tables, in as many rows.
    fn tables(&self, columns: usize, rows: usize) -> Vec<Line<'static>> {
        let model = self.state.beside.model.as_ref();
        let other_vocab = model.map_or(self.first.vocab, |model| &*model.vocab);
        let own = self.own().map(|stats| (self.first.ids[self.at], stats));
        let left = Side { chosen: own, vocab: self.first.vocab, name: "A" };
        let right = Side { chosen: self.other(), vocab: other_vocab, name: "B" };
        if columns < SIDE_BY_SIDE {
            let half = rows / 2;
            let mut lines = self.table(&left, columns, half);
            lines.resize(half, Line::default());
            lines.extend(self.table(&right, columns, rows - half));
            return lines;
        }
        let wide = (columns - GAP) / 2;
        let mut lines = self.table(&left, wide, rows);
        let mut right = self.table(&right, wide, rows);
        let longest = lines.len().max(right.len());
        lines.resize(longest, Line::default());
        right.resize(longest, Line::default());
        let joined = lines.into_iter().zip(right).map(|(mut left, right)| {
            let gap = wide + GAP - left.width().min(wide);
            left.spans.push(Span::raw(" ".repeat(gap)));
            left.spans.extend(right.spans);
            left
        });
        joined.collect()
    }

    fn table(&self, side: &Side, columns: usize, rows: usize) -> Vec<Line<'static>> {
        let Side { chosen, vocab, name } = *side;
        let theme = self.state.theme;
        let bars = if columns >= WITH_BARS { columns - 24 } else { 0 };
        let bars = bars.min(12);
        let token = columns.saturating_sub(2 + 6 + if bars > 0 { bars + 1 } else { 0 });
        let head = format!("{name} {}{:>6}", fitted("token", token), "%");
        let mut lines = vec![Line::styled(head, theme.dim())];
        let Some((id, stats)) = chosen else {
            lines.push(Line::styled("  no figures here".to_string(), theme.dim()));
            return lines;
        };
        let row = |id: TokenId, p: f64, is_chosen: bool| {
            let style = if is_chosen { theme.chosen() } else { Style::new() };
            let mark = if is_chosen { "▸ " } else { "  " };
            let text = format!("{mark}{}{:>6}", fitted(&vocab.visible(id), token), percent(p));
            let drawn = if bars > 0 { format!(" {}", bar(p, bars)) } else { String::new() };
            Line::from(vec![Span::styled(text, style), Span::styled(drawn, theme.bar())])
        };
        let room = rows.saturating_sub(2);
        let top = &stats.prediction.top_logprobs;
        let outside = !top.iter().take(room).any(|candidate| candidate.id == id);
        let (shown, rest) = stats.prediction.shown(room.saturating_sub(usize::from(outside)));
        lines.extend(shown.iter().map(|candidate| row(candidate.id, candidate.prob(), candidate.id == id)));
        let own = f64::from(stats.logprob).exp();
        let rest = if outside { rest.map(|rest| (rest - own).max(0.0)) } else { rest };
        if outside {
            lines.push(row(id, own, true));
        }
        let rest = format!("  {}{:>6}", fitted("…", token), rest.shown(percent));
        lines.push(Line::styled(rest, theme.dim()));
        lines
    }

    /// The figures below the tables.
    fn figures(&self, columns: usize) -> Vec<Line<'static>> {
        let (plain, bold) = (Style::new(), self.state.theme.figure());
        let mut lines = vec![self.of_the_token(columns)];
        let stretch = segment(self.state);
        if let Some(stretch) = stretch {
            let tokens = stretch.tokens.start..(stretch.shown + 1).min(stretch.tokens.end);
            let sums = sum(self.pieces, &tokens);
            let [a, b] = sums.logprobs.map(|sum| figure(sum, 2, 10));
            lines.push(line(
                &[
                    WholeItem::new(0, "  ", format!("{a} | {b}"), bold).with("Σ ", "", plain),
                    WholeItem::new(1, "  ", figure(sums.difference(), 2, 9), bold).with("Δ ", " nat", plain),
                    WholeItem::new(3, "  ", stretch.title, plain),
                ],
                columns,
            ));
            let is_kin = self.state.beside.is_kin();
            let (per, of) = if is_kin { ("token", sums.pieces) } else { ("byte", sums.bytes) };
            let mean = (of > 0).then(|| sums.difference() / of as f64);
            let mean = mean.map_or("–".to_string(), |mean| figure(mean, 3, 9));
            let counted = if is_kin { "tokens" } else { "pieces" };
            let mut items = vec![
                WholeItem::new(0, "  ", mean, bold).with("mean Δ ", &format!(" nat/{per}"), plain),
                WholeItem::new(2, "  ", format!("{} {counted}", sums.pieces), plain),
            ];
            if let Some((mean, n)) = self.state.beside.mean_divergence(tokens) {
                let of = format!(" nat/token ({n})");
                items.push(WholeItem::new(1, "  ", figure(mean, 3, 9), bold).with("KL ", &of, plain));
            }
            lines.push(line(&items, columns));
        }
        let behind = self.state.beside.behind(self.first);
        if let Some(reason) = self.state.beside.refused() {
            let lines_of = wrapped(&printable(reason), columns);
            lines.extend(lines_of.into_iter().map(|text| Line::styled(text, self.state.theme.warning())));
        } else if behind > 0 {
            let tokens = if behind == 1 { "token" } else { "tokens" };
            let text = format!("B is {behind} {tokens} behind");
            lines.push(Line::styled(clipped(&text, columns), self.state.theme.warning()));
        }
        let how = wrapped(&self.how(), columns);
        lines.extend(how.into_iter().map(|text| Line::styled(text, self.state.theme.dim())));
        lines
    }

    fn of_the_token(&self, columns: usize) -> Line<'static> {
        let (plain, bold) = (Style::new(), self.state.theme.figure());
        let Some(piece) = self.piece() else {
            let text = "this token ends in no byte where B has read to an end";
            return Line::styled(clipped(text, columns), self.state.theme.dim());
        };
        let spelled: Vec<u8> = self.first.ids[piece.first.clone()]
            .iter()
            .flat_map(|&id| self.first.vocab.bytes(id).to_vec())
            .collect();
        let spelled = clipped(&crate::token::visible(&spelled), 14);
        let Some([a, b]) = piece.logprobs else {
            return Line::styled(
                clipped(&format!("{spelled}: no context, or not read yet"), columns),
                self.state.theme.dim(),
            );
        };
        let both = format!("{} | {}", figure(a, 3, 8), figure(b, 3, 8));
        let mut items = vec![
            WholeItem::new(0, "  ", both, bold).with("ln p ", "", plain),
            WholeItem::new(1, "  ", figure(b - a, 3, 8), bold).with("Δ ", " nat", plain),
        ];
        if let Some(kl) = self.own().map(|own| self.state.beside.divergence(self.at, own)) {
            let shown = match kl {
                Figure::Exact(kl) => Some(figure(kl, 3, 8)),
                Figure::Bounded([low, _]) => Some(format!("≥ {}", figure(low, 3, 8))),
                Figure::NotGiven => None,
            };
            items.extend(shown.map(|kl| WholeItem::new(2, "  ", kl, bold).with("KL ", "", plain)));
        }
        if piece.first.len() + piece.other.len() > 2 {
            let of = format!("«{spelled}» {}|{} tokens", piece.first.len(), piece.other.len());
            items.push(WholeItem::new(3, "  ", of, plain));
        }
        line(&items, columns)
    }

    /// How the second model reads.
    fn how(&self) -> String {
        let beside = &self.state.beside;
        if beside.is_kin() {
            let kl = match (self.state.session.sequence().in_force().spans().is_empty(), beside.diverges()) {
                (false, _) => "KL only from the lists (≥): A is changed by --off or --steer",
                (true, true) => "exact KL(A‖B) when the conversation rests, ≥ before",
                (true, false) => "KL only from the lists (≥)",
            };
            return format!("B reads A's own ids, A's template among them · {kl}");
        }
        let bos =
            beside.model.as_ref().and_then(|model| self.state.session.settings().bos.token(&model.vocab));
        let bos = if bos.is_some() { " after its own BOS" } else { "" };
        format!("other tokens: B reads A's text{bos}, A's template as plain text · aligned by bytes; no KL")
    }
}
