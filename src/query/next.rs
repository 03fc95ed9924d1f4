//! What comes next: the distribution after a prompt, and the probability of any text there.

use std::sync::Arc;

use super::scoring::{Scoring, ScoringJob, Wanted, score};
use super::text::Joined;
use super::{Asker, QueryError};
use crate::distribution::Depth;
use crate::engine::{Command, EngineError, Event, FinishReason, Generate};
use crate::intervention::InForce;
use crate::sampling::Sampling;
use crate::step::{AnyToken, Figure, Prediction, Step};
use crate::token::TokenId;

/// A prompt, and texts whose probability after it is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompted {
    /// May be empty where a BOS stands before it.
    pub prompt: Vec<u8>,
    /// None is empty.
    pub texts: Vec<Vec<u8>>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq)]
pub struct NextTokens {
    /// The prompt's ids, BOS included.
    pub prompt: Vec<TokenId>,
    /// The distribution after it.
    pub prediction: Prediction,
    /// The texts, in the order asked.
    pub texts: Vec<NamedText>,
}

/// A text and its probability after what stands before it.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedText {
    /// As it was asked for.
    pub text: Vec<u8>,
    /// Its ids, as they follow there.
    pub ids: Vec<TokenId>,
    /// Σ ln p of them, in nats, by the chain rule.
    pub logprob: f64,
    /// The first of them alone.
    pub first: AnyToken,
    /// What a person should know.
    pub note: Option<&'static str>,
}

/// What comes after a text.
///
/// # Errors
/// [`QueryError`]; a prompt and text that do not fit into the context are the engine's.
pub fn next(asker: &mut Asker, asked: &Prompted) -> Result<NextTokens, QueryError> {
    if let Some(empty) = asked.texts.iter().position(Vec::is_empty) {
        let what = "is empty: every text is certain to go on with nothing";
        return Err(QueryError::Refused(format!("text {} {what}", empty + 1)));
    }
    let model = Arc::clone(&asker.model);
    let encoder = asker.encoder(&model, asker.settings.bos)?;
    let prompt = encoder.encode(&asked.prompt)?;
    if prompt.pieces.is_empty() {
        return Err(EngineError::Empty.into());
    }
    let joined: Vec<Joined> =
        asked.texts.iter().map(|text| encoder.join(&asked.prompt, text)).collect::<Result<_, _>>()?;
    let mut jobs = vec![ScoringJob::from(&prompt, prompt.pieces.len())];
    jobs.extend(joined.iter().map(|joined| ScoringJob::from(&joined.encoded, joined.from)));
    let (prediction, steps) = after(asker, &jobs)?;
    let asked = asked.texts.iter().zip(&joined);
    let texts = asked.zip(&steps[1..]).map(|((text, joined), steps)| named(text, joined, steps)).collect();
    Ok(NextTokens { prompt: prompt.ids(), prediction, texts })
}

/// What comes after exact ids.
///
/// # Errors
/// [`QueryError`].
pub fn after_ids(asker: &mut Asker, ids: &[TokenId]) -> Result<NextTokens, QueryError> {
    let job = ScoringJob { ids: ids.to_vec(), has_bos: false, from: ids.len() };
    let (prediction, _) = after(asker, &[job])?;
    Ok(NextTokens { prompt: ids.to_vec(), prediction, texts: Vec::new() })
}

/// A step that is to be computed again with other things in force.
#[derive(Clone, Debug)]
pub struct StepUnder {
    /// The exact ids up to it.
    pub ids: Vec<TokenId>,
    /// What is in force at each of them.
    pub in_force: InForce,
    /// Candidates kept: as many as in the conversation, whose cache is of no use otherwise.
    pub depth: Depth,
}

/// The last of exact ids as it would have been predicted, on the conversation's own cache.
///
/// # Errors
/// [`QueryError`].
pub fn step_under(asker: &mut Asker, wish: &StepUnder) -> Result<Arc<Step>, QueryError> {
    asker.must_fit(wish.ids.len() + 1)?;
    let request = Generate {
        begun: Vec::new(),
        named: Vec::new(),
        known: wish.ids.len().saturating_sub(1),
        prompt: wish.ids.clone(),
        sampling: Sampling { greedy: true, ..Sampling::default() },
        max_tokens: Some(0),
        depth: wish.depth,
        in_force: wish.in_force.clone(),
        cancel: asker.cancel.clone(),
    };
    let mut last = None;
    asker.client.run(Command::Generate(request), |event| {
        if let Event::Prefill { mut steps, done, total } = event
            && done == total
        {
            last = steps.pop().or(last.take());
        }
    })?;
    last.ok_or(QueryError::Stopped)
}

/// The distribution after the first sequence, and the tokens of all that are asked for.
fn after(asker: &mut Asker, jobs: &[ScoringJob]) -> Result<(Prediction, Vec<Vec<Step>>), QueryError> {
    asker.must_fit(jobs.iter().map(|job| job.ids.len()).max().unwrap_or(0))?;
    let (windowing, depth) = (asker.windowing(), asker.settings.k);
    let wanted = Wanted { windowing, depth, boundaries: false, after: true, fast: false };
    let mut steps: Vec<Vec<Step>> = vec![Vec::new(); jobs.len()];
    let mut prediction = None;
    let ended = score(asker.client, jobs, wanted, &asker.cancel, &mut |event| match event {
        Scoring::Token { job, step, .. } => steps[job].push(step),
        Scoring::End { job: 0, after } => prediction = after,
        Scoring::End { .. } => {}
    })?;
    match (prediction, ended) {
        (Some(prediction), FinishReason::Stop) => Ok((*prediction, steps)),
        _ => Err(QueryError::Stopped),
    }
}

fn named(text: &[u8], joined: &Joined, steps: &[Step]) -> NamedText {
    NamedText { note: joined.note(), ..NamedText::spelled(text, joined.continuation(), steps) }
}

impl NamedText {
    /// A text of these ids, with the figures of each.
    pub(super) fn spelled(text: &[u8], ids: Vec<TokenId>, steps: &[Step]) -> NamedText {
        let first = steps.first().and_then(|step| step.stats.as_ref());
        NamedText {
            text: text.to_vec(),
            ids,
            logprob: steps.iter().map(|step| step.logprob().map_or(f64::NAN, f64::from)).sum(),
            first: AnyToken {
                id: steps.first().map_or(TokenId(0), |step| step.id),
                logprob: first.map_or(f32::NAN, |stats| stats.logprob),
                rank: first.map_or(Figure::NotGiven, |stats| stats.rank),
                outcome: None,
            },
            note: None,
        }
    }
}
