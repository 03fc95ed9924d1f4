//! Reports of lenses: one trait, one implementation for each kind. What was found is told as it comes, so that
//! a run that is stopped has lost nothing.

mod csv;
mod figures;
mod html;
mod jsonl;
mod rows;
mod table;
mod told;

use crate::report::out::ReportOutput;
use crate::report::target::{ReportError, ReportKind, Target};
pub use told::{LensBatch, LensReport, LensRow, LensRun};

/// The kinds there are of lenses.
pub const KINDS: [ReportKind; 4] = [ReportKind::Table, ReportKind::Jsonl, ReportKind::Csv, ReportKind::Html];

/// Opens all reports, files included.
///
/// # Errors
/// [`ReportError`] for two in one place, or a file that can't be written.
pub fn open(targets: &[Target], batch: &LensBatch) -> Result<Vec<Box<dyn LensReport>>, ReportError> {
    Target::open(targets, |target| {
        let out = match &target.file {
            None => ReportOutput::screen(),
            Some(path) if target.kind == ReportKind::Jsonl => ReportOutput::growing(path)?,
            Some(path) => ReportOutput::whole(path)?,
        };
        Ok(match target.kind {
            ReportKind::Jsonl => Box::new(jsonl::LensJsonl::new(out, batch)) as Box<dyn LensReport>,
            ReportKind::Csv => Box::new(csv::LensCsv::new(out, batch)),
            ReportKind::Html => Box::new(html::LensPage::new(out)),
            _ => Box::new(table::LensTables::new(out, batch)),
        })
    })
}

#[cfg(test)]
mod tests;
