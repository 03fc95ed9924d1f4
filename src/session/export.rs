//! `/export`: every token of the conversation's sequence with its figures, for other programs.

use std::io::{self, Write};
use std::path::Path;

use super::trace::Trace;
use super::turn::Turn;
use crate::chat::Role;
use crate::distribution::Depth;
use crate::report::output::json_line;
use crate::report::record::{StepRecord, Streamed};
use crate::token::Vocab;

/// How it is written, by the end of the file's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON Lines: one Step a line.
    Jsonl,
    /// One row a token.
    Csv,
    /// A transcript with each reply's score.
    Markdown,
}

impl Format {
    /// The format a file's name asks for.
    pub fn of(path: &Path) -> Option<Format> {
        match path.extension()?.to_str()? {
            "jsonl" | "json" => Some(Format::Jsonl),
            "csv" => Some(Format::Csv),
            "md" | "markdown" => Some(Format::Markdown),
            _ => None,
        }
    }
}

/// What is exported.
pub struct Export<'a> {
    /// The sequence.
    pub trace: &'a Trace,
    /// The turns, for a transcript.
    pub turns: &'a [Turn],
    /// The model's vocabulary.
    pub vocab: &'a Vocab,
    /// Candidates of each token.
    pub k: Depth,
}

impl Export<'_> {
    /// Writes it.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, mut out: &mut dyn Write, format: Format) -> io::Result<()> {
        match format {
            Format::Jsonl => self.jsonl(&mut out),
            Format::Csv => self.csv(&mut out),
            Format::Markdown => self.markdown(&mut out),
        }
    }

    /// Tokens whose figures are known, each with the running sum of its part: prompt, then reply.
    fn records(&self) -> impl Iterator<Item = (&'static str, StepRecord)> {
        let mut sum = 0.0;
        (0..self.trace.len()).filter_map(move |index| {
            if index == self.trace.reply_start() {
                sum = 0.0;
            }
            let step = self.trace.step(index)?;
            sum += step.logprob().map_or(0.0, f64::from);
            let part = if index < self.trace.reply_start() { "prompt" } else { "reply" };
            Some((part, StepRecord::new(step, self.k, sum, self.vocab)))
        })
    }

    fn jsonl(&self, out: &mut impl Write) -> io::Result<()> {
        for (_, record) in self.records() {
            json_line(out, &Streamed { kind: "step", message: None, origin: None, record })?;
        }
        Ok(())
    }

    fn csv(&self, out: &mut impl Write) -> io::Result<()> {
        let mut rows = csv::Writer::from_writer(out);
        rows.write_record([
            "part",
            "token",
            "id",
            "logprob",
            "rank",
            "entropy",
            "final_prob",
            "cumulative_logprob",
        ])?;
        let text = |value: Option<String>| value.unwrap_or_else(|| "NA".to_string());
        for (part, record) in self.records() {
            rows.write_record([
                part.to_string(),
                record.token,
                record.id.to_string(),
                text(record.logprob.map(|value| value.to_string())),
                text(record.rank.map(|value| value.to_string())),
                text(record.entropy.map(|value| value.to_string())),
                text(record.final_prob.map(|value| value.to_string())),
                text(record.cumulative_logprob.map(|value| value.to_string())),
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
        }
        Ok(())
    }
}
