//! A suite of probes on the model at hand.

use std::sync::Arc;

use super::AnswerPart;
use crate::counter::Far;
use crate::probe::load::{self, Selection};
use crate::probe::outcome::SuiteOutcome;
use crate::probe::run::{Completed, ProbeRun, RunProgress, drive};
use crate::query::{Asker, QueryError};
use crate::token::printable;

/// What came out of some suites.
#[derive(Clone, Debug)]
pub struct Probed {
    /// What is to be known before.
    pub notes: Vec<String>,
    /// As far as they are known; one that was never begun is left out.
    pub suites: Vec<SuiteOutcome>,
    /// How far it was when somebody stopped it.
    pub stopped: Option<RunProgress>,
}

/// Runs what has this name, and tells of each suite when it is complete; of one that was stopped what is
/// known.
pub(super) fn probe(
    asker: &mut Asker,
    name: &str,
    parts: &mut dyn FnMut(AnswerPart),
) -> Result<Probed, QueryError> {
    let wrong = |error: crate::probe::error::InputError| QueryError::Refused(error.to_string());
    let suites = load::load(&Selection {
        names: vec![crate::files::from_home(name.to_string())],
        ..Selection::default()
    })
    .map_err(wrong)?;
    let here = &asker.model.name;
    let meant = suites.iter().filter_map(|suite| suite.model.as_ref()).filter(|&model| model != here);
    let said = |wanted: &String| {
        format!("the suite is meant for {}; this is {}", printable(wanted), printable(here))
    };
    let notes: Vec<String> = crate::bounded::marks().into_iter().chain(meant.map(said)).collect();
    notes.iter().for_each(|note| parts(AnswerPart::Note(note)));
    let (model, cancel) = (Arc::clone(&asker.model), asker.cancel.clone());
    let mut run = ProbeRun::new(suites, model, asker.settings.bos, cancel, Vec::new()).map_err(wrong)?;
    let far = Arc::clone(&asker.far);
    let mut told = 0;
    drive(asker.client, &mut run, |run, completed| {
        let RunProgress { done, total } = run.progress();
        far(Far { what: "probing", unit: "answers", done, total });
        for completed in completed {
            if let Completed::Suite(suite) = *completed {
                parts(AnswerPart::Suite(run.suite(suite)));
                told = suite + 1;
            }
        }
    })?;
    if let Some(cut) = run.current() {
        parts(AnswerPart::Suite(run.conclude(cut)));
        told = cut + 1;
    }
    let progress = run.progress();
    let outcome = run.into_outcome();
    let suites = outcome.suites.into_iter().take(told).collect();
    Ok(Probed { notes, suites, stopped: outcome.interrupted.then_some(progress) })
}
