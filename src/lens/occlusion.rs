//! The target without each span of the prompt, through the scorer that shares what sequences share.

use super::floor;
use super::rest::{PromptRest, ScoredJobs, after, total};
use super::spans::{PromptSpan, SpanUnit, coarse, spans, usual};
use super::subject::Subject;
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
    // What leaves the common prompt first comes first, and the base last: the scorer's batches are fullest then.
    let base = PromptRest::of(&ids, 0..ids.len());
    let without = spans.iter().map(|span| without(&base, span, neutral.as_deref()));
    let prompts: Vec<PromptRest> = without.chain([base.clone()]).collect();
    // The last spans and the base before all of them: a batch of another size, and other places in it.
    let twice = prompts.len() - TWICE.min(prompts.len());
    let copies = after(asker, subject, &prompts[twice..])?;
    let first = if copies.done { after(asker, subject, &prompts)? } else { ScoredJobs::default() };
    let differences = first.jobs.iter().skip(each * twice).zip(&copies.jobs).filter_map(|(a, b)| {
        let (a, b) = (a.as_ref()?, b.as_ref()?);
        Some(total(a) - total(b))
    });
    let floor = floor::floor(&asker.model, differences);
    let figure = |of: &[Option<Vec<_>>]| -> Option<f64> {
        let totals: Option<Vec<f64>> = of.iter().map(|steps| steps.as_deref().map(total)).collect();
        let totals = totals?;
        Some(totals[0] - totals.get(1).unwrap_or(&0.0))
    };
    // A run that was stopped has the base from before.
    let base_of = |jobs: &[Option<Vec<_>>]| figure(jobs.get(jobs.len().checked_sub(each)?..)?);
    let Some(with) = base_of(&first.jobs).or_else(|| base_of(&copies.jobs)) else {
        return Err(QueryError::Stopped);
    };
    // A span that the run was stopped before has none.
    let found = spans.into_iter().zip(first.jobs.chunks(each)).filter_map(|(span, of)| {
        let delta = figure(of)? - with;
        Some((span, delta.is_finite().then_some(delta)))
    });
    Ok((floor, Occlusion { by, neutral, base: with, spans: found.collect(), note }, first.done))
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

/// The prompt without a span, or with neutral tokens in its place, which then stand where those stood.
fn without(base: &PromptRest, span: &PromptSpan, neutral: Option<&[TokenId]>) -> PromptRest {
    let mut rest = base.clone();
    match neutral {
        Some(neutral) => {
            let places = rest.ids[span.tokens.clone()].iter_mut();
            places.zip(neutral.iter().cycle()).for_each(|(id, &neutral)| *id = neutral);
        }
        None => {
            rest.ids.drain(span.tokens.clone());
            rest.stood.drain(span.tokens.clone());
        }
    }
    rest
}
