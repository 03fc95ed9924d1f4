//! Whole rows of a part for every token, a chunk at a time.

use super::place::Cutting;
use super::{InspectRun, ROWS, TRUNK};
use crate::engine::llama::Batch;
use crate::engine::llama::eval::anatomy::{Layer, Place};
use crate::engine::llama::eval::{Script, TensorAction, TensorRegion};
use crate::engine::look::Found;
use crate::engine::protocol::{EngineError, FinishReason};

impl<'a> InspectRun<'a> {
    pub(super) fn rows(&mut self, part: &str, layers: &[usize]) -> Result<FinishReason, EngineError> {
        let parts: &'a [Layer] = self.parts;
        let place = |&layer: &usize| Some((layer, named(parts.get(layer)?, part)?));
        let places: Vec<(usize, &Place)> = layers.iter().filter_map(place).collect();
        let tokens = &self.request.tokens;
        self.total = tokens.len();
        for start in (0..tokens.len()).step_by(ROWS) {
            if self.cancelled() {
                return Ok(FinishReason::Cancelled);
            }
            let count = ROWS.min(tokens.len() - start);
            let (mut batch, mut script) = (Batch::default(), Script::default());
            for (position, &token) in tokens.iter().enumerate().skip(start).take(count) {
                self.cut_edges(&mut script, Cutting { token: batch.len(), position }, |cell| cell)?;
                // The last layer has rows only of tokens whose logits are wanted.
                batch.push(token, position, &[TRUNK], true);
            }
            for (i, (_, place)) in places.iter().enumerate() {
                for token in 0..count {
                    let region = TensorRegion::Row { token, columns: 0..place.width };
                    script.add(place, TensorAction::Read { region, slot: i * count + token });
                }
            }
            let mut read = self.evaluate(&batch, script, places.len() * count)?.into_iter();
            for &(layer, place) in &places {
                let rows: Option<Vec<Vec<f32>>> = read.by_ref().take(count).collect();
                let rows =
                    rows.ok_or_else(|| EngineError::Graph(format!("{} has no such row", place.name)))?;
                self.found(0, Found::Rows { layer, width: place.width, values: rows.concat() });
            }
        }
        Ok(FinishReason::Stop)
    }
}

fn named<'a>(layer: &'a Layer, part: &str) -> Option<&'a Place> {
    match part {
        "residual" => layer.residual.as_ref(),
        "input" => layer.input.as_ref(),
        "attention" => layer.attention.as_ref(),
        "ffn" => layer.feed_forward.as_ref(),
        "heads" => layer.heads.as_ref(),
        other => layer.named.get(other),
    }
}
