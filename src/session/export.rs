//! `/export`: every token of the conversation's sequence with its figures, for other programs.

use std::io::{self, Write};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use clap::ValueEnum;
use serde::Serialize;

use super::branches::Branches;
use super::judged::scope;
use super::judgement::Judgement;
use super::sequence::TokenSequence;
use super::turn::Turn;
use crate::archive::event::VerdictScope;
use crate::chat::Role;
use crate::distribution::Depth;
use crate::intervention::told;
use crate::report::cell::cell;
use crate::report::output::json_line;
use crate::report::record::{Provenance, StepRecord};
use crate::sequence::TreeNode;
use crate::token::Vocab;

mod html;
mod json;
pub mod suite;

use suite::NamedMark;

/// How it is written, by the end of the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// A transcript with each reply's score
    Markdown,
    /// One object, as OpenAI's chat completions have it
    Json,
    /// One step a line
    Jsonl,
    /// One row a token
    Csv,
    /// A page with every token's candidates and every branch
    Html,
    /// What was marked, as a probe suite that asks it again
    Suite,
}

impl ExportFormat {
    /// The format a file's name asks for.
    pub fn of(path: &Path) -> Option<ExportFormat> {
        match path.extension()?.to_str()? {
            "jsonl" => Some(ExportFormat::Jsonl),
            "json" => Some(ExportFormat::Json),
            "html" | "htm" => Some(ExportFormat::Html),
            "csv" => Some(ExportFormat::Csv),
            "toml" => Some(ExportFormat::Suite),
            "md" | "markdown" => Some(ExportFormat::Markdown),
            _ => None,
        }
    }
}

/// What is exported.
pub struct Export<'a> {
    /// The sequence.
    pub sequence: TokenSequence<'a>,
    /// The turns, for a transcript.
    pub turns: &'a [Arc<Turn>],
    /// The model's vocabulary.
    pub vocab: &'a Vocab,
    /// What stands before its messages.
    pub about: &'a ExportAbout,
    /// Candidates of each token.
    pub k: Depth,
    /// Every way the conversation has gone.
    pub branches: &'a Branches,
    /// What people said of its tokens.
    pub judgements: Vec<Judgement>,
}

/// What stands before the messages of a conversation.
#[derive(Clone, Debug, Default)]
pub struct ExportAbout {
    /// Whose figures these are.
    pub model: String,
    /// Where they come from.
    pub provenance: Option<Provenance>,
    /// The system prompt.
    pub system: Option<String>,
}

/// A turn's own tokens in the sequence.
struct ExportPlace {
    turn: usize,
    role: &'static str,
    tokens: Range<usize>,
}

/// One token, and which message it belongs to.
#[derive(Serialize)]
struct ExportRow {
    #[serde(rename = "type")]
    kind: &'static str,
    /// The message, from 1 on; 0 is the system prompt. A scaffold's is the one it leads to, after the last
    /// one the last.
    turn: usize,
    role: &'static str,
    /// `scaffold`, `typed` or `reply`.
    part: &'static str,
    #[serde(flatten)]
    record: StepRecord,
    /// What was off or added where it was predicted, as it is written.
    interventions: Vec<String>,
    /// What a person said of it: `right` or `wrong`, with `span` or `reply` before it where it is a part of one.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<String>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict_note: Option<String>,
}

fn said(right: bool) -> &'static str {
    if right { "right" } else { "wrong" }
}

fn role(turn: &Turn) -> &'static str {
    if turn.role == Role::Assistant { "assistant" } else { "user" }
}

