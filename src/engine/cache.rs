//! The one ledger: which path, computed under which interventions, lies in which sequence of a KV cache.
//!
//! Sequences share cells: a path that leaves another takes over what they have in common, and both stay. Where
//! there is no room for more, the sequence that was used longest ago gives its cells back. [`Ledger`] is pure and
//! says what is to be done; [`PathCache`] does it to a context, so that the two never disagree.

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
    /// The sequence that is written to.
    active: usize,
    /// Cells in use, and in all.
    used: usize,
    room: usize,
    clock: u64,
}

impl Ledger {
    /// An empty cache of so many sequences, at least one, and cells.
    pub fn new(sequences: usize, room: usize) -> Ledger {
        let held = (0..sequences.max(1)).map(|_| HeldPath::default()).collect();
        Ledger { held, active: 0, used: 0, room, clock: 0 }
    }

    /// The sequence that is written to.
    pub fn active(&self) -> SeqId {
        SeqId(self.active as u32)
    }

    /// What lies in it.
    pub fn cells(&self) -> &[Rc<CachedToken>] {
        &self.held[self.active].cells
    }

    /// Positions that a sequence has.
    pub fn length(&self, sequence: SeqId) -> usize {
        self.held.get(sequence.0 as usize).map_or(0, |held| held.cells.len())
    }

    /// The sequence that has most of a path from its beginning on, the latest of several, and those cells.
    pub fn find(&self, path: AskedPath) -> (SeqId, &[Rc<CachedToken>]) {
        let common = self.held.iter().map(|held| path.common(&held.cells));
        let best = common.enumerate().max_by_key(|&(i, same)| (same, self.held[i].used));
        let (best, same) = best.unwrap_or((self.active, 0));
        (SeqId(best as u32), &self.held[best].cells[..same])
    }

    /// Has the first `keep` positions of a sequence written on. Whatever else it holds stays where there is
    /// another sequence to write to, the one that was used longest ago.
    pub fn take(&mut self, sequence: SeqId, keep: usize) -> Vec<Move> {
        let from = (sequence.0 as usize).min(self.held.len() - 1);
        let keep = keep.min(self.held[from].cells.len());
        self.clock += 1;
        let mut moves = Vec::new();
        let mut to = from;
        if keep < self.held[from].cells.len() {
            let others = (0..self.held.len()).filter(|&other| other != from);
            let oldest = others
                .min_by_key(|&other| (!self.held[other].cells.is_empty(), self.held[other].used, other));
            match oldest {
                Some(other) => {
                    moves.extend(self.cut(other, 0));
                    if keep > 0 {
                        moves.push(Move::Share(sequence, SeqId(other as u32), keep));
                        self.held[other].cells = self.held[from].cells[..keep].to_vec();
                    }
                    to = other;
                }
                None => moves.extend(self.cut(from, keep)),
            }
        }
        self.active = to;
        self.held[to].used = self.clock;
        let most = self.held[to].cells.len() + KEPT;
        moves.extend(self.shrink(most));
        moves
    }

    /// Makes room for so many more cells, as far as other sequences can give any.
    pub fn make_room(&mut self, cells: usize) -> Vec<Move> {
        self.shrink(self.room.saturating_sub(cells))
    }

    /// Frees the cells of other sequences until at most so many are in use, the oldest ones first.
    fn shrink(&mut self, most: usize) -> Vec<Move> {
        let mut moves = Vec::new();
        while self.used > most {
            let others = (0..self.held.len()).filter(|&other| other != self.active);
            let full = others.filter(|&other| !self.held[other].cells.is_empty());
            let Some(oldest) = full.min_by_key(|&other| self.held[other].used) else { break };
            moves.extend(self.cut(oldest, 0));
        }
        moves
    }

    /// A token was computed at the end of the active sequence.
    pub fn push(&mut self, cell: CachedToken) {
        self.held[self.active].cells.push(Rc::new(cell));
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

    /// Forgets everything.
    pub fn clear(&mut self) {
        for held in &mut self.held {
            held.cells.clear();
        }
        (self.active, self.used) = (0, 0);
    }
}

/// A context whose cells are known.
pub(super) struct PathCache {
    context: Context,
    ledger: Ledger,
}

impl PathCache {
    /// A context in which nothing lies yet.
    pub fn new(context: Context) -> PathCache {
        let params = context.params();
        let ledger = Ledger::new(params.sequences as usize, params.cells as usize);
        PathCache { context, ledger }
    }

    /// What lies where.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// The context, to read.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// The context, to evaluate; what that leaves in it is told with [`PathCache::push`] or taken back with
    /// [`PathCache::undo`].
    pub fn context_mut(&mut self) -> &mut Context {
        &mut self.context
    }

    /// Has the first `keep` positions of a sequence written on; how many there are then: none where this
    /// model's cache can't be rewound.
    pub fn take(&mut self, sequence: SeqId, keep: usize) -> usize {
        let moves = self.ledger.take(sequence, keep);
        self.carry_out(moves);
        self.ledger.cells().len()
    }

    /// Makes room for so many more cells.
    pub fn make_room(&mut self, cells: usize) {
        let moves = self.ledger.make_room(cells);
        self.carry_out(moves);
    }

    /// A token was computed at the end of the active sequence.
    pub fn push(&mut self, cell: CachedToken) {
        self.ledger.push(cell);
    }

    /// Takes back what an evaluation that was stopped may have left behind the active sequence.
    pub fn undo(&mut self) {
        if !self.context.rewind(self.ledger.active(), self.ledger.cells().len()) {
            // A state that can't be rewound may have been written half.
            self.clear();
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.context.clear();
        self.ledger.clear();
    }

    fn carry_out(&mut self, moves: Vec<Move>) {
        for one in moves {
            match one {
                Move::Share(from, to, end) => self.context.share(from, to, end),
                Move::Cut(sequence, from) => {
                    if !self.context.rewind(sequence, from) {
                        return self.clear();
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
