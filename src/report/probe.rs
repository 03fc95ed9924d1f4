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
mod markdown;
mod out;
pub mod results;
mod side_by_side;
mod table;
mod told;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::probe::error::meant;
use ending::AtEnd;
use out::ReportOutput;
pub use table::suite;
pub use told::{ProbeReport, ReportSubject};

/// The kinds there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// For people, in a terminal.
    Table,
    /// One JSON object a line: items, and a summary of each suite.
    Jsonl,
    /// A row an item.
    Csv,
    /// For a comment: suites, and what failed.
    Markdown,
    /// For continuous integration: a test case an item.
    Junit,
    /// A page with plots.
    Html,
}

impl ReportKind {
    const ALL: [ReportKind; 6] = [
        ReportKind::Table,
        ReportKind::Jsonl,
        ReportKind::Csv,
        ReportKind::Markdown,
        ReportKind::Junit,
        ReportKind::Html,
    ];

    fn name(self) -> &'static str {
        match self {
            ReportKind::Table => "table",
            ReportKind::Jsonl => "jsonl",
            ReportKind::Csv => "csv",
            ReportKind::Markdown => "markdown",
            ReportKind::Junit => "junit",
            ReportKind::Html => "html",
        }
    }

    fn open(self, file: Option<&Path>, carries: bool) -> io::Result<Box<dyn ProbeReport>> {
        let out = match file {
            None => ReportOutput::screen(),
            // What a run can go on from is there while it is made; a part of anything else is no use.
            Some(path) if self == ReportKind::Jsonl => ReportOutput::growing(path)?,
            Some(path) => ReportOutput::whole(path)?,
        };
        Ok(match self {
            ReportKind::Table => Box::new(table::TableReport::new(out)),
            ReportKind::Jsonl => Box::new(jsonl::Jsonl::new(out, carries)),
            ReportKind::Csv => Box::new(AtEnd::new(out, csv::write)),
            ReportKind::Markdown => Box::new(AtEnd::new(out, markdown::write)),
            ReportKind::Junit => Box::new(AtEnd::new(out, junit::write)),
            ReportKind::Html => Box::new(AtEnd::new(out, html::write)),
        })
    }
}

/// What to write and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The kind.
    pub kind: ReportKind,
    /// A file; standard output without one.
    pub file: Option<PathBuf>,
}

/// A report that can't be written.
#[derive(Debug, Error)]
pub enum ReportError {
    /// No such kind.
    #[error("there is no report {kind}; {hint}")]
    Unknown {
        /// What was given.
        kind: String,
        /// The nearest, or all.
        hint: String,
    },
    /// Two reports that would mix.
    #[error("two reports go to {0}: give all but one a file, as in --report jsonl=results.jsonl")]
    Twice(String),
    /// A file that can't be written.
    #[error("{path}: the report can't be written: {reason}")]
    Unwritable {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

impl Target {
    /// Reads `KIND` or `KIND=FILE`.
    ///
    /// # Errors
    /// [`ReportError::Unknown`].
    pub fn parse(text: &str) -> Result<Target, ReportError> {
        let (kind, file) = text.split_once('=').map_or((text, None), |(kind, file)| (kind, Some(file)));
        let found = ReportKind::ALL.into_iter().find(|known| known.name() == kind);
        let found = found.ok_or_else(|| ReportError::Unknown {
            kind: kind.to_string(),
            hint: meant(kind, ReportKind::ALL.map(ReportKind::name)),
        })?;
        Ok(Target {
            kind: found,
            file: file.filter(|file| !file.is_empty() && *file != "-").map(PathBuf::from),
        })
    }

    /// The file, whatever way it was named; one that is not there yet by its folder.
    fn place(&self) -> Option<PathBuf> {
        let file = self.file.as_ref()?;
        let whole = fs::canonicalize(file).ok().or_else(|| {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            Some(fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?.join(file.file_name()?))
        });
        whole.or_else(|| Some(file.clone()))
    }
}

/// Opens all reports, files included. One that goes to the file which is gone on from keeps what the run
/// puts nothing in the place of.
///
/// # Errors
/// [`ReportError`] for two in one place, or a file that can't be written.
pub fn open(targets: &[Target], resumed: Option<&Path>) -> Result<Vec<Box<dyn ProbeReport>>, ReportError> {
    let places: Vec<Option<PathBuf>> = targets.iter().map(Target::place).collect();
    for (i, place) in places.iter().enumerate() {
        if places[..i].contains(place) {
            let file = targets[i].file.as_ref();
            let name = file.map_or("standard output".to_string(), |file| file.display().to_string());
            return Err(ReportError::Twice(name));
        }
    }
    let resumed = resumed.and_then(|path| fs::canonicalize(path).ok());
    let open = |target: &Target| {
        let carries = resumed.is_some() && target.place() == resumed;
        target.kind.open(target.file.as_deref(), carries).map_err(|source| {
            let path = target.file.as_ref().map_or(String::new(), |path| path.display().to_string());
            // The kind alone: a file that is made beside it first is nobody's business.
            let reason = match source.kind() {
                io::ErrorKind::NotFound => "there is no such folder".to_string(),
                kind => kind.to_string(),
            };
            ReportError::Unwritable { path, reason }
        })
    };
    targets.iter().map(open).collect()
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
