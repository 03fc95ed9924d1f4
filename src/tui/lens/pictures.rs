//! What each view found, as a picture.

mod parts;

pub(super) use parts::{attribution, knockout, marking, trace};

use super::spot::LensChoice;
use crate::distribution::Depth;
use crate::intervention::OffPart;
use crate::lens::attention::{AttentionLens, LayerOf, RowOf};
use crate::lens::logit::Layers;
use crate::lens::occlusion::Occlusion;
use crate::lens::spans::PromptSpan;
use crate::lens::subject::Subject;
use crate::lens::{Lens, LensFinding};
use crate::report::bars::bar;
use crate::report::lens::sentence::signed;
use crate::report::lens::small;
use crate::step::Candidate;
use crate::token::{Vocab, visible};
use crate::tui::picture::{
    HeatMap, HeatRow, Picture, PictureItem, PicturePart, Shade, ShadedRow, ShadedText,
};
use crate::tui::view::items::minus;

/// Columns of a bar.
const BAR: usize = 10;
/// Candidates of a layer that are named.
const NAMED: usize = 3;
/// Candidates of a report.
const CANDIDATES: Depth = Depth::Count(10);

impl Picture {
    fn prose(&mut self, text: impl Into<String>) {
        self.parts.push(PicturePart::Prose(text.into()));
    }

    /// Has another item, by what is said of it.
    fn item(&mut self, about: String) -> usize {
        self.item_of(about, None)
    }

    /// Has another item, which stands for a part of the model.
    fn item_of(&mut self, about: String, part: Option<OffPart>) -> usize {
        self.items.push(PictureItem { about, part });
        self.items.len() - 1
    }
}

/// What the figures are of.
fn measured(subject: &Subject) -> String {
    let target = visible(&subject.target.text);
    match &subject.versus {
        Some(versus) => format!("ln p({target}) − ln p({})", visible(&versus.text)),
        None => format!("ln p({target})"),
    }
}

fn plain(text: String) -> (String, Shade) {
    (text, Shade::None)
}

/// What the reports make of it, where a picture of its own would say no more.
pub(super) fn report(lens: &Lens, _: &LensChoice, vocab: &Vocab) -> Picture {
    let view = crate::report::lens::view(lens, CANDIDATES, vocab).with_print_minus();
    Picture { parts: vec![PicturePart::Report(view)], ..Picture::default() }
}

pub(super) fn occlusion(lens: &Lens, _: &LensChoice, _: &Vocab) -> Picture {
    let mut picture = Picture::default();
    let LensFinding::Occlusion(found) = &lens.finding else { return picture };
    let floor = lens.floor.unwrap_or(0.0);
    let largest = found.sorted().first().map_or(0.0, |(_, delta)| delta.abs());
    let what = measured(&lens.subject);
    let (base, by) = (minus(&format!("{:.2}", found.base)), found.by.name());
    picture.prose(format!("{what} is {base} nat with everything; each {by} left out:"));
    for (span, delta) in &found.spans {
        let change = delta.map_or("nothing would be left".to_string(), |delta| match delta.abs() < floor {
            true => format!("{} nat, below the floor of {}", signed(delta), small(floor)),
            false => format!("{} nat without it", signed(delta)),
        });
        picture.item(format!("«{}» {change}", visible(span.text.as_bytes())));
    }
    picture.parts.push(PicturePart::Words(coloured(found, floor, largest)));
    let mut rows = Vec::new();
    for (span, delta) in found.sorted().into_iter().filter(|(_, delta)| delta.abs() >= floor) {
        let item = found.spans.iter().position(|(other, _)| other.tokens == span.tokens);
        let cells = vec![
            plain(format!("{:>7} ", signed(delta))),
            plain(format!("{:<BAR$} ", bar(delta.abs() / largest, BAR))),
            (visible(span.text.as_bytes()), Shade::of_change(delta, floor, largest)),
        ];
        rows.push(ShadedRow { cells, item });
    }
    picture.prose("");
    picture.first = rows.first().and_then(|row| row.item).unwrap_or(0);
    let (below, unknown) = found.without_effect(floor);
    if rows.is_empty() && unknown == found.spans.len() {
        picture.prose("nothing would be left to predict from");
    } else if rows.is_empty() {
        picture.prose(format!("no {by} changes it by the floor of {} nat or more", small(floor)));
    } else {
        let head = ShadedRow { cells: vec![plain(format!("{:>7} {:BAR$} {by}", "nat", ""))], item: None };
        picture.parts.push(PicturePart::Table([vec![head], rows].concat()));
        if below > 0 {
            picture.prose(format!("{below} more below the floor of {} nat", small(floor)));
        }
    }
    picture.prose("negative: it speaks for the target; crossed out: against it");
    picture
}

