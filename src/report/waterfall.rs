//! What the sampler made of the candidates of each step: raw probability, final probability, and the
//! stage that dropped a candidate.

use std::io::{self, Write};

use super::bars::bar;
use super::next::{others, percent};
use crate::columns::padded;
use crate::distribution::Depth;
use crate::step::{Candidate, SamplerOutcome, Step, TokenStats};
use crate::token::Vocab;

/// Columns of a bar.
const BAR: usize = 12;
/// Columns of a token.
const TOKEN: usize = 18;

/// Writes a block a step.
///
/// # Errors
/// Those of the writer.
pub fn waterfall<'a>(
    out: &mut impl Write,
    steps: impl IntoIterator<Item = &'a Step>,
    k: Depth,
    vocab: &Vocab,
) -> io::Result<()> {
    let (token, bars) = (padded("candidate", TOKEN), padded("", BAR));
    writeln!(out, "      {token} {:>6} {bars}  {:>6}", "raw %", "final %")?;
    for (i, step) in steps.into_iter().enumerate() {
        let Some(stats) = &step.stats else { continue };
        head(out, i + 1, step, stats, vocab)?;
        let (shown, residual) = stats.prediction.shown(stats.prediction.count(k));
        for candidate in shown {
            row(out, candidate, step, vocab)?;
        }
        let mut hidden = ((stats.prediction.n_vocab as usize).saturating_sub(shown.len()), residual);
        if stats.outcome.is_some() && !shown.iter().any(|candidate| candidate.id == step.id) {
            let own = stats.of_token(step.id);
            row(out, &own, step, vocab)?;
            hidden = (hidden.0.saturating_sub(1), residual.map(|residual| (residual - own.prob()).max(0.0)));
        }
        let rest = padded(&others(hidden.0), TOKEN + 2);
        writeln!(out, "    {rest} {:>6}", hidden.1.shown(percent))?;
    }
    Ok(())
}

fn head(
    out: &mut impl Write,
    number: usize,
    step: &Step,
    stats: &TokenStats,
    vocab: &Vocab,
) -> io::Result<()> {
    let entropy = stats.prediction.entropy.shown(|entropy| format!("{entropy:.2}"));
    let (token, rank) = (vocab.visible(step.id), stats.rank.shown(|rank| rank.to_string()));
    writeln!(out, "step {number}  {token}  ln p {:.3} · rank {rank} · H {entropy} nat", stats.logprob)
}

fn row<R>(out: &mut impl Write, candidate: &Candidate<R>, step: &Step, vocab: &Vocab) -> io::Result<()> {
    let mark = if candidate.id == step.id { "▸" } else { " " };
    let token = padded(&vocab.visible(candidate.id), TOKEN);
    let raw = candidate.prob();
    let end = candidate.outcome.map(outcome).unwrap_or_default();
    let bars = padded(&bar(raw, BAR), BAR);
    writeln!(out, "    {mark} {token} {:>6} {bars}  {end}", percent(raw))
}

fn outcome(outcome: SamplerOutcome) -> String {
    match outcome.dropped_by {
        Some(stage) => format!("{:>6} dropped by {stage}", "–"),
        None => format!("{:>6} {}", percent(f64::from(outcome.prob)), bar(f64::from(outcome.prob), BAR)),
    }
}
