//! The figures of a lens as rows of named columns: what CSV files and the tables of a page hold.

use crate::engine::look::Addend;
use crate::lens::attention::{AttentionLens, LayerOf};
use crate::lens::attribution::Attribution;
use crate::lens::context::Curve;
use crate::lens::flags::LensView;
use crate::lens::keyboard::{Keyboard, Suggestions};
use crate::lens::knockout::{Effect, Knockout};
use crate::lens::logit::Layers;
use crate::lens::occlusion::Occlusion;
use crate::lens::trace::Trace;
use crate::lens::{Lens, LensFinding};
use crate::report::lens::attribution::named;
use crate::token::{Vocab, text_of};

/// What stands for a missing value.
pub const MISSING: &str = "NA";

/// The columns of a view. They are promises to users.
pub fn columns(view: LensView) -> &'static [&'static str] {
    match view {
        LensView::Logit => &[
            "layer",
            "logprob_nat",
            "rank",
            "entropy_nat",
            "kl_to_final_nat",
            "difference_nat",
            "first_choice",
            "first_choice_p",
        ],
        LensView::Context => {
            &["tokens", "logprob_nat", "rank", "entropy_nat", "difference_nat", "area_nat_octaves"]
        }
        LensView::Occlusion => {
            &["by", "span", "start", "end", "base_logprob_nat", "delta_logprob_nat", "below_floor"]
        }
        LensView::Attention => {
            &["layer", "head", "position", "seen_position", "seen_token", "weight", "sink_weight"]
        }
        LensView::Attribution => &["part", "layer", "head", "share_logit", "whole_logit"],
        LensView::Keyboard => &[
            "who",
            "logprob_nat",
            "rank",
            "entropy_nat",
            "bits_per_byte",
            "scored_tokens",
            "agreement",
            "continuation",
        ],
        LensView::Knockout => &[
            "kind",
            "layer",
            "first_layer",
            "last_layer",
            "head",
            "from",
            "to",
            "set",
            "base_logprob_nat",
            "delta_logprob_nat",
            "below_floor",
        ],
        LensView::Trace => &[
            "part",
            "layer",
            "position",
            "token",
            "head",
            "value_nat",
            "recovered",
            "clean_nat",
            "corrupt_nat",
            "moves_at_layer",
            "below_floor",
        ],
    }
}

/// The rows of a lens, in its view's columns.
pub fn rows(lens: &Lens, vocab: &Vocab) -> Vec<Vec<String>> {
    let floor = lens.floor.unwrap_or(0.0);
    match &lens.finding {
        LensFinding::Logit(found) => layers(found, vocab),
        LensFinding::Context(curve) => context(curve),
        LensFinding::Occlusion(found) => occlusion(found, floor),
        LensFinding::Attention(found) => attention(lens, found, vocab),
        LensFinding::Attribution(found) => attribution(found),
        LensFinding::Keyboard(found) => keyboard(found, vocab),
        LensFinding::Knockout(found) => knockout(found, floor),
        LensFinding::Trace(found) => trace(lens, found, vocab),
    }
}

fn some<T: ToString>(value: Option<T>) -> String {
    value.map_or(MISSING.to_string(), |value| value.to_string())
}

fn known(value: f64) -> String {
    some(value.is_finite().then_some(value))
}

fn layers(found: &Layers, vocab: &Vocab) -> Vec<Vec<String>> {
    let row = |(layer, reading): (usize, &crate::engine::look::Reading)| {
        let target = reading.named.first();
        let logprob = target.map(|target| f64::from(target.logprob)).filter(|ln| ln.is_finite());
        let difference = match &reading.named[..] {
            [target, versus] => Some(f64::from(target.logprob - versus.logprob)),
            _ => None,
        };
        let first = reading.prediction.top_logprobs.first();
        vec![
            layer.to_string(),
            some(logprob),
            some(target.map(|target| target.rank)),
            some(reading.prediction.entropy.exact()),
            some(reading.divergence),
            some(difference.filter(|difference| difference.is_finite())),
            some(first.map(|first| vocab.text(first.id))),
            some(first.map(|first| first.prob())),
        ]
    };
    found.layers.iter().enumerate().map(row).collect()
}

