//! Two runs beside each other, for people.

use std::io::{self, Write};

use super::digest::{self, plain};
use crate::columns::padded;
use crate::probe::compare::{Comparison, Difference};

/// Columns of a figure's name.
const NAME: usize = 14;

/// Writes a row for each figure of each suite, how far the models are from each other, and what has
/// become worse.
pub(super) fn write(out: &mut impl Write, comparison: &Comparison) -> io::Result<()> {
    writeln!(out, "{}", digest::pair(comparison))?;
    for suite in &comparison.suites {
        let missing = match suite.unpaired {
            0 => String::new(),
            n => format!("  ({n} items only in one of them)"),
        };
        writeln!(out, "  {}{missing}", plain(&suite.suite))?;
        for figure in &suite.figures {
            writeln!(out, "    {}", row(figure))?;
        }
        let turns = digest::turns(suite, digest::short_name);
        turns.iter().try_for_each(|turn| writeln!(out, "    {turn}"))?;
    }
    if let Some(distance) = digest::distance(comparison) {
        writeln!(out, "  {distance}")?;
    }
    for worse in &comparison.regressions {
        writeln!(out, "  ✗ {}", plain(worse))?;
    }
    if comparison.baseline && comparison.regressions.is_empty() {
        writeln!(out, "  ✓ nothing is worse than the tolerance allows")?;
    }
    writeln!(out)
}

fn row(found: &Difference) -> String {
    let name = padded(found.figure.name(), NAME);
    let (first, other) = (found.first, found.other);
    format!("{name} {first:>9.4} → {other:>9.4}  {} over {} items", digest::difference(found), found.items)
}
