//! A conversation of a file as turns on paths: to be shown, exported and gone on with.

use std::sync::Arc;

use super::branches::{Branch, Branches};
use super::export::{Export, ExportAbout};
use super::judgement::{JudgedIn, Judgement, judgements};
use super::sequence::TokenSequence;
use super::turn::{Turn, TurnId};
use crate::archive::{Saved, SavedBranch};
use crate::distribution::Depth;
use crate::intervention::InForce;
use crate::sequence::{TokenTree, TreeNode};
use crate::step::Step;
use crate::token::Vocab;

/// One branch of a file's conversation.
#[derive(Debug)]
pub struct Restored {
    /// Its number.
    pub branch: u32,
    /// What was said on it, in order.
    pub turns: Vec<Arc<Turn>>,
    /// What its tokens stand for.
    pub vocab: Arc<Vocab>,
    /// What stands before its messages.
    about: ExportAbout,
    tree: TokenTree,
    reply: usize,
    in_force: InForce,
    branches: Branches,
    judgements: Vec<Judgement>,
    /// The tokens of each turn, which need not stand on its path.
    steps: Vec<Vec<Arc<Step>>>,
}

impl Restored {
    /// A branch by its number, unless it was taken out.
    pub fn of(saved: &Saved, number: u32) -> Option<Restored> {
        let kept = saved.branches.iter().find(|branch| branch.number == number)?;
        let branch = branch_of(saved, kept, &saved.vocab, &mut |_| TurnId::default().next());
        let mut tree = saved.tree.clone();
        tree.go_to(kept.tip);
        let said = kept.turns.iter().filter_map(|number| saved.turn(*number));
        let steps = said.map(|turn| {
            let nodes = saved.tokens(turn).into_iter().filter_map(|node| saved.tree.node(node));
            nodes.filter_map(|node| node.step.clone()).collect()
        });
        let (all, _) = branches(saved, &saved.vocab, &mut |_| TurnId::default().next());
        let current = all.iter().position(|branch| branch.number == number)?;
        let judgements = judgements(JudgedIn {
            tree: &saved.tree,
            vocab: &saved.vocab,
            branches: &all,
            verdicts: &saved.verdicts,
            system: saved.settings.get("system").map(String::as_str),
        });
        Some(Restored {
            branch: number,
            branches: Branches::restored(saved.tree.clone(), all, current),
            judgements,
            turns: branch.turns.clone(),
            vocab: Arc::clone(&saved.vocab),
            about: ExportAbout {
                model: saved.model.model.clone(),
                provenance: saved.model.provenance.clone(),
                system: saved.settings.get("system").cloned(),
            },
            in_force: tree.in_force(),
            tree,
            reply: branch.reply,
            steps: steps.collect(),
        })
    }

    /// The conversation's branches.
    pub fn branches(&self) -> &Branches {
        &self.branches
    }

    /// The tokens of a turn, by its index.
    pub fn steps(&self, turn: usize) -> impl Iterator<Item = &Step> {
        self.steps.get(turn).into_iter().flatten().map(Arc::as_ref)
    }

    /// What is marked in the conversation, on this branch or another.
    pub fn judgements(&self) -> &[Judgement] {
        &self.judgements
    }

    /// It, to be exported with candidates to this depth.
    pub fn export(&self, k: Depth) -> Export<'_> {
        Export {
            sequence: TokenSequence::new(&self.tree, self.reply, &self.in_force),
            turns: &self.turns,
            vocab: &self.vocab,
            about: &self.about,
            k,
            branches: &self.branches,
            judgements: self.judgements.clone(),
        }
    }
}

/// The branches of a file's conversation, and the index of the one it is on. What a program left behind that was
/// killed between two of them is left out. `name` names a turn by its number.
pub fn branches(saved: &Saved, vocab: &Vocab, name: &mut dyn FnMut(u32) -> TurnId) -> (Vec<Branch>, usize) {
    let kept = kept(saved);
    let current = kept.iter().position(|branch| branch.number == saved.branch().number).unwrap_or(0);
    let restored = kept
        .iter()
        .map(|branch| Branch { from: left(saved, &kept, branch), ..branch_of(saved, branch, vocab, name) });
    (restored.collect(), current)
}

/// The numbers of the branches that are there.
pub fn numbers(saved: &Saved) -> Vec<u32> {
    kept(saved).iter().map(|branch| branch.number).collect()
}

fn kept(saved: &Saved) -> Vec<&SavedBranch> {
    let is_there = |branch: &SavedBranch| {
        branch.number == saved.branch().number
            || (!is_part_of_another(saved, branch)
                && branch.tip.is_none_or(|tip| saved.tree.node(tip).is_some_and(|node| !node.is_pruned())))
    };
    saved.branches.iter().filter(|branch| is_there(branch)).collect()
}

/// The branch that one left, or the nearest before it that is there.
fn left(saved: &Saved, kept: &[&SavedBranch], branch: &SavedBranch) -> Option<u32> {
    let mut from = branch.from;
    while let Some(number) = from.filter(|number| !kept.iter().any(|branch| branch.number == *number)) {
        let gone = saved.branches.iter().find(|branch| branch.number == number);
        // A branch leaves an earlier one, whatever a damaged file says.
        from = gone.and_then(|gone| gone.from).filter(|earlier| *earlier < number);
    }
    from
}

/// Whether all that it has stands on another branch too.
fn is_part_of_another(saved: &Saved, branch: &SavedBranch) -> bool {
    saved.branches.iter().any(|other| {
        let is_longer = other.turns.len() > branch.turns.len() && other.turns.starts_with(&branch.turns);
        let holds = |tip| other.tip.is_some_and(|end| saved.tree.common(tip, end) == Some(tip));
        is_longer && branch.tip.is_none_or(holds)
    })
}

fn branch_of(
    saved: &Saved,
    branch: &SavedBranch,
    vocab: &Vocab,
    name: &mut dyn FnMut(u32) -> TurnId,
) -> Branch {
    let path = branch.tip.map(|tip| saved.tree.path_to(tip)).unwrap_or_default();
    let is_on_path = |node: &&TreeNode| {
        let at = path.get(node.position()).and_then(|number| saved.tree.node(*number));
        at.is_some_and(|other| std::ptr::eq(other, *node))
    };
    let mut reply = path.len();
    let turns = branch.turns.iter().filter_map(|number| {
        let kept = saved.turn(*number)?;
        let tokens: Vec<&TreeNode> =
            saved.tokens(kept).into_iter().filter_map(|node| saved.tree.node(node)).collect();
        let on_path = tokens.iter().all(is_on_path);
        let turn = Turn::restored(name(*number), kept, &tokens, vocab, on_path);
        if let (Some(first), true, true) = (tokens.first(), on_path, turn.reply.is_some()) {
            reply = first.position();
        }
        Some(Arc::new(turn))
    });
    let turns = turns.collect();
    let from =
        saved.branches.iter().find(|other| Some(other.number) == branch.from).and_then(|other| other.tip);
    let common = from.zip(branch.tip).and_then(|(from, tip)| saved.tree.common(from, tip));
    let shared = common.and_then(|node| saved.tree.node(node)).map_or(0, |node| node.position() + 1);
    let own = path.get(shared).copied();
    Branch { number: branch.number, from: branch.from, turns, own, tip: branch.tip, reply }
}
