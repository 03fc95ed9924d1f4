//! Compared continuations, as records and as a table.

use std::io::{self, Write};

use serde::Serialize;

use super::record::Origin;
use super::table::padded;
use crate::query::choices::Compared;
use crate::score::IMPOSSIBLE;
use crate::score::choices::{Best, Measured};
use crate::token::{text_of, visible};

/// A continuation and its figures, in nats.
#[derive(Clone, Debug, Serialize)]
pub struct ChoiceRecord {
    /// As it was given.
    pub text: String,
    /// Σ ln p given the context.
    pub sum_logprob: Option<f64>,
    /// ÷ characters without the white space before it.
    pub logprob_per_char: Option<f64>,
    /// ÷ UTF-8 bytes of those.
    pub logprob_per_byte: Option<f64>,
    /// ÷ tokens.
    pub logprob_per_token: Option<f64>,
    /// Σ ln p given the context − Σ ln p after BOS.
    pub pmi: Option<f64>,
    /// Every token was the most probable.
    pub is_greedy: bool,
    /// What a person should know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<&'static str>,
}

impl ChoiceRecord {
    /// The record of a measured continuation.
    pub fn new(text: &[u8], measured: &Measured) -> ChoiceRecord {
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        let sum_logprob = finite(measured.sum());
        ChoiceRecord {
            text: text_of(text),
            sum_logprob,
            logprob_per_char: finite(measured.per_char()),
            logprob_per_byte: finite(measured.per_byte()),
            logprob_per_token: finite(measured.per_token()),
            pmi: finite(measured.pmi()),
            is_greedy: measured.is_greedy,
            notes: if sum_logprob.is_none() { vec![IMPOSSIBLE] } else { Vec::new() },
        }
    }
}

/// The answer of `score --choice`.
#[derive(Debug, Serialize)]
pub struct ChoicesRecord<'a> {
    #[serde(flatten)]
    origin: &'a Origin,
    context: String,
    choices: Vec<ChoiceRecord>,
    best: Best,
}

impl<'a> ChoicesRecord<'a> {
    /// The record of compared texts.
    pub fn new(context: &[u8], texts: &[&[u8]], compared: &Compared, origin: &'a Origin) -> Self {
        let choices = compared.choices.iter().zip(texts).map(|(choice, text)| {
            let mut record = ChoiceRecord::new(text, &choice.measured);
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

/// A row a choice, the winner of each column marked.
///
/// # Errors
/// Those of the writer.
pub fn table(out: &mut impl Write, texts: &[&[u8]], compared: &Compared) -> io::Result<()> {
    let best = compared.best;
    let columns: [Column; 5] = [
        ("sum", Measured::sum, best.acc),
        ("per char", Measured::per_char, best.acc_norm),
        ("per byte", Measured::per_byte, best.acc_bytes),
        ("per token", Measured::per_token, best.acc_tokens),
        ("pmi", Measured::pmi, best.acc_mutual_info),
    ];
    write!(out, "{}", padded("choice (ln p, nat)", CHOICE))?;
    for (name, _, _) in columns {
        write!(out, " {name:>11}")?;
    }
    writeln!(out, "  greedy")?;
    for (i, (choice, text)) in compared.choices.iter().zip(texts).enumerate() {
        write!(out, "{}", padded(&visible(text), CHOICE))?;
        for (_, of, best) in columns {
            let value = of(&choice.measured).map_or("–".to_string(), |value| format!("{value:.3}"));
            let mark = if best == Some(i) { "◂" } else { " " };
            write!(out, " {value:>10}{mark}")?;
        }
        let notes: String = choice.notes.iter().map(|note| format!("  ({note})")).collect();
        writeln!(out, "  {}{notes}", if choice.measured.is_greedy { "yes" } else { "no" })?;
    }
    let verdict = if best.agree() { "every reduction picks the same" } else { "the reductions disagree" };
    writeln!(out, "◂ best of its column: {verdict}")
}
