//! A JSON object a line for each item and view, then a summary.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::{Map, Value};

use super::told::{LensBatch, LensReport, LensRow, LensRun};
use crate::lens::Lens;
use crate::report::lens::LensRecord;
use crate::report::out::ReportOutput;
use crate::report::output::json_line;
use crate::report::record::Streamed;

/// An item and a view.
#[derive(Serialize)]
struct LensItemRecord<'a> {
    index: usize,
    /// What stands in its row; left out where there is no file.
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<&'a Map<String, Value>>,
    #[serde(flatten)]
    lens: Option<LensRecord<'a>>,
    #[serde(flatten)]
    refused: Option<RefusedRecord<'a>>,
}

/// A view that could not be had of an item.
#[derive(Serialize)]
struct RefusedRecord<'a> {
    view: &'static str,
    error: &'a str,
}

#[derive(Serialize)]
struct LensSummaryRecord {
    /// Items and views with figures.
    found: usize,
    /// Those without.
    refused: usize,
    /// Whether some are missing because the run was stopped.
    partial: bool,
}

/// Writes them as they come.
pub(super) struct LensJsonl {
    out: ReportOutput,
    alone: bool,
    /// Whether the next record is the first of its model.
    first: bool,
    summary: LensSummaryRecord,
}

impl LensJsonl {
    pub fn new(out: ReportOutput, batch: &LensBatch) -> LensJsonl {
        let summary = LensSummaryRecord { found: 0, refused: 0, partial: false };
        LensJsonl { out, alone: batch.alone, first: true, summary }
    }
}

impl LensReport for LensJsonl {
    fn begin(&mut self, _: LensRun) -> io::Result<()> {
        self.first = true;
        Ok(())
    }

    fn seen(&mut self, run: LensRun, row: LensRow, found: Result<&Lens, &str>) -> io::Result<()> {
        let origin = std::mem::replace(&mut self.first, false).then_some(run.origin);
        let record = LensItemRecord {
            index: row.index,
            input: (!self.alone).then_some(row.input),
            lens: found.ok().map(|lens| LensRecord::new(lens, run.k, run.vocab, None)),
            refused: found.err().map(|error| RefusedRecord { view: row.view.name(), error }),
        };
        match found {
            Ok(_) => self.summary.found += 1,
            Err(_) => self.summary.refused += 1,
        }
        json_line(&mut self.out, &Streamed { kind: "item", message: None, origin, record })?;
        self.out.flush()
    }

    fn finish(&mut self, partial: bool) -> io::Result<()> {
        self.summary.partial = partial;
        let record = &self.summary;
        json_line(&mut self.out, &Streamed { kind: "summary", message: None, origin: None, record })?;
        self.out.keep()
    }
}
