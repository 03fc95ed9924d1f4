//! How wide and how long a lens' tables are, and how their figures are written.

/// Columns of a token.
pub(super) const TOKEN: usize = 14;
/// Columns of a bar.
pub(super) const BAR: usize = 16;
/// Rows of a sorted list.
pub(super) const MOST_ROWS: usize = 24;

/// A small number with the digits that say something.
pub fn small(value: f64) -> String {
    if value >= 0.01 { format!("{value:.3}") } else { format!("{value:.1e}") }
}
