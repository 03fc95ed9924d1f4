//! Cuts a [`Trie`] into groups that are evaluated one after the other in one unified KV cache.
//!
//! A group is a run of the tree's order, so that no node is computed twice. One sequence of the
//! cache, the trunk, holds the path to the place where the last group ended; a group hands its other
//! branches (lanes) what they share with the trunk, goes on with the trunk as its own last branch, and
//! leaves that for the next group. Pure: the cache is worked by whoever carries the plan out.
//!
//! With t the trunk's length when a group begins, its lanes and nodes are such that every sequence id
//! of a node stands at the same position, and every node finds exactly its own prefix.

use std::ops::Range;

use super::trie::{NodeId, Trie};

/// llama.cpp reads its cache in pieces of this many cells.
const CELLS_STEP: usize = 256;

/// What one evaluation may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// About how many nodes: from half of it to one and a half, so that cache and nodes together fill
    /// whole pieces of [`CELLS_STEP`].
    pub nodes: usize,
    /// Nodes after which the distribution is read.
    pub rows: usize,
    /// Sequence ids, the trunk's among them.
    pub sequences: usize,
}

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
pub(super) struct Entry {
    /// The node.
    pub node: NodeId,
    /// Whether the trunk runs through it.
    pub trunk: bool,
    /// The lanes that run through it.
    pub lanes: Range<usize>,
}

/// One evaluation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// Length of the trunk when it begins: what the first node has before it.
    pub depth: usize,
    /// For every lane, how many positions of the trunk it begins with.
    pub lanes: Vec<usize>,
    /// How much of the trunk stays for the group's last branch.
    pub keep: usize,
    /// The nodes, in an order llama.cpp accepts: positions rise in every sequence.
    pub entries: Vec<Entry>,
}

impl Limits {
    /// How many nodes a group that begins at this depth should have.
    fn target(&self, depth: usize) -> usize {
        let target = (depth + self.nodes / 2).next_multiple_of(CELLS_STEP) - depth;
        target.clamp(1, self.largest())
    }

    /// Most nodes of any group.
    fn largest(&self) -> usize {
        self.nodes + self.nodes / 2
    }
}

/// The groups, as ranges of the tree's order, and what they need at most.
pub(super) fn cut(trie: &Trie, limits: &Limits) -> (Vec<Range<usize>>, Need) {
    let order = trie.order();
    let mut groups = Vec::new();
    let mut need = Need::default();
    let mut start = 0;
    while start < order.len() {
        let depth = trie.node(order[start]).position;
        let target = limits.target(depth);
        let (mut rows, mut branches, mut end) = (0, 0, start);
        while end < order.len() && end - start < target {
            let node = trie.node(order[end]);
            // A node below the one before it goes on with its branch.
            let new_branch = end == start || node.position <= trie.node(order[end - 1]).position;
            let (rows_then, branches_then) =
                (rows + usize::from(node.read), branches + usize::from(new_branch));
            if end > start && (rows_then > limits.rows || branches_then > limits.sequences) {
                break;
            }
            (rows, branches) = (rows_then, branches_then);
            end += 1;
        }
        need.cells = need.cells.max(depth + end - start);
        need.batch = need.batch.max(end - start);
        need.rows = need.rows.max(rows);
        need.sequences = need.sequences.max(branches);
        groups.push(start..end);
        start = end;
    }
    (groups, need)
}

impl Group {
    /// The evaluation of one range that [`cut`] gave.
    pub fn new(trie: &Trie, range: Range<usize>) -> Group {
        let nodes = &trie.order()[range.clone()];
        let depth = nodes.first().map_or(0, |&node| trie.node(node).position);
        let inside = |node: &NodeId| trie.node(*node).place.is_some_and(|place| place >= range.start);
        let trunk: Vec<NodeId> = match nodes.last() {
            Some(&last) => trie.path(last).take_while(inside).collect(),
            None => Vec::new(),
        };
        let keep = trunk.last().map_or(0, |&top| trie.node(top).position);
        let (lanes, spans) = lanes(trie, nodes, &inside);
        let mut entries = Vec::with_capacity(nodes.len());
        let mut others = Vec::with_capacity(nodes.len());
        for (&node, span) in nodes.iter().zip(spans) {
            // The last branch is the trunk's and has no lane.
            let lanes = span.start..span.end.min(lanes.len());
            // `trunk` is a path seen from its end, so it can be asked from its top.
            let on_trunk = trunk.len().checked_sub(entries.len() + 1).is_some_and(|i| trunk[i] == node);
            match on_trunk {
                true => entries.push(Entry { node, trunk: true, lanes }),
                false => others.push(Entry { node, trunk: false, lanes }),
            }
        }
        // The trunk first: its cells stay, and what is freed lies together behind them.
        entries.append(&mut others);
        Group { depth, lanes, keep, entries }
    }
}

/// What every branch but the last begins with, and for each node the branches through it.
fn lanes(
    trie: &Trie,
    nodes: &[NodeId],
    inside: &impl Fn(&NodeId) -> bool,
) -> (Vec<usize>, Vec<Range<usize>>) {
    let mut shares = Vec::new();
    let mut spans: Vec<Range<usize>> = Vec::with_capacity(nodes.len());
    let mut open: Vec<usize> = Vec::new();
    let mut top = 0;
    for (i, &id) in nodes.iter().enumerate() {
        let node = trie.node(id);
        while let Some(&above) = open.last()
            && trie.node(nodes[above]).position >= node.position
        {
            spans[above].end = shares.len();
            open.pop();
        }
        if !node.parent.is_some_and(|parent| inside(&parent)) {
            top = node.position;
        }
        open.push(i);
        spans.push(shares.len()..shares.len());
        let next = nodes.get(i + 1).map(|&next| trie.node(next).position);
        if next.is_none_or(|next| next <= node.position) {
            shares.push(top);
        }
    }
    for above in open {
        spans[above].end = shares.len();
    }
    shares.pop();
    (shares, spans)
}

#[cfg(test)]
mod tests;
