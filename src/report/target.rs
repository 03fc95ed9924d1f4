//! What is to be written and where, as people say it: `KIND` or `KIND=FILE`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::probe::error::meant;
use crate::text::named;

/// The kinds there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// For people, in a terminal.
    Table,
    /// One JSON object a line.
    Jsonl,
    /// Rows for spreadsheets and statistics packages.
    Csv,
    /// For a comment: suites, and what failed.
    Markdown,
    /// For continuous integration: a test case an item.
    Junit,
    /// A page with plots.
    Html,
    /// For people: how often each model is right, over how hard the items are.
    Ladder,
}

named!(ReportKind:
    Table "table", Jsonl "jsonl", Csv "csv", Markdown "markdown", Junit "junit", Html "html", Ladder "ladder",
);

/// What to write and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
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
    /// Reads `KIND` or `KIND=FILE`, where the kind is one of these.
    ///
    /// # Errors
    /// [`ReportError::Unknown`].
    pub fn parse(text: &str, kinds: &[ReportKind]) -> Result<Target, ReportError> {
        let (kind, file) = text.split_once('=').map_or((text, None), |(kind, file)| (kind, Some(file)));
        let found = kinds.iter().copied().find(|known| known.name() == kind);
        let found = found.ok_or_else(|| ReportError::Unknown {
            kind: kind.to_string(),
            hint: meant(kind, kinds.iter().map(|kind| kind.name())),
        })?;
        Ok(Target {
            kind: found,
            file: file.filter(|file| !file.is_empty() && *file != "-").map(PathBuf::from),
        })
    }

    /// The file, whatever way it was named; one that is not there yet by its folder.
    pub fn place(&self) -> Option<PathBuf> {
        let file = self.file.as_ref()?;
        let whole = fs::canonicalize(file).ok().or_else(|| {
            let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
            Some(fs::canonicalize(folder.unwrap_or(Path::new("."))).ok()?.join(file.file_name()?))
        });
        whole.or_else(|| Some(file.clone()))
    }

    /// Opens reports, each by `one`.
    ///
    /// # Errors
    /// [`ReportError`] for two in one place, or a file that can't be written.
    pub fn open<T>(
        targets: &[Target],
        one: impl Fn(&Target) -> io::Result<T>,
    ) -> Result<Vec<T>, ReportError> {
        let places: Vec<Option<PathBuf>> = targets.iter().map(Target::place).collect();
        for (i, place) in places.iter().enumerate() {
            if places[..i].contains(place) {
                let file = targets[i].file.as_ref();
                let name = file.map_or("standard output".to_string(), |file| file.display().to_string());
                return Err(ReportError::Twice(name));
            }
        }
        let open = |target: &Target| {
            one(target).map_err(|source| {
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
}
