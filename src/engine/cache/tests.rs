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
    ledger.give_back();
    let (taken, moves) = ledger.take(sequence, there).unwrap();
    memory.carry_out(moves);
    memory.carry_out(ledger.make_room(ids.len() - there));
    for (at, &id) in ids.iter().enumerate().skip(there) {
        write(ledger, memory, taken, CachedToken::new(id, under.clone(), at));
    }
    there
}

/// A token is computed.
fn write(ledger: &mut Ledger, memory: &mut Memory, sequence: SeqId, cell: CachedToken) {
    ledger.push(sequence, cell);
    memory.sequences[sequence.index()].push(memory.cells);
    memory.cells += 1;
}

/// What lies in a sequence.
fn ids(ledger: &Ledger, sequence: SeqId) -> Vec<u32> {
    ledger.cells(sequence).iter().map(|cell| cell.id.0).collect()
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
fn a_look_leaves_every_path_as_it_was_and_its_own_cells_are_free_again() {
    let (mut ledger, mut memory) = new(3, 2000);
    let none = Interventions::default();
    let long: Vec<u32> = (0..1500).collect();
    read(&mut ledger, &mut memory, &[7, 7, 7], &none);
    read(&mut ledger, &mut memory, &long, &none);
    ledger.give_back();
    let ids: Vec<TokenId> = long.iter().copied().map(TokenId).collect();
    let (from, used) = (ledger.find(AskedPath { ids: &ids, in_force: &InForce::default() }).0, ledger.used);
    for at in [3, 700, 1499, 1500, 5] {
        let (taken, moves) = ledger.borrow(from, at).unwrap();
        memory.carry_out(moves);
        assert_ne!(taken, from);
        assert_eq!(ledger.cells(taken).len(), at);
        write(&mut ledger, &mut memory, taken, CachedToken::new(TokenId(9), none.clone(), at));
        agree(&ledger, &memory);
        memory.carry_out(ledger.drop_path(taken).into_iter().collect());
        agree(&ledger, &memory);
        assert_eq!((ledger.used, ledger.cells(from).len()), (used, 1500));
    }
    assert_eq!(read(&mut ledger, &mut memory, &long, &none), 1500);
    assert_eq!(read(&mut ledger, &mut memory, &[7, 7, 7], &none), 3);
}

#[test]
fn one_sequence_alone_is_cut() {
    let mut ledger = Ledger::new(1, 10);
    (0..4).for_each(|at| ledger.push(SeqId(0), CachedToken::new(TokenId(at), Interventions::default(), 0)));
    assert_eq!(ledger.take(SeqId(0), 2), Some((SeqId(0), vec![Move::Cut(SeqId(0), 2)])));
    assert_eq!((ledger.cells(SeqId(0)).len(), ledger.used), (2, 2));
    assert_eq!(ledger.take(SeqId(0), 2), None, "somebody writes it on");
}

#[test]
fn several_write_on_side_by_side_and_none_of_them_is_given_up() {
    let (mut ledger, mut memory) = new(4, 12);
    let none = Interventions::default();
    read(&mut ledger, &mut memory, &[9, 9], &none);
    read(&mut ledger, &mut memory, &[1, 2, 3], &none);
    let trunk = SeqId((0..4).find(|&i| ids(&ledger, SeqId(i)) == [1, 2, 3]).unwrap());
    let beside: Vec<SeqId> = std::iter::from_fn(|| {
        let (taken, moves) = ledger.take(trunk, 3)?;
        memory.carry_out(moves);
        Some(taken)
    })
    .collect();
    assert_eq!(beside.len(), 3, "all but the one that is written already");
    for round in 0..2 {
        memory.carry_out(ledger.make_room(4));
        for (i, &sequence) in beside.iter().chain([&trunk]).enumerate() {
            write(
                &mut ledger,
                &mut memory,
                sequence,
                CachedToken::new(TokenId(i as u32), none.clone(), round),
            );
        }
    }
    agree(&ledger, &memory);
    assert_eq!(ledger.used, 3 + 8);
    assert_eq!(ids(&ledger, beside[1]), [1, 2, 3, 1, 1]);
}

#[test]
fn what_is_forgotten_frees_its_own_cells_at_once() {
    let (mut ledger, mut memory) = new(3, 100);
    let none = Interventions::default();
    read(&mut ledger, &mut memory, &[1, 2, 3, 4], &none);
    read(&mut ledger, &mut memory, &[1, 2, 9, 9], &none);
    ledger.give_back();
    let path = [1, 2, 3].map(TokenId);
    memory.carry_out(ledger.forget(&path, 2));
    agree(&ledger, &memory);
    assert_eq!(ledger.used, 4);
    assert_eq!(read(&mut ledger, &mut memory, &[1, 2, 9, 9], &none), 4);
    assert_eq!(read(&mut ledger, &mut memory, &[1, 2, 3, 4], &none), 2);
}

/// Something that is done to a cache.
#[derive(Clone, Debug)]
enum Act {
    /// A path is read, as for a reply.
    Read(Vec<u32>),
    /// So many replies are written beside the last path, of so many tokens each.
    Beside(usize, usize),
    /// The first so many tokens of the last path are forgotten, from the second number on.
    Forget(usize, usize),
    /// An error.
    Clear,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        8 => prop::collection::vec(0..3u32, 1..12).prop_map(Act::Read),
        3 => (1..5usize, 1..4usize).prop_map(|(replies, tokens)| Act::Beside(replies, tokens)),
        2 => (1..12usize, 0..12usize).prop_map(|(path, keep)| Act::Forget(path, keep)),
        1 => Just(Act::Clear),
    ]
}

