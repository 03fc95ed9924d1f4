//! The scores of many texts as CSV, JSON Lines or tables.

use std::io::{self, IsTerminal, Write};
use std::ops::Range;

use serde::Serialize;
use serde_json::{Map, Value};

use super::ItemsRun;
use crate::cli::Format;
use crate::report::bars::Paint;
use crate::report::output::json_line;
use crate::report::record::{Origin, Streamed};
use crate::report::score::{PartKind, PartRecord};
use crate::report::score_csv::Csv;
use crate::report::score_table::ScoreLook;
use crate::token::{text_of, visible};

/// Stands where a text has nothing to score.
const EMPTY: &str = "empty text";
/// Stands where a text is white space.
const NO_WORD: &str = "no word";

/// A text in JSON Lines.
#[derive(Serialize)]
struct ItemRecord<'a> {
    index: usize,
    input: Map<String, Value>,
    text: String,
    boundary: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<&'a [PartRecord]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    regions: Option<&'a [PartRecord]>,
}

/// Writes text after text.
pub(super) struct ItemsWriter<'a, W: Write> {
    run: &'a ItemsRun<'a>,
    look: ScoreLook,
    origin: &'a Origin,
    out: ItemsOutput<'a, W>,
}

enum ItemsOutput<'a, W: Write> {
    Csv(Box<Csv<&'a mut W>>),
    Other(&'a mut W),
}

impl<'a, W: Write> ItemsWriter<'a, W> {
    pub fn new(run: &'a ItemsRun<'a>, look: ScoreLook, origin: &'a Origin, out: &'a mut W) -> Self {
        let out = match run.format {
            Format::Csv => ItemsOutput::Csv(Box::new(Csv::new(out, look.unit, io::stdout().is_terminal()))),
            Format::Table | Format::Json => ItemsOutput::Other(out),
        };
        ItemsWriter { run, look, origin, out }
    }

    /// Writes the head.
    pub fn begin(&mut self) -> io::Result<()> {
        let columns: Vec<&str> = self.run.items.columns.iter().map(String::as_str).collect();
        match &mut self.out {
            ItemsOutput::Csv(csv) => csv.part_head(self.run.kind(), &columns),
            ItemsOutput::Other(_) => Ok(()),
        }
    }

    /// Writes what was found of a text.
    pub fn item(&mut self, index: usize, kind: PartKind, found: &[PartRecord]) -> io::Result<()> {
        let row: Vec<&str> = self.run.items.rows[index].iter().collect();
        match &mut self.out {
            ItemsOutput::Csv(csv) if kind == PartKind::Word && found.is_empty() => csv.nothing(&row, NO_WORD),
            ItemsOutput::Csv(csv) => found.iter().try_for_each(|part| csv.part(&row, part)),
            ItemsOutput::Other(out) if self.run.format == Format::Json => {
                let origin = (index == 0).then_some(self.origin);
                let record = self.run.record(index, kind, found);
                json_line(out, &Streamed { kind: "item", message: None, origin, record })
            }
            ItemsOutput::Other(out) => {
                writeln!(out, "{}: {}", index + 1, visible(&self.run.items.texts[index].bytes))?;
                self.look.parts(kind, found).write(out, Paint::default())
            }
        }
    }

    /// Writes what stands for texts without a token.
    pub fn nothing(&mut self, indices: Range<usize>) -> io::Result<()> {
        for index in indices {
            let row: Vec<&str> = self.run.items.rows[index].iter().collect();
            match &mut self.out {
                ItemsOutput::Csv(csv) => csv.nothing(&row, EMPTY)?,
                ItemsOutput::Other(_) => self.item(index, PartKind::Word, &[])?,
            }
        }
        Ok(())
    }

    /// Writes out what is buffered.
    pub fn end(&mut self) -> io::Result<()> {
        match &mut self.out {
            ItemsOutput::Csv(csv) => csv.flush(),
            ItemsOutput::Other(_) => Ok(()),
        }
    }
}

impl ItemsRun<'_> {
    fn record<'a>(&self, index: usize, kind: PartKind, found: &'a [PartRecord]) -> ItemRecord<'a> {
        let columns = self.items.columns.iter().cloned();
        let values = self.items.rows[index].iter().map(|value| Value::from(value.to_string()));
        let is_words = kind == PartKind::Word;
        ItemRecord {
            index,
            input: columns.zip(values).collect(),
            text: text_of(&self.items.texts[index].bytes),
            boundary: self.args.boundary.name(),
            words: is_words.then_some(found),
            regions: (!is_words).then_some(found),
        }
    }
}
