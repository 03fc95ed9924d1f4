//! The one ledger: which path, computed under which interventions, lies in which sequence of a KV cache.
//!
//! Sequences share cells: a path that leaves another takes over what they have in common, and both stay. Where
//! there is no room for more, the sequence that was used longest ago gives its cells back. [`Ledger`] is pure and
//! says what is to be done; [`PathCache`] does it to a context, so that the two never disagree.

use std::borrow::BorrowMut;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::llama::{Context, SeqId};
use crate::distribution::Depth;
use crate::intervention::{InForce, Interventions};
use crate::step::Step;
use crate::token::TokenId;

/// Most cells that paths keep which are not written to: attention passes over them too.
const KEPT: usize = 1024;

/// A token that was computed.
#[derive(Debug)]
pub(super) struct CachedToken {
    /// The token.
    pub id: TokenId,
    /// What was in force.
    pub under: Interventions,
    /// The position with which the batch began that it was computed in: alone, another kernel would compute it.
    pub batch: usize,
    /// Its figures, with so many candidates.
    figures: RefCell<Option<(Depth, Arc<Step>)>>,
}

impl CachedToken {
    /// A token at a position of a batch that began with position `batch`.
    pub fn new(id: TokenId, under: Interventions, batch: usize) -> CachedToken {
        CachedToken { id, under, batch, figures: RefCell::default() }
    }

    /// Its figures, if they were measured to this depth.
    pub fn step(&self, depth: Depth) -> Option<Arc<Step>> {
        self.figures.borrow().as_ref().filter(|(known, _)| *known == depth).map(|(_, step)| Arc::clone(step))
    }

    /// Notes its figures.
    pub fn measured(&self, depth: Depth, step: &Arc<Step>) {
        *self.figures.borrow_mut() = Some((depth, Arc::clone(step)));
    }
}

/// A path that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct AskedPath<'a> {
    /// Its tokens.
    pub ids: &'a [TokenId],
    /// What is in force at each.
    pub in_force: &'a InForce,
}

impl AskedPath<'_> {
    /// How many cells from the first on are those of this path.
    fn common(&self, cells: &[Rc<CachedToken>]) -> usize {
        let same = |(at, (cell, id)): (usize, (&Rc<CachedToken>, &TokenId))| {
            cell.id == *id && cell.under == self.in_force.at(at)
        };
        cells.iter().zip(self.ids).enumerate().take_while(|pair| same(*pair)).count()
    }
}

/// What a sequence holds.
#[derive(Debug, Default)]
struct HeldPath {
    cells: Vec<Rc<CachedToken>>,
    /// When it was last written to; larger is later.
    used: u64,
    /// Whether somebody writes it on: nothing of it is given up.
    taken: bool,
}

/// What must be done to the KV cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Move {
    /// Take everything from this position on out of a sequence.
    Cut(SeqId, usize),
    /// Let the second share the first so many positions of the first.
    Share(SeqId, SeqId, usize),
}

/// What lies where in a cache.
#[derive(Debug)]
pub(super) struct Ledger {
    held: Vec<HeldPath>,
    /// Cells in use, and in all.
    used: usize,
    room: usize,
    clock: u64,
}

impl Ledger {
    /// An empty cache of so many sequences, at least one, and cells.
    pub fn new(sequences: usize, room: usize) -> Ledger {
        let held = (0..sequences.max(1)).map(|_| HeldPath::default()).collect();
        Ledger { held, used: 0, room, clock: 0 }
    }

    /// What lies in a sequence.
    pub fn cells(&self, sequence: SeqId) -> &[Rc<CachedToken>] {
        self.held.get(sequence.index()).map_or(&[], |held| &held.cells)
    }

    /// The sequence that has most of a path from its beginning on, and those cells: of several, one that ends
    /// there, the latest.
    pub fn find(&self, path: AskedPath) -> (SeqId, &[Rc<CachedToken>]) {
        let common = self.held.iter().map(|held| path.common(&held.cells));
        // One that ends there is gone on with as it is.
        let ends =
            |i: usize, same: usize| same > 0 && !self.held[i].taken && self.held[i].cells.len() == same;
        let best = common.enumerate().max_by_key(|&(i, same)| (same, ends(i, same), self.held[i].used));
        let (best, same) = best.unwrap_or_default();
        (SeqId(best as u32), &self.held[best].cells[..same])
    }

