//! A lens as one JSON object.

use serde::Serialize;

use super::attribution::AttributionRecord;
use super::causal::{KnockoutRecord, TraceRecord};
use super::keyboard::KeyboardRecord;
use crate::distribution::Depth;
use crate::lens::attention::{LayerOf, Positions, RowOf};
use crate::lens::context::CurvePoint;
use crate::lens::subject::{Goal, Subject};
use crate::lens::{Lens, LensFinding};
use crate::report::record::{CandidateRecord, Origin, top};
use crate::step::Candidate;
use crate::token::{TokenId, Vocab, text_of};

/// The answer of `lens`.
#[derive(Debug, Serialize)]
pub struct LensRecord<'a> {
    /// Left out where a stream has told it before.
    #[serde(flatten)]
    origin: Option<&'a Origin>,
    view: &'static str,
    tokens: Vec<PromptWordRecord<'a>>,
    target: GoalRecord<'a>,
    versus: Option<GoalRecord<'a>>,
    /// In nats; null where nothing is called an effect.
    floor: Option<f64>,
    /// Stopped before all of it was found.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
    #[serde(flatten)]
    finding: FindingRecord<'a>,
}

#[derive(Debug, Serialize)]
struct PromptWordRecord<'a> {
    token: String,
    id: TokenId,
    bytes: &'a [u8],
    start: Option<usize>,
    end: Option<usize>,
    written: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    turn: Option<usize>,
}

#[derive(Debug, Serialize)]
struct GoalRecord<'a> {
    text: String,
    ids: &'a [TokenId],
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    greedy: bool,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum FindingRecord<'a> {
    Logit {
        layers: Vec<LayerRecord>,
        chat_logprob: Option<f64>,
        last_row_difference: f64,
        decided: Option<usize>,
    },
    Context {
        context: Vec<PointRecord>,
        area: Option<f64>,
    },
    Occlusion {
        by: &'static str,
        neutral: Option<&'a [TokenId]>,
        base: Option<f64>,
        spans: Vec<SpanRecord<'a>>,
    },
    Attention(Box<AttentionRecord<'a>>),
    Attribution(AttributionRecord),
    Keyboard {
        keyboard: Box<KeyboardRecord<'a>>,
    },
    Knockout(KnockoutRecord<'a>),
    Trace(TraceRecord<'a>),
}

#[derive(Debug, Serialize)]
struct LayerRecord {
    layer: usize,
    top_logprobs: Vec<CandidateRecord>,
    residual: Option<f64>,
    entropy: Option<f32>,
    kl_to_final: Option<f64>,
    target: Option<TargetRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    versus: Option<TargetRecord>,
}

#[derive(Debug, Serialize)]
struct TargetRecord {
    logprob: Option<f32>,
    rank: u32,
}

#[derive(Debug, Serialize)]
struct PointRecord {
    tokens: usize,
    logprob: Option<f64>,
    rank: Option<u32>,
    entropy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    difference: Option<f64>,
}

#[derive(Debug, Serialize)]
struct SpanRecord<'a> {
    text: &'a str,
    start: Option<usize>,
    end: Option<usize>,
    /// Indices of the prompt's tokens, the end left out.
    tokens: [usize; 2],
    delta_logprob: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct AttentionRecord<'a> {
    position: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    layers: Option<Vec<AttentionLayerRecord<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    positions: Option<Vec<PositionRecord<'a>>>,
    rollout: Option<&'a [f64]>,
    note: &'static str,
    occlusion: Option<OcclusionRecord<'a>>,
}

#[derive(Debug, Serialize)]
struct PositionRecord<'a> {
    position: usize,
    layers: Vec<AttentionLayerRecord<'a>>,
}

#[derive(Debug, Serialize)]
struct AttentionLayerRecord<'a> {
    layer: usize,
    heads: Vec<HeadRecord<'a>>,
    mean: Vec<f64>,
    max: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct HeadRecord<'a> {
    head: usize,
    weights: &'a [f32],
    /// The first token's weight.
    first: Option<f32>,
    /// What the weights lack to one.
    sink: f64,
}

#[derive(Debug, Serialize)]
struct OcclusionRecord<'a> {
    by: &'static str,
    floor: f64,
    spans: Vec<SpanRecord<'a>>,
}

