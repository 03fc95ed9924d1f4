use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::protocol::Sequence;
use super::super::trie::Sharing;
use super::super::trie::tests::{prefix, sequences, sharing};
use super::*;
use crate::token::TokenId;

const TRUNK: usize = 0;

/// A unified cache that takes its cells in order, as llama.cpp does while none is free in between.
#[derive(Default)]
struct Cache {
    sequences: BTreeMap<usize, Vec<(usize, TokenId)>>,
    next: usize,
}

impl Cache {
    fn of(&mut self, sequence: usize) -> &mut Vec<(usize, TokenId)> {
        self.sequences.entry(sequence).or_default()
    }

    fn prefix(&mut self, sequence: usize) -> Vec<TokenId> {
        self.of(sequence).iter().map(|&(_, token)| token).collect()
    }

    fn share(&mut self, from: usize, to: usize) {
        let shared = self.of(from).clone();
        self.sequences.insert(to, shared);
    }

    /// Adds one token of a batch.
    fn push(&mut self, token: TokenId, position: usize, ids: &[usize]) {
        let cell = (self.next, token);
        self.next += 1;
        for &id in ids {
            let sequence = self.of(id);
            assert_eq!(sequence.len(), position, "positions are consecutive");
            sequence.push(cell);
        }
    }

    /// The trunk is what is left: its cells are the first ones, in the order of its positions.
    fn free_behind_what_stays(&mut self) {
        let cells: Vec<usize> = self.of(TRUNK).iter().map(|&(cell, _)| cell).collect();
        assert_eq!(cells, (0..cells.len()).collect::<Vec<_>>(), "no free cell among them");
        self.next = cells.len();
    }
}

/// Carries a group out as the scorer does, and checks that every node finds its own prefix.
fn carry_out(cache: &mut Cache, trie: &Trie, group: &Group) {
    cache.sequences.retain(|&id, _| id == TRUNK);
    cache.of(TRUNK).truncate(group.depth);
    cache.free_behind_what_stays();
    for lane in 0..group.lanes {
        cache.share(TRUNK, lane + 1);
    }
    for entry in &group.entries {
        let node = trie.node(entry.node);
        let mut ids: Vec<usize> = entry.trunk.then_some(TRUNK).into_iter().collect();
        ids.extend(entry.lanes.clone().map(|lane| lane + 1));
        assert!(!ids.is_empty());
        cache.push(node.token, node.position, &ids);
        for id in ids {
            assert_eq!(cache.prefix(id), prefix(trie, entry.node));
        }
    }
    assert_eq!(cache.of(TRUNK).len(), group.reached);
}

fn limits() -> impl Strategy<Value = Limits> {
    let limits = (1..12usize, 1..9usize, 1..7usize);
    limits.prop_map(|(nodes, rows, sequences)| Limits { nodes, rows, sequences, pairs: usize::MAX })
}

