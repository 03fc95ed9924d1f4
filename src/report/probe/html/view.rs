//! What the page's template reads: texts and figures as they are shown, plots as they are.

use minijinja::{Value, context};

use super::{figures, state};
use crate::probe::outcome::{Generated, ItemOutcome, SuiteOutcome};
use crate::probe::verdict::Verdict;
use crate::report::html::plot::{self, percent};
use crate::report::probe::digest::{self, head, plain, tail};
use crate::report::probe::ending::ModelResults;
use crate::token::{Vocab, printable};

/// Items of a suite that have a row; those that did not pass come first.
const ROWS: usize = 1000;
/// Candidates shown of a distribution.
const TOP: usize = 10;
/// Samples that are shown in full.
const SAMPLES: usize = 5;

/// The run of one model; `number` makes anchors differ.
pub fn run(number: usize, of_model: &ModelResults) -> Value {
    let known = of_model.origin.known().into_iter();
    let suites = of_model.run.suites.iter().enumerate();
    let items = of_model.run.suites.iter().flat_map(|suite| &suite.items);
    context! {
        model => plain(&of_model.origin.model),
        provenance => known
            .map(|(name, value)| (name, plain(&value.unwrap_or("unknown".into()))))
            .collect::<Vec<_>>(),
        suites => suites
            .map(|(i, one)| suite(&format!("suite-{number}-{i}"), one, of_model.vocab))
            .collect::<Vec<_>>(),
        calibration => figures::calibration(items),
    }
}

fn suite(anchor: &str, suite: &SuiteOutcome, vocab: &Vocab) -> Value {
    let share = digest::share_passed(suite);
    let (word, class) = match (suite.failed(), suite.informational) {
        (true, _) => ("failed", "bad"),
        (false, true) => ("informational", "neutral"),
        (false, false) => ("held", "good"),
    };
    // A made-up language would be an attribute of unknown effect.
    let known = |lang: &&String| lang.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    context! {
        anchor,
        name => plain(&suite.name),
        title => suite.title.as_deref().map(plain),
        claim => suite.claim.as_deref().map(plain),
        lang => suite.lang.as_ref().filter(known),
        state => state(word, class),
        items => suite.items.len(),
        passed => share.map(|share| format!("{}/{}", share.hits, share.n)),
        interval => share.map(|share| {
            let (low, high) = share.interval();
            format!("{} ({:.1} to {:.1})", percent(share.share()), low * 100.0, high * 100.0)
        }),
        bar => share.map(|share| plot::bar(share.share(), Some(share.interval()), None, class)),
        metrics => digest::figures(suite)
            .map(|(name, value, sure)| (plain(name), value, sure))
            .collect::<Vec<_>>(),
        limits => checks(&suite.limits),
        figures => figures::of_suite(suite),
        rows => rows(suite, vocab),
    }
}

/// The rows of a suite in file order; of too many, those that passed are left out first.
fn rows(suite: &SuiteOutcome, vocab: &Vocab) -> Vec<Value> {
    let mut items: Vec<&ItemOutcome> = suite.items.iter().collect();
    items.sort_by_key(|item| item.passed != Some(false));
    items.truncate(ROWS);
    items.sort_by_key(|item| item.index);
    items.into_iter().map(|item| row(item, vocab)).collect()
}

fn checks(verdicts: &[Verdict]) -> Vec<Value> {
    let check = |verdict: &Verdict| {
        context! { text => plain(&verdict.text), found => plain(&verdict.found), passed => verdict.passed }
    };
    verdicts.iter().map(check).collect()
}

fn row(item: &ItemOutcome, vocab: &Vocab) -> Value {
    let chance = digest::chance(item);
    let (word, class) = match item.passed {
        Some(true) => ("passed", "good"),
        Some(false) if digest::unmet(item).next().is_some() => ("failed", "bad"),
        Some(false) => ("missed", "bad"),
        None => ("not judged", "neutral"),
    };
    let named = |index: usize| item.choices.get(index).map(|choice| head(&plain(&choice.text), 60));
    let right: Vec<String> = item.answers().iter().filter_map(|index| named(*index)).collect();
    let target = item.target.as_ref().map(|target| head(&plain(&target.text), 60));
    let candidate = |(token, p): (String, f64)| {
        context! { token, p => percent(p), bar => plot::bar(p, None, None, "neutral") }
    };
    context! {
        state => state(word, class),
        id => plain(&item.id),
        prompt => tail(&plain(&item.prompt), 90),
        whole_prompt => printable(&item.prompt),
        p => chance.map(|chance| chance.p),
        p_shown => chance.map(|chance| format!("{:.4}", chance.p)),
        bar => chance.map(|chance| plot::bar(chance.p, chance.range, chance.guess, class)),
        said => said(item).map(|said| head(&said, 60)),
        right => target.or_else(|| (!right.is_empty()).then(|| right.join(" or "))),
        choices => choices(item),
        checks => checks(&item.expect),
        predictions => checks(&item.predictions),
        top => digest::after(item, vocab, TOP).into_iter().map(candidate).collect::<Vec<_>>(),
        facts => facts(item, vocab),
    }
}

/// What the model preferred, or said.
fn said(item: &ItemOutcome) -> Option<String> {
    let best = item.best.acc.and_then(|best| item.choices.get(best)).filter(|_| item.choices.len() > 1);
    best.map(|choice| plain(&choice.text)).or_else(|| item.greedy.as_ref().map(|greedy| plain(&greedy.text)))
}

fn choices(item: &ItemOutcome) -> Vec<Value> {
    let shares = digest::shares(item);
    let answers = item.answers();
    let choices = item.choices.iter().enumerate().map(|(i, choice)| {
        let share = shares.as_ref().and_then(|shares| shares.get(i).copied());
        let right = answers.contains(&i);
        let class = if right { "good" } else { "neutral" };
        context! {
            text => plain(&choice.text),
            right,
            best => item.best.acc == Some(i) && item.choices.len() > 1,
            sum => choice
                .sum_logprob
                .map_or("impossible or without context".into(), |sum| format!("{sum:.3}")),
            share => share.map(percent),
            bar => share.map(|share| plot::bar(share, None, None, class)),
        }
    });
    choices.collect()
}

/// Everything else, as names and values.
fn facts(item: &ItemOutcome, vocab: &Vocab) -> Vec<(String, String)> {
    let mut facts = Vec::new();
    let mut tell = |name: &str, value: String| facts.push((name.to_string(), value));
    if let Some(margin) = item.margin() {
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
