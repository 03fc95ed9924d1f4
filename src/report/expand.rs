//! The most likely continuations, as a record, as a list, as a tree and as CSV.

use std::io::{self, Write};

use serde::Serialize;

use super::bars::bar;
use super::cell::{cell, io_error};
use super::record::Origin;
use super::view::{Column, Table, TableRow, View};
use crate::query::expand::Expansion;
use crate::query::expand::search::{ExpandEnd, LeafKind};
use crate::token::{TokenId, Vocab, printable, visible};

/// Columns of a bar.
const BAR: usize = 10;

/// The answer of `expand`.
#[derive(Debug, Serialize)]
pub struct ExpandRecord<'a> {
    #[serde(flatten)]
    origin: &'a Origin,
    prompt_tokens: Option<&'a [TokenId]>,
    limits: LimitsRecord,
    nodes: Vec<NodeRecord>,
    coverage: CoverageRecord,
    /// Distributions that were computed.
    evaluated: usize,
    end: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

#[derive(Debug, Serialize)]
struct LimitsRecord {
    depth: usize,
    width: usize,
    floor: f64,
    nodes: usize,
}

/// A continuation; `id` is its place in the list.
#[derive(Debug, Serialize)]
struct NodeRecord {
    id: usize,
    parent: Option<usize>,
    token: String,
    token_id: Option<TokenId>,
    bytes: Vec<u8>,
    logprob: f32,
    rank: u32,
    joint_logprob: f64,
    depth: usize,
    leaf: Option<&'static str>,
}

/// What becomes of all there could be; the values sum to one.
#[derive(Debug, Serialize)]
struct CoverageRecord {
    complete: f64,
    below_width: f64,
    below_floor: f64,
    not_reached: f64,
    /// Σ of the listed continuations of 1, 2, … tokens.
    by_depth: Vec<f64>,
}

fn end_name(end: ExpandEnd) -> &'static str {
    match end {
        ExpandEnd::Whole => "whole",
        ExpandEnd::Nodes => "nodes",
        ExpandEnd::Stopped => "stopped",
    }
}

fn leaf_name(leaf: LeafKind) -> &'static str {
    match leaf {
        LeafKind::Longest => "longest",
        LeafKind::Ended => "ended",
    }
}

impl<'a> ExpandRecord<'a> {
    /// The record of an answer.
    pub fn new(found: &'a Expansion, vocab: &Vocab, origin: &'a Origin) -> Self {
        let nodes = found.nodes.iter().enumerate().map(|(id, node)| NodeRecord {
            id,
            parent: node.parent,
            token: vocab.text(node.token),
            token_id: vocab.told(node.token),
            bytes: vocab.bytes(node.token).to_vec(),
            logprob: node.logprob,
            rank: node.rank,
            joint_logprob: node.joint,
            depth: node.depth,
            leaf: node.leaf.map(leaf_name),
        });
        let (limits, covered) = (found.limits, found.coverage);
        ExpandRecord {
            origin,
            prompt_tokens: vocab.told_all(&found.prompt),
            limits: LimitsRecord {
                depth: limits.depth,
                width: limits.width,
                floor: limits.floor,
                nodes: limits.nodes,
            },
            nodes: nodes.collect(),
            coverage: CoverageRecord {
                complete: covered.complete,
                below_width: covered.below_width,
                below_floor: covered.below_floor,
                not_reached: covered.not_reached,
                by_depth: by_depth(found),
            },
            evaluated: found.evaluated,
            end: end_name(found.end),
            notes: &found.notes,
        }
    }
}

/// Σ of the listed continuations of each length.
fn by_depth(found: &Expansion) -> Vec<f64> {
    let longest = found.nodes.iter().map(|node| node.depth).max().unwrap_or(0);
    let mut sums = vec![0.0; longest];
    found.nodes.iter().for_each(|node| sums[node.depth - 1] += node.joint.exp());
    sums
}

/// The list, the most likely first.
pub fn view(found: &Expansion, vocab: &Vocab) -> View {
    let mut table = Table::new([
        Column::figures("#", 4).after(0),
        Column::figures("from", 4).after(2).minor(3),
        Column::figures("joint %", 9),
        Column::figures("Σ ln p", 9).minor(1),
        Column::figures("p %", 7).minor(2),
        Column::bars("", BAR).after(2),
        Column::text("continuation", 0).after(2).elided_before(14),
    ]);
    for (i, node) in found.nodes.iter().enumerate() {
        let joint = node.joint.exp();
        let from = node.parent.map_or(String::new(), |parent| (parent + 1).to_string());
        let text = visible(&vocab.concat(found.path(i)));
        let cells = [
            (i + 1).to_string().into(),
            from.into(),
            percent(joint).into(),
            format!("{:.3}", node.joint).into(),
            percent(f64::from(node.logprob).exp()).into(),
            bar(joint, BAR).into(),
            format!("{text}{}", mark(node.leaf)).into(),
        ];
        table.rows.push(TableRow::new(cells).of(i));
    }
    closed(table, found)
}

