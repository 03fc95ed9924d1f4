//! What comes next, as a record and as a table.

use serde::Serialize;

use super::bars::bar;
use super::record::{Bounds, CandidateRecord, Origin, top};
use super::view::{Column, Table, TableRow, View};
use crate::distribution::Depth;
use crate::query::next::{NamedText, NextTokens};
use crate::token::{TokenId, Vocab, text_of, visible};

/// Columns of a bar.
const BAR: usize = 10;
/// Columns of a token.
const TOKEN: usize = 18;

/// The answer of `next`.
#[derive(Debug, Serialize)]
pub struct NextRecord<'a> {
    #[serde(flatten)]
    origin: &'a Origin,
    prompt_tokens: Option<&'a [TokenId]>,
    entropy: Option<f32>,
    varentropy: Option<f32>,
    residual: Option<f64>,
    #[serde(skip_serializing_if = "Bounds::is_empty")]
    bounds: Bounds,
    top_logprobs: Vec<CandidateRecord>,
    tokens: Vec<NamedRecord<'a>>,
}

/// A text and its probability.
#[derive(Debug, Serialize)]
pub struct NamedRecord<'a> {
    text: String,
    ids: Option<&'a [TokenId]>,
    logprob: Option<f64>,
    first: CandidateRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

impl<'a> NextRecord<'a> {
    /// The record of an answer.
    pub fn new(next: &'a NextTokens, k: Depth, vocab: &Vocab, origin: &'a Origin) -> Self {
        let (top_logprobs, residual) = top(&next.prediction, k, vocab);
        let tokens = next.texts.iter().map(|named| NamedRecord {
            text: text_of(&named.text),
            ids: vocab.told_all(&named.ids),
            logprob: named.logprob.is_finite().then_some(named.logprob),
            first: CandidateRecord::new(&named.first, vocab),
            note: named.note,
        });
        NextRecord {
            origin,
            prompt_tokens: vocab.told_all(&next.prompt),
            entropy: next.prediction.entropy.exact(),
            varentropy: next.prediction.varentropy.exact(),
            residual: residual.exact(),
            bounds: Bounds::of_prediction(&next.prediction, residual),
            top_logprobs,
            tokens: tokens.collect(),
        }
    }
}

/// The candidates and the named texts.
pub fn view(next: &NextTokens, k: Depth, vocab: &Vocab) -> View {
    let (shown, residual) = next.prediction.shown(next.prediction.count(k));
    let mut table = Table::new([
        Column::figures("rank", 7).after(0),
        Column::text("token", TOKEN).after(2),
        Column::figures("p %", 7),
        Column::figures("ln p", 9),
        Column::bars("", BAR).after(2),
    ]);
    for (i, candidate) in shown.iter().enumerate() {
        let p = candidate.prob();
        let (rank, logprob) = (candidate.rank.to_string(), format!("{:.3}", candidate.logprob));
        let token = vocab.visible(candidate.id);
        let cells = [rank.into(), token.into(), percent(p).into(), logprob.into(), bar(p, BAR).into()];
        table.rows.push(TableRow::new(cells).of(i));
    }
    let hidden = (next.prediction.n_vocab as usize).saturating_sub(shown.len());
    let bar = residual.exact().map_or(String::new(), |residual| bar(residual, BAR));
    let rest = [others(hidden), residual.shown(percent), String::new(), bar];
    table.rows.push(TableRow {
        cells: [String::new()].into_iter().chain(rest).map(Into::into).collect(),
        item: None,
    });
    let mut view = View::default();
    view.table(table);
    let entropy = next.prediction.entropy.shown(|entropy| format!("{entropy:.3}"));
    let margin =
        next.prediction.margin().map_or(String::new(), |margin| format!(" · margin {margin:.3} nat"));
    // Of a server that names no ids the prompt is known by its bytes alone.
    let of = if vocab.told_all(&next.prompt).is_some() { "tokens" } else { "bytes" };
    view.text(format!("entropy {entropy} nat{margin} · after {} {of}", next.prompt.len()));
    if !next.texts.is_empty() {
        view.text("");
        view.table(named(&next.texts, vocab));
    }
    if next.texts.iter().any(|named| named.ids.len() > 1) {
        view.text("a text of several tokens: p and ln p of the whole, rank of its first token");
    }
    view
}

/// Texts and how probable they are.
pub(super) fn named(texts: &[NamedText], vocab: &Vocab) -> Table {
    let mut table = Table::new([
        Column::figures("rank", 7).after(0),
        Column::text("text", TOKEN).after(2),
        Column::figures("p %", 11),
        Column::figures("ln p", 9),
        Column::text("tokens", 0).after(2),
    ]);
    for named in texts {
        let pieces: Vec<String> = named.ids.iter().map(|&id| vocab.visible(id)).collect();
        let note = named.note.map_or(String::new(), |note| format!("  ({note})"));
        table.rows.push(TableRow::new([
            named.first.rank.shown(|rank| rank.to_string()).into(),
            visible(&named.text).into(),
            percent_wide(named.logprob.exp()).into(),
            format!("{:.3}", named.logprob).into(),
            format!("{}{note}", pieces.join("·")).into(),
        ]));
    }
    table
}

/// A probability in percent.
pub(super) fn percent(p: f64) -> String {
    format!("{:.2}", p * 100.0)
}

/// The same with enough digits for an improbable text.
pub(super) fn percent_wide(p: f64) -> String {
    if p >= 1e-4 { percent(p) } else { format!("{:.2e}", p * 100.0) }
}
/// What the last row of a table calls the tokens that are not listed; a server may not tell how many they are.
pub fn others(count: usize) -> String {
    match count {
        0 => "… the others".to_string(),
        count => format!("… {count} more"),
    }
}
