//! Lenses as CSV: a row for each figure of each item and view, with the item's own columns before it. The unit
//! is in the name of a column; a missing value is `NA`.
//!
//! With several views the columns are those of all of them. Text is written as it is, except to a terminal, and
//! where a spreadsheet would run it (see [`cell`]).

use std::io;

use indexmap::IndexSet;
use serde_json::Value;

use super::rows::{MISSING, columns, rows};
use super::told::{LensBatch, LensReport, LensRow, LensRun};
use crate::lens::Lens;
use crate::lens::subject::Goal;
use crate::report::cell::{cell, io_error};
use crate::report::out::ReportOutput;
use crate::token::printable;

/// Goes before a column's name where the input has a column of that name.
const OURS: &str = "tokenscope_";
/// Of every row, before and behind the input's columns.
const BEFORE: [&str; 3] = ["model", "index", "view"];
const BEHIND: [&str; 5] = ["target_text", "versus_text", "floor_nat", "partial", "error"];
/// Where the numbers come from.
const ORIGIN: [&str; 4] = ["weights", "sha256", "interventions", "version"];

/// Writes rows as they come.
pub(super) struct LensCsv {
    out: ReportOutput,
    inputs: Vec<String>,
    /// The views' columns.
    own: IndexSet<&'static str>,
    begun: bool,
}

impl LensCsv {
    pub fn new(out: ReportOutput, batch: &LensBatch) -> LensCsv {
        let own = batch.views.iter().flat_map(|view| columns(*view)).copied().collect();
        LensCsv { out, inputs: batch.columns.clone(), own, begun: false }
    }

    fn write(&mut self, rows: impl IntoIterator<Item = Vec<String>>) -> io::Result<()> {
        let terminal = self.out.is_terminal();
        let mut writer = csv::Writer::from_writer(&mut self.out);
        for row in rows {
            let shown = row.iter().map(|text| match terminal {
                true => printable(&cell(text)),
                false => cell(text).into_owned(),
            });
            writer.write_record(shown).map_err(io_error)?;
        }
        writer.flush()
    }
}

impl LensReport for LensCsv {
    fn begin(&mut self, _: LensRun) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        let ours = |name: &&str| match self.inputs.iter().any(|input| input == name) {
            true => format!("{OURS}{name}"),
            false => name.to_string(),
        };
        let behind = BEHIND.iter().chain(&self.own).chain(&ORIGIN).map(ours);
        let head = BEFORE.iter().map(ours).chain(self.inputs.iter().cloned()).chain(behind).collect();
        self.write([head])
    }

    fn seen(&mut self, run: LensRun, row: LensRow, found: Result<&Lens, &str>) -> io::Result<()> {
        let before = [run.origin.model.clone(), row.index.to_string(), row.view.name().to_string()];
        let inputs: Vec<String> = self.inputs.iter().map(|name| text(row.input.get(name))).collect();
        let missing = || MISSING.to_string();
        let subject = found.ok().map(|lens| &lens.subject);
        let goal = |goal: Option<&Goal>| goal.map_or_else(missing, Goal::shown);
        let behind = [
            goal(subject.map(|subject| &subject.target)),
            goal(subject.and_then(|subject| subject.versus.as_ref())),
            found.ok().and_then(|lens| lens.floor).map_or_else(missing, |floor| floor.to_string()),
            found.map_or_else(|_| missing(), |lens| lens.partial.to_string()),
            found.err().map_or_else(missing, str::to_string),
        ];
        let p = &run.origin.provenance;
        let changed = Some(p.interventions.join(", ")).filter(|all| !all.is_empty());
        let origin = [
            p.weights.clone(),
            p.sha256.clone().unwrap_or_else(missing),
            changed.unwrap_or_else(missing),
            p.version.to_string(),
        ];
        let of_view = columns(row.view);
        let places: Vec<Option<usize>> =
            self.own.iter().map(|name| of_view.iter().position(|of| of == name)).collect();
        // An item that gave nothing has a row that says why.
        let figures = found.map_or_else(|_| vec![Vec::new()], |lens| rows(lens, run.vocab));
        let whole = figures.into_iter().map(|figures| {
            let own = places.iter().map(|place| place.and_then(|at| figures.get(at).cloned()));
            let own: Vec<String> = own.map(|value| value.unwrap_or_else(missing)).collect();
            before.iter().chain(&inputs).chain(&behind).chain(&own).chain(&origin).cloned().collect()
        });
        let whole: Vec<Vec<String>> = whole.collect();
        self.write(whole)
    }

    fn finish(&mut self, _: bool) -> io::Result<()> {
        self.out.keep()
    }
}

/// A value as it was written.
fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
