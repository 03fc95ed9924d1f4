//! Variants of a sequence: what they need is read first, then they are computed side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::{CHUNK, InspectRun, ROWS, TRUNK};
use crate::engine::llama::eval::{Script, TensorAction, TensorRegion, WrittenFrom};
use crate::engine::llama::{Batch, SeqId};
use crate::engine::look::{Edit, Found, Part, PartValue, Variant};
use crate::engine::protocol::{EngineError, FinishReason};
use crate::token::TokenId;

/// The values of one part in one layer, by position; `None` where the last layer leaves them out.
type Rows = Vec<Option<Arc<[f32]>>>;
/// A layer and a part as a whole: a head's values are columns of it.
type PartKey = (usize, Part);

/// What edits are made of.
#[derive(Default)]
struct Known {
    other: BTreeMap<PartKey, Rows>,
    mean: BTreeMap<PartKey, Arc<[f32]>>,
}

/// One token of a variant in its batch.
struct Entry {
    /// Which of the group's variants.
    variant: usize,
    position: usize,
}

impl InspectRun<'_> {
    pub(super) fn variants(
        &mut self,
        variants: &[Variant],
        other: &[TokenId],
    ) -> Result<FinishReason, EngineError> {
        let tokens = &self.request.tokens;
        let length = tokens.len();
        let fits = |variant: &Variant| variant.from < length;
        let needs_other = !self.keys(variants, PartValue::Other)?.is_empty();
        if !variants.iter().all(fits) || needs_other && other.len() != length {
            return Err(EngineError::Graph("the sequences have not the lengths that were said".to_string()));
        }
        let (others, means) = (self.keys(variants, PartValue::Other)?, self.keys(variants, PartValue::Mean)?);
        let trunk = variants.iter().map(|variant| variant.from).max().unwrap_or(0);
        let sequences = usize::from(!others.is_empty()) + usize::from(!means.is_empty());
        self.total =
            trunk + sequences * length + variants.iter().map(|variant| length - variant.from).sum::<usize>();

        let mut known = Known::default();
        if let Some(read) = self.read(other, &others, false)? {
            known.other = read;
        }
        let outputs = means.iter().any(|&(layer, _)| layer + 1 == self.parts.len());
        if let Some(read) = self.read(tokens, &means, outputs)? {
            known.mean = read.into_iter().map(|(key, rows)| (key, mean(&rows))).collect();
        }
        self.context.clear();
        if !self.begin_with(trunk)? {
            return Ok(FinishReason::Cancelled);
        }
        let mut start = 0;
        while start < variants.len() {
            if self.cancelled() {
                return Ok(FinishReason::Cancelled);
            }
            let end = end_of_group(variants, start, length);
            self.group((start, &variants[start..end]), trunk, &known)?;
            start = end;
        }
        Ok(FinishReason::Stop)
    }

    /// The layers and parts whose value comes from there.
    fn keys(&self, variants: &[Variant], from: PartValue) -> Result<BTreeSet<PartKey>, EngineError> {
        let mut keys = BTreeSet::new();
        for edit in variants.iter().flat_map(|variant| &variant.edits) {
            match *edit {
                Edit::Write { layer, part, value, .. } => {
                    self.spot(layer, part)?;
                    if value == from {
                        keys.insert((layer, whole(part)));
                    }
                }
                Edit::Cut { layer, head, .. } => {
                    let (_, heads) = self.scores_place(layer)?;
                    if head.is_some_and(|head| head >= heads) {
                        return Err(self.no_part(layer, "head of this number"));
                    }
                }
            }
        }
        Ok(keys)
    }

    /// Reads parts of a sequence at every position. Where `outputs` is set, the logits after every token
    /// are asked for, as the last layer has only such rows.
    fn read(
        &mut self,
        tokens: &[TokenId],
        keys: &BTreeSet<PartKey>,
        outputs: bool,
    ) -> Result<Option<BTreeMap<PartKey, Rows>>, EngineError> {
        if keys.is_empty() {
            return Ok(None);
        }
        let mut found: BTreeMap<PartKey, Rows> = keys.iter().map(|&key| (key, Vec::new())).collect();
        self.context.clear();
        let most = if outputs { ROWS } else { CHUNK };
        for start in (0..tokens.len()).step_by(most) {
            if self.cancelled() {
                break;
            }
            let chunk = start..tokens.len().min(start + most);
            let mut batch = Batch::default();
            for position in chunk.clone() {
                batch.push(tokens[position], position, &[TRUNK], outputs || position + 1 == tokens.len());
            }
            let mut script = Script::default();
            for (i, &(layer, part)) in keys.iter().enumerate() {
                let spot = self.whole_spot(layer, part)?;
                for token in 0..chunk.len() {
                    let region = TensorRegion::Row { token, columns: 0..spot.width };
                    script.add(spot, TensorAction::Read { region, slot: i * chunk.len() + token });
                }
            }
            let mut read = self.evaluate(&batch, script, keys.len() * chunk.len())?.into_iter();
            for rows in found.values_mut() {
                rows.extend(read.by_ref().take(chunk.len()).map(|row| row.map(Arc::from)));
            }
        }
        Ok(Some(found))
    }

    fn whole_spot(
        &self,
        layer: usize,
        part: Part,
    ) -> Result<&crate::engine::llama::eval::anatomy::Place, EngineError> {
        Ok(self.spot(layer, part)?.place)
    }

    /// Computes some variants side by side; `first` is the number of the first.
    fn group(
        &mut self,
        (first, variants): (usize, &[Variant]),
        trunk: usize,
        known: &Known,
    ) -> Result<(), EngineError> {
        let length = self.request.tokens.len();
        let mut entries = Vec::new();
        for (i, variant) in variants.iter().enumerate() {
            self.context.share(TRUNK, lane(i), variant.from);
            entries.extend((variant.from..length).map(|position| Entry { variant: i, position }));
        }
        // What is computed here lies behind the trunk, in the order of the batch.
        let cell = |variant: usize, position: usize| match position < variants[variant].from {
            true => Some(position),
            false => entries
                .iter()
                .position(|entry| entry.variant == variant && entry.position == position)
                .map(|i| trunk + i),
        };
        for start in (0..entries.len()).step_by(CHUNK) {
            let chunk = &entries[start..entries.len().min(start + CHUNK)];
            let mut batch = Batch::default();
            let mut script = Script::default();
            for (token, entry) in chunk.iter().enumerate() {
                let id = self.request.tokens[entry.position];
                batch.push(id, entry.position, &[lane(entry.variant)], entry.position + 1 == length);
                for edit in &variants[entry.variant].edits {
                    self.edit(&mut script, (token, entry.position), edit, known, |position| {
                        cell(entry.variant, position)
                    })?;
                }
            }
            self.evaluate(&batch, script, 0)?;
            let ends: Vec<usize> = (0..chunk.len()).filter(|&i| chunk[i].position + 1 == length).collect();
            for (reading, &end) in self.readings(&ends, None)?.into_iter().zip(&ends) {
                self.found(first + chunk[end].variant, Found::Reading(reading));
            }
        }
        self.context.keep_only(TRUNK);
        Ok(())
    }

    /// Adds what an edit does to one token.
    fn edit(
        &self,
        script: &mut Script,
        (token, position): (usize, usize),
        edit: &Edit,
        known: &Known,
        cell: impl Fn(usize) -> Option<usize>,
    ) -> Result<(), EngineError> {
        match *edit {
            Edit::Write { position: Some(only), .. } if only != position => {}
            Edit::Write { layer, part, value, .. } => {
                let spot = self.spot(layer, part)?;
                let key = (layer, whole(part));
                let source = match value {
                    PartValue::Zero => Some(WrittenFrom::Constant(0.0)),
                    PartValue::Itself => Some(WrittenFrom::Itself),
                    PartValue::Mean => known.mean.get(&key).map(|mean| values(mean, &spot.columns)),
                    PartValue::Other => {
                        let row = known.other.get(&key).and_then(|rows| rows.get(position)?.as_ref());
                        row.map(|row| values(row, &spot.columns))
                    }
                };
                // The last layer's rows that nobody reads have no value and need none.
                if let Some(source) = source {
                    let region = TensorRegion::Row { token, columns: spot.columns };
                    script.add(spot.place, TensorAction::Write { region, source });
                }
            }
            Edit::Cut { to, .. } if to != position => {}
            Edit::Cut { layer, head, from, .. } => {
                let (place, heads) = self.scores_place(layer)?;
                let heads = head.map_or(0..heads, |head| head..head + 1);
                let missing = || self.no_part(layer, "such edge of attention");
                let cell = cell(from).ok_or_else(missing)?;
                let region = TensorRegion::Cells { token, cells: cell..cell + 1, heads };
                let source = WrittenFrom::Constant(f32::NEG_INFINITY);
                script.add(place, TensorAction::Write { region, source });
            }
        }
        Ok(())
    }
}

