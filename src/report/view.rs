//! An answer as text and tables: written to a terminal as it is, or laid out in the columns a pane has
//! ([`layout`]).

pub mod layout;

use std::borrow::Cow;
use std::io::{self, Write};

use super::bars::Paint;
use crate::colouring::Level;
use crate::columns::{clipped, padded, width, wrapped};
pub use layout::{Line, Span, Tone};

/// Columns of a line of prose, where there is room.
const READABLE: usize = 98;

/// Blocks, from the top down.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct View {
    /// In order.
    pub blocks: Vec<Block>,
    /// How many of them somebody has seen who was told every part of the answer as it came.
    pub told: usize,
}

/// A piece of a view.
#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    /// Lines of text; an empty one is a gap.
    Text(String),
    /// Lines that explain a table beside them, and say nothing without it.
    Caption(String),
    /// A paragraph, a little set in, in lines that can be read.
    Prose(String),
    Table(Table),
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Figures, never cut.
    Figures,
    /// Text, which may be wrapped.
    Text,
    /// Bars beside a figure, which go first where room is short.
    Bars,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    title: Cow<'static, str>,
    /// Columns of the terminal it is filled up to where it has them.
    width: usize,
    /// Blanks before it.
    gap: usize,
    holds: Holds,
    /// Whether its values are at its right edge.
    right: bool,
    /// Whether what is longer is cut where it is written as it is.
    cut: bool,
    /// Where a pane has no room for all columns, those go first whose number is the highest; 0 stays.
    minor: u8,
    /// How a text is cut, with an ellipsis, to no fewer columns than this where a pane has no room for it.
    elided: Option<Elided>,
}

/// How a text that is too long for a pane is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Elided {
    /// The fewest columns that are left of it.
    least: usize,
    /// Whether its end is kept, and not its beginning.
    keeps_end: bool,
}

impl Column {
    fn new(title: impl Into<Cow<'static, str>>, width: usize, holds: Holds) -> Column {
        let right = holds == Holds::Figures;
        Column { title: title.into(), width, gap: 1, holds, right, cut: false, minor: 0, elided: None }
    }

    /// Figures, at its right edge.
    pub fn figures(title: impl Into<Cow<'static, str>>, width: usize) -> Column {
        Column::new(title, width, Holds::Figures)
    }

    pub fn text(title: impl Into<Cow<'static, str>>, width: usize) -> Column {
        Column::new(title, width, Holds::Text)
    }

    pub fn bars(title: &'static str, width: usize) -> Column {
        Column::new(title, width, Holds::Bars)
    }

    /// The same after so many blanks.
    pub fn after(self, gap: usize) -> Column {
        Column { gap, ..self }
    }

    /// The same where what is longer than its width is cut, unless there is a pane to wrap it in.
    pub fn cut(self) -> Column {
        Column { cut: true, ..self }
    }

    /// The same, left out of a pane that has no room for all columns before those with a lower number.
    pub fn minor(self, minor: u8) -> Column {
        Column { minor, ..self }
    }

    /// The same, cut with an ellipsis in a pane that has no room for it, but to no fewer columns than these.
    pub fn elided(self, least: usize) -> Column {
        Column { elided: Some(Elided { least, keeps_end: false }), ..self }
    }

    /// The same of a text whose end says more than its beginning.
    pub fn elided_before(self, least: usize) -> Column {
        Column { elided: Some(Elided { least, keeps_end: true }), ..self }
    }

    fn filled(&self, text: &str, width_of: usize) -> (usize, usize) {
        let free = width_of.saturating_sub(width(text));
        if self.right { (free, 0) } else { (0, free) }
    }
}

/// A value of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cell {
    /// As it is shown.
    pub text: String,
    /// How surprising what it shows is, where it is coloured by that.
    pub level: Option<Level>,
}

impl From<String> for Cell {
    fn from(text: String) -> Cell {
        Cell { text, level: None }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        Cell::from(text.to_string())
    }
}

/// A row of a table. It may have fewer cells than the table has columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableRow {
    /// From the left.
    pub cells: Vec<Cell>,
    /// Which of the things the answer lists it stands for.
    pub item: Option<usize>,
}

impl TableRow {
    /// A row of texts that stands for nothing in particular.
    pub fn new<const N: usize>(cells: [Cell; N]) -> TableRow {
        TableRow { cells: cells.into(), item: None }
    }

