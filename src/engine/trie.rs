//! Sequences as a tree of their prefixes, so that what they share is computed once.
//!
//! A node is one token after one exact prefix. It knows whether it must be evaluated, whether the
//! distribution after it is read, and how many sequences want its own figures. Pure: it knows token
//! ids, and neither a model nor a cache.

use std::collections::HashMap;

use super::protocol::Sequence;
use crate::token::TokenId;

/// A node of a [`Trie`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NodeId(u32);

impl NodeId {
    /// Its index among all nodes.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One token after one exact prefix.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub token: TokenId,
    /// Its index in every sequence through it.
    pub position: usize,
    /// The token before it.
    pub parent: Option<NodeId>,
    /// Its index in [`Trie::order`]; `None` where nobody needs what the model says after it.
    pub place: Option<usize>,
    /// How many sequences want this token's figures.
    pub users: usize,
    /// Whether a sequence ends here and wants the distribution after it.
    pub after: bool,
    /// Whether the distribution after it is read.
    pub read: bool,
    first_child: Option<NodeId>,
    last_child: Option<NodeId>,
    next_sibling: Option<NodeId>,
}

/// Where a sequence stands in the tree.
#[derive(Clone, Copy, Debug)]
pub(super) struct End {
    /// The node of its last token; `None` where nothing of it is read.
    pub node: Option<NodeId>,
    /// How many nodes of [`Trie::order`] must be evaluated before all its figures are known.
    pub ready: usize,
}

/// How far prefixes are shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sharing {
    /// Only between neighbours that evaluate and read exactly the same, so that a sequence's figures
    /// depend on nothing else in the request.
    Alone,
    /// Among this many sequences and (about) this many tokens at a time, and with the last sequence
    /// before them. The bound is what lets results out early, and memory go.
    Windows {
        /// Most sequences of a window.
        sequences: usize,
        /// Most tokens of a window.
        tokens: usize,
    },
}

/// The tree of a request.
#[derive(Debug, Default)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    order: Vec<NodeId>,
    ends: Vec<End>,
}

/// How many tokens of a sequence must be evaluated to know all that is wanted of it: none for what
/// nobody reads, and never the last one for its own sake.
pub(super) fn evaluated(sequence: &Sequence, after: bool) -> usize {
    let n = sequence.tokens.len();
    match after {
        true => n,
        false if first_scored(sequence) < n => n - 1,
        false => 0,
    }
}

/// The index of the first token that has figures: the first of a sequence has no context.
pub(super) fn first_scored(sequence: &Sequence) -> usize {
    sequence.from.max(1)
}

impl Trie {
    /// The tree of these sequences. `after` asks for the distribution after each last token.
    pub fn new(sequences: &[Sequence], after: bool, sharing: Sharing) -> Trie {
        let mut builder = Builder::default();
        let (mut in_window, mut tokens) = (0, 0);
        for (i, sequence) in sequences.iter().enumerate() {
            let full = match sharing {
                Sharing::Alone => i == 0 || !same_work(&sequences[i - 1], sequence, after),
                Sharing::Windows { sequences: most, tokens: most_tokens } => {
                    in_window >= most || tokens >= most_tokens
                }
            };
            if full {
                builder.close(sharing != Sharing::Alone);
                (in_window, tokens) = (0, 0);
            }
            builder.add(sequence, after);
            in_window += 1;
            tokens += sequence.tokens.len();
        }
        builder.finish()
    }

    /// The nodes to evaluate: each followed by everything below it, branches in the order in which the
    /// sequences brought them.
    pub fn order(&self) -> &[NodeId] {
        &self.order
    }

    /// One entry per sequence.
    pub fn ends(&self) -> &[End] {
        &self.ends
    }

