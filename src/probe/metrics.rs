//! The figures of a suite: accuracies, perplexities, spreads, with their standard errors.
//!
//! Names and formulas of the harness's metrics are the harness's. Everything is computed from what a
//! results file keeps, so that a run that goes on from one ends with the same figures.

mod agreement;

use std::borrow::Cow;

use indexmap::IndexMap;

use super::interval;
use super::item::Suite;
use super::metric::Metric;
use super::outcome::{ItemOutcome, SuiteOutcome};
use super::python_random::PythonRandom;
use super::question::Gold;
use super::stats::{self, Share, Summary};
use crate::aside;
use crate::continuation::reduction::Reduction;

/// Resamplings behind a standard error that has no formula: 100 rounds of 1000, as in the harness.
const ROUNDS: u32 = 100;
const DRAWS: usize = 1000;

impl SuiteOutcome {
    /// Works out the figures from the items there are.
    pub fn conclude(&mut self, suite: &Suite) {
        let scored: Cow<[ItemOutcome]> = match self.unscored() {
            0 => Cow::Borrowed(&self.items),
            _ => self.items.iter().filter(|item| item.error.is_none()).cloned().collect(),
        };
        self.metrics = figures(suite, &scored);
        self.limits = suite.limits.iter().map(|limit| limit.judge(&self.metrics)).collect();
    }
}

/// The figures of a suite, in the order they are shown.
pub fn figures(suite: &Suite, items: &[ItemOutcome]) -> IndexMap<String, Option<f64>> {
    let mut table = FigureTable { suite, items, figures: IndexMap::new() };
    if suite.metrics.is_empty() {
        table.of_a_suite();
    } else {
        for metric in &suite.metrics {
            table.add(*metric);
        }
    }
    table.figures
}

struct FigureTable<'a> {
    suite: &'a Suite,
    items: &'a [ItemOutcome],
    figures: IndexMap<String, Option<f64>>,
}

