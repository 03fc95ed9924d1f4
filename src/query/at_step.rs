//! A step of a path with its whole row of logits: what any sampler would make of it, how probable any text is
//! there, which tokens hold some letters.

use std::borrow::Cow;
use std::sync::Arc;

use super::next::NamedText;
use super::{Asker, QueryError};
use crate::distribution::{self, Depth, Distribution};
use crate::engine::row::{LogitsFound, RowRequest};
use crate::engine::{Command, EngineError, Event, FinishReason, ModelInfo};
use crate::intervention::InForce;
use crate::sampling::Constraint;
use crate::step::{Candidate, Prediction, Step};
use crate::token::{TokenId, Vocab};

/// The best of a row that a constraint has cut, as a sampler is given them; it looks at more where it needs them.
const BEST: usize = 64;

/// A step whose row is wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowWish {
    /// The exact ids before it; at least one.
    pub path: Vec<TokenId>,
    /// Of the reply so far, which ends the path: with which final probability each token was chosen, where that
    /// is known.
    pub begun: Vec<Option<f32>>,
    /// What the reply must follow.
    pub constraint: Option<Constraint>,
    /// What is in force at each position.
    pub in_force: InForce,
}

impl RowWish {
    fn request(&self, then: &[TokenId]) -> RowRequest {
        RowRequest {
            path: self.path.clone(),
            begun: self.begun.len(),
            constraint: self.constraint.clone(),
            then: then.to_vec(),
            in_force: self.in_force.clone(),
            ..RowRequest::default()
        }
    }
}

/// A step with its whole row.
#[derive(Debug)]
pub struct StepRow {
    /// Which step.
    pub wish: RowWish,
    /// Whose row it is.
    pub model: Arc<ModelInfo>,
    logits: Arc<[f32]>,
    /// What a constraint leaves of it; why that is not known.
    allowed: Option<Result<Arc<[f32]>, String>>,
    /// How many tokens back the sampler looks for repetitions.
    pub(super) reach: usize,
    raw: Distribution,
    /// Every token with its logit, by (logit descending, id ascending).
    sorted: Vec<(TokenId, f32)>,
}

/// The row of a step.
///
/// # Errors
/// [`QueryError`].
pub fn row(asker: &mut Asker, wish: &RowWish) -> Result<StepRow, QueryError> {
    let (found, _) = found(asker, wish, &[])?;
    StepRow::new(wish.clone(), Arc::clone(&asker.model), found).map_err(QueryError::from)
}

/// How probable a text is at a step. It is tokenized by itself, as the ids before it are what they are.
///
/// # Errors
/// [`QueryError`].
pub fn text(asker: &mut Asker, wish: &RowWish, text: &[u8]) -> Result<NamedText, QueryError> {
    let ids = asker.encoder(&asker.model, crate::settings::Bos::Never)?.encode(text)?.ids();
    if ids.is_empty() {
        return Err(QueryError::Refused("write a text: nothing is certain to follow".to_string()));
    }
    let (_, steps) = found(asker, wish, &ids)?;
    if steps.len() != ids.len() || steps.iter().any(|step| step.stats.is_none()) {
        return Err(QueryError::Stopped);
    }
    Ok(NamedText::spelled(text, ids, &steps))
}

fn found(
    asker: &mut Asker,
    wish: &RowWish,
    then: &[TokenId],
) -> Result<(LogitsFound, Vec<Step>), QueryError> {
    asker.must_fit(wish.path.len() + then.len())?;
    let request = RowRequest { cancel: asker.cancel.clone(), ..wish.request(then) };
    let (mut row, mut steps) = (None, Vec::new());
    let (reason, _) = asker.client.run(Command::Row(request), |event| match event {
        Event::Row(found) => row = Some(*found),
        Event::Scored { steps: found, .. } => steps = found,
        _ => {}
    })?;
    match row {
        Some(row) if reason != FinishReason::Cancelled => Ok((row, steps)),
        _ => Err(QueryError::Stopped),
    }
}

