//! What can be asked of one step of a conversation, and its answer.

use std::sync::Arc;

use super::at_step::{RowWish, row, text};
use super::next::NamedText;
use super::what_if::{Fate, WhatIf};
use super::{Asker, QueryError};
use crate::sampling::Sampling;
use crate::step::{SamplerOutcome, Step};
use crate::token::TokenId;

/// Most tokens that are shown of those that hold some letters.
const MOST: usize = 40;

/// A question about a step.
#[derive(Clone, Debug)]
pub struct StepQuestion {
    /// What the step is called.
    pub place: String,
    /// Its row.
    pub wish: RowWish,
    /// The token that stands there, with the figures it has.
    pub stood: Option<Arc<Step>>,
    /// What is asked.
    pub about: StepMatter,
}

/// What is asked of a step.
#[derive(Clone, Debug, PartialEq)]
pub enum StepMatter {
    /// What a sampler with these settings would make of it.
    WhatIf(Box<Sampling>),
    /// How probable a text is there.
    Text(Vec<u8>),
    /// Which tokens hold these letters.
    Holding(String),
}

/// The answer.
#[derive(Clone, Debug)]
pub struct StepAnswer {
    /// What the step is called.
    pub place: String,
    /// The token that stands there, with the figures it has.
    pub stood: Option<Arc<Step>>,
    /// What was found.
    pub found: StepFinding,
}

/// What was found at a step.
#[derive(Clone, Debug)]
pub enum StepFinding {
    /// What the sampler makes of the most probable tokens.
    WhatIf(Box<Sampling>, WhatIf),
    Text(NamedText),
    /// The tokens that hold these letters, with what the settings make of the first of them, and how many there
    /// are.
    Holding(String, Vec<Fate>, usize),
}

impl StepAnswer {
    /// What a sampler made of a token when the step was written.
    pub fn was(&self, id: TokenId) -> Option<SamplerOutcome> {
        let stood = self.stood.as_ref()?;
        let stats = stood.stats.as_ref()?;
        if stood.id == id {
            return stats.outcome;
        }
        stats.prediction.top_logprobs.iter().find(|one| one.id == id).and_then(|one| one.outcome)
    }
}

/// Answers a question about a step.
///
/// # Errors
/// [`QueryError`].
pub fn at_step(asker: &mut Asker, asked: &StepQuestion) -> Result<StepAnswer, QueryError> {
    let found = match &asked.about {
        StepMatter::Text(wanted) => StepFinding::Text(text(asker, &asked.wish, wanted)?),
        StepMatter::WhatIf(sampling) => {
            let row = row(asker, &asked.wish)?;
            let count = row.prediction().count(asker.settings.k).max(1);
            let mut ids: Vec<TokenId> = row.order().take(count).collect();
            ids.extend(asked.stood.as_ref().map(|step| step.id).filter(|id| !ids.contains(id)));
            StepFinding::WhatIf(sampling.clone(), row.what_if(sampling, &ids))
        }
        StepMatter::Holding(letters) => {
            let row = row(asker, &asked.wish)?;
            let mut ids = row.holding(letters);
            let count = ids.len();
            ids.truncate(MOST);
            let fates = row.what_if(&asker.settings.sampling, &ids).tokens;
            StepFinding::Holding(letters.clone(), fates, count)
        }
    };
    Ok(StepAnswer { place: asked.place.clone(), stood: asked.stood.clone(), found })
}
