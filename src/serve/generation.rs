//! Prompts continued: their own figures from the scorer, replies side by side.

use std::sync::Arc;

use super::error::ApiError;
use super::reply::ReplyText;
use super::scoring::{ScoredSequence, ToScore};
use super::server::Server;
use super::wanted::GenerationWish;
use super::work::ReplyEvents;
use super::writing::ReplyToWrite;
use crate::engine::replies::ReplyEvent;
use crate::engine::{FinishReason, Sequence};
use crate::step::{Prediction, Step, TokenStats};
use crate::token::{TokenId, Vocab};

/// A prompt and its continuations.
#[derive(Debug)]
pub(super) struct Continued {
    /// The prompt's own figures, where they are wanted.
    pub prompt: Vec<Step>,
    pub replies: Vec<ReplyText>,
}

/// A prompt to continue.
#[derive(Clone, Debug)]
pub(super) struct ToContinue {
    pub ids: Vec<TokenId>,
    /// Most tokens to follow; may be 0.
    pub longest: usize,
}

/// Continues prompts, all at the same time.
pub(super) async fn continued(
    server: &Server,
    prompts: &[ToContinue],
    wanted: &GenerationWish,
    of_prompt: bool,
) -> Result<Vec<Continued>, ApiError> {
    let at_once = of_prompt && is_known_from_scoring(prompts, wanted);
    let writing: Vec<Vec<ReplyEvents>> = prompts
        .iter()
        .map(|prompt| if at_once { Vec::new() } else { begin(server, prompt, wanted) })
        .collect();
    let scored = match of_prompt {
        true => score(server, prompts, wanted, at_once).await?.into_iter().map(Some).collect(),
        false => prompts.iter().map(|_| None).collect::<Vec<_>>(),
    };
    let mut all = Vec::with_capacity(prompts.len());
    for ((prompt, writing), scored) in prompts.iter().zip(writing).zip(scored) {
        let mut replies = Vec::with_capacity(wanted.best_of);
        for events in writing {
            replies.push(written(events, wanted, &server.served.model.vocab).await?);
        }
        let (steps, after) = scored.map_or((Vec::new(), None), |scored| (scored.steps, scored.after));
        while replies.len() < wanted.best_of {
            let after = after.as_deref().filter(|_| prompt.longest > 0);
            replies.push(first_choice(after, wanted, &server.served.model.vocab)?);
        }
        all.push(Continued { prompt: steps, replies: best(replies, wanted.n) });
    }
    Ok(all)
}

/// Whether all that is wanted of the replies is the most probable token after each prompt, which scoring the
/// prompt tells as well.
fn is_known_from_scoring(prompts: &[ToContinue], wanted: &GenerationWish) -> bool {
    let chooses_the_best = wanted.sampling.is_greedy() && wanted.sampling.stages().is_empty();
    chooses_the_best && wanted.named.is_empty() && prompts.iter().all(|prompt| prompt.longest <= 1)
}

/// Begins every continuation of a prompt.
pub(super) fn begin(server: &Server, prompt: &ToContinue, wanted: &GenerationWish) -> Vec<ReplyEvents> {
    if prompt.longest == 0 {
        return Vec::new();
    }
    let writing = |i: usize| ReplyToWrite {
        prompt: prompt.ids.clone(),
        sampling: wanted.sampling_of(i),
        max_tokens: prompt.longest,
        depth: wanted.depth(),
        named: wanted.named.clone(),
    };
    (0..wanted.best_of).map(|i| server.work.write(writing(i))).collect()
}

/// The figures of prompts, with what comes after each if `after`.
pub(super) async fn score(
    server: &Server,
    prompts: &[ToContinue],
    wanted: &GenerationWish,
    after: bool,
) -> Result<Vec<ScoredSequence>, ApiError> {
    let after = after && prompts.iter().any(|prompt| prompt.longest > 0);
    let sequence = |prompt: &ToContinue| Sequence { tokens: prompt.ids.clone(), from: 0 };
    let sequences = prompts.iter().map(sequence).collect();
    server.score(ToScore { sequences, depth: wanted.depth(), after }).await
}

/// Waits for the end of a reply.
async fn written(
    mut events: ReplyEvents,
    wanted: &GenerationWish,
    vocab: &Arc<Vocab>,
) -> Result<ReplyText, ApiError> {
    let mut reply = ReplyText::new(Arc::clone(&wanted.stops), vocab);
    while reply.end().is_none() {
        let event = events.recv().await.ok_or_else(ApiError::stopping)?;
        reply.take(event)?;
    }
    Ok(reply)
}

/// The reply that is the most probable token alone, or nothing at all.
fn first_choice(
    after: Option<&Prediction>,
    wanted: &GenerationWish,
    vocab: &Arc<Vocab>,
) -> Result<ReplyText, ApiError> {
    let mut reply = ReplyText::new(Arc::clone(&wanted.stops), vocab);
    let mut reason = FinishReason::Length;
    if let Some(after) = after
        && let Some(best) = after.top_logprobs.first()
    {
        let stats = TokenStats {
            logprob: best.logprob,
            rank: best.rank.into(),
            outcome: None,
            prediction: after.clone(),
        };
        if vocab.ends_generation(best.id) {
            reason = FinishReason::Stop;
        }
        let step = Arc::new(Step { id: best.id, stats: Some(stats) });
        reply.take(ReplyEvent::Step(step, Vec::new()))?;
    }
    reply.take(ReplyEvent::Ended(reason))?;
    Ok(reply)
}

/// The n most probable by mean ln p, the most probable first; all of them as they are where none is left out.
fn best(mut replies: Vec<ReplyText>, n: usize) -> Vec<ReplyText> {
    if replies.len() > n {
        replies.sort_by(|a, b| b.mean_logprob().total_cmp(&a.mean_logprob()));
        replies.truncate(n);
    }
    replies
}
