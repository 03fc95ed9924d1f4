//! The figures of one token, as a line has them.

use super::event::{Fate, PinFigures, TokenLine, TopTokens};
use crate::distribution::Depth;
use crate::sampling::Stage;
use crate::sequence::NodeOrigin;
use crate::step::{Candidate, Figure, Prediction, SamplerOutcome, Step, TokenStats};
use crate::token::TokenId;

/// ln p may be above zero by rounding, and not by more.
pub(super) const ROUNDING: f32 = 1e-3;

/// Fewest candidates of a token that are told, where it has them.
const FEWEST: usize = 16;

/// A token with as many of its candidates as are asked for.
pub(super) fn placed(step: &Step, origin: NodeOrigin, depth: Depth) -> TokenLine {
    let bare = TokenLine::bare(step.id, origin);
    let Some(stats) = &step.stats else { return bare };
    let prediction = &stats.prediction;
    let (top, residual) = prediction.shown(prediction.count(depth).max(FEWEST));
    let is_one_of_them = top.iter().any(|candidate| {
        let Candidate { id, logprob, rank, outcome } = *candidate;
        id == step.id && stats.rank == rank.into() && (stats.logprob, stats.outcome) == (logprob, outcome)
    });
    let ranks: Vec<u32> = top.iter().map(|candidate| candidate.rank).collect();
    TokenLine {
        own: (!is_one_of_them).then(|| (finite(stats.logprob), stats.rank, fate(stats.outcome))),
        sums: Some((prediction.entropy, prediction.varentropy, residual)),
        top: TopTokens(
            top.iter().map(|candidate| candidate.id).collect(),
            top.iter().map(|candidate| finite(candidate.logprob)).collect(),
        ),
        ranks: (!ranks.iter().copied().eq(1..=ranks.len() as u32)).then_some(ranks),
        fates: fates(top),
        ..bare
    }
}

/// A fate for each candidate, without the ones at the end that are as the one before them.
fn fates(top: &[Candidate]) -> Vec<Fate> {
    let mut fates: Vec<Fate> = top.iter().map(|candidate| fate(candidate.outcome)).collect();
    while let [.., before, last] = fates.as_slice()
        && before == last
    {
        fates.pop();
    }
    if fates == [Fate::None] { Vec::new() } else { fates }
}

fn fate(outcome: Option<SamplerOutcome>) -> Fate {
    match outcome {
        None => Fate::None,
        Some(SamplerOutcome { prob, dropped_by: None }) => Fate::Kept(prob),
        Some(SamplerOutcome { prob: 0.0, dropped_by: Some(stage) }) => {
            Fate::Dropped(stage.name().to_string())
        }
        Some(SamplerOutcome { prob, dropped_by: Some(stage) }) => Fate::Both(prob, stage.name().to_string()),
    }
}

/// The token of a line, with its figures; or what is wrong with them.
pub(super) fn restored(line: TokenLine, n_vocab: Option<usize>) -> Result<Step, &'static str> {
    let TokenLine { id, own, sums, top, ranks, pins, fates, .. } = line;
    let known = |id: TokenId| id.index() < n_vocab.unwrap_or(DAMAGED_FROM);
    if !known(id) {
        return Err("its id is in no vocabulary of that size");
    }
    let is_wrong = |&(id, logprob, rank): &PinFigures| {
        !known(id) || !is_logprob(logprob) || (rank != Figure::NotGiven && !rank.all(|rank| rank > 0))
    };
    if pins.iter().any(is_wrong) {
        return Err("a pinned token's figures can't be");
    }
    let Some((entropy, varentropy, residual)) = sums else { return Ok(Step { id, stats: None }) };
    let TopTokens(ids, logprobs) = top;
    if ids.len() != logprobs.len() || ranks.as_ref().is_some_and(|ranks| ranks.len() != ids.len()) {
        return Err("its candidates have not as many ids as figures");
    }
    let mut outcome = None;
    let mut fates = fates.into_iter();
    let mut top_logprobs = Vec::with_capacity(ids.len());
    for (i, (id, logprob)) in ids.into_iter().zip(logprobs).enumerate() {
        if let Some(fate) = fates.next() {
            outcome = came_of(&fate)?;
        }
        let rank = ranks.as_ref().map_or(i as u32 + 1, |ranks| ranks[i]);
        if !known(id) || rank == 0 || !is_logprob(logprob) {
            return Err("a candidate's figures can't be");
        }
        top_logprobs.push(Candidate { id, logprob: logprob.unwrap_or(f32::NEG_INFINITY), rank, outcome });
    }
    let own = match own {
        Some((logprob, rank, fate)) => (logprob, rank, came_of(&fate)?),
        None => {
            let own = top_logprobs.iter().find(|candidate| candidate.id == id);
            let own = own.ok_or("it has no ln p of its own")?;
            (finite(own.logprob), own.rank.into(), own.outcome)
        }
    };
    let (logprob, rank, outcome) = own;
    let sums = [entropy.map(f64::from), varentropy.map(f64::from), residual];
    match () {
        () if !is_logprob(logprob) => return Err("its ln p is above 0"),
        () if rank != Figure::NotGiven && !rank.all(|rank| rank > 0) => return Err("its rank is 0"),
        () if sums
            .iter()
            .any(|sum| *sum != Figure::NotGiven && !sum.all(|sum| sum.is_finite() && sum >= 0.0)) =>
        {
            return Err("entropy, varentropy or residual is below 0");
        }
        () => {}
    }
    let prediction = Prediction {
        top_logprobs,
        entropy,
        varentropy,
        residual,
        n_vocab: n_vocab.map_or(0, |n| u32::try_from(n).unwrap_or(u32::MAX)),
        boundary: None,
    };
    let logprob = logprob.unwrap_or(f32::NEG_INFINITY);
    Ok(Step { id, stats: Some(TokenStats { logprob, rank, outcome, prediction }) })
}

/// Larger than any id that a vocabulary has.
const DAMAGED_FROM: usize = 1 << 30;

fn came_of(fate: &Fate) -> Result<Option<SamplerOutcome>, &'static str> {
    let (prob, stage) = match fate {
        Fate::None => return Ok(None),
        Fate::Kept(prob) => (*prob, None),
        Fate::Dropped(stage) => (0.0, Some(stage)),
        Fate::Both(prob, stage) => (*prob, Some(stage)),
    };
    if !is_probability(prob) {
        return Err("what the sampler made of it is no probability");
    }
    let dropped_by = stage.map(|name| Stage::named(name).ok_or("a stage of its sampler is none there is"));
    Ok(Some(SamplerOutcome { prob, dropped_by: dropped_by.transpose()? }))
}

/// As JSON has it: −∞ is null.
pub(super) fn finite(logprob: f32) -> Option<f32> {
    logprob.is_finite().then_some(logprob)
}

/// A distribution of which nothing is given.
pub(super) fn nothing() -> Prediction {
    Prediction {
        top_logprobs: Vec::new(),
        entropy: Figure::NotGiven,
        varentropy: Figure::NotGiven,
        residual: Figure::NotGiven,
        n_vocab: 0,
        boundary: None,
    }
}

/// Whether it can be one, but for rounding.
pub(super) fn is_probability(prob: f32) -> bool {
    (0.0..=1.0 + ROUNDING).contains(&prob)
}

/// Whether it can be one, but for rounding.
pub(super) fn is_logprob(logprob: Option<f32>) -> bool {
    logprob.is_none_or(|logprob| logprob <= ROUNDING)
}
