//! The target without each span of the prompt, through the scorer that shares what sequences share.

use super::context::{jobs, steps, total};
use super::floor;
use super::spans::{PromptSpan, SpanUnit, spans, usual};
use super::subject::Subject;
use crate::query::scoring::ScoringJob;
use crate::query::{Asker, QueryError};
use crate::token::{TokenId, visible};

/// Spans whose figures are found a second time, among others, to see what rounding does.
const TWICE: usize = 4;

/// What stands where a span was.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Instead {
    /// Nothing: what follows closes up.
    #[default]
    Nothing,
    /// This text's tokens, as many as there were.
    Neutral(Vec<u8>),
}

/// The spans.
#[derive(Clone, Debug)]
pub struct Occlusion {
    /// What they are.
    pub by: SpanUnit,
    /// The neutral tokens that replaced them.
    pub neutral: Option<Vec<TokenId>>,
    /// ln p of the target with everything, or its difference to what it is compared with.
    pub base: f64,
    /// In the order of the text, each with the change: without it, minus with it. `None` where nothing would
    /// be left to predict from.
    pub spans: Vec<(PromptSpan, Option<f64>)>,
}

impl Occlusion {
    /// How many spans change less than the floor, and how many have no figure.
    pub fn without_effect(&self, floor: f64) -> (usize, usize) {
        let below =
            self.spans.iter().filter(|(_, delta)| delta.is_some_and(|delta| delta.abs() < floor)).count();
        (below, self.spans.iter().filter(|(_, delta)| delta.is_none()).count())
    }

    /// The spans that matter, by the size of the change.
    pub fn sorted(&self) -> Vec<(&PromptSpan, f64)> {
        let mut known: Vec<_> =
            self.spans.iter().filter_map(|(span, delta)| Some((span, (*delta)?))).collect();
        known.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()).then(a.0.tokens.start.cmp(&b.0.tokens.start)));
        known
    }
}

/// Leaves each span out.
pub(super) fn occlusion(
    asker: &mut Asker,
    subject: &Subject,
    by: Option<SpanUnit>,
    instead: &Instead,
) -> Result<(f64, Occlusion), QueryError> {
    let by = by.unwrap_or_else(|| usual(subject));
    if by == SpanUnit::Turn && subject.words.iter().all(|word| word.turn.is_none()) {
        return Err(QueryError::Refused("only a conversation has turns: give one with --chat".to_string()));
    }
    let neutral = match instead {
        Instead::Nothing => None,
        Instead::Neutral(text) => Some(neutral(asker, text)?),
    };
    let spans = spans(subject, by);
    if spans.is_empty() {
        return Err(QueryError::Refused("nobody wrote anything that could be left out".to_string()));
    }
    let ids = subject.ids();
    let each = subject.named().count();
    let prompts: Vec<Vec<TokenId>> =
        spans.iter().map(|span| without(&ids, span, neutral.as_deref())).collect();
    let base = jobs(subject, &ids);
    let variants: Vec<Vec<ScoringJob>> = prompts.iter().map(|prompt| jobs(subject, prompt)).collect();
    let all: Vec<ScoringJob> = base.iter().chain(variants.iter().flatten()).cloned().collect();
    let scored = steps(asker, &all)?;
    // The base and the last spans once more: a batch of another size, and other places in it.
    let last = variants.iter().rev().take(TWICE - 1).flatten();
    let again: Vec<ScoringJob> = last.chain(&base).cloned().collect();
    let copies = steps(asker, &again)?;
    let first: Vec<&Vec<_>> = {
        let variants = &scored[each..];
        let last = variants.chunks(each).rev().take(TWICE - 1).flatten();
        last.chain(&scored[..each]).collect()
    };
    let differences = first.iter().zip(&copies).map(|(a, b)| total(a) - total(b));
    let floor = floor::floor(&asker.model, differences);
    let figure = |of: &[Vec<_>]| total(&of[0]) - of.get(1).map_or(0.0, |versus| total(versus));
    let with = figure(&scored[..each]);
    let deltas = scored[each..].chunks(each).map(|of| figure(of) - with);
    let deltas = deltas.map(|delta| delta.is_finite().then_some(delta));
    Ok((floor, Occlusion { by, neutral, base: with, spans: spans.into_iter().zip(deltas).collect() }))
}

fn neutral(asker: &Asker, text: &[u8]) -> Result<Vec<TokenId>, QueryError> {
    let encoded = asker.encoder(&asker.model, asker.settings.bos)?.encode(text)?;
    let ids: Vec<TokenId> =
        encoded.pieces.iter().skip(usize::from(encoded.has_bos)).map(|piece| piece.id).collect();
    if ids.is_empty() {
        return Err(QueryError::Refused(format!("--neutral «{}» has no token", visible(text))));
    }
    Ok(ids)
}

fn without(ids: &[TokenId], span: &PromptSpan, neutral: Option<&[TokenId]>) -> Vec<TokenId> {
    let filled = neutral.into_iter().flat_map(|neutral| neutral.iter().cycle().take(span.tokens.len()));
    ids[..span.tokens.start].iter().chain(filled).chain(&ids[span.tokens.end..]).copied().collect()
}
