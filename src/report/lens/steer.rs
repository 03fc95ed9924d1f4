//! Steering vectors, as records and as tables.

use serde::Serialize;

use super::measures::BAR;
use crate::distribution::Depth;
use crate::intervention::SteeringVector;
use crate::lens::steer::{Direction, ReadAt};
use crate::report::bars::bar;
use crate::report::record::{CandidateRecord, Origin, top};
use crate::report::view::{Column, Table, TableRow, View};
use crate::step::Prediction;
use crate::token::Vocab;

/// Tokens that a table lists.
const LISTED: usize = 5;

/// A vector that was made.
#[derive(Debug, Serialize)]
pub struct MadeRecord<'a> {
    #[serde(flatten)]
    origin: &'a Origin,
    file: &'a str,
    pairs: usize,
    at: &'static str,
    width: usize,
    layers: Vec<NormRecord>,
}

#[derive(Debug, Serialize)]
struct NormRecord {
    layer: usize,
    norm: f64,
}

/// A vector that is looked at.
#[derive(Debug, Serialize)]
pub struct ShownRecord<'a> {
    #[serde(flatten)]
    origin: &'a Origin,
    file: &'a str,
    layers: Vec<DirectionRecord>,
}

#[derive(Debug, Serialize)]
struct DirectionRecord {
    layer: usize,
    norm: f64,
    raises: Vec<CandidateRecord>,
    lowers: Vec<CandidateRecord>,
}

fn norms(vector: &SteeringVector) -> Vec<NormRecord> {
    let norm = |values: &[f32]| values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
    vector.directions.iter().map(|(&layer, values)| NormRecord { layer, norm: norm(values) }).collect()
}

/// How a vector was made.
#[derive(Clone, Copy, Debug)]
pub struct Making<'a> {
    /// The file it went to.
    pub file: &'a str,
    /// Of how many pairs of texts.
    pub pairs: usize,
    /// Where their streams were read.
    pub at: ReadAt,
}

impl<'a> MadeRecord<'a> {
    /// The record.
    pub fn new(vector: &SteeringVector, made: Making<'a>, origin: &'a Origin) -> MadeRecord<'a> {
        let at = match made.at {
            ReadAt::Last => "last",
            ReadAt::Mean => "mean",
        };
        let width = vector.directions.values().next().map_or(0, |values| values.len());
        MadeRecord { origin, file: made.file, pairs: made.pairs, at, width, layers: norms(vector) }
    }
}

impl<'a> ShownRecord<'a> {
    /// The record, with candidates to a depth.
    pub fn new(
        shown: &[Direction],
        file: &'a str,
        k: Depth,
        vocab: &Vocab,
        origin: &'a Origin,
    ) -> ShownRecord<'a> {
        let layer = |direction: &Direction| DirectionRecord {
            layer: direction.layer,
            norm: direction.norm,
            raises: top(&direction.raises, k, vocab).0,
            lowers: top(&direction.lowers, k, vocab).0,
        };
        ShownRecord { origin, file, layers: shown.iter().map(layer).collect() }
    }
}

/// What was made, in words.
pub fn made(vector: &SteeringVector, made: Making) -> View {
    let mut view = View::default();
    let layers = || vector.directions.keys();
    let (first, last) = (layers().min().copied().unwrap_or(0), layers().max().copied().unwrap_or(0));
    let width = vector.directions.values().next().map_or(0, |values| values.len());
    view.text(format!(
        "{}: the mean difference of {} pairs, {}, for layers {first} to {last}, {width} values each",
        made.file,
        made.pairs,
        made.at.words()
    ));
    view.text(format!("try a layer or a few of them: --steer {}:1:{}", made.file, last.div_ceil(2)));
    view
}

/// One row a layer.
pub fn shown(shown: &[Direction], vocab: &Vocab) -> View {
    let mut view = View::default();
    let largest = shown.iter().map(|direction| direction.norm).fold(f64::MIN_POSITIVE, f64::max);
    let mut table = Table::new([
        Column::figures("layer", 5).after(0),
        Column::figures("norm", 9),
        Column::bars("", BAR).after(1),
        Column::text("raises", 44).after(2),
        Column::text("lowers", 0).after(2),
    ]);
    let words = |said: &Prediction| -> String {
        let likeliest = said.top_logprobs.iter().take(LISTED);
        let words: Vec<String> = likeliest.map(|one| vocab.visible(one.id)).collect();
        words.join("  ")
    };
    for direction in shown {
        table.rows.push(TableRow::new([
            direction.layer.to_string().into(),
            format!("{:.3}", direction.norm).into(),
            bar(direction.norm / largest, BAR).into(),
            words(&direction.raises).into(),
            words(&direction.lowers).into(),
        ]));
    }
    view.table(table);
    view.text("what the model's head says of the direction alone, and of its opposite, likeliest first");
    view
}
