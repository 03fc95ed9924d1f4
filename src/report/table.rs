//! Tables for people, as plain text.

use std::io::{self, Write};

use crate::columns::padded;
use crate::engine::FinishReason;
use crate::score::Score;
use crate::step::{Step, TokenStats};
use crate::token::Vocab;

/// Columns of a token.
const TOKEN: usize = 16;
/// Alternatives named beside a step.
const ALTERNATIVES: usize = 3;

/// Writes a row a token: the token, its raw figures, its final probability, the best alternatives.
///
/// # Errors
/// Those of the writer.
pub fn steps<'a>(
    out: &mut impl Write,
    steps: impl IntoIterator<Item = &'a Step>,
    vocab: &Vocab,
) -> io::Result<()> {
    writeln!(
        out,
        "{:>5}  {} {:>9} {:>7} {:>7} {:>8}  {:>7}  instead",
        "step",
        padded("token", TOKEN),
        "ln p",
        "raw %",
        "rank",
        "H nat",
        "final %"
    )?;
    for (i, step) in steps.into_iter().enumerate() {
        let token = padded(&vocab.visible(step.id), TOKEN);
        match &step.stats {
            None => writeln!(out, "{:>5}  {token} {:>9}  (no context)", i + 1, "–")?,
            Some(stats) => writeln!(out, "{:>5}  {token} {}", i + 1, figures(step, stats, vocab))?,
        }
    }
    Ok(())
}

fn figures(step: &Step, stats: &TokenStats, vocab: &Vocab) -> String {
    let logprob =
        if stats.logprob.is_finite() { format!("{:.3}", stats.logprob) } else { "-inf".to_string() };
    let entropy = stats.prediction.entropy;
    let last =
        stats.outcome.map_or_else(|| "–".to_string(), |outcome| format!("{:.2}", outcome.prob * 100.0));
    let others = alternatives(step, stats, vocab);
    let raw = f64::from(stats.logprob).exp() * 100.0;
    format!("{logprob:>9} {raw:>7.2} {:>7} {entropy:>8.2}  {last:>7}  {others}", stats.rank)
}

/// The best candidates but the one that stands there.
pub(super) fn alternatives(step: &Step, stats: &TokenStats, vocab: &Vocab) -> String {
    let others =
        stats.prediction.top_logprobs.iter().filter(|candidate| candidate.id != step.id).take(ALTERNATIVES);
    let named = others.map(|other| format!("{} {:.1}%", vocab.visible(other.id), other.prob() * 100.0));
    named.collect::<Vec<_>>().join("  ")
}

/// The line under a table of generated steps.
pub fn total(score: &Score, reason: FinishReason) -> String {
    let why = match reason {
        FinishReason::Stop => "the model ended it",
        FinishReason::Length => "as many as asked for",
        FinishReason::Cancelled => "stopped",
        FinishReason::Context => "the context is full",
    };
    let per_byte = (score.bytes() > 0).then(|| score.sum_logprob() / score.bytes() as f64);
    let figure = |value: Option<f64>| value.map_or("–".to_string(), |value| format!("{value:.3}"));
    format!(
        "Σ {:.3} nat · {} nat/token · ppl {} · {} nat/byte · {} tokens ({why})",
        score.sum_logprob(),
        figure(score.mean_logprob()),
        figure(score.perplexity()),
        figure(per_byte),
        score.tokens()
    )
}