impl FigureTable<'_> {
    fn put(&mut self, name: &str, value: Option<f64>) {
        self.figures.insert(name.to_string(), value.filter(|value| value.is_finite()));
    }

    /// A figure and its standard error, which values that are all alike don't have.
    fn put_with_error(&mut self, name: &str, value: Option<f64>, error: Option<f64>) {
        let known = value.filter(|value| value.is_finite());
        self.put(name, value);
        self.put(
            &format!("{name}_stderr"),
            known.and_then(|value| error.filter(|error| *error > value.abs() * 1e-9)),
        );
    }

    /// The share of items of which something holds: its standard error as the harness has it, and the
    /// interval of Wilson, which is right for few items too.
    fn put_share(&mut self, name: &str, holds: &[bool]) {
        let values: Vec<f64> = holds.iter().map(|holds| f64::from(*holds)).collect();
        self.put_with_error(name, stats::mean(&values), stats::standard_error(&values));
        self.put_wilson(name, Share { hits: holds.iter().filter(|holds| **holds).count(), n: holds.len() });
    }

    fn put_wilson(&mut self, name: &str, share: Share) {
        let ends = (share.n > 0).then(|| share.interval());
        self.put(&format!("{name}_low"), ends.map(|(low, _)| low));
        self.put(&format!("{name}_high"), ends.map(|(_, high)| high));
    }

    fn gold(&self, item: &ItemOutcome) -> Gold {
        self.suite.items.get(item.index).map_or(Gold::None, |item| item.questions.gold.clone())
    }

    fn add(&mut self, metric: Metric) {
        let name = metric.name();
        match metric {
            Metric::Accuracy(reduction) => self.accuracy(reduction),
            Metric::Perplexity => self.perplexity(),
            Metric::WordPerplexity | Metric::BytePerplexity | Metric::BitsPerByte => {
                let value = self.per_unit(metric);
                self.put(name, value);
            }
            Metric::F1 | Metric::Mcc => {
                let pairs = self.answers();
                let measure = if metric == Metric::F1 { agreement::f1 } else { agreement::matthews };
                self.put_with_error(
                    name,
                    measure(&pairs),
                    resampled(pairs.len(), |drawn| {
                        measure(&drawn.iter().map(|i| pairs[*i]).collect::<Vec<_>>())
                    }),
                );
            }
            Metric::ExactMatch => {
                let hits: Vec<bool> = self.items.iter().map(|item| self.exact(item)).collect();
                self.put_share(name, &hits);
            }
            Metric::BrierScore => {
                let value = agreement::brier(&self.shares());
                self.put(name, value);
            }
            Metric::Predictions => self.predictions(),
        }
    }

    fn accuracy(&mut self, reduction: Reduction) {
        let right: Vec<bool> = self
            .items
            .iter()
            .filter_map(|item| match (self.gold(item), item.choices.as_slice()) {
                (Gold::None, [only]) => Some(only.is_greedy),
                (gold, _) => item.is_right(&gold, reduction),
            })
            .collect();
        self.put_share(reduction.name(), &right);
    }

    fn predictions(&mut self) {
        let all: Vec<bool> = self.items.iter().filter_map(|item| item.passed).collect();
        self.put_share("acc", &all);
        let most = self.items.iter().map(|item| item.predictions.len()).max().unwrap_or(0);
        for i in (0..most).filter(|_| most > 1) {
            let one: Vec<f64> = self
                .items
                .iter()
                .filter_map(|item| item.predictions.get(i))
                .map(|verdict| f64::from(verdict.passed))
                .collect();
            self.put(&format!("prediction_{}", i + 1), stats::mean(&one));
        }
    }

    /// The error is resampled as the harness does it: it has no exact formula.
    fn perplexity(&mut self) {
        let sums: Vec<f64> = self.items.iter().map(|item| sum(item).unwrap_or(f64::NEG_INFINITY)).collect();
        let of = |total: f64| (-total / sums.len() as f64).exp();
        let value = (!sums.is_empty()).then(|| of(sums.iter().sum()));
        let error = resampled(sums.len(), |drawn| Some(of(drawn.iter().map(|i| sums[*i]).sum())));
        self.put_with_error("perplexity", value, error);
    }

    fn per_unit(&self, metric: Metric) -> Option<f64> {
        let total: f64 = self.items.iter().map(|item| sum(item).unwrap_or(f64::NEG_INFINITY)).sum();
        let units: usize = self
            .items
            .iter()
            .filter_map(|item| self.suite.items.get(item.index)?.questions.rolling.as_ref())
            .map(|rolling| if metric == Metric::WordPerplexity { rolling.words } else { rolling.text.len() })
            .sum();
        let mean = -total / units as f64;
        Some(if metric == Metric::BitsPerByte { mean / std::f64::consts::LN_2 } else { mean.exp() })
    }

    /// (right choice, best choice) of every item that has both.
    fn answers(&self) -> Vec<(usize, usize)> {
        self.items.iter().filter_map(|item| Some((self.gold(item).first()?, item.best.acc?))).collect()
    }

    fn exact(&self, item: &ItemOutcome) -> bool {
        let gold = self.gold(item);
        item.choices.iter().enumerate().any(|(i, choice)| gold.holds(i) && choice.is_greedy)
    }

    /// Each item's choices as shares of their common probability, with the right one.
    fn shares(&self) -> Vec<(Vec<f64>, usize)> {
        self.items
            .iter()
            .filter_map(|item| {
                let gold = self.gold(item).first()?;
                let sums: Vec<f64> = item
                    .choices
                    .iter()
                    .map(|choice| choice.sum_logprob.unwrap_or(f64::NEG_INFINITY))
                    .collect();
                let best = sums.iter().copied().max_by(f64::total_cmp)?;
                let weights: Vec<f64> = sums.iter().map(|sum| (sum - best).exp()).collect();
                let total: f64 = weights.iter().sum();
                best.is_finite().then(|| (weights.iter().map(|weight| weight / total).collect(), gold))
            })
            .collect()
    }

    /// Whatever the suite's items allow.
    fn of_a_suite(&mut self) {
        let judged = self.items.iter().filter(|item| item.passed.is_some()).count();
        if judged > 0 {
            let passed = self.items.iter().filter(|item| item.passed == Some(true)).count();
            self.put("passed", Some(passed as f64 / judged as f64));
        }
        if self.items.iter().any(|item| self.gold(item) != Gold::None) {
            for reduction in [Reduction::Acc, Reduction::AccNorm, Reduction::AccBytes, Reduction::AccTokens] {
                self.accuracy(reduction);
            }
            if self.items.iter().any(|item| item.best.acc_mutual_info.is_some()) {
                self.accuracy(Reduction::AccMutualInfo);
            }
            let shares = self.shares();
            self.put("brier_score", agreement::brier(&shares));
            self.put("ece", agreement::calibration_error(&shares));
        }
        self.targets();
        self.differences();
        self.generated();
    }

    fn targets(&mut self) {
        let targets: Vec<_> = self.items.iter().filter_map(|item| item.target.as_ref()).collect();
        let all: Vec<f64> =
            targets.iter().flat_map(|target| &target.phrasings).filter_map(|phrasing| phrasing.p).collect();
        if let Some(summary) = Summary::of(&all) {
            self.put("p_mean", Some(summary.mean));
            self.put("p_lowest", Some(summary.min));
            self.put("p_highest", Some(summary.max));
        }
        let spreads: Vec<f64> = targets
            .iter()
            .filter(|target| target.phrasings.len() > 1)
            .filter_map(|target| target.spread)
            .collect();
        if !spreads.is_empty() {
            self.put("p_spread", stats::mean(&spreads));
        }
    }

    fn differences(&mut self) {
        let differences: Vec<f64> =
            self.items.iter().filter_map(|item| item.versus.as_ref()?.difference).collect();
        if differences.is_empty() {
            return;
        }
        let weighted: Vec<_> = differences.iter().map(|difference| (*difference, 1.0)).collect();
        let interval = interval::of_mean(&weighted).ok();
        self.put("difference", stats::mean(&differences));
        self.put("difference_low", interval.map(|(low, _)| low));
        self.put("difference_high", interval.map(|(_, high)| high));
    }

    fn generated(&mut self) {
        let greedy: Vec<bool> = self.items.iter().filter_map(|item| item.greedy.as_ref()?.matches).collect();
        if !greedy.is_empty() {
            let share = Share { hits: greedy.iter().filter(|matches| **matches).count(), n: greedy.len() };
            self.put("greedy_match", Some(share.share()));
            self.put_wilson("greedy_match", share);
        }
        let samples: Vec<_> = self.items.iter().flat_map(|item| &item.samples).collect();
        let counted: Vec<_> = samples.iter().filter_map(|sample| Some((sample.matched?, sample.n))).collect();
        if !counted.is_empty() {
            let (hits, n) = counted.iter().fold((0, 0), |(hits, n), (more, of)| (hits + more, n + of));
            let share = Share { hits, n };
            self.put("prevalence", Some(share.share()));
            self.put_wilson("prevalence", share);
        }
        let agreements: Vec<f64> = samples.iter().filter_map(|sample| sample.agreement).collect();
        if !agreements.is_empty() {
            self.put("agreement", stats::mean(&agreements));
        }
    }
}

