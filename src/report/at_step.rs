//! What was found at one step of a conversation, as a table.

use super::bars::bar;
use super::next::{named, percent, percent_wide};
use super::view::{Column, Table, TableRow, View};
use crate::query::step_question::{StepAnswer, StepFinding};
use crate::query::what_if::Fate;
use crate::step::SamplerOutcome;
use crate::token::{Vocab, visible};

/// Columns of a bar.
const BAR: usize = 10;
/// Columns of a token.
const TOKEN: usize = 18;

/// The table.
pub fn view(answer: &StepAnswer, vocab: &Vocab) -> View {
    let mut view = View::default();
    match &answer.found {
        StepFinding::WhatIf(sampling, what_if) => {
            view.text(format!("{} with {}", answer.place, sampling.summary().join(" ")));
            view.table(fates(answer, &what_if.tokens, vocab));
            let all = vocab.len();
            view.text(match what_if.left {
                Some(left) => format!("{left} of {all} tokens can still be chosen"),
                None => "which tokens can still be chosen is not known".to_string(),
            });
            if let Some(note) = &what_if.note {
                view.text(note.clone());
            }
        }
        StepFinding::Text(found) => {
            view.text(format!("{}: «{}»", answer.place, visible(&found.text)));
            view.table(named(std::slice::from_ref(found), vocab));
            if found.ids.len() > 1 {
                view.text("p and ln p of the whole text by the chain rule, rank of its first token");
            }
        }
        StepFinding::Holding(letters, tokens, count) => {
            let letters = visible(letters.as_bytes());
            view.text(format!("{}: {count} tokens hold «{letters}»", answer.place));
            view.table(fates(answer, tokens, vocab));
            if tokens.len() < *count {
                view.text(format!("the {} most probable of them", tokens.len()));
            }
        }
    }
    view
}

fn fates(answer: &StepAnswer, tokens: &[Fate], vocab: &Vocab) -> Table {
    let mut table = Table::new([
        Column::figures("rank", 7).after(0),
        Column::text("token", TOKEN).after(2),
        Column::figures("raw %", 7),
        Column::figures("was %", 7),
        Column::figures("final %", 8),
        Column::bars("", BAR).after(2),
        Column::text("dropped by", 0).after(2),
    ]);
    let stood = answer.stood.as_ref().map(|step| step.id);
    for fate in tokens {
        let mark = if stood == Some(fate.id) { "▸" } else { "" };
        let p = f64::from(fate.logprob).exp();
        let chance = fate.prob.exact().map_or(0.0, f64::from);
        table.rows.push(TableRow::new([
            fate.rank.to_string().into(),
            format!("{mark}{}", vocab.visible(fate.id)).into(),
            percent_wide(p).into(),
            answer.was(fate.id).map_or_else(|| "–".to_string(), was).into(),
            fate.prob.shown(|prob| percent(f64::from(prob))).into(),
            bar(chance, BAR).into(),
            fate.dropped_by.map_or_else(String::new, |stage| stage.to_string()).into(),
        ]));
    }
    table
}

/// What became of a token when the step was written.
fn was(outcome: SamplerOutcome) -> String {
    match outcome.dropped_by {
        Some(stage) => stage.to_string(),
        None => percent(f64::from(outcome.prob)),
    }
}
