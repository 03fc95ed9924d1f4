//! A map of shares: one mark a cell, high and red where much speaks for the target, with a minus and blue
//! where it speaks against it, a dot where nothing is above the floor.

use crate::colouring::{LEVELS, Level};
use crate::report::view::{Cell, Column, Table, TableRow};

/// A share from little to all.
const MARKS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
/// Columns of a label.
const LABEL: usize = 14;
/// Every so many columns have a title where all would run into each other.
const TITLED: usize = 5;

/// Rows of shares from −1 to 1; `Some(0.0)` is below the floor, `None` is not known.
pub struct Grid {
    /// What a row is.
    pub label: &'static str,
    /// One a row.
    pub rows: Vec<(String, Vec<Option<f64>>)>,
    /// Titles of columns behind the marks, and what stands there row by row.
    pub beside: Vec<(&'static str, Vec<String>)>,
}

impl Grid {
    /// As a table with a column for each mark.
    pub fn table(&self) -> Table {
        let width = self.rows.iter().map(|(_, row)| row.len()).max().unwrap_or(0);
        let title = |i: usize| if i.is_multiple_of(TITLED) { i.to_string() } else { String::new() };
        let mut columns = vec![Column::text(self.label, LABEL).after(0).cut()];
        columns.extend((0..width).map(|i| Column::figures(title(i), 2).after(0)));
        columns.extend(self.beside.iter().map(|(title, _)| Column::figures(*title, 9)));
        let mut table = Table::new(columns);
        for (i, (label, row)) in self.rows.iter().enumerate() {
            let mut cells = vec![Cell::from(label.as_str())];
            cells.extend(row.iter().map(|&share| mark(share)));
            cells.resize(width + 1, Cell::default());
            let beside = self.beside.iter().map(|(_, column)| column.get(i).cloned().unwrap_or_default());
            cells.extend(beside.map(Cell::from));
            table.rows.push(TableRow { cells, item: None });
        }
        table
    }
}

/// The mark of a share.
pub fn mark(share: Option<f64>) -> Cell {
    let Some(share) = share else { return Cell::default() };
    if share == 0.0 {
        return Cell::from("·");
    }
    let size = share.abs().min(1.0);
    let block = MARKS[((size * MARKS.len() as f64) as usize).min(MARKS.len() - 1)];
    let sign = if share < 0.0 { "−" } else { "" };
    Cell { text: format!("{sign}{block}"), level: Some(level(share)) }
}

/// From −1 to 1 the colours from blue to red.
fn level(share: f64) -> Level {
    let strong = usize::from(share.abs() >= 0.5);
    if share < 0.0 { 1 - strong } else { LEVELS - 2 + strong }
}

#[cfg(test)]
mod tests {
    use super::{Grid, mark};

    #[test]
    fn marks_grow_with_the_share_and_tell_its_sign_without_colours() {
        let text = |share| mark(Some(share)).text;
        assert_eq!([0.0, 0.01, 0.5, 1.0, 7.0, -1.0].map(text), ["·", "▁", "▅", "█", "█", "−█"]);
        let level = |share| mark(Some(share)).level;
        assert_eq!([0.0, 0.2, 0.9, -0.2, -0.9].map(level), [None, Some(3), Some(4), Some(1), Some(0)]);
        assert_eq!(mark(None).text, "");
    }

    #[test]
    fn a_row_has_a_mark_for_each_column_and_its_figures_behind() {
        let grid = Grid {
            label: "layer",
            rows: vec![("0".to_string(), vec![Some(1.0), Some(0.0)]), ("1".to_string(), vec![None])],
            beside: vec![("ffn", vec!["-1.2".to_string()])],
        };
        let mut out = Vec::new();
        grid.table().write(&mut out, crate::report::bars::Paint::default()).unwrap();
        let text = String::from_utf8(out).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], format!("{:<14} 0  {:>10}", "layer", "ffn"));
        assert_eq!(lines[1], format!("{:<14} █ ·{:>10}", "0", "-1.2"));
        assert_eq!(lines[2], "1");
    }
}