impl Export<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, mut out: &mut dyn Write, format: ExportFormat) -> io::Result<()> {
        match format {
            ExportFormat::Json => json::write(self, &mut out),
            ExportFormat::Html => html::write(self, &mut out),
            ExportFormat::Jsonl => self.jsonl(&mut out),
            ExportFormat::Csv => self.csv(&mut out),
            ExportFormat::Markdown => self.markdown(&mut out),
            ExportFormat::Suite => {
                let marks = self.judgements.iter().map(|mark| NamedMark { session: "", mark });
                let model = Some(self.about.model.as_str()).filter(|model| !model.is_empty());
                suite::write(&marks.collect::<Vec<_>>(), model, out)
            }
        }
    }

    /// Tokens whose figures are known. The running sum is that of one reply; other tokens have none.
    fn rows(&self) -> impl Iterator<Item = ExportRow> {
        let mut places = self.places();
        places.reverse();
        let mut sum = 0.0;
        (0..self.sequence.len()).filter_map(move |index| {
            // Places are in order: those that ended before this token are done with.
            while places.last().is_some_and(|place| place.tokens.end <= index) {
                places.pop();
                sum = 0.0;
            }
            let step = self.sequence.step(index)?;
            let inside = places.last().is_some_and(|place| place.tokens.contains(&index));
            let typed = self.sequence.get(index).is_some_and(TreeNode::is_said);
            let place = places.last();
            let system = typed && !inside && place.is_some_and(|place| place.turn == 1);
            let (turn, role) = match place {
                _ if system => (0, "system"),
                Some(place) => (place.turn, place.role),
                None => (self.turns.len(), self.turns.last().map_or("user", |turn| role(turn))),
            };
            let reply = inside && role == "assistant";
            let part = match () {
                () if reply => "reply",
                () if typed => "typed",
                () => "scaffold",
            };
            sum += step.logprob().filter(|_| reply).map_or(0.0, f64::from);
            let running = if reply { sum } else { f64::NAN };
            let record = StepRecord::new(step, self.k, running, self.vocab);
            let interventions = self.sequence.in_force().of_token(index).names();
            let mark = self.mark_at(index);
            let verdict = mark.map(|mark| match (mark.scope, mark.right) {
                (VerdictScope::Token, right) => said(right).to_string(),
                (other, right) => format!("{} {}", scope(other), said(right)),
            });
            let verdict_note = mark.and_then(|mark| mark.note.clone());
            Some(ExportRow { kind: "step", turn, role, part, record, interventions, verdict, verdict_note })
        })
    }

    /// The mark on a token of the sequence: of it alone, or of the shortest stretch around it.
    fn mark_at(&self, index: usize) -> Option<&Judgement> {
        let number = *self.branches.tree().path().get(index)?;
        let holds = |mark: &&Judgement| mark.tokens.iter().any(|token| token.node == number);
        let length = |mark: &&Judgement| (mark.tokens.len(), mark.scope != VerdictScope::Token);
        self.judgements.iter().filter(holds).min_by_key(length)
    }

    /// Where each turn's own tokens lie, in order.
    fn places(&self) -> Vec<ExportPlace> {
        let turns = self.turns.iter().enumerate();
        turns
            .filter_map(|(i, turn)| {
                Some(ExportPlace { turn: i + 1, role: role(turn), tokens: turn.tokens()? })
            })
            .collect()
    }

    fn jsonl(&self, out: &mut impl Write) -> io::Result<()> {
        self.rows().try_for_each(|row| json_line(out, &row))
    }

    fn csv(&self, out: &mut impl Write) -> io::Result<()> {
        let mut rows = csv::Writer::from_writer(out);
        rows.write_record([
            "turn",
            "role",
            "part",
            "token",
            "id",
            "logprob",
            "rank",
            "entropy",
            "final_prob",
            "cumulative_logprob",
            "interventions",
            "verdict",
            "verdict_note",
        ])?;
        let text = |value: Option<String>| value.unwrap_or_else(|| "NA".to_string());
        for ExportRow { turn, role, part, record, interventions, verdict, verdict_note, .. } in self.rows() {
            rows.write_record([
                turn.to_string(),
                role.to_string(),
                part.to_string(),
                cell(&record.token).into_owned(),
                text(record.id.map(|id| id.to_string())),
                text(record.logprob.map(|value| value.to_string())),
                text(
                    record
                        .rank
                        .map(|value| value.to_string())
                        .or_else(|| record.bounds.shown("rank", |rank| rank.to_string())),
                ),
                text(
                    record
                        .entropy
                        .map(|value| value.to_string())
                        .or_else(|| record.bounds.shown("entropy", |nats| nats.to_string())),
                ),
                text(record.final_prob.map(|value| value.to_string())),
                text(record.cumulative_logprob.map(|value| value.to_string())),
                cell(&interventions.join(", ")).into_owned(),
                text(verdict),
                text(verdict_note.map(|note| cell(&note).into_owned())),
            ])?;
        }
        rows.flush()
    }

    fn markdown(&self, out: &mut impl Write) -> io::Result<()> {
        for turn in self.turns {
            let name = if turn.role == Role::Assistant { "model" } else { "you" };
            writeln!(out, "**{name}**\n\n{}\n", turn.content)?;
            let Some(reply) = &turn.reply else { continue };
            let figure = |value: Option<f64>| value.map_or("–".to_string(), |value| format!("{value:.3}"));
            writeln!(
                out,
                "*Σ {:.3} nat, {} nat per token, perplexity {}, {} tokens, seed {}*\n",
                reply.score.sum_logprob(),
                figure(reply.score.mean_logprob()),
                figure(reply.score.perplexity()),
                reply.score.tokens(),
                reply.seed
            )?;
            if !reply.under.is_empty() {
                writeln!(out, "*{}*\n", told(&reply.under.names()))?;
            }
        }
        for mark in &self.judgements {
            let (text, note) = (String::from_utf8_lossy(&mark.text()).into_owned(), mark.note.as_deref());
            let note = note.map_or(String::new(), |note| format!(": {note}"));
            writeln!(out, "- {} marked {}: “{}”{note}", scope(mark.scope), said(mark.right), text.trim())?;
        }
        Ok(())
    }
}