impl StepRow {
    fn new(wish: RowWish, model: Arc<ModelInfo>, found: LogitsFound) -> Result<StepRow, EngineError> {
        let LogitsFound { logits, allowed, reach } = found;
        let raw = Distribution::measure(&logits, Depth::Count(BEST), None)?;
        let mut sorted: Vec<(TokenId, f32)> = (0..).map(TokenId).zip(logits.iter().copied()).collect();
        sorted.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        Ok(StepRow { wish, model, logits, allowed, reach, raw, sorted })
    }

    /// Every token, the most probable first; of equals, the one with the smaller id.
    pub fn order(&self) -> impl Iterator<Item = TokenId> + '_ {
        self.sorted.iter().map(|(id, _)| *id)
    }

    /// Why what the constraint allows is not known.
    pub fn refusal(&self) -> Option<&str> {
        self.allowed.as_ref().and_then(|allowed| allowed.as_ref().err()).map(String::as_str)
    }

    /// The row that a sampler is given; `None` where nothing is possible.
    pub(super) fn sampled(&self, constrained: bool) -> Option<SampledRow<'_>> {
        let (row, best): (&[f32], _) = match self.allowed.as_ref().filter(|_| constrained) {
            Some(Ok(allowed)) => (allowed, Cow::Owned(distribution::best(allowed, BEST))),
            Some(Err(_)) => return None,
            // However many a stage looks at, none is looked for again.
            None => (&self.logits, Cow::Borrowed(&self.sorted[..])),
        };
        best.first().is_some_and(|best| best.1 > f32::NEG_INFINITY).then_some(SampledRow { row, best })
    }

    /// Whether the constraint rules a token out.
    pub(super) fn is_ruled_out(&self, id: TokenId) -> bool {
        let possible = |row: &[f32]| row.get(id.index()).is_some_and(|logit| *logit > f32::NEG_INFINITY);
        matches!(&self.allowed, Some(Ok(allowed)) if possible(&self.logits) && !possible(allowed))
    }

    /// A token's raw figures.
    pub fn raw(&self, id: TokenId) -> Candidate {
        let logit = self.logits.get(id.index()).copied().unwrap_or(f32::NEG_INFINITY);
        let above = self.sorted.partition_point(|other| other.1 > logit);
        Candidate { id, logprob: self.raw.logprob(logit) as f32, rank: above as u32 + 1, outcome: None }
    }

    /// The distribution, as far as a step keeps one.
    pub fn prediction(&self) -> Prediction {
        Prediction::measured(&self.raw, self.logits.len(), |_| None)
    }

    /// The tokens that hold these letters, the most probable first. Capitals are told apart where some are
    /// written. What no letter is (a control token's name) is a token's text too.
    pub fn holding(&self, letters: &str) -> Vec<TokenId> {
        let letters = Letters::new(letters);
        self.order().filter(|&id| letters.are_in(&self.model.vocab, id)).collect()
    }
}

/// What a sampler is given.
pub(super) struct SampledRow<'a> {
    /// Logits by token.
    pub row: &'a [f32],
    /// The most probable of them.
    pub best: Cow<'a, [(TokenId, f32)]>,
}

/// Letters that are looked for.
struct Letters {
    text: String,
    exact: bool,
}

impl Letters {
    fn new(text: &str) -> Letters {
        let exact = text.chars().any(char::is_uppercase);
        Letters { text: text.to_string(), exact }
    }

    fn are_in(&self, vocab: &Vocab, id: TokenId) -> bool {
        let bytes = vocab.bytes(id);
        if self.exact || bytes.is_ascii() && self.text.is_ascii() {
            let wanted = self.text.as_bytes();
            let same = |window: &[u8]| match self.exact {
                true => window == wanted,
                false => window.eq_ignore_ascii_case(wanted),
            };
            return wanted.is_empty() || bytes.windows(wanted.len()).any(same);
        }
        String::from_utf8_lossy(bytes).to_lowercase().contains(&self.text)
    }
}
