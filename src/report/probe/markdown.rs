//! Probe results as Markdown, short enough for a comment: a table of suites and what failed.
//!
//! What comes from files or from the model stands in code spans, where no reader of Markdown takes it
//! for a link, an image, a mention or HTML.

use std::io::{self, Write};

use super::digest::{self, head, plain, tail};
use super::ending::{ModelResults, ResultCounts};
use crate::probe::compare::{Comparison, Difference, SuiteComparison};
use crate::probe::outcome::{ItemOutcome, SuiteOutcome};
use crate::report::out::ReportOutput;

/// Failed items that are listed, of all models; the rest is counted.
const LISTED: usize = 40;
/// Characters of a text that are shown.
const TEXT: usize = 160;
/// A difference that would be shown as none.
const UNSEEN: f64 = 5e-5;
/// Candidates shown of a distribution.
const TOP: usize = 5;

/// Writes it.
///
/// # Errors
/// Those of the writer.
pub fn write(results: &ResultCounts, out: &mut ReportOutput) -> io::Result<()> {
    let conclusion =
        digest::conclusion(results.runs.iter().map(|of_model| of_model.run), results.comparisons);
    writeln!(out, "## tokenscope probe: {conclusion}\n")?;
    if results.partial {
        writeln!(out, "> **{}.**\n", digest::PARTIAL)?;
    }
    let mut left = LISTED;
    for of_model in &results.runs {
        model(of_model, out)?;
        suites(of_model, out)?;
        failures(of_model, &mut left, out)?;
    }
    results.comparisons.iter().try_for_each(|comparison| compared(comparison, out))
}

/// Two runs beside each other.
fn compared(comparison: &Comparison, out: &mut ReportOutput) -> io::Result<()> {
    let (first, other) = (code(&comparison.first), code(&comparison.other));
    match comparison.baseline {
        true => writeln!(out, "### {other} against {first}\n")?,
        false => writeln!(out, "### {first} → {other}\n")?,
    }
    let all =
        comparison.suites.iter().flat_map(|suite| suite.figures.iter().map(move |found| (suite, found)));
    let (same, changed): (Vec<_>, Vec<_>) = all.partition(|(_, found)| found.difference.abs() < UNSEEN);
    if !changed.is_empty() {
        writeln!(out, "|   | suite | figure | first | other | difference (95 % interval) | items |")?;
        writeln!(out, "|---|---|---|--:|--:|--:|--:|")?;
    }
    changed.iter().try_for_each(|(suite, found)| row(suite, found, out))?;
    if !changed.is_empty() {
        writeln!(out)?;
    }
    if !same.is_empty() {
        writeln!(out, "- {} of {} figures are the same", same.len(), same.len() + changed.len())?;
    }
    for suite in &comparison.suites {
        for turn in digest::turns(suite, code) {
            writeln!(out, "- {}: {turn}", code(&suite.suite))?;
        }
        if suite.unpaired > 0 {
            writeln!(out, "- {}: {} items only in one of them", code(&suite.suite), suite.unpaired)?;
        }
    }
    if let Some(distance) = digest::distance(comparison) {
        writeln!(out, "- {distance}")?;
    }
    writeln!(out)
}

fn row(suite: &SuiteComparison, found: &Difference, out: &mut ReportOutput) -> io::Result<()> {
    let mark = match found.regressed {
        Some(true) => "❌ worse",
        Some(false) => "✅ held",
        None => "",
    };
    let (suite, figure) = (cell(&suite.suite), found.figure.name());
    let (first, other, difference) = (found.first, found.other, digest::difference(found));
    writeln!(
        out,
        "| {mark} | {suite} | {figure} | {first:.4} | {other:.4} | {difference} | {} |",
        found.items
    )
}

fn model(of_model: &ModelResults, out: &mut ReportOutput) -> io::Result<()> {
    let known = of_model.origin.known().into_iter();
    let known = known.map(|(name, value)| format!("{name} {}", code(&value.unwrap_or("unknown".into()))));
    writeln!(out, "**Model** {}: {}\n", code(&of_model.origin.model), known.collect::<Vec<_>>().join(", "))
}

