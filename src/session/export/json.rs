//! A conversation as OpenAI's chat completions have it, with every figure beside theirs.

use std::io::{self, Write};

use serde::Serialize;

use super::{Export, ExportAbout, ExportRow};
use crate::engine::FinishReason;
use crate::report::output::json_line;
use crate::report::record::{Provenance, StepRecord};
use crate::sequence::{NodeNumber, NodeOrigin};
use crate::session::branches::Branch;
use crate::session::judged::VerdictRecord;
use crate::session::turn::Turn;
use crate::token::TokenId;

/// The whole object: what was said before is `messages`, the last reply the one choice.
#[derive(Serialize)]
struct ChatCompletion<'a> {
    object: &'static str,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<&'a Provenance>,
    messages: Vec<MessageForm<'a>>,
    choices: Vec<RecordedChoice<'a>>,
    branches: Vec<BranchForm<'a>>,
    /// Every token of every branch: a parent stands before what follows it.
    nodes: Vec<NodeForm>,
    verdicts: Vec<VerdictRecord<'a>>,
}

/// One way the conversation has gone.
#[derive(Serialize)]
struct BranchForm<'a> {
    branch: u32,
    from: Option<u32>,
    name: Option<&'a str>,
    current: bool,
    /// Number of its last token.
    tip: Option<u32>,
    messages: Vec<SaidForm<'a>>,
}

#[derive(Serialize)]
struct SaidForm<'a> {
    role: &'static str,
    content: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sum_logprob: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mean_logprob: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<usize>,
}

/// A token of the tree.
#[derive(Serialize)]
struct NodeForm {
    node: u32,
    parent: Option<u32>,
    id: TokenId,
    token: String,
    origin: NodeOrigin,
    logprob: Option<f32>,
}

#[derive(Serialize)]
struct MessageForm<'a> {
    role: &'static str,
    content: &'a str,
    #[serde(flatten)]
    reply: Option<ReplyForm>,
}

#[derive(Serialize)]
struct RecordedChoice<'a> {
    index: usize,
    message: MessageForm<'a>,
    #[serde(flatten)]
    reply: ReplyForm,
}

/// What only a reply has.
#[derive(Serialize)]
struct ReplyForm {
    finish_reason: Option<FinishReason>,
    seed: u32,
    logprobs: Logprobs,
}

#[derive(Serialize)]
struct Logprobs {
    content: Vec<StepRecord>,
}

/// Writes it.
///
/// # Errors
/// Those of the writer.
pub(super) fn write(export: &Export, out: &mut impl Write) -> io::Result<()> {
    let ExportAbout { model, provenance, system } = export.about;
    let mut rows: Vec<ExportRow> = export.rows().filter(|row| row.part == "reply").collect();
    let mut messages: Vec<MessageForm> = Vec::new();
    messages.extend(system.as_ref().map(|content| MessageForm { role: "system", content, reply: None }));
    for (i, turn) in export.turns.iter().enumerate() {
        let its = rows.iter().take_while(|row| row.turn == i + 1).count();
        let steps = rows.drain(..its).map(|row| row.record).collect();
        messages.push(MessageForm {
            role: super::role(turn),
            content: &turn.content,
            reply: reply(turn, steps),
        });
    }
    let last = messages.pop_if(|message| message.reply.is_some());
    let choices = last.into_iter().filter_map(|message| {
        let MessageForm { role, content, reply } = message;
        Some(RecordedChoice { index: 0, message: MessageForm { role, content, reply: None }, reply: reply? })
    });
    let choices = choices.collect();
    let provenance = provenance.as_ref();
    let object = "chat.completion";
    let branches = export.branches.all().iter().map(|branch| branch_form(export, branch)).collect();
    let verdicts = export.judgements.iter().map(|mark| VerdictRecord::new(mark, None)).collect();
    let nodes = nodes(export);
    json_line(
        out,
        &ChatCompletion { object, model, provenance, messages, choices, branches, nodes, verdicts },
    )
}

fn branch_form<'a>(export: &Export<'a>, branch: &'a Branch) -> BranchForm<'a> {
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    let said = branch.turns.iter().map(|turn| {
        let score = turn.reply.as_ref().map(|reply| &reply.score);
        SaidForm {
            role: super::role(turn),
            content: &turn.content,
            sum_logprob: score.and_then(|score| finite(score.sum_logprob())),
            mean_logprob: score.and_then(|score| score.mean_logprob()).and_then(finite),
            tokens: score.map(|score| score.tokens()),
        }
    });
    BranchForm {
        branch: branch.number,
        from: branch.from,
        name: export.branches.name(branch),
        current: branch.number == export.branches.current().number,
        tip: branch.tip.map(|tip| tip.0),
        messages: said.collect(),
    }
}

fn nodes(export: &Export) -> Vec<NodeForm> {
    let tree = export.branches.tree();
    let all = (0..u32::try_from(tree.len()).unwrap_or(u32::MAX)).map(NodeNumber);
    let there = all.filter_map(|number| Some((number, tree.node(number).filter(|node| !node.is_pruned())?)));
    there
        .map(|(number, node)| NodeForm {
            node: number.0,
            parent: node.parent().map(|parent| parent.0),
            id: node.id,
            token: export.vocab.text(node.id),
            origin: node.origin,
            logprob: node.step.as_ref().and_then(|step| step.logprob()).filter(|logprob| logprob.is_finite()),
        })
        .collect()
}

fn reply(turn: &Turn, content: Vec<StepRecord>) -> Option<ReplyForm> {
    let reply = turn.reply.as_ref()?;
    Some(ReplyForm { finish_reason: reply.finish, seed: reply.seed, logprobs: Logprobs { content } })
}
