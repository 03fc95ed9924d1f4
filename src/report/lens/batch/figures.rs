//! What a page shows of a lens: plots and coloured text, each with its numbers beside it.

use minijinja::{Value, context};

use super::rows::{columns, rows};
use crate::engine::look::Part;
use crate::lens::attention::{AttentionLens, LayerOf, RowOf};
use crate::lens::attribution::Attribution;
use crate::lens::flags::LensView;
use crate::lens::knockout::{Effect, Knocked, Knockout};
use crate::lens::occlusion::Occlusion;
use crate::lens::subject::Subject;
use crate::lens::trace::Trace;
use crate::lens::{Lens, LensFinding};
use crate::report::html::map::{ShareCell, ShareMap, coloured};
use crate::report::html::plot::{Chart, Point};
use crate::report::lens::causal::place;
use crate::token::{Vocab, printable, visible};

/// Rows of a table of numbers; the CSV and JSON Lines reports have all.
const MOST_ROWS: usize = 2000;
/// Positions of a map, the last ones.
const MOST_POSITIONS: usize = 96;

/// A picture, a text in colours, or neither, before the numbers.
#[derive(Default)]
struct LensFigure {
    title: String,
    note: String,
    plot: Option<Value>,
    text: Vec<Value>,
}

/// The figures of a view; the first has the numbers.
pub fn figures(lens: &Lens, view: LensView, vocab: &Vocab) -> Vec<Value> {
    let mut numbers = rows(lens, vocab);
    if let Some(at) = columns(view).iter().position(|name| *name == "delta_logprob_nat") {
        let size = |row: &Vec<String>| row[at].parse::<f64>().unwrap_or(0.0).abs();
        numbers.sort_by(|a, b| size(b).total_cmp(&size(a)));
    }
    let all = numbers.len();
    numbers.truncate(MOST_ROWS);
    numbers.iter_mut().flatten().for_each(|cell| *cell = printable(cell));
    let mut numbers = Some(numbers);
    let figure = |picture: LensFigure| {
        let rows = numbers.take();
        let head = rows.as_ref().map(|_| columns(view).to_vec());
        let (title, note, plot, text) = (picture.title, picture.note, picture.plot, picture.text);
        let more = rows.as_ref().map_or(0, |rows| all - rows.len());
        context! { title, note, plot, text, head, rows, more }
    };
    pictures(lens, vocab).into_iter().map(figure).collect()
}

fn pictures(lens: &Lens, vocab: &Vocab) -> Vec<LensFigure> {
    let (subject, floor) = (&lens.subject, lens.floor.unwrap_or(0.0));
    match &lens.finding {
        LensFinding::Logit(found) => {
            let points = found.layers.iter().enumerate().filter_map(|(layer, reading)| {
                let target = reading.named.first().filter(|target| target.logprob.is_finite())?;
                let label = format!("layer {layer}: ln p {:.3}, rank {}", target.logprob, target.rank);
                Some(point(layer as f64, f64::from(target.logprob), label))
            });
            vec![curve("The target after each layer", ["layer", "ln p, nat"], points.collect())]
        }
        LensFinding::Context(found) => {
            let points = found.points.iter().filter(|point| point.logprob.is_finite()).map(|one| {
                let label = format!("{} tokens: ln p {:.3}", one.tokens, one.logprob);
                point(one.tokens as f64, one.logprob, label)
            });
            let title = "The target by the number of tokens that are seen";
            vec![curve(title, ["tokens", "ln p, nat"], points.collect())]
        }
        LensFinding::Occlusion(found) => vec![occlusion(subject, found, floor)],
        LensFinding::Attention(found) => attention(subject, found, vocab),
        LensFinding::Attribution(found) => vec![attribution(found)],
        LensFinding::Keyboard(_) => {
            vec![LensFigure { title: "The model and the n-gram model".to_string(), ..LensFigure::default() }]
        }
        LensFinding::Knockout(found) => knockout(subject, found, floor, vocab),
        LensFinding::Trace(found) => vec![trace(subject, found, floor, vocab)],
    }
}

fn point(x: f64, y: f64, label: String) -> Point {
    Point { x, y, range: None, passed: None, label }
}

fn curve(title: &str, [x_label, y_label]: [&str; 2], points: Vec<Point>) -> LensFigure {
    let chart = Chart {
        title: title.to_string(),
        x_label: x_label.to_string(),
        y_label: y_label.to_string(),
        points,
        guide: None,
        diagonal: false,
        open: true,
    };
    LensFigure { title: title.to_string(), plot: Some(chart.draw()), ..LensFigure::default() }
}