    /// Takes a sequence that holds the first `keep` positions of another one and nothing else, to be written on.
    /// Whatever else that one holds stays where there is another to take, the one that was used longest ago; `None`
    /// where all are taken.
    pub fn take(&mut self, from: SeqId, keep: usize) -> Option<(SeqId, Vec<Move>)> {
        let (to, mut moves) = self.turn_to(from, keep, false)?;
        let most =
            self.held.iter().filter(|held| held.taken).map(|held| held.cells.len()).sum::<usize>() + KEPT;
        moves.extend(self.shrink(most));
        Some((to, moves))
    }

    /// The same for a look: what it is taken from stays whole in any case, where there is another to take, and
    /// nothing else makes room for it.
    pub fn borrow(&mut self, from: SeqId, keep: usize) -> Option<(SeqId, Vec<Move>)> {
        self.turn_to(from, keep, true)
    }

    fn turn_to(&mut self, from: SeqId, keep: usize, leave_it: bool) -> Option<(SeqId, Vec<Move>)> {
        let source = self.held.get(from.index())?;
        let keep = keep.min(source.cells.len());
        let is_its_end = keep == source.cells.len() && !source.taken && !leave_it;
        let free = |&other: &usize| other != from.index() && !self.held[other].taken;
        let oldest = (0..self.held.len())
            .filter(free)
            .min_by_key(|&other| (!self.held[other].cells.is_empty(), self.held[other].used, other));
        let (to, moves) = match oldest.filter(|_| !is_its_end) {
            Some(other) => (other, self.share(from.index(), other, keep)),
            None if source.taken => return None,
            None => (from.index(), self.cut(from.index(), keep).into_iter().collect()),
        };
        self.clock += 1;
        (self.held[to].used, self.held[to].taken) = (self.clock, true);
        if keep > 0 {
            // What was gone on from is in use as well.
            self.held[from.index()].used = self.clock;
        }
        Some((SeqId(to as u32), moves))
    }

    /// Cells that nothing lies in.
    pub fn free(&self) -> usize {
        self.room.saturating_sub(self.used)
    }

    /// Nobody writes a sequence on; what it holds stays.
    pub fn release(&mut self, sequence: SeqId) {
        self.held.get_mut(sequence.index()).into_iter().for_each(|held| held.taken = false);
    }

    /// Nobody writes a sequence on, and what it alone holds is free.
    pub fn drop_path(&mut self, sequence: SeqId) -> Option<Move> {
        self.release(sequence);
        self.cut(sequence.index(), 0)
    }

    /// Nobody writes any sequence on; what they hold stays.
    pub fn give_back(&mut self) {
        self.held.iter_mut().for_each(|held| held.taken = false);
    }

    /// Has a sequence hold the beginning of another one instead of what it holds.
    fn share(&mut self, from: usize, to: usize, end: usize) -> Vec<Move> {
        let mut moves: Vec<Move> = self.cut(to, 0).into_iter().collect();
        if end > 0 {
            moves.push(Move::Share(SeqId(from as u32), SeqId(to as u32), end));
            self.held[to].cells = self.held[from].cells[..end].to_vec();
        }
        moves
    }

    /// Makes room for so many more cells, as far as sequences that nobody writes can give any.
    pub fn make_room(&mut self, cells: usize) -> Vec<Move> {
        self.shrink(self.room.saturating_sub(cells))
    }

    /// Frees what is not written on until at most so many cells are in use, the oldest first.
    fn shrink(&mut self, most: usize) -> Vec<Move> {
        let mut moves = Vec::new();
        while self.used > most {
            let full = (0..self.held.len())
                .filter(|&other| !self.held[other].taken && !self.held[other].cells.is_empty());
            let Some(oldest) = full.min_by_key(|&other| self.held[other].used) else { break };
            moves.extend(self.cut(oldest, 0));
        }
        moves
    }

    /// Frees what follows the first `keep` tokens wherever a path begins with these, which nobody needs any more.
    pub fn forget(&mut self, path: &[TokenId], keep: usize) -> Vec<Move> {
        let begins = |held: &HeldPath| {
            held.cells.len() >= path.len() && held.cells.iter().zip(path).all(|(cell, id)| cell.id == *id)
        };
        let gone: Vec<usize> =
            (0..self.held.len()).filter(|&i| !self.held[i].taken && begins(&self.held[i])).collect();
        gone.into_iter().filter_map(|i| self.cut(i, keep)).collect()
    }

