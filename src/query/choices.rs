//! Which of several continuations a model prefers, by every reduction in use.

use super::scoring::{Answer, Job, Wanted, score};
use super::text::{Encoder, Joined, TextError};
use super::window::Windowing;
use crate::continuation::reduction::{Best, Measured};
use crate::continuation::{Join, after_nothing};
use crate::distribution::Depth;
use crate::engine::{CancelFlag, Client, EngineError, FinishReason, ModelInfo};
use crate::settings::Bos;

/// A context and what could follow it.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison<'a> {
    /// May be empty where a BOS stands before it.
    pub context: &'a [u8],
    /// None is empty.
    pub choices: &'a [&'a [u8]],
    /// How a context longer than the model's is cut.
    pub windowing: Windowing,
    /// The policy; `never` leaves no way to score a choice alone.
    pub bos: Bos,
}

/// A choice and its score.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// Its figures.
    pub measured: Measured,
    /// What a person should know.
    pub notes: Vec<&'static str>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// In the order given.
    pub choices: Vec<Choice>,
    /// The best by each reduction.
    pub best: Best,
    /// Whether anything but a BOS stands before them. Without, the mutual information with it is 0.
    pub has_context: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ChoiceError {
    /// A text can't be read.
    #[error(transparent)]
    Text(#[from] TextError),
    /// A choice without a byte.
    #[error("choice {0} is empty: it has no token to score")]
    EmptyChoice(usize),
    /// Nothing precedes a choice.
    #[error("choice {0} has no context: give one, or --bos always")]
    NoContext(usize),
    /// The engine failed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Ctrl-C.
    #[error("interrupted")]
    Interrupted,
}

/// Asks the model. Each choice is tokenized together with the context; alone, it follows BOS (EOS where
/// there is none), as lm-evaluation-harness has it.
///
/// # Errors
/// [`ChoiceError`].
pub fn compare(
    client: &mut Client,
    model: &ModelInfo,
    encoder: &Encoder,
    asked: &Comparison,
    cancel: &CancelFlag,
) -> Result<Compared, ChoiceError> {
    if let Some(empty) = asked.choices.iter().position(|choice| choice.is_empty()) {
        return Err(ChoiceError::EmptyChoice(empty + 1));
    }
    let joined: Vec<Joined> =
        asked.choices.iter().map(|choice| encoder.join(asked.context, choice)).collect::<Result<_, _>>()?;
    if let Some(bare) = joined.iter().position(|joined| joined.from == 0) {
        return Err(ChoiceError::NoContext(bare + 1));
    }
    let mut jobs: Vec<Job> = joined.iter().map(|joined| Job::from(&joined.encoded, joined.from)).collect();
    if asked.bos != Bos::Never {
        for choice in asked.choices {
            jobs.extend(alone(model, encoder, choice)?);
        }
    }
    let wanted = Wanted { depth: Depth::Count(1), boundaries: false, after: false, fast: false };
    let mut sums = vec![Some(0.0); jobs.len()];
    let mut greedy = vec![true; jobs.len()];
    let ended = score(client, &jobs, (asked.windowing, wanted), cancel, &mut |answer| {
        if let Answer::Token { job, step, .. } = answer {
            let logprob = step.logprob().map(f64::from);
            sums[job] = sums[job].zip(logprob).map(|(sum, logprob)| sum + logprob);
            greedy[job] &= step.stats.is_some_and(|stats| stats.rank == 1);
        }
    })?;
    if ended == FinishReason::Cancelled {
        return Err(ChoiceError::Interrupted);
    }
    let choices: Vec<Choice> = joined
        .iter()
        .enumerate()
        .map(|(i, joined)| Choice {
            measured: Measured {
                sum_logprob: sums[i].unwrap_or(f64::NAN),
                tokens: joined.encoded.pieces.len() - joined.from,
                alone: sums.get(joined_count(asked) + i).copied().flatten(),
                is_greedy: greedy[i],
                ..Measured::of_text(asked.choices[i], Join::Joint)
            },
            notes: joined.note().into_iter().collect(),
        })
        .collect();
    let best = Best::of(choices.iter().map(|choice| &choice.measured), Join::Joint);
    Ok(Compared { choices, best, has_context: !asked.context.is_empty() })
}

fn joined_count(asked: &Comparison) -> usize {
    asked.choices.len()
}

/// A choice after BOS; `None` where the model has neither BOS nor EOS.
fn alone(model: &ModelInfo, encoder: &Encoder, choice: &[u8]) -> Result<Option<Job>, TextError> {
    let joined = after_nothing(encoder.encode(choice)?, &model.vocab);
    Ok(joined.map(|joined| Job::from(&joined.encoded, joined.from)))
}