proptest! {
    #[test]
    fn the_ledger_says_what_the_cache_holds(
        acts in prop::collection::vec(act(), 1..60),
        sequences in 1..6usize,
    ) {
        let room = 40;
        let (mut ledger, mut memory) = new(sequences, room);
        let none = Interventions::default();
        let mut last: Vec<u32> = Vec::new();
        for act in acts {
            match act {
                Act::Read(path) => {
                    let longest = ledger.held.iter().map(|held| {
                        held.cells.iter().zip(&path).take_while(|(cell, id)| cell.id.0 == **id).count()
                    });
                    let longest = longest.max().unwrap_or(0);
                    prop_assert_eq!(read(&mut ledger, &mut memory, &path, &none), longest);
                    let is_there = (0..sequences as u32).any(|i| ids(&ledger, SeqId(i)) == path);
                    prop_assert!(is_there);
                    last = path;
                }
                Act::Beside(replies, tokens) => {
                    let path: Vec<TokenId> = last.iter().copied().map(TokenId).collect();
                    let in_force = InForce::from(none.clone());
                    ledger.give_back();
                    let (trunk, cells) = ledger.find(AskedPath { ids: &path, in_force: &in_force });
                    let there = cells.len();
                    let mut taken = Vec::new();
                    for _ in 0..replies {
                        let Some((sequence, moves)) = ledger.take(trunk, there) else { break };
                        memory.carry_out(moves);
                        prop_assert!(ids(&ledger, sequence) == last[..there]);
                        prop_assert!(!taken.contains(&sequence));
                        taken.push(sequence);
                    }
                    prop_assert_eq!(taken.len(), replies.min(sequences));
                    for round in 0..tokens {
                        memory.carry_out(ledger.make_room(taken.len()));
                        for (i, &sequence) in taken.iter().enumerate() {
                            let cell = CachedToken::new(TokenId((i % 3) as u32), none.clone(), round);
                            write(&mut ledger, &mut memory, sequence, cell);
                        }
                    }
                    ledger.give_back();
                }
                Act::Forget(path, keep) => {
                    let path: Vec<TokenId> = last.iter().take(path).copied().map(TokenId).collect();
                    ledger.give_back();
                    memory.carry_out(ledger.forget(&path, keep));
                    let is_held = |held: &HeldPath| {
                        held.cells.len() > keep.max(path.len())
                            && held.cells.iter().zip(&path).all(|(cell, id)| cell.id == *id)
                    };
                    prop_assert!(!ledger.held.iter().any(is_held));
                }
                Act::Clear => {
                    memory.sequences.iter_mut().for_each(Vec::clear);
                    ledger.clear();
                }
            }
            prop_assert!(ledger.used <= room);
            agree(&ledger, &memory);
        }
    }
}
