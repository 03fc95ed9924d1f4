//! A view in the columns that a pane has. Nothing is wider than they are: bars go first. Then columns that a table calls
//! minor are left out whole, and texts that it allows to be cut are, with an ellipsis. In a table that calls no column
//! either of these nothing is cut: a text at a row's end gets lines of its own, texts are wrapped in their column, and
//! a row that is still too wide goes on below.

use std::borrow::Cow;

use super::{Block, Column, Elided, Holds, READABLE, Table, TableRow, View};
use crate::colouring::Level;
use crate::columns::{clipped, clipped_before, drawn_text, padded, width, wrapped};
use crate::token::printable;
use crate::wrap::Wrapped;

/// Least columns a text is wrapped in.
const NARROW: usize = 8;
/// Columns by which the rest of a row that is too wide is set in.
const SET_IN: usize = 2;
/// Most blanks before a table.
const MOST_SET_IN: usize = 4;

impl View {
    /// Lays it out in so many columns of a terminal.
    pub fn lines(&self, columns: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        for block in &self.blocks {
            match block {
                Block::Prose(text) => {
                    lines.extend(prose(&format!("  {}", printable(text)), columns.min(READABLE)))
                }
                Block::Text(text) | Block::Caption(text) => {
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

impl Column {
    /// The fewest columns that may be left of it.
    fn least(&self) -> Option<usize> {
        self.elided.map(|elided| elided.least)
    }
}

/// Which of these columns goes first, where one can.
fn most_minor(columns: &[Column], shown: &[(usize, usize)]) -> Option<usize> {
    let minor = shown.iter().enumerate().map(|(at, &(i, _))| (columns[i].minor, at));
    minor.filter(|(minor, _)| *minor > 0).max().map(|(_, at)| at)
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
        let least = |shown: &[(usize, usize)]| {
            let cut = |&(i, wide): &(usize, usize)| (i, wide.min(table.columns[i].least().unwrap_or(wide)));
            total(&shown.iter().map(cut).collect::<Vec<_>>())
        };
        while least(&shown) > columns
            && let Some(at) = most_minor(&table.columns, &shown)
        {
            shown.remove(at);
        }
        // Of the texts that may be cut the widest gives way first.
        while total(&shown) > columns {
            let room =
                |&(i, wide): &(usize, usize)| table.columns[i].least().map_or(0, |l| wide.saturating_sub(l));
            let Some(widest) = shown.iter_mut().filter(|one| room(one) > 0).max_by_key(|(_, wide)| *wide)
            else {
                break;
            };
            widest.1 -= 1;
        }
        // A text at the end reads better in lines of its own than in a few columns.
        let is_text = |i: usize| table.columns[i].holds == Holds::Text && table.columns[i].elided.is_none();
        let last = shown.last().is_some_and(|&(i, _)| is_text(i));
        let apart = if last && shown.len() > 1 && total(&shown) > columns { shown.pop() } else { None };
        // Of the others the widest text gives way first.
        while total(&shown) > columns {
            let over = total(&shown) - columns;
            let texts = shown.iter_mut().filter(|(i, _)| is_text(*i));
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
                    let lines = match self.table.columns[i].elided {
                        _ if width(text) <= wide => vec![padded(text, 0)],
                        Some(Elided { keeps_end: true, .. }) => vec![clipped_before(text, wide)],
                        Some(_) => vec![clipped(text, wide)],
                        None => wrapped(text, wide),
                    };
                    Some((i, wide, lines))
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
