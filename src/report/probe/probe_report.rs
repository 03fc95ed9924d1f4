//! What reports of probe runs are told, piece by piece.

use std::io;

use crate::engine::ModelInfo;
use crate::probe::compare::Comparison;
use crate::probe::outcome::{ItemOutcome, RunOutcome, SuiteOutcome};
use crate::report::record::Origin;

/// A model's run, as reports are told of it.
#[derive(Clone, Copy)]
pub struct ReportSubject<'a> {
    /// Where the numbers come from.
    pub origin: &'a Origin,
    /// For the bytes of tokens.
    pub model: &'a ModelInfo,
}

/// Writes what came out, in one form.
pub trait ProbeReport {
    /// A model is about to run.
    ///
    /// # Errors
    /// Those of the writer, here and below.
    fn begin(&mut self, _: ReportSubject) -> io::Result<()> {
        Ok(())
    }

    /// An item is known; items come in file order.
    fn item(&mut self, _: ReportSubject, _: &ItemOutcome) -> io::Result<()> {
        Ok(())
    }

    /// A suite is complete, or the run was stopped in it.
    fn suite(&mut self, _: ReportSubject, _: &SuiteOutcome) -> io::Result<()> {
        Ok(())
    }

    /// Every model has run, or no more will; if all did, `comparisons` has them beside each other and
    /// beside earlier runs. A file that is to appear whole does so.
    fn finish(&mut self, runs: &[RunOutcome], comparisons: &[Comparison]) -> io::Result<()>;
}
