//! The same reply as the answer to something else.

use std::sync::Arc;

use super::scoring::ScoringJob;
use super::{Asker, QueryError, score};
use crate::chat::Message;
use crate::intervention::InForce;
use crate::step::Step;
use crate::token::TokenId;

/// A reply and what it is to be the answer to.
#[derive(Clone, Debug)]
pub struct Premised {
    /// The conversation up to the reply, with the other premise.
    pub messages: Vec<Message>,
    /// The reply's exact ids, with the token that ended it.
    pub reply: Vec<TokenId>,
    /// ln p of each when it was written.
    pub before: Vec<f32>,
    /// The ids that stood before it.
    pub path: Vec<TokenId>,
    /// What was in force at each position then.
    pub in_force: InForce,
}

/// A reply scored again.
#[derive(Clone, Debug, PartialEq)]
pub struct Rescored {
    /// Its tokens, with the figures they have now.
    pub steps: Vec<Step>,
    /// ln p of each when it was written.
    pub before: Vec<f32>,
    /// What was in force at the same tokens again, in words.
    pub under: Option<String>,
}

/// Scores the reply under its other premise, and under the interventions it was written under.
///
/// # Errors
/// [`QueryError`].
pub fn rescore(asker: &mut Asker, asked: &Premised) -> Result<Rescored, QueryError> {
    let model = Arc::clone(&asker.model);
    let Some(template) = asker.template.clone() else {
        return Err(QueryError::Refused("the model has no chat template that works".to_string()));
    };
    let prompt = template.encode(&asked.messages, model.tokenizer.as_ref(), &model.vocab)?;
    let mut ids: Vec<_> = prompt.tokens.iter().map(|token| token.id).collect();
    let from = ids.len();
    ids.extend(&asked.reply);
    asker.must_fit(ids.len())?;
    let same = asked.path.iter().zip(&ids[..from]).take_while(|(a, b)| a == b).count();
    let in_force = asked.in_force.moved(same, asked.path.len(), from);
    let under = in_force.told().map(|told| told.to_string());
    asker.client.intervene(in_force);
    let steps = score::steps(asker, &ScoringJob { ids, has_bos: false, from }, false)?;
    Ok(Rescored { steps, before: asked.before.clone(), under })
}
