//! Pictures of what parts of the model do: attribution, knockouts, traces, and the prompt before a trace.

use super::{BAR, measured, plain};
use crate::engine::look::{Addend, Part};
use crate::intervention::OffPart;
use crate::lens::knockout::{Effect, Knocked, Knockout, SetTo};
use crate::lens::subject::Given;
use crate::lens::trace::{Trace, TracePart};
use crate::lens::{Lens, LensFinding};
use crate::report::bars::bar;
use crate::report::lens::place;
use crate::report::lens::sentence::signed;
use crate::report::lens::small;
use crate::token::{Vocab, visible};
use crate::tui::lens::spot::LensChoice;
use crate::tui::picture::{HeatMap, HeatRow, Picture, PicturePart, Shade, ShadedRow, ShadedText};
use crate::tui::view::items::minus;

/// Rows of a ranked table.
const RANKED: usize = 60;

/// A row of a ranked table.
struct RankedPart {
    value: f64,
    name: String,
    part: Option<OffPart>,
}

/// Parts with their figures, the largest first.
fn ranked(picture: &mut Picture, what: &str, parts: Vec<RankedPart>, floor: f64) {
    if parts.is_empty() {
        return;
    }
    let largest = parts.first().map_or(1.0, |part| part.value.abs());
    let head = plain(format!("{what:>7} {:BAR$} part", ""));
    let mut rows = vec![ShadedRow { cells: vec![head], item: None }];
    for RankedPart { value, name, part } in parts {
        // A share speaks for the target where it is positive, a change without a part where it is negative.
        let change = if what == "share" { -value } else { value };
        let cells = vec![
            plain(format!("{:>7} ", signed(value))),
            plain(format!("{:<BAR$} ", bar(value.abs() / largest, BAR))),
            (name.clone(), Shade::of_change(change, floor, largest)),
        ];
        let item = picture.item_of(format!("{name}: {} {what}", signed(value)), part);
        rows.push(ShadedRow { cells, item: Some(item) });
    }
    picture.parts.push(PicturePart::Table(rows));
}

pub(in crate::tui::lens) fn attribution(lens: &Lens, _: &LensChoice, _: &Vocab) -> Picture {
    let mut picture = Picture::default();
    let LensFinding::Attribution(found) = &lens.finding else { return picture };
    let what = if lens.subject.versus.is_some() { "the difference of logits" } else { "the logit" };
    let target = visible(&lens.subject.target.text);
    picture.prose(format!(
        "{what} of {target} is {}; what each part adds to it:",
        minus(&format!("{:.2}", found.logit))
    ));
    let mut parts: Vec<_> = found.parts.iter().filter_map(|(addend, share)| named(addend, *share)).collect();
    parts.sort_by(|a, b| b.value.abs().total_cmp(&a.value.abs()));
    let more = parts.len().saturating_sub(RANKED);
    parts.truncate(RANKED);
    ranked(&mut picture, "share", parts, 0.0);
    if more > 0 {
        picture.prose(format!("{more} more with less"));
    }
    let remainder = small((found.logit - found.sum()).abs());
    picture.prose(format!("sum {}, remainder {remainder}", minus(&format!("{:.2}", found.sum()))));
    picture.prose("direct shares, the last norm held still; heads are part of their layer's attention");
    picture
}

/// What adds to the residual stream, as a part that can be switched off.
fn named(addend: &Addend, share: f64) -> Option<RankedPart> {
    let part = match addend {
        Addend::Part { layer, part: Part::Attention } => OffPart::Attention(*layer),
        Addend::Part { layer, part: Part::FeedForward } => OffPart::FeedForward(*layer),
        Addend::Part { layer, part: Part::Head(head) } => OffPart::Head { layer: *layer, head: *head },
        Addend::Embedding => {
            return Some(RankedPart { value: share, name: "embedding".to_string(), part: None });
        }
        _ => return None,
    };
    Some(RankedPart { value: share, name: part.to_string(), part: Some(part) })
}

/// The part that was switched off.
fn part_of(effect: &Effect) -> Option<OffPart> {
    let layer = effect.layer?;
    match effect.kind {
        Knocked::Layer => Some(OffPart::Layer(layer)),
        Knocked::Attention => Some(OffPart::Attention(layer)),
        Knocked::FeedForward => Some(OffPart::FeedForward(layer)),
        Knocked::Head => Some(OffPart::Head { layer, head: effect.head? }),
        // One in a window of layers, and no part of a model that is there for every token.
        Knocked::Edge => None,
    }
}

