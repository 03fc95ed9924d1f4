//! The target without each span of the prompt, through the scorer that shares what sequences share.

use super::context::{ScoredJobs, jobs, scored, total};
use super::floor;
use super::spans::{PromptSpan, SpanUnit, coarse, spans, usual};
use super::subject::Subject;
use crate::query::scoring::ScoringJob;
use crate::query::{Asker, QueryError};
use crate::token::{TokenId, visible};

/// Spans whose figures are found a second time, among others, to see what rounding does.
const TWICE: usize = 4;
/// Most tokens of a prompt of which every word is left out where nobody says what is.
pub const MOST_BY_WORD: usize = 200;

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
    /// Why spans are larger than they are elsewhere.
    pub note: Option<String>,
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

/// What is left out where nobody says: in a long prompt larger spans, and why.
fn chosen(subject: &Subject) -> (SpanUnit, Option<String>) {
    let (usual, tokens) = (usual(subject), subject.words.len());
    match coarse(subject).filter(|_| tokens > MOST_BY_WORD) {
        Some(by) => {
            let (name, usual) = (by.name(), usual.name());
            let note = format!(
                "{tokens} tokens: each {name} is left out, as each {usual} would take long; --by {usual} does"
            );
            (by, Some(note))
        }
        None => (usual, None),
    }
}

/// Leaves each span out. The last value says whether it came to its end.
pub(super) fn occlusion(
    asker: &mut Asker,
    subject: &Subject,
    by: Option<SpanUnit>,
    instead: &Instead,
) -> Result<(f64, Occlusion, bool), QueryError> {
    let (by, note) = by.map_or_else(|| chosen(subject), |by| (by, None));
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
    let first = scored(asker, &all)?;
    // The base and the last spans once more: a batch of another size, and other places in it.
    let last = variants.iter().rev().take(TWICE - 1).flatten();
    let again: Vec<ScoringJob> = last.chain(&base).cloned().collect();
    let copies = if first.done { scored(asker, &again)? } else { ScoredJobs::default() };
    let twice: Vec<&Option<Vec<_>>> = {
        let variants = &first.jobs[each..];
        let last = variants.chunks(each).rev().take(TWICE - 1).flatten();
        last.chain(&first.jobs[..each]).collect()
    };
    let differences = twice.iter().zip(&copies.jobs).filter_map(|(a, b)| {
        let (a, b) = (a.as_ref()?, b.as_ref()?);
        Some(total(a) - total(b))
    });
    let floor = floor::floor(&asker.model, differences);
    let figure = |of: &[Option<Vec<_>>]| -> Option<f64> {
        let totals: Option<Vec<f64>> = of.iter().map(|steps| steps.as_deref().map(total)).collect();
        let totals = totals?;
        Some(totals[0] - totals.get(1).unwrap_or(&0.0))
    };
    let Some(with) = figure(&first.jobs[..each]) else { return Err(QueryError::Stopped) };
    // A span that the run was stopped before has none.
    let found = spans.into_iter().zip(first.jobs[each..].chunks(each)).filter_map(|(span, of)| {
        let delta = figure(of)? - with;
        Some((span, delta.is_finite().then_some(delta)))
    });
    Ok((floor, Occlusion { by, neutral, base: with, spans: found.collect(), note }, copies.done))
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
