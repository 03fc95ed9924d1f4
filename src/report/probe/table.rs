//! Probe results for people: a block for each suite, a line for each probe, and what failed.

use std::io::{self, Write};

use indexmap::IndexMap;

use super::digest::{self, plain, tail};
use super::out::Out;
use super::side_by_side;
use super::{Report, Subject};
use crate::columns::{clipped, padded, wrapped};
use crate::probe::compare::Comparison;
use crate::probe::outcome::{ItemOutcome, RunOutcome, SuiteOutcome};
use crate::token::{Vocab, printable, visible};

/// Cells of a bar.
const BAR: usize = 10;
/// Columns of a claim.
const PROSE: usize = 98;
/// Columns of a probe's name.
const NAME: usize = 28;
/// Failed items that are shown in full for each suite.
const SHOWN: usize = 20;
/// Candidates shown of a distribution.
const TOP: usize = 5;

/// A block of text for each suite.
pub struct Table {
    out: Out,
    model: Option<String>,
}

impl Table {
    /// A report that goes here.
    pub fn new(out: Out) -> Table {
        Table { out, model: None }
    }

    /// The model, where it is another than before.
    fn model(&mut self, subject: Subject) -> io::Result<()> {
        if self.model.as_ref() != Some(&subject.origin.model) {
            self.model = Some(subject.origin.model.clone());
            let provenance = &subject.origin.provenance;
            writeln!(self.out, "{} · {}\n", printable(&subject.origin.model), provenance.quantization)?;
        }
        Ok(())
    }
}

/// Writes the block of a suite, its claim in lines of at most so many columns.
///
/// # Errors
/// Those of the writer.
pub fn write_suite(out: &mut dyn Write, suite: &SuiteOutcome, vocab: &Vocab, prose: usize) -> io::Result<()> {
    heading(out, suite, prose)?;
    probes(out, suite)?;
    failures(out, suite, vocab)?;
    totals(out, suite)
}

fn heading(out: &mut dyn Write, suite: &SuiteOutcome, prose: usize) -> io::Result<()> {
    let title = suite.title.as_ref().map(|title| format!(" · {}", plain(title))).unwrap_or_default();
    writeln!(out, "{}{title}", plain(&suite.name))?;
    let claim = suite.claim.as_deref().map(plain).unwrap_or_default();
    wrapped(&claim, prose).iter().try_for_each(|line| writeln!(out, "  {line}"))
}

