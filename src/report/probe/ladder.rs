//! Accuracy against difficulty for people, a line a model; and as JSON.

use std::io::{self, Write};

use serde::Serialize;

use super::digest::plain;
use super::probe_report::ProbeReport;
use crate::columns::{padded, width, wrapped};
use crate::probe::compare::Comparison;
use crate::probe::outcome::RunOutcome;
use crate::probe::scale::{self, ACCURACY, Difficulty, LadderLine, Rung, ScaleLadder};
use crate::probe::stats::Share;
use crate::report::out::ReportOutput;

/// Columns of a line of text.
const READABLE: usize = 98;
/// Least columns of a rung.
const RUNG: usize = 9;

/// Writes the ladders when every model has run.
pub struct LadderReport {
    out: ReportOutput,
}

impl LadderReport {
    /// A report that goes here.
    pub fn new(out: ReportOutput) -> LadderReport {
        LadderReport { out }
    }
}

impl ProbeReport for LadderReport {
    fn finish(&mut self, runs: &[RunOutcome], _: &[Comparison]) -> io::Result<()> {
        let ladders = scale::ladders(runs);
        if ladders.is_empty() {
            let why = "no ladder: no suite that all models ran has items of different difficulty (a number in their ids, a `difficulty`, or ten items with an answer)";
            writeln!(self.out, "{why}")?;
        } else {
            prose(&mut self.out, &format!("accuracy: {ACCURACY}"))?;
            writeln!(self.out)?;
        }
        if runs.iter().any(|run| run.interrupted) {
            writeln!(self.out, "{}\n", super::digest::PARTIAL)?;
        }
        ladders.iter().try_for_each(|ladder| write(&mut self.out, ladder))?;
        runs.iter().try_for_each(|run| writeln!(self.out, "{}", super::digest::ended(run)))?;
        self.out.keep()
    }
}

fn write(out: &mut impl Write, ladder: &ScaleLadder) -> io::Result<()> {
    writeln!(out, "{}", plain(&ladder.suite))?;
    prose(out, &format!("difficulty: {}", plain(&ladder.difficulty.definition())))?;
    if ladder.left_out > 0 {
        prose(out, &format!("{} items of the suite are on no rung of it", ladder.left_out))?;
    }
    let labels: Vec<String> = ladder.rungs.iter().map(Rung::name).collect();
    let columns = labels.iter().map(|label| width(label)).max().unwrap_or(0).max(RUNG - 2) + 2;
    let names: Vec<String> = ladder.lines.iter().map(named).collect();
    let wide = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let row = |name: &str, plot: &str, cells: &mut dyn Iterator<Item = String>| {
        let cells: String = cells.map(|cell| right(&cell, columns)).collect();
        format!("  {} {}{cells}", padded(name, wide), padded(plot, ladder.rungs.len())).trim_end().to_string()
    };
    let all = ["all".to_string()];
    writeln!(out, "{}", row("", "", &mut labels.into_iter().chain(all)))?;
    let total = ladder.rungs.iter().map(|rung| rung.items).sum::<usize>();
    let counts = ladder.rungs.iter().map(|rung| rung.items).chain([total]);
    writeln!(out, "{}", row("items", "", &mut counts.map(|n| n.to_string())))?;
    for (line, name) in ladder.lines.iter().zip(&names) {
        let shares = || line.rungs.iter().chain([&line.all]);
        let plot: String = line.rungs.iter().map(|share| level(share.share())).collect();
        let share = shares().map(|share| format!("{:.1} %", share.share() * 100.0));
        writeln!(out, "{}", row(name, &plot, &mut share.into_iter()))?;
        let interval = shares().map(|share| {
            let (low, high) = share.interval();
            format!("{:.0}–{:.0}", low * 100.0, high * 100.0)
        });
        writeln!(out, "{}", row("", "", &mut interval.into_iter()))?;
    }
    writeln!(out)
}

fn right(cell: &str, columns: usize) -> String {
    format!("{}{cell}", " ".repeat(columns.saturating_sub(width(cell))))
}

fn prose(out: &mut impl Write, text: &str) -> io::Result<()> {
    wrapped(text, READABLE).iter().try_for_each(|line| writeln!(out, "  {line}"))
}

/// A share as an eighth of a cell's height.
fn level(share: f64) -> char {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    LEVELS[((share.clamp(0.0, 1.0) * 7.0).round() as usize).min(7)]
}

/// A model and its size.
pub(super) fn named(line: &LadderLine) -> String {
    format!("{} · {}", plain(&line.model), weights(line.parameters))
}

/// A number of weights, to three figures.
pub(super) fn weights(parameters: Option<u64>) -> String {
    let Some(parameters) = parameters else { return "size unknown".to_string() };
    let (value, unit) = match parameters as f64 {
        n if n >= 999.5e6 => (n / 1e9, "B"),
        n if n >= 999.5e3 => (n / 1e6, "M"),
        n => (n / 1e3, "k"),
    };
    match value {
        v if v >= 99.95 => format!("{v:.0} {unit}"),
        v if v >= 9.995 => format!("{v:.1} {unit}"),
        v => format!("{v:.2} {unit}"),
    }
}

/// A ladder as one JSON object.
#[derive(Debug, Serialize)]
pub(super) struct LadderRecord<'a> {
    suite: &'a str,
    difficulty: &'a Difficulty,
    definition: String,
    accuracy: &'static str,
    left_out: usize,
    rungs: &'a [Rung],
    models: Vec<LadderModel>,
}

#[derive(Debug, Serialize)]
struct LadderModel {
    model: String,
    parameters: Option<u64>,
    rungs: Vec<AccuracyRecord>,
    all: AccuracyRecord,
}

#[derive(Debug, Serialize)]
struct AccuracyRecord {
    right: usize,
    items: usize,
    accuracy: f64,
    low: f64,
    high: f64,
}

impl LadderRecord<'_> {
    /// The record of a ladder.
    pub fn new(ladder: &ScaleLadder) -> LadderRecord<'_> {
        let model = |line: &LadderLine| LadderModel {
            model: line.model.clone(),
            parameters: line.parameters,
            rungs: line.rungs.iter().copied().map(AccuracyRecord::from).collect(),
            all: line.all.into(),
        };
        LadderRecord {
            suite: &ladder.suite,
            difficulty: &ladder.difficulty,
            definition: ladder.difficulty.definition(),
            accuracy: ACCURACY,
            left_out: ladder.left_out,
            rungs: &ladder.rungs,
            models: ladder.lines.iter().map(model).collect(),
        }
    }
}

impl From<Share> for AccuracyRecord {
    fn from(share: Share) -> AccuracyRecord {
        let (low, high) = share.interval();
        AccuracyRecord { right: share.hits, items: share.n, accuracy: share.share(), low, high }
    }
}

#[cfg(test)]
mod tests;