pub(in crate::tui::lens) fn knockout(lens: &Lens, choice: &LensChoice, vocab: &Vocab) -> Picture {
    let mut picture = Picture::default();
    let LensFinding::Knockout(found) = &lens.finding else { return picture };
    let floor = lens.floor.unwrap_or(0.0);
    let how = match found.set {
        SetTo::Zero => "zero",
        SetTo::Mean => "its mean over the prompt",
        SetTo::Corrupt => "what it is in the corrupt prompt",
    };
    let base = minus(&format!("{:.2}", found.base));
    picture.prose(format!("{} is {base} nat; each part set to {how}:", measured(&lens.subject)));
    if choice.grid {
        grid(&mut picture, found, floor);
    } else {
        let (effects, below) = found.ranked(floor);
        let more = effects.len().saturating_sub(RANKED);
        let name = |effect: &Effect| match part_of(effect) {
            Some(part) => part.to_string(),
            None => place(effect, &lens.subject, vocab),
        };
        let row =
            |effect: &&Effect| RankedPart { value: effect.delta, name: name(effect), part: part_of(effect) };
        let parts = effects.iter().take(RANKED).map(row);
        ranked(&mut picture, "nat", parts.collect(), floor);
        if more > 0 {
            picture.prose(format!("{more} more above the floor of {} nat", small(floor)));
        }
        if below > 0 {
            picture.prose(format!("{below} below the floor of {} nat", small(floor)));
        }
    }
    found.lacking.iter().for_each(|lacking| picture.prose(lacking.clone()));
    let other = if choice.grid { "h: ranked" } else { "h: layer by layer" };
    picture.prose(format!("negative: it speaks for the target; {other}"));
    if lens.partial {
        picture.prose("stopped before all of it was found");
    }
    picture
}

/// A row a layer: its heads, attention, feed-forward network and the whole.
fn grid(picture: &mut Picture, found: &Knockout, floor: f64) {
    let parts = || found.effects.iter().filter_map(|effect| Some((part_of(effect)?, effect.delta)));
    let heads = parts().filter_map(|(part, _)| match part {
        OffPart::Head { head, .. } => Some(head + 1),
        _ => None,
    });
    let heads = heads.max().unwrap_or(0);
    let mut layers: Vec<usize> = parts().filter_map(|(part, _)| part.layer()).collect();
    layers.sort_unstable();
    layers.dedup();
    let columns: Vec<String> = (0..heads)
        .map(|head| format!("head {head}"))
        .chain(["attention", "ffn", "layer"].map(String::from))
        .collect();
    let row = |&layer: &usize| {
        let whole = [OffPart::Attention(layer), OffPart::FeedForward(layer), OffPart::Layer(layer)];
        let own: Vec<OffPart> = (0..heads).map(|head| OffPart::Head { layer, head }).chain(whole).collect();
        let value =
            |part: &OffPart| parts().find(|(other, _)| other == part).map_or(f64::NAN, |(_, delta)| delta);
        HeatRow {
            label: format!("{layer:>6}"),
            name: format!("layer {layer}"),
            values: own.iter().map(value).collect(),
            parts: own,
        }
    };
    let rows = layers.iter().map(row).collect();
    let head = " layer".to_string();
    let heat = HeatMap {
        first: 0,
        head,
        rows,
        columns,
        counted_from: 0,
        floor,
        written: |value| format!("{} nat", signed(value)),
    };
    picture.first = heat.most();
    picture.parts.push(PicturePart::Heat(heat));
    picture.prose("a column a head, then attention, ffn and the whole layer");
}

