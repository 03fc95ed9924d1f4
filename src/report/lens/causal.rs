//! Knockouts and traces: what changes when a value between the layers is another.

use serde::Serialize;

use super::grid::Grid;
use super::measures::{BAR, MOST_ROWS, TOKEN};
use crate::lens::knockout::{Effect, Knocked, Knockout, SetTo};
use crate::lens::subject::{PromptWord, Subject};
use crate::lens::trace::{Trace, TraceCell, TraceControl, TracePart};
use crate::report::bars::bar;
use crate::report::view::{Column, Table, TableRow, View};
use crate::token::{TokenId, Vocab, visible};

/// An effect, as in JSON.
#[derive(Debug, Serialize)]
pub struct EffectRecord {
    kind: &'static str,
    layer: Option<usize>,
    /// First and last.
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<[usize; 2]>,
    head: Option<usize>,
    from: Option<usize>,
    to: Option<usize>,
    /// In nats.
    delta_logprob: f64,
}

impl EffectRecord {
    /// The record of an effect.
    pub fn new(effect: &Effect) -> EffectRecord {
        EffectRecord {
            kind: effect.kind.name(),
            layer: effect.layer,
            layers: (effect.layers.len() > 1).then(|| [effect.layers.start, effect.layers.end - 1]),
            head: effect.head,
            from: effect.edge.map(|(from, _)| from),
            to: effect.edge.map(|(_, to)| to),
            delta_logprob: effect.delta,
        }
    }
}

/// A knockout, as in JSON.
#[derive(Debug, Serialize)]
pub struct KnockoutRecord<'a> {
    set: &'static str,
    base: f64,
    /// Largest first; none below the floor.
    effects: Vec<EffectRecord>,
    /// What has no effect, in the order of the model.
    below_floor: Vec<EffectRecord>,
    window: Option<usize>,
    lacking: &'a [String],
}

impl<'a> KnockoutRecord<'a> {
    /// The record.
    pub fn new(found: &'a Knockout, floor: f64) -> KnockoutRecord<'a> {
        let below = found.effects.iter().filter(|effect| effect.delta.abs() < floor);
        KnockoutRecord {
            set: found.set.name(),
            base: found.base,
            effects: found.ranked(floor).0.into_iter().map(EffectRecord::new).collect(),
            below_floor: below.map(EffectRecord::new).collect(),
            window: found.window,
            lacking: &found.lacking,
        }
    }
}

/// A cell of a trace, as in JSON.
#[derive(Debug, Serialize)]
pub struct TraceCellRecord {
    layer: usize,
    position: usize,
    part: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<usize>,
    recovered: Option<f64>,
    /// ln p of the target or the difference, in nats.
    value: f64,
}

impl TraceCellRecord {
    /// The record of a cell.
    pub fn new(cell: &TraceCell, part: TracePart) -> TraceCellRecord {
        let TraceCell { layer, position, head, value, recovered } = *cell;
        TraceCellRecord { layer, position, part: part.name(), head, recovered, value }
    }
}

#[derive(Debug, Serialize)]
struct ControlRecord {
    batch: usize,
    unpatched: Option<f64>,
    clean: Option<f64>,
}

/// A trace, as in JSON.
#[derive(Debug, Serialize)]
pub struct TraceRecord<'a> {
    part: &'static str,
    corrupt_tokens: Vec<CorruptTokenRecord>,
    first_difference: usize,
    clean: f64,
    corrupt: f64,
    grid: Vec<TraceCellRecord>,
    controls: Vec<ControlRecord>,
    moves: Option<usize>,
    reason: Option<&'a str>,
    lacking: &'a [String],
}

#[derive(Debug, Serialize)]
struct CorruptTokenRecord {
    token: String,
    id: TokenId,
}

