//! The logit lens: the model's own norm and head on the residual stream after each layer.

use super::floor;
use super::inspect::inspect;
use super::rest::{jobs, scored, total};
use super::subject::Subject;
use crate::engine::look::{Found, LookFor, Reading};
use crate::query::{Asker, QueryError};
use crate::step::Candidate;

/// What each layer says.
#[derive(Clone, Debug)]
pub struct Layers {
    /// From the first layer to the last.
    pub layers: Vec<Reading>,
    /// ln p of the target as the chat and the scorer have it, whose attention is computed in another way; not
    /// a number with an edge of attention off.
    pub chat_logprob: f64,
    /// The largest difference of log p between the last of them and the model's own distribution, among
    /// the candidates: 0, or what kernels round.
    pub last_row_difference: f64,
}

impl Layers {
    /// The target in a layer.
    pub fn target(reading: &Reading) -> Option<&Candidate> {
        reading.named.first()
    }

    /// The first layer from which on the target is the first choice, up to the last.
    pub fn decided(&self) -> Option<usize> {
        let first = |reading: &&Reading| Layers::target(reading).is_some_and(|target| target.rank == 1);
        let count = self.layers.iter().rev().take_while(first).count();
        (count > 0).then(|| self.layers.len() - count)
    }
}

/// Looks at every layer, at the last position. The last value says whether it came to its end.
pub(super) fn layers(asker: &mut Asker, subject: &Subject) -> Result<(f64, Layers, bool), QueryError> {
    let named = subject.single("the logit lens")?;
    let ids = subject.ids();
    let mut readings = Vec::new();
    let mut keep = |_, found| {
        if let Found::Reading(reading) = found {
            readings.push(reading);
        }
    };
    if !inspect(asker, (&ids, &named), LookFor::Layers { copies: true }, &mut keep)? {
        return Err(QueryError::Stopped);
    }
    let layers = asker.model.layers.min(readings.len());
    let mut copies = readings.split_off(layers).into_iter();
    let Some(real) = copies.next() else { return Err(QueryError::Stopped) };
    let own = logprob(&real);
    let (copies, has_all) = match copies.len() {
        0 => copies_of_scorer(asker, subject)?,
        _ => (copies.map(|copy| logprob(&copy)).collect(), true),
    };
    let floor = floor::floor(&asker.model, copies.into_iter().map(|copy| copy - own));
    // The scorer shares what sequences share, and knows no edge of one.
    let knows = has_all && !asker.client.in_force().has_edge();
    let chat = if knows { scored(asker, &jobs(subject, &ids)[..1])?.jobs.pop().flatten() } else { None };
    let last_row_difference = readings.last().map_or(0.0, |last| difference(last, &real));
    let chat_logprob = chat.as_deref().map_or(f64::NAN, total);
    let done = chat.is_some() || has_all && !knows;
    Ok((floor, Layers { layers: readings, chat_logprob, last_row_difference }, done))
}

/// The target's.
fn logprob(reading: &Reading) -> f64 {
    Layers::target(reading).map_or(f64::NAN, |target| f64::from(target.logprob))
}

/// The target's log p in unchanged copies, in batches of other sizes, and whether all of them are there: where
/// positions are no cells that could be shared, the scorer computes them.
fn copies_of_scorer(asker: &mut Asker, subject: &Subject) -> Result<(Vec<f64>, bool), QueryError> {
    let job = jobs(subject, &subject.ids()).remove(0);
    let (mut copies, mut done) = (Vec::new(), true);
    for count in [1, 3] {
        let found = scored(asker, &vec![job.clone(); count])?;
        copies.extend(found.jobs.iter().flatten().map(|steps| total(steps)));
        done &= found.done;
    }
    Ok((copies, done))
}

fn difference(a: &Reading, b: &Reading) -> f64 {
    let of = |id| b.prediction.top_logprobs.iter().find(|other| other.id == id);
    let both = a.prediction.top_logprobs.iter().filter_map(|one| Some((one, of(one.id)?)));
    let named = a.named.iter().zip(&b.named);
    both.chain(named).map(|(a, b)| f64::from((a.logprob - b.logprob).abs())).fold(0.0, f64::max)
}