    /// Number of nodes, evaluated or not.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.index()]
    }

    /// One sequence has received this node's figures; whether another still waits for them.
    pub fn release(&mut self, id: NodeId) -> bool {
        let users = &mut self.nodes[id.index()].users;
        *users = users.saturating_sub(1);
        *users > 0
    }

    /// The nodes that follow a node.
    pub fn children(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(self.node(id).first_child, |&child| self.node(child).next_sibling)
    }

    /// A node and everything before it, backwards.
    pub fn path(&self, id: NodeId) -> impl Iterator<Item = NodeId> {
        std::iter::successors(Some(id), |&node| self.node(node).parent)
    }
}

/// Whether two sequences evaluate the same tokens and read the same rows.
fn same_work(a: &Sequence, b: &Sequence, after: bool) -> bool {
    let n = evaluated(a, after);
    n == evaluated(b, after) && first_scored(a) == first_scored(b) && a.tokens[..n] == b.tokens[..n]
}

#[derive(Default)]
struct Builder {
    trie: Trie,
    first_root: Option<NodeId>,
    last_root: Option<NodeId>,
    /// Where a prefix can still be gone on from.
    open: HashMap<(Option<NodeId>, TokenId), NodeId>,
}

impl Builder {
    fn add(&mut self, sequence: &Sequence, after: bool) {
        let needed = evaluated(sequence, after);
        let mut last = None;
        if needed > 0 {
            for (position, &token) in sequence.tokens.iter().enumerate() {
                let id = self.step(last, token, position);
                let node = &mut self.trie.nodes[id.index()];
                if position < needed {
                    // Its place is found when the tree is complete.
                    node.place = Some(usize::MAX);
                }
                if position >= first_scored(sequence) {
                    node.users += 1;
                    if let Some(parent) = last {
                        self.trie.nodes[parent.index()].read = true;
                    }
                }
                last = Some(id);
            }
        }
        if let Some(last) = last.filter(|_| after) {
            let node = &mut self.trie.nodes[last.index()];
            (node.after, node.read) = (true, true);
        }
        self.trie.ends.push(End { node: last, ready: 0 });
    }

    /// The node of a token after a prefix, made if it is new.
    fn step(&mut self, parent: Option<NodeId>, token: TokenId, position: usize) -> NodeId {
        if let Some(&known) = self.open.get(&(parent, token)) {
            return known;
        }
        let id = NodeId(self.trie.nodes.len() as u32);
        self.trie.nodes.push(Node {
            token,
            position,
            parent,
            place: None,
            users: 0,
            after: false,
            read: false,
            first_child: None,
            last_child: None,
            next_sibling: None,
        });
        let older = match parent {
            Some(parent) => {
                let parent = &mut self.trie.nodes[parent.index()];
                parent.first_child.get_or_insert(id);
                parent.last_child.replace(id)
            }
            None => {
                self.first_root.get_or_insert(id);
                self.last_root.replace(id)
            }
        };
        if let Some(older) = older {
            self.trie.nodes[older.index()].next_sibling = Some(id);
        }
        self.open.insert((parent, token), id);
        id
    }

    /// Ends a window. Nothing before it can be gone on from, but for the last branch, which may stay
    /// `open`: whatever grows there still comes after everything else.
    fn close(&mut self, open: bool) {
        self.open.clear();
        let mut last = self.last_root.filter(|_| open);
        while let Some(id) = last {
            let node = self.trie.node(id);
            self.open.insert((node.parent, node.token), id);
            last = node.last_child;
        }
    }

    fn finish(mut self) -> Trie {
        let mut next = self.first_root;
        while let Some(id) = next {
            if self.trie.nodes[id.index()].place.is_some() {
                self.trie.nodes[id.index()].place = Some(self.trie.order.len());
                self.trie.order.push(id);
            }
            let node = self.trie.node(id);
            next = node
                .first_child
                .or_else(|| self.trie.path(id).find_map(|up| self.trie.node(up).next_sibling));
        }
        for i in 0..self.trie.ends.len() {
            let end = self.trie.ends[i].node;
            let last = end.and_then(|end| self.trie.path(end).find_map(|node| self.trie.node(node).place));
            self.trie.ends[i].ready = last.map_or(0, |place| place + 1);
        }
        self.trie
    }
}

#[cfg(test)]
pub(super) mod tests;
