//! Where attention looks. It routes, and alone explains nothing: the span that occlusion finds stands
//! beside it.

use super::inspect::{inspect, must_have};
use super::occlusion::{Instead, Occlusion, occlusion};
use super::spans::{SpanUnit, coarse};
use super::subject::Subject;
use crate::engine::look::{Found, LookFor, WeightsOf};
use crate::query::{Asker, QueryError};

/// Most tokens for which rollout is computed: it takes every position of every layer.
pub const MOST_ROLLED: usize = 512;
/// Most tokens of a prompt of which occlusion leaves out each; of a longer one larger spans.
pub const MOST_BY_TOKEN: usize = 96;

/// Which weights are shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Which {
    /// From which positions.
    pub from: Positions,
    /// One layer alone.
    pub layer: Option<usize>,
    /// One head alone, of that layer or of every one.
    pub head: Option<usize>,
}

/// The positions that attend.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Positions {
    /// The one the target is predicted from.
    #[default]
    Last,
    /// One, counted from 0.
    One(usize),
    /// All of them.
    All,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct AttentionLens {
    /// Which weights.
    pub which: Which,
    /// From each position, in order; one unless all were asked for.
    pub rows: Vec<RowOf>,
    /// Attention carried through every layer to the position, half of it staying where it is in each;
    /// `None` for all positions, one layer or head, and for more than [`MOST_ROLLED`] tokens.
    pub rollout: Option<Vec<f64>>,
    /// What occlusion finds, by token or in long prompts by larger spans; `None` where the position is not the
    /// target's, and with an edge of attention off, which other texts have not.
    pub occlusion: Option<(f64, Occlusion)>,
}

/// Weights from one position.
#[derive(Clone, Debug, PartialEq)]
pub struct RowOf {
    /// It.
    pub position: usize,
    /// One a layer.
    pub layers: Vec<LayerOf>,
}

/// Weights of one layer.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerOf {
    /// Which.
    pub layer: usize,
    /// One a head: the weight of each position up to the one that attends.
    pub heads: Vec<(usize, Vec<f32>)>,
}

impl LayerOf {
    /// The mean over the heads.
    pub fn mean(&self) -> Vec<f64> {
        self.over(|weights| weights.iter().sum::<f64>() / weights.len() as f64)
    }

    /// The largest of any head.
    pub fn max(&self) -> Vec<f64> {
        self.over(|weights| weights.iter().copied().fold(0.0, f64::max))
    }

    /// What a head's weights lack to one: what a learned sink takes.
    pub fn sink(weights: &[f32]) -> f64 {
        1.0 - weights.iter().map(|&weight| f64::from(weight)).sum::<f64>()
    }

    fn over(&self, fold: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        let width = self.heads.first().map_or(0, |(_, weights)| weights.len());
        let column =
            |i: usize| -> Vec<f64> { self.heads.iter().map(|(_, weights)| f64::from(weights[i])).collect() };
        (0..width).map(|i| fold(&column(i))).collect()
    }
}

