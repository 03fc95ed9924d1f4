//! Every way the conversation has gone: one tree of tokens, and for each branch the turns on its path.

use std::sync::Arc;

use super::sequence::TokenSequence;
use super::turn::Turn;
use crate::chat::{ChatPrompt, Role};
use crate::intervention::InForce;
use crate::sequence::{NodeNumber, NodeOrigin, TokenTree};
use crate::step::Step;
use crate::token::TokenId;

/// One way the conversation has gone.
#[derive(Clone, Debug, Default)]
pub struct Branch {
    /// Counted from 1 in order of appearance; it keeps it.
    pub number: u32,
    /// The branch it left; where that was taken out, the nearest one before it that is there.
    pub from: Option<u32>,
    /// What was said, in order.
    pub turns: Vec<Arc<Turn>>,
    /// Its first own token.
    pub own: Option<NodeNumber>,
    /// Its last token.
    pub tip: Option<NodeNumber>,
    /// Where the newest reply begins on its path.
    pub reply: usize,
}

/// The branches of a conversation, and the one it is on.
#[derive(Clone, Debug)]
pub struct Branches {
    tree: TokenTree,
    all: Vec<Branch>,
    current: usize,
    /// How many there ever were.
    numbered: u32,
    /// Tokens of the prompt that the engine has told of.
    filled: usize,
    /// What is in force on the path, and in what is written on it.
    in_force: InForce,
}

impl Default for Branches {
    /// One branch on which nothing was said.
    fn default() -> Branches {
        Branches::with(TokenTree::default(), Vec::new(), 0, InForce::default())
    }
}

impl Branches {
    /// One branch, the path of a tree, whose newest reply begins at `reply`.
    pub fn with(tree: TokenTree, turns: Vec<Arc<Turn>>, reply: usize, in_force: InForce) -> Branches {
        let own = tree.path().first().copied();
        let only = Branch { number: 1, from: None, turns, own, tip: tree.head(), reply };
        Branches { filled: tree.path().len(), tree, all: vec![only], current: 0, numbered: 1, in_force }
    }

    /// Those of a file, of which there is at least one.
    pub fn restored(mut tree: TokenTree, all: Vec<Branch>, current: usize) -> Branches {
        let tip = all.get(current).and_then(|branch| branch.tip);
        tree.go_to(tip);
        let numbered = all.iter().map(|branch| branch.number).max().unwrap_or(0);
        let filled = tree.path().len();
        let in_force = tree.in_force();
        Branches { filled, tree, all, current, numbered, in_force }
    }

    /// The tree of tokens.
    pub fn tree(&self) -> &TokenTree {
        &self.tree
    }

    /// All of them, in order of appearance.
    pub fn all(&self) -> &[Branch] {
        &self.all
    }

    /// The one the conversation is on.
    pub fn current(&self) -> &Branch {
        &self.all[self.current]
    }

    /// What was said on it.
    pub fn turns(&self) -> &[Arc<Turn>] {
        &self.current().turns
    }

    pub(super) fn turns_mut(&mut self) -> &mut Vec<Arc<Turn>> {
        &mut self.all[self.current].turns
    }

    /// The last turn, to change.
    pub(super) fn last_turn_mut(&mut self) -> Option<&mut Turn> {
        self.turns_mut().last_mut().map(Arc::make_mut)
    }

    /// The replies to what the present branch's last reply answers, each with the branch it is on.
    pub fn beside(&self) -> Vec<(&Branch, &Turn)> {
        let here = self.turns();
        let is_reply = |turn: &Turn| turn.role == Role::Assistant && turn.reply.is_some();
        let Some(at) = here.iter().rposition(|turn| is_reply(turn)) else { return Vec::new() };
        let same = |turns: &[Arc<Turn>]| turns[..at].iter().zip(here).all(|(a, b)| a.id == b.id);
        let mut found: Vec<(&Branch, &Turn)> = Vec::new();
        // A branch that left a reply behind it has it too.
        for branch in std::iter::once(self.current()).chain(&self.all) {
            let reply = branch.turns.get(at).map(Arc::as_ref).filter(|turn| is_reply(turn));
            let Some(turn) = reply.filter(|_| same(&branch.turns)) else { continue };
            if !found.iter().any(|(_, other)| other.id == turn.id) {
                found.push((branch, turn));
            }
        }
        found.sort_by_key(|(branch, _)| branch.number);
        found
    }