fn sum(item: &ItemOutcome) -> Option<f64> {
    item.choices.first()?.sum_logprob
}

/// The standard deviation of a figure over resamplings of its items, drawn as the harness draws them.
fn resampled(n: usize, figure: impl Fn(&[usize]) -> Option<f64> + Sync) -> Option<f64> {
    if n == 0 {
        return None;
    }
    let round = |round: u32| -> Vec<f64> {
        let mut random = PythonRandom::new(round);
        let mut drawn = vec![0; n];
        (0..DRAWS)
            .filter_map(|_| {
                drawn.iter_mut().for_each(|index| *index = random.choice(n));
                figure(&drawn)
            })
            .collect()
    };
    // Workers take rounds in a row: the order of the values, and with it their sum, is always the same.
    let workers = std::thread::available_parallelism().map_or(1, usize::from) as u32;
    let each = ROUNDS.div_ceil(workers);
    let values: Vec<f64> = std::thread::scope(|scope| {
        let round = &round;
        let handles: Vec<_> = (0..ROUNDS)
            .step_by(each as usize)
            .map(|first| {
                aside::part(scope, move || {
                    (first..ROUNDS.min(first + each)).flat_map(round).collect::<Vec<f64>>()
                })
            })
            .collect();
        handles.into_iter().flat_map(aside::joined).collect()
    });
    stats::standard_deviation(&values)
}

#[cfg(test)]
mod tests;