fn context(curve: &Curve) -> Vec<Vec<String>> {
    let row = |point: &crate::lens::context::CurvePoint| {
        vec![
            point.tokens.to_string(),
            known(point.logprob),
            some(point.rank),
            known(point.entropy),
            some(point.difference.filter(|difference| difference.is_finite())),
            known(curve.area),
        ]
    };
    curve.points.iter().map(row).collect()
}

fn occlusion(found: &Occlusion, floor: f64) -> Vec<Vec<String>> {
    let row = |(span, delta): &(crate::lens::spans::PromptSpan, Option<f64>)| {
        vec![
            found.by.name().to_string(),
            span.text.clone(),
            some(span.bytes.as_ref().map(|bytes| bytes.start)),
            some(span.bytes.as_ref().map(|bytes| bytes.end)),
            known(found.base),
            some(*delta),
            some(delta.map(|delta| delta.abs() < floor)),
        ]
    };
    found.spans.iter().map(row).collect()
}

fn attention(lens: &Lens, found: &AttentionLens, vocab: &Vocab) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for row in &found.rows {
        for layer in &row.layers {
            for (head, weights) in &layer.heads {
                let sink = LayerOf::sink(weights);
                for (seen, weight) in weights.iter().enumerate() {
                    rows.push(vec![
                        layer.layer.to_string(),
                        head.to_string(),
                        row.position.to_string(),
                        seen.to_string(),
                        some(lens.subject.words.get(seen).map(|word| vocab.text(word.id))),
                        weight.to_string(),
                        sink.to_string(),
                    ]);
                }
            }
        }
    }
    rows
}

fn attribution(found: &Attribution) -> Vec<Vec<String>> {
    let row = |(addend, share): &(Addend, f64)| {
        let (part, layer, head) = named(*addend);
        vec![part.to_string(), some(layer), some(head), known(*share), known(found.logit)]
    };
    found.parts.iter().map(row).collect()
}

fn keyboard(found: &Keyboard, vocab: &Vocab) -> Vec<Vec<String>> {
    let row = |who: &str, of: &Suggestions| {
        let target = of.named.first();
        vec![
            who.to_string(),
            some(target.map(|(logprob, _)| *logprob).filter(|logprob| logprob.is_finite())),
            some(target.and_then(|(_, rank)| *rank)),
            some(of.prediction.entropy.exact()),
            some(of.bits_per_byte(found.bytes)),
            found.scored.to_string(),
            some(found.agreement()),
            text_of(&vocab.concat(of.clicked.iter().copied())),
        ]
    };
    vec![row("model", &found.model), row("ngram", &found.ngram)]
}

fn knockout(found: &Knockout, floor: f64) -> Vec<Vec<String>> {
    let row = |effect: &Effect| {
        let several = effect.layers.len() > 1;
        vec![
            effect.kind.name().to_string(),
            some(effect.layer),
            some(several.then_some(effect.layers.start)),
            some(several.then(|| effect.layers.end - 1)),
            some(effect.head),
            some(effect.edge.map(|(from, _)| from)),
            some(effect.edge.map(|(_, to)| to)),
            found.set.name().to_string(),
            known(found.base),
            known(effect.delta),
            (effect.delta.abs() < floor).to_string(),
        ]
    };
    found.effects.iter().map(row).collect()
}

fn trace(lens: &Lens, found: &Trace, vocab: &Vocab) -> Vec<Vec<String>> {
    let floor = lens.floor.unwrap_or(0.0);
    let row = |cell: &crate::lens::trace::TraceCell| {
        vec![
            found.part.name().to_string(),
            cell.layer.to_string(),
            cell.position.to_string(),
            some(lens.subject.words.get(cell.position).map(|word| vocab.text(word.id))),
            some(cell.head),
            known(cell.value),
            some(cell.recovered),
            known(found.clean),
            known(found.corrupt),
            some(found.moves),
            (!found.has_effect(cell, floor)).to_string(),
        ]
    };
    found.cells.iter().map(row).collect()
}
