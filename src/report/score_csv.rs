//! Scored texts as CSV: the unit is in the name of a column, a missing value is `NA`. Text is written as it
//! is, except to a terminal, which would act on its control characters, and where a spreadsheet would run
//! it (see [`super::cell`]).

use std::io::{self, Write};

use super::cell::{cell, io_error};
use super::record::Bounds;
use super::score::{PartKind, PartRecord};
use super::unit::Unit;
use crate::query::text::JoinedToken;
use crate::score::NO_CONTEXT;
use crate::step::Step;
use crate::token::{Vocab, printable};

/// What stands for a missing value.
const MISSING: &str = "NA";
/// Goes before a column's name where the input has a column of that name.
const OURS: &str = "tokenscope_";

/// A CSV file of scores; a row may begin with the input's own columns.
pub struct Csv<W: Write> {
    out: csv::Writer<W>,
    unit: Unit,
    /// Whether a terminal reads it.
    terminal: bool,
}

impl<W: Write> Csv<W> {
    /// A file in this unit.
    pub fn new(out: W, unit: Unit, terminal: bool) -> Csv<W> {
        Csv { out: csv::Writer::from_writer(out), unit, terminal }
    }

    fn write(&mut self, input: &[&str], own: impl IntoIterator<Item = String>) -> io::Result<()> {
        let row = input.iter().map(|value| value.to_string()).chain(own);
        let row = row.map(|value| cell(&value).into_owned());
        let terminal = self.terminal;
        let row = row.map(|value| if terminal { printable(&value) } else { value });
        self.out.write_record(row).map_err(io_error)
    }

    /// The head of a file of tokens.
    ///
    /// # Errors
    /// Those of the writer, as everywhere here.
    pub fn token_head(&mut self) -> io::Result<()> {
        self.head(&[], &["index", "token", "id", "start", "end", "surprisal_", "rank", "entropy_", "note"])
    }

    /// The head of a file of words, lines, smallest parts or regions, after the input's columns.
    pub fn part_head(&mut self, kind: PartKind, input: &[&str]) -> io::Result<()> {
        let figures = ["surprisal_sum_", "surprisal_corrected_", "entropy_", "note"];
        self.head(input, &[&["index", kind.name(), "start", "end"], &figures[..]].concat())
    }

    fn head(&mut self, input: &[&str], own: &[&str]) -> io::Result<()> {
        let own: Vec<String> = own
            .iter()
            .map(|name| {
                let unit = if name.ends_with('_') { self.unit.name() } else { "" };
                let name = format!("{name}{unit}");
                if input.contains(&name.as_str()) { format!("{OURS}{name}") } else { name }
            })
            .collect();
        self.write(input, own)
    }

    pub fn token(&mut self, index: usize, step: &Step, piece: &JoinedToken, vocab: &Vocab) -> io::Result<()> {
        let note = if step.stats.is_none() { NO_CONTEXT } else { "" };
        let stats = step.stats.as_ref();
        let bounds = Bounds::of(stats.into_iter().flat_map(|stats| {
            [("rank", stats.rank.map(f64::from)), ("entropy", stats.prediction.entropy.map(f64::from))]
        }));
        let place = |at: Option<usize>| at.map_or(MISSING.to_string(), |at| at.to_string());
        let own = [
            index.to_string(),
            vocab.text(step.id),
            step.id.to_string(),
            place(piece.span.as_ref().map(|span| span.start)),
            place(piece.span.as_ref().map(|span| span.end)),
            self.value(stats.map(|stats| stats.surprisal())),
            stats.and_then(|stats| stats.rank.exact()).map_or(MISSING.to_string(), |rank| rank.to_string()),
            self.value(stats.and_then(|stats| stats.prediction.entropy.exact()).map(f64::from)),
            self.note(note, &bounds),
        ];
        self.write(&[], own)
    }

    /// Stands where a text has nothing to list.
    pub fn nothing(&mut self, input: &[&str], note: &str) -> io::Result<()> {
        let missing = std::iter::repeat_n(MISSING.to_string(), 7);
        self.write(input, missing.chain([note.to_string()]))
    }

    /// A word, a line, a smallest part or a region.
    pub fn part(&mut self, input: &[&str], part: &PartRecord) -> io::Result<()> {
        let own = [
            part.index.to_string(),
            part.text().to_string(),
            part.start.to_string(),
            part.end.to_string(),
            self.value(part.surprisal_sum),
            self.value(part.surprisal_corrected.flatten()),
            self.value(part.entropy.map(f64::from)),
            self.note(part.note.as_deref().unwrap_or_default(), &part.bounds),
        ];
        self.write(input, own)
    }

    /// Writes out what is buffered.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// A note, and what is known of figures that are missing because they are not known better.
    fn note(&self, note: &str, bounds: &Bounds) -> String {
        let bounds = bounds.iter().map(|(name, [low, high])| match name {
            "entropy" => format!("entropy_{} {}–{}", self.unit.name(), self.unit.of(low), self.unit.of(high)),
            _ => format!("{name} {low}–{high}"),
        });
        let parts = std::iter::once(note.to_string()).filter(|note| !note.is_empty());
        parts.chain(bounds).collect::<Vec<_>>().join("; ")
    }

    fn value(&self, nats: Option<f64>) -> String {
        let finite = nats.filter(|value| value.is_finite());
        finite.map_or(MISSING.to_string(), |value| self.unit.of(value).to_string())
    }
}

#[cfg(test)]
mod tests;
