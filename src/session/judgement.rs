//! What people said of tokens, with the figures of those tokens and what stood before them.

use super::branches::Branch;
use super::turn::Turn;
use crate::archive::event::{Judged, VerdictScope};
use crate::chat::Role;
use crate::score::calibration::JudgedProb;
use crate::sequence::{NodeNumber, NodeOrigin, TokenTree, TreeNode};
use crate::token::{TokenId, Vocab};

/// Whose tokens were judged.
#[derive(Clone, Copy, Debug)]
pub struct JudgedIn<'a> {
    /// Every token.
    pub tree: &'a TokenTree,
    /// What they stand for.
    pub vocab: &'a Vocab,
    /// Every way the conversation has gone.
    pub branches: &'a [Branch],
    /// What was said of them.
    pub verdicts: &'a [Judged],
    /// The system prompt.
    pub system: Option<&'a str>,
}

/// A token that was judged, alone or with others.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedToken {
    /// Its number.
    pub node: NodeNumber,
    /// The token.
    pub id: TokenId,
    pub bytes: Vec<u8>,
    /// Raw ln p in nats, where it is known.
    pub logprob: Option<f32>,
    /// What the sampler left of it, where one ran.
    pub after: Option<f32>,
    /// How it came there.
    pub origin: NodeOrigin,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What it is about.
    pub scope: VerdictScope,
    /// What was said.
    pub right: bool,
    /// Why.
    pub note: Option<String>,
    /// Its tokens, at least one.
    pub tokens: Vec<JudgedToken>,
    /// What it is the continuation of.
    pub asked: AskedAgain,
}

/// What stood before judged tokens, so that the same can be asked again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AskedAgain {
    /// What was said before, with the system prompt; none where the text stands outside of the chat template.
    pub messages: Vec<(Role, String)>,
    /// Of the same turn, what stands before the tokens.
    pub before: Vec<u8>,
    /// The most probable other token in place of the first, where it has a text.
    pub other: Option<String>,
    /// Whether the text can be asked for again: it begins in a reply or a raw text, and has no special token.
    pub is_text: bool,
}

impl Judgement {
    /// Their text.
    pub fn text(&self) -> Vec<u8> {
        self.tokens.iter().flat_map(|token| token.bytes.iter().copied()).collect()
    }

    /// Σ ln p of its tokens, in nats; `None` where one is not known.
    pub fn sum_logprob(&self) -> Option<f64> {
        self.tokens.iter().map(|token| token.logprob.map(f64::from)).sum()
    }

    /// The least probable of its tokens.
    pub fn weakest(&self) -> Option<(&JudgedToken, f32)> {
        let known = self.tokens.iter().filter_map(|token| Some((token, token.logprob?)));
        known.min_by(|(_, a), (_, b)| a.total_cmp(b))
    }

    /// Its probability beside what was said of it, where it is about one token whose probability is known.
    pub fn prob(&self) -> Option<JudgedProb> {
        let [token] = &self.tokens[..] else { return None };
        (self.scope == VerdictScope::Token).then_some(())?;
        Some(JudgedProb {
            raw: f64::from(token.logprob?).exp(),
            after: token.after.map(f64::from),
            right: self.right,
        })
    }
}

/// Every verdict that still says something, in the order of the tokens.
pub fn judgements(of: JudgedIn) -> Vec<Judgement> {
    let mut standing: Vec<&Judged> = of.verdicts.iter().filter(|judged| judged.right.is_some()).collect();
    standing.sort_by_key(|judged| judged.tokens);
    standing.into_iter().filter_map(|judged| judgement(of, judged)).collect()
}

