//! Direct logit attribution: what everything that is added to the residual stream adds to the logits.
//!
//! The last norm divides the stream by one number. With that number held still, norm and head are linear, so
//! that each addend alone, divided by it and written into the norm's row of a dummy token, gives its share as
//! that token's logits: by the model's own head, whatever its format. What one head of attention adds is found
//! by the same means: a dummy token whose heads are nothing but this one.

use std::sync::Arc;

use super::place::Cutting;
use super::{InspectRun, ROWS, TRUNK};
use crate::engine::llama::eval::anatomy::{Layer, Place};
use crate::engine::llama::eval::{Script, TensorAction, TensorRegion, WrittenFrom};
use crate::engine::llama::{Batch, SeqId};
use crate::engine::look::{Addend, Found, Part};
use crate::engine::protocol::{EngineError, FinishReason};

/// Something that is added to the stream.
struct AddedVector {
    addend: Addend,
    vector: Vec<f32>,
}

/// The tensors of a layer.
struct LayerPlaces<'a> {
    layer: &'a Layer,
    attention: &'a Place,
    mixed: &'a Place,
    feed_forward: &'a Place,
    heads: &'a Place,
}

/// A layer's attention at the last token.
struct HeadsOf {
    /// What the heads give, side by side.
    values: Arc<[f32]>,
    /// What norm and factors behind their mix make of each of its elements.
    factors: Vec<f32>,
}

impl<'a> InspectRun<'a> {
    pub(super) fn shares(&mut self) -> Result<FinishReason, EngineError> {
        let parts: &'a [Layer] = self.parts;
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else {
            return Err(self.no_part(0, "residual stream"));
        };
        let (count, n_heads, length) = (parts.len(), last.n_heads, self.request.tokens.len());
        let logits = "RMS norm and head whose logits are neither capped nor scaled";
        let norm = last.out_norm.as_ref().ok_or_else(|| self.no_part(count - 1, logits))?;
        let stream = self.residual(count - 1)?;
        let embedding = first.input.as_ref().ok_or_else(|| self.no_part(0, "embedding"))?;
        let places = (0..count).map(|layer| self.places(layer)).collect::<Result<Vec<_>, _>>()?;
        self.total = length + n_heads + 1 + count * (2 + n_heads);
        if !self.begin_with(length - 1)? {
            return Ok(FinishReason::Cancelled);
        }

        let mut batch = Batch::default();
        batch.push(self.request.tokens[length - 1], length - 1, &[TRUNK], true);
        let of_layer =
            |places: &LayerPlaces<'a>| [places.attention, places.mixed, places.feed_forward, places.heads];
        let wanted: Vec<&Place> =
            [embedding, stream, norm].into_iter().chain(places.iter().flat_map(of_layer)).collect();
        let mut script = Script::default();
        self.cut_edges(&mut script, Cutting { token: 0, position: length - 1 }, |cell| cell)?;
        wanted.iter().enumerate().for_each(|(slot, place)| read(&mut script, place, 0, slot));
        let mut values = self.all_read(&batch, script, wanted.len())?.into_iter();
        let mut next = || values.next().unwrap_or_default();
        let (embedding, stream, normed) = (next(), next(), next());
        let scale = ratio_of(&normed, &stream);
        let mut added = vec![AddedVector { addend: Addend::Embedding, vector: embedding }];
        let mut heads_of = Vec::new();
        for layer in 0..count {
            let (attention, mixed, feed_forward, heads) = (next(), next(), next(), next());
            heads_of.push(HeadsOf { values: heads.into(), factors: factors(&attention, &mixed) });
            let part = |part, vector| AddedVector { addend: Addend::Part { layer, part }, vector };
            added.extend([part(Part::Attention, attention), part(Part::FeedForward, feed_forward)]);
        }
        self.share(0, Addend::Whole)?;

        let every: Vec<usize> = (0..n_heads).collect();
        for heads in every.chunks(ROWS) {
            if self.cancelled() {
                return Ok(FinishReason::Cancelled);
            }
            added.extend(self.heads(heads, &places, &heads_of)?);
        }
        for added in added.chunks(ROWS) {
            if self.cancelled() {
                return Ok(FinishReason::Cancelled);
            }
            let batch = self.dummies(added.len());
            let mut script = Script::default();
            for (token, added) in added.iter().enumerate() {
                let scaled: Arc<[f32]> = added.vector.iter().map(|value| value * scale).collect();
                let region = TensorRegion::Row { token, columns: 0..norm.width };
                let source = WrittenFrom::Values(scaled, 0..norm.width);
                script.add(norm, TensorAction::Write { region, source });
            }
            self.evaluate(&batch, script, 0)?;
            for (token, added) in added.iter().enumerate() {
                self.share(token, added.addend)?;
            }
        }
        Ok(FinishReason::Stop)
    }