    /// A token was computed at the end of a sequence.
    pub fn push(&mut self, sequence: SeqId, cell: CachedToken) {
        self.held[sequence.index()].cells.push(Rc::new(cell));
        self.used += 1;
    }

    /// Takes everything from a position on out of a sequence.
    fn cut(&mut self, sequence: usize, from: usize) -> Option<Move> {
        let cells = &mut self.held[sequence].cells;
        if from >= cells.len() {
            return None;
        }
        // A cell that no other sequence has is free again.
        let gone = cells.drain(from..).filter(|cell| Rc::strong_count(cell) == 1).count();
        self.used -= gone;
        Some(Move::Cut(SeqId(sequence as u32), from))
    }

    /// Forgets everything, and who writes.
    pub fn clear(&mut self) {
        self.held.iter_mut().for_each(|held| (held.cells, held.taken) = (Vec::new(), false));
        self.used = 0;
    }
}

/// A context, one's own or a borrowed one, whose cells are known.
pub(super) struct PathCache<C = Context> {
    context: C,
    ledger: Ledger,
}

impl<C: BorrowMut<Context>> PathCache<C> {
    /// A context in which nothing lies yet.
    pub fn new(context: C) -> PathCache<C> {
        let params = context.borrow().params();
        let ledger = Ledger::new(params.sequences as usize, params.cells as usize);
        PathCache { context, ledger }
    }

    /// What lies where.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The context, to read.
    pub fn context(&self) -> &Context {
        self.context.borrow()
    }

    /// The context, to evaluate; what that leaves in it is told with [`PathCache::push`] or taken back with
    /// [`PathCache::undo`].
    pub fn context_mut(&mut self) -> &mut Context {
        self.context.borrow_mut()
    }

    /// [`Ledger::take`]; the sequence is empty where this model's cache can't be rewound.
    pub fn take(&mut self, from: SeqId, keep: usize) -> Option<SeqId> {
        let (taken, moves) = self.ledger.take(from, keep)?;
        self.carry_out(moves);
        Some(taken)
    }

    /// [`Ledger::borrow`].
    pub fn borrow(&mut self, from: SeqId, keep: usize) -> Option<SeqId> {
        let (taken, moves) = self.ledger.borrow(from, keep)?;
        self.carry_out(moves);
        Some(taken)
    }

    /// [`Ledger::give_back`].
    pub fn give_back(&mut self) {
        self.ledger.give_back();
    }

    /// [`Ledger::release`].
    pub fn release(&mut self, sequence: SeqId) {
        self.ledger.release(sequence);
    }

    /// [`Ledger::drop_path`].
    pub fn free(&mut self, sequence: SeqId) {
        let moves = self.ledger.drop_path(sequence).into_iter().collect();
        self.carry_out(moves);
    }

    /// [`Ledger::make_room`].
    pub fn make_room(&mut self, cells: usize) {
        let moves = self.ledger.make_room(cells);
        self.carry_out(moves);
    }

    /// [`Ledger::forget`].
    pub fn forget(&mut self, path: &[TokenId], keep: usize) {
        let moves = self.ledger.forget(path, keep);
        self.carry_out(moves);
    }

    /// [`Ledger::push`].
    pub fn push(&mut self, sequence: SeqId, cell: CachedToken) {
        self.ledger.push(sequence, cell);
    }

    /// Takes back what an evaluation that was stopped may have left behind the end of a sequence.
    pub fn undo(&mut self, sequence: SeqId) {
        let end = self.ledger.cells(sequence).len();
        if !self.context_mut().rewind(sequence, end) {
            // A state that can't be rewound may have been written half.
            self.clear();
        }
    }

    /// [`Ledger::clear`].
    pub fn clear(&mut self) {
        self.context_mut().clear();
        self.ledger.clear();
    }

    fn carry_out(&mut self, moves: Vec<Move>) {
        for one in moves {
            match one {
                Move::Share(from, to, end) => self.context_mut().share(from, to, end),
                Move::Cut(sequence, from) => {
                    if !self.context_mut().rewind(sequence, from) {
                        return self.clear();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
