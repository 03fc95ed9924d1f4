//! A suite of probes on the model of the conversation.

use std::io::{self, Write};
use std::sync::Arc;

use super::{AskError, Asker};
use crate::counter::Far;
use crate::probe::load::{self, Selection};
use crate::probe::run::{Completed, ProbeRun, drive};
use crate::report::probe::write_suite;
use crate::token::printable;

/// Columns of a claim: the narrower of two panes holds it.
const PROSE: usize = 46;

impl Asker<'_> {
    /// Runs what has this name, and writes each suite when it is complete; of one that was stopped what is
    /// known, and that it is not all.
    pub(super) fn probe(&mut self, name: &str, out: &mut dyn Write) -> Result<(), AskError> {
        let suites = load::load(&Selection { names: vec![name.to_string()], ..Selection::default() })?;
        for model in suites.iter().filter_map(|suite| suite.model.as_ref()) {
            if *model != self.model.name {
                let (wanted, here) = (printable(model), printable(&self.model.name));
                writeln!(out, "the suite is meant for {wanted}; this is {here}")?;
            }
        }
        let vocab = Arc::clone(&self.model.vocab);
        let model = Arc::clone(&self.model);
        let mut run = ProbeRun::new(suites, model, self.settings.bos, self.cancel.clone(), Vec::new())?;
        let mut written: io::Result<()> = Ok(());
        let far = Arc::clone(&self.far);
        drive(self.client, &mut run, |run, completed| {
            let progress = run.progress();
            far(Far { what: "probing", unit: "answers", done: progress.done, total: progress.total });
            for completed in completed {
                if let (Completed::Suite(suite), true) = (*completed, written.is_ok()) {
                    written = write_suite(out, run.suite(suite), &vocab, PROSE).and_then(|()| out.flush());
                }
            }
            if written.is_err() {
                run.cancel();
            }
        })?;
        written?;
        if let Some(cut) = run.current() {
            write_suite(out, run.conclude(cut), &vocab, PROSE)?;
        }
        let progress = run.progress();
        let outcome = run.into_outcome();
        if outcome.interrupted {
            let items = outcome.suites.iter().map(|suite| suite.items.len()).sum::<usize>();
            let word = if items == 1 { "item" } else { "items" };
            writeln!(
                out,
                "stopped: incomplete, {items} {word} known after {} of {} answers",
                progress.done, progress.total
            )?;
        }
        Ok(())
    }
}
