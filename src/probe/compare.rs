//! Two runs of the same suites side by side: two models, or a model now and in an earlier run.
//!
//! Works on outcomes alone; which runs belong together is the caller's business. Items are paired, so
//! that an interval tells how sure a difference is for these items. Natural log, nats; bits where the
//! name says so.

use std::collections::HashMap;

use serde::Serialize;

use super::interval::{self, Interval, NoInterval, Weighted};
use super::outcome::{ItemOutcome, RunOutcome, SuiteOutcome};
use super::stats;
use crate::text::named;

/// Two runs beside each other.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// The run compared with: its model, or a results file.
    pub first: String,
    /// The other model.
    pub other: String,
    /// Whether the first is an earlier run that the other one must not fall behind.
    pub baseline: bool,
    /// How much worse than the earlier run a figure may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<f64>,
    /// By suite, in the order of the other run.
    pub suites: Vec<SuiteComparison>,
    /// How far the other model's distributions are from the first one's, where their tokens are the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Divergence>,
    /// What has become worse than the tolerance allows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regressions: Vec<String>,
}

/// One suite in two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SuiteComparison {
    /// Its name.
    pub suite: String,
    /// It reports and never fails.
    pub informational: bool,
    /// Items of the other run that the first one has not, or has with another prompt.
    pub unpaired: usize,
    /// The figures that both have.
    pub figures: Vec<Difference>,
    /// Ids of items that passed in the first run and don't in the other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<String>,
    /// Ids of items that pass in the other run and did not in the first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gained: Vec<String>,
    /// What each paired item came to in the first run, by id; in the order of [`ComparedFigure::ALL`].
    #[serde(skip)]
    pub before: HashMap<String, [Option<f64>; ComparedFigure::ALL.len()]>,
}

/// One figure in two runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// Which.
    pub figure: ComparedFigure,
    /// Items that have it in both runs.
    pub items: usize,
    /// In the first run.
    pub first: f64,
    /// In the other.
    pub other: f64,
    /// other − first.
    pub difference: f64,
    /// Lower end of the difference's 95 % interval.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Why there is no interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_interval: Option<NoInterval>,
    /// Whether it is worse than the tolerance allows; not there where nothing is judged by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub regressed: Option<bool>,
}

/// What is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ComparedFigure {
    /// Share of items that passed.
    Passed,
    /// Share of items whose best choice, by sum, is right.
    Acc,
    /// Mean Σ ln p of the right choice, or of the only one.
    Logprob,
    /// Mean probability of the target.
    Target,
    /// Bits per byte of the right choices, or of whole texts: comparable whatever the tokens are.
    BitsPerByte,
}

/// The mean Kullback–Leibler divergence Σ p_first ln(p_first ÷ p_other) at tokens of the right choices.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Divergence {
    /// Nats per token.
    pub nats: f64,
    /// Lower end of its 95 % interval, over the texts it was measured on.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Why there is no interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_interval: Option<NoInterval>,
    pub tokens: usize,
}

named!(ComparedFigure:
    Passed "passed", Acc "acc", Logprob "logprob", Target "target", BitsPerByte "bits_per_byte",
);

impl ComparedFigure {
    /// Whether more of it is worse.
    pub fn is_cost(self) -> bool {
        self == ComparedFigure::BitsPerByte
    }

    /// Its value for an item, and how much that weighs.
    fn of(self, item: &ItemOutcome) -> Option<Weighted> {
        let share = |holds: bool| (f64::from(u8::from(holds)), 1.0);
        match self {
            ComparedFigure::Passed => item.passed.map(share),
            ComparedFigure::Acc => item.prefers_right().map(share),
            ComparedFigure::Logprob => Some((item.right_choice()?.sum_logprob?, 1.0)),
            ComparedFigure::Target => Some((item.target.as_ref()?.mean?, 1.0)),
            ComparedFigure::BitsPerByte => {
                let choice = item.right_choice().filter(|choice| !choice.text.is_empty())?;
                let bytes = choice.text.len() as f64;
                Some((-choice.sum_logprob? / std::f64::consts::LN_2 / bytes, bytes))
            }
        }
    }
}

impl Divergence {
    /// Of the divergences at each text's tokens; `None` where there is none. Tokens of one text have much
    /// in common, so the interval is over the texts.
    pub fn of(texts: &[Vec<f64>]) -> Option<Divergence> {
        let nats = stats::mean(&texts.concat())?;
        let means = texts.iter().filter_map(|values| Some((stats::mean(values)?, values.len() as f64)));
        let interval = interval::of_mean(&means.collect::<Vec<_>>());
        Some(Divergence {
            nats,
            low: interval.ok().map(|(low, _)| low),
            high: interval.ok().map(|(_, high)| high),
            no_interval: interval.err(),
            tokens: texts.iter().map(Vec::len).sum(),
        })
    }
}

impl Comparison {
    /// Puts two runs beside each other.
    pub fn new(first: &RunOutcome, other: &RunOutcome) -> Comparison {
        let suites = other.suites.iter().filter_map(|suite| {
            let known = first.suites.iter().find(|known| known.name == suite.name)?;
            Some(SuiteComparison::new(known, suite))
        });
        Comparison {
            first: first.model.clone(),
            other: other.model.clone(),
            suites: suites.collect(),
            ..Comparison::default()
        }
    }

