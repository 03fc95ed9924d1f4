//! Two runs beside each other, for people.

use std::io::{self, Write};

use super::digest::plain;
use crate::probe::compare::{Comparison, Difference};
use crate::report::table::padded;

/// Columns of a figure's name.
const NAME: usize = 14;

/// Writes a row for each figure of each suite, how far the models are from each other, and what has
/// become worse.
pub(super) fn write(out: &mut impl Write, comparison: &Comparison) -> io::Result<()> {
    writeln!(out, "{} → {}", plain(&comparison.first), plain(&comparison.other))?;
    for suite in &comparison.suites {
        let missing = match suite.unpaired {
            0 => String::new(),
            n => format!("  ({n} items only in one of them)"),
        };
        writeln!(out, "  {}{missing}", plain(&suite.suite))?;
        for figure in &suite.figures {
            writeln!(out, "    {}", row(figure))?;
        }
    }
    if let Some(far) = &comparison.divergence {
        let interval = interval(far.low, far.high, |end| format!("{end:.4}"));
        writeln!(out, "  KL divergence {:.4} nat/token{interval} over {} tokens", far.nats, far.tokens)?;
    }
    if comparison.divergence.is_none() && !comparison.baseline {
        writeln!(out, "  no KL divergence: their tokens differ; bits per byte can be compared all the same")?;
    }
    for worse in &comparison.regressions {
        writeln!(out, "  ✗ {}", plain(worse))?;
    }
    if comparison.baseline && comparison.regressions.is_empty() {
        writeln!(out, "  ✓ nothing is worse than the tolerance allows")?;
    }
    writeln!(out)
}

fn row(figure: &Difference) -> String {
    let name = padded(figure.figure.name(), NAME);
    let interval = interval(figure.low, figure.high, |end| format!("{end:+.4}"));
    let (first, other) = (figure.first, figure.other);
    format!(
        "{name} {first:>9.4} → {other:>9.4}  {:+.4}{interval} over {} items",
        figure.difference, figure.items
    )
}

fn interval(low: Option<f64>, high: Option<f64>, shown: impl Fn(f64) -> String) -> String {
    let both = low.zip(high);
    both.map_or(String::new(), |(low, high)| format!(" ({} … {})", shown(low), shown(high)))
}