/// The text in lines, broken where something stands between that nobody wrote.
fn coloured(found: &Occlusion, floor: f64, largest: f64) -> Vec<Vec<ShadedText>> {
    let mut lines: Vec<Vec<ShadedText>> = Vec::new();
    let mut end = None;
    for (item, (span, delta)) in found.spans.iter().enumerate() {
        let shade = delta.map_or(Shade::None, |delta| Shade::of_change(delta, floor, largest));
        let text = ShadedText { text: flowing(span), shade, item: Some(item) };
        match lines.last_mut().filter(|_| end == Some(span.tokens.start)) {
            Some(line) => line.push(text),
            None => lines.push(vec![text]),
        }
        end = Some(span.tokens.end);
    }
    lines
}

/// Text as it stands in a line: blanks are blanks.
fn flowing(span: &PromptSpan) -> String {
    let text = visible(span.text.as_bytes()).replace('␣', " ");
    if text.is_empty() { "∅".to_string() } else { text }
}

pub(super) fn logit(lens: &Lens, _: &LensChoice, vocab: &Vocab) -> Picture {
    let mut picture = Picture::default();
    let LensFinding::Logit(layers) = &lens.finding else { return picture };
    let target = visible(&lens.subject.target.text);
    picture.prose(format!("the model's own head after each layer; ln p({target}) by layer:"));
    let points = layers.layers.iter().enumerate();
    let points = points.filter_map(|(i, layer)| Some((i as f64, f64::from(Layers::target(layer)?.logprob))));
    picture.parts.push(PicturePart::Curve(points.collect()));
    let head =
        format!("{:>5} {:>5} {:>6} {:>5} {:>5}  first choices, p %", "layer", "rank", "ln p", "H", "KL");
    let mut rows = vec![ShadedRow { cells: vec![plain(head)], item: None }];
    for (at, layer) in layers.layers.iter().enumerate() {
        let Some(target) = Layers::target(layer) else { continue };
        let named = |count: usize| -> String {
            let first = layer.prediction.top_logprobs.iter().take(count);
            let first =
                first.map(|one: &Candidate| format!("{} {:.1}", vocab.visible(one.id), one.prob() * 100.0));
            first.collect::<Vec<_>>().join("  ")
        };
        let figure = |value: f64| minus(&format!("{value:.2}"));
        let entropy =
            layer.prediction.entropy.exact().map_or("–".to_string(), |nats| figure(f64::from(nats)));
        let cells = vec![
            plain(format!("{at:>5} ")),
            plain(format!("{:>5} ", target.rank)),
            plain(format!("{:>6} ", figure(f64::from(target.logprob)))),
            plain(format!("{entropy:>5} ")),
            plain(format!("{:>5}  ", layer.divergence.map_or("–".to_string(), figure))),
            plain(named(NAMED)),
        ];
        let about = format!("layer {at}: {}", named(2 * NAMED));
        let item = picture.item_of(about, Some(OffPart::Layer(at)));
        rows.push(ShadedRow { cells, item: Some(item) });
    }
    picture.parts.push(PicturePart::Table(rows));
    picture.first = layers.decided().unwrap_or(picture.items.len().saturating_sub(1));
    picture.prose(match layers.decided() {
        Some(layer) => format!("the first choice from layer {layer} on"),
        None => "not the first choice after the last layer".to_string(),
    });
    picture.prose("in nats; H is the entropy, KL that of the last layer's distribution from this one's");
    picture
}