    /// Compares with an earlier run. Worse is: a share of passed items or right answers that has fallen
    /// by more than the tolerance, or, in a suite without either, bits per byte that have risen by more
    /// than that part of what they were. Informational suites can't become worse.
    pub fn with_baseline(baseline: &RunOutcome, now: &RunOutcome, tolerance: f64) -> Comparison {
        let mut comparison =
            Comparison { baseline: true, tolerance: Some(tolerance), ..Comparison::new(baseline, now) };
        for suite in comparison.suites.iter_mut().filter(|suite| !suite.informational) {
            suite.judge(tolerance);
            comparison.regressions.extend(suite.regressions());
        }
        comparison
    }

    /// Items that could be compared.
    pub fn items(&self) -> usize {
        let most = |suite: &SuiteComparison| suite.figures.iter().map(|figure| figure.items).max();
        self.suites.iter().filter_map(most).sum()
    }
}

impl SuiteComparison {
    fn new(first: &SuiteOutcome, other: &SuiteOutcome) -> SuiteComparison {
        let known: HashMap<&str, &ItemOutcome> =
            first.items.iter().map(|item| (item.id.as_str(), item)).collect();
        let pairs: Vec<(&ItemOutcome, &ItemOutcome)> = other
            .items
            .iter()
            .filter_map(|item| Some((*known.get(item.id.as_str())?, item)))
            .filter(|(before, item)| before.prompt == item.prompt)
            .collect();
        SuiteComparison {
            suite: other.name.clone(),
            informational: other.informational,
            unpaired: other.items.len() - pairs.len(),
            figures: ComparedFigure::ALL
                .into_iter()
                .filter_map(|figure| Difference::new(figure, &pairs))
                .collect(),
            lost: turned(&pairs, false),
            gained: turned(&pairs, true),
            before: pairs.iter().map(|(before, item)| (item.id.clone(), values(before))).collect(),
        }
    }

    /// What an item came to in the first run.
    pub fn first(&self, id: &str, figure: ComparedFigure) -> Option<f64> {
        self.before.get(id)?[figure as usize]
    }

    fn judge(&mut self, tolerance: f64) {
        // A share of n items is exact to rounding; anything above it counts.
        const ROUNDING: f64 = 1e-9;
        let has_share = self
            .figures
            .iter()
            .any(|found| matches!(found.figure, ComparedFigure::Passed | ComparedFigure::Acc));
        for found in &mut self.figures {
            let allowed = tolerance + ROUNDING;
            found.regressed = match found.figure {
                ComparedFigure::Passed | ComparedFigure::Acc => Some(-found.difference > allowed),
                ComparedFigure::BitsPerByte if !has_share => {
                    Some(found.difference > allowed * found.first.abs())
                }
                ComparedFigure::BitsPerByte | ComparedFigure::Logprob | ComparedFigure::Target => None,
            };
        }
    }

    fn regressions(&self) -> impl Iterator<Item = String> {
        let worse = self.figures.iter().filter(|found| found.regressed == Some(true));
        worse.map(|found| format!("{}: {}", self.suite, found.sentence()))
    }
}

/// The figures of an item.
fn values(item: &ItemOutcome) -> [Option<f64>; ComparedFigure::ALL.len()] {
    ComparedFigure::ALL.map(|figure| figure.of(item).map(|(value, _)| value))
}

/// Ids of items whose outcome became this one.
fn turned(pairs: &[(&ItemOutcome, &ItemOutcome)], passed: bool) -> Vec<String> {
    let turned = |(before, now): &&(&ItemOutcome, &ItemOutcome)| {
        before.passed == Some(!passed) && now.passed == Some(passed)
    };
    pairs.iter().filter(turned).map(|(_, now)| now.id.clone()).collect()
}

impl Difference {
    fn new(figure: ComparedFigure, pairs: &[(&ItemOutcome, &ItemOutcome)]) -> Option<Difference> {
        let values: Vec<[Weighted; 2]> = pairs
            .iter()
            .filter_map(|(first, other)| Some([figure.of(first)?, figure.of(other)?]))
            .filter(|pair| pair.iter().all(|(value, _)| value.is_finite()))
            .collect();
        if values.is_empty() {
            return None;
        }
        let mean = |side: usize| {
            let (sum, weight) = values.iter().fold((0.0, 0.0), |(sum, all), pair| {
                let (value, weight) = pair[side];
                (sum + value * weight, all + weight)
            });
            sum / weight
        };
        let interval = interval(figure, &values);
        let (first, other) = (mean(0), mean(1));
        Some(Difference {
            figure,
            items: values.len(),
            first,
            other,
            difference: other - first,
            low: interval.ok().map(|(low, _)| low),
            high: interval.ok().map(|(_, high)| high),
            no_interval: interval.err(),
            regressed: None,
        })
    }

    /// What has become of it.
    pub fn sentence(&self) -> String {
        format!("{} was {:.4} and is {:.4}", self.figure.name(), self.first, self.other)
    }
}

/// The 95 % interval of a figure's difference over items in two runs.
fn interval(figure: ComparedFigure, values: &[[Weighted; 2]]) -> Interval {
    if !matches!(figure, ComparedFigure::Passed | ComparedFigure::Acc) {
        return interval::of_difference(values);
    }
    let turned = |to: f64| values.iter().filter(|[(first, _), (other, _)]| other - first == to).count();
    interval::of_paired_shares(turned(-1.0), turned(1.0), values.len())
}

#[cfg(test)]
mod tests;
