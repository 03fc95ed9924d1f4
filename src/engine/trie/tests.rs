use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

/// Few different tokens and short sequences, so that prefixes are shared in every way there is.
pub fn sequences() -> impl Strategy<Value = Vec<Sequence>> {
    let sequence = (prop::collection::vec(0..3u32, 0..9), 0..10usize);
    prop::collection::vec(sequence, 0..14).prop_map(|all| {
        let sequence = |(tokens, from): (Vec<u32>, usize)| Sequence {
            tokens: tokens.into_iter().map(TokenId).collect(),
            from,
        };
        all.into_iter().map(sequence).collect()
    })
}

pub fn sharing() -> impl Strategy<Value = Sharing> {
    let windows = (1..20usize, 1..60usize);
    prop_oneof![
        Just(Sharing::Alone),
        windows.prop_map(|(sequences, tokens)| Sharing::Windows { sequences, tokens })
    ]
}

/// The exact prefix that ends with a node.
pub fn prefix(trie: &Trie, id: NodeId) -> Vec<TokenId> {
    let mut tokens: Vec<TokenId> = trie.path(id).map(|id| trie.node(id).token).collect();
    tokens.reverse();
    tokens
}

const ALL: Sharing = Sharing::Windows { sequences: usize::MAX, tokens: usize::MAX };

fn sequence(tokens: &[u32], from: usize) -> Sequence {
    Sequence { tokens: tokens.iter().copied().map(TokenId).collect(), from }
}

proptest! {
    #[test]
    fn one_window_evaluates_every_distinct_prefix_once(sequences in sequences(), after: bool) {
        let trie = Trie::new(&sequences, after, ALL);
        let mut distinct = HashSet::new();
        for sequence in &sequences {
            distinct.extend((1..=evaluated(sequence, after)).map(|n| sequence.tokens[..n].to_vec()));
        }
        let computed: HashSet<_> = trie.order().iter().map(|&id| prefix(&trie, id)).collect();
        prop_assert_eq!(trie.order().len(), distinct.len());
        prop_assert_eq!(computed, distinct);
    }

    #[test]
    fn every_sequence_finds_itself_and_all_it_needs(
        sequences in sequences(), after: bool, sharing in sharing()
    ) {
        let trie = Trie::new(&sequences, after, sharing);
        prop_assert_eq!(trie.ends().len(), sequences.len());
        for (sequence, end) in sequences.iter().zip(trie.ends()) {
            let needed = evaluated(sequence, after);
            let Some(node) = end.node else {
                prop_assert_eq!(needed, 0);
                continue;
            };
            prop_assert_eq!(&prefix(&trie, node), &sequence.tokens);
            for id in trie.path(node) {
                let Node { position, place, read, after: ends, .. } = *trie.node(id);
                if position < needed {
                    prop_assert!(place.is_some_and(|place| place < end.ready));
                }
                let next_is_scored = position + 1 >= first_scored(sequence) && position + 1 < sequence.tokens.len();
                prop_assert!(read || !next_is_scored);
                prop_assert!(ends || !(after && id == node));
            }
        }
    }

    #[test]
    fn what_nobody_reads_is_not_read(sequences in sequences(), after: bool, sharing in sharing()) {
        let trie = Trie::new(&sequences, after, sharing);
        for &id in trie.order() {
            let node = trie.node(id);
            let followed = trie.children(id).any(|child| trie.node(child).users > 0);
            prop_assert_eq!(node.read, node.after || followed);
        }
    }

    #[test]
    fn a_node_is_followed_by_everything_below_it(
        sequences in sequences(), after: bool, sharing in sharing()
    ) {
        let trie = Trie::new(&sequences, after, sharing);
        for (i, &id) in trie.order().iter().enumerate() {
            prop_assert_eq!(trie.node(id).place, Some(i));
            if let Some(parent) = trie.node(id).parent {
                // Between a node and its parent there are only nodes below the parent.
                let first = trie.node(parent).place.unwrap();
                prop_assert!(first < i);
                for &between in &trie.order()[first + 1..i] {
                    prop_assert!(trie.path(between).any(|above| above == parent));
                }
            }
        }
    }

    #[test]
    fn figures_are_kept_for_as_long_as_a_sequence_waits_for_them(
        sequences in sequences(), after: bool, sharing in sharing()
    ) {
        let mut trie = Trie::new(&sequences, after, sharing);
        let mut wanted: Vec<Vec<NodeId>> = Vec::new();
        for (sequence, end) in sequences.iter().zip(trie.ends()) {
            let path = end.node.into_iter().flat_map(|end| trie.path(end));
            wanted.push(path.filter(|&id| trie.node(id).position >= first_scored(sequence)).collect());
        }
        let mut left: Vec<NodeId> = wanted.concat();
        while let Some(id) = left.pop() {
            prop_assert_eq!(trie.release(id), left.contains(&id));
        }
    }

    #[test]
    fn alone_a_sequence_shares_with_its_equals_only(sequences in sequences(), after: bool) {
        let trie = Trie::new(&sequences, after, Sharing::Alone);
        let mut computed = 0;
        for (i, sequence) in sequences.iter().enumerate() {
            if i == 0 || !same_work(&sequences[i - 1], sequence, after) {
                computed += evaluated(sequence, after);
            }
        }
        prop_assert_eq!(trie.order().len(), computed);
    }
}

#[test]
fn a_last_token_is_evaluated_only_for_what_comes_after_it() {
    let pair = [sequence(&[1, 2, 3], 1), sequence(&[1, 2, 4], 1)];
    assert_eq!(Trie::new(&pair, false, ALL).order().len(), 2);
    assert_eq!(Trie::new(&pair, true, ALL).order().len(), 4);
}

#[test]
fn what_is_not_scored_is_not_evaluated() {
    assert_eq!(evaluated(&sequence(&[1, 2, 3], 3), false), 0);
    assert_eq!(evaluated(&sequence(&[1], 0), false), 0);
    assert_eq!(evaluated(&sequence(&[], 0), true), 0);
    assert_eq!(evaluated(&sequence(&[1, 2, 3], 2), false), 2);
}

#[test]
fn a_preamble_outlives_its_window_and_branches_keep_their_order() {
    let all: Vec<Sequence> = (0..6).map(|i| sequence(&[7, 7, 7, i, 9], 4)).collect();
    let windows = Sharing::Windows { sequences: 2, tokens: usize::MAX };
    let trie = Trie::new(&all, false, windows);
    assert_eq!(trie.order().len(), 3 + 6);
    let turns: Vec<usize> = trie.ends().iter().map(|end| end.ready).collect();
    assert_eq!(turns, [4, 5, 6, 7, 8, 9]);
}