    /// Its tokens.
    pub fn sequence(&self) -> TokenSequence<'_> {
        TokenSequence::new(&self.tree, self.current().reply, &self.in_force)
    }

    /// Goes to the end of a prompt, after which a reply begins.
    pub(super) fn enter(&mut self, prompt: &ChatPrompt, in_force: InForce) {
        let origin = |typed| if typed { NodeOrigin::Typed } else { NodeOrigin::Scaffold };
        self.enter_all(prompt.tokens.iter().map(|token| (token.id, origin(token.typed))), in_force);
    }

    /// The same with a text as it is.
    pub(super) fn enter_raw(&mut self, ids: &[TokenId], in_force: InForce) {
        self.enter_all(ids.iter().map(|&id| (id, NodeOrigin::Typed)), in_force);
    }

    fn enter_all(&mut self, tokens: impl Iterator<Item = (TokenId, NodeOrigin)>, in_force: InForce) {
        let before = self.tree.len();
        self.tree.enter(tokens, &in_force);
        self.in_force = in_force;
        let path = self.tree.path();
        let new = path.iter().copied().find(|number| number.0 as usize >= before);
        let branch = &mut self.all[self.current];
        branch.own = branch.own.or(new);
        (branch.tip, branch.reply) = (self.tree.head(), path.len());
        self.filled = 0;
    }

    /// Goes back to before a position of the path. What is predicted under something else from now on is
    /// another path of the same tokens.
    pub(super) fn cut(&mut self, at: usize, in_force: InForce) {
        let kept: Vec<_> = self.sequence().tokens().take(at).map(|token| (token.id, token.origin)).collect();
        let reply = self.current().reply;
        self.enter_all(kept.into_iter(), in_force);
        self.begin_reply(reply);
    }

    /// The newest reply begins at this position.
    pub(super) fn begin_reply(&mut self, at: usize) {
        self.all[self.current].reply = at;
    }

    /// The number that the next new token will have.
    pub(super) fn next_number(&self) -> NodeNumber {
        NodeNumber(u32::try_from(self.tree.len()).unwrap_or(u32::MAX))
    }

    /// What a branch is called.
    pub fn name(&self, branch: &Branch) -> Option<&str> {
        branch.own.and_then(|own| self.tree.name(own))
    }

    /// Calls a branch something, or nothing; `false` for one without a token of its own.
    pub(super) fn set_name(&mut self, number: u32, name: &str) -> bool {
        let branch = self.all.iter().find(|branch| branch.number == number);
        let Some(own) = branch.and_then(|branch| branch.own) else { return false };
        self.tree.set_name(own, Some(name.to_string()).filter(|name| !name.is_empty()));
        true
    }

    /// The ids on a branch.
    pub(super) fn ids(&self, number: u32) -> Vec<TokenId> {
        let tip = self.all.iter().find(|branch| branch.number == number).and_then(|branch| branch.tip);
        let path = tip.map(|tip| self.tree.path_to(tip)).unwrap_or_default();
        path.into_iter().filter_map(|node| self.tree.node(node)).map(|node| node.id).collect()
    }

    /// Takes a branch out, with the tokens that it alone has; how many those are. The present one makes room
    /// for the one it left, or the last.
    pub(super) fn prune(&mut self, number: u32) -> usize {
        let Some(at) = self.all.iter().position(|branch| branch.number == number) else { return 0 };
        let gone = self.all.remove(at);
        for branch in self.all.iter_mut().filter(|branch| branch.from == Some(number)) {
            branch.from = gone.from;
        }
        if self.current == at {
            let from = self.all.iter().find(|branch| Some(branch.number) == gone.from);
            let next = from.or(self.all.last()).map_or(0, |branch| branch.number);
            self.go_to(next);
        } else {
            self.current -= usize::from(self.current > at);
        }
        self.free(&gone)
    }

    /// Takes the tokens out of the tree that no branch has but this one, which is none any more.
    fn free(&mut self, gone: &Branch) -> usize {
        let Some(tip) = gone.tip else { return 0 };
        let tips = self.all.iter().filter_map(|branch| branch.tip);
        let common = tips.filter_map(|other| self.tree.common(tip, other)).filter_map(|n| self.tree.node(n));
        let shared = common.map(|node| node.position() + 1).max().unwrap_or(0);
        self.tree.path_to(tip).get(shared).map_or(0, |&own| self.tree.prune(own))
    }

    /// How many tokens from the first on have their figures: the engine need not tell them again.
    pub(super) fn known(&mut self) -> usize {
        let path = self.tree.path().iter();
        // The first token has no context, and none of it is ever known.
        let is_known = |step: &Arc<Step>, first: bool| first || step.stats.is_some();
        let known = path.enumerate().take_while(|&(at, &number)| {
            let step = self.tree.node(number).and_then(|node| node.step.as_ref());
            step.is_some_and(|step| is_known(step, at == 0))
        });
        self.filled = known.count();
        self.filled
    }

    /// The next figures of the prompt; at which position.
    pub(super) fn fill(&mut self, step: Arc<Step>) -> usize {
        if let Some(&number) = self.tree.path().get(self.filled) {
            self.tree.fill(number, step);
            self.filled += 1;
        }
        self.filled - 1
    }

    /// A token after the last one.
    pub(super) fn push(&mut self, step: Arc<Step>, origin: NodeOrigin) {
        let under = self.in_force.of_token(self.tree.path().len());
        let number = self.tree.append(step, origin, &under);
        let branch = &mut self.all[self.current];
        branch.own.get_or_insert(number);
        branch.tip = Some(number);
    }

    /// Begins a branch with the first turns of the present one; returns the branch it left.
    pub(super) fn fork(&mut self, turns: usize) -> u32 {
        let left = self.current();
        let (from, tip, reply) = (left.number, left.tip, left.reply);
        let turns = left.turns[..turns.min(left.turns.len())].to_vec();
        self.numbered += 1;
        self.all.push(Branch { number: self.numbered, from: Some(from), turns, own: None, tip, reply });
        self.current = self.all.len() - 1;
        from
    }

    /// Begins a branch beside the present one: with what is said on it until its last turn, and this one in that
    /// one's place, which begins where nothing has been written yet. Returns its number.
    pub(super) fn fork_beside(&mut self, turn: Turn) -> u32 {
        let here = self.current();
        let mut beside = Branch { own: None, ..here.clone() };
        beside.turns.pop();
        beside.turns.push(Arc::new(turn));
        self.numbered += 1;
        beside.number = self.numbered;
        self.all.push(beside);
        self.numbered
    }

    /// A branch's last turn, to change.
    pub(super) fn last_turn_of(&mut self, number: u32) -> Option<&mut Turn> {
        let branch = self.all.iter_mut().find(|branch| branch.number == number)?;
        branch.turns.last_mut().map(Arc::make_mut)
    }

    /// A token after the last one of a branch; the conversation stays where it is.
    pub(super) fn push_on(&mut self, number: u32, step: Arc<Step>) -> Option<NodeNumber> {
        let at = self.all.iter().position(|branch| branch.number == number)?;
        let here = self.tree.head();
        self.tree.go_to(self.all[at].tip);
        let under = self.in_force.of_token(self.tree.path().len());
        let node = self.tree.append(step, NodeOrigin::Sampled, &under);
        self.all[at].own.get_or_insert(node);
        self.all[at].tip = Some(node);
        self.tree.go_to(here);
        Some(node)
    }

    /// Takes a branch out on which nothing came; `false` where something did.
    pub(super) fn take_out_empty(&mut self, number: u32) -> bool {
        let before = self.all.len();
        let is_current = self.current().number == number;
        let current = self.current().number;
        self.all.retain(|branch| branch.number != number || branch.own.is_some() || is_current);
        self.current = self.all.iter().position(|branch| branch.number == current).unwrap_or(0);
        self.all.len() < before
    }

    /// Takes the present branch out, of which nothing came, and goes to another.
    pub(super) fn give_up(&mut self, for_number: u32) {
        let at = self.current;
        if self.go_to(for_number) && self.current != at {
            let gone = self.all.remove(at);
            self.current -= usize::from(self.current > at);
            self.free(&gone);
        }
    }

    /// Goes to a branch; `false` if there is none of that number.
    pub(super) fn go_to(&mut self, number: u32) -> bool {
        let Some(at) = self.all.iter().position(|branch| branch.number == number) else { return false };
        self.current = at;
        let there = self.tree.go_to(self.all[at].tip);
        self.in_force = self.tree.in_force();
        there
    }
}
