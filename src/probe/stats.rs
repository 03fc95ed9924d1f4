//! The arithmetic of samples: shares, means, agreement. No model, no I/O.

use std::collections::HashMap;

use super::answer::{Answers, Continuation, Scored};
use super::question::{Ask, Questions};
use crate::jinja::pattern;
pub use crate::score::share::Share;
pub(super) use crate::score::share::Z;

/// Mean and spread of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation (of a sample); 0 for one value.
    pub sd: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Summary {
    /// `None` for no value.
    pub fn of(values: &[f64]) -> Option<Summary> {
        let mean = mean(values)?;
        let min = values.iter().copied().min_by(f64::total_cmp)?;
        let max = values.iter().copied().max_by(f64::total_cmp)?;
        Some(Summary { mean, sd: standard_deviation(values).unwrap_or(0.0), min, max })
    }
}

/// Arithmetic mean; `None` for no value.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Standard deviation with n − 1; `None` for fewer than two values.
pub fn standard_deviation(values: &[f64]) -> Option<f64> {
    let centre = mean(values)?;
    let squares: f64 = values.iter().map(|value| (value - centre).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (values.len() - 1) as f64).sqrt())
}

/// Standard error of a mean; `None` for fewer than two values.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    Some(standard_deviation(values)? / (values.len() as f64).sqrt())
}

/// The probability of the target under each phrasing.
pub fn target_probabilities(questions: &Questions, answers: &Answers) -> Vec<f64> {
    let Some(target) = &questions.target else { return Vec::new() };
    (0..questions.phrasings())
        .filter_map(|prompt| answers.scored(&Ask::Text { prompt, text: target.clone() })?.sum())
        .map(f64::exp)
        .collect()
}

/// The samples at one temperature of the sweep, or at all.
pub fn continuations<'a>(
    questions: &Questions,
    answers: &'a Answers,
    temperature: Option<usize>,
) -> Vec<&'a Continuation> {
    let sweep = questions.sampling.as_ref().map_or(0, |sampling| sampling.temperatures.len());
    let wanted = temperature.map_or(0..sweep, |index| index..index + 1);
    wanted
        .filter_map(|temperature| answers.continuations(&Ask::Samples { prompt: 0, temperature }))
        .flatten()
        .collect()
}

/// How many samples match the pattern; `None` where there is no sample or no pattern.
pub fn prevalence(questions: &Questions, answers: &Answers, temperature: Option<usize>) -> Option<Share> {
    let wanted = questions.pattern.as_deref()?;
    let replies = continuations(questions, answers, temperature);
    let hits = replies.iter().filter(|reply| pattern::search(&reply.text, wanted).unwrap_or(false)).count();
    (!replies.is_empty()).then_some(Share { hits, n: replies.len() })
}

/// The chance that two different samples say the same; `None` for fewer than two. Where the pattern
/// has a group, what the group matched is compared, else the whole text.
pub fn agreement(questions: &Questions, answers: &Answers, temperature: Option<usize>) -> Option<f64> {
    let said: Vec<String> = continuations(questions, answers, temperature)
        .into_iter()
        .map(|reply| essence(&reply.text, questions.pattern.as_deref()))
        .collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for text in &said {
        *counts.entry(text).or_default() += 1;
    }
    let same: usize = counts.values().map(|count| count * (count - 1)).sum();
    (said.len() > 1).then(|| same as f64 / (said.len() * (said.len() - 1)) as f64)
}

/// What a sample says: the pattern's group, or everything.
fn essence(text: &str, wanted: Option<&str>) -> String {
    let group = wanted.and_then(|wanted| pattern::group(text, wanted));
    group.unwrap_or_else(|| text.to_string())
}

/// The index of the piece with the highest mean surprisal; the first of equal ones.
pub fn peak(questions: &Questions, answers: &Answers) -> Option<usize> {
    let pieces: &[Scored] = answers.pieces(questions.pieces.first()?.prompt)?;
    let surprisals = pieces.iter().enumerate().filter_map(|(i, piece)| Some((i, piece.mean_surprisal()?)));
    surprisals
        .fold(None, |best: Option<(usize, f64)>, (i, surprisal)| match best {
            Some((_, highest)) if highest >= surprisal => best,
            _ => Some((i, surprisal)),
        })
        .map(|(i, _)| i)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::answer::Finding;
    use crate::probe::question::SampleSweep;
    use crate::score::Score;
    use proptest::prelude::*;

    #[test]
    fn wilson_as_in_the_literature() {
        // Newcombe (1998), table I: 81 of 263 and 0 of 20.
        let (low, high) = Share { hits: 81, n: 263 }.interval();
        assert!((low - 0.2553).abs() < 5e-5 && (high - 0.3662).abs() < 5e-5, "{low} {high}");
        let (low, high) = Share { hits: 0, n: 20 }.interval();
        assert!(low == 0.0 && (high - 0.1611).abs() < 5e-5, "{low} {high}");
        assert_eq!(Share::default().interval(), (0.0, 1.0));
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_share(n in 1usize..400, part in 0.0f64..=1.0) {
            let share = Share { hits: (n as f64 * part) as usize, n };
            let (low, high) = share.interval();
            prop_assert!(0.0 <= low && low <= share.share() + 1e-12);
            prop_assert!(share.share() - 1e-12 <= high && high <= 1.0);
        }
    }

    fn sampled(texts: &[&str], pattern: &str) -> (Questions, Answers) {
        let sampling =
            SampleSweep { n: texts.len(), temperatures: vec![1.0], max_tokens: 9, chain: Default::default() };
        let questions = Questions {
            sampling: Some(sampling),
            pattern: Some(pattern.to_string()),
            ..Questions::default()
        };
        let replies =
            texts.iter().map(|text| Continuation { text: text.to_string(), score: Score::default() });
        let mut answers = Answers::default();
        answers.add(Ask::Samples { prompt: 0, temperature: 0 }, Finding::Continuations(replies.collect()));
        (questions, answers)
    }

    #[test]
    fn agreement_is_the_chance_that_two_are_the_same() {
        let (questions, answers) = sampled(&["it is 4", "4.", "maybe 5", "no"], r"(\d)");
        assert_eq!(prevalence(&questions, &answers, None), Some(Share { hits: 3, n: 4 }));
        // Of six pairs one agrees: both say 4.
        assert_eq!(agreement(&questions, &answers, Some(0)), Some(1.0 / 6.0));
        let (questions, answers) = sampled(&["a", "a", "a"], "a");
        assert_eq!(agreement(&questions, &answers, None), Some(1.0));
        let (questions, answers) = sampled(&["a"], "a");
        assert_eq!(agreement(&questions, &answers, None), None);
    }
}
