//! What the page's template reads: texts and figures as they are shown, plots as they are.

use minijinja::Value;
use serde::Serialize;

use super::figures::{self, FigureView};
use super::plot::{self, percent};
use crate::probe::outcome::{Generated, ItemOutcome, SuiteOutcome};
use crate::probe::verdict::Verdict;
use crate::report::probe::digest::{self, head, plain, tail};
use crate::report::probe::ending::Told;
use crate::token::{Vocab, printable};

/// Items of a suite that have a row; those that did not pass come first.
const ROWS: usize = 1000;
/// Candidates shown of a distribution.
const TOP: usize = 10;
/// Samples that are shown in full.
const SAMPLES: usize = 5;

/// The run of one model.
#[derive(Serialize)]
pub struct RunView {
    model: String,
    provenance: Vec<(&'static str, String)>,
    suites: Vec<SuiteView>,
    calibration: Option<FigureView>,
}

#[derive(Serialize)]
struct SuiteView {
    anchor: String,
    name: String,
    title: Option<String>,
    claim: Option<String>,
    lang: Option<String>,
    state: StateView,
    items: usize,
    passed: Option<String>,
    share: Option<f64>,
    interval: Option<String>,
    bar: Option<Value>,
    metrics: Vec<(String, String, String)>,
    limits: Vec<Check>,
    figures: Vec<FigureView>,
    rows: Vec<RowView>,
}

/// How something stands: a word, and the class that colours it.
#[derive(Clone, Copy, Serialize)]
pub struct StateView {
    pub word: &'static str,
    pub class: &'static str,
}

#[derive(Serialize)]
struct Check {
    text: String,
    found: String,
    passed: bool,
}

#[derive(Serialize)]
struct RowView {
    state: StateView,
    id: String,
    prompt: String,
    whole_prompt: String,
    p: Option<f64>,
    p_shown: Option<String>,
    bar: Option<Value>,
    said: Option<String>,
    right: Option<String>,
    choices: Vec<ChoiceView>,
    checks: Vec<Check>,
    predictions: Vec<Check>,
    top: Vec<CandidateView>,
    facts: Vec<(String, String)>,
}

#[derive(Serialize)]
struct ChoiceView {
    text: String,
    right: bool,
    best: bool,
    sum: String,
    share: Option<String>,
    bar: Option<Value>,
}

#[derive(Serialize)]
struct CandidateView {
    token: String,
    p: String,
    bar: Value,
}

impl RunView {
    /// The view of a run; `number` makes anchors differ.
    pub fn new(number: usize, told: &Told) -> RunView {
        let known = digest::provenance(told.origin).into_iter();
        let suites = told.run.suites.iter().enumerate();
        let items = told.run.suites.iter().flat_map(|suite| &suite.items);
        RunView {
            model: plain(&told.origin.model),
            provenance: known
                .map(|(name, value)| (name, plain(&value.unwrap_or("unknown".into()))))
                .collect(),
            suites: suites
                .map(|(i, suite)| SuiteView::new(format!("suite-{number}-{i}"), suite, told.vocab))
                .collect(),
            calibration: figures::calibration(items),
        }
    }
}

impl SuiteView {
    fn new(anchor: String, suite: &SuiteOutcome, vocab: &Vocab) -> SuiteView {
        let share = digest::share_passed(suite);
        let class = state(suite).class;
        SuiteView {
            anchor,
            name: plain(&suite.name),
            title: suite.title.as_deref().map(plain),
            claim: suite.claim.as_deref().map(plain),
            // A made-up language would be an attribute of unknown effect.
            lang: suite
                .lang
                .clone()
                .filter(|lang| lang.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')),
            state: state(suite),
            items: suite.items.len(),
            passed: share.map(|share| format!("{}/{}", share.hits, share.n)),
            share: share.map(|share| share.share()),
            interval: share.map(|share| {
                let (low, high) = share.interval();
                format!("{} ({:.1} to {:.1})", percent(share.share()), low * 100.0, high * 100.0)
            }),
            bar: share.map(|share| safe(plot::bar(share.share(), Some(share.interval()), None, class))),
            metrics: digest::figures(suite).map(|(name, value, sure)| (plain(name), value, sure)).collect(),
            limits: suite.limits.iter().map(Check::new).collect(),
            figures: figures::of_suite(suite),
            rows: rows(suite, vocab),
        }
    }
}

fn state(suite: &SuiteOutcome) -> StateView {
    match (suite.failed(), suite.informational) {
        (true, _) => StateView { word: "failed", class: "bad" },
        (false, true) => StateView { word: "informational", class: "neutral" },
        (false, false) => StateView { word: "held", class: "good" },
    }
}

/// The rows of a suite in file order; of too many, those that passed are left out first.
fn rows(suite: &SuiteOutcome, vocab: &Vocab) -> Vec<RowView> {
    let mut items: Vec<&ItemOutcome> = suite.items.iter().collect();
    items.sort_by_key(|item| item.passed != Some(false));
    items.truncate(ROWS);
    items.sort_by_key(|item| item.index);
    items.into_iter().map(|item| RowView::new(item, vocab)).collect()
}

impl Check {
    fn new(verdict: &Verdict) -> Check {
        Check { text: plain(&verdict.text), found: plain(&verdict.found), passed: verdict.passed }
    }
}

impl RowView {
    fn new(item: &ItemOutcome, vocab: &Vocab) -> RowView {
        let chance = digest::chance(item);
        let state = match item.passed {
            Some(true) => StateView { word: "passed", class: "good" },
            Some(false) if digest::unmet(item).next().is_some() => StateView { word: "failed", class: "bad" },
            Some(false) => StateView { word: "missed", class: "bad" },
            None => StateView { word: "not judged", class: "neutral" },
        };
        let named = |index: usize| item.choices.get(index).map(|choice| head(&plain(&choice.text), 60));
        let right: Vec<String> = item.answers().iter().filter_map(|index| named(*index)).collect();
        let target = item.target.as_ref().map(|target| head(&plain(&target.text), 60));
        RowView {
            state,
            id: plain(&item.id),
            prompt: tail(&plain(&item.prompt), 90),
            whole_prompt: printable(&item.prompt),
            p: chance.map(|chance| chance.p),
            p_shown: chance.map(|chance| format!("{:.4}", chance.p)),
            bar: chance.map(|chance| safe(plot::bar(chance.p, chance.range, chance.guess, state.class))),
            said: said(item).map(|said| head(&said, 60)),
            right: target.or_else(|| (!right.is_empty()).then(|| right.join(" or "))),
            choices: choices(item),
            checks: item.expect.iter().map(Check::new).collect(),
            predictions: item.predictions.iter().map(Check::new).collect(),
            top: digest::after(item, vocab, TOP).into_iter().map(candidate).collect(),
            facts: facts(item, vocab),
        }
    }
}

fn safe(svg: String) -> Value {
    Value::from_safe_string(svg)
}

fn candidate((token, p): (String, f64)) -> CandidateView {
    CandidateView { token, p: percent(p), bar: safe(plot::bar(p, None, None, "neutral")) }
}

/// What the model preferred, or said.
fn said(item: &ItemOutcome) -> Option<String> {
    let best = item.best.acc.and_then(|best| item.choices.get(best)).filter(|_| item.choices.len() > 1);
    best.map(|choice| plain(&choice.text)).or_else(|| item.greedy.as_ref().map(|greedy| plain(&greedy.text)))
}

fn choices(item: &ItemOutcome) -> Vec<ChoiceView> {
    let shares = digest::shares(item);
    let answers = item.answers();
    let choices = item.choices.iter().enumerate().map(|(i, choice)| {
        let share = shares.as_ref().and_then(|shares| shares.get(i).copied());
        let right = answers.contains(&i);
        let class = if right { "good" } else { "neutral" };
        ChoiceView {
            text: plain(&choice.text),
            right,
            best: item.best.acc == Some(i) && item.choices.len() > 1,
            sum: choice.sum_logprob.map_or("impossible or without context".into(), |sum| format!("{sum:.3}")),
            share: share.map(percent),
            bar: share.map(|share| safe(plot::bar(share, None, None, class))),
        }
    });
    choices.collect()
}

/// Everything else, as names and values.
fn facts(item: &ItemOutcome, vocab: &Vocab) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut tell = |name: &str, value: String| facts.push((name.to_string(), value));
    if let Some(margin) = digest::margin(item) {
        tell("right − best wrong", format!("{margin:+.3} nat"));
    }
    if let Some((target, (low, high))) =
        item.target.as_ref().and_then(|target| Some((target, target.lowest.zip(target.highest)?)))
        && target.phrasings.len() > 1
    {
        let number = |value: Option<f64>| value.map_or("–".to_string(), |value| format!("{value:.4}"));
        let (mean, sd) = (number(target.mean), number(target.sd));
        tell("over its phrasings", format!("mean {mean}, sd {sd}, {low:.4} to {high:.4}"));
    }
    for phrasing in item.target.iter().flat_map(|target| &target.phrasings) {
        let p = phrasing.p.map_or("–".to_string(), |p| format!("{p:.4}"));
        tell("p of the target", format!("{p} after {}", tail(&plain(&phrasing.prompt), 90)));
    }
    if let Some(versus) = &item.versus {
        let difference = versus.difference.map_or("–".to_string(), |nats| format!("{nats:+.3} nat"));
        let interval = versus.low.zip(versus.high);
        let interval = interval.map_or(String::new(), |(low, high)| format!(" ({low:+.3} to {high:+.3})"));
        let other = tail(&plain(&versus.prompt), 90);
        tell("against the other prompt", format!("{difference}{interval}; the other prompt is {other}"));
    }
    for step in &item.steps {
        let surprisal = step.surprisal.map_or("no context".to_string(), |nats| format!("{nats:.3} nat"));
        tell(&format!("piece {}", plain(&step.name)), format!("{surprisal}: {}", plain(&step.text)));
    }
    for token in &item.tokens {
        let p = token.logprob.map_or("–".to_string(), |logprob| format!("{:.4}", logprob.exp()));
        let first = token.first.as_ref();
        let first = first.map_or(String::new(), |first| {
            format!(
                ", first token {} at rank {}",
                vocab.visible(first.id),
                first.rank.shown(|rank| rank.to_string())
            )
        });
        tell("p of a named text", format!("{p}: {}{first}", plain(&token.text)));
    }
    if let Some(greedy) = &item.greedy {
        tell("greedy", generated(greedy));
    }
    for sample in &item.samples {
        let name = format!("sampled at temperature {}", sample.temperature);
        let drawn = format!("{} samples", sample.n);
        let share = sample.matched.map_or(drawn, |hits| format!("{hits} of {} match", sample.n));
        let ends = sample.low.zip(sample.high).map_or(String::new(), |(low, high)| {
            format!(" (95 % interval {:.1} to {:.1} %)", low * 100.0, high * 100.0)
        });
        let agreement = sample.agreement.map_or(String::new(), |share| format!(", agreement {share:.2}"));
        tell(&name, format!("{share}{ends}{agreement}"));
        for reply in sample.replies.iter().take(SAMPLES) {
            tell("", generated(reply));
        }
    }
    facts.extend(item.notes.iter().map(|note| ("note".to_string(), plain(note))));
    facts
}

fn generated(text: &Generated) -> String {
    let matches = match text.matches {
        Some(true) => " (matches)",
        Some(false) => " (does not match)",
        None => "",
    };
    let sum = text.sum_logprob.map_or(String::new(), |sum| format!(" · Σ {sum:.3} nat"));
    format!("{}{matches}{sum}", plain(&text.text))
}