impl<'a> LensRecord<'a> {
    /// The record of an answer, with candidates to a depth.
    pub fn new(lens: &'a Lens, k: Depth, vocab: &'a Vocab, origin: Option<&'a Origin>) -> LensRecord<'a> {
        let subject = &lens.subject;
        let (view, finding) = finding(lens, k, vocab);
        LensRecord {
            origin,
            view,
            tokens: words(subject, vocab),
            target: goal(&subject.target, subject.greedy),
            versus: subject.versus.as_ref().map(|versus| goal(versus, false)),
            floor: lens.floor,
            partial: lens.partial,
            notes: &subject.notes,
            finding,
        }
    }
}

fn finding<'a>(lens: &'a Lens, k: Depth, vocab: &Vocab) -> (&'static str, FindingRecord<'a>) {
    match &lens.finding {
        LensFinding::Logit(found) => {
            let layers = found.layers.iter().enumerate().map(|(layer, reading)| {
                let (top_logprobs, residual) = top(&reading.prediction, k, vocab);
                LayerRecord {
                    layer,
                    top_logprobs,
                    residual: residual.exact(),
                    entropy: reading.prediction.entropy.exact(),
                    kl_to_final: reading.divergence,
                    target: reading.named.first().map(target),
                    versus: reading.named.get(1).map(target),
                }
            });
            let layers = layers.collect();
            let last_row_difference = found.last_row_difference;
            let chat_logprob = finite(found.chat_logprob);
            let decided = found.decided();
            ("logit", FindingRecord::Logit { layers, chat_logprob, last_row_difference, decided })
        }
        LensFinding::Context(curve) => {
            let context = curve.points.iter().map(point).collect();
            ("context", FindingRecord::Context { context, area: finite(curve.area) })
        }
        LensFinding::Occlusion(found) => {
            let record = FindingRecord::Occlusion {
                by: found.by.name(),
                neutral: found.neutral.as_deref(),
                base: finite(found.base),
                spans: found.spans.iter().map(|(one, delta)| span(one, *delta)).collect(),
            };
            ("occlusion", record)
        }
        LensFinding::Attention(found) => {
            let all = found.which.from == Positions::All;
            let one = found.rows.first().filter(|_| !all);
            let row = |row: &'a RowOf| row.layers.iter().map(attention_layer).collect();
            let occlusion = found.occlusion.as_ref().map(|(floor, occlusion)| OcclusionRecord {
                by: occlusion.by.name(),
                floor: *floor,
                spans: occlusion.spans.iter().map(|(one, delta)| span(one, *delta)).collect(),
            });
            let record = AttentionRecord {
                position: one.map(|row| row.position),
                layers: one.map(row),
                positions: all.then(|| {
                    let of = |of: &'a RowOf| PositionRecord { position: of.position, layers: row(of) };
                    found.rows.iter().map(of).collect()
                }),
                rollout: found.rollout.as_deref(),
                note: "attention alone is no explanation",
                occlusion,
            };
            ("attention", FindingRecord::Attention(Box::new(record)))
        }
        LensFinding::Attribution(found) => {
            ("attribution", FindingRecord::Attribution(AttributionRecord::new(found, lens.partial)))
        }
        LensFinding::Keyboard(found) => {
            let keyboard = Box::new(KeyboardRecord::new(found, k, vocab));
            ("keyboard", FindingRecord::Keyboard { keyboard })
        }
        LensFinding::Knockout(found) => {
            let record = KnockoutRecord::new(found, lens.floor.unwrap_or(0.0));
            ("knockout", FindingRecord::Knockout(record))
        }
        LensFinding::Trace(found) => ("trace", FindingRecord::Trace(TraceRecord::new(found, vocab))),
    }
}

fn words<'a>(subject: &Subject, vocab: &'a Vocab) -> Vec<PromptWordRecord<'a>> {
    let record = |word: &crate::lens::subject::PromptWord| PromptWordRecord {
        token: vocab.text(word.id),
        id: word.id,
        bytes: vocab.bytes(word.id),
        start: word.span.as_ref().map(|span| span.start),
        end: word.span.as_ref().map(|span| span.end),
        written: word.written,
        turn: word.turn,
    };
    subject.words.iter().map(record).collect()
}

fn goal(goal: &Goal, greedy: bool) -> GoalRecord<'_> {
    GoalRecord { text: text_of(&goal.text), ids: &goal.ids, greedy }
}

fn target(candidate: &Candidate) -> TargetRecord {
    TargetRecord { logprob: candidate.logprob.is_finite().then_some(candidate.logprob), rank: candidate.rank }
}

fn point(point: &CurvePoint) -> PointRecord {
    PointRecord {
        tokens: point.tokens,
        logprob: finite(point.logprob),
        rank: point.rank,
        entropy: finite(point.entropy),
        difference: point.difference,
    }
}

fn span(span: &crate::lens::spans::PromptSpan, delta: Option<f64>) -> SpanRecord<'_> {
    SpanRecord {
        text: &span.text,
        start: span.bytes.as_ref().map(|bytes| bytes.start),
        end: span.bytes.as_ref().map(|bytes| bytes.end),
        tokens: [span.tokens.start, span.tokens.end],
        delta_logprob: delta,
        note: delta.is_none().then_some("nothing would be left to predict from"),
    }
}

fn attention_layer(layer: &LayerOf) -> AttentionLayerRecord<'_> {
    let head = |(head, weights): &'_ (usize, Vec<f32>)| (*head, LayerOf::sink(weights));
    let heads = layer.heads.iter().map(|of| {
        let (number, sink) = head(of);
        HeadRecord { head: number, weights: &of.1, first: of.1.first().copied(), sink }
    });
    AttentionLayerRecord { layer: layer.layer, heads: heads.collect(), mean: layer.mean(), max: layer.max() }
}

pub(super) fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
