//! Every token of a conversation, as one tree: what was said, and what was said instead.
//!
//! A node is one token after one exact path. Nodes are numbered in the order in which they appear, and keep
//! their numbers; a parent has a smaller number than its children. The head is the node where writing goes on.
//! A turn is a range of a path, a cursor is a position on the head's. Pure data: no vocabulary, no engine.
//!
//! The tree is what these events make of it, in order, so that a file which holds them holds the tree:
//! a *step* at a parent ([`TokenTree::append`], whose number is the count of nodes before it), the *head* at a
//! node ([`TokenTree::go_to`]; a fork is a head that moved and a step after it), figures of a node that had
//! none ([`TokenTree::fill`]), a *name* ([`TokenTree::set_name`]), a *prune* ([`TokenTree::prune`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::intervention::{InForce, Interventions};
use crate::step::Step;
use crate::token::TokenId;

/// Names a node for as long as its tree lasts: how many there were before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeNumber(pub u32);

impl NodeNumber {
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// A node or none, in four bytes: there are as many as tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct NodeLink(u32);

impl NodeLink {
    fn get(self) -> Option<NodeNumber> {
        (self.0 != u32::MAX).then_some(NodeNumber(self.0))
    }
}

impl From<Option<NodeNumber>> for NodeLink {
    fn from(node: Option<NodeNumber>) -> NodeLink {
        NodeLink(node.map_or(u32::MAX, |node| node.0))
    }
}

/// How a token came to stand where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NodeOrigin {
    /// The chat template wrote it.
    Scaffold,
    /// A person typed it.
    Typed,
    /// The model's sampler chose it.
    Sampled,
    /// A person chose it among the candidates of a step.
    Swapped,
    /// A person had it stand there, whatever was expected.
    Forced,
}

/// One token after one exact path.
#[derive(Clone, Debug, PartialEq)]
pub struct TreeNode {
    /// The token.
    pub id: TokenId,
    /// How it came there.
    pub origin: NodeOrigin,
    /// What was in force where the model predicted it; nothing predicts the first of a path.
    pub under: Interventions,
    /// Its figures, once they are known.
    pub step: Option<Arc<Step>>,
    parent: NodeLink,
    first_child: NodeLink,
    next_sibling: NodeLink,
    position: u32,
    pruned: bool,
}

impl TreeNode {
    /// The node before it; `None` for the first of a path.
    pub fn parent(&self) -> Option<NodeNumber> {
        self.parent.get()
    }

    /// How many nodes stand before it.
    pub fn position(&self) -> usize {
        self.position as usize
    }

    /// Whether it was taken out.
    pub fn is_pruned(&self) -> bool {
        self.pruned
    }

    /// Its figures as far as they are known.
    pub fn figures(&self) -> Arc<Step> {
        match &self.step {
            Some(step) => Arc::clone(step),
            None => Arc::new(Step { id: self.id, stats: None }),
        }
    }

    /// Whether it is what somebody said, and no scaffold.
    pub fn is_said(&self) -> bool {
        self.origin != NodeOrigin::Scaffold
    }
}

/// The tree. Equal trees were made by the same events but for figures.
#[derive(Clone, Debug, Default)]
pub struct TokenTree {
    nodes: Vec<TreeNode>,
    first_root: Option<NodeNumber>,
    /// From the first node to the head.
    path: Vec<NodeNumber>,
    names: BTreeMap<NodeNumber, String>,
}

impl TokenTree {
    /// How many nodes there ever were.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there never was one.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// A node.
    pub fn node(&self, number: NodeNumber) -> Option<&TreeNode> {
        self.nodes.get(number.index())
    }

    /// Where writing goes on; `None` before the first token.
    pub fn head(&self) -> Option<NodeNumber> {
        self.path.last().copied()
    }

    /// The nodes from the first to the head, which is a node's position its index in.
    pub fn path(&self) -> &[NodeNumber] {
        &self.path
    }

    /// The node at a position of the head's path.
    pub fn at(&self, position: usize) -> Option<&TreeNode> {
        self.path.get(position).and_then(|&number| self.node(number))
    }

    /// The nodes from the first to this one.
    pub fn path_to(&self, number: NodeNumber) -> Vec<NodeNumber> {
        let mut path: Vec<NodeNumber> = self.upwards(number).collect();
        path.reverse();
        path
    }

    /// A node and everything before it, backwards.
    fn upwards(&self, number: NodeNumber) -> impl Iterator<Item = NodeNumber> {
        let start = self.node(number).map(|_| number);
        std::iter::successors(start, |&number| self.node(number).and_then(TreeNode::parent))
    }

    /// The nodes that follow a node (or begin a path), in order of appearance, without those taken out.
    pub fn children(&self, of: Option<NodeNumber>) -> impl Iterator<Item = NodeNumber> {
        let first = match of {
            Some(number) => self.node(number).and_then(|node| node.first_child.get()),
            None => self.first_root,
        };
        let next = |&number: &NodeNumber| self.node(number).and_then(|node| node.next_sibling.get());
        std::iter::successors(first, next)
            .filter(|&number| self.node(number).is_some_and(|node| !node.pruned))
    }

