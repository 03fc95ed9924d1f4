//! What a scribe has to tell of a conversation, whether it goes on or is saved as it stands.

use std::collections::BTreeMap;

use super::branches::{Branch, Branches};
use super::turn::Turn;
use crate::archive::PinnedFigures;
use crate::archive::event::{Judged, LogEvent, ModelLine, Pin};
use crate::archive::scribe::{Now, NowBranch, NowSaid, Scribe};
use crate::archive::shelf;
use crate::chat::Role;
use crate::sequence::{NodeNumber, TokenTree};
use crate::token::Vocab;

/// A conversation as far as it is kept.
pub(super) struct KeptConversation<'a> {
    /// Whose figures it holds.
    pub model: &'a ModelLine,
    /// What its tokens stand for.
    pub vocab: &'a Vocab,
    /// Every way it has gone.
    pub branches: &'a Branches,
    /// Those that are written beside the present one.
    pub beside: &'a [u32],
    /// What holds, by name; `None` in the middle of a reply.
    pub settings: Option<BTreeMap<String, String>>,
    /// What people said of its tokens.
    pub verdicts: &'a [Judged],
    /// Texts that are pinned.
    pub pins: &'a [Pin],
    /// What is known of their first tokens.
    pub pinned: &'a PinnedFigures,
}

/// What a scribe has to tell of a conversation.
pub(super) fn events(kept: &KeptConversation, scribe: &mut Scribe) -> Vec<LogEvent> {
    let (branches, is_whole) = (kept.branches, kept.settings.is_some());
    let tree = branches.tree();
    let may_change = |number: &u32| is_whole || kept.beside.contains(number);
    let others = branches.all().iter().filter(|branch| may_change(&branch.number));
    let others = others.filter(|branch| branch.number != branches.current().number);
    let others = others.map(|branch| now_branch(branch, &path_of(branch, tree)));
    let now = Now {
        model: kept.model,
        vocab: kept.vocab,
        tree,
        branches: others.chain([now_branch(branches.current(), tree.path())]).collect(),
        side_by_side: !kept.beside.is_empty(),
        settings: kept.settings.clone(),
        verdicts: kept.verdicts,
        pins: kept.pins,
        pinned: kept.pinned,
        is_reading: !is_whole,
    };
    scribe.events(&now, shelf::clock)
}

fn path_of(branch: &Branch, tree: &TokenTree) -> Vec<NodeNumber> {
    branch.tip.map(|tip| tree.path_to(tip)).unwrap_or_default()
}

fn now_branch<'a>(branch: &'a Branch, path: &[NodeNumber]) -> NowBranch<'a> {
    let said = branch.turns.iter().map(|turn| now_said(turn, path));
    NowBranch { number: branch.number, from: branch.from, tip: branch.tip, said: said.collect() }
}

fn now_said<'a>(turn: &'a Turn, path: &[NodeNumber]) -> NowSaid<'a> {
    let reply = turn.reply.as_ref();
    let tokens = turn.tokens().and_then(|range| Some([path.get(range.start)?.0, path.get(range.end - 1)?.0]));
    let is_spelled = reply.is_some_and(|reply| reply.known);
    NowSaid {
        key: turn.id.number(),
        role: if turn.role == Role::Assistant { "assistant" } else { "user" },
        text: (!is_spelled).then_some(turn.content.as_str()),
        tokens,
        seed: reply.map(|reply| reply.seed),
        finish: reply.and_then(|reply| reply.finish),
    }
}
