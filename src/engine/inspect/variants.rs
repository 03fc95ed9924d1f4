//! Variants of a sequence: what they need is read first, then they are computed side by side.
//!
//! Two sequences lie in the cache as far as variants share them: the one that the request is about and the
//! other one, which shares with it what they have in common. Every variant shares what lies before its first
//! change with one of them and has its own cells from there on. Where all of that fits into the batch of the
//! first variants, it is computed in it: a small batch reads every weight for a few tokens.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::ground::{
    BatchToken, Ground, OTHER, PartKey, TokenOwner, VariantGroup, lane, others_of, values, whole,
};
use super::place::{Cutting, NoPart, Unseen};
use super::{CHUNK, InspectRun, ROWS, TRUNK, at_once, must_have_room};
use crate::engine::llama::eval::{Script, TensorAction, TensorRegion, WrittenFrom};
use crate::engine::llama::{Batch, Slots};
use crate::engine::look::{Edit, Found, PartValue, Reading, Variant, Variants};
use crate::engine::protocol::{EngineError, FinishReason};
use crate::room;

/// Where an edit is made: a token of the batch, its position, and the cell of what it must not see.
struct EditPlace {
    token: usize,
    position: usize,
    cell: usize,
}

impl InspectRun<'_> {
    pub(super) fn variants(
        &mut self,
        asked: &Variants,
        mut ground: Ground,
    ) -> Result<FinishReason, EngineError> {
        let mut present = Vec::new();
        for (index, variant) in asked.variants.iter().enumerate() {
            match self.check(variant) {
                Ok(()) => present.push(index),
                Err(NoPart { layer, part }) => self.found(index, Found::Missing { layer, part }),
            }
        }
        for control in &asked.controls {
            self.check(control).map_err(|missing| self.no_part(missing.layer, missing.part))?;
        }
        let edits = || {
            present
                .iter()
                .flat_map(|&i| &asked.variants[i].edits)
                .chain(asked.controls.iter().flat_map(|control| &control.edits))
        };
        let means = keys(edits(), PartValue::Mean);
        ground.borrowed = keys(edits(), PartValue::Other);
        // The other sequence's values are kept for as long as variants borrow them.
        let kept = ground.other.len().saturating_sub(ground.apart);
        let row = self.width_of(&ground.borrowed)? * size_of::<f32>();
        let bytes = kept * (row + ground.borrowed.len() * size_of::<Arc<[f32]>>());
        must_have_room(bytes as u64, room::memory())?;
        let computed = present.iter().map(|&i| ground.computed(&asked.variants[i])).sum::<usize>();
        self.total = computed + ground.cells() + if means.is_empty() { 0 } else { ground.last + 1 };
        if !means.is_empty() {
            let mut sums: BTreeMap<PartKey, RowSum> = BTreeMap::new();
            if !self.read(&means, &mut |key, row| sums.entry(key).or_default().add(row.as_deref()))? {
                return Ok(FinishReason::Cancelled);
            }
            ground.means = sums.into_iter().map(|(key, sum)| (key, sum.mean())).collect();
        }
        self.context.clear();
        let mut start = 0;
        while start < present.len() {
            let end = ground.end_of_group(&present, start, asked);
            let variants = present[start..end].iter().map(|&i| (i, &asked.variants[i]));
            let controls = asked.controls.iter().enumerate();
            let controls = controls.map(|(i, control)| (asked.variants.len() + i, control));
            let variants: Vec<_> = variants.chain(controls).collect();
            let apart = !ground.laid && !ground.goes_with(&variants);
            if apart && !self.group(&[], &mut ground)? || !self.group(&variants, &mut ground)? {
                return Ok(FinishReason::Cancelled);
            }
            start = end;
        }
        Ok(FinishReason::Stop)
    }

    /// Whether this model has everything that a variant changes.
    fn check(&self, variant: &Variant) -> Result<(), NoPart> {
        variant.edits.iter().try_for_each(|edit| match *edit {
            Edit::Write { layer, part, .. } => self.look_up(layer, part).map(|_| ()),
            Edit::Cut { layer, head, .. } => {
                let (_, heads) = self.scores_place(layer)?;
                let is_there = head.is_none_or(|head| head < heads);
                if is_there { Ok(()) } else { Err(NoPart { layer, part: "head of this number" }) }
            }
        })
    }

    /// Values of all these parts at a position.
    fn width_of(&self, keys: &[PartKey]) -> Result<usize, EngineError> {
        keys.iter().map(|&(layer, part)| Ok(self.spot(layer, part)?.place.width)).sum()
    }

    /// Evaluates the sequence and hands out the rows of parts of it, position by position for each part. `false`:
    /// it was cancelled.
    fn read(
        &mut self,
        keys: &[PartKey],
        each: &mut dyn FnMut(PartKey, Option<Vec<f32>>),
    ) -> Result<bool, EngineError> {
        let tokens = &self.request.tokens;
        // The last layer has rows only of tokens whose logits are wanted.
        let outputs = keys.iter().any(|&(layer, _)| layer + 1 == self.parts.len());
        let most = at_once(self.width_of(keys)?, if outputs { ROWS } else { CHUNK });
        for start in (0..tokens.len()).step_by(most) {
            if self.cancelled() {
                return Ok(false);
            }
            let chunk = start..tokens.len().min(start + most);
            let mut batch = Batch::default();
            let mut script = Script::default();
            for position in chunk.clone() {
                self.cut_edges(&mut script, Cutting { token: batch.len(), position }, |cell| cell)?;
                batch.push(tokens[position], position, &[TRUNK], outputs || position + 1 == tokens.len());
            }
            for (i, &key) in keys.iter().enumerate() {
                self.read_rows(&mut script, key, 0..chunk.len(), i * chunk.len())?;
            }
            let mut read = self.evaluate(&batch, script, keys.len() * chunk.len())?.into_iter();
            for key in keys {
                read.by_ref().take(chunk.len()).for_each(|row| each(*key, row));
            }
        }
        Ok(true)
    }

    /// Has the rows that a part has of these tokens read into slots from `slot` on.
    fn read_rows(
        &self,
        script: &mut Script,
        key: PartKey,
        tokens: Range<usize>,
        slot: usize,
    ) -> Result<(), EngineError> {
        let (layer, part) = key;
        let place = self.spot(layer, part)?.place;
        for (i, token) in tokens.enumerate() {
            let region = TensorRegion::Row { token, columns: 0..place.width };
            script.add(place, TensorAction::Read { region, slot: slot + i });
        }
        Ok(())
    }

    /// Computes some variants side by side, each with its number, and what they share where the cache has not got
    /// it. `false`: it was cancelled.
    fn group(&mut self, variants: &[(usize, &Variant)], ground: &mut Ground) -> Result<bool, EngineError> {
        let group = VariantGroup::new(variants, ground);
        if ground.laid {
            for (i, (_, variant)) in variants.iter().enumerate() {
                self.context.share(if variant.of_other { OTHER } else { TRUNK }, lane(i), variant.from);
            }
        }
        let mut readings: Vec<Option<Reading>> = vec![None; variants.len()];
        for chunk in group.entries.chunks(CHUNK) {
            if self.cancelled() {
                return Ok(false);
            }
            let read = self.chunk(&group, chunk, ground)?;
            ground.keep(chunk, read);
            self.tell_ends(&group, chunk, ground, &mut readings)?;
        }
        (0..variants.len()).for_each(|i| {
            self.context.rewind(lane(i), 0);
        });
        ground.laid = true;
        Ok(true)
    }

    /// Evaluates some of a group's tokens; gives, part by part, the rows of the other sequence's that are among
    /// them.
    fn chunk(
        &mut self,
        group: &VariantGroup,
        chunk: &[BatchToken],
        ground: &Ground,
    ) -> Result<Slots, EngineError> {
        let (mut batch, mut script) = (Batch::default(), Script::default());
        let others = others_of(chunk);
        for (i, &key) in ground.borrowed.iter().enumerate().filter(|_| !others.is_empty()) {
            self.read_rows(&mut script, key, others.clone(), i * others.len())?;
        }
        for (token, &entry) in chunk.iter().enumerate() {
            let BatchToken { of, position } = entry;
            let cell = |position| group.cell(of, position, ground);
            self.cut_edges(&mut script, Cutting { token, position }, cell)?;
            let output = of != TokenOwner::Own && position >= ground.last;
            let sequences = group.sequences(entry, ground);
            batch.push(group.token(entry, ground), position, &sequences, output);
            let TokenOwner::Variant(variant) = of else { continue };
            for edit in &group.variants[variant].1.edits {
                let cell = match *edit {
                    Edit::Cut { from, .. } => cell(from),
                    Edit::Write { .. } => 0,
                };
                self.edit(&mut script, edit, EditPlace { token, position, cell }, ground)?;
            }
        }
        self.evaluate(&batch, script, ground.borrowed.len() * others.len())
    }

    /// Tells of the variants whose last token is among these what was read of them.
    fn tell_ends(
        &self,
        group: &VariantGroup,
        chunk: &[BatchToken],
        ground: &Ground,
        readings: &mut [Option<Reading>],
    ) -> Result<(), EngineError> {
        let is_end =
            |entry: &BatchToken| matches!(entry.of, TokenOwner::Variant(_)) && entry.position >= ground.last;
        let ends: Vec<usize> = (0..chunk.len()).filter(|&token| is_end(&chunk[token])).collect();
        let named = &self.request.named[..];
        let row = |&token: &usize| match ground.rows() {
            1 => (token, named),
            _ => {
                let at = chunk[token].position - ground.last;
                (token, named.get(at).map_or(&[][..], std::slice::from_ref))
            }
        };
        let rows: Vec<_> = ends.iter().map(row).collect();
        for (reading, &end) in self.readings(&rows, None)?.into_iter().zip(&ends) {
            let BatchToken { of: TokenOwner::Variant(variant), position } = chunk[end] else { continue };
            match &mut readings[variant] {
                Some(before) => before.named.extend(reading.named),
                none => *none = Some(reading),
            }
            if position + 1 == ground.own.len() {
                let whole = readings[variant].take();
                whole.into_iter().for_each(|reading| {
                    self.found(group.variants[variant].0, Found::Reading(reading));
                });
            }
        }
        Ok(())
    }

    /// Adds what an edit does to one token.
    fn edit(
        &self,
        script: &mut Script,
        edit: &Edit,
        EditPlace { token, position, cell }: EditPlace,
        ground: &Ground,
    ) -> Result<(), EngineError> {
        match *edit {
            Edit::Write { position: Some(only), .. } if only != position => {}
            Edit::Write { layer, part, value, .. } => {
                let spot = self.spot(layer, part)?;
                let key = (layer, whole(part));
                let source = match value {
                    PartValue::Zero => Some(WrittenFrom::Constant(0.0)),
                    PartValue::Itself => Some(WrittenFrom::Itself),
                    PartValue::Mean => ground.means.get(&key).map(|mean| values(mean, &spot.columns)),
                    PartValue::Other => ground.other_row(key, position, &spot.columns),
                };
                // The last layer's rows that nobody reads have no value and need none.
                if let Some(source) = source {
                    let region = TensorRegion::Row { token, columns: spot.columns };
                    script.add(spot.place, TensorAction::Write { region, source });
                }
            }
            Edit::Cut { to, .. } if to != position => {}
            Edit::Cut { layer, head, .. } => self.cut(script, token, Unseen { layer, head, cell })?,
        }
        Ok(())
    }
}