fn values(row: &Arc<[f32]>, columns: &Range<usize>) -> WrittenFrom {
    WrittenFrom::Values(Arc::clone(row), columns.clone())
}

/// What is read for a head is every head.
fn whole(part: Part) -> Part {
    match part {
        Part::Head(_) => Part::Head(0),
        other => other,
    }
}

fn lane(variant: usize) -> SeqId {
    SeqId(variant as u32 + 1)
}

/// Variants of which a batch is full; one alone may be longer.
fn end_of_group(variants: &[Variant], start: usize, length: usize) -> usize {
    let mut tokens = 0;
    let fits = |variant: &&Variant| {
        tokens += length - variant.from;
        tokens <= CHUNK
    };
    let count = variants[start..].iter().take(ROWS - 1).take_while(fits).count();
    start + count.max(1)
}

/// The mean over the positions, the first left out where there are others.
fn mean(rows: &Rows) -> Arc<[f32]> {
    let skipped = usize::from(rows.len() > 1);
    let rows: Vec<&Arc<[f32]>> = rows.iter().skip(skipped).flatten().collect();
    let width = rows.first().map_or(0, |row| row.len());
    let column = |i: usize| rows.iter().map(|row| f64::from(row[i])).sum::<f64>() / rows.len() as f64;
    (0..width).map(|i| column(i) as f32).collect()
}
