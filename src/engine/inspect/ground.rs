//! What variants of a sequence share, where it lies in the cache, and which of them fill a batch. Pure.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::{CHUNK, RoomNeeded, TRUNK};
use crate::engine::llama::eval::WrittenFrom;
use crate::engine::llama::{SeqId, Slots};
use crate::engine::look::{Edit, Inspect, Part, PartValue, Variant, Variants};
use crate::engine::protocol::EngineError;
use crate::token::TokenId;

/// Sequences beside the variants' own.
pub(super) const TRUNKS: usize = 2;
/// What llama.cpp rounds the number of cells in use up to.
const CELLS_STEP: usize = 256;
/// The other sequence.
pub(super) const OTHER: SeqId = SeqId(1);

/// The values of one part in one layer, by position from some first one on; `None` where the last layer
/// leaves them out.
type Rows = Vec<Option<Arc<[f32]>>>;
/// A layer and a part as a whole: a head's values are columns of it.
pub(super) type PartKey = (usize, Part);

/// Variants and what they are made of.
pub(super) struct Ground {
    /// The sequence and the tokens that follow it.
    pub own: Vec<TokenId>,
    /// The same of the other one.
    pub other: Vec<TokenId>,
    /// The position after which the first distribution is read.
    pub last: usize,
    /// Most distributions of a batch.
    most_rows: usize,
    /// How many tokens of the sequence are shared.
    pub trunk: usize,
    /// From where on the other sequence has cells of its own.
    pub apart: usize,
    /// What variants take from the other sequence.
    pub borrowed: Vec<PartKey>,
    /// Whether the cache holds what variants share.
    pub laid: bool,
    /// Those values.
    others: BTreeMap<PartKey, Rows>,
    /// Means over the sequence.
    pub means: BTreeMap<PartKey, Arc<[f32]>>,
}

/// Whose a token of a batch is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum TokenOwner {
    /// The sequence's.
    Own,
    /// The other one's.
    Other,
    /// That of one of the group's variants.
    Variant(usize),
}

/// One token in its batch.
#[derive(Clone, Copy)]
pub(super) struct BatchToken {
    pub of: TokenOwner,
    pub position: usize,
}

impl Ground {
    /// What variants of these sequences share; so many distributions go into a batch.
    pub fn new(request: &Inspect, asked: &Variants, most_rows: usize) -> Result<Ground, EngineError> {
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
        let (borrowed, others, means) = Default::default();
        Ok(Ground { own, other, last, most_rows, trunk, apart, borrowed, laid: false, others, means })
    }

    /// Cells of the cache that are in use before a batch.
    pub fn cells(&self) -> usize {
        self.trunk + self.other.len().saturating_sub(self.apart)
    }

    /// Tokens of a variant that are computed.
    pub fn computed(&self, variant: &Variant) -> usize {
        self.own.len() - variant.from
    }

    /// Distributions that are read of a variant.
    pub fn rows(&self) -> usize {
        self.own.len() - self.last
    }

    /// Most cells that are ever in use, and most distributions of a batch.
    pub fn needs(&self, asked: &Variants) -> RoomNeeded {
        let longest = asked.variants.iter().map(|variant| self.computed(variant)).max().unwrap_or(0);
        let controls: usize = asked.controls.iter().map(|variant| self.computed(variant)).sum();
        RoomNeeded { cells: self.cells() + CHUNK.max(longest) + controls, rows: self.rows() }
    }

    /// Where the variants from `start` on that fill a batch end; one alone may be longer.
    pub fn end_of_group(&self, variants: &[usize], start: usize, asked: &Variants) -> usize {
        let (controls, room) = (&asked.controls, batch_behind(self.cells()));
        let mut tokens: usize = controls.iter().map(|variant| self.computed(variant)).sum();
        let most = (self.most_rows / self.rows()).saturating_sub(controls.len()).max(1);
        let fits = |&&variant: &&usize| {
            tokens += self.computed(&asked.variants[variant]);
            tokens <= room
        };
        start + variants[start..].iter().take(most).take_while(fits).count().max(1)
    }

    /// Keeps what was read of the other sequence's tokens among these, part by part.
    pub fn keep(&mut self, chunk: &[BatchToken], read: Slots) {
        let mut read = read.into_iter();
        for &key in &self.borrowed {
            let rows = read.by_ref().take(others_of(chunk).len());
            self.others.entry(key).or_default().extend(rows.map(|row| row.map(Arc::from)));
        }
    }

    /// The other sequence's values of a part at a position; before they are known, what is read of them in the same
    /// evaluation. `None` where the last layer leaves them out.
    pub fn other_row(&self, key: PartKey, position: usize, columns: &Range<usize>) -> Option<WrittenFrom> {
        let at = position.checked_sub(self.apart)?;
        if self.laid {
            return self.others.get(&key)?.get(at)?.as_ref().map(|row| values(row, columns));
        }
        let part = self.borrowed.iter().position(|borrowed| *borrowed == key)?;
        Some(WrittenFrom::Slot(part * (self.other.len() - self.apart) + at, columns.clone()))
    }

