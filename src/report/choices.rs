//! Compared continuations, as records and as a table.

use std::io::{self, Write};

use serde::Serialize;

use super::record::Origin;

use crate::columns::{clipped, padded, width};
use crate::continuation::reduction::{Best, ChoiceRecord, Measured};
use crate::query::choices::Compared;
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

impl Noted {
    /// The record of a measured continuation.
    fn new(text: &[u8], measured: &Measured) -> Noted {
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        let sum_logprob = finite(measured.sum());
        let choice = ChoiceRecord {
            text: text_of(text),
            sum_logprob,
            logprob_per_char: finite(measured.per_char()),
            logprob_per_byte: finite(measured.per_byte()),
            logprob_per_token: finite(measured.per_token()),
            pmi: finite(measured.pmi()),
            is_greedy: measured.is_greedy,
        };
        Noted { choice, notes: if sum_logprob.is_none() { vec![IMPOSSIBLE] } else { Vec::new() } }
    }
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
    pub fn new(context: &[u8], texts: &[&[u8]], compared: &Compared, origin: &'a Origin) -> Self {
        let choices = compared.choices.iter().zip(texts).map(|(choice, text)| {
            let mut record = Noted::new(text, &choice.measured);
            record.notes.extend(&choice.notes);
            record
        });
        ChoicesRecord { origin, context: text_of(context), choices: choices.collect(), best: compared.best }
    }
}

/// Columns of a choice.
const CHOICE: usize = 24;

/// A column's name, its value, and which choice is best by it.
type Column = (&'static str, fn(&Measured) -> Option<f64>, Option<usize>);

/// Without a context, the mutual information with it decides nothing.
fn decided(compared: &Compared) -> Best {
    let acc_mutual_info = compared.best.acc_mutual_info.filter(|_| compared.has_context);
    Best { acc_mutual_info, ..compared.best }
}

fn columns(compared: &Compared) -> [Column; 5] {
    let best = decided(compared);
    let pmi: fn(&Measured) -> Option<f64> = if compared.has_context { Measured::pmi } else { |_| None };
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
    format!("{value:>10}{}", if is_best { "◂" } else { " " })
}

fn verdict(compared: &Compared) -> &'static str {
    if decided(compared).agree() { "every reduction picks the same" } else { "the reductions disagree" }
}

/// A column a choice, for a few of them on a narrow screen.
///
/// # Errors
/// Those of the writer.
pub fn side_by_side(out: &mut impl Write, texts: &[&[u8]], compared: &Compared) -> io::Result<()> {
    const NAME: usize = 10;
    const FIGURE: usize = 16;
    write!(out, "{}", padded("ln p, nat", NAME))?;
    for text in texts {
        let text = clipped(&visible(text), FIGURE - 1);
        write!(out, " {}{text}", " ".repeat(FIGURE - 1 - width(&text)))?;
    }
    writeln!(out)?;
    for (name, of, best) in columns(compared) {
        write!(out, "{}", padded(name, NAME))?;
        for (i, choice) in compared.choices.iter().enumerate() {
            write!(out, "{:>FIGURE$}", marked(of(&choice.measured), best == Some(i)))?;
        }
        writeln!(out)?;
    }
    write!(out, "{}", padded("greedy", NAME))?;
    for choice in &compared.choices {
        write!(out, "{:>1$} ", if choice.measured.is_greedy { "yes" } else { "no" }, FIGURE - 1)?;
    }
    writeln!(out)?;
    for (choice, text) in compared.choices.iter().zip(texts) {
        choice.notes.iter().try_for_each(|note| writeln!(out, "{}: {note}", visible(text)))?;
    }
    writeln!(out, "◂ best of its row: {}", verdict(compared))
}

/// A row a choice, the winner of each column marked.
///
/// # Errors
/// Those of the writer.
pub fn table(out: &mut impl Write, texts: &[&[u8]], compared: &Compared) -> io::Result<()> {
    let columns = columns(compared);
    write!(out, "{}", padded("choice (ln p, nat)", CHOICE))?;
    for (name, _, _) in columns {
        write!(out, " {name:>11}")?;
    }
    writeln!(out, "  greedy")?;
    for (i, (choice, text)) in compared.choices.iter().zip(texts).enumerate() {
        write!(out, "{}", padded(&visible(text), CHOICE))?;
        for (_, of, best) in columns {
            write!(out, " {}", marked(of(&choice.measured), best == Some(i)))?;
        }
        let notes: String = choice.notes.iter().map(|note| format!("  ({note})")).collect();
        writeln!(out, "  {}{notes}", if choice.measured.is_greedy { "yes" } else { "no" })?;
    }
    writeln!(out, "◂ best of its column: {}", verdict(compared))
}
