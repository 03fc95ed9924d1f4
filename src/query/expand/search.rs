//! The search for the most likely continuations: which are known, which are to be looked at, and in which order
//! they are listed.
//!
//! A continuation's children are never more likely than it is. So the most likely one that is not listed yet is
//! the next of the list, as soon as everything before it has been looked at: the order is that of a search that
//! looks at one after the other, whichever were looked at together. Where two are equally likely the shorter
//! one comes first, then the one with the smaller ids. Pure: it is told distributions.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use crate::step::Prediction;
use crate::token::TokenId;

/// Longest continuation.
pub const MOST_DEPTH: usize = 256;
/// Most continuations of one.
pub const MOST_WIDTH: usize = 1000;
/// Most that may be looked at.
pub const MOST_NODES: usize = 1_000_000;
/// Fewest that are looked at together where only a few more may be: some of those may turn out not to be
/// among the most likely.
const FEWEST: usize = 32;

/// How far continuations are followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpandLimits {
    /// Tokens of the longest.
    pub depth: usize,
    /// Most likely tokens that each goes on with.
    pub width: usize,
    /// Those below this probability are left out, in 0..1.
    pub floor: f64,
    /// Most that are looked at.
    pub nodes: usize,
}

/// A probability as people write it: `0.001` or `0.1%`.
///
/// # Errors
/// One line.
pub fn floor(text: &str) -> Result<f64, String> {
    let (number, unit) = text.strip_suffix('%').map_or((text, 1.0), |number| (number, 100.0));
    let floor = number.trim().parse::<f64>().ok().map(|number| number / unit);
    floor
        .filter(|floor| (0.0..1.0).contains(floor))
        .ok_or_else(|| "a probability from 0 to below 1 is wanted, such as 0.001 or 0.1%".to_string())
}

impl Default for ExpandLimits {
    fn default() -> ExpandLimits {
        ExpandLimits { depth: 4, width: 5, floor: 0.001, nodes: 2000 }
    }
}

impl ExpandLimits {
    /// Says what is wrong with them.
    ///
    /// # Errors
    /// One line.
    pub fn check(&self) -> Result<(), String> {
        let within = |name: &str, value: usize, most: usize| match (1..=most).contains(&value) {
            true => Ok(()),
            false => Err(format!("{name} is {value}; from 1 to {most} is allowed")),
        };
        within("--depth", self.depth, MOST_DEPTH)?;
        within("--width", self.width, MOST_WIDTH)?;
        within("--nodes", self.nodes, MOST_NODES)?;
        match (0.0..1.0).contains(&self.floor) {
            true => Ok(()),
            false => Err(format!("--floor is {}; a probability from 0 to below 1 is allowed", self.floor)),
        }
    }
}

/// Why a search ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpandEnd {
    /// Everything was looked at.
    Whole,
    /// As many were looked at as may be.
    Nodes,
    /// Somebody stopped it.
    Stopped,
}

/// Why a continuation goes no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeafKind {
    /// It is as long as the longest.
    Longest,
    /// Its last token ends the text.
    Ended,
}

/// A continuation in the list.
#[derive(Clone, Debug, PartialEq)]
pub struct ExpandedNode {
    /// Where in the list the one stands that it goes on from; `None` for the text itself.
    pub parent: Option<usize>,
    /// Its last token.
    pub token: TokenId,
    /// ln p of that token, in nats.
    pub logprob: f32,
    /// Its rank there.
    pub rank: u32,
    /// Σ ln p of all of its tokens.
    pub joint: f64,
    /// How many those are.
    pub depth: usize,
    /// Why it goes no further, if it doesn't.
    pub leaf: Option<LeafKind>,
}

/// What becomes of all there could be: the parts sum to one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Coverage {
    /// Listed continuations that go no further: each is another text.
    pub complete: f64,
    /// What goes on with a token that is none of the most likely.
    pub below_width: f64,
    /// What is among the most likely tokens and left out for its probability.
    pub below_floor: f64,
    /// What begins like a listed continuation and was not looked at.
    pub not_reached: f64,
}

