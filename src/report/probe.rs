//! Reports of probe runs: one trait, one implementation for each kind.
//!
//! Results are told as they come, so that a run that is stopped has lost nothing. Reports are opened
//! before a model is loaded: one that can't be written is no surprise at the end.

mod jsonl;
pub mod results;
mod table;

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use thiserror::Error;

use super::record::Origin;
use crate::engine::ModelInfo;
use crate::probe::error::meant;
use crate::probe::outcome::{ItemOutcome, RunOutcome, SuiteOutcome};
pub use jsonl::{ItemRecord, SuiteRecord};

/// A model's run, as reports are told of it.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Where the numbers come from.
    pub origin: &'a Origin,
    /// For the bytes of tokens.
    pub model: &'a ModelInfo,
}

/// Writes what came out, in one form.
pub trait Report {
    /// An item is known; items come in file order.
    ///
    /// # Errors
    /// Those of the writer, here and below.
    fn item(&mut self, subject: Subject, item: &ItemOutcome) -> io::Result<()>;

    /// A suite is complete, or the run was stopped in it.
    fn suite(&mut self, subject: Subject, suite: &SuiteOutcome) -> io::Result<()>;

    /// Every model has run.
    fn finish(&mut self, runs: &[RunOutcome]) -> io::Result<()>;
}

/// The kinds there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For people, in a terminal.
    Table,
    /// One JSON object a line: items, and a summary of each suite.
    Jsonl,
}

impl Kind {
    const ALL: [Kind; 2] = [Kind::Table, Kind::Jsonl];

    fn name(self) -> &'static str {
        match self {
            Kind::Table => "table",
            Kind::Jsonl => "jsonl",
        }
    }

    fn report(self, out: Box<dyn Write>) -> Box<dyn Report> {
        match self {
            Kind::Table => Box::new(table::Table::new(out)),
            Kind::Jsonl => Box::new(jsonl::Jsonl::new(out)),
        }
    }
}

/// What to write and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The kind.
    pub kind: Kind,
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
    #[error("{path}: the report can't be written: {source}")]
    Unwritable {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl Target {
    /// Reads `KIND` or `KIND=FILE`.
    ///
    /// # Errors
    /// [`ReportError::Unknown`].
    pub fn parse(text: &str) -> Result<Target, ReportError> {
        let (kind, file) = text.split_once('=').map_or((text, None), |(kind, file)| (kind, Some(file)));
        let found = Kind::ALL.into_iter().find(|known| known.name() == kind);
        let found = found.ok_or_else(|| ReportError::Unknown {
            kind: kind.to_string(),
            hint: meant(kind, Kind::ALL.map(Kind::name)),
        })?;
        Ok(Target {
            kind: found,
            file: file.filter(|file| !file.is_empty() && *file != "-").map(PathBuf::from),
        })
    }
}

/// Opens all reports, files included.
///
/// # Errors
/// [`ReportError`] for two in one place, or a file that can't be written.
pub fn open(targets: &[Target]) -> Result<Vec<Box<dyn Report>>, ReportError> {
    for (i, target) in targets.iter().enumerate() {
        if targets[..i].iter().any(|other| other.file == target.file) {
            let place =
                target.file.as_ref().map_or("standard output".to_string(), |file| file.display().to_string());
            return Err(ReportError::Twice(place));
        }
    }
    let open = |target: &Target| -> Result<Box<dyn Report>, ReportError> {
        let out: Box<dyn Write> = match &target.file {
            None => Box::new(BufWriter::new(io::stdout())),
            Some(path) => {
                let file = File::create(path)
                    .map_err(|source| ReportError::Unwritable { path: path.display().to_string(), source })?;
                Box::new(BufWriter::new(file))
            }
        };
        Ok(target.kind.report(out))
    };
    targets.iter().map(open).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_a_kind_and_perhaps_a_file() {
        let target = |text| Target::parse(text).unwrap();
        assert_eq!(target("table"), Target { kind: Kind::Table, file: None });
        assert_eq!(target("jsonl=a=b.jsonl"), Target { kind: Kind::Jsonl, file: Some("a=b.jsonl".into()) });
        assert_eq!(target("jsonl=-").file, None);
        assert_eq!(
            Target::parse("jsnol").unwrap_err().to_string(),
            "there is no report jsnol; did you mean jsonl?"
        );
    }

    #[test]
    fn reports_that_would_mix_or_cant_be_written_are_refused() {
        let error = |texts: &[&str]| {
            let targets: Vec<Target> = texts.iter().map(|text| Target::parse(text).unwrap()).collect();
            open(&targets).err().unwrap().to_string()
        };
        assert!(error(&["table", "jsonl"]).starts_with("two reports go to standard output"));
        assert!(
            error(&["jsonl=nowhere/at/all.jsonl"])
                .starts_with("nowhere/at/all.jsonl: the report can't be written")
        );
    }
}