fn suites(of_model: &ModelResults, out: &mut ReportOutput) -> io::Result<()> {
    if of_model.run.suites.is_empty() {
        return Ok(());
    }
    writeln!(out, "|   | suite | items | passed | share (95 % interval) | figures |")?;
    writeln!(out, "|---|---|--:|--:|--:|---|")?;
    for suite in &of_model.run.suites {
        let share = digest::share_passed(suite);
        let passed = share.map_or("–".to_string(), |share| format!("{}/{}", share.hits, share.n));
        let interval = share.map_or("–".to_string(), |share| {
            let (low, high) = share.interval();
            format!("{:.1} % ({:.1} to {:.1})", share.share() * 100.0, low * 100.0, high * 100.0)
        });
        let name = cell(&suite.name);
        writeln!(
            out,
            "| {} | {name} | {} | {passed} | {interval} | {} |",
            mark(suite),
            suite.items.len(),
            figures(suite)
        )?;
    }
    writeln!(out)
}

fn mark(suite: &SuiteOutcome) -> &'static str {
    match (suite.failed(), suite.informational) {
        (true, _) => "❌ failed",
        (false, true) => "ℹ️ informational",
        (false, false) => "✅ held",
    }
}

fn figures(suite: &SuiteOutcome) -> String {
    let shown =
        digest::figures(suite).map(|(name, value, sure)| digest::joined([&cell(name), &value, &sure]));
    shown.collect::<Vec<_>>().join(", ")
}

fn failures(of_model: &ModelResults, left: &mut usize, out: &mut ReportOutput) -> io::Result<()> {
    let mut skipped = 0;
    let failed: Vec<&SuiteOutcome> = of_model.run.suites.iter().filter(|suite| suite.failed()).collect();
    if !failed.is_empty() {
        writeln!(out, "### Failed expectations\n")?;
    }
    for suite in &failed {
        for verdict in suite.limits.iter().filter(|verdict| !verdict.passed) {
            writeln!(
                out,
                "- {}: expected {}, found {}",
                code(&suite.name),
                code(&verdict.text),
                code(&verdict.found)
            )?;
        }
        for item in digest::failed_items(suite) {
            if *left == 0 {
                skipped += 1;
                continue;
            }
            *left -= 1;
            failure(suite, item, of_model, out)?;
        }
    }
    if skipped > 0 {
        writeln!(out, "- … and {skipped} more")?;
    }
    if failed.is_empty() { Ok(()) } else { writeln!(out) }
}

fn failure(
    suite: &SuiteOutcome,
    item: &ItemOutcome,
    of_model: &ModelResults,
    out: &mut ReportOutput,
) -> io::Result<()> {
    writeln!(out, "- {} {}", code(&suite.name), code(&item.id))?;
    for verdict in digest::unmet(item) {
        writeln!(out, "  - expected {}, found {}", code(&verdict.text), code(&verdict.found))?;
    }
    let top = digest::after(item, of_model.vocab, TOP);
    if top.is_empty() {
        return Ok(());
    }
    let top = top.iter().map(|(token, p)| format!("{} {:.1} %", span(token), p * 100.0));
    writeln!(out, "  - after {}: {}", code(&tail(&item.prompt, 60)), top.collect::<Vec<_>>().join(", "))
}

/// Text as a code span.
fn code(text: &str) -> String {
    span(&plain(text))
}

/// A line as a code span, fenced by more backticks than it holds in a row.
fn span(line: &str) -> String {
    let line = head(line, TEXT);
    let longest = line.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let (blanks, ticks) =
        (line.starts_with(' ') && line.ends_with(' '), line.starts_with('`') || line.ends_with('`'));
    match (line.is_empty(), blanks || ticks) {
        // A span of nothing would be no span.
        (true, _) => "(empty)".to_string(),
        // One blank on either side is not part of the text, by the rules of code spans.
        (_, true) => format!("{fence} {line} {fence}"),
        (_, false) => format!("{fence}{line}{fence}"),
    }
}

/// A code span in a table, where a bar would end the cell even here.
fn cell(text: &str) -> String {
    code(&text.replace('|', "¦"))
}
