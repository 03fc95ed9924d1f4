//! A reply scored again: the difference per token.

use super::view::{Column, Table, TableRow, View};
use crate::query::rescore::Rescored;
use crate::token::{Vocab, printable};

/// Columns of a token.
const TOKEN: usize = 18;

/// A row a token, and the sums.
pub fn view(rescored: &Rescored, vocab: &Vocab) -> View {
    let mut table = Table::new([
        Column::figures("step", 5).after(0),
        Column::text("token", TOKEN).after(2),
        Column::figures("ln p", 9),
        Column::figures("before", 9),
        Column::figures("change", 9),
    ]);
    let (mut now, mut then) = (0.0, 0.0);
    for (i, (step, &before)) in rescored.steps.iter().zip(&rescored.before).enumerate() {
        let logprob = step.logprob().unwrap_or(f32::NAN);
        now += f64::from(logprob);
        then += f64::from(before);
        let figures = [format!("{logprob:.3}"), format!("{before:.3}"), format!("{:+.3}", logprob - before)];
        let [logprob, before, change] = figures.map(Into::into);
        let cells = [(i + 1).to_string().into(), vocab.visible(step.id).into(), logprob, before, change];
        table.rows.push(TableRow::new(cells).of(i));
    }
    let mut view = View::default();
    view.table(table);
    let n = rescored.steps.len();
    let (change, mean) = (now - then, (now - then) / n.max(1) as f64);
    view.text(format!(
        "Σ {now:.3} nat, before {then:.3}: {change:+.3} nat, {mean:+.3} per token over {n} tokens"
    ));
    if let Some(under) = &rescored.under {
        view.text(format!("both with what was in force when it was written: {}", printable(under)));
    }
    view
}
