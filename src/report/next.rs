//! What comes next, as a record and as a table.

use std::io::{self, Write};

use serde::Serialize;

use super::bars::bar;
use super::record::{CandidateRecord, Origin, top};
use crate::columns::padded;
use crate::distribution::Depth;
use crate::query::next::Next;
use crate::step::Candidate;
use crate::token::{TokenId, Vocab, text_of, visible};

/// Columns of a bar.
const BAR: usize = 10;
/// Columns of a token.
const TOKEN: usize = 18;

/// The answer of `next`.
#[derive(Debug, Serialize)]
pub struct NextRecord<'a> {
    #[serde(flatten)]
    origin: &'a Origin,
    prompt_tokens: &'a [TokenId],
    entropy: f32,
    varentropy: f32,
    residual: Option<f64>,
    top_logprobs: Vec<CandidateRecord>,
    tokens: Vec<NamedRecord<'a>>,
}

/// A text and its probability.
#[derive(Debug, Serialize)]
pub struct NamedRecord<'a> {
    text: String,
    ids: &'a [TokenId],
    logprob: Option<f64>,
    first: CandidateRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

impl<'a> NextRecord<'a> {
    /// The record of an answer about `texts`.
    pub fn new(next: &'a Next, texts: &[&[u8]], (k, vocab): (Depth, &Vocab), origin: &'a Origin) -> Self {
        let (top_logprobs, residual) = top(&next.prediction, k, vocab);
        let tokens = next.texts.iter().zip(texts).map(|(named, text)| NamedRecord {
            text: text_of(text),
            ids: &named.ids,
            logprob: named.logprob.is_finite().then_some(named.logprob),
            first: CandidateRecord::new(&named.first, vocab),
            note: named.note,
        });
        NextRecord {
            origin,
            prompt_tokens: &next.prompt,
            entropy: next.prediction.entropy,
            varentropy: next.prediction.varentropy,
            residual,
            top_logprobs,
            tokens: tokens.collect(),
        }
    }
}

/// A table of the candidates and the named texts.
///
/// # Errors
/// Those of the writer.
pub fn table(out: &mut impl Write, next: &Next, texts: &[&[u8]], k: Depth, vocab: &Vocab) -> io::Result<()> {
    let (shown, residual) = next.prediction.shown(next.prediction.count(k));
    writeln!(out, "{:>7}  {} {:>7} {:>9}", "rank", padded("token", TOKEN), "p %", "ln p")?;
    for candidate in shown {
        writeln!(out, "{:>7}  {}", candidate.rank, line(candidate, vocab))?;
    }
    let hidden = next.prediction.n_vocab as usize - shown.len();
    let rest = padded(&format!("… {hidden} more"), TOKEN);
    writeln!(out, "{:>7}  {rest} {:>7} {:>9}  {}", "", percent(residual), "", bar(residual, BAR))?;
    let entropy = next.prediction.entropy;
    let margin =
        next.prediction.margin().map_or(String::new(), |margin| format!(" · margin {margin:.3} nat"));
    writeln!(out, "entropy {entropy:.3} nat{margin} · after {} tokens", next.prompt.len())?;
    if next.texts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{:>7}  {} {:>11} {:>9}  tokens", "rank", padded("text", TOKEN), "p %", "ln p")?;
    for (named, text) in next.texts.iter().zip(texts) {
        let shown = padded(&visible(text), TOKEN);
        let p = percent_wide(named.logprob.exp());
        let pieces: Vec<String> = named.ids.iter().map(|&id| vocab.visible(id)).collect();
        let note = named.note.map_or(String::new(), |note| format!("  ({note})"));
        let rank = named.first.rank;
        writeln!(out, "{rank:>7}  {shown} {p:>11} {:>9.3}  {}{note}", named.logprob, pieces.join("·"))?;
    }
    if next.texts.iter().any(|named| named.ids.len() > 1) {
        writeln!(out, "a text of several tokens: p and ln p of the whole, rank of its first token")?;
    }
    Ok(())
}

fn line(candidate: &Candidate, vocab: &Vocab) -> String {
    let p = candidate.prob();
    let token = padded(&vocab.visible(candidate.id), TOKEN);
    format!("{token} {:>7} {:>9.3}  {}", percent(p), candidate.logprob, bar(p, BAR))
}

/// A probability in percent.
pub(super) fn percent(p: f64) -> String {
    format!("{:.2}", p * 100.0)
}

/// The same with enough digits for an improbable text.
fn percent_wide(p: f64) -> String {
    if p >= 1e-4 { percent(p) } else { format!("{:.2e}", p * 100.0) }
}
