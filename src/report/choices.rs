//! Compared continuations, as records and as a table.

use serde::Serialize;

use super::record::Origin;
use super::view::{Column, Table, TableRow, View};
use crate::continuation::reduction::{Best, ChoiceRecord, Measured};
use crate::query::choices::ComparedChoices;
use crate::score::IMPOSSIBLE;
use crate::token::{text_of, visible};

/// A continuation, its figures and what there is to say of it.
#[derive(Clone, Debug, Serialize)]
struct Noted {
    #[serde(flatten)]
    choice: ChoiceRecord,
    /// What a person should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<&'static str>,
}

/// The answer of `score --choice`.
#[derive(Debug, Serialize)]
pub struct ChoicesRecord<'a> {
    #[serde(flatten)]
    origin: &'a Origin,
    context: String,
    choices: Vec<Noted>,
    best: Best,
}

impl<'a> ChoicesRecord<'a> {
    /// The record of compared texts.
    pub fn new(compared: &ComparedChoices, origin: &'a Origin) -> Self {
        let choices = compared.choices.iter().map(|choice| {
            let record = ChoiceRecord::new(text_of(&choice.text), Some(&choice.measured));
            let impossible = record.sum_logprob.is_none().then_some(IMPOSSIBLE);
            Noted {
                choice: record,
                notes: impossible.into_iter().chain(choice.notes.iter().copied()).collect(),
            }
        });
        let (context, choices) = (text_of(&compared.context), choices.collect());
        ChoicesRecord { origin, context, choices, best: compared.best }
    }
}

/// Columns of a choice.
const CHOICE: usize = 24;

/// A reduction's name, its value, and which choice is best by it.
type Reduced = (&'static str, fn(&Measured) -> Option<f64>, Option<usize>);

fn has_context(compared: &ComparedChoices) -> bool {
    !compared.context.is_empty()
}

/// Without a context, the mutual information with it decides nothing.
fn decided(compared: &ComparedChoices) -> Best {
    let acc_mutual_info = compared.best.acc_mutual_info.filter(|_| has_context(compared));
    Best { acc_mutual_info, ..compared.best }
}

fn columns(compared: &ComparedChoices) -> [Reduced; 5] {
    let best = decided(compared);
    let pmi: fn(&Measured) -> Option<f64> = if has_context(compared) { Measured::pmi } else { |_| None };
    [
        ("sum", Measured::sum, best.acc),
        ("per char", Measured::per_char, best.acc_norm),
        ("per byte", Measured::per_byte, best.acc_bytes),
        ("per token", Measured::per_token, best.acc_tokens),
        ("pmi", pmi, best.acc_mutual_info),
    ]
}

/// A figure, marked if it is the best of its kind.
fn marked(figure: Option<f64>, is_best: bool) -> String {
    let value = figure.map_or("–".to_string(), |value| format!("{value:.3}"));
    format!("{value}{}", if is_best { "◂" } else { " " })
}

fn verdict(compared: &ComparedChoices) -> &'static str {
    if decided(compared).agree() { "every reduction picks the same" } else { "the reductions disagree" }
}

fn greedy(measured: &Measured) -> &'static str {
    if measured.is_greedy { "yes" } else { "no" }
}

/// A column a choice: there are few of them, and a screen is narrow.
pub fn side_by_side(compared: &ComparedChoices) -> View {
    let mut view = View::default();
    if has_context(compared) {
        view.text(format!("after {:?}", text_of(&compared.context)));
    }
    let names =
        compared.choices.iter().map(|choice| Column::figures(visible(&choice.text) + " ", 16).after(0));
    let first = Column::text("ln p, nat", 10).after(0);
    let mut table = Table::new(std::iter::once(first).chain(names).collect::<Vec<_>>());
    let mut row = |name: &str, value: &dyn Fn(usize, &Measured) -> String| {
        let values = compared.choices.iter().enumerate().map(|(i, choice)| value(i, &choice.measured));
        let cells = std::iter::once(name.to_string()).chain(values).map(Into::into);
        table.rows.push(TableRow { cells: cells.collect(), item: None });
    };
    for (name, of, best) in columns(compared) {
        row(name, &|i, measured| marked(of(measured), best == Some(i)));
    }
    row("greedy", &|_, measured| greedy(measured).to_string() + " ");
    view.table(table);
    for choice in &compared.choices {
        choice.notes.iter().for_each(|note| view.text(format!("{}: {note}", visible(&choice.text))));
    }
    view.text(format!("◂ best of its row: {}", verdict(compared)));
    view
}

/// A row a choice, the winner of each column marked.
pub fn view(compared: &ComparedChoices) -> View {
    let columns = columns(compared);
    let figures = columns.iter().map(|(name, _, _)| Column::figures(*name, 11));
    let ends = [Column::text("greedy", 0).after(2)];
    let choice = Column::text("choice (ln p, nat)", CHOICE).after(0);
    let mut table = Table::new(std::iter::once(choice).chain(figures).chain(ends).collect::<Vec<_>>());
    for (i, choice) in compared.choices.iter().enumerate() {
        let values = columns.iter().map(|(_, of, best)| marked(of(&choice.measured), *best == Some(i)));
        let notes: String = choice.notes.iter().map(|note| format!("  ({note})")).collect();
        let last = format!("{}{notes}", greedy(&choice.measured));
        let cells = std::iter::once(visible(&choice.text)).chain(values).chain([last]).map(Into::into);
        table.rows.push(TableRow { cells: cells.collect(), item: Some(i) });
    }
    let mut view = View::default();
    view.table(table);
    view.text(format!("◂ best of its column: {}", verdict(compared)));
    view
}