/// What is known of a continuation.
#[derive(Debug)]
struct FoundNode {
    parent: usize,
    path: Vec<TokenId>,
    logprob: f32,
    rank: u32,
    joint: f64,
    state: FoundState,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum FoundState {
    /// What follows it is not known.
    Open,
    Leaf(LeafKind),
    /// What follows is known; the mass of what does not is outside.
    Grown {
        below_width: f64,
        below_floor: f64,
    },
}

/// A continuation's place in the order.
#[derive(Clone, Debug)]
struct BestFirst {
    joint: f64,
    path: Vec<TokenId>,
    node: usize,
}

impl Ord for BestFirst {
    fn cmp(&self, other: &BestFirst) -> Ordering {
        let joint = other.joint.total_cmp(&self.joint);
        joint.then(self.path.len().cmp(&other.path.len())).then_with(|| self.path.cmp(&other.path))
    }
}

impl PartialOrd for BestFirst {
    fn partial_cmp(&self, other: &BestFirst) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for BestFirst {
    fn eq(&self, other: &BestFirst) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for BestFirst {}

/// A search on its way. Node 0 is the text itself.
#[derive(Debug)]
pub struct Search {
    limits: ExpandLimits,
    nodes: Vec<FoundNode>,
    /// Those that are known and not listed.
    unlisted: BTreeSet<BestFirst>,
    /// Those whose continuations are wanted and not known.
    open: BTreeSet<BestFirst>,
    listed: Vec<usize>,
    /// How many of the listed ones had to be looked at, the text itself among them.
    spent: usize,
    evaluated: usize,
    /// As many were looked at as may be.
    full: bool,
}

impl Search {
    /// Nothing but the text.
    pub fn new(limits: ExpandLimits) -> Search {
        let root = FoundNode {
            parent: 0,
            path: Vec::new(),
            logprob: 0.0,
            rank: 1,
            joint: 0.0,
            state: FoundState::Open,
        };
        let mut search = Search {
            limits,
            nodes: vec![root],
            unlisted: BTreeSet::new(),
            open: BTreeSet::new(),
            listed: Vec::new(),
            spent: 1,
            evaluated: 0,
            full: false,
        };
        search.open.insert(search.place(0));
        search
    }

    /// At most so many of the most likely ones that are still to be looked at; none at the end.
    pub fn wanted(&self, most: usize) -> Vec<usize> {
        if self.full {
            return Vec::new();
        }
        let left = self.limits.nodes.saturating_sub(self.evaluated).max(FEWEST);
        self.open.iter().take(most.min(left)).map(|place| place.node).collect()
    }

    /// A continuation's tokens.
    pub fn path(&self, node: usize) -> &[TokenId] {
        &self.nodes[node].path
    }

    /// Its Σ ln p.
    pub fn joint(&self, node: usize) -> f64 {
        self.nodes[node].joint
    }

    /// What comes after a continuation; `ends` says which tokens end a text.
    pub fn tell(&mut self, node: usize, after: &Prediction, ends: &dyn Fn(TokenId) -> bool) {
        self.open.remove(&self.place(node));
        self.evaluated += 1;
        if self.full {
            // It was looked at together with the last one of the list.
            return;
        }
        let (joint, depth) = (self.nodes[node].joint, self.nodes[node].path.len() + 1);
        let (shown, residual) = after.shown(self.limits.width);
        let shown_mass = || shown.iter().map(|candidate| candidate.prob()).sum::<f64>();
        let outside = residual.exact().unwrap_or_else(|| (1.0 - shown_mass()).max(0.0));
        let mut below_floor = 0.0;
        for candidate in shown.iter().filter(|candidate| candidate.logprob > f32::NEG_INFINITY) {
            let sum = joint + f64::from(candidate.logprob);
            if sum.exp() < self.limits.floor {
                below_floor += sum.exp();
                continue;
            }
            let state = if ends(candidate.id) {
                FoundState::Leaf(LeafKind::Ended)
            } else if depth == self.limits.depth {
                FoundState::Leaf(LeafKind::Longest)
            } else {
                FoundState::Open
            };
            let path = [&self.nodes[node].path[..], &[candidate.id]].concat();
            let (logprob, rank) = (candidate.logprob, candidate.rank);
            self.nodes.push(FoundNode { parent: node, path, logprob, rank, joint: sum, state });
            let place = self.place(self.nodes.len() - 1);
            if state == FoundState::Open {
                self.open.insert(place.clone());
            }
            self.unlisted.insert(place);
        }
        self.nodes[node].state = FoundState::Grown { below_width: joint.exp() * outside, below_floor };
        self.list();
    }

    /// How many were looked at, and of how many that are known to be worth it.
    pub fn progress(&self) -> (usize, usize) {
        let known = self.evaluated + self.open.len();
        (self.evaluated, known.min(self.limits.nodes).max(self.evaluated))
    }

    /// Whether something is still to be looked at.
    pub fn is_unfinished(&self) -> bool {
        !self.full && !self.open.is_empty()
    }

    /// The list, what it holds of all there could be, and why it ends.
    pub fn finish(self, stopped: bool) -> (Vec<ExpandedNode>, Coverage, ExpandEnd) {
        let mut place_of = vec![None; self.nodes.len()];
        for (place, &node) in self.listed.iter().enumerate() {
            place_of[node] = Some(place);
        }
        let mut coverage = Coverage::default();
        for &node in [0].iter().chain(&self.listed) {
            let found = &self.nodes[node];
            match found.state {
                FoundState::Open => coverage.not_reached += found.joint.exp(),
                FoundState::Leaf(_) => coverage.complete += found.joint.exp(),
                FoundState::Grown { below_width, below_floor } => {
                    coverage.below_width += below_width;
                    coverage.below_floor += below_floor;
                }
            }
        }
        // Those that are not listed, while the one they go on from is.
        let left = self.unlisted.iter().filter(|place| {
            let parent = self.nodes[place.node].parent;
            let is_listed = parent == 0 || place_of[parent].is_some();
            is_listed && matches!(self.nodes[parent].state, FoundState::Grown { .. })
        });
        coverage.not_reached += left.map(|place| place.joint.exp()).sum::<f64>();
        let nodes = self.listed.iter().map(|&node| {
            let found = &self.nodes[node];
            ExpandedNode {
                parent: place_of[found.parent],
                token: found.path.last().copied().unwrap_or(TokenId(0)),
                logprob: found.logprob,
                rank: found.rank,
                joint: found.joint,
                depth: found.path.len(),
                leaf: if let FoundState::Leaf(kind) = found.state { Some(kind) } else { None },
            }
        });
        let end = match (stopped, self.full) {
            (true, _) => ExpandEnd::Stopped,
            (false, true) => ExpandEnd::Nodes,
            (false, false) => ExpandEnd::Whole,
        };
        (nodes.collect(), coverage, end)
    }

    fn place(&self, node: usize) -> BestFirst {
        let found = &self.nodes[node];
        BestFirst { joint: found.joint, path: found.path.clone(), node }
    }

    /// Lists what is known to be the next.
    fn list(&mut self) {
        // What is listed last may have a continuation that is the next.
        let waits = |search: &Search| {
            let last = search.listed.last().copied().unwrap_or(0);
            search.nodes[last].state == FoundState::Open
        };
        while !self.full && !waits(self) {
            let Some(next) = self.unlisted.pop_first() else { break };
            self.listed.push(next.node);
            if !matches!(self.nodes[next.node].state, FoundState::Leaf(_)) {
                self.full = self.spent == self.limits.nodes;
                self.spent += 1;
            }
            if self.full {
                // Also where it was looked at together with others.
                self.nodes[next.node].state = FoundState::Open;
            }
        }
    }
}
