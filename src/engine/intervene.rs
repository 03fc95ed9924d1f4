//! Interventions as a script for one evaluation: which tensor of which layer becomes what.

use std::ops::Range;
use std::sync::Arc;

use super::llama::eval::anatomy::{Layer, Place};
use super::llama::eval::{Script, TensorAction, TensorRegion, WrittenFrom};
use super::llama::{Context, Model};
use super::protocol::EngineError;
use crate::intervention::{
    AttentionEdge, InForce, Intervention, Interventions, ModelShape, OffPart, Steering, blind,
};

/// Refuses what a model has not, before anything is computed of it.
///
/// # Errors
/// [`EngineError::Intervention`].
pub(super) fn check(model: &Model, in_force: &InForce) -> Result<(), EngineError> {
    let architecture = model.architecture();
    let shape = ModelShape {
        architecture: &architecture,
        layers: model.layers(),
        heads: model.heads(),
        width: model.width(),
    };
    if let Some(to) = in_force.spans().iter().find_map(|(_, these)| blind(&these.apart().0)) {
        return Err(EngineError::Intervention(format!(
            "with every edge into position {to} off it sees nothing, not even itself: leave one of them"
        )));
    }
    let mut all = in_force.spans().iter().flat_map(|(_, these)| these.iter());
    let check = |one: &Intervention| match one {
        _ if !model.has_plain_cache() => Err(format!(
            "{one}: {architecture} keeps a state instead of a cache of positions, which can't be computed again from the middle"
        )),
        one => one.check(shape),
    };
    all.try_for_each(check).map_err(EngineError::Intervention)
}

/// Refuses edges of attention where they can't be cut: with flash attention, and in other sequences than the one
/// whose positions they name.
///
/// # Errors
/// [`EngineError::Intervention`].
pub(super) fn without_edges(in_force: &InForce) -> Result<(), EngineError> {
    let what = "an edge of attention is off, which is one of positions and needs attention that is not flash \
                attention: only a reply and the lenses (but keyboard) can be had with it";
    match in_force.has_edge() {
        true => Err(EngineError::Intervention(what.to_string())),
        false => Ok(()),
    }
}

/// Adds what is in force at the positions of a batch's first tokens. The cache holds `length` positions of
/// the first sequence.
///
/// # Errors
/// [`EngineError::Intervention`] for what the model's graph has not.
pub(super) fn add(
    script: &mut Script,
    context: &mut Context,
    in_force: &InForce,
    positions: impl IntoIterator<Item = usize>,
    length: usize,
) -> Result<(), EngineError> {
    if in_force.spans().is_empty() {
        return Ok(());
    }
    let layers = context.anatomy(length)?;
    let mut known: Option<(Interventions, Vec<TensorChange>)> = None;
    for (token, position) in positions.into_iter().enumerate() {
        let these = in_force.at(position);
        let changes = match known.take() {
            Some((same, changes)) if same == these => changes,
            _ => {
                let changes = these.iter().map(|one| changes(one, &layers));
                let missing = |(one, part)| missing(context.model(), one, part);
                changes.collect::<Result<Vec<_>, _>>().map_err(missing)?.concat()
            }
        };
        changes.iter().for_each(|change| change.add(script, token, position));
        known = Some((these, changes));
    }
    Ok(())
}

fn missing(model: &Model, one: &Intervention, part: &str) -> EngineError {
    let architecture = model.architecture();
    EngineError::Intervention(format!(
        "{one}: {architecture} has no {part} in that layer that could be told apart"
    ))
}

/// What becomes of a tensor's row, whichever that is.
#[derive(Clone)]
enum TensorChange {
    /// These columns become zero.
    Zero(Place, Range<usize>),
    /// These values are added.
    Add(Place, Arc<[f32]>),
    /// The second becomes the first.
    Copy(Place, Place),
    /// What one position has for the cell of another, in some heads, becomes nothing; where a sequence is alone
    /// in its cache and nothing was ever removed from it, a position's cell has its number.
    Cut {
        /// The scores of attention.
        place: Place,
        /// The position.
        to: usize,
        /// The cell.
        from: usize,
        /// The heads.
        heads: Range<usize>,
    },
}

