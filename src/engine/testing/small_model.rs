//! The small model of the scripted engine: what it expects goes by the word before alone.

use super::{END, FIRST_WORD, Pieces, Scripted, WORDS};
use crate::distribution::{Depth, Distribution};
use crate::engine::backend::Sink;
use crate::engine::figures::{prediction, stats};
use crate::engine::look::{Addend, Edit, Found, Inspect, LookFor, Part, PartValue, Reading, Variant};
use crate::engine::protocol::{EngineError, Event, Frontier, ScoreBatch, Sequence, Tokenize};
use crate::engine::row::{LogitsFound, RowRequest};
use crate::engine::trie::{evaluated, first_scored};
use crate::intervention::Interventions;
use crate::step::{Candidate, Step};
use crate::token::TokenId;

/// Layers of the small model, and their heads. The first layer expects ` London` whatever comes.
pub(super) const LAYERS: usize = 3;
pub(super) const HEADS: usize = 2;

/// What is likeliest after a word where something is scored; after anything else it is ` the`.
const FOLLOWS: [(&str, &str); 3] = [("The", " capital"), (" capital", " is"), (" is", " Paris")];

/// How much is left of every logit in a variant: the later the layer of what is switched off, the less.
fn left(variant: &Variant) -> f32 {
    let lost = |edit: &Edit| match *edit {
        Edit::Write { value: PartValue::Other | PartValue::Itself, .. } => 0.0,
        Edit::Write { layer, part, .. } => {
            let of_part = match part {
                Part::Residual => 0.0,
                Part::Attention => 0.2,
                Part::FeedForward => 0.1,
                Part::Head(head) => 0.06 * (head + 1) as f32,
            };
            of_part * (layer + 1) as f32
        }
        Edit::Cut { layer, .. } => 0.001 * (layer + 1) as f32,
    };
    1.0 / (1.0 + variant.edits.iter().map(lost).sum::<f32>())
}

impl Scripted {
    pub(super) fn score(&self, request: &ScoreBatch, sink: Sink) -> Result<(), EngineError> {
        let room = self.info.context as usize;
        let mut needed = request.sequences.iter().map(|sequence| evaluated(sequence, request.after));
        if let Some(needed) = needed.find(|&needed| needed > room) {
            return Err(EngineError::TooLong { needed, context: room });
        }
        let boundaries = request.boundaries.then(|| self.info.vocab.boundaries());
        let measured = |at: usize, before: TokenId| {
            let row = self.row(before, &request.in_force.at(at));
            let raw = Distribution::measure(&row, request.depth, boundaries)?;
            Ok::<_, EngineError>((row, raw))
        };
        for (index, sequence) in request.sequences.iter().enumerate() {
            let tokens = &sequence.tokens;
            let mut steps: Vec<Step> = tokens
                .first()
                .filter(|_| sequence.from == 0)
                .map(|&id| Step { id, stats: None })
                .into_iter()
                .collect();
            for at in first_scored(sequence)..tokens.len() {
                let (row, raw) = measured(at - 1, tokens[at - 1])?;
                steps.push(Step {
                    id: tokens[at],
                    stats: Some(self.stats_given(tokens[at], stats(&row, &raw, tokens[at], None))),
                });
            }
            let after = match (request.after, tokens.last()) {
                (true, Some(&last)) => {
                    let (row, raw) = measured(tokens.len() - 1, last)?;
                    Some(Box::new(self.prediction_given(prediction(&row, &raw, None))))
                }
                _ => None,
            };
            sink(Event::Scored { index, steps, after });
            sink(Event::Progress { done: index + 1, total: request.sequences.len() });
        }
        Ok(())
    }

    pub(super) fn frontier(&self, request: &Frontier, sink: Sink) -> Result<(), EngineError> {
        let sequences = request.sequences.iter().map(|ids| Sequence { tokens: ids.clone(), from: ids.len() });
        let batch = ScoreBatch {
            sequences: sequences.collect(),
            depth: request.depth,
            after: true,
            in_force: request.in_force.clone(),
            ..ScoreBatch::default()
        };
        self.score(&batch, sink)
    }

