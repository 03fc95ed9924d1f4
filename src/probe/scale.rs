//! Accuracy against difficulty, over several models: what a larger model can that a smaller one can't, and
//! from where on.
//!
//! Works on outcomes alone. What difficulty is follows from the suite, and is told with the result: what the
//! suite gives, the number that makes its items a ladder, or how the models themselves found the items. Natural
//! log, nats.

use indexmap::IndexMap;
use serde::Serialize;
use std::collections::{HashMap, HashSet};

use super::outcome::{ItemOutcome, RunOutcome};
use super::rungs;
use super::stats::{self, Share};

/// Most rungs of a ladder that a parameter makes.
const MOST_RUNGS: usize = 8;
/// Most rungs of one that the models' own figures make.
const BINS: usize = 5;
/// Fewest items of such a rung.
const FEWEST: usize = 5;
/// The number of a row in a file says nothing about it.
const ROW: &str = "row";

/// What makes an item hard.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "kind", content = "parameter", rename_all = "snake_case")]
pub enum Difficulty {
    /// What the suite says.
    Given,
    /// The number in the items' ids, by its name in the template.
    Parameter(String),
    /// The mean over the models of Σ ln p of the best wrong choice − of the best right one.
    Margin,
    /// The mean over the models of −Σ ln p of what is right.
    Surprisal,
}

/// Items of similar difficulty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Rung {
    /// The lowest difficulty among them.
    pub from: f64,
    /// The highest.
    pub to: f64,
    /// How many they are.
    pub items: usize,
}

/// How often one model is right.
#[derive(Clone, Debug, PartialEq)]
pub struct LadderLine {
    /// Its name.
    pub model: String,
    /// Number of its weights, where that is known.
    pub parameters: Option<u64>,
    /// On each rung.
    pub rungs: Vec<Share>,
    /// On all of them.
    pub all: Share,
}

/// The same items before several models.
#[derive(Clone, Debug, PartialEq)]
pub struct ScaleLadder {
    pub suite: String,
    /// What difficulty is here.
    pub difficulty: Difficulty,
    /// From the easiest to the hardest.
    pub rungs: Vec<Rung>,
    /// A line for each model, in the order they ran.
    pub lines: Vec<LadderLine>,
    /// Items of the suite that are on none of its ladders: not every model has them, nothing about them is right
    /// or wrong, or nothing says how hard they are.
    pub left_out: usize,
}

/// An item before all models.
struct JudgedItem<'a> {
    difficulty: f64,
    id: &'a str,
    right: Vec<bool>,
}

impl Difficulty {
    /// What it is, in words.
    pub fn definition(&self) -> String {
        const OWN: &str = "the models themselves say what is hard, so every line falls; what tells them apart is their height";
        match self {
            Difficulty::Given => "what the suite gives as `difficulty`".to_string(),
            Difficulty::Parameter(name) => format!("{name}, the number in the items' ids"),
            Difficulty::Margin => format!(
                "the mean over all models of Σ ln p of the best wrong choice − of the right one (nat), in bins of as many items; {OWN}"
            ),
            Difficulty::Surprisal => format!(
                "the mean over all models of −Σ ln p of what is right (nat), in bins of as many items; {OWN}"
            ),
        }
    }
}

/// What accuracy is, in words.
pub const ACCURACY: &str = "the share of items where the right choice has the highest Σ ln p (without choices: where everything held that was expected), with Wilson's 95 % interval";

/// The ladders of every suite that all of these models ran.
pub fn ladders(runs: &[RunOutcome]) -> Vec<ScaleLadder> {
    let Some(first) = runs.first() else { return Vec::new() };
    first.suites.iter().flat_map(|suite| of_suite(&suite.name, runs)).collect()
}

fn of_suite(name: &str, runs: &[RunOutcome]) -> Vec<ScaleLadder> {
    let suites = runs.iter().filter_map(|run| run.suites.iter().find(|suite| suite.name == name));
    let by_id: Vec<HashMap<&str, &ItemOutcome>> =
        suites.map(|suite| suite.items.iter().map(|item| (item.id.as_str(), item)).collect()).collect();
    if by_id.len() < runs.len() {
        return Vec::new();
    }
    let Some(suite) = runs[0].suites.iter().find(|suite| suite.name == name) else { return Vec::new() };
    let climbed = climbed(&suite.items);
    let mut groups: IndexMap<Difficulty, Vec<JudgedItem>> = IndexMap::new();
    for item in &suite.items {
        let Some(all) = by_id.iter().map(|items| items.get(item.id.as_str()).copied()).collect() else {
            continue;
        };
        let all: Vec<&ItemOutcome> = all;
        let Some(right) = all.iter().map(|item| item.is_accurate()).collect() else { continue };
        let Some((kind, difficulty)) = difficulty(&all, climbed.get(item.id.as_str())) else { continue };
        groups.entry(kind).or_default().push(JudgedItem { difficulty, id: &item.id, right });
    }
    // Of rungs there are at least two.
    groups.retain(|kind, items| cut(kind, items).len() > 1);
    let counted: usize = groups.values().map(Vec::len).sum();
    let left_out = suite.items.len() - counted;
    let ladder = |(difficulty, items): (Difficulty, Vec<JudgedItem>)| {
        let parts = cut(&difficulty, &items);
        let mut items = items;
        sort(&mut items);
        let mut rest = items.as_slice();
        let parts: Vec<&[JudgedItem]> = parts
            .iter()
            .filter_map(|&n| {
                let (part, others) = rest.split_at_checked(n)?;
                rest = others;
                Some(part)
            })
            .collect();
        let line = |(place, run): (usize, &RunOutcome)| LadderLine {
            model: run.model.clone(),
            parameters: run.parameters,
            rungs: parts.iter().map(|part| share(part, place)).collect(),
            all: share(&items, place),
        };
        ScaleLadder {
            suite: name.to_string(),
            difficulty,
            rungs: parts.iter().filter_map(|part| Rung::of(part)).collect(),
            lines: runs.iter().enumerate().map(line).collect(),
            left_out,
        }
    };
    groups.into_iter().map(ladder).collect()
}