    /// Whether what is shared has room in the batch of these variants.
    pub fn goes_with(&self, variants: &[(usize, &Variant)]) -> bool {
        let tokens: usize = variants.iter().map(|(_, variant)| self.computed(variant)).sum();
        self.cells() + tokens <= CHUNK && (variants.len() + 1) * self.rows() <= self.most_rows
    }
}

/// Most tokens of a batch behind so many cells. Every token is compared with as many cells as are in use, rounded
/// up to what llama.cpp rounds to: one step more costs more than a batch that is a little less full.
fn batch_behind(cells: usize) -> usize {
    let room = CELLS_STEP - cells % CELLS_STEP;
    if room >= CHUNK / 2 { room.min(CHUNK) } else { CHUNK }
}

/// Variants that are computed side by side, each with its number, and what they share where that is to be
/// computed with them.
pub(super) struct VariantGroup<'a> {
    pub variants: &'a [(usize, &'a Variant)],
    pub entries: Vec<BatchToken>,
    /// The cell of the first entry: what is computed lies behind what is shared, in the order of the batches.
    begins: usize,
    /// Where each variant's entries begin.
    starts: Vec<usize>,
}

impl<'a> VariantGroup<'a> {
    /// The tokens of these variants that are to be computed.
    pub fn new(variants: &'a [(usize, &'a Variant)], ground: &Ground) -> VariantGroup<'a> {
        let mut entries = Vec::new();
        let mut add = |of, positions: Range<usize>| {
            entries.extend(positions.map(|position| BatchToken { of, position }));
            entries.len()
        };
        let shared = match ground.laid {
            true => 0,
            false => {
                add(TokenOwner::Own, 0..ground.trunk);
                add(TokenOwner::Other, ground.apart..ground.other.len().max(ground.apart))
            }
        };
        let mut start = shared;
        let mut starts = Vec::with_capacity(variants.len());
        for (i, (_, variant)) in variants.iter().enumerate() {
            starts.push(start);
            start = add(TokenOwner::Variant(i), variant.from..ground.own.len());
        }
        VariantGroup { variants, entries, begins: ground.cells() - shared, starts }
    }

    /// The token.
    pub fn token(&self, entry: BatchToken, ground: &Ground) -> TokenId {
        let is_other = match entry.of {
            TokenOwner::Own => false,
            TokenOwner::Other => true,
            TokenOwner::Variant(i) => self.variants[i].1.of_other,
        };
        if is_other { ground.other[entry.position] } else { ground.own[entry.position] }
    }

    /// The cell of what stands at a position of its sequence.
    pub fn cell(&self, of: TokenOwner, position: usize, ground: &Ground) -> usize {
        match of {
            TokenOwner::Variant(i) => match self.variants[i].1 {
                Variant { from, .. } if position >= *from => self.begins + self.starts[i] + position - from,
                Variant { of_other: true, .. } => self.cell(TokenOwner::Other, position, ground),
                _ => position,
            },
            TokenOwner::Other if position >= ground.apart => ground.trunk + position - ground.apart,
            TokenOwner::Other | TokenOwner::Own => position,
        }
    }

    /// The sequences that a token belongs to: what is computed with the variants is theirs, too, as far as it
    /// stands before their first change.
    pub fn sequences(&self, entry: BatchToken, ground: &Ground) -> Vec<SeqId> {
        let BatchToken { of, position } = entry;
        let is_common = of == TokenOwner::Own && position < ground.apart;
        let trunks: &[SeqId] = match of {
            TokenOwner::Variant(i) => return vec![lane(i)],
            TokenOwner::Other => &[OTHER],
            TokenOwner::Own if is_common => &[TRUNK, OTHER],
            TokenOwner::Own => &[TRUNK],
        };
        let shares = |variant: &Variant| {
            variant.from > position && (is_common || variant.of_other == (of == TokenOwner::Other))
        };
        let lanes = (0..self.variants.len()).filter(|&i| shares(self.variants[i].1)).map(lane);
        trunks.iter().copied().chain(lanes).collect()
    }
}

/// Which tokens of a batch are the other sequence's.
pub(super) fn others_of(chunk: &[BatchToken]) -> Range<usize> {
    let is_other = |entry: &BatchToken| entry.of == TokenOwner::Other;
    let first = chunk.iter().position(is_other).unwrap_or(0);
    first..first + chunk.iter().filter(|entry| is_other(entry)).count()
}

/// What is read for a head is every head.
pub(super) fn whole(part: Part) -> Part {
    match part {
        Part::Head(_) => Part::Head(0),
        other => other,
    }
}

/// These columns of a row.
pub(super) fn values(row: &Arc<[f32]>, columns: &Range<usize>) -> WrittenFrom {
    WrittenFrom::Values(Arc::clone(row), columns.clone())
}

/// The sequence of one of a group's variants.
pub(super) fn lane(variant: usize) -> SeqId {
    SeqId((variant + TRUNKS) as u32)
}

#[cfg(test)]
mod tests;
