//! Choosing between an item's continuations, from the answers to what was asked.

use super::answer::Answers;
use super::question::{Ask, Choice, Questions};
use crate::continuation::reduction::{self, Best, ChoiceRecord, Measured, Reduction};

/// A choice as it was measured; `None` where it was not, or has no context.
fn measured(questions: &Questions, choice: &Choice, answers: &Answers) -> Option<Measured> {
    let scored = answers.scored(&Ask::Text { prompt: choice.prompt, text: choice.continuation.clone() })?;
    let alone = answers.scored(&Ask::Alone { text: choice.continuation.clone() });
    Some(Measured {
        sum_logprob: scored.sum()?,
        tokens: scored.score.tokens(),
        alone: alone.and_then(|alone| alone.sum()),
        is_greedy: scored.is_greedy,
        ..Measured::of_text(choice.text.as_bytes(), questions.join)
    })
}

/// One choice's figure by one reduction, in nats; `None` where it was not measured or has no context.
pub fn figure(
    questions: &Questions,
    choice: &Choice,
    answers: &Answers,
    reduction: Reduction,
) -> Option<f64> {
    measured(questions, choice, answers)?.by(reduction)
}

/// The best choice by one reduction.
pub fn best(questions: &Questions, answers: &Answers, reduction: Reduction) -> Option<usize> {
    let figures = questions.choices.iter().map(|choice| figure(questions, choice, answers, reduction));
    reduction::best(figures, questions.join)
}

/// The records of an item's choices and the best of them.
pub fn records(questions: &Questions, answers: &Answers) -> (Vec<ChoiceRecord>, Best) {
    let records = questions
        .choices
        .iter()
        .map(|choice| ChoiceRecord::new(choice.text.clone(), measured(questions, choice, answers).as_ref()));
    let best = Best::each(|reduction| best(questions, answers, reduction));
    (records.collect(), best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::continuation::Join;
    use crate::probe::answer::{Finding, Scored};
    use crate::score::Score;

    fn scored(logprobs: &[f32]) -> Scored {
        let mut score = Score::default();
        for logprob in logprobs {
            score.add(*logprob, 1);
        }
        Scored { logprobs: logprobs.iter().copied().map(Some).collect(), score, ..Scored::default() }
    }

    fn item(texts: &[(&str, &[f32], f32)]) -> (Questions, Answers) {
        let mut answers = Answers::default();
        let choices = texts.iter().map(|(text, logprobs, unconditional)| {
            let continuation = format!(" {text}");
            answers.add(Ask::Text { prompt: 0, text: continuation.clone() }, Finding::Text(scored(logprobs)));
            answers.add(Ask::Alone { text: continuation.clone() }, Finding::Text(scored(&[*unconditional])));
            Choice { text: text.to_string(), continuation, prompt: 0 }
        });
        (Questions { choices: choices.collect(), ..Questions::default() }, answers)
    }

    #[test]
    fn each_reduction_may_prefer_another() {
        let (questions, answers) =
            item(&[("ab", &[-3.0], -1.0), ("abcdefgh", &[-2.0, -2.0], -4.5), ("北京", &[-3.5, -0.5], -9.0)]);
        let (records, best) = records(&questions, &answers);
        assert_eq!(records[2].logprob_per_char, Some(-2.0));
        assert_eq!(records[2].logprob_per_byte, Some(-4.0 / 6.0));
        assert_eq!(records[2].pmi, Some(5.0));
        assert_eq!((best.acc, best.acc_norm, best.acc_bytes), (Some(0), Some(1), Some(1)));
        // Two choices have the same mean, so none is best.
        assert_eq!((best.acc_tokens, best.acc_mutual_info), (None, Some(2)));
    }

    #[test]
    fn of_equals_the_first_wins_only_where_the_harness_says_so() {
        let (mut questions, answers) = item(&[("a", &[-1.0], -1.0), ("b", &[-1.0], -1.0)]);
        assert_eq!(best(&questions, &answers, Reduction::Acc), None);
        questions.join = Join::Harness;
        assert_eq!(best(&questions, &answers, Reduction::Acc), Some(0));
    }

    #[test]
    fn an_impossible_choice_loses_and_is_null() {
        let (questions, answers) = item(&[("a", &[f32::NEG_INFINITY], -1.0), ("b", &[-90.0], -1.0)]);
        let (records, best) = records(&questions, &answers);
        assert_eq!((records[0].sum_logprob, best.acc), (None, Some(1)));
    }

    #[test]
    fn what_was_not_measured_has_no_best() {
        let (questions, _) = item(&[("a", &[-1.0], -1.0)]);
        assert_eq!(records(&questions, &Answers::default()).1, Best::default());
    }
}