/// The parameter of every item that is on a ladder, and its value.
fn climbed(items: &[ItemOutcome]) -> HashMap<&str, (String, f64)> {
    let mut probes: IndexMap<&str, Vec<&ItemOutcome>> = IndexMap::new();
    for item in items {
        probes.entry(&item.probe).or_default().push(item);
    }
    let ladders = probes.iter().flat_map(|(probe, items)| rungs::ladders(probe, items));
    let steps = ladders.filter(|ladder| ladder.parameter != ROW).flat_map(|ladder| {
        let parameter = ladder.parameter;
        ladder.rungs.into_iter().map(move |(x, item)| (item.id.as_str(), (parameter.clone(), x)))
    });
    steps.collect()
}

fn difficulty(all: &[&ItemOutcome], climbed: Option<&(String, f64)>) -> Option<(Difficulty, f64)> {
    if let Some(given) = all.first()?.difficulty {
        return Some((Difficulty::Given, given));
    }
    if let Some((name, x)) = climbed {
        return Some((Difficulty::Parameter(name.clone()), *x));
    }
    let mean = |of: fn(&ItemOutcome) -> Option<f64>| {
        let values: Option<Vec<f64>> =
            all.iter().map(|item| of(item).filter(|value| value.is_finite())).collect();
        stats::mean(&values?)
    };
    if let Some(margin) = mean(ItemOutcome::margin) {
        return Some((Difficulty::Margin, -margin));
    }
    let logprob = |item: &ItemOutcome| {
        let target = || item.target.as_ref()?.mean.map(f64::ln);
        target().or_else(|| item.right_choice()?.sum_logprob)
    };
    mean(logprob).map(|logprob| (Difficulty::Surprisal, -logprob))
}

fn sort(items: &mut [JudgedItem]) {
    items.sort_by(|a, b| a.difficulty.total_cmp(&b.difficulty).then(a.id.cmp(b.id)));
}

/// How many items each rung has, the easiest first: one rung a value where those are few, else as many items on
/// each, a value never divided. Of the models' own figures always the latter.
fn cut(kind: &Difficulty, items: &[JudgedItem]) -> Vec<usize> {
    let own = matches!(kind, Difficulty::Margin | Difficulty::Surprisal);
    let mut values: Vec<f64> = items.iter().map(|item| item.difficulty).collect();
    values.sort_by(f64::total_cmp);
    let most = if own { (values.len() / FEWEST).min(BINS) } else { MOST_RUNGS };
    let distinct = values.iter().map(|value| value.to_bits()).collect::<HashSet<_>>().len();
    let each = if !own && distinct <= most { 1 } else { values.len().div_ceil(most.max(1)) };
    let (mut parts, mut open) = (Vec::new(), 0);
    for (i, value) in values.iter().enumerate() {
        open += 1;
        let ends = values.get(i + 1).is_none_or(|next| next > value);
        // The next rung begins where its share of all items does.
        let full = i + 1 >= (parts.len() + 1) * each || each == 1;
        if ends && (full || i + 1 == values.len()) {
            parts.push(open);
            open = 0;
        }
    }
    parts
}

fn share(items: &[JudgedItem], model: usize) -> Share {
    let hits = items.iter().filter(|item| item.right.get(model) == Some(&true)).count();
    Share { hits, n: items.len() }
}

impl Rung {
    fn of(items: &[JudgedItem]) -> Option<Rung> {
        let (first, last) = (items.first()?, items.last()?);
        Some(Rung { from: first.difficulty, to: last.difficulty, items: items.len() })
    }

    /// Its difficulty, for people.
    pub fn name(&self) -> String {
        let number = |value: f64| match value.fract() == 0.0 {
            true => format!("{value:.0}"),
            false => format!("{value:.1}"),
        };
        let (from, to) = (number(self.from), number(self.to));
        if from == to { from } else { format!("{from} to {to}").replace('-', "−") }
    }
}

#[cfg(test)]
mod tests;
