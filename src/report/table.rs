//! Tables for people, as plain text.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::engine::FinishReason;
use crate::score::Score;
use crate::step::{Seen, Step};
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
        "H bit",
        "final %"
    )?;
    for (i, step) in steps.into_iter().enumerate() {
        let token = padded(&vocab.visible(step.id), TOKEN);
        match &step.seen {
            None => writeln!(out, "{:>5}  {token} {:>9}  (no context)", i + 1, "–")?,
            Some(seen) => writeln!(out, "{:>5}  {token} {}", i + 1, figures(step, seen, vocab))?,
        }
    }
    Ok(())
}

fn figures(step: &Step, seen: &Seen, vocab: &Vocab) -> String {
    let logprob = if seen.logprob.is_finite() { format!("{:.3}", seen.logprob) } else { "-inf".to_string() };
    let bits = f64::from(seen.outlook.entropy) / std::f64::consts::LN_2;
    let last = seen.fate.map_or_else(|| "–".to_string(), |fate| format!("{:.2}", fate.prob * 100.0));
    let others = alternatives(step, seen, vocab);
    let raw = f64::from(seen.logprob).exp() * 100.0;
    format!("{logprob:>9} {raw:>7.2} {:>7} {bits:>8.2}  {last:>7}  {others}", seen.rank)
}

/// The best candidates but the one that stands there.
pub(super) fn alternatives(step: &Step, seen: &Seen, vocab: &Vocab) -> String {
    let others = seen.outlook.top.iter().filter(|candidate| candidate.id != step.id).take(ALTERNATIVES);
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
    let figure = |value: Option<f64>| value.map_or("–".to_string(), |value| format!("{value:.3}"));
    format!(
        "Σ {:.3} nat · {} nat/token · ppl {} · {} bit/byte · {} tokens ({why})",
        score.sum_logprob(),
        figure(score.mean_logprob()),
        figure(score.perplexity()),
        figure(score.bits_per_byte()),
        score.tokens()
    )
}

/// Cuts text to a number of columns, with an ellipsis where something is missing.
pub fn clipped(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_string();
    }
    let mut kept = String::new();
    for c in text.chars() {
        if kept.width() + c.width().unwrap_or(0) + 1 > columns {
            break;
        }
        kept.push(c);
    }
    kept + "…"
}

/// Fills text up to a number of columns.
pub fn padded(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(text.width())))
}

/// Text in lines of at most this many columns, cut at blanks, and where a script has none between two of
/// its characters.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.width() + 1 + word.width() <= columns {
            line.push(' ');
            line.push_str(word);
            continue;
        }
        if !line.is_empty() {
            lines.push(std::mem::take(&mut line));
        }
        for c in word.chars() {
            if line.width() + c.width().unwrap_or(0) > columns && !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.extend((!line.is_empty()).then_some(line));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_cut_at_blanks_and_else_between_characters() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("训练让正确的 词元", 7), ["训练让", "正确的", "词元"]);
        assert_eq!(wrapped("", 7), [""; 0]);
    }
}
