//! A conversation as one page: each token in the colour of its surprisal, with what else might have stood there,
//! and each reply's probabilities as a plot.

use std::io::{self, Write};

use minijinja::{Value, context};

use super::{Export, ExportRow, role};
use crate::report::html::page;
use crate::report::html::plot::{Chart, Point};
use crate::report::record::{CandidateRecord, StepRecord};
use crate::session::branch_line::BranchLine;
use crate::session::branches::Branch;
use crate::session::judged::scope;
use crate::session::judgement::Judgement;
use crate::session::turn::Turn;
use crate::token::visible;

/// Points of a plot; a longer reply shows its first ones.
const POINTS: usize = 400;

/// Writes it.
///
/// # Errors
/// Those of the writer.
pub(super) fn write(export: &Export, out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<ExportRow> = export.rows().collect();
    let turns = export.turns.iter().enumerate().map(|(i, turn)| {
        let its: Vec<&ExportRow> =
            rows.iter().filter(|row| row.turn == i + 1 && row.part != "scaffold").collect();
        said(turn, &its)
    });
    let title = export.turns.first().map_or(String::new(), |turn| crate::archive::title(&turn.content));
    let values = context! {
        title,
        model => export.about.model.clone(),
        provenance => export.about.provenance.as_ref().map(provenance),
        system => export.about.system.clone(),
        turns => turns.collect::<Vec<_>>(),
        branches => branches(export),
        marks => export.judgements.iter().map(mark).collect::<Vec<_>>(),
    };
    out.write_all(page(include_str!("page.html"), "", values)?.as_bytes())
}

/// The branches in the order of the tree, each with what it alone says.
fn branches(export: &Export) -> Vec<Value> {
    let all = export.branches.all();
    if all.len() < 2 {
        return Vec::new();
    }
    let is_root = |branch: &&Branch| !all.iter().any(|other| Some(other.number) == branch.from);
    let mut open: Vec<(usize, &Branch)> =
        all.iter().rev().filter(is_root).map(|branch| (0, branch)).collect();
    let mut rows = Vec::with_capacity(all.len());
    while let Some((depth, branch)) = open.pop() {
        let line = BranchLine::of(export.branches, branch);
        let own = branch.own.zip(branch.tip).map(|(own, tip)| {
            let path = export.branches.tree().path_to(tip).into_iter().filter(|number| *number >= own);
            let ids = path.filter_map(|number| export.branches.tree().node(number)).map(|node| node.id);
            shown(&export.vocab.concat(ids))
        });
        rows.push(context! {
            number => branch.number,
            depth => depth,
            current => branch.number == export.branches.current().number,
            name => export.branches.name(branch),
            from => line.from,
            sum => line.sum,
            mean => line.mean,
            tokens => line.tokens,
            own => own,
        });
        let left_it = all.iter().rev().filter(|other| other.from == Some(branch.number));
        open.extend(left_it.map(|other| (depth + 1, other)));
    }
    rows
}

fn mark(of: &Judgement) -> Value {
    let nats = |value: Option<f64>| value.map_or("–".to_string(), |value| format!("{value:.3}"));
    context! {
        scope => scope(of.scope),
        right => of.right,
        text => shown(&of.text()),
        sum => nats(of.sum_logprob()),
        weakest => of.weakest().map(|(token, logprob)| format!("{} {logprob:.3}", visible(&token.bytes))),
        note => of.note.clone(),
    }
}

fn provenance(of: &crate::report::record::Provenance) -> Vec<[String; 2]> {
    let rows = [
        ("file", of.file.clone()),
        ("quantization", of.quantization.clone()),
        ("weights", of.weights.clone()),
        ("context", of.context.map_or("not given".to_string(), |context| context.to_string())),
        ("exact", if of.exact { "yes" } else { "no" }.to_string()),
        ("tokenscope", of.version.to_string()),
    ];
    rows.map(|(name, value)| [name.to_string(), value]).to_vec()
}