    /// The last node that two paths have in common.
    pub fn common(&self, a: NodeNumber, b: NodeNumber) -> Option<NodeNumber> {
        let (mut a, mut b) = (self.node(a).map(|_| a)?, self.node(b).map(|_| b)?);
        // A parent's number is smaller: the larger one can't be an ancestor of the smaller one.
        while a != b {
            let later = if a > b { &mut a } else { &mut b };
            *later = self.node(*later)?.parent()?;
        }
        Some(a)
    }

    /// Adds a token after the head, which moves there.
    pub fn append(&mut self, step: Arc<Step>, origin: NodeOrigin, under: &Interventions) -> NodeNumber {
        self.add(step.id, Some(step), origin, under)
    }

    fn add(
        &mut self,
        id: TokenId,
        step: Option<Arc<Step>>,
        origin: NodeOrigin,
        under: &Interventions,
    ) -> NodeNumber {
        let number = NodeNumber(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        let parent = self.head();
        let last = {
            let first = match parent {
                Some(parent) => self.nodes[parent.index()].first_child.get(),
                None => self.first_root,
            };
            std::iter::successors(first, |number| self.nodes[number.index()].next_sibling.get()).last()
        };
        match (last, parent) {
            (Some(last), _) => self.nodes[last.index()].next_sibling = Some(number).into(),
            (None, Some(parent)) => self.nodes[parent.index()].first_child = Some(number).into(),
            (None, None) => self.first_root = Some(number),
        }
        if self.nodes.len() == self.nodes.capacity() {
            // Twice as much would be too much where there are a hundred thousand.
            self.nodes.reserve_exact(self.nodes.len() / 8 + 64);
        }
        self.nodes.push(TreeNode {
            id,
            origin,
            under: under.clone(),
            step,
            parent: parent.into(),
            first_child: None.into(),
            next_sibling: None.into(),
            position: u32::try_from(self.path.len()).unwrap_or(u32::MAX),
            pruned: false,
        });
        self.path.push(number);
        number
    }

    /// Moves the head to the end of a sequence that begins at the root: over the nodes that there are,
    /// those of the present path first, and over new ones without figures. What was predicted under something
    /// else is another node.
    pub fn enter(&mut self, tokens: impl IntoIterator<Item = (TokenId, NodeOrigin)>, in_force: &InForce) {
        let before = std::mem::take(&mut self.path);
        for (position, (id, origin)) in tokens.into_iter().enumerate() {
            let under = in_force.of_token(position);
            let fits = |number: &NodeNumber| {
                let node = &self.nodes[number.index()];
                node.id == id && node.under == under && node.parent() == self.head() && !node.pruned
            };
            let on_path = before.get(position).copied().filter(fits);
            match on_path.or_else(|| self.children(self.head()).find(fits)) {
                Some(number) => self.path.push(number),
                None => _ = self.add(id, None, origin, &under),
            }
        }
    }

    /// What is in force at each position of the head's path, as far as it has predicted anything.
    pub fn in_force(&self) -> InForce {
        let mut in_force = InForce::default();
        for (before, number) in self.path.iter().skip(1).enumerate() {
            in_force.begin(before, &self.nodes[number.index()].under);
        }
        in_force
    }

    /// Moves the head; `false` if there is no such node.
    pub fn go_to(&mut self, head: Option<NodeNumber>) -> bool {
        match head {
            Some(number) if self.node(number).is_some_and(|node| !node.pruned) => {
                if self.head() != head {
                    self.path = self.path_to(number);
                }
                true
            }
            Some(_) => false,
            None => {
                self.path.clear();
                true
            }
        }
    }

    /// The figures of a node that has none.
    pub fn fill(&mut self, number: NodeNumber, step: Arc<Step>) {
        if let Some(node) = self.nodes.get_mut(number.index())
            && node.id == step.id
            && node.step.as_ref().is_none_or(|known| known.stats.is_none())
        {
            node.step = Some(step);
        }
    }

    /// What a node is called.
    pub fn name(&self, number: NodeNumber) -> Option<&str> {
        self.names.get(&number).map(String::as_str)
    }

    /// Gives a node a name, or takes it away.
    pub fn set_name(&mut self, number: NodeNumber, name: Option<String>) {
        match name {
            Some(name) => self.names.insert(number, name),
            None => self.names.remove(&number),
        };
    }

    /// Every node that has a name.
    pub fn names(&self) -> impl Iterator<Item = (NodeNumber, &str)> {
        self.names.iter().map(|(&number, name)| (number, name.as_str()))
    }

    /// Takes a node out with everything after it; how many that were. Numbers stay. Nothing that the head
    /// stands on can be taken out.
    pub fn prune(&mut self, number: NodeNumber) -> usize {
        let Some(node) = self.node(number) else { return 0 };
        if self.path.get(node.position()) == Some(&number) {
            return 0;
        }
        let (mut open, mut taken) = (vec![number], 0);
        while let Some(number) = open.pop() {
            open.extend(self.children(Some(number)));
            let node = &mut self.nodes[number.index()];
            taken += usize::from(!node.pruned);
            (node.pruned, node.step) = (true, None);
            self.names.remove(&number);
        }
        taken
    }
}

#[cfg(test)]
mod tests;
