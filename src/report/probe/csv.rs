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
use super::ending::{ModelResults, ResultCounts};
use crate::probe::compare::{ComparedFigure, SuiteComparison};
use crate::probe::outcome::{ItemOutcome, SuiteOutcome};
use crate::report::cell::{cell, io_error};
use crate::report::out::ReportOutput;
use crate::token::printable;

/// What stands for a missing value.
const MISSING: &str = "NA";

/// Another run's name, and a suite beside it.
type PairedSuite<'a> = Option<(&'a str, &'a SuiteComparison)>;

/// An item, where it comes from, and what it came to in the first model's run and in an earlier one.
struct CsvRow<'a> {
    of_model: &'a ModelResults<'a>,
    suite: &'a SuiteOutcome,
    item: &'a ItemOutcome,
    first: PairedSuite<'a>,
    baseline: PairedSuite<'a>,
}

/// A column: its name, and the value of a row.
type CsvColumn = (&'static str, fn(&CsvRow) -> String);

/// The columns before those of the provenance.
const COLUMNS: [CsvColumn; 48] = [
    ("model", |row| row.of_model.origin.model.clone()),
    ("suite", |row| row.suite.name.clone()),
    ("lang", |row| text(row.suite.lang.as_ref())),
    ("informational", |row| row.suite.informational.to_string()),
    ("id", |row| row.item.id.clone()),
    ("probe", |row| row.item.probe.clone()),
    ("index", |row| row.item.index.to_string()),
    ("passed", |row| text(row.item.passed)),
    ("expectations", |row| row.item.expect.len().to_string()),
    ("unmet", |row| digest::unmet(row.item).count().to_string()),
    ("unmet_expected", |row| lines(digest::unmet(row.item).map(|verdict| &verdict.text))),
    ("unmet_found", |row| lines(digest::unmet(row.item).map(|verdict| &verdict.found))),
    ("prompt", |row| row.item.prompt.clone()),
    ("choices", |row| row.item.choices.len().to_string()),
    ("answer", |row| {
        let listed: Vec<String> = row.item.answers().iter().map(usize::to_string).collect();
        text((!listed.is_empty()).then(|| listed.join("|")))
    }),
    ("best_acc", |row| text(row.item.best.acc)),
    ("best_acc_norm", |row| text(row.item.best.acc_norm)),
    ("best_acc_bytes", |row| text(row.item.best.acc_bytes)),
    ("best_acc_tokens", |row| text(row.item.best.acc_tokens)),
    ("best_acc_mutual_info", |row| text(row.item.best.acc_mutual_info)),
    ("right", |row| text(row.item.prefers_right())),
    ("answer_text", |row| choice(row.item, row.item.answers().first().copied())),
    ("best_text", |row| choice(row.item, row.item.best.acc)),
    ("answer_logprob_nats", |row| text(digest::answer_logprob(row.item))),
    ("answer_share", |row| {
        let chance = digest::chance(row.item).filter(|_| row.item.target.is_none());
        text(chance.map(|chance| chance.p))
    }),
    ("margin_nats", |row| text(row.item.margin())),
    ("target", |row| text(row.item.target.as_ref().map(|target| &target.text))),
    ("target_p", |row| text(row.item.target.as_ref().and_then(|target| target.mean))),
    ("target_p_lowest", |row| text(row.item.target.as_ref().and_then(|target| target.lowest))),
    ("target_p_highest", |row| text(row.item.target.as_ref().and_then(|target| target.highest))),
    ("difference_nats", |row| text(row.item.versus.as_ref().and_then(|versus| versus.difference))),
    ("difference_low_nats", |row| text(row.item.versus.as_ref().and_then(|versus| versus.low))),
    ("difference_high_nats", |row| text(row.item.versus.as_ref().and_then(|versus| versus.high))),
    ("greedy", |row| text(row.item.greedy.as_ref().map(|greedy| &greedy.text))),
    ("greedy_matches", |row| text(row.item.greedy.as_ref().and_then(|greedy| greedy.matches))),
    ("samples", |row| {
        let samples = &row.item.samples;
        text((!samples.is_empty()).then(|| samples.iter().map(|sample| sample.n).sum::<usize>()))
    }),
    ("samples_matched", |row| {
        text(row.item.samples.iter().filter_map(|sample| sample.matched).reduce(|a, b| a + b))
    }),
    ("notes", |row| row.item.notes.join("\n")),
    ("first_run", |row| run(row, row.first)),
    ("first_passed", |row| holds(row, row.first, ComparedFigure::Passed)),
    ("first_right", |row| holds(row, row.first, ComparedFigure::Acc)),
    ("first_answer_logprob_nats", |row| text(earlier(row, row.first, ComparedFigure::Logprob))),
    ("first_target_p", |row| text(earlier(row, row.first, ComparedFigure::Target))),
    ("baseline_run", |row| run(row, row.baseline)),
    ("baseline_passed", |row| holds(row, row.baseline, ComparedFigure::Passed)),
    ("baseline_right", |row| holds(row, row.baseline, ComparedFigure::Acc)),
    ("baseline_answer_logprob_nats", |row| text(earlier(row, row.baseline, ComparedFigure::Logprob))),
    ("baseline_target_p", |row| text(earlier(row, row.baseline, ComparedFigure::Target))),
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
        writer.write_record(cells.into_iter().map(shown)).map_err(io_error)
    };
    let names = ["partial", "file", "sha256", "quantization", "weights", "bos", "context", "threads"];
    let changed =
        results.runs.first().is_some_and(|of_model| !of_model.origin.provenance.interventions.is_empty());
    let names =
        names.into_iter().chain(["exact", "seed", "version"]).chain(changed.then_some("interventions"));
    row(COLUMNS.iter().map(|(name, _)| *name).chain(names).map(str::to_string).collect())?;
    for of_model in &results.runs {
        for suite in &of_model.run.suites {
            let [first, baseline] = [false, true].map(|baseline| paired(results, of_model, suite, baseline));
            for item in &suite.items {
                let own = CsvRow { of_model, suite, item, first, baseline };
                let values = of_model.origin.known().into_iter().map(|(_, value)| text(value));
                let behind = std::iter::once(results.partial.to_string()).chain(values);
                row(COLUMNS.iter().map(|(_, value)| value(&own)).chain(behind).collect())?;
            }
        }
    }
    writer.flush()
}