fn probes(out: &mut dyn Write, suite: &SuiteOutcome) -> io::Result<()> {
    let mut groups: IndexMap<&str, Vec<&ItemOutcome>> = IndexMap::new();
    for item in &suite.items {
        groups.entry(&item.probe).or_default().push(item);
    }
    for (name, items) in groups {
        let judged = items.iter().filter(|item| item.passed.is_some()).count();
        let passed = items.iter().filter(|item| item.passed == Some(true)).count();
        let name = if let [only] = items.as_slice() { &only.id } else { name };
        let share = if judged == 0 {
            " ".repeat(BAR + 10)
        } else {
            format!("{:>9} {}", format!("{passed}/{judged}"), bar(passed as f64 / judged as f64))
        };
        let notes = [figures(&items), unfailing(suite, &items)];
        let notes: Vec<String> = notes.into_iter().filter(|note| !note.is_empty()).collect();
        let name = padded(&clipped(&plain(name), NAME), NAME);
        let line = format!("  {name} {share}  {}", notes.join(" · "));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

fn failures(out: &mut dyn Write, suite: &SuiteOutcome, vocab: &Vocab) -> io::Result<()> {
    let failed: Vec<&ItemOutcome> = suite.items.iter().filter(|item| fails(item, suite)).collect();
    for item in failed.iter().take(SHOWN) {
        writeln!(out, "\n  ✗ {}", plain(&item.id))?;
        for verdict in item.expect.iter().filter(|verdict| !verdict.passed) {
            writeln!(out, "    expected {}", plain(&verdict.text))?;
            writeln!(out, "    found    {}", plain(&verdict.found))?;
        }
        top(out, item, vocab)?;
    }
    if failed.len() > SHOWN {
        writeln!(out, "\n  … and {} more", failed.len() - SHOWN)?;
    }
    Ok(())
}

fn top(out: &mut dyn Write, item: &ItemOutcome, vocab: &Vocab) -> io::Result<()> {
    if item.top.is_empty() {
        return Ok(());
    }
    writeln!(out, "    after    {}", plain(&tail(&item.prompt, 60)))?;
    for candidate in item.top.iter().take(TOP) {
        let token = padded(&vocab.visible(candidate.id), 16);
        let p = candidate.prob();
        writeln!(out, "             {token} {:>5.1} % {}", p * 100.0, bar(p).trim_end())?;
    }
    Ok(())
}

fn totals(out: &mut dyn Write, suite: &SuiteOutcome) -> io::Result<()> {
    for verdict in &suite.limits {
        let mark = if verdict.passed { '✓' } else { '✗' };
        writeln!(out, "  {mark} {}  (found {})", plain(&verdict.text), plain(&verdict.found))?;
    }
    let mut parts = vec![format!("{} items", suite.items.len())];
    let (passed, missed) = (suite.passed(), suite.missed());
    if passed + missed > 0 {
        parts.push(format!("{passed} passed, {missed} did not"));
    }
    if suite.unscored() > 0 {
        parts.push(format!("{} could not be scored and count in no figure", suite.unscored()));
    }
    parts.extend(digest::figures(suite).map(|(name, value, sure)| digest::joined([name, &value, &sure])));
    let note = if suite.informational { " · informational" } else { "" };
    writeln!(out, "  {}{note}\n", parts.join(" · "))
}

impl Report for Table {
    fn item(&mut self, _: Subject, _: &ItemOutcome) -> io::Result<()> {
        Ok(())
    }

    fn suite(&mut self, subject: Subject, suite: &SuiteOutcome) -> io::Result<()> {
        self.model(subject)?;
        write_suite(&mut self.out, suite, &subject.model.vocab, PROSE)?;
        self.out.flush()
    }

    fn finish(&mut self, runs: &[RunOutcome], comparisons: &[Comparison]) -> io::Result<()> {
        comparisons.iter().try_for_each(|comparison| side_by_side::write(&mut self.out, comparison))?;
        for run in runs {
            let suites = run.suites.iter().filter(|suite| suite.failed()).count();
            let items: usize = run.suites.iter().map(|suite| suite.items.len()).sum();
            let what = match (suites, run.interrupted) {
                (_, true) => "stopped".to_string(),
                (0, false) => "everything held that was expected".to_string(),
                (1, false) => "an expectation failed in 1 suite".to_string(),
                (n, false) => format!("expectations failed in {n} suites"),
            };
            writeln!(
                self.out,
                "{}: {} suites, {items} items: {what}",
                printable(&run.model),
                run.suites.len()
            )?;
        }
        self.out.keep()
    }
}

/// A share as a bar of a fixed width, to an eighth of a cell.
pub fn bar(share: f64) -> String {
    const PARTS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];
    let eighths = (share.clamp(0.0, 1.0) * (BAR * 8) as f64).round() as usize;
    (0..BAR).map(|cell| PARTS[eighths.saturating_sub(cell * 8).min(8)]).collect()
}

/// Whether an item's failure is told in full: where it fails the run, or would if its suite did.
fn fails(item: &ItemOutcome, suite: &SuiteOutcome) -> bool {
    item.expect.iter().any(|verdict| verdict.fails() || (suite.informational && !verdict.passed))
}

/// How many of a probe's items can't fail, in a suite that can.
fn unfailing(suite: &SuiteOutcome, items: &[&ItemOutcome]) -> String {
    let only_reported = |item: &&&ItemOutcome| item.expect.iter().any(|verdict| verdict.informational);
    match items.iter().filter(only_reported).count() {
        n if suite.informational || n == 0 => String::new(),
        n if n == items.len() => "informational".to_string(),
        n => format!("{n} of them informational"),
    }
}

/// What else is worth a look of a probe's items.
fn figures(items: &[&ItemOutcome]) -> String {
    let mut parts = Vec::new();
    let probabilities: Vec<f64> = items
        .iter()
        .filter_map(|item| item.target.as_ref())
        .flat_map(|target| &target.phrasings)
        .filter_map(|phrasing| phrasing.p)
        .collect();
    if let Some(summary) = crate::probe::stats::Summary::of(&probabilities) {
        parts.push(match probabilities.len() {
            1 => format!("p {:.4}", summary.mean),
            n => format!("p {:.4} ({:.4} … {:.4} over {n})", summary.mean, summary.min, summary.max),
        });
    }
    let first = items.first();
    if let (1, Some(item)) = (items.len(), first) {
        parts.extend(item.versus.as_ref().and_then(|versus| {
            let interval = versus.low.zip(versus.high);
            let interval =
                interval.map(|(low, high)| format!(" ({low:+.3} … {high:+.3})")).unwrap_or_default();
            Some(format!("Δ {:+.3} nat{interval}", versus.difference?))
        }));
        parts.extend(item.tokens.iter().map(|token| {
            let p = token.logprob.map_or("–".to_string(), |logprob| format!("{:.4}", logprob.exp()));
            let rank = token.first.map(|first| format!(" rank {}", first.rank)).unwrap_or_default();
            format!("p({}) {p}{rank}", visible(token.text.as_bytes()))
        }));
        parts.extend(item.greedy.as_ref().map(|greedy| format!("greedy {:?}", plain(&greedy.text))));
        parts.extend(item.samples.iter().map(|sample| {
            let share = sample.prevalence.zip(sample.low.zip(sample.high));
            let share = share.map_or(String::new(), |(share, (low, high))| {
                format!(" {:.0} % ({:.0} … {:.0})", share * 100.0, low * 100.0, high * 100.0)
            });
            let agreement =
                sample.agreement.map(|agreement| format!(" agree {agreement:.2}")).unwrap_or_default();
            format!("T {}:{share}{agreement}", sample.temperature)
        }));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_has_one_width_and_grows() {
        use unicode_width::UnicodeWidthStr;
        for percent in 0..=100 {
            assert_eq!(bar(f64::from(percent) / 100.0).width(), BAR);
        }
        assert_eq!(bar(0.0), " ".repeat(BAR));
        assert_eq!(bar(0.5), "█████     ");
        assert_eq!(bar(f64::NAN), " ".repeat(BAR));
    }

    #[test]
    fn what_a_file_says_reaches_no_terminal_raw() {
        assert_eq!(plain("a\u{1b}[2J b\nc"), "a<0x1B>[2J b⏎c");
        assert_eq!(clipped("北京北京", 5), "北京…");
    }
}