fn judgement(of: JudgedIn, judged: &Judged) -> Option<Judgement> {
    let [first, last] = judged.tokens.map(NodeNumber);
    let mut tokens: Vec<JudgedToken> = of
        .tree
        .path_to(last)
        .into_iter()
        .filter(|number| *number >= first)
        .filter_map(|number| Some((number, of.tree.node(number).filter(|node| !node.is_pruned())?)))
        .map(|(number, node)| judged_token(number, node, of.vocab))
        .collect();
    if tokens.first().map(|token| token.node) != Some(first) {
        return None;
    }
    // What ended a reply is not part of what was said.
    if judged.scope == VerdictScope::Reply && tokens.len() > 1 {
        tokens.pop_if(|token| of.vocab.ends_generation(token.id));
    }
    let asked = asked_again(of, first, &tokens);
    Some(Judgement { scope: judged.scope, right: judged.right?, note: judged.note.clone(), tokens, asked })
}

fn judged_token(number: NodeNumber, node: &TreeNode, vocab: &Vocab) -> JudgedToken {
    let stats = node.step.as_ref().and_then(|step| step.stats.as_ref());
    JudgedToken {
        node: number,
        id: node.id,
        bytes: vocab.bytes(node.id).to_vec(),
        logprob: stats.map(|stats| stats.logprob).filter(|logprob| !logprob.is_nan()),
        after: stats.and_then(|stats| stats.outcome).map(|outcome| outcome.prob),
        origin: node.origin,
    }
}

fn asked_again(of: JudgedIn, first: NodeNumber, tokens: &[JudgedToken]) -> AskedAgain {
    let Some(position) = of.tree.node(first).map(TreeNode::position) else { return AskedAgain::default() };
    let is_on = |branch: &&Branch| {
        branch.tip.is_some_and(|tip| of.tree.common(tip, first) == Some(first))
            && branch.turns.iter().any(|turn| holds(turn, position))
    };
    let Some(branch) = of.branches.iter().find(is_on) else { return AskedAgain::default() };
    let Some(at) = branch.turns.iter().position(|turn| holds(turn, position)) else {
        return AskedAgain::default();
    };
    let turn = &branch.turns[at];
    let is_raw = turn.reply.is_some() && turn.role != Role::Assistant;
    let start = turn.marks.first().map_or(position, |mark| mark.token);
    let path = of.tree.path_to(first);
    let before = path.get(start..position).unwrap_or_default();
    let before = before.iter().filter_map(|&number| of.tree.node(number));
    let before: Vec<u8> = before.flat_map(|node| of.vocab.bytes(node.id).iter().copied()).collect();
    let said = branch.turns[..at].iter().map(|turn| (turn.role.clone(), turn.content.clone()));
    let system = of.system.map(|text| (Role::System, text.to_string()));
    let messages = if is_raw { Vec::new() } else { system.into_iter().chain(said).collect() };
    let is_plain = |token: &JudgedToken| !of.vocab.is_control(token.id);
    let text: Vec<u8> = tokens.iter().flat_map(|token| token.bytes.iter().copied()).collect();
    let in_reply = turn.reply.is_some();
    let is_text = in_reply
        && (!is_raw || !before.is_empty())
        && tokens.iter().all(is_plain)
        && !text.is_empty()
        && std::str::from_utf8(&[&before[..], &text].concat()).is_ok();
    AskedAgain { messages, other: other(of, first, &before), before, is_text }
}

fn holds(turn: &Turn, position: usize) -> bool {
    turn.tokens().is_some_and(|tokens| tokens.contains(&position))
}

/// The most probable token in place of this one that has a text of its own.
fn other(of: JudgedIn, number: NodeNumber, before: &[u8]) -> Option<String> {
    let node = of.tree.node(number)?;
    let stats = node.step.as_ref()?.stats.as_ref()?;
    let own = of.vocab.bytes(node.id);
    let texts = stats.prediction.top_logprobs.iter().filter(|candidate| candidate.id != node.id);
    texts
        .filter(|candidate| !of.vocab.is_control(candidate.id))
        .map(|candidate| of.vocab.bytes(candidate.id))
        .filter(|bytes| !bytes.is_empty() && *bytes != own)
        .find_map(|bytes| {
            // Behind what stands before it.
            let whole = String::from_utf8([before, bytes].concat()).ok()?;
            whole.get(before.len()..).map(str::to_string)
        })
}
