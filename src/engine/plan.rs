//! Cuts a [`Trie`] into groups that are evaluated one after the other in one unified KV cache.
//!
//! A group is a run of the tree's order, so that no node is computed twice. One sequence of the
//! cache, the trunk, holds the path to the group's first node, and the whole group grows on it: its
//! last branch goes on with the trunk, every other branch is a lane that takes the trunk over first.
//! What a branch sees of the cache then lies in the order of its positions and without a gap, whatever
//! else is in the batch, and what is freed lies behind what stays. Pure: the cache is worked by whoever
//! carries the plan out.

use std::ops::Range;

use super::trie::{NodeId, Trie};

/// What one evaluation may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    pub nodes: usize,
    /// Nodes after which the distribution is read.
    pub rows: usize,
    /// Sequence ids, the trunk's among them.
    pub sequences: usize,
    /// Pairs of a node and one that it sees, where there are more than [`FEWEST`] nodes.
    pub pairs: usize,
}

/// Nodes that are evaluated together however far they are from the beginning.
const FEWEST: usize = 128;

/// What the largest groups of a plan take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Need {
    /// Cells of the cache.
    pub cells: usize,
    /// Tokens of a batch.
    pub batch: usize,
    /// Rows of logits.
    pub rows: usize,
    /// Sequence ids, the trunk's among them.
    pub sequences: usize,
}

/// One node in its batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BatchEntry {
    pub node: NodeId,
    /// Whether the trunk runs through it.
    pub trunk: bool,
    /// The lanes that run through it.
    pub lanes: Range<usize>,
}

/// One evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Positions of the trunk when it begins: what all its nodes have before them.
    pub depth: usize,
    /// Positions of the trunk when it is done.
    pub reached: usize,
    /// Number of lanes.
    pub lanes: usize,
    /// The nodes, the trunk's first; positions rise in every sequence.
    pub entries: Vec<BatchEntry>,
}

/// The groups, as ranges of the tree's order, and what they need at most.
pub(super) fn cut(trie: &Trie, limits: &Limits) -> (Vec<Range<usize>>, Need) {
    let ends = ends_of_growth(trie, limits.sequences > 1);
    let mut groups = Vec::new();
    let mut need = Need::default();
    let mut start = 0;
    while start < ends.len() {
        let range = start..end_of_group(trie, start, &ends, limits);
        let taken = taken(trie, &range);
        need.cells = need.cells.max(taken.cells);
        need.batch = need.batch.max(taken.batch);
        need.rows = need.rows.max(taken.rows);
        need.sequences = need.sequences.max(taken.sequences);
        start = range.end;
        groups.push(range);
    }
    (groups, need)
}

/// For each place of the order, the next one that has less before it: up to there, everything grows on
/// the same trunk. Without `branches` the trunk itself is all that may grow.
fn ends_of_growth(trie: &Trie, branches: bool) -> Vec<usize> {
    let position = |i: usize| trie.node(trie.order()[i]).position;
    let mut ends = vec![trie.order().len(); trie.order().len()];
    let mut open: Vec<usize> = Vec::new();
    for i in 0..ends.len() {
        while let Some(done) = open.pop_if(|above| position(*above) + usize::from(!branches) > position(i)) {
            ends[done] = i;
        }
        open.push(i);
    }
    ends
}

/// Everything that grows on the same trunk and fits. Where not all of it does, the cut is made, in the
/// second half, where the next group can be the fullest.
fn end_of_group(trie: &Trie, start: usize, ends: &[usize], limits: &Limits) -> usize {
    let (mut rows, mut branches, mut pairs) = (0, 0, 0);
    for i in start..ends[start] {
        pairs += trie.node(trie.order()[i]).position + 1;
        rows += usize::from(trie.node(trie.order()[i]).read);
        branches += usize::from(begins_branch(trie, start, i));
        let far = pairs > limits.pairs && i - start >= FEWEST;
        let full = i - start >= limits.nodes || rows > limits.rows || branches > limits.sequences || far;
        if full && i > start {
            let second_half = start + (i - start).div_ceil(2)..=i;
            return second_half.max_by_key(|&i| ((ends[i] - i).min(limits.nodes), i)).unwrap_or(i);
        }
    }
    ends[start]
}

/// Whether a node of a group is not below the node before it.
fn begins_branch(trie: &Trie, start: usize, i: usize) -> bool {
    let position = |i: usize| trie.node(trie.order()[i]).position;
    i == start || position(i) <= position(i - 1)
}

fn taken(trie: &Trie, range: &Range<usize>) -> Need {
    let nodes = &trie.order()[range.clone()];
    let depth = nodes.first().map_or(0, |&node| trie.node(node).position);
    Need {
        cells: depth + nodes.len(),
        batch: nodes.len(),
        rows: nodes.iter().filter(|&&node| trie.node(node).read).count(),
        sequences: range.clone().filter(|&i| begins_branch(trie, range.start, i)).count(),
    }
}

impl Group {
    /// The evaluation of one range that [`cut`] gave.
    pub fn new(trie: &Trie, range: Range<usize>) -> Group {
        let nodes = &trie.order()[range.clone()];
        let depth = nodes.first().map_or(0, |&node| trie.node(node).position);
        let last = nodes.last().copied();
        let reached = last.map_or(0, |last| trie.node(last).position + 1);
        let mut trunk: Vec<NodeId> =
            last.into_iter().flat_map(|last| trie.path(last)).take(reached - depth).collect();
        trunk.reverse();
        let branches = branches(trie, range);
        let lanes = branches.iter().map(|span| span.end).max().unwrap_or(1) - 1;
        let mut entries = Vec::with_capacity(nodes.len());
        let mut others = Vec::with_capacity(nodes.len());
        for (&node, span) in nodes.iter().zip(branches) {
            let on_trunk = trunk.get(entries.len()) == Some(&node);
            let into = if on_trunk { &mut entries } else { &mut others };
            into.push(BatchEntry { node, trunk: on_trunk, lanes: span.start..span.end.min(lanes) });
        }
        entries.append(&mut others);
        Group { depth, reached, lanes, entries }
    }
}

/// For each node of a group, the branches that run through it, counted from 0.
fn branches(trie: &Trie, range: Range<usize>) -> Vec<Range<usize>> {
    let mut spans: Vec<Range<usize>> = Vec::with_capacity(range.len());
    let mut open: Vec<usize> = Vec::new();
    let mut count = 0;
    for (i, place) in range.clone().enumerate() {
        if begins_branch(trie, range.start, place) {
            let position = trie.node(trie.order()[place]).position;
            let above = |&i: &usize| trie.node(trie.order()[range.start + i]).position < position;
            while let Some(done) = open.pop_if(|i| !above(i)) {
                spans[done].end = count;
            }
            count += 1;
        }
        spans.push(count - 1..count);
        open.push(i);
    }
    for done in open {
        spans[done].end = count;
    }
    spans
}

#[cfg(test)]
mod tests;
