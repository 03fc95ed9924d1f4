//! What several reports show of an outcome: figures worked out from it, and texts made harmless.

use crate::probe::compare::{Comparison, Difference, SuiteComparison};
use crate::probe::interval::NoInterval;
use crate::probe::outcome::{ItemOutcome, RunOutcome, SuiteOutcome};
use crate::probe::stats::Share;
use crate::probe::verdict::Verdict;
use crate::token::{Vocab, printable, visible};

/// Bins of confidence, the same as those of the figure `ece`.
const BINS: usize = 10;
/// Items that are named where they became better or worse; the rest is counted.
const NAMED: usize = 12;

/// Text in one line that no terminal executes: white space other than blanks is made visible.
pub fn plain(text: &str) -> String {
    visible(text.as_bytes()).replace('␣', " ")
}

/// The last characters of a text, with a mark where something was left out.
pub fn tail(text: &str, characters: usize) -> String {
    match text.char_indices().rev().nth(characters.saturating_sub(1)) {
        Some((at, _)) if at > 0 => format!("…{}", &text[at..]),
        _ => text.to_string(),
    }
}

/// The first characters of a text, with a mark where something was left out.
pub fn head(text: &str, characters: usize) -> String {
    match text.char_indices().nth(characters) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_string(),
    }
}

/// What did not hold of an item, and had to.
pub fn unmet(item: &ItemOutcome) -> impl Iterator<Item = &Verdict> {
    item.expect.iter().filter(|verdict| verdict.fails())
}

/// The items of a suite with an expectation that does not hold.
pub fn failed_items(suite: &SuiteOutcome) -> impl Iterator<Item = &ItemOutcome> {
    suite.items.iter().filter(|item| unmet(item).next().is_some())
}

/// The best candidates after an item's prompt, visible, with their probabilities; empty where they were
/// not kept.
pub fn after(item: &ItemOutcome, vocab: &Vocab, count: usize) -> Vec<(String, f64)> {
    item.top.iter().take(count).map(|candidate| (vocab.visible(candidate.id), candidate.prob())).collect()
}

/// Items that passed, of those that could.
pub fn share_passed(suite: &SuiteOutcome) -> Option<Share> {
    let (hits, missed) = (suite.passed(), suite.missed());
    (hits + missed > 0).then_some(Share { hits, n: hits + missed })
}

/// Figures of a suite for people: name, value, and how sure it is: its 95 % interval, else its standard
/// error, else nothing.
pub fn figures(suite: &SuiteOutcome) -> impl Iterator<Item = (&str, String, String)> {
    let about_another = |name: &str| {
        let base = ["_stderr", "_low", "_high"].iter().find_map(|end| name.strip_suffix(end));
        base.is_some_and(|base| suite.metrics.contains_key(base))
    };
    let shown = suite.metrics.iter().filter(move |(name, _)| !about_another(name) && *name != "passed");
    shown.map(|(name, value)| {
        let of = |end: &str| suite.metrics.get(&format!("{name}_{end}")).copied().flatten();
        let sure = match (of("low").zip(of("high")), of("stderr")) {
            (Some((low, high)), _) => format!("({low:.4} to {high:.4})"),
            (None, Some(error)) => format!("± {error:.4}"),
            (None, None) => String::new(),
        };
        (name.as_str(), value.map_or("–".to_string(), |value| format!("{value:.4}")), sure)
    })
}

/// Words with a space between them; empty ones are left out.
pub fn joined(words: [&str; 3]) -> String {
    words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// How it ended, in words.
pub fn conclusion<'a>(runs: impl IntoIterator<Item = &'a RunOutcome>, comparisons: &[Comparison]) -> String {
    let suites: Vec<&SuiteOutcome> = runs.into_iter().flat_map(|run| &run.suites).collect();
    let failed = suites.iter().filter(|suite| suite.failed()).count();
    let held = match failed {
        0 => "everything held that was expected".to_string(),
        failed => format!("expectations failed in {failed} of {} suites", suites.len()),
    };
    match comparisons.iter().map(|comparison| comparison.regressions.len()).sum::<usize>() {
        0 => held,
        1 => format!("{held}; a figure is worse than in the earlier run"),
        worse => format!("{held}; {worse} figures are worse than in the earlier run"),
    }
}

/// What two runs are, beside each other.
pub fn pair(comparison: &Comparison) -> String {
    format!("{} → {}", plain(&comparison.first), plain(&comparison.other))
}

/// The ends of a 95 % interval in brackets, or why there is none.
fn interval(ends: Option<(f64, f64)>, none: Option<NoInterval>, shown: impl Fn(f64) -> String) -> String {
    match (ends, none) {
        (Some((low, high)), _) => format!(" ({} to {})", shown(low), shown(high)),
        (None, Some(why)) => format!(" ({})", why.reason()),
        (None, None) => String::new(),
    }
}

/// A difference with its 95 % interval.
pub fn difference(found: &Difference) -> String {
    let interval = interval(found.low.zip(found.high), found.no_interval, |end| format!("{end:+.4}"));
    format!("{:+.4}{interval}", found.difference)
}

