//! A picture in the columns there are.

use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line as Stroke};
use unicode_segmentation::UnicodeSegmentation;

use super::{Picture, PicturePart, PictureRow, ShadedRow, ShadedText};
use crate::columns::{clipped, width, wrapped};
use crate::report::view::{self as report, Tone};
use crate::tui::theme::Theme;
use crate::tui::view::items::figure;

/// Rows of a curve.
const CURVE_ROWS: u16 = 5;

impl Picture {
    /// Its rows in so many columns, with an item marked.
    pub fn rows(&self, columns: usize, selected: usize, theme: Theme) -> Vec<PictureRow> {
        let mut rows = Vec::new();
        for part in &self.parts {
            let first = rows.len();
            match part {
                PicturePart::Prose(text) if text.is_empty() => rows.push(PictureRow::default()),
                PicturePart::Prose(text) => {
                    let lines = wrapped(text, columns).into_iter();
                    rows.extend(lines.map(|line| plain(Line::styled(line, theme.dim()))));
                }
                PicturePart::Words(lines) => {
                    lines.iter().for_each(|line| words(&mut rows, line, columns, selected, theme));
                }
                PicturePart::Table(lines) => {
                    rows.extend(lines.iter().map(|line| table_row(line, columns, selected, theme)));
                }
                PicturePart::Heat(heat) => rows.extend(heat.lay_out(columns, selected, theme)),
                PicturePart::Report(view) => {
                    rows.extend(view.lines(columns).iter().map(|line| plain(report_line(line, theme))));
                }
                PicturePart::Curve(points) => rows.extend(curve(points, columns, theme)),
            }
            if matches!(part, PicturePart::Table(_) | PicturePart::Heat(_)) {
                below_heads(&mut rows, first);
            }
        }
        rows
    }
}

fn plain(line: Line<'static>) -> PictureRow {
    PictureRow { line, ..PictureRow::default() }
}

/// Has rows know the head that they stand below.
fn below_heads(rows: &mut [PictureRow], first: usize) {
    let mut head = None;
    for (at, row) in rows.iter_mut().enumerate().skip(first) {
        match row.places.is_empty() {
            true => head = Some(at),
            false => row.head = head,
        }
    }
}

/// A line of text, wrapped between words, and inside of one that is wider than a row.
fn words(rows: &mut Vec<PictureRow>, line: &[ShadedText], columns: usize, selected: usize, theme: Theme) {
    let mut row = PictureRow::default();
    let mut used = 0;
    for stretch in line {
        let style = stretch.shade.style(theme);
        let is_it = stretch.item == Some(selected);
        let style = if is_it { style.patch(theme.cursor()) } else { style };
        for piece in stretch.text.split_word_bounds() {
            let mut piece = clipped(piece, columns);
            if used + width(&piece) > columns {
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            // A row begins with a word.
            if used == 0 && !is_it {
                piece = piece.trim_start().to_string();
            }
            let wide = width(&piece);
            if let Some(item) = stretch.item {
                row.places.push((used as u16..(used + wide) as u16, item));
            }
            used += wide;
            row.line.push_span(Span::styled(piece, style));
        }
    }
    rows.push(row);
}

fn table_row(row: &ShadedRow, columns: usize, selected: usize, theme: Theme) -> PictureRow {
    let mut line = Line::default();
    let mut used = 0;
    for (text, shade) in &row.cells {
        let text = clipped(text, columns.saturating_sub(used));
        used += width(&text);
        let style = if row.item.is_none() { theme.dim() } else { shade.style(theme) };
        line.push_span(Span::styled(text, style));
    }
    if row.item == Some(selected) {
        line = line.patch_style(theme.cursor());
    }
    let places = row.item.map(|item| (0..columns as u16, item)).into_iter().collect();
    PictureRow { line, places, head: None }
}

/// A line of a report in the colours of the screen.
pub fn report_line(line: &report::Line, theme: Theme) -> Line<'static> {
    let style = |tone| match tone {
        Tone::Plain => Style::new(),
        Tone::Head => theme.dim(),
        Tone::Level(level) => theme.level(level),
    };
    Line::from_iter(line.spans.iter().map(|span| Span::styled(span.text.clone(), style(span.tone))))
}

/// The curve between its lowest and its highest value, which stand beside it.
fn curve(points: &[(f64, f64)], columns: usize, theme: Theme) -> Vec<PictureRow> {
    let finite = || points.iter().filter(|(_, y)| y.is_finite());
    let bounds = |of: fn(&(f64, f64)) -> f64| {
        let fold = |(low, high): (f64, f64), value: f64| (low.min(value), high.max(value));
        finite().map(of).fold((f64::INFINITY, f64::NEG_INFINITY), fold)
    };
    let ((left, right), (low, high)) = (bounds(|point| point.0), bounds(|point| point.1));
    if finite().count() < 2 || columns < 16 {
        return Vec::new();
    }
    let labels = [figure(high, 2, 7), figure(low, 2, 7)];
    let gutter = labels.iter().map(|label| width(label)).max().unwrap_or(0) + 1;
    let area = Rect::new(0, 0, columns.saturating_sub(gutter) as u16, CURVE_ROWS);
    let mut buffer = Buffer::empty(area);
    let high = if high > low { high } else { low + 1.0 };
    let colour = theme.bar().fg.unwrap_or_default();
    let known: Vec<&(f64, f64)> = finite().collect();
    Canvas::default()
        .marker(Marker::Braille)
        .x_bounds([left, right])
        .y_bounds([low, high])
        .paint(|painter| {
            for pair in known.windows(2) {
                let ((x1, y1), (x2, y2)) = (*pair[0], *pair[1]);
                painter.draw(&Stroke { x1, y1, x2, y2, color: colour });
            }
        })
        .render(area, &mut buffer);
    let row = |y: u16| {
        let drawn: String = (0..area.width).map(|x| buffer[(x, y)].symbol()).collect();
        let label = match y {
            0 => &labels[0],
            y if y + 1 == CURVE_ROWS => &labels[1],
            _ => "",
        };
        let label = format!("{label:>0$} ", gutter - 1);
        plain(Line::from(vec![Span::styled(label, theme.dim()), Span::styled(drawn, theme.bar())]))
    };
    (0..CURVE_ROWS).map(row).collect()
}

impl PictureRow {
    /// The item in a column.
    pub fn item_at(&self, column: u16) -> Option<usize> {
        let holds = |place: &&(Range<u16>, usize)| place.0.contains(&column);
        self.places.iter().find(holds).map(|(_, item)| *item)
    }

    /// Whether an item stands in it.
    pub fn holds(&self, item: usize) -> bool {
        self.places.iter().any(|(_, other)| *other == item)
    }
}