fn occlusion(subject: &Subject, found: &Occlusion, floor: f64) -> LensFigure {
    let largest = found.sorted().first().map_or(1.0, |(_, delta)| delta.abs());
    let mut text = Vec::new();
    let mut at = 0;
    let shown = |bytes: &[u8]| printable(&String::from_utf8_lossy(bytes));
    for (span, delta) in &found.spans {
        // A frame that is never left out stands between.
        if let Some(bytes) = span.bytes.as_ref().filter(|bytes| bytes.start >= at) {
            if bytes.start > at {
                text.push(coloured(&shown(&subject.text[at..bytes.start]), None, "not left out"));
            }
            at = bytes.end;
        }
        let effect = delta.filter(|delta| delta.abs() >= floor).map(|delta| -delta / largest);
        let label = delta.map_or("no figure".to_string(), |delta| format!("{delta:+.3} nat"));
        text.push(coloured(&printable(&span.text), effect, &label));
    }
    text.extend(
        subject
            .text
            .get(at..)
            .filter(|rest| !rest.is_empty())
            .map(|rest| coloured(&shown(rest), None, "not left out")),
    );
    LensFigure {
        title: format!("The prompt, in the colours of what each {} does", found.by.name()),
        note: "warm: speaks for the target; cold and underlined: against it; nothing below the floor is coloured"
            .to_string(),
        text,
        ..LensFigure::default()
    }
}

fn token(subject: &Subject, at: usize, vocab: &Vocab) -> String {
    let word = subject.words.get(at).map_or(String::new(), |word| vocab.visible(word.id));
    format!("{at} {word}")
}

fn attention(subject: &Subject, found: &AttentionLens, vocab: &Vocab) -> Vec<LensFigure> {
    match &found.rows[..] {
        [row] => {
            let mut pictures = vec![by_layer(subject, row, vocab)];
            if let [layer] = &row.layers[..]
                && layer.heads.len() > 1
            {
                pictures.push(by_head(subject, layer, vocab));
            }
            pictures
        }
        rows => {
            let layers = rows.first().map_or(&[][..], |row| &row.layers);
            let mut pictures = Vec::new();
            for (i, layer) in layers.iter().enumerate() {
                let means = rows.iter().map(|row| (row.position, row.layers[i].mean()));
                let means: Vec<(usize, Vec<f64>)> = means.collect();
                let title = format!("Attention of layer {}, from each position to each", layer.layer);
                pictures.push(weights(&title, ["seen position", "position"], means, |at| {
                    token(subject, at, vocab)
                }));
            }
            pictures
        }
    }
}

/// A row a layer.
fn by_layer(subject: &Subject, row: &RowOf, vocab: &Vocab) -> LensFigure {
    let means: Vec<Vec<f64>> = row.layers.iter().map(LayerOf::mean).collect();
    let seen = (0..=row.position).skip((row.position + 1).saturating_sub(MOST_POSITIONS));
    let by_position = seen.map(|at| {
        let mut layers = Vec::new();
        for (layer, mean) in row.layers.iter().zip(&means) {
            layers.resize(layer.layer, 0.0);
            layers.push(mean[at]);
        }
        (at, layers)
    });
    let title = format!("Attention from position {}, mean over the heads", row.position);
    weights(&title, ["layer", "seen position"], by_position.collect(), |at| token(subject, at, vocab))
}

/// A row a head.
fn by_head(subject: &Subject, layer: &LayerOf, vocab: &Vocab) -> LensFigure {
    let heads = layer
        .heads
        .iter()
        .map(|(head, weights)| (*head, weights.iter().map(|&weight| f64::from(weight)).collect()));
    let title = format!("Heads of layer {}", layer.layer);
    let last = layer.heads.first().map_or(0, |(_, weights)| weights.len().saturating_sub(1));
    let mut picture = weights(&title, ["seen position", "head"], heads.collect(), |head| format!("H{head}"));
    picture.note.push_str(&format!(
        "; positions {} to {}",
        token(subject, 0, vocab),
        token(subject, last, vocab)
    ));
    picture
}