/// How far two models are from each other, or why that can't be said; `None` where it is no question.
pub fn distance(comparison: &Comparison) -> Option<String> {
    let Some(far) = &comparison.divergence else {
        let why = "no KL divergence: their tokens differ, or none was scored; bits per byte can be compared all the same";
        return (!comparison.baseline).then(|| why.to_string());
    };
    let interval = interval(far.low.zip(far.high), far.no_interval, |end| format!("{end:.4}"));
    Some(format!("KL divergence {:.4} nat/token{interval} over {} tokens", far.nats, far.tokens))
}

/// Items that passed in one of two runs only, in words; `shown` makes an id harmless.
pub fn turns(suite: &SuiteComparison, shown: impl Fn(&str) -> String) -> Vec<String> {
    let lost = (&suite.lost, "no longer");
    let gained = (&suite.gained, "newly");
    let turn = |(ids, what): (&Vec<String>, &str)| {
        let mut names: Vec<String> = ids.iter().take(NAMED).map(|id| shown(id)).collect();
        if ids.len() > NAMED {
            names.push(format!("… {} more", ids.len() - NAMED));
        }
        (!ids.is_empty()).then(|| format!("{} {what} passed: {}", ids.len(), names.join(", ")))
    };
    [lost, gained].into_iter().filter_map(turn).collect()
}

/// An item's name in a list of them.
pub fn short_name(id: &str) -> String {
    head(&plain(id), 60)
}

/// Said in every report of a run that did not come to its end.
pub const PARTIAL: &str = "partial: the run was stopped before its end, and this is what was done until then";

/// Σ ln p of the best right choice, or of the only continuation there is.
pub fn answer_logprob(item: &ItemOutcome) -> Option<f64> {
    item.right_choice()?.sum_logprob
}

fn best_of(values: impl Iterator<Item = f64>) -> Option<f64> {
    values.max_by(f64::total_cmp)
}

/// Each choice's share of the probability of all of them.
pub fn shares(item: &ItemOutcome) -> Option<Vec<f64>> {
    let sums: Vec<f64> =
        item.choices.iter().map(|choice| choice.sum_logprob.unwrap_or(f64::NEG_INFINITY)).collect();
    let best = best_of(sums.iter().copied()).filter(|best| best.is_finite() && sums.len() > 1)?;
    let total: f64 = sums.iter().map(|sum| (sum - best).exp()).sum();
    Some(sums.iter().map(|sum| (sum - best).exp() / total).collect())
}

/// A probability that says how well an item went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Chance {
    /// Its value; of several phrasings the mean.
    pub p: f64,
    /// The lowest and the highest of several phrasings.
    pub range: Option<(f64, f64)>,
    /// What a guess would get.
    pub guess: Option<f64>,
}

/// The target's probability, or the right choices' share among the choices.
pub fn chance(item: &ItemOutcome) -> Option<Chance> {
    if let Some(target) = &item.target {
        let range = target.lowest.zip(target.highest).filter(|_| target.phrasings.len() > 1);
        return Some(Chance { p: target.mean?, range, guess: None });
    }
    let shares = shares(item)?;
    let right = item.answers();
    let p = right.iter().filter_map(|i| shares.get(*i)).sum();
    let guess = Some(right.len() as f64 / shares.len() as f64);
    (!right.is_empty()).then_some(Chance { p, range: None, guess })
}

/// Items of similar confidence.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bin {
    /// How many.
    pub n: usize,
    /// How many of them are right.
    pub right: usize,
    /// Mean confidence.
    pub confidence: f64,
}

/// How often the best choice is right, by its share of probability: ten bins, the empty ones too.
/// `None` where no item has choices and an answer.
pub fn calibration<'a>(items: impl IntoIterator<Item = &'a ItemOutcome>) -> Option<[Bin; BINS]> {
    let mut bins = [Bin::default(); BINS];
    for item in items {
        let confidence = shares(item).and_then(|shares| best_of(shares.into_iter()));
        let (Some(confidence), Some(right)) = (confidence, item.prefers_right()) else { continue };
        let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        bin.n += 1;
        bin.right += usize::from(right);
        bin.confidence += (confidence - bin.confidence) / bin.n as f64;
    }
    bins.iter().any(|bin| bin.n > 0).then_some(bins)
}
/// How a run ended, in a line.
pub fn ended(run: &RunOutcome) -> String {
    let failed = run.suites.iter().filter(|suite| suite.failed()).count();
    let items: usize = run.suites.iter().map(|suite| suite.items.len()).sum();
    let what = match (failed, run.interrupted) {
        (_, true) => "stopped".to_string(),
        (0, false) => "everything held that was expected".to_string(),
        (1, false) => "an expectation failed in 1 suite".to_string(),
        (n, false) => format!("expectations failed in {n} suites"),
    };
    let suites = run.suites.len();
    let noun = if suites == 1 { "suite" } else { "suites" };
    format!("{}: {suites} {noun}, {items} items: {what}", printable(&run.model))
}
