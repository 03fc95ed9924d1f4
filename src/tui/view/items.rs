//! Figures that stand in a row: what does not fit is left out whole, the least important first. No number
//! is ever cut.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::columns::width;

/// Something that is shown whole or not at all.
pub struct WholeItem {
    text: Vec<(String, Style)>,
    /// What stands before it, unless it is the first.
    gap: &'static str,
    /// The lower, the longer it stays.
    importance: usize,
}

impl WholeItem {
    /// A name or a figure.
    pub fn new(importance: usize, gap: &'static str, text: String, style: Style) -> WholeItem {
        WholeItem { text: vec![(text, style)], gap, importance }
    }

    /// Text around it, in another style.
    pub fn with(mut self, before: &str, after: &str, style: Style) -> WholeItem {
        self.text.insert(0, (before.to_string(), style));
        self.text.push((after.to_string(), style));
        self
    }

    fn columns(&self) -> usize {
        self.text.iter().map(|(text, _)| width(text)).sum()
    }
}

/// A line of the items that fit into these columns.
pub fn line(items: &[WholeItem], columns: usize) -> Line<'static> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_key(|&i| items[i].importance);
    let mut shown = Vec::new();
    for i in order {
        shown.push(i);
        shown.sort_unstable();
        let gaps: usize = shown.iter().skip(1).map(|&i| width(items[i].gap)).sum();
        if gaps + shown.iter().map(|&i| items[i].columns()).sum::<usize>() > columns {
            shown.retain(|&other| other != i);
        }
    }
    let mut spans = Vec::new();
    for (at, &i) in shown.iter().enumerate() {
        if at > 0 {
            spans.push(Span::raw(items[i].gap));
        }
        spans.extend(items[i].text.iter().map(|(text, style)| Span::styled(text.clone(), *style)));
    }
    Line::from(spans)
}

/// Text at the right end of a place; what stands before it keeps its style.
pub fn at_right(frame: &mut Frame, area: Rect, text: String, style: Style) {
    let before = area.width.saturating_sub(width(&text) as u16);
    let place = Rect { x: area.x + before, width: area.width - before, ..area };
    frame.render_widget(Span::styled(text, style), place);
}

/// The first of several wordings that fits; the last one is cut, and marked.
pub fn first_fitting(wordings: &[String], columns: usize) -> String {
    match wordings.iter().find(|wording| width(wording) <= columns) {
        Some(wording) => wording.clone(),
        None => wordings.last().map_or_else(String::new, |last| crate::columns::clipped(last, columns)),
    }
}

/// The typographic minus, as wide as a digit.
pub fn minus(text: &str) -> String {
    text.replace('-', "−")
}

/// A number in at most this many columns: with fewer decimals where it is long, then as a power of ten.
pub fn figure(value: f64, decimals: usize, columns: usize) -> String {
    if value.is_infinite() {
        return if value < 0.0 { "−∞" } else { "∞" }.to_string();
    }
    let plain = (0..=decimals).rev().map(|decimals| format!("{value:.decimals$}"));
    let short = (0..=2).rev().map(|decimals| format!("{value:.decimals$e}"));
    let fitting = plain.chain(short).map(|text| minus(&text)).find(|text| width(text) <= columns);
    fitting.unwrap_or_else(|| "…".to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(columns: usize) -> String {
        let item = |importance, text: &str| WholeItem::new(importance, " · ", text.to_string(), Style::new());
        let items = [item(0, "model"), item(2, "12.5 t/s"), item(3, "min-p 0.05"), item(1, "seed 7")];
        line(&items, columns).to_string()
    }

    #[test]
    fn what_does_not_fit_is_left_out_whole_the_least_important_first() {
        assert_eq!(shown(38), "model · 12.5 t/s · min-p 0.05 · seed 7");
        assert_eq!(shown(37), "model · 12.5 t/s · seed 7");
        assert_eq!(shown(24), "model · seed 7");
        assert_eq!(shown(13), "model");
        assert_eq!(shown(4), "");
    }

    #[test]
    fn a_number_is_shortened_and_never_cut() {
        assert_eq!(figure(-0.083, 3, 8), "−0.083");
        assert_eq!(figure(-1234.5678, 3, 8), "−1234.57");
        assert_eq!(figure(-123_456_789.0, 3, 8), "−1.23e8");
        assert_eq!(figure(-3.4e38, 3, 8), "−3.40e38");
        assert_eq!(figure(-3.4e38, 3, 6), "−3e38");
        assert_eq!(figure(123.0, 2, 1), "…");
        assert_eq!(figure(f64::NEG_INFINITY, 3, 8), "−∞");
    }
}
