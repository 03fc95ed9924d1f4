//! What a lens shows, as records and as tables.

mod attribution;
pub mod batch;
mod causal;
pub use causal::place;
mod grid;
mod keyboard;
mod measures;
mod record;
pub mod sentence;
pub mod steer;

pub use measures::small;
use measures::{BAR, MOST_ROWS, TOKEN};
pub use record::LensRecord;

use super::bars::bar;
use super::next::percent;
use super::view::{Cell, Column, Table, TableRow, View};
use crate::colouring::{LEVELS, Level};
use crate::distribution::Depth;
use crate::lens::attention::{AttentionLens, LayerOf, MOST_ROLLED, RowOf};
use crate::lens::context::Curve;
use crate::lens::logit::Layers;
use crate::lens::occlusion::Occlusion;
use crate::lens::spans::PromptSpan;
use crate::lens::subject::Subject;
use crate::lens::{Lens, LensFinding};
use crate::step::Candidate;
use crate::token::{Vocab, visible};

/// Positions of a map.
const MOST_POSITIONS: usize = 48;
/// A share from none to all.
const SHADES: [&str; 9] = ["·", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// A lens as text and tables, with candidates to a depth where a view lists them.
pub fn view(lens: &Lens, k: Depth, vocab: &Vocab) -> View {
    let mut view = View::default();
    let subject = &lens.subject;
    view.text(head(subject));
    match &lens.finding {
        LensFinding::Logit(layers) => {
            logit(&mut view, subject, layers, vocab);
            own_figure(&mut view, layers, lens.floor.unwrap_or(0.0));
        }
        LensFinding::Context(curve) => context(&mut view, subject, curve),
        LensFinding::Occlusion(found) => occlusion(&mut view, subject, found, lens.floor.unwrap_or(0.0)),
        LensFinding::Attention(found) => attention(&mut view, subject, found, vocab),
        LensFinding::Attribution(found) => {
            attribution::attribution(&mut view, subject, found, lens.partial);
        }
        LensFinding::Keyboard(found) => keyboard::keyboard(&mut view, subject, found, k, vocab),
        LensFinding::Knockout(found) => {
            causal::knockout(&mut view, subject, (found, lens.floor.unwrap_or(0.0)), vocab);
        }
        LensFinding::Trace(found) => {
            causal::trace(&mut view, subject, (found, lens.floor.unwrap_or(0.0)), vocab);
        }
    }
    if let Some(floor) = lens.floor {
        view.text(format!("floor {} nat: a smaller difference is none", small(floor)));
    }
    if lens.partial {
        view.text("stopped: what was found until then");
    }
    view
}

fn head(subject: &Subject) -> String {
    let why = if subject.greedy { " (the first choice)" } else { "" };
    let versus = subject
        .versus
        .as_ref()
        .map_or(String::new(), |versus| format!(" against «{}»", visible(&versus.text)));
    let after = subject.words.len();
    let tokens = if after == 1 { "token" } else { "tokens" };
    format!("target «{}»{why}{versus} after {after} {tokens}", visible(&subject.target.text))
}

fn logit(view: &mut View, subject: &Subject, layers: &Layers, vocab: &Vocab) {
    let mut columns = vec![
        Column::figures("layer", 5).after(0),
        Column::figures("rank", 7),
        Column::figures("ln p", 9),
        Column::figures("entropy", 8),
        Column::figures("KL", 8),
    ];
    let versus = subject.versus.is_some();
    columns.extend(versus.then(|| Column::figures("difference", 10)));
    columns.push(Column::text("first choices, p %", 0).after(2));
    let mut table = Table::new(columns);
    for (i, layer) in layers.layers.iter().enumerate() {
        let target = layer.named.first();
        let figure = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.3}"));
        let mut cells: Vec<Cell> = vec![
            i.to_string().into(),
            target.map_or(String::new(), |target| target.rank.to_string()).into(),
            figure(target.map(|target| f64::from(target.logprob))).into(),
            layer.prediction.entropy.shown(|entropy| format!("{entropy:.3}")).into(),
            figure(layer.divergence).into(),
        ];
        if let (true, [target, versus]) = (versus, &layer.named[..]) {
            cells.push(format!("{:+.3}", target.logprob - versus.logprob).into());
        }
        let first =
            |candidate: &Candidate| format!("{} {}", vocab.visible(candidate.id), percent(candidate.prob()));
        let top: Vec<String> = layer.prediction.top_logprobs.iter().take(3).map(first).collect();
        cells.push(top.join("  ").into());
        table.rows.push(TableRow { cells, item: None });
    }
    view.table(table);
    view.text(match layers.decided() {
        Some(layer) => format!("the first choice from layer {layer} on"),
        None => "not the first choice after the last layer".to_string(),
    });
    view.text("in nats; KL is that of the last layer's distribution from this one's");
}