proptest! {
    #[test]
    fn every_node_is_evaluated_once_after_exactly_its_own_prefix(
        sequences in sequences(), after: bool, sharing in sharing(), limits in limits()
    ) {
        let trie = Trie::new(&sequences, after, sharing);
        let (groups, need) = cut(&trie, &limits);
        let mut cache = Cache::default();
        let mut evaluated = Vec::new();
        for range in groups {
            let group = Group::new(&trie, range);
            carry_out(&mut cache, &trie, &group);
            prop_assert!(cache.next <= need.cells);
            evaluated.extend(group.entries.iter().map(|entry| entry.node));
        }
        evaluated.sort();
        let mut all = trie.order().to_vec();
        all.sort();
        prop_assert_eq!(evaluated, all);
    }

    #[test]
    fn groups_respect_every_bound(
        sequences in sequences(), after: bool, sharing in sharing(), limits in limits()
    ) {
        let trie = Trie::new(&sequences, after, sharing);
        let (groups, need) = cut(&trie, &limits);
        let mut found = Need::default();
        for range in groups {
            let group = Group::new(&trie, range);
            let rows = group.entries.iter().filter(|entry| trie.node(entry.node).read).count();
            prop_assert!(group.entries.len() <= limits.nodes);
            prop_assert!(rows <= limits.rows && group.lanes < limits.sequences);
            found.cells = found.cells.max(group.depth + group.entries.len());
            found.batch = found.batch.max(group.entries.len());
            found.rows = found.rows.max(rows);
            found.sequences = found.sequences.max(group.lanes + 1);
        }
        prop_assert_eq!(found, need);
    }

    #[test]
    fn alone_no_sequence_depends_on_the_others(sequences in sequences(), after: bool, limits in limits()) {
        let limits = Limits { sequences: 1, ..limits };
        let shapes = |sequences: &[Sequence]| {
            let trie = Trie::new(sequences, after, Sharing::Alone);
            let (groups, _) = cut(&trie, &limits);
            let shape = |range| {
                let group = Group::new(&trie, range);
                let node = |entry: &BatchEntry| (prefix(&trie, entry.node), trie.node(entry.node).read);
                (group.depth, group.entries.iter().map(node).collect::<Vec<_>>())
            };
            groups.into_iter().map(shape).collect::<Vec<_>>()
        };
        let together = shapes(&sequences);
        for sequence in &sequences {
            for shape in shapes(std::slice::from_ref(sequence)) {
                prop_assert!(together.contains(&shape));
            }
        }
    }
}

#[test]
fn a_long_preamble_is_computed_in_pieces_and_taken_over_by_all() {
    let all: Vec<Sequence> = (0..40)
        .map(|i| {
            let tokens = (0..600).chain([1000 + i, 7, 8]).map(TokenId).collect();
            Sequence { tokens, from: 600 }
        })
        .collect();
    let trie = Trie::new(&all, false, Sharing::Windows { sequences: 1024, tokens: 1 << 16 });
    let limits = Limits { nodes: 256, rows: 512, sequences: 64, pairs: usize::MAX };
    let (groups, need) = cut(&trie, &limits);
    assert_eq!(trie.order().len(), 600 + 40 * 2);
    // The second cut leaves a full group.
    assert_eq!(groups, [0..256, 256..424, 424..680]);
    assert_eq!(need, Need { cells: 680, batch: 256, rows: 81, sequences: 40 });
    let last = Group::new(&trie, groups[2].clone());
    assert_eq!((last.depth, last.lanes, last.reached), (424, 39, 602));
}

#[test]
fn a_cut_is_made_where_the_next_group_can_be_the_fullest() {
    let sentence =
        |i: u32, end: u32| Sequence { tokens: [1, 2, i, 3, 4, 5, end].map(TokenId).to_vec(), from: 1 };
    let all: Vec<Sequence> = (10..14).flat_map(|i| [sentence(i, 6), sentence(i, 7)]).collect();
    let trie = Trie::new(&all, false, Sharing::Windows { sequences: 1024, tokens: 1 << 16 });
    let (groups, _) = cut(&trie, &Limits { nodes: 9, rows: 99, sequences: 99, pairs: usize::MAX });
    assert_eq!(groups, [0..6, 6..14, 14..18]);
}

#[test]
fn the_further_a_batch_is_from_the_beginning_the_fewer_nodes_it_has() {
    let text = |n: u32| Sequence { tokens: (0..n).map(TokenId).collect(), from: 1 };
    let limits = Limits { nodes: 256, rows: 512, sequences: 1, pairs: 256 << 10 };
    let trie =
        Trie::new(&[text(4000), text(3000)], false, Sharing::Windows { sequences: 2, tokens: 1 << 16 });
    let (groups, _) = cut(&trie, &limits);
    for range in &groups {
        let pairs: usize = range.clone().map(|i| trie.node(trie.order()[i]).position + 1).sum();
        assert!(range.len() <= FEWEST || pairs <= limits.pairs, "{range:?}: {pairs}");
    }
    assert_eq!(groups[0], 0..256);
    assert!(groups.iter().any(|range| range.len() == FEWEST), "{groups:?}");
}
