//! An answer laid out as text and tables: written to a terminal as it is, or laid out in the columns a pane
//! has, where nothing is cut: bars go first, then a text at a row's end gets lines of its own, texts are wrapped
//! in their column, and a row that is still too wide goes on below.

use std::borrow::Cow;
use std::io::{self, Write};

use super::bars::Paint;
use crate::colouring::Level;
use crate::columns::{clipped, drawn_text, padded, width, wrapped};
use crate::token::printable;
use crate::wrap::Wrapped;

/// Least columns a text is wrapped in.
const NARROW: usize = 8;
/// Columns of a line of prose, where there is room.
const READABLE: usize = 98;
/// Columns by which the rest of a row that is too wide is set in.
const SET_IN: usize = 2;
/// Most blanks before a table.
const MOST_SET_IN: usize = 4;

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
}

impl Column {
    fn new(title: impl Into<Cow<'static, str>>, width: usize, holds: Holds) -> Column {
        let right = holds == Holds::Figures;
        Column { title: title.into(), width, gap: 1, holds, right, cut: false }
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
            Block::Text(text) => writeln!(out, "{text}"),
            Block::Prose(text) => {
                wrapped(text, READABLE).iter().try_for_each(|line| writeln!(out, "  {line}"))
            }
            Block::Table(table) => table.write(out, paint),
        })
    }

    /// Lays it out in so many columns of a terminal.
    pub fn lines(&self, columns: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        for block in &self.blocks {
            match block {
                Block::Prose(text) => {
                    lines.extend(prose(&format!("  {}", printable(text)), columns.min(READABLE)))
                }
                Block::Text(text) => {
                    lines.extend(printable(text).lines().flat_map(|line| prose(line, columns)))
                }
                Block::Table(table) => TableLayout::new(table, columns.max(1)).lines(&mut lines),
            }
            if matches!(block, Block::Text(text) if text.is_empty()) {
                lines.push(Line::default());
            }
        }
        // What stands below is not part of it.
        while lines.last().is_some_and(|line| line.spans.is_empty()) {
            lines.pop();
        }
        lines
    }
}

