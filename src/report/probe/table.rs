//! Probe results for people: a block for each suite, a line for each probe, and what failed.

use std::io::{self, Write};

use indexmap::IndexMap;

use super::digest::{self, plain, tail};
use super::probe_report::{ProbeReport, ReportSubject};
use super::side_by_side;
use crate::probe::compare::Comparison;
use crate::probe::outcome::{ItemOutcome, RunOutcome, SuiteOutcome};
use crate::report::bars::{Paint, bar};
use crate::report::out::ReportOutput;
use crate::report::view::{self, Block, Cell, Column, TableRow, View};
use crate::token::{Vocab, printable, visible};

/// Cells of a bar.
const BAR: usize = 10;
/// Columns of a probe's name.
const NAME: usize = 28;
/// Failed items that are shown in full for each suite.
const SHOWN: usize = 20;
/// Candidates shown of a distribution.
const TOP: usize = 5;

/// A block of text for each suite.
pub struct TableReport {
    out: ReportOutput,
    model: Option<String>,
}

impl TableReport {
    /// A report that goes here.
    pub fn new(out: ReportOutput) -> TableReport {
        TableReport { out, model: None }
    }

    /// The model, where it is another than before.
    fn model(&mut self, subject: ReportSubject) -> io::Result<()> {
        if self.model.as_ref() != Some(&subject.origin.model) {
            self.model = Some(subject.origin.model.clone());
            let provenance = &subject.origin.provenance;
            writeln!(self.out, "{} · {}\n", printable(&subject.origin.model), provenance.quantization)?;
        }
        Ok(())
    }
}

/// The block of a suite: its claim, a row a probe, what failed, its figures.
pub fn suite(suite: &SuiteOutcome, vocab: &Vocab) -> View {
    let mut view = View::default();
    let title = suite.title.as_ref().map(|title| format!(" · {}", plain(title))).unwrap_or_default();
    view.text(format!("{}{title}", plain(&suite.name)));
    let claim = suite.claim.as_deref().map(plain).unwrap_or_default();
    view.blocks.extend((!claim.is_empty()).then_some(Block::Prose(claim)));
    view.table(probes(suite));
    failures(&mut view, suite, vocab);
    totals(&mut view, suite);
    view
}

fn probes(suite: &SuiteOutcome) -> view::Table {
    let mut groups: IndexMap<&str, Vec<&ItemOutcome>> = IndexMap::new();
    for item in &suite.items {
        groups.entry(&item.probe).or_default().push(item);
    }
    let mut table = view::Table::new([
        Column::text("", NAME).after(2).cut(),
        Column::figures("", 9),
        Column::bars("", BAR),
        Column::text("", 0).after(2),
    ]);
    for (name, items) in groups {
        let judged = items.iter().filter(|item| item.passed.is_some()).count();
        let passed = items.iter().filter(|item| item.passed == Some(true)).count();
        let name = match items.as_slice() {
            [only] => only.id.clone(),
            // What a template in its name became.
            [first, .., last] if name.contains("{{") => format!("{} … {}", first.id, last.id),
            _ => name.to_string(),
        };
        let share = match judged {
            0 => [String::new(), String::new()],
            _ => [format!("{passed}/{judged}"), bar(passed as f64 / judged as f64, BAR)],
        };
        let notes = [figures(&items), unfailing(suite, &items)];
        let notes: Vec<String> = notes.into_iter().filter(|note| !note.is_empty()).collect();
        let [share, bar] = share.map(Cell::from);
        table.rows.push(TableRow::new([plain(&name).into(), share, bar, notes.join(" · ").into()]));
    }
    table
}

fn failures(view: &mut View, suite: &SuiteOutcome, vocab: &Vocab) {
    let failed: Vec<&ItemOutcome> = suite.items.iter().filter(|item| fails(item, suite)).collect();
    for item in failed.iter().take(SHOWN) {
        view.text("");
        view.text(format!("  ✗ {}", plain(&item.id)));
        for verdict in item.expect.iter().filter(|verdict| !verdict.passed) {
            view.text(format!("    expected {}", plain(&verdict.text)));
            view.text(format!("    found    {}", plain(&verdict.found)));
        }
        if !item.top.is_empty() {
            view.text(format!("    after    {}", plain(&tail(&item.prompt, 60))));
            view.table(top(item, vocab));
        }
    }
    if failed.len() > SHOWN {
        view.text("");
        view.text(format!("  … and {} more", failed.len() - SHOWN));
    }
}

fn top(item: &ItemOutcome, vocab: &Vocab) -> view::Table {
    let columns = [Column::text("", 16).after(13), Column::figures("", 7), Column::bars("", BAR)];
    let mut table = view::Table::new(columns);
    for candidate in item.top.iter().take(TOP) {
        let (p, token) = (candidate.prob(), vocab.visible(candidate.id));
        table.rows.push(TableRow::new([
            token.into(),
            format!("{:.1} %", p * 100.0).into(),
            bar(p, BAR).into(),
        ]));
    }
    table
}

fn totals(view: &mut View, suite: &SuiteOutcome) {
    for verdict in &suite.limits {
        let mark = if verdict.passed { '✓' } else { '✗' };
        view.text(format!("  {mark} {}  (found {})", plain(&verdict.text), plain(&verdict.found)));
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
    view.text(format!("  {}{note}", parts.join(" · ")));
    view.text("");
}

impl ProbeReport for TableReport {
    fn suite(&mut self, subject: ReportSubject, suite: &SuiteOutcome) -> io::Result<()> {
        self.model(subject)?;
        self::suite(suite, &subject.model.vocab).write(&mut self.out, Paint::default())?;
        self.out.flush()
    }

    fn finish(&mut self, runs: &[RunOutcome], comparisons: &[Comparison]) -> io::Result<()> {
        comparisons.iter().try_for_each(|comparison| side_by_side::write(&mut self.out, comparison))?;
        for run in runs {
            writeln!(self.out, "{}", digest::ended(run))?;
        }
        self.out.keep()
    }
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
            let rank = token
                .first
                .map(|first| format!(" rank {}", first.rank.shown(|rank| rank.to_string())))
                .unwrap_or_default();
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
    fn what_a_file_says_reaches_no_terminal_raw() {
        use crate::columns::clipped;
        assert_eq!(plain("a\u{1b}[2J b\nc"), "a<0x1B>[2J b⏎c");
        assert_eq!(clipped("北京北京", 5), "北京…");
    }
}