/// Weights as a map. The first token, on which much of attention rests, sets no scale.
fn weights(
    title: &str,
    [x_label, y_label]: [&'static str; 2],
    rows: Vec<(usize, Vec<f64>)>,
    label: impl Fn(usize) -> String,
) -> LensFigure {
    let by_seen = y_label == "seen position";
    let others = rows.iter().flat_map(|(at, row)| {
        row.iter().enumerate().filter(move |(column, _)| if by_seen { *at > 0 } else { *column > 0 })
    });
    let largest = others.map(|(_, weight)| *weight).fold(f64::MIN_POSITIVE, f64::max);
    let row = |(at, row): &(usize, Vec<f64>)| {
        let cell = |(column, &weight): (usize, &f64)| ShareCell {
            share: Some(weight / largest),
            label: format!("{} · {x_label} {column}: {:.2} %", label(*at), weight * 100.0),
        };
        (label(*at), row.iter().enumerate().map(cell).collect())
    };
    let rows = rows.iter().map(row).collect();
    let map = ShareMap { title: title.to_string(), x_label, y_label, rows };
    let note = format!("strongest colour: {:.1} % and more", largest * 100.0);
    LensFigure { title: title.to_string(), note, plot: Some(map.draw()), ..LensFigure::default() }
}

/// Parts of the model by layer: attention, feed-forward network, whole layer, heads.
fn parts(title: &str, rows: Vec<(String, Vec<ShareCell>)>, note: String) -> LensFigure {
    let rows = rows.into_iter().filter(|(_, row)| !row.is_empty()).collect();
    let map = ShareMap { title: title.to_string(), x_label: "layer", y_label: "part", rows };
    LensFigure { title: title.to_string(), note, plot: Some(map.draw()), ..LensFigure::default() }
}

fn put(row: &mut Vec<ShareCell>, layer: usize, cell: ShareCell) {
    row.resize(row.len().max(layer + 1), ShareCell::default());
    row[layer] = cell;
}

fn attribution(found: &Attribution) -> LensFigure {
    let layers = 0..found.layers();
    let largest = layers
        .clone()
        .flat_map(|layer| [found.of(layer, Part::Attention), found.of(layer, Part::FeedForward)])
        .chain(layers.clone().flat_map(|layer| found.heads(layer).map(|(_, share)| share)))
        .fold(f64::MIN_POSITIVE, |largest, share| largest.max(share.abs()));
    let cell = |name: &str, layer: usize, share: f64| ShareCell {
        share: Some(share / largest),
        label: format!("{name} of layer {layer}: {share:+.3}"),
    };
    let of = |name: &str, part: Part| {
        (name.to_string(), layers.clone().map(|layer| cell(name, layer, found.of(layer, part))).collect())
    };
    let mut rows = vec![of("attention", Part::Attention), of("ffn", Part::FeedForward)];
    let heads = layers.clone().flat_map(|layer| found.heads(layer)).map(|(head, _)| head + 1).max();
    for head in 0..heads.unwrap_or(0) {
        let (name, mut row) = (format!("H{head}"), Vec::new());
        for layer in layers.clone() {
            if let Some((_, share)) = found.heads(layer).find(|(of, _)| *of == head) {
                put(&mut row, layer, cell(&name, layer, share));
            }
        }
        rows.push((name, row));
    }
    let note = format!("in units of the logit; strongest colour: {largest:.3}; heads are part of attention");
    parts("What each part adds to the logit", rows, note)
}

fn knockout(subject: &Subject, found: &Knockout, floor: f64, vocab: &Vocab) -> Vec<LensFigure> {
    let largest = found.ranked(floor).0.first().map_or(1.0, |effect| effect.delta.abs());
    let cell = |effect: &Effect| ShareCell {
        share: Some(if effect.delta.abs() < floor { 0.0 } else { -effect.delta / largest }),
        label: format!("{} {}: {:+.3} nat", effect.kind.name(), place(effect, subject, vocab), effect.delta),
    };
    let mut rows: Vec<(String, Vec<ShareCell>)> = Vec::new();
    let mut edges: Vec<(String, Vec<ShareCell>)> = Vec::new();
    for effect in &found.effects {
        let (rows, name) = match (effect.edge, effect.head) {
            (Some((from, _)), _) => (&mut edges, token(subject, from, vocab)),
            (None, Some(head)) if effect.kind == Knocked::Head => (&mut rows, format!("H{head}")),
            (None, _) => (&mut rows, effect.kind.name().to_string()),
        };
        let at = rows.iter().position(|(known, _)| *known == name).unwrap_or_else(|| {
            rows.push((name, Vec::new()));
            rows.len() - 1
        });
        if let Some(layer) = effect.layer {
            put(&mut rows[at].1, layer, cell(effect));
        }
    }
    let note = format!(
        "warm: the target falls without it; cold, with a line: it rises; strongest colour: {largest:.3} nat; \
         nothing below the floor is coloured"
    );
    let mut pictures = Vec::new();
    if rows.iter().any(|(_, row)| !row.is_empty()) {
        pictures.push(parts("The target without each part", rows, note.clone()));
    }
    if edges.iter().any(|(_, row)| !row.is_empty()) {
        let title = "The target without each edge of attention into the last position".to_string();
        let map = ShareMap { title: title.clone(), x_label: "layer", y_label: "looked at", rows: edges };
        pictures.push(LensFigure { title, note, plot: Some(map.draw()), ..LensFigure::default() });
    }
    if pictures.is_empty() {
        pictures
            .push(LensFigure { title: "The target without each edge".to_string(), ..LensFigure::default() });
    }
    pictures
}

fn trace(subject: &Subject, found: &Trace, floor: f64, vocab: &Vocab) -> LensFigure {
    let mut rows: Vec<(String, Vec<ShareCell>)> =
        (0..subject.words.len()).map(|at| (token(subject, at, vocab), Vec::new())).collect();
    for cell in &found.cells {
        let Some((_, row)) = rows.get_mut(cell.position) else { continue };
        let share = cell.recovered.map(|share| if found.has_effect(cell, floor) { share } else { 0.0 });
        // Of heads the one that restores most.
        let before = row.get(cell.layer).and_then(|cell| cell.share).map_or(0.0, f64::abs);
        if row.len() > cell.layer && before >= share.unwrap_or(0.0).abs() {
            continue;
        }
        let head = cell.head.map_or(String::new(), |head| format!("H{head}"));
        let of = cell.recovered.map_or("no share".to_string(), |share| format!("{share:.3} restored"));
        put(row, cell.layer, ShareCell { share, label: format!("L{}{head}: {of}", cell.layer) });
    }
    let title = format!("What the clean prompt's {} restores", found.part.name());
    let rows = rows.into_iter().filter(|(_, row)| !row.is_empty()).collect();
    let map = ShareMap { title: title.clone(), x_label: "layer", y_label: "position", rows };
    let note = "strongest colour: all of the answer; cold, with a line: further away".to_string();
    LensFigure { title, note, plot: Some(map.draw()), ..LensFigure::default() }
}

/// What was found, in a few words.
pub fn headline(lens: &Lens, vocab: &Vocab) -> String {
    let floor = lens.floor.unwrap_or(0.0);
    let layer = |layer: Option<usize>| layer.map_or("none".to_string(), |layer| layer.to_string());
    match &lens.finding {
        LensFinding::Logit(found) => format!("first choice from layer: {}", layer(found.decided())),
        LensFinding::Context(found) => format!("area {:.3} nat·octaves", found.area),
        LensFinding::Occlusion(found) => {
            match found.sorted().first().filter(|(_, delta)| delta.abs() >= floor) {
                Some((span, delta)) => {
                    format!("«{}» {delta:+.3} nat", visible(span.text.trim().as_bytes()))
                }
                None => format!("no {} has an effect", found.by.name()),
            }
        }
        LensFinding::Attention(found) => {
            let span = found.occlusion.as_ref().and_then(|(floor, occlusion)| {
                let (span, delta) = *occlusion.sorted().first()?;
                (delta.abs() >= *floor).then(|| visible(span.text.trim().as_bytes()))
            });
            format!("occlusion finds: {}", span.map_or("nothing".to_string(), |span| format!("«{span}»")))
        }
        LensFinding::Attribution(found) => format!("logit {:.3}, sum {:.3}", found.logit, found.sum()),
        LensFinding::Keyboard(found) => {
            let agreement = found.agreement().map_or("–".to_string(), |share| format!("{share:.2}"));
            format!("agreement {agreement}")
        }
        LensFinding::Knockout(found) => match found.ranked(floor).0.first() {
            Some(effect) => {
                let where_it_is = place(effect, &lens.subject, vocab);
                format!("{} {where_it_is} {:+.3} nat", effect.kind.name(), effect.delta)
            }
            None => "nothing has an effect".to_string(),
        },
        LensFinding::Trace(found) if found.whole => {
            format!("the answer moves at layer: {}", layer(found.moves))
        }
        LensFinding::Trace(_) => "where the answer moves is not told".to_string(),
    }
}
