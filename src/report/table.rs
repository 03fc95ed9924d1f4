//! Tables for people, as plain text.

use super::next::percent;
use super::view::{Column, Table, TableRow};
use crate::engine::FinishReason;
use crate::score::Score;
use crate::step::{Step, TokenStats};
use crate::token::Vocab;

/// Columns of a token.
const TOKEN: usize = 16;
/// Alternatives named beside a step.
const ALTERNATIVES: usize = 3;

/// A row a token: the token, its raw figures, its final probability, the best alternatives.
pub fn steps<'a>(steps: impl IntoIterator<Item = &'a Step>, vocab: &Vocab) -> Table {
    let mut table = Table::new([
        Column::figures("step", 5).after(0),
        Column::text("token", TOKEN).after(2),
        Column::figures("ln p", 9),
        Column::figures("raw %", 7),
        Column::figures("rank", 7),
        Column::figures("H nat", 8),
        Column::figures("final %", 7).after(2),
        Column::text("instead", 0).after(2),
    ]);
    for (i, step) in steps.into_iter().enumerate() {
        let mut cells = vec![(i + 1).to_string(), vocab.visible(step.id)];
        match &step.stats {
            None => cells.extend(["–", "", "", "", "", "(no context)"].map(str::to_string)),
            Some(stats) => cells.extend(figures(step, stats, vocab)),
        }
        table.rows.push(TableRow { cells: cells.into_iter().map(Into::into).collect(), item: Some(i) });
    }
    table
}

fn figures(step: &Step, stats: &TokenStats, vocab: &Vocab) -> [String; 6] {
    [
        if stats.logprob.is_finite() { format!("{:.3}", stats.logprob) } else { "-inf".to_string() },
        percent(f64::from(stats.logprob).exp()),
        stats.rank.shown(|rank| rank.to_string()),
        stats.prediction.entropy.shown(|entropy| format!("{entropy:.2}")),
        stats.outcome.map_or_else(|| "–".to_string(), |outcome| percent(f64::from(outcome.prob))),
        alternatives(step, stats, vocab),
    ]
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
    let why = reason.words();
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