impl View {
    /// The same with the minus of print before figures, as a screen has it that shows others beside them.
    pub fn with_print_minus(mut self) -> View {
        for block in &mut self.blocks {
            match block {
                Block::Text(text) | Block::Prose(text) => *text = print_minus(text),
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

/// Lines of a text that keep its blanks, those it begins with in every line.
fn prose(line: &str, columns: usize) -> Vec<Line> {
    let text = line.trim_start_matches(' ');
    let blanks = (line.len() - text.len()).min(columns / 2);
    let mut wrapped = Wrapped::default();
    wrapped.update(text, u16::try_from(columns - blanks).unwrap_or(u16::MAX));
    let rows = wrapped.rows().iter().map(|row| drawn_text(text[row.start..row.end].trim_end()));
    let span = |row: &str| Span { text: " ".repeat(blanks) + row, tone: Tone::Plain };
    rows.map(|row: Cow<str>| Line { spans: vec![span(&row)], item: None }).collect()
}

/// One line of a view in a pane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// From the left.
    pub spans: Vec<Span>,
    /// Which of the things the answer lists it stands for.
    pub item: Option<usize>,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// As it is shown.
    pub text: String,
    /// How.
    pub tone: Tone,
}

/// How a piece of a line is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As text.
    Plain,
    /// As a column's name.
    Head,
    /// In the colour of a level of surprise.
    Level(Level),
}

/// A table in a pane: which columns it shows, how wide, and below one another in which groups.
struct TableLayout<'a> {
    table: &'a Table,
    /// Blanks before the first column.
    indent: usize,
    /// Blanks before the columns that go on below.
    below: usize,
    /// Columns by their place, with their widths.
    groups: Vec<Vec<(usize, usize)>>,
}

impl<'a> TableLayout<'a> {
    fn new(table: &'a Table, columns: usize) -> TableLayout<'a> {
        let head = table.head();
        let rows = || table.rows.iter().chain(&head);
        let widest = |i: usize| rows().filter_map(|row| row.cells.get(i)).map(|cell| width(&cell.text)).max();
        let mut shown: Vec<(usize, usize)> =
            (0..table.columns.len()).filter_map(|i| Some((i, widest(i)?))).collect();
        let indent = table.columns.first().map_or(0, |first| first.gap.min(MOST_SET_IN).min(columns / 4));
        let total = |shown: &[(usize, usize)]| -> usize {
            let gaps: usize = shown.iter().skip(1).map(|&(i, _)| table.columns[i].gap).sum();
            indent + gaps + shown.iter().map(|(_, width)| width).sum::<usize>()
        };
        if total(&shown) > columns {
            shown.retain(|&(i, _)| table.columns[i].holds != Holds::Bars);
        }
        // A text at the end reads better in lines of its own than in a few columns.
        let last = shown.last().is_some_and(|&(i, _)| table.columns[i].holds == Holds::Text);
        let apart = if last && shown.len() > 1 && total(&shown) > columns { shown.pop() } else { None };
        // Of the others the widest text gives way first.
        while total(&shown) > columns {
            let over = total(&shown) - columns;
            let texts = shown.iter_mut().filter(|(i, _)| table.columns[*i].holds == Holds::Text);
            let Some((_, widest)) = texts.max_by_key(|(_, width)| *width).filter(|(_, w)| *w > NARROW) else {
                break;
            };
            *widest = widest.saturating_sub(over.min(*widest - NARROW)).max(NARROW);
        }
        let mut groups: Vec<Vec<(usize, usize)>> = Vec::new();
        let (mut used, below) = (0, SET_IN.min(columns / 4));
        for (i, wide) in shown {
            let gap = table.columns[i].gap;
            match groups.last_mut() {
                Some(group) if used + gap + wide <= columns => {
                    used += gap + wide;
                    group.push((i, wide));
                }
                Some(_) => {
                    let wide = wide.min(columns - below);
                    used = below + wide;
                    groups.push(vec![(i, wide)]);
                }
                None => {
                    let wide = wide.min(columns - indent);
                    used = indent + wide;
                    groups.push(vec![(i, wide)]);
                }
            }
        }
        groups.extend(apart.map(|(i, wide)| vec![(i, wide.min(columns - below))]));
        TableLayout { table, indent, below, groups }
    }

    fn lines(&self, lines: &mut Vec<Line>) {
        if let Some(head) = self.table.head() {
            self.row(&head, Some(Tone::Head), lines);
        }
        self.table.rows.iter().for_each(|row| self.row(row, None, lines));
    }

    fn row(&self, row: &TableRow, tone: Option<Tone>, lines: &mut Vec<Line>) {
        for (n, group) in self.groups.iter().enumerate() {
            let cells: Vec<(usize, usize, Vec<String>)> = group
                .iter()
                .filter_map(|&(i, wide)| {
                    let text = &row.cells.get(i)?.text;
                    let whole = width(text) <= wide;
                    Some((i, wide, if whole { vec![padded(text, 0)] } else { wrapped(text, wide) }))
                })
                .collect();
            let height = cells.iter().map(|(_, _, text)| text.len()).max().unwrap_or(0);
            if cells.iter().all(|(_, _, text)| text.iter().all(String::is_empty)) {
                continue;
            }
            for at in 0..height {
                let mut spans: Vec<Span> = Vec::new();
                let mut blanks = if n > 0 { self.below } else { self.indent };
                for (place, (i, wide, text)) in cells.iter().enumerate() {
                    let column = &self.table.columns[*i];
                    let text = text.get(at).map_or("", String::as_str);
                    let (before, behind) = column.filled(text, *wide);
                    blanks += before + if place > 0 { column.gap } else { 0 };
                    if !text.is_empty() {
                        let level = row.cells[*i].level.map_or(Tone::Plain, Tone::Level);
                        spans.push(Span { text: " ".repeat(blanks), tone: Tone::Plain });
                        spans.push(Span { text: text.to_string(), tone: tone.unwrap_or(level) });
                        blanks = 0;
                    }
                    blanks += behind;
                }
                lines.push(Line { spans, item: row.item });
            }
        }
    }
}

#[cfg(test)]
mod tests;
