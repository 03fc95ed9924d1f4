//! What a run is compared with: the models that ran beside it, and an earlier run.

use std::path::Path;

use crate::bench::PATIENCE;
use crate::engine::{
    CancelFlag, Client, Command, CrossEntropy, EngineError, Event, FinishReason, LoadOptions, Sequence,
};
use crate::probe::compare::{Comparison, Divergence};
use crate::probe::error::InputError;
use crate::probe::item::Suite;
use crate::probe::outcome::{ItemOutcome, RunOutcome, SuiteOutcome};
use crate::report::probe::results::{self, Results};

/// Tokens at which distributions are compared: enough for a narrow interval, few enough not to take
/// longer than the run.
pub(super) const MOST_TOKENS: usize = 2048;

/// An earlier run that this one must not fall behind.
pub(super) struct Baseline {
    file: String,
    runs: Vec<RunOutcome>,
    /// The weights each was computed with.
    weights: Vec<String>,
    tolerance: f64,
}

impl Baseline {
    /// Reads one.
    ///
    /// # Errors
    /// A file that can't be read, or that has no item of these suites.
    pub(super) fn read(path: &Path, tolerance: f64, suites: &[Suite]) -> Result<Baseline, InputError> {
        let (mut runs, mut weights): (Vec<RunOutcome>, Vec<String>) = Default::default();
        for results in results::read(path)? {
            if runs.iter().all(|run| run.model != results.origin.model) {
                weights.push(results.origin.provenance.weights.clone());
            }
            add(&mut runs, results);
        }
        let file = path.display().to_string();
        if !runs.iter().flat_map(|run| &run.suites).any(|known| has_item_of(known, suites)) {
            let reason = "no item of these suites is in these results, with the prompt it has now";
            return Err(InputError::new(file, reason.to_string()));
        }
        Ok(Baseline { file, runs, weights, tolerance })
    }

    /// Compares a run with the same model's earlier one, or with the first where that model was not in
    /// it; `None` where they have nothing in common. Other weights are named.
    pub(super) fn compare(&self, now: &RunOutcome, weights: &str) -> Option<Comparison> {
        let same = self.runs.iter().position(|run| run.model == now.model).unwrap_or_default();
        let (before, earlier) = self.runs.get(same).zip(self.weights.get(same))?;
        let mut comparison = Comparison::with_baseline(before, now, self.tolerance);
        comparison.first = format!("{} in {}", before.model, self.file);
        if earlier != weights {
            comparison.first.push_str(&format!(" (weights {earlier})"));
        }
        Some(comparison).filter(|comparison| comparison.items() > 0)
    }

    /// What to say where the figures are of other weights than the earlier ones.
    pub(super) fn other_weights(&self, now: &RunOutcome, weights: &str) -> Option<String> {
        let same = self.runs.iter().position(|run| run.model == now.model)?;
        let earlier = self.weights.get(same).filter(|earlier| *earlier != weights)?;
        Some(format!(
            "{}: {} was computed with weights {earlier} there and with {weights} now: differences may come from that; --weights {earlier} compares like with like",
            self.file, now.model
        ))
    }

    /// What to say where no run has anything in common with it.
    pub(super) fn unlike(&self) -> String {
        format!("{}: nothing in these results can be compared with this run", self.file)
    }
}

fn add(runs: &mut Vec<RunOutcome>, results: Results) {
    let model = results.origin.model;
    let place = runs.iter().position(|run| run.model == model).unwrap_or_else(|| {
        runs.push(RunOutcome { model, ..RunOutcome::default() });
        runs.len() - 1
    });
    let suites = &mut runs[place].suites;
    for item in results.items {
        match suites.iter_mut().find(|suite| suite.name == item.suite) {
            Some(suite) => suite.items.push(item),
            None => suites.push(SuiteOutcome {
                name: item.suite.clone(),
                items: vec![item],
                ..SuiteOutcome::default()
            }),
        }
    }
}

fn has_item_of(known: &SuiteOutcome, suites: &[Suite]) -> bool {
    let now = suites.iter().filter(|suite| suite.name == known.name).flat_map(|suite| &suite.items);
    let earlier: std::collections::HashMap<&str, &ItemOutcome> =
        known.items.iter().map(|item| (item.id.as_str(), item)).collect();
    now.into_iter().any(|item| earlier.get(item.id.as_str()).is_some_and(|old| old.prompt == item.prompt()))
}

/// How far a model's distributions are from the first one's; `None` where their tokens are not the same,
/// or nothing was compared.
pub(super) fn divergence(
    first: &LoadOptions,
    other: &LoadOptions,
    sequences: &[Sequence],
    cancel: &CancelFlag,
) -> Result<Option<Divergence>, EngineError> {
    // A server gives no whole distributions to compare.
    if sequences.is_empty() || !first.is_here() || !other.is_here() {
        return Ok(None);
    }
    let request = Command::CrossEntropy(CrossEntropy {
        reference: first.clone(),
        sequences: sequences.to_vec(),
        divergence: true,
        cancel: cancel.clone(),
    });
    let mut values = Vec::new();
    let (mut client, _) = Client::load(other.clone(), |_| {})?;
    let ended = client.run(request, |event| {
        if let Event::CrossEntropy { values: some, .. } = event {
            values.push(some.into_iter().map(f64::from).collect());
        }
    });
    client.shut_down(PATIENCE);
    match ended.map(|(reason, _)| reason) {
        Err(EngineError::Vocabulary { .. }) => Ok(None),
        Ok(FinishReason::Cancelled) => Err(EngineError::LoadCancelled),
        Ok(_) => Ok(Divergence::of(&values)),
        Err(error) => Err(error),
    }
}