    fn places(&self, layer: usize) -> Result<LayerPlaces<'a>, EngineError> {
        let layer_parts = &self.parts[layer];
        let mixed = layer_parts.mixed.as_ref();
        Ok(LayerPlaces {
            layer: layer_parts,
            attention: self.spot(layer, Part::Attention)?.place,
            mixed: mixed.ok_or_else(|| self.no_part(layer, "mix of heads without a bias"))?,
            feed_forward: self.spot(layer, Part::FeedForward)?.place,
            heads: self.spot(layer, Part::Head(0))?.place,
        })
    }

    /// What these heads add in every layer: each is the only one of a dummy token.
    fn heads(
        &mut self,
        heads: &[usize],
        places: &[LayerPlaces],
        heads_of: &[HeadsOf],
    ) -> Result<Vec<AddedVector>, EngineError> {
        let batch = self.dummies(heads.len());
        let mut script = Script::default();
        for (layer, (places, of)) in places.iter().zip(heads_of).enumerate() {
            for (token, &head) in heads.iter().enumerate() {
                let columns = places.layer.columns_of(head).unwrap_or(0..0);
                for (columns, source) in [
                    (0..places.heads.width, WrittenFrom::Constant(0.0)),
                    (columns.clone(), WrittenFrom::Values(Arc::clone(&of.values), columns)),
                ] {
                    let region = TensorRegion::Row { token, columns };
                    script.add(places.heads, TensorAction::Write { region, source });
                }
                read(&mut script, places.mixed, token, layer * heads.len() + token);
            }
        }
        let mixed = self.all_read(&batch, script, places.len() * heads.len())?;
        let added = |(i, mixed): (usize, Vec<f32>)| {
            let (layer, head) = (i / heads.len(), heads[i % heads.len()]);
            let vector = mixed.iter().zip(&heads_of[layer].factors).map(|(value, factor)| value * factor);
            AddedVector { addend: Addend::Part { layer, part: Part::Head(head) }, vector: vector.collect() }
        };
        Ok(mixed.into_iter().enumerate().map(added).collect())
    }

    /// Tokens of no meaning in an empty context, each with logits.
    pub(super) fn dummies(&mut self, count: usize) -> Batch {
        self.context.clear();
        let mut batch = Batch::default();
        for position in 0..count {
            batch.push(self.request.tokens[0], position, &[SeqId(1)], true);
        }
        batch
    }

    /// Evaluates, and takes every slot's values.
    fn all_read(
        &mut self,
        batch: &Batch,
        script: Script,
        slots: usize,
    ) -> Result<Vec<Vec<f32>>, EngineError> {
        let read = self.evaluate(batch, script, slots)?;
        let all: Option<Vec<Vec<f32>>> = read.into_iter().take(slots).collect();
        all.ok_or_else(|| EngineError::Graph("a part of a layer has no row of the last token".to_string()))
    }

    /// Tells the named tokens' logits of a row.
    fn share(&self, row: usize, addend: Addend) -> Result<(), EngineError> {
        let row = self.context.logits(row).ok_or(EngineError::Decode(-1))?;
        let logit = |id: &crate::token::TokenId| row.get(id.index()).copied().unwrap_or(f32::NAN);
        self.found(0, Found::Share { addend, logits: self.request.named.iter().map(logit).collect() });
        Ok(())
    }
}

/// Reads a token's whole row.
fn read(script: &mut Script, place: &Place, token: usize, slot: usize) {
    let region = TensorRegion::Row { token, columns: 0..place.width };
    script.add(place, TensorAction::Read { region, slot });
}

/// The one number by which a row was multiplied.
fn ratio_of(scaled: &[f32], row: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    (dot(scaled, row) / dot(row, row)) as f32
}

/// The numbers by which each element was multiplied; 0 where nothing was.
fn factors(scaled: &[f32], row: &[f32]) -> Vec<f32> {
    scaled.iter().zip(row).map(|(scaled, value)| if *value == 0.0 { 0.0 } else { scaled / value }).collect()
}
