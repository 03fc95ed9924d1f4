use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A KV cache as llama.cpp keeps one: cells, each of a token and in any number of sequences.
#[derive(Default)]
struct Memory {
    sequences: Vec<Vec<u32>>,
    cells: u32,
}

impl Memory {
    fn carry_out(&mut self, moves: Vec<Move>) {
        for one in moves {
            match one {
                Move::Cut(sequence, from) => self.sequences[sequence.0 as usize].truncate(from),
                Move::Share(from, to, end) => {
                    assert!(self.sequences[to.0 as usize].is_empty());
                    self.sequences[to.0 as usize] = self.sequences[from.0 as usize][..end].to_vec();
                }
            }
        }
    }

    fn used(&self) -> usize {
        self.sequences.iter().flatten().collect::<BTreeSet<_>>().len()
    }
}

/// Reads a path as a request does; returns how much of it was there.
fn read(ledger: &mut Ledger, memory: &mut Memory, ids: &[u32], under: &Interventions) -> usize {
    let ids: Vec<TokenId> = ids.iter().copied().map(TokenId).collect();
    let in_force = InForce::from(under.clone());
    let (sequence, cells) = ledger.find(AskedPath { ids: &ids, in_force: &in_force });
    let there = cells.len();
    memory.carry_out(ledger.take(sequence, there));
    memory.carry_out(ledger.make_room(ids.len() - there));
    for (at, &id) in ids.iter().enumerate().skip(there) {
        ledger.push(CachedToken::new(id, under.clone(), at));
        memory.sequences[ledger.active().0 as usize].push(memory.cells);
        memory.cells += 1;
    }
    there
}

fn agree(ledger: &Ledger, memory: &Memory) {
    for (held, sequence) in ledger.held.iter().zip(&memory.sequences) {
        assert_eq!(held.cells.len(), sequence.len());
    }
    for (i, a) in ledger.held.iter().enumerate() {
        for (j, b) in ledger.held.iter().enumerate() {
            for (at, cell) in a.cells.iter().enumerate() {
                let same = b.cells.get(at).is_some_and(|other| Rc::ptr_eq(cell, other));
                assert_eq!(same, memory.sequences[j].get(at) == Some(&memory.sequences[i][at]));
            }
        }
    }
    assert_eq!(ledger.used, memory.used());
}

fn new(sequences: usize, room: usize) -> (Ledger, Memory) {
    let memory = Memory { sequences: vec![Vec::new(); sequences], cells: 0 };
    (Ledger::new(sequences, room), memory)
}

#[test]
fn a_branch_takes_over_what_it_shares_and_an_earlier_one_is_found_again() {
    let (mut ledger, mut memory) = new(3, 100);
    let none = Interventions::default();
    assert_eq!(read(&mut ledger, &mut memory, &[1, 2, 3, 4], &none), 0);
    assert_eq!(read(&mut ledger, &mut memory, &[1, 2, 9], &none), 2);
    assert_eq!(ledger.used, 5);
    assert_eq!(read(&mut ledger, &mut memory, &[1, 2, 3, 4, 5], &none), 4);
    assert_eq!(read(&mut ledger, &mut memory, &[1, 2, 9, 9], &none), 3);
    agree(&ledger, &memory);
}

#[test]
fn what_was_computed_under_something_else_is_not_the_same() {
    let (mut ledger, mut memory) = new(3, 100);
    let off: Interventions = ["layer 3".parse().unwrap()].into_iter().collect();
    read(&mut ledger, &mut memory, &[1, 2, 3], &Interventions::default());
    assert_eq!(read(&mut ledger, &mut memory, &[1, 2, 3], &off), 0);
    assert_eq!(read(&mut ledger, &mut memory, &[1, 2, 3], &off), 3);
    assert_eq!(read(&mut ledger, &mut memory, &[1, 2, 3], &Interventions::default()), 3);
}

#[test]
fn where_there_is_no_room_the_path_that_was_used_longest_ago_goes_first() {
    let (mut ledger, mut memory) = new(4, 10);
    let none = Interventions::default();
    for first in [1, 2, 3] {
        read(&mut ledger, &mut memory, &[first, 0, 0], &none);
    }
    assert_eq!(read(&mut ledger, &mut memory, &[4, 0], &none), 0);
    assert_eq!(read(&mut ledger, &mut memory, &[2, 0, 0], &none), 3, "the first went, not this one");
    assert_eq!(read(&mut ledger, &mut memory, &[1, 0, 0], &none), 0);
    agree(&ledger, &memory);
}

#[test]
fn one_sequence_alone_is_cut() {
    let mut ledger = Ledger::new(1, 10);
    (0..4).for_each(|at| ledger.push(CachedToken::new(TokenId(at), Interventions::default(), 0)));
    assert_eq!(ledger.take(SeqId(0), 2), [Move::Cut(SeqId(0), 2)]);
    assert_eq!((ledger.cells().len(), ledger.used), (2, 2));
}

proptest! {
    #[test]
    fn the_ledger_says_what_the_cache_holds(
        paths in prop::collection::vec(prop::collection::vec(0..3u32, 1..12), 1..40),
        sequences in 1..5usize,
    ) {
        let room = 24;
        let (mut ledger, mut memory) = new(sequences, room);
        let none = Interventions::default();
        for path in paths {
            let longest = ledger.held.iter().map(|held| {
                held.cells.iter().zip(&path).take_while(|(cell, id)| cell.id.0 == **id).count()
            });
            let longest = longest.max().unwrap_or(0);
            prop_assert_eq!(read(&mut ledger, &mut memory, &path, &none), longest);
            let active: Vec<u32> = ledger.cells().iter().map(|cell| cell.id.0).collect();
            prop_assert_eq!(active, path);
            prop_assert!(ledger.used <= room);
            agree(&ledger, &memory);
        }
    }
}
