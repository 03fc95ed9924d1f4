//! Probe results as CSV: a row an item, always the same columns, a missing value is `NA`. Logarithms are
//! natural. The names are promises to users.
//!
//! A comparison adds no rows: an item's row has what the item came to in the first model's run (`first_…`)
//! and in an earlier one (`baseline_…`), so that whoever reads the table has the pairs side by side.
//!
//! Text is written as it is, so that it can be compared with what went in, except to a terminal, and where
//! a spreadsheet would run it (see [`cell`]).

use std::io;

use super::digest;
use super::ending::{ResultCounts, Told};
use super::out::ReportOutput;
use crate::continuation::reduction::Reduction;
use crate::probe::compare::{ComparedFigure, SuiteComparison};
use crate::probe::outcome::{ItemOutcome, SuiteOutcome};
use crate::probe::stats::Share;
use crate::report::cell::cell;
use crate::token::printable;

/// What stands for a missing value.
const MISSING: &str = "NA";

/// The columns before those of the provenance.
pub const COLUMNS: [&str; 48] = [
    "model",
    "suite",
    "lang",
    "informational",
    "id",
    "probe",
    "index",
    "passed",
    "expectations",
    "unmet",
    "unmet_expected",
    "unmet_found",
    "prompt",
    "choices",
    "answer",
    "best_acc",
    "best_acc_norm",
    "best_acc_bytes",
    "best_acc_tokens",
    "best_acc_mutual_info",
    "right",
    "answer_text",
    "best_text",
    "answer_logprob_nats",
    "answer_share",
    "margin_nats",
    "target",
    "target_p",
    "target_p_lowest",
    "target_p_highest",
    "difference_nats",
    "difference_low_nats",
    "difference_high_nats",
    "greedy",
    "greedy_matches",
    "samples",
    "samples_matched",
    "notes",
    "first_run",
    "first_passed",
    "first_right",
    "first_answer_logprob_nats",
    "first_target_p",
    "baseline_run",
    "baseline_passed",
    "baseline_right",
    "baseline_answer_logprob_nats",
    "baseline_target_p",
];

/// Writes the head and a row for each item. Every row says whether it is from a run that was stopped.
///
/// # Errors
/// Those of the writer.
pub fn write(results: &ResultCounts, out: &mut ReportOutput) -> io::Result<()> {
    let terminal = out.is_terminal();
    let mut writer = csv::Writer::from_writer(out);
    let mut row = |cells: Vec<String>| {
        let shown = |text: String| {
            let text = cell(&text).into_owned();
            if terminal { printable(&text) } else { text }
        };
        writer.write_record(cells.into_iter().map(shown)).map_err(failed)
    };
    let names = ["partial", "file", "sha256", "quantization", "weights", "bos", "context", "threads"];
    let names = names.into_iter().chain(["exact", "seed", "version"]);
    row(COLUMNS.into_iter().chain(names).map(str::to_string).collect())?;
    for told in &results.runs {
        let behind = provenance(told, results.partial);
        for suite in &told.run.suites {
            let pairs = [false, true].map(|baseline| paired(results, told, suite, baseline));
            for item in &suite.items {
                let mut cells = vec![told.origin.model.clone()];
                cells.extend(identity(suite, item));
                cells.extend(verdict(item));
                cells.extend(choice(item));
                cells.extend(others(item));
                pairs.iter().for_each(|pair| cells.extend(earlier(*pair, item)));
                cells.extend(behind.iter().cloned());
                row(cells)?;
            }
        }
    }
    writer.flush()
}

