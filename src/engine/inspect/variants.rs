//! Variants of a sequence: what they need is read first, then they are computed side by side.
//!
//! Two sequences lie in the cache as far as variants share them: the one that the request is about and the
//! other one, which shares with it what they have in common. Every variant shares what lies before its first
//! change with one of them and has its own cells from there on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::place::{Cutting, NoPart, Unseen};
use super::{CHUNK, InspectRun, ROWS, RoomNeeded, TRUNK, at_once, must_have_room};
use crate::engine::llama::eval::{Script, TensorAction, TensorRegion, WrittenFrom};
use crate::engine::llama::{Batch, SeqId};
use crate::engine::look::{Edit, Found, Inspect, Part, PartValue, Reading, Variant, Variants};
use crate::engine::protocol::{EngineError, FinishReason};
use crate::room;
use crate::token::TokenId;

/// Sequences beside the variants' own.
pub(super) const TRUNKS: usize = 2;
/// What llama.cpp rounds the number of cells in use up to.
const CELLS_STEP: usize = 256;
/// The other sequence.
const OTHER: SeqId = SeqId(1);

/// The values of one part in one layer, by position from some first one on; `None` where the last layer
/// leaves them out.
type Rows = Vec<Option<Arc<[f32]>>>;
/// A layer and a part as a whole: a head's values are columns of it.
type PartKey = (usize, Part);

/// Variants and what they are made of.
pub(super) struct Ground {
    /// The sequence and the tokens that follow it.
    own: Vec<TokenId>,
    /// The same of the other one.
    other: Vec<TokenId>,
    /// The position after which the first distribution is read.
    last: usize,
    /// How many tokens of the sequence are shared.
    trunk: usize,
    /// From where on the other sequence has cells of its own.
    apart: usize,
    others: BTreeMap<PartKey, Rows>,
    means: BTreeMap<PartKey, Arc<[f32]>>,
}

/// One token of a variant in its batch.
struct Entry {
    /// Which of the group's variants.
    variant: usize,
    position: usize,
}

/// A sequence whose rows are read, from one of its positions on.
struct Trunk<'a> {
    sequence: SeqId,
    tokens: &'a [TokenId],
    from: usize,
    /// The cell of that position.
    begins: usize,
    /// Whether the logits after every token are asked for, as the last layer has only such rows; else those
    /// after the tokens that a distribution is read after.
    outputs: bool,
}

/// Where an edit is made: a token of the batch, its position, and the cell of what it must not see.
struct EditPlace {
    token: usize,
    position: usize,
    cell: usize,
}

impl Ground {
    /// What variants of these sequences share.
    pub fn new(request: &Inspect, asked: &Variants) -> Result<Ground, EngineError> {
        let last = request.tokens.len().saturating_sub(1);
        let whole = |tokens: &[TokenId]| tokens.iter().chain(&asked.then).copied().collect::<Vec<_>>();
        let (own, other) = (whole(&request.tokens), whole(&asked.other));
        let needs_other = asked.all().any(Variant::needs_other);
        let fits = asked.all().all(|variant| variant.from <= last);
        if !fits || needs_other && asked.other.len() != request.tokens.len() {
            return Err(EngineError::Graph("the sequences have not the lengths that were said".to_string()));
        }
        let trunk = asked.all().map(|variant| variant.from).max().unwrap_or(0);
        let other = if needs_other { other } else { Vec::new() };
        let common = own.iter().zip(&other).take_while(|(a, b)| a == b).count();
        let taken = asked.all().flat_map(|variant| {
            let first = |edit: &Edit| match *edit {
                Edit::Write { value: PartValue::Other, position, .. } => {
                    Some(position.unwrap_or(variant.from))
                }
                _ => None,
            };
            variant.edits.iter().filter_map(first)
        });
        let apart = taken.min().unwrap_or(usize::MAX).min(common).min(trunk);
        Ok(Ground { own, other, last, trunk, apart, others: BTreeMap::new(), means: BTreeMap::new() })
    }

    /// Cells of the cache that are in use before a batch.
    fn cells(&self) -> usize {
        self.trunk + self.other.len().saturating_sub(self.apart)
    }

    fn tokens(&self, variant: &Variant) -> &[TokenId] {
        if variant.of_other { &self.other } else { &self.own }
    }

    fn computed(&self, variant: &Variant) -> usize {
        self.own.len() - variant.from
    }

    /// Distributions that are read of a variant.
    fn rows(&self) -> usize {
        self.own.len() - self.last
    }

    /// Most cells that are ever in use, and most distributions of a batch.
    pub fn needs(&self, asked: &Variants) -> RoomNeeded {
        let longest = asked.variants.iter().map(|variant| self.computed(variant)).max().unwrap_or(0);
        let controls: usize = asked.controls.iter().map(|variant| self.computed(variant)).sum();
        RoomNeeded { cells: self.cells() + CHUNK.max(longest) + controls, rows: self.rows() }
    }