    /// Variants without parts expect less of everything; heads look at the first token and at the one before, the second head more so.
    pub(super) fn inspect(&self, request: &Inspect, sink: Sink) -> Result<(), EngineError> {
        let last = request.tokens[request.tokens.len() - 1];
        let reading = |likeliest: Option<&str>, left: f32| {
            let mut row = self.row(last, &request.interventions);
            row.iter_mut().for_each(|logit| *logit *= left);
            if let Some(word) = likeliest {
                row[Pieces.tokenize(word.as_bytes(), false)[0].0 as usize] = 9.0;
            }
            let raw = Distribution::measure(&row, request.depth, None)?;
            let of = |&id: &TokenId| {
                let logit = row[id.0 as usize];
                let (logprob, rank) = (raw.logprob(logit) as f32, raw.rank(&row, logit));
                Candidate { id, logprob, rank, outcome: None }
            };
            let named = request.named.iter().map(of).collect();
            let prediction = prediction(&row, &raw, None);
            Ok::<_, EngineError>(Found::Reading(Reading { prediction, named, divergence: Some(0.0) }))
        };
        let tell = |index, found| sink(Event::Found { index, found: Box::new(found) });
        match &request.look {
            LookFor::Layers { .. } => {
                for layer in 0..=LAYERS {
                    tell(layer, reading((layer == 0).then_some(" London"), 1.0)?);
                }
            }
            LookFor::Streams(vectors) => {
                for index in 0..vectors.len() {
                    tell(index, reading(None, 1.0)?);
                }
            }
            LookFor::Rows { layers, .. } => {
                for &layer in layers {
                    let values = vec![layer as f32; request.tokens.len()];
                    tell(0, Found::Rows { layer, width: 1, values });
                }
            }
            LookFor::Shares => {
                // All of it comes from the embedding.
                let row = self.row(last, &request.interventions);
                let logits: Vec<f32> = request.named.iter().map(|id| row[id.index()]).collect();
                for addend in [Addend::Embedding, Addend::Whole] {
                    tell(0, Found::Share { addend, logits: logits.clone() });
                }
            }
            LookFor::Variants(asked) => {
                for (index, variant) in asked.all().enumerate() {
                    tell(index, reading(None, left(variant))?);
                }
            }
            LookFor::Weights(wanted) => {
                for (index, wanted) in wanted.iter().enumerate() {
                    let heads = if wanted.mean { 1 } else { HEADS };
                    for layer in wanted.layer.map_or(0..LAYERS, |layer| layer..layer + 1) {
                        for position in wanted.positions.clone() {
                            let of_head = |head: usize| {
                                let before = if position > 0 { 0.25 * (head + 1) as f32 } else { 0.0 };
                                let mut weights = vec![0.0; position + 1];
                                weights[position.saturating_sub(1)] += before;
                                weights[0] += 1.0 - before;
                                weights
                            };
                            let weights = (0..heads).flat_map(of_head).collect();
                            tell(index, Found::Weights { layer, position, heads, weights });
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// The row of the small model, and its figures of what goes on; a constraint allows nothing but words.
    pub(super) fn row_after(&self, request: &RowRequest, sink: Sink) -> Result<(), EngineError> {
        let (path, under) = (&request.path, |at: usize| request.in_force.of_token(at));
        let last = path[path.len() - 1];
        let row = self.row(last, &under(path.len()));
        let words = FIRST_WORD as usize..FIRST_WORD as usize + WORDS.len();
        let allowed = request.constraint.is_some().then(|| {
            let each = row.iter().enumerate();
            Ok(each.map(|(id, &logit)| if words.contains(&id) { logit } else { f32::NEG_INFINITY }).collect())
        });
        sink(Event::Row(Box::new(LogitsFound { logits: row.into(), allowed, reach: 512 })));
        if request.then.is_empty() {
            return Ok(());
        }
        let before = std::iter::once(&last).chain(&request.then);
        let steps = before.zip(&request.then).enumerate().map(|(i, (&before, &id))| {
            let row = self.row(before, &under(path.len() + i));
            let raw = Distribution::measure(&row, Depth::Count(1), None)?;
            Ok(Step { id, stats: Some(stats(&row, &raw, id, None)) })
        });
        let steps = steps.collect::<Result<_, EngineError>>()?;
        sink(Event::Scored { index: 0, steps, after: None });
        Ok(())
    }

    /// The logits after a token: one word is the likeliest, then the others, then plain characters; half of
    /// that with something in force.
    fn row(&self, before: TokenId, in_force: &Interventions) -> Vec<f32> {
        let factor = if in_force.is_empty() { 1.0 } else { 0.5 };
        let words = FIRST_WORD..FIRST_WORD + WORDS.len() as u32;
        let next = FOLLOWS.iter().find(|(word, _)| Pieces.tokenize(word.as_bytes(), false) == [before]);
        let next = Pieces.tokenize(next.map_or(" the", |(_, next)| next).as_bytes(), false)[0];
        let logit = |id: u32| match id {
            _ if id == next.0 => 4.0,
            _ if words.contains(&id) => 2.0,
            END => 1.0,
            32..127 => 0.0,
            _ => -6.0,
        };
        (0..self.info.vocab.len() as u32).map(|id| factor * logit(id)).collect()
    }
}
