//! What comes next: the distribution after a prompt, and the probability of any text there.

use super::scoring::{Answer, Job, Wanted, score};
use super::text::{Encoder, Joined, TextError};
use super::window::Windowing;
use crate::distribution::Depth;
use crate::engine::{CancelFlag, Client, EngineError, ModelInfo};
use crate::step::{Candidate, Prediction, Step};
use crate::token::TokenId;

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub struct Question<'a> {
    /// The prompt; may be empty where a BOS stands before it.
    pub prompt: &'a [u8],
    /// Texts whose probability is wanted; none is empty.
    pub texts: &'a [&'a [u8]],
    /// Candidates kept.
    pub depth: Depth,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Next {
    /// The prompt's ids, BOS included.
    pub prompt: Vec<TokenId>,
    /// The distribution after it.
    pub prediction: Prediction,
    /// The texts, in the order asked.
    pub texts: Vec<Named>,
}

/// A text and its probability after a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// Its ids, as they follow the prompt.
    pub ids: Vec<TokenId>,
    /// Σ ln p of them, in nats, by the chain rule.
    pub logprob: f64,
    /// The first of them alone.
    pub first: Candidate,
    /// What a person should know.
    pub note: Option<&'static str>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum NextError {
    /// The prompt or a text can't be read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A text without a byte.
    #[error("text {0} is empty: every text is certain to go on with nothing")]
    EmptyText(usize),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

/// Asks the model.
///
/// # Errors
/// [`NextError`]; a prompt and text that do not fit into the context are the engine's.
pub fn ask(
    client: &mut Client,
    model: &ModelInfo,
    encoder: &Encoder,
    question: &Question,
    cancel: &CancelFlag,
) -> Result<Next, NextError> {
    if let Some(empty) = question.texts.iter().position(|text| text.is_empty()) {
        return Err(NextError::EmptyText(empty + 1));
    }
    let prompt = encoder.encode(question.prompt)?;
    if prompt.pieces.is_empty() {
        return Err(EngineError::Empty.into());
    }
    let joined: Vec<Joined> =
        question.texts.iter().map(|text| encoder.join(question.prompt, text)).collect::<Result<_, _>>()?;
    let mut jobs = vec![Job::from(&prompt, prompt.pieces.len())];
    jobs.extend(joined.iter().map(|joined| Job::from(&joined.encoded, joined.from)));
    let room = model.context as usize;
    if let Some(long) = jobs.iter().map(|job| job.ids.len()).find(|&length| length > room) {
        return Err(EngineError::TooLong { needed: long, context: room }.into());
    }
    let wanted = Wanted { depth: question.depth, boundaries: false, after: true, fast: false };
    let mut steps: Vec<Vec<Step>> = vec![Vec::new(); jobs.len()];
    let mut prediction = None;
    let ended =
        score(client, &jobs, (Windowing::new(room, None, 1), wanted), cancel, &mut |answer| match answer {
            Answer::Token { job, step, .. } => steps[job].push(step),
            Answer::End { job: 0, after } => prediction = after,
            Answer::End { .. } => {}
        })?;
    let (Some(prediction), crate::engine::FinishReason::Stop) = (prediction, ended) else {
        return Err(NextError::Interrupted);
    };
    let texts = joined.iter().zip(&steps[1..]).map(|(joined, steps)| named(joined, steps)).collect();
    Ok(Next { prompt: prompt.ids(), prediction: *prediction, texts })
}

fn named(joined: &Joined, steps: &[Step]) -> Named {
    let first = steps.first().and_then(|step| step.stats.as_ref());
    Named {
        ids: joined.continuation(),
        logprob: steps.iter().map(|step| step.logprob().map_or(f64::NAN, f64::from)).sum(),
        first: Candidate {
            id: steps.first().map_or(TokenId(0), |step| step.id),
            logprob: first.map_or(f32::NAN, |stats| stats.logprob),
            rank: first.map_or(0, |stats| stats.rank),
            outcome: None,
        },
        note: joined.note(),
    }
}
