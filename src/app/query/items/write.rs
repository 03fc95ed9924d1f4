//! The scores of many texts as CSV, JSON Lines or tables.

use std::io::{self, IsTerminal, Write};
use std::ops::Range;

use serde::Serialize;
use serde_json::{Map, Value};

use super::ItemsRun;
use crate::app::query::sheet::io_error;
use crate::cli::{By, Format};
use crate::report::output::json_line;
use crate::report::record::{Origin, Streamed};
use crate::report::score::{RegionRecord, WordRecord};
use crate::report::score_csv::Csv;
use crate::report::score_table::ScoreLook;
use crate::token::{text_of, visible};

/// Stands where a text has nothing to score.
const EMPTY: &str = "empty text";
/// Stands where a text is white space.
const NO_WORD: &str = "no word";

/// What is made of one text.
pub(super) enum FoundItems {
    Words(Vec<WordRecord>),
    Regions(Vec<RegionRecord>),
}

/// A text in JSON Lines.
#[derive(Serialize)]
struct ItemRecord<'a> {
    index: usize,
    input: Map<String, Value>,
    text: String,
    boundary: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<&'a [WordRecord]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    regions: Option<&'a [RegionRecord]>,
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
        let part = self.run.part();
        match &mut self.out {
            ItemsOutput::Csv(csv) => match part {
                Some(name) => csv.region_head(name, &columns).map_err(io_error),
                None => csv.word_head(&columns).map_err(io_error),
            },
            ItemsOutput::Other(_) => Ok(()),
        }
    }

    /// Writes what was found of a text.
    pub fn item(&mut self, index: usize, found: &FoundItems) -> io::Result<()> {
        let row: Vec<&str> = self.run.items.rows[index].iter().collect();
        match &mut self.out {
            ItemsOutput::Csv(csv) => match found {
                FoundItems::Words(words) if words.is_empty() => csv.nothing(&row, NO_WORD),
                FoundItems::Words(words) => words.iter().try_for_each(|word| csv.word(&row, word)),
                FoundItems::Regions(regions) => {
                    regions.iter().try_for_each(|region| csv.region(&row, region))
                }
            }
            .map_err(io_error),
            ItemsOutput::Other(out) if self.run.format == Format::Json => {
                let origin = (index == 0).then_some(self.origin);
                let record = self.run.record(index, found);
                json_line(out, &Streamed { kind: "item", message: None, origin, record })
            }
            ItemsOutput::Other(out) => {
                writeln!(out, "{}: {}", index + 1, visible(&self.run.items.texts[index].bytes))?;
                match found {
                    FoundItems::Words(words) => self.look.words(out, words),
                    FoundItems::Regions(regions) => {
                        self.look.regions(out, self.run.part().unwrap_or_default(), regions)
                    }
                }
            }
        }
    }

    /// Writes what stands for texts without a token.
    pub fn nothing(&mut self, indices: Range<usize>) -> io::Result<()> {
        for index in indices {
            let row: Vec<&str> = self.run.items.rows[index].iter().collect();
            match &mut self.out {
                ItemsOutput::Csv(csv) => csv.nothing(&row, EMPTY).map_err(io_error)?,
                ItemsOutput::Other(_) => self.item(index, &FoundItems::Words(Vec::new()))?,
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
    fn record<'a>(&self, index: usize, found: &'a FoundItems) -> ItemRecord<'a> {
        let columns = self.items.columns.iter().cloned();
        let values = self.items.rows[index].iter().map(|value| Value::from(value.to_string()));
        let (words, regions) = match found {
            FoundItems::Words(words) => (Some(words.as_slice()), None),
            FoundItems::Regions(regions) => (None, Some(regions.as_slice())),
        };
        ItemRecord {
            index,
            input: columns.zip(values).collect(),
            text: text_of(&self.items.texts[index].bytes),
            boundary: self.args.boundary.name(),
            words,
            regions,
        }
    }

    /// What the column of a row's part is called, where rows are not words.
    fn part(&self) -> Option<&'static str> {
        match self.by() {
            _ if self.args.regions.is_some() => Some("region"),
            By::Char => Some("part"),
            By::Line => Some("line"),
            By::Token | By::Word => None,
        }
    }
}