fn said(turn: &Turn, tokens: &[&ExportRow]) -> Value {
    let reply = turn.reply.as_ref();
    let figure = |value: Option<f64>| value.map_or("–".to_string(), |value| format!("{value:.3}"));
    context! {
        role => role(turn),
        text => turn.text.clone(),
        tokens => tokens.iter().map(|record| token(record)).collect::<Vec<_>>(),
        score => reply.map(|reply| vec![
            ["Σ ln p (nat)".to_string(), format!("{:.3}", reply.score.sum_logprob())],
            ["nat per token".to_string(), figure(reply.score.mean_logprob())],
            ["perplexity".to_string(), figure(reply.score.perplexity())],
            ["tokens".to_string(), reply.score.tokens().to_string()],
            ["seed".to_string(), reply.seed.to_string()],
        ]),
        plot => reply.and_then(|_| plot(&tokens.iter().map(|row| &row.record).collect::<Vec<_>>())),
    }
}

/// A token with the table that stands beside it.
fn token(row_of: &ExportRow) -> Value {
    let record = &row_of.record;
    let nats = |value: Option<f32>| value.map_or("–".to_string(), |value| format!("{value:.3}"));
    let surprisal = record.logprob.map(|logprob| -f64::from(logprob) / std::f64::consts::LN_2);
    context! {
        text => shown(&record.bytes),
        breaks => record.bytes.contains(&b'\n'),
        name => visible(&record.bytes),
        level => surprisal.map_or("none", level),
        verdict => row_of.verdict.clone(),
        sign => row_of.verdict.as_deref().map(|verdict| if verdict.ends_with("right") { "right" } else { "wrong" }),
        note => row_of.verdict_note.clone(),
        logprob => nats(record.logprob),
        rank => record.rank.map_or("–".to_string(), |rank| rank.to_string()),
        entropy => nats(record.entropy),
        candidates => record.top_logprobs.iter().map(|candidate| row(candidate, record)).collect::<Vec<_>>(),
        rest => record.residual.map(|rest| format!("{:.2}", rest * 100.0)),
    }
}

/// A token's text on the page.
fn shown(bytes: &[u8]) -> String {
    visible(bytes).replace('␣', " ")
}

/// How surprising a token is, as the page colours it: below 1, 2, 4 and 8 bits, and above.
fn level(bits: f64) -> &'static str {
    match bits {
        b if b < 1.0 => "l1",
        b if b < 2.0 => "l2",
        b if b < 4.0 => "l3",
        b if b < 8.0 => "l4",
        _ => "l5",
    }
}

fn row(candidate: &CandidateRecord, of: &StepRecord) -> Value {
    let percent = |p: f64| format!("{:.2}", p * 100.0);
    let after = match (&candidate.dropped_by, candidate.final_prob) {
        (Some(stage), _) => stage.to_string(),
        (None, Some(p)) => percent(f64::from(p)),
        (None, None) => String::new(),
    };
    context! {
        name => visible(&candidate.bytes),
        chosen => candidate.id == of.id,
        raw => candidate.logprob.map_or("0".to_string(), |logprob| percent(f64::from(logprob).exp())),
        after,
    }
}

fn plot(tokens: &[&StepRecord]) -> Option<Value> {
    let known = tokens.iter().enumerate().filter_map(|(i, record)| Some((i + 1, *record, record.logprob?)));
    let points: Vec<Point> = known
        .take(POINTS)
        .map(|(step, record, logprob)| Point {
            x: step as f64,
            y: f64::from(logprob).exp(),
            range: None,
            passed: None,
            label: format!("{step} {}: p {:.4}", visible(&record.bytes), f64::from(logprob).exp()),
        })
        .collect();
    let chart = Chart {
        title: "the probability of each token".to_string(),
        x_label: "token".to_string(),
        y_label: "p (raw)".to_string(),
        points,
        guide: None,
        diagonal: false,
        open: false,
    };
    (chart.points.len() > 1).then(|| chart.draw())
}