/// The lens has a context of its own; where the chat's figure is another, both are told.
fn own_figure(view: &mut View, layers: &Layers, floor: f64) {
    let last = layers.layers.last().and_then(|last| last.named.first());
    let here = last.map_or(f64::NAN, |target| f64::from(target.logprob));
    if (here - layers.chat_logprob).abs() > floor {
        view.text(format!(
            "ln p is {here:.3} here and {:.3} in the chat: attention without its fast kernel rounds otherwise",
            layers.chat_logprob
        ));
    }
}

fn context(view: &mut View, subject: &Subject, curve: &Curve) {
    let mut columns = vec![
        Column::figures("tokens", 6).after(0),
        Column::figures("ln p", 9),
        Column::figures("rank", 7),
        Column::figures("entropy", 8),
    ];
    columns.extend(subject.versus.as_ref().map(|_| Column::figures("difference", 10)));
    columns.push(Column::bars("p", BAR).after(2));
    let mut table = Table::new(columns);
    for point in &curve.points {
        let mut cells: Vec<Cell> = vec![
            point.tokens.to_string().into(),
            format!("{:.3}", point.logprob).into(),
            point.rank.map_or("-".to_string(), |rank| rank.to_string()).into(),
            format!("{:.3}", point.entropy).into(),
        ];
        cells.extend(point.difference.map(|difference| format!("{difference:+.3}").into()));
        cells.push(bar(point.logprob.exp(), BAR).into());
        table.rows.push(TableRow { cells, item: None });
    }
    view.table(table);
    if curve.area.is_finite() {
        view.text(format!("area {:.3} nat·octaves between the whole prompt and the curve", curve.area));
    }
    if curve.no_bos {
        view.text("without a BOS the first token that is seen takes the place that attention rests on");
    }
}

fn occlusion(view: &mut View, subject: &Subject, found: &Occlusion, floor: f64) {
    let what = if subject.versus.is_some() { "the difference of ln p" } else { "ln p" };
    let how = if found.neutral.is_some() { "replaced" } else { "left out" };
    view.text(format!("{what} is {:.3} with everything; each {} {how}:", found.base, found.by.name()));
    view.text("");
    let sorted = found.sorted();
    let largest = sorted.first().map_or(0.0, |(_, delta)| delta.abs());
    view.table(coloured(found, floor, largest));
    view.text("");
    let mut table = Table::new([
        Column::figures("delta", 9).after(0),
        Column::text("", BAR).after(2),
        Column::text("span", 0).after(2),
    ]);
    let effects: Vec<&(&PromptSpan, f64)> = sorted.iter().filter(|(_, delta)| delta.abs() >= floor).collect();
    for (span, delta) in effects.iter().take(MOST_ROWS) {
        let cells = [
            format!("{delta:+.3}").into(),
            bar(delta.abs() / largest, BAR).into(),
            visible(span.text.as_bytes()).into(),
        ];
        table.rows.push(TableRow::new(cells).of(span.tokens.start));
    }
    let (below, unknown) = found.without_effect(floor);
    match effects.is_empty() {
        true if below == 0 => {}
        true => view.text("no span has an effect"),
        false => {
            view.table(table);
            if below > 0 {
                view.caption(format!("{below} more below the floor"));
            }
        }
    }
    if unknown > 0 {
        view.text(format!("{unknown} without a figure: nothing would be left to predict from"));
    }
    view.text("delta in nats: without the span, minus with it; negative where it spoke for the target");
}

/// The text in the colours of what each span does; nothing below the floor has one.
fn coloured(found: &Occlusion, floor: f64, largest: f64) -> Table {
    let mut table = Table::new(vec![Column::text("", 0).after(0); found.spans.len()]);
    let cell = |(span, delta): &(PromptSpan, Option<f64>)| {
        let delta = delta.map(f64::abs).filter(|delta| *delta >= floor);
        Cell { text: visible(span.text.as_bytes()), level: delta.map(|delta| level(delta / largest)) }
    };
    table.rows.push(TableRow { cells: found.spans.iter().map(cell).collect(), item: None });
    table
}

/// From a share of the largest to a colour.
fn level(share: f64) -> Level {
    ((share * LEVELS as f64) as Level).min(LEVELS - 1)
}

fn attention(view: &mut View, subject: &Subject, found: &AttentionLens, vocab: &Vocab) {
    match &found.rows[..] {
        [row] => from_one(view, subject, (found, row), vocab),
        rows => from_all(view, subject, rows, vocab),
    }
    view.text("attention alone is no explanation: it says what is read, not what is done with it");
    if let Some((floor, occlusion)) = &found.occlusion {
        view.text(match occlusion.sorted().first().filter(|(_, delta)| delta.abs() >= *floor) {
            Some((span, delta)) => {
                format!("occlusion finds «{}»: {delta:+.3} nat without it", visible(span.text.as_bytes()))
            }
            None => format!("occlusion finds no {} with an effect", occlusion.by.name()),
        });
    }
}