pub(super) fn context(lens: &Lens, _: &LensChoice, _: &Vocab) -> Picture {
    let mut picture = Picture::default();
    let LensFinding::Context(curve) = &lens.finding else { return picture };
    let target = visible(&lens.subject.target.text);
    picture.prose(format!("ln p({target}) when the model sees the last 1, 2, 4 … tokens alone:"));
    let points = curve.points.iter().map(|point| ((point.tokens as f64).log2(), point.logprob));
    picture.parts.push(PicturePart::Curve(points.collect()));
    let versus = lens.subject.versus.is_some();
    let difference = if versus { format!("{:>10} ", "difference") } else { String::new() };
    let head = format!("{:>6} {:>8} {:>7} {:>7} {difference}", "tokens", "ln p", "rank", "entropy");
    let mut rows = vec![ShadedRow { cells: vec![plain(head)], item: None }];
    for point in &curve.points {
        let difference = point.difference.map_or(String::new(), |value| format!("{:>10} ", signed(value)));
        let rank = point.rank.map_or("–".to_string(), |rank| rank.to_string());
        let figure = |value: f64| minus(&format!("{value:.2}"));
        let text = format!(
            "{:>6} {:>8} {rank:>7} {:>7} {difference}",
            point.tokens,
            figure(point.logprob),
            figure(point.entropy)
        );
        let p = point.logprob.exp();
        let cells = vec![plain(text), plain(bar(p, BAR))];
        let (count, word) = (point.tokens, if point.tokens == 1 { "token" } else { "tokens" });
        let item = picture.item(format!("with the last {count} {word}: p {:.2} %", p * 100.0));
        rows.push(ShadedRow { cells, item: Some(item) });
    }
    picture.parts.push(PicturePart::Table(rows));
    picture.first = picture.items.len().saturating_sub(1);
    let floor = lens.floor.unwrap_or(0.0);
    let area = minus(&format!("{:.2}", curve.area));
    picture.prose(format!("area {area} nat·octaves; a difference below {} nat is none", small(floor)));
    if curve.no_bos {
        picture.prose("without a BOS the first token that is seen takes the place that attention rests on");
    }
    picture
}

pub(super) fn attention(lens: &Lens, choice: &LensChoice, vocab: &Vocab) -> Picture {
    let mut picture = Picture::default();
    let LensFinding::Attention(found) = &lens.finding else { return picture };
    // Every position at once, or one head of each layer.
    let [row] = &found.rows[..] else { return report(lens, choice, vocab) };
    let from = usize::from(!choice.first_token);
    let columns: Vec<String> = (from..=row.position)
        .map(|at| format!("«{}» at {at}", vocab.visible(lens.subject.words[at].id)))
        .collect();
    let one = choice.layer.and_then(|layer| row.layers.iter().find(|other| other.layer == layer));
    let (head, rows) = match one {
        Some(layer) => {
            picture.prose(format!("layer {}: where each head looks; h: every layer", layer.layer));
            ("  head first%", of_heads(layer, from))
        }
        None => {
            picture.prose("mean over the heads of each layer; h: the heads of the layer you are on");
            (" layer first%", of_layers(row, from))
        }
    };
    let (head, floor, written) = (head.to_string(), 0.0, share as fn(f64) -> String);
    let heat = HeatMap { first: 0, head, rows, columns, counted_from: from, floor, written };
    picture.first = heat.most();
    picture.parts.push(PicturePart::Heat(heat));
    let without = if choice.first_token { "" } else { "; columns leave the first token out (m: with it)" };
    picture.prose(format!("first%: what the first token takes, whatever it is{without}"));
    picture.prose(explained(found));
    picture
}

/// Attention says what is read, and occlusion what that does.
fn explained(found: &AttentionLens) -> String {
    let alone = "attention alone is no explanation";
    match &found.occlusion {
        None => format!("{alone}: it says what is read, not what is done with it"),
        Some((floor, occlusion)) => {
            match occlusion.sorted().first().filter(|(_, delta)| delta.abs() >= *floor) {
                Some((span, delta)) => format!(
                    "{alone}: occlusion finds «{}», {} nat without it",
                    visible(span.text.as_bytes()),
                    signed(*delta)
                ),
                None => format!("{alone}: occlusion finds no token with an effect"),
            }
        }
    }
}

/// Shares are negative as those of what speaks for a target.
fn heat_row(number: usize, part: OffPart, first: f64, shares: impl Iterator<Item = f64>) -> HeatRow {
    let label = format!("{number:>6} {:>6.1}", first * 100.0);
    let name = part.to_string();
    HeatRow { label, name, values: shares.map(|share| -share).collect(), parts: vec![part] }
}

fn of_layers(row: &RowOf, from: usize) -> Vec<HeatRow> {
    let layer = |layer: &LayerOf| {
        let mean = layer.mean();
        let first = mean.first().copied().unwrap_or(0.0);
        heat_row(layer.layer, OffPart::Attention(layer.layer), first, mean.into_iter().skip(from))
    };
    row.layers.iter().map(layer).collect()
}

fn of_heads(layer: &LayerOf, from: usize) -> Vec<HeatRow> {
    let head = |(head, weights): &(usize, Vec<f32>)| {
        let first = weights.first().copied().map_or(0.0, f64::from);
        let part = OffPart::Head { layer: layer.layer, head: *head };
        heat_row(*head, part, first, weights.iter().skip(from).map(|&weight| f64::from(weight)))
    };
    layer.heads.iter().map(head).collect()
}

fn share(value: f64) -> String {
    format!("{:.1} %", value.abs() * 100.0)
}