    /// Where the variants from `start` on that fill a batch end; one alone may be longer.
    fn end_of_group(&self, variants: &[usize], start: usize, asked: &Variants) -> usize {
        let (controls, room) = (&asked.controls, batch_behind(self.cells()));
        let mut tokens: usize = controls.iter().map(|variant| self.computed(variant)).sum();
        let most = (ROWS / self.rows()).saturating_sub(controls.len()).max(1);
        let fits = |&&variant: &&usize| {
            tokens += self.computed(&asked.variants[variant]);
            tokens <= room
        };
        start + variants[start..].iter().take(most).take_while(fits).count().max(1)
    }
}

/// Most tokens of a batch behind so many cells. Every token is compared with as many cells as are in use, rounded
/// up to what llama.cpp rounds to: one step more costs more than a batch that is a little less full.
fn batch_behind(cells: usize) -> usize {
    let room = CELLS_STEP - cells % CELLS_STEP;
    if room >= CHUNK / 2 { room.min(CHUNK) } else { CHUNK }
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
        let (means, others) = (keys(edits(), PartValue::Mean), keys(edits(), PartValue::Other));
        // The other sequence's values are kept for as long as variants borrow them.
        let kept = ground.other.len().saturating_sub(ground.apart);
        let bytes =
            kept * (self.width_of(&others)? * size_of::<f32>() + others.len() * size_of::<Arc<[f32]>>());
        must_have_room(bytes as u64, room::memory())?;
        let computed = present.iter().map(|&i| ground.computed(&asked.variants[i])).sum::<usize>();
        self.total = computed + ground.cells() + if means.is_empty() { 0 } else { ground.last + 1 };
        if !means.is_empty() {
            let outputs = means.iter().any(|&(layer, _)| layer + 1 == self.parts.len());
            let tokens = self.request.tokens.clone();
            self.context.clear();
            let trunk = Trunk { sequence: TRUNK, tokens: &tokens, from: 0, begins: 0, outputs };
            let mut sums: BTreeMap<PartKey, RowSum> = BTreeMap::new();
            if !self.read(trunk, &means, &mut |key, row| sums.entry(key).or_default().add(row.as_deref()))? {
                return Ok(FinishReason::Cancelled);
            }
            ground.means = sums.into_iter().map(|(key, sum)| (key, sum.mean())).collect();
        }
        self.context.clear();
        if !self.begin_with(ground.trunk)? {
            return Ok(FinishReason::Cancelled);
        }
        if !ground.other.is_empty() {
            self.context.share(TRUNK, OTHER, ground.apart);
            let (from, begins) = (ground.apart, ground.trunk);
            let other = Trunk { sequence: OTHER, tokens: &ground.other, from, begins, outputs: false };
            let mut kept: BTreeMap<PartKey, Rows> = BTreeMap::new();
            let mut keep = |key, row: Option<Vec<f32>>| kept.entry(key).or_default().push(row.map(Arc::from));
            if !self.read(other, &others, &mut keep)? {
                return Ok(FinishReason::Cancelled);
            }
            ground.others = kept;
        }
        let mut start = 0;
        while start < present.len() {
            if self.cancelled() {
                return Ok(FinishReason::Cancelled);
            }
            let end = ground.end_of_group(&present, start, asked);
            let variants = present[start..end].iter().map(|&i| (i, &asked.variants[i]));
            let controls = asked.controls.iter().enumerate();
            let controls = controls.map(|(i, control)| (asked.variants.len() + i, control));
            self.group(&variants.chain(controls).collect::<Vec<_>>(), &ground)?;
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

    /// Evaluates the tokens of a sequence from a position on and hands out the rows of parts of it, position by
    /// position for each part. `false`: it was cancelled.
    fn read(
        &mut self,
        Trunk { sequence, tokens, from, begins, outputs }: Trunk,
        keys: &[PartKey],
        each: &mut dyn FnMut(PartKey, Option<Vec<f32>>),
    ) -> Result<bool, EngineError> {
        let last = self.request.tokens.len() - 1;
        let most = at_once(self.width_of(keys)?, if outputs { ROWS } else { CHUNK });
        for start in (from..tokens.len()).step_by(most) {
            if self.cancelled() {
                return Ok(false);
            }
            let chunk = start..tokens.len().min(start + most);
            let mut batch = Batch::default();
            let mut script = Script::default();
            for position in chunk.clone() {
                // The other sequence's own cells lie behind those of the first.
                let cell = |at: usize| if at < from { at } else { begins + at - from };
                self.cut_edges(&mut script, Cutting { token: batch.len(), position }, cell)?;
                batch.push(tokens[position], position, &[sequence], outputs || position >= last);
            }
            for (i, &(layer, part)) in keys.iter().enumerate() {
                let place = self.spot(layer, part)?.place;
                for token in 0..chunk.len() {
                    let region = TensorRegion::Row { token, columns: 0..place.width };
                    script.add(place, TensorAction::Read { region, slot: i * chunk.len() + token });
                }
            }
            let mut read = self.evaluate(&batch, script, keys.len() * chunk.len())?.into_iter();
            for key in keys {
                read.by_ref().take(chunk.len()).for_each(|row| each(*key, row));
            }
        }
        Ok(true)
    }

    /// Computes some variants side by side, each with its number.
    fn group(&mut self, variants: &[(usize, &Variant)], ground: &Ground) -> Result<(), EngineError> {
        let (length, last, base) = (ground.own.len(), ground.last, ground.cells());
        let mut entries = Vec::new();
        let mut begins = Vec::new();
        for (i, (_, variant)) in variants.iter().enumerate() {
            self.context.share(if variant.of_other { OTHER } else { TRUNK }, lane(i), variant.from);
            begins.push(entries.len());
            entries.extend((variant.from..length).map(|position| Entry { variant: i, position }));
        }
        // What is computed here lies behind what is shared, in the order of the batch.
        let cell_of = |variant: usize, position: usize| {
            let Variant { from, of_other, .. } = variants[variant].1;
            match position {
                p if p >= *from => base + begins[variant] + p - from,
                p if *of_other && p >= ground.apart => ground.trunk + p - ground.apart,
                p => p,
            }
        };
        let mut readings: Vec<Option<Reading>> = vec![None; variants.len()];
        for start in (0..entries.len()).step_by(CHUNK) {
            let chunk = &entries[start..entries.len().min(start + CHUNK)];
            let mut batch = Batch::default();
            let mut script = Script::default();
            for (token, entry) in chunk.iter().enumerate() {
                let variant = variants[entry.variant].1;
                let id = ground.tokens(variant)[entry.position];
                let cutting = Cutting { token, position: entry.position };
                self.cut_edges(&mut script, cutting, |from| cell_of(entry.variant, from))?;
                batch.push(id, entry.position, &[lane(entry.variant)], entry.position >= last);
                for edit in &variant.edits {
                    let cell = match *edit {
                        Edit::Cut { from, .. } => cell_of(entry.variant, from),
                        Edit::Write { .. } => 0,
                    };
                    let at = EditPlace { token, position: entry.position, cell };
                    self.edit(&mut script, edit, at, ground)?;
                }
            }
            self.evaluate(&batch, script, 0)?;
            let ends: Vec<usize> = (0..chunk.len()).filter(|&i| chunk[i].position >= last).collect();
            let named = |&end: &usize| match ground.rows() {
                1 => (end, &self.request.named[..]),
                _ => (
                    end,
                    self.request.named.get(chunk[end].position - last).map_or(&[][..], std::slice::from_ref),
                ),
            };
            let rows: Vec<_> = ends.iter().map(named).collect();
            for (reading, &end) in self.readings(&rows, None)?.into_iter().zip(&ends) {
                let Entry { variant, position } = chunk[end];
                match &mut readings[variant] {
                    Some(before) => before.named.extend(reading.named),
                    none => *none = Some(reading),
                }
                if position + 1 == length {
                    let whole = readings[variant].take();
                    whole.into_iter().for_each(|reading| {
                        self.found(variants[variant].0, Found::Reading(reading));
                    });
                }
            }
        }
        (0..variants.len()).for_each(|i| {
            self.context.rewind(lane(i), 0);
        });
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
                    PartValue::Other => {
                        let rows = ground.others.get(&key);
                        let row = rows.and_then(|rows| rows.get(position - ground.apart)?.as_ref());
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
            Edit::Cut { layer, head, .. } => self.cut(script, token, Unseen { layer, head, cell })?,
        }
        Ok(())
    }
}

fn values(row: &Arc<[f32]>, columns: &Range<usize>) -> WrittenFrom {
    WrittenFrom::Values(Arc::clone(row), columns.clone())
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

/// What is read for a head is every head.
fn whole(part: Part) -> Part {
    match part {
        Part::Head(_) => Part::Head(0),
        other => other,
    }
}

fn lane(variant: usize) -> SeqId {
    SeqId((variant + TRUNKS) as u32)
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
    use super::{RowSum, batch_behind};

    #[test]
    fn a_batch_ends_with_the_cells_that_are_looked_at_anyway() {
        assert_eq!([0, 1, 19, 128].map(batch_behind), [256, 255, 237, 128]);
        // Little would be left.
        assert_eq!([129, 255, 256, 300].map(batch_behind), [256, 256, 256, 212]);
    }

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