/// The tree: what a continuation goes on with stands below it.
pub fn tree(found: &Expansion, vocab: &Vocab) -> View {
    let mut table = Table::new([
        Column::figures("#", 4).after(0),
        Column::figures("joint %", 9),
        Column::figures("p %", 7),
        Column::text("token", 0).after(2),
    ]);
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); found.nodes.len() + 1];
    for (i, node) in found.nodes.iter().enumerate() {
        children[node.parent.map_or(0, |parent| parent + 1)].push(i);
    }
    let mut waiting: Vec<Branching> = branchings(&children[0], "");
    while let Some(Branching { node: i, lead, below }) = waiting.pop() {
        let node = &found.nodes[i];
        let token = format!("{lead}{}{}", vocab.visible(node.token), mark(node.leaf));
        let cells = [
            (i + 1).to_string().into(),
            percent(node.joint.exp()).into(),
            percent(f64::from(node.logprob).exp()).into(),
            token.into(),
        ];
        table.rows.push(TableRow::new(cells).of(i));
        waiting.extend(branchings(&children[i + 1], &below));
    }
    closed(table, found)
}

/// A line of the tree that is still to be drawn.
struct Branching {
    node: usize,
    /// What stands before it, and before what is below it.
    lead: String,
    below: String,
}

/// The continuations of one, the last first.
fn branchings(children: &[usize], before: &str) -> Vec<Branching> {
    let last = children.len().saturating_sub(1);
    let one = |(i, &node): (usize, &usize)| {
        let (lead, below) = if i == last { ("└ ", "  ") } else { ("├ ", "│ ") };
        Branching { node, lead: format!("{before}{lead}"), below: format!("{before}{below}") }
    };
    children.iter().enumerate().map(one).rev().collect()
}

/// What follows a continuation that goes no further.
fn mark(leaf: Option<LeafKind>) -> &'static str {
    match leaf {
        Some(LeafKind::Ended) => " ∎",
        _ => "",
    }
}

/// The table and what it covers.
fn closed(table: Table, found: &Expansion) -> View {
    let mut view = View::default();
    view.table(table);
    view.text("");
    for note in &found.notes {
        view.text(printable(note));
    }
    let (limits, covered) = (found.limits, found.coverage);
    let complete = found.nodes.iter().filter(|node| node.leaf.is_some()).count();
    let ended = found.nodes.iter().filter(|node| node.leaf == Some(LeafKind::Ended)).count();
    let sums = by_depth(found);
    let by_depth = sums.iter().enumerate().map(|(i, sum)| format!("{}: {} %", i + 1, percent(*sum)));
    let by_depth = by_depth.collect::<Vec<_>>().join(" · ");
    view.text(format!("listed, by length in tokens: {by_depth}"));
    view.text(format!(
        "of all there could be: {} % in {complete} complete continuations ({} tokens, or the text ends: {ended} ∎)",
        percent(covered.complete),
        limits.depth,
    ));
    view.text(format!(
        "outside: {} % goes on with a token below the {} most likely, {} % is below the floor of {} %, {} % was not looked at",
        percent(covered.below_width),
        limits.width,
        percent(covered.below_floor),
        limits.floor * 100.0,
        percent(covered.not_reached),
    ));
    let end = match found.end {
        ExpandEnd::Whole => String::new(),
        ExpandEnd::Nodes => format!(" · stopped at {} of them (--nodes)", limits.nodes),
        ExpandEnd::Stopped => " · stopped".to_string(),
    };
    let (evaluated, prompt) = (found.evaluated, found.prompt.len());
    let token = if prompt == 1 { "token" } else { "tokens" };
    view.text(format!("{evaluated} distributions computed · after {prompt} {token}{end}"));
    view
}

/// A probability in percent, with enough digits for an improbable one.
fn percent(p: f64) -> String {
    if p >= 1e-4 || p == 0.0 { format!("{:.2}", p * 100.0) } else { format!("{:.1e}", p * 100.0) }
}

/// Writes the list as CSV; log-probabilities are in nats.
///
/// # Errors
/// Those of the writer.
pub fn csv(out: &mut dyn Write, found: &Expansion, vocab: &Vocab, head: Option<&str>) -> io::Result<()> {
    let mut out = csv::Writer::from_writer(out);
    let names = [
        "id",
        "parent",
        "depth",
        "token",
        "token_id",
        "logprob_nats",
        "rank",
        "joint_logprob_nats",
        "leaf",
        "text",
    ];
    let model = head.map(|model| cell(model).into_owned());
    let first = model.iter().map(|_| "model".to_string());
    out.write_record(first.chain(names.iter().map(ToString::to_string))).map_err(io_error)?;
    for (i, node) in found.nodes.iter().enumerate() {
        let text = String::from_utf8_lossy(&vocab.concat(found.path(i))).into_owned();
        let own = [
            i.to_string(),
            node.parent.map_or("NA".to_string(), |parent| parent.to_string()),
            node.depth.to_string(),
            cell(&vocab.text(node.token)).into_owned(),
            node.token.0.to_string(),
            node.logprob.to_string(),
            node.rank.to_string(),
            node.joint.to_string(),
            node.leaf.map_or("NA", leaf_name).to_string(),
            cell(&text).into_owned(),
        ];
        out.write_record(model.clone().into_iter().chain(own)).map_err(io_error)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests;