fn from_one(view: &mut View, subject: &Subject, (found, row): (&AttentionLens, &RowOf), vocab: &Vocab) {
    let means: Vec<Vec<f64>> = row.layers.iter().map(LayerOf::mean).collect();
    let maxima: Vec<Vec<f64>> = row.layers.iter().map(LayerOf::max).collect();
    let width = row.position + 1;
    let mean = |i: usize| means.iter().map(|layer| layer[i]).sum::<f64>() / means.len().max(1) as f64;
    let max = |i: usize| maxima.iter().map(|layer| layer[i]).fold(0.0, f64::max);
    let mut table = Table::new([
        Column::figures("at", 4).after(0),
        Column::text("token", TOKEN).after(2),
        Column::figures("mean %", 8),
        Column::figures("max %", 8),
        Column::figures("rollout %", 9),
        Column::bars("", BAR).after(2),
    ]);
    let mut order: Vec<usize> = (0..width).collect();
    order.sort_by(|&a, &b| mean(b).total_cmp(&mean(a)).then(a.cmp(&b)));
    for &i in order.iter().take(MOST_ROWS) {
        let rollout = found.rollout.as_ref().map_or("-".to_string(), |rollout| percent(rollout[i]));
        table.rows.push(TableRow::new([
            i.to_string().into(),
            vocab.visible(subject.words[i].id).into(),
            percent(mean(i)).into(),
            percent(max(i)).into(),
            rollout.into(),
            bar(mean(i), BAR).into(),
        ]));
    }
    view.table(table);
    if width > MOST_ROWS {
        view.caption(format!("{} more tokens with less", width - MOST_ROWS));
    }
    view.text("");
    view.table(heads(row, vocab, subject));
    view.caption(
        "each column is a position, its height the mean over the heads without the first token's share",
    );
    if found.rollout.is_none() {
        view.text(format!("rollout needs every layer and head, and at most {MOST_ROLLED} tokens"));
    }
}

/// One row a layer: what the first token takes, what a learned sink takes, and where the rest goes.
fn heads(row: &RowOf, vocab: &Vocab, subject: &Subject) -> Table {
    let mut table = Table::new([
        Column::figures("layer", 5).after(0),
        Column::figures("first %", 7),
        Column::figures("sink %", 6),
        Column::text("positions", 0).after(2),
        Column::text("head that looks most at one token", 0).after(2),
    ]);
    for layer in &row.layers {
        let mean = layer.mean();
        let sinks: f64 = layer.heads.iter().map(|(_, weights)| LayerOf::sink(weights)).sum();
        let sink = (sinks / layer.heads.len().max(1) as f64).max(0.0);
        let first = mean.first().copied().unwrap_or(0.0);
        let rest = &mean[mean.len().min(1).max(mean.len().saturating_sub(MOST_POSITIONS))..];
        let most = layer.heads.iter().flat_map(|(head, weights)| {
            weights.iter().enumerate().skip(1).map(move |(i, &weight)| (*head, i, weight))
        });
        let most = most.max_by(|a, b| a.2.total_cmp(&b.2).then(b.1.cmp(&a.1)));
        let most = most.map_or(String::new(), |(head, i, weight)| {
            let token = vocab.visible(subject.words[i].id);
            format!("H{head} {} % on «{token}» at {i}", percent(f64::from(weight)))
        });
        table.rows.push(TableRow::new([
            layer.layer.to_string().into(),
            percent(first).into(),
            percent(sink).into(),
            shades(rest, 1.0 - first).into(),
            most.into(),
        ]));
    }
    table
}

fn from_all(view: &mut View, subject: &Subject, rows: &[RowOf], vocab: &Vocab) {
    for (i, layer) in rows.first().map_or(&[][..], |row| &row.layers).iter().enumerate() {
        let heads: Vec<String> = layer.heads.iter().map(|(head, _)| head.to_string()).collect();
        let heads =
            if heads.len() == 1 { format!("head {}", heads[0]) } else { "mean of the heads".to_string() };
        view.text(format!("layer {}, {heads}", layer.layer));
        let mut table = Table::new([
            Column::figures("at", 4).after(0),
            Column::text("token", TOKEN).after(2),
            Column::figures("first %", 8),
            Column::text("looks at", 0).after(2),
        ]);
        for row in rows {
            let mean = row.layers[i].mean();
            let rest = &mean[mean.len().min(1).max(mean.len().saturating_sub(MOST_POSITIONS))..];
            table.rows.push(TableRow::new([
                row.position.to_string().into(),
                vocab.visible(subject.words[row.position].id).into(),
                percent(mean[0]).into(),
                shades(rest, (1.0 - mean[0]).max(0.0)).into(),
            ]));
        }
        view.table(table);
    }
}

/// One mark a value, as a share of a whole.
fn shades(values: &[f64], whole: f64) -> String {
    let shade = |value: &f64| {
        let share = if whole > 0.0 { (value / whole).clamp(0.0, 1.0) } else { 0.0 };
        SHADES[(share * (SHADES.len() - 1) as f64).round() as usize]
    };
    values.iter().map(shade).collect()
}
