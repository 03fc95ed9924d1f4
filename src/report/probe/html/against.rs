//! Two runs beside each other: a row for each figure of each suite, with its difference drawn.

use minijinja::{Value, context};

use super::state;
use crate::probe::compare::{ComparedFigure, Comparison, Difference, SuiteComparison};
use crate::report::html::plot;
use crate::report::probe::digest::{self, plain};

/// What plots span at least: less is noise of the arithmetic.
const SMALLEST: f64 = 0.01;

/// Two runs, and a row for each figure that both have.
pub fn view(comparison: &Comparison) -> Value {
    // Figures together, so that bars of one scale stand below each other.
    let rows = ComparedFigure::ALL.into_iter().flat_map(|figure| {
        let scale = scale(comparison, figure);
        of(comparison, figure).map(move |(suite, found)| row(suite, found, scale))
    });
    context! {
        first => plain(&comparison.first),
        other => plain(&comparison.other),
        state => match (comparison.baseline, comparison.regressions.is_empty()) {
            (false, _) => state("two models", "neutral"),
            (true, true) => state("nothing is worse", "good"),
            (true, false) => state("worse than before", "bad"),
        },
        rows => rows.collect::<Vec<_>>(),
        notes => notes(comparison),
    }
}

/// A figure in every suite that has it.
fn of(
    comparison: &Comparison,
    figure: ComparedFigure,
) -> impl Iterator<Item = (&SuiteComparison, &Difference)> {
    let all =
        comparison.suites.iter().flat_map(|suite| suite.figures.iter().map(move |found| (suite, found)));
    all.filter(move |(_, found)| found.figure == figure)
}

/// The largest difference of a figure, with its interval: what its plots span to either side.
fn scale(comparison: &Comparison, figure: ComparedFigure) -> f64 {
    let found = of(comparison, figure).map(|(_, found)| found);
    let ends = found.flat_map(|found| [Some(found.difference), found.low, found.high]).flatten();
    ends.fold(SMALLEST, |most: f64, end| most.max(end.abs()))
}

fn notes(comparison: &Comparison) -> Vec<String> {
    let mut notes: Vec<String> = digest::distance(comparison).into_iter().collect();
    notes.extend(comparison.tolerance.map(|allowed| format!("tolerance {allowed}")));
    for suite in &comparison.suites {
        let name = plain(&suite.suite);
        let turns = digest::turns(suite, digest::short_name);
        notes.extend(turns.iter().map(|turn| format!("{name}: {turn}")));
        if suite.unpaired > 0 {
            notes.push(format!("{name}: {} items only in one of them", suite.unpaired));
        }
    }
    notes
}

fn row(suite: &SuiteComparison, found: &Difference, scale: f64) -> Value {
    // Only where the interval leaves no doubt of the side.
    let class = match found.low.zip(found.high) {
        Some((low, high)) if low > 0.0 || high < 0.0 => {
            if (found.difference > 0.0) == found.figure.is_cost() { "bad" } else { "good" }
        }
        _ => "neutral",
    };
    context! {
        suite => plain(&suite.suite),
        figure => found.figure.name(),
        first => format!("{:.4}", found.first),
        other => format!("{:.4}", found.other),
        difference => digest::difference(found),
        plot => plot::difference(found.difference, found.low.zip(found.high), scale, class),
        items => found.items,
        state => found.regressed.map(|worse| if worse { state("worse", "bad") } else { state("held", "good") }),
    }
}