fn lines<'a>(texts: impl Iterator<Item = &'a String>) -> String {
    texts.map(String::as_str).collect::<Vec<_>>().join("\n")
}

fn choice(item: &ItemOutcome, index: Option<usize>) -> String {
    text(index.and_then(|index| item.choices.get(index)).map(|choice| &choice.text))
}

/// The comparison of a suite with the first model's run, or with an earlier one, and its name.
fn paired<'a>(
    results: &ResultCounts<'a>,
    of_model: &ModelResults,
    suite: &SuiteOutcome,
    baseline: bool,
) -> PairedSuite<'a> {
    let mut fitting = results
        .comparisons
        .iter()
        .filter(|comparison| comparison.baseline == baseline && comparison.other == of_model.run.model);
    fitting.find_map(|comparison| {
        let found = comparison.suites.iter().find(|found| found.suite == suite.name)?;
        Some((comparison.first.as_str(), found))
    })
}

/// The run that an item's own is compared with.
fn run(row: &CsvRow, pair: PairedSuite) -> String {
    text(pair.filter(|(_, suite)| suite.before.contains_key(&row.item.id)).map(|(run, _)| run))
}

/// What an item came to in that run.
fn earlier(row: &CsvRow, pair: PairedSuite, figure: ComparedFigure) -> Option<f64> {
    pair.and_then(|(_, suite)| suite.first(&row.item.id, figure))
}

fn holds(row: &CsvRow, pair: PairedSuite, figure: ComparedFigure) -> String {
    text(earlier(row, pair, figure).map(|share| share == 1.0))
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map_or(MISSING.to_string(), |value| value.to_string())
}