impl TensorChange {
    fn add(&self, script: &mut Script, token: usize, position: usize) {
        let row = |columns| TensorRegion::Row { token, columns };
        let (place, columns, source) = match self {
            TensorChange::Zero(place, columns) => (place, columns.clone(), WrittenFrom::Constant(0.0)),
            TensorChange::Add(place, added) => (place, 0..place.width, WrittenFrom::Plus(Arc::clone(added))),
            TensorChange::Cut { place, to, from, heads } => {
                if *to == position {
                    let region = TensorRegion::Cells { token, cells: *from..*from + 1, heads: heads.clone() };
                    let source = WrittenFrom::Constant(f32::NEG_INFINITY);
                    script.add(place, TensorAction::Write { region, source });
                }
                return;
            }
            TensorChange::Copy(from, to) => {
                let slot = script.free_slot();
                script.add(from, TensorAction::Read { region: row(0..from.width), slot });
                (to, 0..to.width, WrittenFrom::Slot(slot, 0..from.width))
            }
        };
        script.add(place, TensorAction::Write { region: row(columns), source });
    }
}

/// What an intervention does to the tensors of a graph, or the part it needs and that is missing.
fn changes<'a>(
    one: &'a Intervention,
    layers: &[Layer],
) -> Result<Vec<TensorChange>, (&'a Intervention, &'static str)> {
    let none = Layer::default();
    let layer = |index: usize| layers.get(index).unwrap_or(&none);
    let all_of =
        |place: &Option<Place>| place.clone().map(|place| TensorChange::Zero(place.clone(), 0..place.width));
    let single = |change: Option<TensorChange>, part| change.map(|change| vec![change]).ok_or((one, part));
    match one {
        Intervention::Off(OffPart::Head { layer: index, head }) => {
            let columns = layer(*index).columns_of(*head);
            let place = layer(*index).heads.clone();
            let change = place.zip(columns).map(|(place, columns)| TensorChange::Zero(place, columns));
            single(change, "head of this number")
        }
        Intervention::Off(OffPart::Attention(index)) => {
            single(all_of(&layer(*index).attention), "sum that adds attention alone")
        }
        Intervention::Off(OffPart::FeedForward(index)) => {
            single(all_of(&layer(*index).feed_forward), "sum that adds the feed-forward network alone")
        }
        Intervention::Off(OffPart::Edge(edge)) => cut(*edge, layers).map_err(|part| (one, part)),
        Intervention::Off(OffPart::Layer(index)) => {
            let added = [all_of(&layer(*index).attention), all_of(&layer(*index).feed_forward)];
            match added.into_iter().collect::<Option<Vec<_>>>() {
                Some(changes) => Ok(changes),
                None => {
                    let below = index.checked_sub(1).and_then(|below| layer(below).residual.clone());
                    let change = below.zip(layer(*index).residual.clone());
                    single(change.map(|(from, to)| TensorChange::Copy(from, to)), "residual stream")
                }
            }
        }
        Intervention::Steer(dose) => steered(dose, layers).map_err(|part| (one, part)),
    }
}

fn cut(edge: AttentionEdge, layers: &[Layer]) -> Result<Vec<TensorChange>, &'static str> {
    let wanted = |index: &usize| edge.layer.is_none_or(|layer| layer == *index);
    let change = |index: usize| {
        let layer = &layers[index];
        let place = layer.scores.clone().ok_or("scores of attention")?;
        let heads = edge.head.map_or(0..layer.n_heads, |head| head..head + 1);
        match heads.end <= layer.n_heads {
            true => Ok(TensorChange::Cut { place, to: edge.to, from: edge.from, heads }),
            false => Err("head of this number"),
        }
    };
    (0..layers.len()).filter(wanted).map(change).collect()
}

fn steered(dose: &Steering, layers: &[Layer]) -> Result<Vec<TensorChange>, &'static str> {
    let added = layers.iter().enumerate().filter_map(|(index, layer)| Some((layer, dose.added(index)?)));
    added
        .map(|(layer, added)| {
            let place = layer.residual.clone().ok_or("residual stream")?;
            Ok(TensorChange::Add(place, added.into()))
        })
        .collect()
}