pub(in crate::tui::lens) fn trace(lens: &Lens, _: &LensChoice, vocab: &Vocab) -> Picture {
    let mut picture = Picture::default();
    let LensFinding::Trace(found) = &lens.finding else { return picture };
    let base = |value: f64| minus(&format!("{value:.2}"));
    let changed = changed(lens, found, vocab);
    picture.prose(format!(
        "{} is {}; with {changed} it is {}",
        measured(&lens.subject),
        base(found.clean),
        base(found.corrupt)
    ));
    let part = match found.part {
        TracePart::Residual => "the residual stream",
        TracePart::Attention => "what attention adds",
        TracePart::FeedForward => "what the feed-forward network adds",
        TracePart::Head => "what a head gives",
    };
    picture.prose(format!("what of it comes back when {part} is the prompt's own, layer by layer:"));
    match &found.reason {
        Some(reason) => picture.prose(minus(reason)),
        None => map(&mut picture, lens, found, vocab),
    }
    if let Some(layer) = found.moves {
        picture.prose(format!("the answer moves to the last position at layer {layer}"));
    } else if found.reason.is_none() && found.part == TracePart::Residual {
        picture.prose(match found.whole {
            true => "the answer moves at no layer",
            false => "where the answer moves is not told: not every layer and position was looked at",
        });
    }
    found.lacking.iter().for_each(|lacking| picture.prose(lacking.clone()));
    if lens.partial {
        picture.prose("stopped before all of it was found");
    }
    picture
}

/// The words that stand in place of the prompt's.
fn changed(lens: &Lens, found: &Trace, vocab: &Vocab) -> String {
    let ids = lens.subject.ids();
    let apart = |at: &usize| ids[*at] != found.corrupt_ids[*at];
    let differ: Vec<usize> = (found.apart..ids.len().min(found.corrupt_ids.len())).filter(apart).collect();
    let last = differ.last().map_or(found.apart, |last| last + 1);
    let text = |ids: &[crate::token::TokenId]| visible(&vocab.concat(ids[found.apart..last].iter().copied()));
    format!("«{}» for «{}»", text(&found.corrupt_ids), text(&ids))
}

/// A row a layer, a column a position from the first difference on.
fn map(picture: &mut Picture, lens: &Lens, found: &Trace, vocab: &Vocab) {
    let count = lens.subject.words.len();
    let name = |at: usize| format!("«{}» at {at}", vocab.visible(lens.subject.words[at].id));
    let columns: Vec<String> = (found.apart..count).map(name).collect();
    let mut layers: Vec<usize> = found.cells.iter().map(|cell| cell.layer).collect();
    layers.dedup();
    let floor = lens.floor.unwrap_or(0.0);
    let row = |&layer: &usize| {
        let mut values = vec![f64::NAN; columns.len()];
        for cell in found.cells.iter().filter(|cell| cell.layer == layer && cell.position >= found.apart) {
            let share = cell.recovered.filter(|_| found.has_effect(cell, floor)).unwrap_or(0.0);
            let place = &mut values[cell.position - found.apart];
            // Of several heads the one that restores most.
            if place.is_nan() || share.abs() > place.abs() {
                *place = -share;
            }
        }
        HeatRow { label: format!("{layer:>6}"), name: format!("layer {layer}"), values, parts: Vec::new() }
    };
    let rows = layers.iter().map(row).collect();
    let head = " layer".to_string();
    let written = |value: f64| format!("{:.0} % restored", -value * 100.0);
    let heat = HeatMap { first: 0, head, rows, columns, counted_from: found.apart, floor: 0.0, written };
    picture.first = heat.most();
    picture.parts.push(PicturePart::Heat(heat));
}

/// The prompt, of which a span is to be marked that a trace replaces; the item of each token is its position.
pub(in crate::tui::lens) fn marking(given: &Given, mark: Option<usize>, vocab: &Vocab) -> Picture {
    let mut picture = Picture::default();
    let Given::Step { before, .. } = given else {
        picture.prose("trace compares two prompts: /lens trace --corrupt \"TEXT\" PROMPT ||| TARGET");
        return picture;
    };
    picture.prose(match mark {
        None => "which words should have been others? Walk to the first of them, Enter",
        Some(_) => "walk to the last of them, Enter; then write what is to stand there",
    });
    let (mut lines, mut line): (Vec<Vec<ShadedText>>, Vec<ShadedText>) = (Vec::new(), Vec::new());
    for (at, (id, _)) in before.iter().enumerate() {
        let shown = vocab.visible(*id);
        let item = picture.item(format!("«{shown}», position {at}"));
        let text = shown.replace('␣', " ");
        let shade = if mark == Some(at) { Shade::For(1.0) } else { Shade::None };
        line.push(ShadedText { text: text.replace('⏎', "⏎ "), shade, item: Some(item) });
        if shown.contains('⏎') {
            lines.push(std::mem::take(&mut line));
        }
    }
    lines.push(line);
    picture.first = before.iter().rposition(|(_, written)| *written).unwrap_or(0);
    picture.parts.push(PicturePart::Words(lines));
    picture
}
