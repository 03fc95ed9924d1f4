//! Looking at items one after the other, and telling reports what was found.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use super::{LensAsked, counted, nothing_yet};
use crate::app::failure::{Failure, USAGE};
use crate::app::progress::WorkBar;
use crate::app::query::context::{QueryContext, Stop};
use crate::app::running::Running;
use crate::engine::EngineError;
use crate::lens::look;
use crate::lens::{Lens, subject::Given};
use crate::query::QueryError;
use crate::report::lens::batch::{LensReport, LensRow, LensRun};
use crate::report::output::is_closed_pipe;
use crate::say;

/// Items in their views, and where what is found goes.
pub(super) struct LensSession<'a> {
    asked: &'a [LensAsked],
    /// Whether one prompt was given, and no file of them.
    alone: bool,
    reports: Vec<Box<dyn LensReport>>,
    found: usize,
    refused: usize,
    /// What a model has not, said once.
    said: BTreeSet<String>,
    /// Whether Ctrl-C ended it.
    stopped: bool,
}

impl<'a> LensSession<'a> {
    pub fn new(asked: &'a [LensAsked], alone: bool, reports: Vec<Box<dyn LensReport>>) -> LensSession<'a> {
        LensSession { asked, alone, reports, found: 0, refused: 0, said: BTreeSet::new(), stopped: false }
    }

    pub fn run(mut self, query: &mut QueryContext) -> Result<(), Stop> {
        let ended = query.ask_each(
            false,
            |query, running| {
                if self.stopped { Ok(()) } else { self.model(query, running) }
            },
        );
        // Reports keep what was found, whatever ended it.
        if self.found + self.refused > 0 || ended.is_ok() {
            let partial = self.stopped || ended.is_err();
            let finished = self.reports.iter_mut().map(|report| report.finish(partial));
            finished.fold(Ok(()), Result::and).map_err(unwritten)?;
        }
        ended?;
        match (self.stopped, self.refused) {
            (true, _) => Err(Stop::Interrupted),
            (false, 0) => Ok(()),
            (false, refused) => {
                let all = refused + self.found;
                let message = format!("{refused} of {all} have no figures, as said above");
                Err(Failure { message, code: USAGE }.into())
            }
        }
    }

    /// Asks one model about all items.
    fn model(&mut self, query: &QueryContext, running: &mut Running) -> Result<(), Stop> {
        let (model, origin, asked) = (Arc::clone(&running.model), running.origin.clone(), self.asked);
        let run = LensRun { origin: &origin, vocab: &model.vocab, k: query.settings.k };
        self.tell(|report| report.begin(run))?;
        let bar = WorkBar::new("looking", "items", asked.len(), query.settings.quiet || self.alone);
        for (index, asked) in asked.iter().enumerate() {
            for (view, looking) in &asked.views {
                let wish = asked.wish(looking);
                let lens = match self.alone {
                    true => counted(query, running, &wish),
                    false => look(&mut query.asker(running), &wish),
                };
                let (place, input, prompt) = (asked.item.place.as_str(), &asked.item.input, asked.prompt());
                bar.aside(|| self.seen(run, LensRow { index, place, input, prompt, view: *view }, lens))?;
                if self.stopped {
                    return Ok(());
                }
            }
            bar.advance();
        }
        Ok(())
    }

    fn tell(&mut self, what: impl FnMut(&mut Box<dyn LensReport>) -> io::Result<()>) -> Result<(), Stop> {
        self.reports.iter_mut().try_for_each(what).map_err(unwritten)
    }

    fn seen(&mut self, run: LensRun, row: LensRow, lens: Result<Lens, QueryError>) -> Result<(), Stop> {
        let error = match lens {
            Ok(lens) => {
                self.found += 1;
                self.stopped |= lens.partial;
                return self.tell(|report| report.seen(run, row, Ok(&lens)));
            }
            Err(QueryError::Stopped) => {
                say::tell(&nothing_yet(row.place, row.view));
                self.stopped = true;
                return Ok(());
            }
            Err(error) if self.is_fatal(&error) => return Err(error.into()),
            Err(error) => error,
        };
        let (message, view) = (error.to_string(), row.view.name());
        let of_model = matches!(error, QueryError::Engine(EngineError::NoPart { .. }));
        if !of_model || self.said.insert(format!("{view}: {message}")) {
            let place = if row.place.is_empty() { String::new() } else { format!("{}: ", row.place) };
            say::tell(&format!("{place}{view}: {message}"));
        }
        self.refused += 1;
        self.tell(|report| report.seen(run, row, Err(&message)))
    }

    /// Whether nothing else could be had after it either.
    fn is_fatal(&self, error: &QueryError) -> bool {
        if self.alone && self.asked.iter().all(|asked| asked.views.len() == 1) {
            return true;
        }
        match error {
            QueryError::Engine(error) => !matches!(
                error,
                EngineError::NoPart { .. } | EngineError::TooLong { .. } | EngineError::Empty
            ),
            QueryError::Text(_) | QueryError::Stopped => true,
            QueryError::Chat(_) | QueryError::Refused(_) => false,
        }
    }
}

impl LensAsked {
    fn prompt(&self) -> &[u8] {
        match &self.given {
            Given::Text(text) => text,
            Given::Chat(_) | Given::Step { .. } => &[],
        }
    }
}

fn unwritten(error: io::Error) -> Stop {
    match is_closed_pipe(&error) {
        true => Stop::Output(error),
        false => Failure::usage(format!("a report can't be written: {error}")).into(),
    }
}