fn failed(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

fn provenance(told: &Told, partial: bool) -> Vec<String> {
    let values = digest::provenance(told.origin).map(|(_, value)| text(value));
    [partial.to_string()].into_iter().chain(values).collect()
}

fn identity(suite: &SuiteOutcome, item: &ItemOutcome) -> [String; 6] {
    [
        suite.name.clone(),
        text(suite.lang.clone()),
        suite.informational.to_string(),
        item.id.clone(),
        item.probe.clone(),
        item.index.to_string(),
    ]
}

fn verdict(item: &ItemOutcome) -> [String; 6] {
    let unmet = |of: fn(&crate::probe::verdict::Verdict) -> &String| {
        digest::unmet(item).map(|verdict| of(verdict).as_str()).collect::<Vec<_>>().join("\n")
    };
    [
        text(item.passed),
        item.expect.len().to_string(),
        digest::unmet(item).count().to_string(),
        unmet(|verdict| &verdict.text),
        unmet(|verdict| &verdict.found),
        item.prompt.clone(),
    ]
}

fn choice(item: &ItemOutcome) -> Vec<String> {
    let answers = item.answers();
    let named =
        |index: Option<usize>| index.and_then(|index| item.choices.get(index)).map(|c| c.text.clone());
    let listed = answers.iter().map(usize::to_string).collect::<Vec<_>>().join("|");
    let share = digest::chance(item).filter(|_| item.target.is_none()).map(|chance| chance.p);
    let mut cells = vec![item.choices.len().to_string(), text((!answers.is_empty()).then_some(listed))];
    cells.extend(Reduction::ALL.map(|reduction| text(item.best.by(reduction))));
    cells.extend([
        text(item.prefers_right()),
        text(named(answers.first().copied())),
        text(named(item.best.acc)),
        text(digest::answer_logprob(item)),
        text(share),
        text(digest::margin(item)),
    ]);
    cells
}

fn others(item: &ItemOutcome) -> Vec<String> {
    let (target, versus, greedy) = (item.target.as_ref(), item.versus.as_ref(), item.greedy.as_ref());
    let counted = item.samples.iter().filter_map(|sample| Some(Share { hits: sample.matched?, n: sample.n }));
    let matched = counted.reduce(|a, b| Share { hits: a.hits + b.hits, n: a.n + b.n });
    let drawn: usize = item.samples.iter().map(|sample| sample.n).sum();
    vec![
        text(target.map(|target| target.text.clone())),
        text(target.and_then(|target| target.mean)),
        text(target.and_then(|target| target.lowest)),
        text(target.and_then(|target| target.highest)),
        text(versus.and_then(|versus| versus.difference)),
        text(versus.and_then(|versus| versus.low)),
        text(versus.and_then(|versus| versus.high)),
        text(greedy.map(|greedy| greedy.text.clone())),
        text(greedy.and_then(|greedy| greedy.matches)),
        text((!item.samples.is_empty()).then_some(drawn)),
        text(matched.map(|share| share.hits)),
        item.notes.join("\n"),
    ]
}

/// The comparison of a suite with the first model's run, or with an earlier one, and its name.
fn paired<'a>(
    results: &ResultCounts<'a>,
    told: &Told,
    suite: &SuiteOutcome,
    baseline: bool,
) -> Option<(&'a str, &'a SuiteComparison)> {
    let mut fitting = results
        .comparisons
        .iter()
        .filter(|comparison| comparison.baseline == baseline && comparison.other == told.run.model);
    fitting.find_map(|comparison| {
        let found = comparison.suites.iter().find(|found| found.suite == suite.name)?;
        Some((comparison.first.as_str(), found))
    })
}

/// What an item came to in the run that its own is compared with.
fn earlier(pair: Option<(&str, &SuiteComparison)>, item: &ItemOutcome) -> [String; 5] {
    let pair = pair.filter(|(_, suite)| suite.before.contains_key(&item.id));
    let value = |figure| pair.and_then(|(_, suite)| suite.first(&item.id, figure));
    let holds = |figure| text(value(figure).map(|share| share == 1.0));
    [
        text(pair.map(|(run, _)| run)),
        holds(ComparedFigure::Passed),
        holds(ComparedFigure::Acc),
        text(value(ComparedFigure::Logprob)),
        text(value(ComparedFigure::Target)),
    ]
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map_or(MISSING.to_string(), |value| value.to_string())
}
