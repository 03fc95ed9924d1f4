//! Which of several continuations a model prefers, by every reduction in use.

use std::sync::Arc;

use super::scoring::{Scoring, ScoringJob, Wanted, score};
use super::text::{Joined, TextEncoder, TextError};
use super::window::Windowing;
use super::{Asker, QueryError};
use crate::continuation::reduction::{Best, Measured};
use crate::continuation::{Join, after_nothing};
use crate::counter::Far;
use crate::distribution::Depth;
use crate::engine::{FinishReason, ModelInfo};
use crate::settings::Bos;

/// Choices between two words about how far it is.
const TOLD: usize = 100;

/// A context and what could follow it.
#[derive(Clone, Debug, PartialEq)]
pub struct ChoiceComparison {
    /// May be empty where a BOS stands before it.
    pub context: Vec<u8>,
    /// None is empty.
    pub choices: Vec<Vec<u8>>,
    /// How a context longer than the model's is cut.
    pub windowing: Windowing,
    /// The policy; `never` leaves no way to score a choice alone.
    pub bos: Bos,
}

impl ChoiceComparison {
    /// Texts after the beginning they share. Texts that share none follow BOS, so that each of their
    /// tokens has context.
    pub fn of_texts(asker: &Asker, texts: &[String]) -> ChoiceComparison {
        let shared = shared_beginning(texts);
        let context = texts.first().map_or(&[][..], |text| &text.as_bytes()[..shared]);
        ChoiceComparison {
            context: context.to_vec(),
            choices: texts.iter().map(|text| text.as_bytes()[shared..].to_vec()).collect(),
            windowing: asker.windowing(),
            bos: if shared == 0 { Bos::Always } else { asker.settings.bos },
        }
    }
}

/// A choice and its score.
#[derive(Clone, Debug, PartialEq)]
pub struct ScoredChoice {
    /// As it was asked for.
    pub text: Vec<u8>,
    /// Its figures.
    pub measured: Measured,
    /// What a person should know.
    pub notes: Vec<&'static str>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedChoices {
    /// What stands before each. Without a context, the mutual information with it is 0.
    pub context: Vec<u8>,
    /// In the order given.
    pub choices: Vec<ScoredChoice>,
    /// The best by each reduction.
    pub best: Best,
}

/// Asks the model. Each choice is tokenized together with the context; alone, it follows BOS (EOS where
/// there is none), as lm-evaluation-harness has it.
///
/// # Errors
/// [`QueryError`].
pub fn compare(asker: &mut Asker, asked: &ChoiceComparison) -> Result<ComparedChoices, QueryError> {
    if let Some(empty) = asked.choices.iter().position(Vec::is_empty) {
        return Err(QueryError::Refused(format!("choice {} is empty: it has no token to score", empty + 1)));
    }
    let model = Arc::clone(&asker.model);
    let encoder = asker.encoder(&model, asked.bos)?;
    let total = asked.choices.len();
    let far = Arc::clone(&asker.far);
    let tell = |what, done| {
        if done % TOLD == 0 || done == total {
            far(Far { what, unit: "choices", done, total });
        }
    };
    let mut joined: Vec<Joined> = Vec::with_capacity(total);
    for (i, choice) in asked.choices.iter().enumerate() {
        joined.push(encoder.join(&asked.context, choice)?);
        tell("reading", i + 1);
    }
    if let Some(bare) = joined.iter().position(|joined| joined.from == 0) {
        let what = "has no context: give one, or --bos always";
        return Err(QueryError::Refused(format!("choice {} {what}", bare + 1)));
    }
    let mut jobs: Vec<ScoringJob> =
        joined.iter().map(|joined| ScoringJob::from(&joined.encoded, joined.from)).collect();
    if asked.bos != Bos::Never {
        for (i, choice) in asked.choices.iter().enumerate() {
            jobs.extend(alone(&model, &encoder, choice)?);
            tell("reading them alone:", i + 1);
        }
    }
    let (windowing, depth) = (asked.windowing, Depth::Count(1));
    let wanted = Wanted { windowing, depth, boundaries: false, after: false, fast: true };
    let mut sums = vec![Some(0.0); jobs.len()];
    let mut greedy = vec![true; jobs.len()];
    let ended = score(asker.client, &jobs, wanted, &asker.cancel, &mut |event| {
        if let Scoring::End { job, .. } = event {
            // Those that are scored alone come after the others.
            tell(if job < total { "scoring" } else { "scoring alone:" }, job % total + 1);
        }
        if let Scoring::Token { job, step, .. } = event {
            let logprob = step.logprob().map(f64::from);
            sums[job] = sums[job].zip(logprob).map(|(sum, logprob)| sum + logprob);
            greedy[job] &= step.stats.is_some_and(|stats| stats.rank.exact() == Some(1));
        }
    })?;
    if ended == FinishReason::Cancelled {
        return Err(QueryError::Stopped);
    }
    let asked_for = asked.choices.iter().zip(&joined).enumerate();
    let choices: Vec<ScoredChoice> = asked_for
        .map(|(i, (text, joined))| ScoredChoice {
            text: text.clone(),
            measured: Measured {
                sum_logprob: sums[i].unwrap_or(f64::NAN),
                tokens: joined.encoded.pieces.len() - joined.from,
                alone: sums.get(asked.choices.len() + i).copied().flatten(),
                is_greedy: greedy[i],
                ..Measured::of_text(text, Join::Joint)
            },
            notes: joined.note().into_iter().collect(),
        })
        .collect();
    let best = Best::of(choices.iter().map(|choice| &choice.measured), Join::Joint);
    Ok(ComparedChoices { context: asked.context.clone(), choices, best })
}

/// A choice after BOS; `None` where the model has neither BOS nor EOS.
fn alone(model: &ModelInfo, encoder: &TextEncoder, choice: &[u8]) -> Result<Option<ScoringJob>, TextError> {
    let joined = after_nothing(encoder.encode(choice)?, &model.vocab);
    Ok(joined.map(|joined| ScoringJob::from(&joined.encoded, joined.from)))
}

/// Bytes that all texts begin with, up to a word's end, leaving every text something.
fn shared_beginning(texts: &[String]) -> usize {
    let Some((first, others)) = texts.split_first() else { return 0 };
    let mut shared = first.len();
    for other in others {
        let same = first.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        shared = shared.min(same);
    }
    let ends_word = |at: usize| {
        texts.iter().all(|text| {
            at < text.len() && text.is_char_boundary(at) && text[at..].starts_with(char::is_whitespace)
        })
    };
    (1..=shared).rev().find(|&at| ends_word(at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::shared_beginning;

    fn shared(a: &str, b: &str) -> usize {
        shared_beginning(&[a.to_string(), b.to_string()])
    }

    #[test]
    fn texts_share_whole_words_and_keep_the_space_before_the_rest() {
        assert_eq!(shared("The cat sits", "The cat sit"), 7);
        assert_eq!(shared("The cats sit", "The cat sits"), 3);
        assert_eq!(shared("abc", "abd"), 0);
        assert_eq!(shared("the cat", "the cat sat"), 3);
        assert_eq!(shared("北京 是", "北京 在"), 6);
    }
}
