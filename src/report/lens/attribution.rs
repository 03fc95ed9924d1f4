//! Shares in a logit, as a record and as a table.

use serde::Serialize;

use super::measures::small;
use crate::engine::look::{Addend, Part};
use crate::lens::attribution::Attribution;
use crate::lens::subject::Subject;
use crate::report::bars::bar;
use crate::report::view::{Column, Table, TableRow, View};

/// Columns of a bar.
const BAR: usize = 10;

/// All shares.
#[derive(Debug, Serialize)]
pub struct AttributionRecord {
    parts: Vec<ShareRecord>,
    /// Of embedding, attention and feed-forward networks: heads are part of attention.
    sum: f64,
    /// The model's own.
    logit: f64,
    /// `logit` minus `sum`; null where the run was stopped before all parts.
    remainder: Option<f64>,
    /// The most that the heads of a layer lack to its attention; null as well.
    heads_remainder: Option<f64>,
}

#[derive(Debug, Serialize)]
struct ShareRecord {
    part: &'static str,
    layer: Option<usize>,
    head: Option<usize>,
    logit: f64,
}

impl AttributionRecord {
    /// The record.
    pub fn new(found: &Attribution, partial: bool) -> AttributionRecord {
        let share = |&(addend, logit): &(Addend, f64)| {
            let (part, layer, head) = named(addend);
            ShareRecord { part, layer, head, logit }
        };
        let sum = found.sum();
        AttributionRecord {
            parts: found.parts.iter().map(share).collect(),
            sum,
            logit: found.logit,
            remainder: (!partial).then_some(found.logit - sum),
            heads_remainder: (!partial).then(|| found.heads_remainder()),
        }
    }
}

/// An addend's name, its layer and its head.
pub(super) fn named(addend: Addend) -> (&'static str, Option<usize>, Option<usize>) {
    match addend {
        Addend::Embedding => ("embedding", None, None),
        Addend::Part { layer, part: Part::Attention } => ("attention", Some(layer), None),
        Addend::Part { layer, part: Part::FeedForward } => ("ffn", Some(layer), None),
        Addend::Part { layer, part: Part::Head(head) } => ("head", Some(layer), Some(head)),
        Addend::Part { layer, part: Part::Residual } => ("residual", Some(layer), None),
        Addend::Whole => ("whole", None, None),
    }
}

/// One row a layer, and the sum.
pub(super) fn attribution(view: &mut View, subject: &Subject, found: &Attribution, partial: bool) {
    let embedding = found.parts.iter().find(|(addend, _)| *addend == Addend::Embedding);
    let embedding = embedding.map_or(0.0, |(_, share)| *share);
    let what = if subject.versus.is_some() { "the difference of logits" } else { "the logit" };
    view.text(format!(
        "{what} is {:.3}; {embedding:+.3} of it from the embedding, and from each layer",
        found.logit
    ));
    view.text("");
    let layers: Vec<[f64; 2]> = (0..found.layers())
        .map(|layer| [Part::Attention, Part::FeedForward].map(|part| found.of(layer, part)))
        .collect();
    let largest = layers.iter().flatten().map(|share| share.abs()).fold(f64::MIN_POSITIVE, f64::max);
    let mut table = Table::new([
        Column::figures("layer", 5).after(0),
        Column::figures("attention", 10),
        Column::bars("", BAR).after(1),
        Column::figures("ffn", 9),
        Column::bars("", BAR).after(1),
        Column::text("heads with most", 0).after(2),
    ]);
    for (layer, &[attention, feed_forward]) in layers.iter().enumerate() {
        let mut heads: Vec<(usize, f64)> = found.heads(layer).collect();
        heads.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.cmp(&b.0)));
        let heads: Vec<String> =
            heads.iter().take(2).map(|(head, share)| format!("H{head} {share:+.3}")).collect();
        table.rows.push(TableRow::new([
            layer.to_string().into(),
            format!("{attention:+.3}").into(),
            bar(attention.abs() / largest, BAR).into(),
            format!("{feed_forward:+.3}").into(),
            bar(feed_forward.abs() / largest, BAR).into(),
            heads.join("  ").into(),
        ]));
    }
    view.table(table);
    if !partial {
        let (sum, lacks) = (found.sum(), found.heads_remainder());
        view.text(format!("sum {sum:.3}, remainder {}", signed(found.logit - sum)));
        view.text(format!("a layer's heads and its attention differ by at most {}", small(lacks)));
    }
    view.text("direct shares, the last norm's divisor held still: what a part does by way of later ones counts for those");
}

fn signed(value: f64) -> String {
    format!("{}{}", if value < 0.0 { "−" } else { "+" }, small(value.abs()))
}
