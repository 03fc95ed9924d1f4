//! What the model's own norm and head say of a residual stream: it is written into the last layer's rows of
//! dummy tokens, so that llama.cpp applies norm, head and capping of its own.

use std::sync::Arc;

use super::place::Cutting;
use super::{CHUNK, COPIES, InspectRun, ROWS, TRUNK};
use crate::engine::llama::eval::anatomy::Place;
use crate::engine::llama::eval::{Script, TensorAction, TensorRegion, WrittenFrom};
use crate::engine::llama::{Batch, SeqId};
use crate::engine::look::{Found, Reading};
use crate::engine::protocol::{EngineError, FinishReason};

impl<'a> InspectRun<'a> {
    /// The streams after each layer.
    fn after_layers(&self) -> Result<Vec<&'a Place>, EngineError> {
        let streams =
            (0..self.parts.len()).map(|layer| self.residual(layer)).collect::<Result<Vec<_>, _>>()?;
        if streams.is_empty() { Err(self.no_part(0, "residual stream")) } else { Ok(streams) }
    }

    /// The tokens of the sequence's last chunk, and that chunk's script, which reads the last one's streams; what
    /// stands before that one belongs to these sequences, too.
    fn last_chunk(
        &self,
        streams: &[&Place],
        start: usize,
        shared: &[SeqId],
    ) -> Result<(Batch, Script), EngineError> {
        let tokens = &self.request.tokens;
        let all = [&[TRUNK], shared].concat();
        let (mut batch, mut script) = (Batch::default(), Script::default());
        for (position, &token) in tokens.iter().enumerate().skip(start) {
            self.cut_edges(&mut script, Cutting { token: batch.len(), position }, |cell| cell)?;
            let is_last = position + 1 == tokens.len();
            batch.push(token, position, if is_last { &[TRUNK] } else { &all }, is_last);
        }
        for (layer, stream) in streams.iter().enumerate() {
            let region = TensorRegion::Row { token: batch.len() - 1, columns: 0..stream.width };
            script.add(stream, TensorAction::Read { region, slot: layer });
        }
        Ok((batch, script))
    }

    /// The logit lens in one evaluation: what is in the stream after each layer is carried into dummy tokens
    /// beside the real one.
    pub(super) fn layers(&mut self, copies: bool) -> Result<FinishReason, EngineError> {
        let tokens = &self.request.tokens;
        let streams = self.after_layers()?;
        let (count, out) = (streams.len(), streams[streams.len() - 1]);
        self.total = tokens.len() + count;
        let start = (tokens.len() - 1) / CHUNK * CHUNK;
        if !self.begin_with(start)? {
            return Ok(FinishReason::Cancelled);
        }
        let copies = if copies { COPIES as u32 } else { 0 };
        let lanes: Vec<SeqId> = (0..copies).map(|copy| SeqId(2 + copy)).collect();
        lanes.iter().for_each(|&lane| self.context.share(TRUNK, lane, start));
        let (mut batch, mut script) = self.last_chunk(&streams, start, &lanes)?;
        let real = batch.len() - 1;
        for layer in 0..count {
            batch.push(tokens[real + start], layer, &[SeqId(1)], true);
            let region = TensorRegion::Row { token: real + 1 + layer, columns: 0..out.width };
            let source = WrittenFrom::Slot(layer, 0..out.width);
            script.add(out, TensorAction::Write { region, source });
        }
        let beside = lanes.len().saturating_sub(1);
        lanes[..beside].iter().try_for_each(|&lane| self.copy(&mut batch, &mut script, lane, start))?;
        self.evaluate(&batch, script, count)?;
        let named = &self.request.named[..];
        let rows = (real + 1..=real + count).chain([real]).chain(real + 1 + count..batch.len());
        let rows: Vec<_> = rows.map(|row| (row, named)).collect();
        let last = self.context.logits(real);
        self.tell(0, self.readings(&rows, last)?);

        let Some(&alone) = lanes.last() else { return Ok(FinishReason::Stop) };
        let (told, start) = (rows.len(), start + batch.len());
        let (mut batch, mut script) = (Batch::default(), Script::default());
        self.copy(&mut batch, &mut script, alone, start)?;
        self.evaluate(&batch, script, 0)?;
        self.tell(told, self.readings(&[(0, named)], None)?);
        Ok(FinishReason::Stop)
    }

    /// Adds the last token once more, in a sequence of its own; the batch's cells begin with this one.
    fn copy(
        &self,
        batch: &mut Batch,
        script: &mut Script,
        lane: SeqId,
        begins: usize,
    ) -> Result<(), EngineError> {
        let (tokens, token) = (&self.request.tokens, batch.len());
        let position = tokens.len() - 1;
        let cell = |at: usize| if at == position { begins + token } else { at };
        self.cut_edges(script, Cutting { token, position }, cell)?;
        batch.push(tokens[position], position, &[lane], true);
        Ok(())
    }

    /// The same in two evaluations, for models whose batches are cut where sequences differ.
    pub(super) fn layers_in_two(&mut self) -> Result<FinishReason, EngineError> {
        let tokens = &self.request.tokens;
        let streams = self.after_layers()?;
        self.total = tokens.len() + streams.len();
        let start = (tokens.len() - 1) / CHUNK * CHUNK;
        if !self.begin_with(start)? {
            return Ok(FinishReason::Cancelled);
        }
        let (batch, script) = self.last_chunk(&streams, start, &[])?;
        let read = self.evaluate(&batch, script, streams.len())?;
        let vectors: Option<Vec<Arc<[f32]>>> =
            read.into_iter().take(streams.len()).map(|row| row.map(Arc::from)).collect();
        let missing = || EngineError::Graph("a layer has no row of the last token".to_string());
        let vectors = vectors.ok_or_else(missing)?;
        let real = batch.len() - 1;
        let own: Vec<f32> = self.context.logits(real).ok_or_else(missing)?.to_vec();
        let whole = self.readings(&[(real, &self.request.named)], Some(&own))?;
        let reason = self.of_streams(&vectors, Some(&own))?;
        if reason == FinishReason::Stop {
            self.tell(vectors.len(), whole);
        }
        Ok(reason)
    }

    /// What the head says of vectors; `last`: the logits that their divergence is told from.
    pub(super) fn of_streams(
        &mut self,
        vectors: &[Arc<[f32]>],
        last: Option<&[f32]>,
    ) -> Result<FinishReason, EngineError> {
        let out = *self.after_layers()?.last().ok_or_else(|| self.no_part(0, "residual stream"))?;
        if let Some(other) = vectors.iter().find(|vector| vector.len() != out.width) {
            let (has, width) = (other.len(), out.width);
            return Err(EngineError::Intervention(format!(
                "a direction has {has} values and the model's stream {width}: it was made with another model"
            )));
        }
        self.total = self.total.max(vectors.len());
        for (i, chunk) in vectors.chunks(ROWS).enumerate() {
            if self.cancelled() {
                return Ok(FinishReason::Cancelled);
            }
            let batch = self.dummies(chunk.len());
            let mut script = Script::default();
            for (token, vector) in chunk.iter().enumerate() {
                let region = TensorRegion::Row { token, columns: 0..out.width };
                let source = WrittenFrom::Values(Arc::clone(vector), 0..out.width);
                script.add(out, TensorAction::Write { region, source });
            }
            self.evaluate(&batch, script, 0)?;
            let named = &self.request.named[..];
            let rows: Vec<_> = (0..chunk.len()).map(|row| (row, named)).collect();
            self.tell(i * ROWS, self.readings(&rows, last)?);
        }
        Ok(FinishReason::Stop)
    }

    fn tell(&self, first: usize, readings: Vec<Reading>) {
        for (i, reading) in readings.into_iter().enumerate() {
            self.found(first + i, Found::Reading(reading));
        }
    }
}
