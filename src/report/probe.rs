//! Reports of probe runs: one trait, one implementation for each kind.
//!
//! Results are told as they come, so that a run that is stopped has lost nothing. Reports are opened
//! before a model is loaded: one that can't be written is no surprise at the end.

mod csv;
mod digest;
mod ending;
mod html;
mod jsonl;
mod junit;
mod ladder;
mod markdown;
mod probe_report;
pub mod results;
mod side_by_side;
mod table;

use std::fs;
use std::io;
use std::path::Path;

use super::out::ReportOutput;
use super::target::{ReportError, ReportKind, Target};
use ending::AtEnd;
pub use probe_report::{ProbeReport, ReportSubject};
pub use table::suite;

/// Opens all reports, files included. One that goes to the file which is gone on from keeps what the run
/// puts nothing in the place of.
///
/// # Errors
/// [`ReportError`] for two in one place, or a file that can't be written.
pub fn open(targets: &[Target], resumed: Option<&Path>) -> Result<Vec<Box<dyn ProbeReport>>, ReportError> {
    let resumed = resumed.and_then(|path| fs::canonicalize(path).ok());
    Target::open(targets, |target| {
        let carries = resumed.is_some() && target.place() == resumed;
        open_one(target, carries)
    })
}

fn open_one(target: &Target, carries: bool) -> io::Result<Box<dyn ProbeReport>> {
    let out = match &target.file {
        None => ReportOutput::screen(),
        // What a run can go on from is there while it is made; a part of anything else is no use.
        Some(path) if target.kind == ReportKind::Jsonl => ReportOutput::growing(path)?,
        Some(path) => ReportOutput::whole(path)?,
    };
    Ok(match target.kind {
        ReportKind::Table => Box::new(table::TableReport::new(out)),
        ReportKind::Jsonl => Box::new(jsonl::Jsonl::new(out, carries)),
        ReportKind::Csv => Box::new(AtEnd::new(out, csv::write)),
        ReportKind::Markdown => Box::new(AtEnd::new(out, markdown::write)),
        ReportKind::Junit => Box::new(AtEnd::new(out, junit::write)),
        ReportKind::Html => Box::new(AtEnd::new(out, html::write)),
        ReportKind::Ladder => Box::new(ladder::LadderReport::new(out)),
    })
}

#[cfg(test)]
pub(in crate::report) mod testing;
#[cfg(test)]
mod tests;