/// The layers and parts whose value comes from there.
fn keys<'e>(edits: impl Iterator<Item = &'e Edit>, from: PartValue) -> Vec<PartKey> {
    let key = |edit: &Edit| match *edit {
        Edit::Write { layer, part, value, .. } if value == from => Some((layer, whole(part))),
        _ => None,
    };
    let mut keys: Vec<PartKey> = edits.filter_map(key).collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Rows of a part, position after position, the first left out where there are others.
#[derive(Default)]
struct RowSum {
    seen: usize,
    rows: usize,
    sum: Vec<f64>,
}

impl RowSum {
    fn add(&mut self, row: Option<&[f32]>) {
        self.seen += 1;
        let Some(row) = row else { return };
        if self.seen <= 2 {
            (self.rows, self.sum) = (0, vec![0.0; row.len()]);
        }
        self.rows += 1;
        self.sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(*value));
    }

    fn mean(self) -> Arc<[f32]> {
        let count = self.rows.max(1) as f64;
        self.sum.into_iter().map(|sum| (sum / count) as f32).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::RowSum;

    #[test]
    fn a_mean_leaves_the_first_position_out_where_there_are_others() {
        let mean = |rows: &[[f32; 2]]| {
            let mut sum = RowSum::default();
            rows.iter().for_each(|row| sum.add(Some(row)));
            sum.mean().to_vec()
        };
        assert_eq!(mean(&[[9.0, 9.0], [1.0, 2.0], [3.0, 6.0]]), [2.0, 4.0]);
        assert_eq!(mean(&[[9.0, 8.0]]), [9.0, 8.0]);
    }
}