/// Looks where attention looks. The last value says whether it came to its end.
pub(super) fn attention(
    asker: &mut Asker,
    subject: &Subject,
    which: Which,
) -> Result<(AttentionLens, bool), QueryError> {
    let ids = subject.ids();
    check(asker, which, ids.len())?;
    let last = ids.len() - 1;
    let positions = match which.from {
        Positions::Last => last..last + 1,
        Positions::One(position) => position..position + 1,
        Positions::All => 0..ids.len(),
    };
    let end = positions.end;
    let rolls =
        which.layer.is_none() && which.head.is_none() && which.from != Positions::All && end <= MOST_ROLLED;
    let mut wanted = vec![WeightsOf { layer: which.layer, positions: positions.clone(), mean: false }];
    wanted.extend(rolls.then_some(WeightsOf { layer: None, positions: 0..end, mean: true }));
    let mut rows: Vec<RowOf> = positions.map(|position| RowOf { position, layers: Vec::new() }).collect();
    let mut means: Vec<Vec<Vec<f32>>> = Vec::new();
    let mut keep = |index: usize, found: Found| {
        let Found::Weights { layer, position, heads, weights } = found else { return };
        if index == 1 {
            means.resize(means.len().max(layer + 1), Vec::new());
            means[layer].push(weights);
        } else if let Some(row) = rows.iter_mut().find(|row| row.position == position) {
            let heads = weights.chunks(position + 1).map(<[f32]>::to_vec).enumerate().take(heads);
            let heads = heads.filter(|(head, _)| which.head.is_none_or(|wanted| wanted == *head));
            row.layers.push(LayerOf { layer, heads: heads.collect() });
        }
    };
    // What comes behind the position is not read.
    let done = inspect(asker, (&ids[..end], &[]), LookFor::Weights(wanted), &mut keep)?;
    // A position that the run was stopped before has no layer.
    rows.retain(|row| !row.layers.is_empty());
    if rows.is_empty() {
        return Err(QueryError::Stopped);
    }
    rows.iter_mut().for_each(|row| row.layers.sort_by_key(|layer| layer.layer));
    let rollout = (rolls && done).then(|| rollout(&means, end - 1));
    let by = match coarse(subject).filter(|_| ids.len() > MOST_BY_TOKEN) {
        Some(coarse) => coarse,
        None => SpanUnit::Token,
    };
    let wanted = which.from == Positions::Last;
    let occlusion = match which.from {
        Positions::Last if done => match occlusion(asker, subject, Some(by), &Instead::Nothing) {
            Ok(found) => Some(found),
            Err(QueryError::Stopped) => None,
            Err(error) => return Err(error),
        },
        _ => None,
    };
    let done = match &occlusion {
        Some((_, _, whole)) => *whole,
        None => done && !wanted,
    };
    let occlusion = occlusion.map(|(floor, occlusion, _)| (floor, occlusion));
    Ok((AttentionLens { which, rows, rollout, occlusion }, done))
}

fn check(asker: &Asker, which: Which, length: usize) -> Result<(), QueryError> {
    which.layer.map_or(Ok(()), |layer| must_have("layer", layer, asker.model.layers))?;
    which.head.map_or(Ok(()), |head| must_have("head", head, asker.model.heads))?;
    let refuse = |what: String| Err(QueryError::Refused(what));
    match which {
        Which { from: Positions::One(position), .. } => must_have("position", position, length),
        Which { from: Positions::All, layer: None, head: None } => {
            refuse("all positions are shown of one layer or head: add --layer N or --head N".to_string())
        }
        Which { from: Positions::All, .. } if length > MOST_ROLLED => {
            refuse(format!("all positions are shown of at most {MOST_ROLLED} tokens; these are {length}"))
        }
        _ => Ok(()),
    }
}

/// The product over the layers of ½ the heads' mean and ½ staying, its rows summing to one: the row of a
/// position. `means` holds for each layer the rows of positions 0, 1, 2 …
pub fn rollout(means: &[Vec<Vec<f32>>], position: usize) -> Vec<f64> {
    // A row times the matrices, the last layer's first.
    let mut row = vec![0.0; position + 1];
    row[position] = 1.0;
    for layer in means.iter().rev() {
        let mut next = vec![0.0; row.len()];
        for (from, &share) in row.iter().enumerate().filter(|(_, share)| **share != 0.0) {
            let weights = &layer[from];
            let sum = 0.5 + 0.5 * weights.iter().map(|&weight| f64::from(weight)).sum::<f64>();
            for (to, &weight) in weights.iter().enumerate() {
                let stays = if to == from { 0.5 } else { 0.0 };
                next[to] += share * (0.5 * f64::from(weight) + stays) / sum;
            }
        }
        row = next;
    }
    row
}

#[cfg(test)]
mod tests {
    use super::rollout;

    #[test]
    fn rollout_is_a_product_of_matrices_with_half_a_step_each() {
        // Two layers over two positions.
        let first = vec![vec![1.0], vec![0.4, 0.6]];
        let second = vec![vec![1.0], vec![0.8, 0.2]];
        // Rows of ½A + ½I: [1 0; 0.2 0.8] and [1 0; 0.4 0.6]; the product's last row is
        // 0.4·[1 0] + 0.6·[0.2 0.8].
        let row = rollout(&[first, second], 1);
        assert!((row[0] - 0.52).abs() < 1e-7 && (row[1] - 0.48).abs() < 1e-7, "{row:?}");
        // A sink's part is not kept.
        let row = rollout(&[vec![vec![0.5], vec![0.25, 0.25]]], 1);
        assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }
}