    /// The same for one of the things that are listed.
    pub fn of(self, item: usize) -> TableRow {
        TableRow { item: Some(item), ..self }
    }
}

/// A table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// From the left.
    pub columns: Vec<Column>,
    /// From the top.
    pub rows: Vec<TableRow>,
}

impl Table {
    /// A table of these columns without a row.
    pub fn new(columns: impl Into<Vec<Column>>) -> Table {
        Table { columns: columns.into(), rows: Vec::new() }
    }

    fn head(&self) -> Option<TableRow> {
        let titled = self.columns.iter().rposition(|column| !column.title.is_empty())?;
        let titles = self.columns[..=titled].iter().map(|column| Cell::from(&*column.title));
        Some(TableRow { cells: titles.collect(), item: None })
    }

    /// Writes the names of the columns, where they have any.
    ///
    /// # Errors
    /// Those of the writer, as everywhere here.
    pub fn write_head(&self, out: &mut dyn Write) -> io::Result<()> {
        self.head().map_or(Ok(()), |head| self.write_row(out, &head, Paint::default()))
    }

    /// Writes one row: a table that is long need not be held.
    pub fn write_row(&self, out: &mut dyn Write, row: &TableRow, paint: Paint) -> io::Result<()> {
        let mut line = String::new();
        // Blanks are written before what follows them, so that none stands at a line's end.
        let mut blanks = 0;
        for (cell, column) in row.cells.iter().zip(&self.columns) {
            let text = if column.cut { clipped(&cell.text, column.width) } else { padded(&cell.text, 0) };
            let (before, behind) = column.filled(&text, column.width);
            blanks += column.gap + before;
            if !text.is_empty() {
                line.extend(std::iter::repeat_n(' ', blanks));
                line.push_str(&cell.level.map_or_else(|| text.clone(), |level| paint.level(level, &text)));
                blanks = 0;
            }
            blanks += behind;
        }
        writeln!(out, "{line}")
    }

    /// Writes all of it.
    pub fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        self.write_head(out)?;
        self.rows.iter().try_for_each(|row| self.write_row(out, row, paint))
    }
}

impl View {
    /// Adds lines of text.
    pub fn text(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Text(text.into()));
    }

    /// Adds what a table beside it needs to be read, and nothing else.
    pub fn caption(&mut self, text: impl Into<String>) {
        self.blocks.push(Block::Caption(text.into()));
    }

    /// Adds a table.
    pub fn table(&mut self, table: Table) {
        self.blocks.push(Block::Table(table));
    }

    /// Writes it as it is.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        View::write_blocks(&self.blocks, out, paint)
    }

    /// Writes what nobody was told while the answer was in the making.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_rest(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        View::write_blocks(&self.blocks[self.told..], out, paint)
    }

    fn write_blocks(blocks: &[Block], out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        blocks.iter().try_for_each(|block| match block {
            Block::Text(text) | Block::Caption(text) => writeln!(out, "{text}"),
            Block::Prose(text) => {
                wrapped(text, READABLE).iter().try_for_each(|line| writeln!(out, "  {line}"))
            }
            Block::Table(table) => table.write(out, paint),
        })
    }
}

impl View {
    /// The same with the minus of print before figures, as a screen has it that shows others beside them.
    pub fn with_print_minus(mut self) -> View {
        for block in &mut self.blocks {
            match block {
                Block::Text(text) | Block::Caption(text) | Block::Prose(text) => *text = print_minus(text),
                Block::Table(table) => {
                    for row in &mut table.rows {
                        let figures = row.cells.iter_mut().zip(&table.columns);
                        let figures = figures.filter(|(_, column)| column.holds == Holds::Figures);
                        figures.for_each(|(cell, _)| cell.text = print_minus(&cell.text));
                    }
                }
            }
        }
        self
    }
}

/// A sign stands before a digit, and behind nothing, a blank or a bracket.
fn print_minus(text: &str) -> String {
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    let mut written = String::with_capacity(text.len());
    while let Some(c) = rest.next() {
        let is_sign =
            c == '-' && matches!(before, ' ' | '(') && rest.peek().is_some_and(char::is_ascii_digit);
        written.push(if is_sign { '−' } else { c });
        before = c;
    }
    written
}

#[cfg(test)]
mod tests;
