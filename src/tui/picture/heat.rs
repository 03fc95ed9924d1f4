//! A value for each row and column, one mark each.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::{PictureRow, Shade};
use crate::columns::{fitted, width};
use crate::intervention::OffPart;
use crate::tui::theme::Theme;

/// Columns of a cell, where there is room.
const WIDEST_CELL: usize = 3;

/// A heat map.
#[derive(Clone, Debug)]
pub struct HeatMap {
    /// The number of its first cell among a picture's items; the others follow row by row.
    pub first: usize,
    /// What stands above the rows' labels.
    pub head: String,
    /// The rows.
    pub rows: Vec<HeatRow>,
    /// What each column is called.
    pub columns: Vec<String>,
    /// The number of the first column, as it is counted above them.
    pub counted_from: usize,
    /// Differences below this are none.
    pub floor: f64,
    /// How a value is written.
    pub written: fn(f64) -> String,
}

/// A row.
#[derive(Clone, Debug)]
pub struct HeatRow {
    /// What stands before it, as wide as those of the other rows.
    pub label: String,
    /// What it is called.
    pub name: String,
    /// A value for each column; not a number where there is none. Negative ones speak for the target.
    pub values: Vec<f64>,
    /// The part of the model that each cell stands for, or one for all of them.
    pub parts: Vec<OffPart>,
}

impl HeatMap {
    /// The row and column of an item.
    pub fn cell(&self, item: usize) -> Option<(usize, usize)> {
        let at = item.checked_sub(self.first)?;
        let width = self.columns.len().max(1);
        (at / width < self.rows.len()).then_some((at / width, at % width))
    }

    /// The part of the model that a cell stands for.
    pub fn part(&self, item: usize) -> Option<OffPart> {
        let (row, column) = self.cell(item)?;
        match &self.rows[row].parts[..] {
            [all] => Some(*all),
            parts => parts.get(column).copied(),
        }
    }

    /// The item in a row and column.
    pub fn item(&self, row: usize, column: usize) -> usize {
        self.first + row * self.columns.len().max(1) + column
    }

    /// What is said of a cell.
    pub fn about(&self, item: usize) -> String {
        let Some((row, column)) = self.cell(item) else { return String::new() };
        let value = self.rows[row].values.get(column).copied().unwrap_or(f64::NAN);
        let value = if value.is_nan() { "–".to_string() } else { (self.written)(value) };
        format!("{}, {}: {value}", self.rows[row].name, self.columns[column])
    }

    /// The item in a direction.
    pub(super) fn step(&self, from: usize, across: isize, down: isize) -> Option<usize> {
        let (row, column) = self.cell(from).unwrap_or((0, 0));
        let row = row.saturating_add_signed(down).min(self.rows.len().checked_sub(1)?);
        let column = column.saturating_add_signed(across).min(self.columns.len().checked_sub(1)?);
        Some(self.item(row, column))
    }

    /// The cell of the largest value.
    pub fn most(&self) -> usize {
        let all = self.rows.iter().enumerate().flat_map(|(at, row)| {
            row.values.iter().enumerate().map(move |(column, value)| ((at, column), value.abs()))
        });
        let most =
            all.filter(|(_, size)| !size.is_nan()).max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0)));
        most.map_or(self.first, |((row, column), _)| self.item(row, column))
    }

    /// Its rows in so many columns of the screen: those around the selected one where not all fit.
    pub(super) fn lay_out(&self, columns: usize, selected: usize, theme: Theme) -> Vec<PictureRow> {
        let label = self.rows.iter().map(|row| width(&row.label)).max().unwrap_or(0).max(width(&self.head));
        let label = label.min(columns / 2);
        let room = columns.saturating_sub(label + 1).max(1);
        let count = self.columns.len();
        let cell = (room / count.max(1)).clamp(1, WIDEST_CELL);
        let seen = (room / cell).min(count);
        let at = self.cell(selected);
        let middle = at.map_or(0, |(_, column)| column);
        let from = middle.saturating_sub(seen / 2).min(count - seen);
        let all = self.rows.iter().flat_map(|row| &row.values).map(|value| value.abs());
        let largest = all.filter(|value| !value.is_nan()).fold(0.0, f64::max);
        let mut head = fitted(&self.head, label + 1);
        for column in (from..from + seen).step_by(1) {
            let number = self.counted_from + column;
            let place = label + 1 + (column - from) * cell;
            if number.is_multiple_of(5)
                && width(&head) <= place
                && place + number.to_string().len() <= columns
            {
                head = format!("{}{number}", fitted(&head, place));
            }
        }
        let mut rows = vec![PictureRow { line: Line::styled(head, theme.dim()), ..PictureRow::default() }];
        for (y, row) in self.rows.iter().enumerate() {
            let mut out = PictureRow::default();
            out.line.push_span(Span::raw(fitted(&row.label, label + 1)));
            for x in from..from + seen {
                let shade =
                    Shade::of_change(row.values.get(x).copied().unwrap_or(f64::NAN), self.floor, largest);
                let style = match shade {
                    Shade::None => theme.dim(),
                    shade => {
                        Style::new().patch(Style { add_modifier: Default::default(), ..shade.style(theme) })
                    }
                };
                let style = if at == Some((y, x)) { style.patch(theme.cursor()) } else { style };
                out.line.push_span(Span::styled(fitted(shade.glyph(), cell), style));
                let place = (label + 1 + (x - from) * cell) as u16;
                out.places.push((place..place + cell as u16, self.item(y, x)));
            }
            rows.push(out);
        }
        rows
    }
}