impl<'a> TraceRecord<'a> {
    /// The record.
    pub fn new(found: &'a Trace, vocab: &Vocab) -> TraceRecord<'a> {
        let token = |&id: &TokenId| CorruptTokenRecord { token: vocab.text(id), id };
        let control = |(batch, control): (usize, &TraceControl)| {
            let TraceControl { unpatched, clean } = *control;
            ControlRecord { batch, unpatched, clean }
        };
        TraceRecord {
            part: found.part.name(),
            corrupt_tokens: found.corrupt_ids.iter().map(token).collect(),
            first_difference: found.apart,
            clean: found.clean,
            corrupt: found.corrupt,
            grid: found.cells.iter().map(|cell| TraceCellRecord::new(cell, found.part)).collect(),
            controls: found.controls.iter().enumerate().map(control).collect(),
            moves: found.moves,
            reason: found.reason.as_deref(),
            lacking: &found.lacking,
        }
    }
}

/// Knockouts: the ranked table, the grid of heads and the map of edges.
pub fn knockout(view: &mut View, subject: &Subject, (found, floor): (&Knockout, f64), vocab: &Vocab) {
    let what = if subject.versus.is_some() { "the difference of ln p" } else { "ln p" };
    let how = match found.set {
        SetTo::Zero => "set to zero",
        SetTo::Mean => "set to its mean over the prompt without the first token",
        SetTo::Corrupt => "set to what it is in the corrupt prompt",
    };
    let cut = if found.effects.iter().any(|effect| effect.edge.is_some()) { ", each edge cut" } else { "" };
    view.text(format!("{what} is {:.3} with everything; each part {how}{cut}:", found.base));
    view.text("");
    let (ranked, below) = found.ranked(floor);
    let largest = ranked.first().map_or(1.0, |effect| effect.delta.abs());
    match ranked.is_empty() {
        true => view.text("nothing has an effect"),
        false => view.table(effects(&ranked, subject, vocab)),
    }
    let more = ranked.len().saturating_sub(MOST_ROWS);
    if more > 0 {
        view.caption(format!("{more} more above the floor"));
    }
    if below > 0 {
        view.caption(format!("{below} more below the floor"));
    }
    let share = |effect: &Effect| if effect.delta.abs() < floor { 0.0 } else { -effect.delta / largest };
    if found.effects.iter().any(|effect| effect.edge.is_none()) {
        view.text("");
        view.table(heads(found, &share).table());
        if found.effects.iter().any(|effect| effect.kind == Knocked::Head) {
            view.caption(
                "a mark a head: high where the target falls without it, with a minus where it rises",
            );
        }
    }
    if let Some(window) = found.window.filter(|_| found.effects.iter().any(|effect| effect.edge.is_some())) {
        view.text("");
        view.text(format!("edges into the last position, cut in {window} layers around each one"));
        view.table(edges(found, subject, &share, vocab).table());
    }
    found.lacking.iter().for_each(|lacking| view.text(lacking));
    view.text("delta in nats: without the part, minus with it; negative where it spoke for the target");
}

/// A row a position that is looked at, a mark a layer.
fn edges(found: &Knockout, subject: &Subject, share: &dyn Fn(&Effect) -> f64, vocab: &Vocab) -> Grid {
    let row = |(at, word): (usize, &PromptWord)| {
        let mut layers = Vec::new();
        for effect in found.effects.iter().filter(|effect| effect.edge.is_some_and(|(from, _)| from == at)) {
            layers.resize(effect.layer.unwrap_or(0), None);
            layers.push(Some(share(effect)));
        }
        (format!("{at} {}", vocab.visible(word.id)), layers)
    };
    Grid { label: "looked at", rows: subject.words.iter().enumerate().map(row).collect(), beside: Vec::new() }
}

fn effects(ranked: &[&Effect], subject: &Subject, vocab: &Vocab) -> Table {
    let mut table = Table::new([
        Column::figures("delta", 9).after(0),
        Column::bars("", BAR).after(2),
        Column::text("part", 10).after(2),
        Column::text("where", 0).after(2),
    ]);
    let largest = ranked.first().map_or(1.0, |effect| effect.delta.abs());
    for (i, effect) in ranked.iter().take(MOST_ROWS).enumerate() {
        let cells = [
            format!("{:+.3}", effect.delta).into(),
            bar(effect.delta.abs() / largest, BAR).into(),
            effect.kind.name().into(),
            place(effect, subject, vocab).into(),
        ];
        table.rows.push(TableRow::new(cells).of(i));
    }
    table
}

/// Where an effect is: `L23H4`, `L7`, or the two ends of an edge and its layers.
pub fn place(effect: &Effect, subject: &Subject, vocab: &Vocab) -> String {
    let layers = match (effect.layer, effect.layers.len()) {
        (None, _) => "every layer".to_string(),
        (Some(layer), 1) => format!("L{layer}"),
        _ => format!("L{}–{}", effect.layers.start, effect.layers.end - 1),
    };
    let head = effect.head.map_or(String::new(), |head| format!("H{head}"));
    let token = |at: usize| {
        let word = subject.words.get(at).map_or(String::new(), |word| vocab.visible(word.id));
        format!("«{word}» at {at}")
    };
    match effect.edge {
        Some((from, to)) => format!("{} → {}, {layers}{head}", token(from), token(to)),
        None => layers + &head,
    }
}

/// One row a layer: a mark a head, and the figures of the larger parts.
fn heads(found: &Knockout, share: &dyn Fn(&Effect) -> f64) -> Grid {
    let parts = || found.effects.iter().filter(|effect| effect.edge.is_none());
    let mut layers: Vec<usize> = parts().filter_map(|effect| effect.layer).collect();
    layers.sort_unstable();
    layers.dedup();
    let of = |layer: usize, kind: Knocked| {
        parts().filter(move |effect| effect.layer == Some(layer) && effect.kind == kind)
    };
    let row = |&layer: &usize| {
        let mut marks = Vec::new();
        for effect in of(layer, Knocked::Head) {
            marks.resize(effect.head.unwrap_or(0), None);
            marks.push(Some(share(effect)));
        }
        (format!("layer {layer}"), marks)
    };
    let figures = |kind: Knocked| -> Vec<String> {
        let figure = |&layer: &usize| {
            let effect = of(layer, kind).next();
            effect.map_or(String::new(), |effect| match share(effect) == 0.0 {
                true => "·".to_string(),
                false => format!("{:+.3}", effect.delta),
            })
        };
        layers.iter().map(figure).collect()
    };
    let beside = [Knocked::Attention, Knocked::FeedForward, Knocked::Layer].into_iter();
    let beside = beside.filter(|&kind| parts().any(|effect| effect.kind == kind));
    Grid {
        label: "heads",
        rows: layers.iter().map(row).collect(),
        beside: beside.map(|kind| (kind.name(), figures(kind))).collect(),
    }
}

/// Traces: the map of layers and positions, the layer at which the answer moves, and the controls.
pub fn trace(view: &mut View, subject: &Subject, (found, floor): (&Trace, f64), vocab: &Vocab) {
    let what = if subject.versus.is_some() { "the difference of ln p" } else { "ln p" };
    let corrupt = vocab.concat(found.corrupt_ids.iter().copied());
    view.text(format!(
        "{what} is {:.3}; after «{}» it is {:.3}",
        found.clean,
        visible(&corrupt),
        found.corrupt
    ));
    view.text(format!("each cell: {} of the clean prompt put into the other one", of_part(found.part)));
    view.text("");
    let share = |cell: &TraceCell| {
        let known = cell.recovered.filter(|_| found.has_effect(cell, floor));
        known.unwrap_or(0.0)
    };
    match &found.reason {
        Some(reason) => view.text(reason),
        None => view.table(map(found, subject, &share, vocab)),
    }
    if found.part != TracePart::Residual && found.reason.is_none() {
        view.text("");
        view.table(best(found, subject, &share, vocab));
    }
    if found.apart > 0 {
        let first = if found.apart == 1 {
            "position 0 is".to_string()
        } else {
            format!("positions 0 to {} are", found.apart - 1)
        };
        view.text(format!("{first} the same in both prompts: nothing to restore there"));
    }
    if found.part == TracePart::Residual && found.reason.is_none() {
        view.text(match (found.moves, found.whole) {
            (Some(layer), _) => format!("the answer moves to the last position at layer {layer}"),
            (None, true) => "the answer moves at no layer".to_string(),
            (None, false) => {
                "where the answer moves is not told: not every layer and position was looked at".to_string()
            }
        });
    }
    if let Some(controls) = controls(&found.controls) {
        view.text(controls);
    }
    found.lacking.iter().for_each(|lacking| view.text(lacking));
}

fn of_part(part: TracePart) -> &'static str {
    match part {
        TracePart::Residual => "the residual stream after the layer",
        TracePart::Attention => "what attention adds",
        TracePart::FeedForward => "what the feed-forward network adds",
        TracePart::Head => "what one head gives",
    }
}

