//! Steering vectors: made as the mean difference of the residual stream between pairs of texts, and looked at
//! through the model's own head.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::ValueEnum;

use super::inspect::inspect;
use crate::counter::Far;
use crate::engine::EngineError;
use crate::engine::look::{Found, LookFor};
use crate::intervention::SteeringVector;
use crate::query::{Asker, QueryError};
use crate::step::Prediction;
use crate::token::TokenId;

/// Fewest pairs of texts: one alone would hold whatever else its two texts differ in.
pub const FEWEST_PAIRS: usize = 2;

/// Where a text's stream is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum ReadAt {
    /// At its last token
    #[default]
    Last,
    /// The mean over its tokens but the first
    Mean,
}

impl ReadAt {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            ReadAt::Last => "at the last token",
            ReadAt::Mean => "mean over the tokens but the first",
        }
    }
}

/// A text of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SteerText {
    /// The file and its line.
    pub place: String,
    /// The text.
    pub text: Vec<u8>,
}

/// Two texts that differ in what the vector is to be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SteerPair {
    /// What the vector leads to.
    pub positive: SteerText,
    /// What it leads away from.
    pub negative: SteerText,
}

/// Makes a vector: for each layer from 1 on the mean over the pairs of what the stream after it is in the
/// positive text minus in the negative one. The first position, on which attention rests, is never read.
///
/// # Errors
/// [`QueryError`].
pub fn make(asker: &mut Asker, pairs: &[SteerPair], at: ReadAt) -> Result<SteeringVector, QueryError> {
    let mut sums: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (i, pair) in pairs.iter().enumerate() {
        (asker.far)(Far { what: "reading", unit: "pairs", done: i, total: pairs.len() });
        for (text, sign) in [(&pair.positive, 1.0), (&pair.negative, -1.0)] {
            for (layer, stream) in streams(asker, text, at)? {
                let sum = sums.entry(layer).or_insert_with(|| vec![0.0; stream.len()]);
                sum.iter_mut().zip(&stream).for_each(|(sum, value)| *sum += sign * value);
            }
        }
    }
    (asker.far)(Far { what: "reading", unit: "pairs", done: pairs.len(), total: pairs.len() });
    if sums.is_empty() {
        let architecture = asker.model.architecture.clone();
        return Err(EngineError::NoPart { architecture, layer: 1, part: "residual stream" }.into());
    }
    if sums.values().flatten().all(|value| *value == 0.0) {
        let what =
            "the positive and the negative texts leave the same streams: nothing leads from one to the other";
        return Err(QueryError::Refused(what.to_string()));
    }
    let mean = |sum: Vec<f64>| sum.into_iter().map(|sum| (sum / pairs.len() as f64) as f32).collect();
    let directions: BTreeMap<usize, Arc<[f32]>> =
        sums.into_iter().map(|(layer, sum)| (layer, mean(sum))).collect();
    Ok(SteeringVector { directions, architecture: Some(asker.model.architecture.clone()) })
}

/// The streams of a text after each layer but the first.
fn streams(asker: &mut Asker, text: &SteerText, at: ReadAt) -> Result<BTreeMap<usize, Vec<f64>>, QueryError> {
    let encoder = asker.encoder(&asker.model, asker.settings.bos)?;
    let refused = |what: String| QueryError::Refused(format!("{}: {what}", text.place));
    let encoded = encoder.encode(&text.text).map_err(|error| refused(error.to_string()))?;
    let ids: Vec<TokenId> = encoded.pieces.iter().map(|piece| piece.id).collect();
    if ids.len() < 2 {
        let what = "one token alone takes the place that attention rests on: a text of two is wanted";
        return Err(refused(what.to_string()));
    }
    asker.must_fit(ids.len()).map_err(|error| refused(error.to_string()))?;
    let mut read: BTreeMap<usize, StreamSum> = BTreeMap::new();
    let look = LookFor::Rows { part: "residual".to_string(), layers: (1..asker.model.layers).collect() };
    let done = inspect(asker, (&ids, &[]), look, &mut |_, found| {
        if let Found::Rows { layer, width, values } = found {
            let sum = read.entry(layer).or_default();
            values.chunks(width).for_each(|row| sum.add(row, at));
        }
    })?;
    if !done {
        return Err(QueryError::Stopped);
    }
    Ok(read.into_iter().map(|(layer, sum)| (layer, sum.mean())).collect())
}

/// What is read of a text in a layer, row after row.
#[derive(Default)]
struct StreamSum {
    seen: usize,
    /// Rows that count.
    rows: usize,
    sum: Vec<f64>,
}

impl StreamSum {
    fn add(&mut self, row: &[f32], at: ReadAt) {
        self.seen += 1;
        if self.seen == 1 {
            return;
        }
        let row = row.iter().copied().map(f64::from);
        if at == ReadAt::Last || self.sum.is_empty() {
            (self.rows, self.sum) = (1, row.collect());
        } else {
            self.rows += 1;
            self.sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
    }

    fn mean(self) -> Vec<f64> {
        self.sum.into_iter().map(|sum| sum / self.rows as f64).collect()
    }
}

/// What a vector does in a layer.
#[derive(Clone, Debug)]
pub struct Direction {
    /// After which.
    pub layer: usize,
    /// Its length.
    pub norm: f64,
    /// What the model's head says of it.
    pub raises: Prediction,
    /// What it says of its opposite.
    pub lowers: Prediction,
}

/// Looks at a vector: by layer its length, and what it alone in place of the stream raises and lowers.
///
/// # Errors
/// [`QueryError`]; a vector of another model.
pub fn show(asker: &mut Asker, vector: &SteeringVector) -> Result<Vec<Direction>, QueryError> {
    vector.fits(&asker.model.architecture, asker.model.layers).map_err(QueryError::Refused)?;
    let negated = |values: &Arc<[f32]>| values.iter().map(|value| -value).collect();
    let streams = vector.directions.values().flat_map(|values| [Arc::clone(values), negated(values)]);
    let look = LookFor::Streams(streams.collect());
    let mut said: Vec<Prediction> = Vec::new();
    let done = inspect(asker, (&[TokenId(0)], &[]), look, &mut |_, found| {
        if let Found::Reading(reading) = found {
            said.push(reading.prediction);
        }
    })?;
    if !done {
        return Err(QueryError::Stopped);
    }
    let mut said = said.into_iter();
    let mut shown = Vec::new();
    for (&layer, values) in &vector.directions {
        let (Some(raises), Some(lowers)) = (said.next(), said.next()) else { break };
        let norm = values.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
        shown.push(Direction { layer, norm, raises, lowers });
    }
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::{ReadAt, StreamSum};

    #[test]
    fn the_first_position_is_never_read() {
        let of = |at| {
            let mut sum = StreamSum::default();
            [[100.0, 100.0], [1.0, 2.0], [3.0, 6.0]].iter().for_each(|row| sum.add(row, at));
            sum.mean()
        };
        assert_eq!(of(ReadAt::Last), [3.0, 6.0]);
        assert_eq!(of(ReadAt::Mean), [2.0, 4.0]);
    }
}
