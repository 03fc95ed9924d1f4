//! What was marked as a table, as a record, as CSV and as a suite.

use std::io::{self, Write};

use serde::Serialize;

use super::{AllVerdicts, MarkCounts};
use crate::archive::event::VerdictScope;
use crate::report::cell::{cell, io_error};
use crate::report::view::{Column, Table, TableRow, View};
use crate::score::calibration::{CalibrationBin, FEWEST};
use crate::session::judged::{VerdictRecord, scope};
use crate::token::visible;

/// Characters of a text in the list.
const TEXT: usize = 40;

/// The table for people.
pub fn view(all: &AllVerdicts) -> View {
    let mut view = View::default();
    let (found, counted) = (all.calibration(), all.counted());
    view.text("calibration of what you marked");
    view.text("");
    if found.bins.is_empty() {
        view.text("no token is marked yet: /mark right or /mark wrong at a token, in a conversation");
    } else {
        view.table(bins(&found.bins));
        view.text("");
    }
    if let Some(brier) = found.brier {
        let after = found.brier_after.map_or(String::new(), |after| format!(" (final: {after:.3})"));
        let error = match found.error {
            Some(error) => format!("calibration error {error:.3}"),
            None => format!("no calibration error below {FEWEST} marked tokens"),
        };
        let (right, n) = (found.right.hits, found.right.n);
        view.text(format!(
            "{right} of {n} marked tokens are right · Brier score {brier:.3}{after} · {error}"
        ));
        view.text(
            "p is the raw probability of the token that stands there; groups are equally large; intervals are \
             Wilson's, 95 %. You chose what to mark: it says nothing about other tokens",
        );
    }
    if counted.without_figures > 0 {
        view.text(format!("{} marked tokens have no figures and are left out", counted.without_figures));
    }
    match counted.unread {
        0 => {}
        1 => view.text("1 session could not be read, or not whole"),
        n => view.text(format!("{n} sessions could not be read, or not whole")),
    }
    if all.marks().any(|(_, one)| one.scope != VerdictScope::Token) {
        view.text("");
        view.text("spans and replies:");
        view.table(stretches(all));
    }
    view
}

fn bins(bins: &[CalibrationBin]) -> Table {
    let mut table = Table::new([
        Column::figures("p", 15).after(0),
        Column::figures("mean p", 8).minor(2),
        Column::figures("final", 7).minor(3),
        Column::figures("marked", 7),
        Column::figures("right", 6).minor(1),
        Column::figures("share", 7),
        Column::figures("95 %", 13),
    ]);
    for bin in bins {
        let [low, high] = bin.range;
        let (least, most) = bin.right.interval();
        table.rows.push(TableRow::new([
            format!("{low:.3}–{high:.3}").into(),
            format!("{:.3}", bin.mean).into(),
            bin.mean_after.map_or("–".to_string(), |after| format!("{after:.3}")).into(),
            bin.right.n.to_string().into(),
            bin.right.hits.to_string().into(),
            format!("{:.3}", bin.right.share()).into(),
            format!("{least:.3}–{most:.3}").into(),
        ]));
    }
    table
}

fn stretches(all: &AllVerdicts) -> Table {
    let mut table = Table::new([
        Column::text("", 6).after(0),
        Column::text("", 6).after(1),
        Column::figures("tokens", 7).minor(2),
        Column::figures("Σ nat", 9),
        Column::text("weakest", 20).after(2).elided(14).minor(1),
        Column::text("text", 0).after(2).elided(12),
    ]);
    for (_, one) in all.marks().filter(|(_, one)| one.scope != VerdictScope::Token) {
        let weakest = one
            .weakest()
            .map_or("–".to_string(), |(token, logprob)| format!("{} {logprob:.3}", visible(&token.bytes)));
        let note = one.note.as_ref().map_or(String::new(), |note| format!("  ({note})"));
        table.rows.push(TableRow::new([
            scope(one.scope).into(),
            if one.right { "right" } else { "wrong" }.into(),
            one.tokens.len().to_string().into(),
            one.sum_logprob().map_or("–".to_string(), |sum| format!("{sum:.3}")).into(),
            weakest.into(),
            format!("{}{note}", crate::columns::clipped(&visible(&one.text()), TEXT)).into(),
        ]));
    }
    table
}

/// The record of all of it.
#[derive(Debug, Serialize)]
pub struct CalibrationRecord<'a> {
    title: &'static str,
    #[serde(flatten)]
    counted: MarkCounts,
    tokens: usize,
    right: usize,
    bins: Vec<BinRecord>,
    brier: Option<f64>,
    brier_final: Option<f64>,
    calibration_error: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    verdicts: Vec<VerdictRecord<'a>>,
}

#[derive(Debug, Serialize)]
struct BinRecord {
    low: f64,
    high: f64,
    mean_prob: f64,
    mean_final_prob: Option<f64>,
    n: usize,
    right: usize,
    share: f64,
    share_low: f64,
    share_high: f64,
}

impl<'a> CalibrationRecord<'a> {
    /// Of what was marked.
    pub fn new(all: &'a AllVerdicts) -> CalibrationRecord<'a> {
        let found = all.calibration();
        let bins = found.bins.iter().map(|bin| {
            let (share_low, share_high) = bin.right.interval();
            BinRecord {
                low: bin.range[0],
                high: bin.range[1],
                mean_prob: bin.mean,
                mean_final_prob: bin.mean_after,
                n: bin.right.n,
                right: bin.right.hits,
                share: bin.right.share(),
                share_low,
                share_high,
            }
        });
        CalibrationRecord {
            title: "calibration of what you marked",
            counted: all.counted(),
            tokens: found.right.n,
            right: found.right.hits,
            bins: bins.collect(),
            brier: found.brier,
            brier_final: found.brier_after,
            calibration_error: found.error,
            note: found.error.is_none().then(|| format!("no calibration error below {FEWEST} marked tokens")),
            verdicts: all
                .marks()
                .map(|(of, one)| VerdictRecord::new(one, Some([&of.session, &of.model])))
                .collect(),
        }
    }
}

/// A row a verdict.
///
/// # Errors
/// Those of the writer.
pub fn csv(all: &AllVerdicts, out: &mut dyn Write) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record([
        "session",
        "model",
        "scope",
        "right",
        "text",
        "tokens",
        "sum_logprob_nats",
        "final_prob",
        "weakest",
        "weakest_logprob_nats",
        "note",
    ])
    .map_err(io_error)?;
    let text = |value: Option<String>| value.unwrap_or_else(|| "NA".to_string());
    for (of, one) in all.marks() {
        let record = VerdictRecord::new(one, Some([&of.session, &of.model]));
        let weakest = record.weakest.as_ref();
        out.write_record([
            cell(&of.session).into_owned(),
            cell(&of.model).into_owned(),
            record.scope.to_string(),
            record.right.to_string(),
            cell(&record.text).into_owned(),
            record.tokens.to_string(),
            text(record.sum_logprob.map(|sum| sum.to_string())),
            text(record.final_prob.map(|p| p.to_string())),
            text(weakest.map(|weakest| cell(&weakest.token).into_owned())),
            text(weakest.and_then(|weakest| weakest.logprob).map(|logprob| logprob.to_string())),
            cell(one.note.as_deref().unwrap_or_default()).into_owned(),
        ])
        .map_err(io_error)?;
    }
    out.flush()
}
