//! Reports that are made when every model has run: they show totals first, or are no use in parts.

use std::io;
use std::sync::Arc;

use super::probe_report::{ProbeReport, ReportSubject};
use crate::probe::compare::Comparison;
use crate::probe::outcome::RunOutcome;
use crate::report::out::ReportOutput;
use crate::report::record::Origin;
use crate::token::Vocab;

/// Everything that came out.
pub struct ResultCounts<'a> {
    /// One for each model, in the order they ran.
    pub runs: Vec<ModelResults<'a>>,
    /// Runs beside each other.
    pub comparisons: &'a [Comparison],
    /// Whether something is missing, because the run was stopped or failed.
    pub partial: bool,
}

impl ResultCounts<'_> {
    /// Whether an expectation failed, or something has become worse.
    pub fn failed(&self) -> bool {
        let worse = self.comparisons.iter().any(|comparison| !comparison.regressions.is_empty());
        worse || self.runs.iter().any(|of_model| of_model.run.failed())
    }
}

/// The run of one model.
pub struct ModelResults<'a> {
    /// Where the numbers come from.
    pub origin: &'a Origin,
    /// For the bytes of tokens.
    pub vocab: &'a Vocab,
    /// What came out.
    pub run: &'a RunOutcome,
}

/// Writes results in one form.
pub type Render = fn(&ResultCounts, &mut ReportOutput) -> io::Result<()>;

/// Waits for the end and then renders.
pub struct AtEnd {
    out: ReportOutput,
    render: Render,
    models: Vec<(Origin, Arc<Vocab>)>,
}

impl AtEnd {
    /// A report that goes here.
    pub fn new(out: ReportOutput, render: Render) -> AtEnd {
        AtEnd { out, render, models: Vec::new() }
    }
}

impl ProbeReport for AtEnd {
    fn begin(&mut self, subject: ReportSubject) -> io::Result<()> {
        self.models.push((subject.origin.clone(), Arc::clone(&subject.model.vocab)));
        Ok(())
    }

    fn finish(&mut self, runs: &[RunOutcome], comparisons: &[Comparison]) -> io::Result<()> {
        let of_model =
            self.models.iter().zip(runs).map(|((origin, vocab), run)| ModelResults { origin, vocab, run });
        let partial = runs.iter().any(|run| run.interrupted);
        let results = ResultCounts { runs: of_model.collect(), comparisons, partial };
        (self.render)(&results, &mut self.out)?;
        self.out.keep()
    }
}