fn controls(controls: &[TraceControl]) -> Option<String> {
    let range = |of: fn(&TraceControl) -> Option<f64>| {
        let values = || controls.iter().filter_map(of);
        let (low, high) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
        let (low, high) = (format!("{low:.3}"), format!("{high:.3}"));
        Some(if low == high { low } else { format!("{low} to {high}") })
    };
    let (unpatched, clean) = (range(|control| control.unpatched)?, range(|control| control.clean)?);
    let batches =
        if controls.len() == 1 { "1 batch".to_string() } else { format!("{} batches", controls.len()) };
    Some(format!("controls of {batches}: unpatched {unpatched}, clean into clean {clean}"))
}

/// A row a position, a column a layer; of heads the one that restores most.
fn map(found: &Trace, subject: &Subject, share: &dyn Fn(&TraceCell) -> f64, vocab: &Vocab) -> Table {
    let row = |(position, word): (usize, &PromptWord)| {
        let mut shares: Vec<Option<f64>> = Vec::new();
        for cell in found.cells.iter().filter(|cell| cell.position == position) {
            shares.resize(shares.len().max(cell.layer + 1), None);
            let place = &mut shares[cell.layer];
            let other = place.unwrap_or(0.0);
            *place = Some(if share(cell).abs() > other.abs() { share(cell) } else { other });
        }
        (format!("{position} {}", vocab.visible(word.id)), shares)
    };
    let rows = subject.words.iter().enumerate().map(row).filter(|(_, shares)| !shares.is_empty());
    Grid { label: "layers", rows: rows.collect(), beside: Vec::new() }.table()
}

fn best(found: &Trace, subject: &Subject, share: &dyn Fn(&TraceCell) -> f64, vocab: &Vocab) -> Table {
    let mut cells: Vec<&TraceCell> = found.cells.iter().filter(|cell| share(cell) != 0.0).collect();
    cells.sort_by(|a, b| share(b).abs().total_cmp(&share(a).abs()));
    let mut table = Table::new([
        Column::figures("recovered", 9).after(0),
        Column::bars("", BAR).after(2),
        Column::text("where", 8).after(2),
        Column::text("position", TOKEN).after(2),
    ]);
    for cell in cells.into_iter().take(MOST_ROWS) {
        let head = cell.head.map_or(String::new(), |head| format!("H{head}"));
        let token = subject.words.get(cell.position).map_or(String::new(), |word| vocab.visible(word.id));
        table.rows.push(TableRow::new([
            format!("{:+.3}", share(cell)).into(),
            bar(share(cell).abs().min(1.0), BAR).into(),
            format!("L{}{head}", cell.layer).into(),
            format!("{} {token}", cell.position).into(),
        ]));
    }
    table
}
