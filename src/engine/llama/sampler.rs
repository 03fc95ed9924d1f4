//! How a reply's tokens are chosen: the mask of a constraint, then [`crate::sampling::chain`].
//!
//! A GBNF grammar is llama.cpp's own, and looks at every token of the vocabulary; a JSON schema or a
//! regular expression is [`crate::grammar::mask`]'s.

use std::sync::Arc;

use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;

use super::model::Model;
use crate::distribution;
use crate::engine::protocol::{EngineError, Tokenize};
use crate::grammar;
use crate::grammar::mask::Matcher;
pub use crate::sampling::chain::ChosenToken;
use crate::sampling::chain::{self, FIRST_LOOK, KnownRow, WatchedToken};
use crate::sampling::{Constraint, Sampling, Stage};
use crate::step::Step;
use crate::token::TokenId;

/// A chain with its state.
pub struct MaskedChain {
    mask: Option<Mask>,
    stages: chain::Chain,
    model: Arc<Model>,
}

/// Where a constraint is.
enum Mask {
    Gbnf(LlamaSampler),
    Matcher(Box<Matcher>),
}

/// Room for a masked row; chains may take turns with it.
pub struct Scratch {
    row: Vec<f32>,
    array: LlamaTokenDataArray,
}

impl Scratch {
    /// Room for this model's rows, taken when the first mask needs it.
    pub fn new(_model: &Model) -> Scratch {
        Scratch { row: Vec::new(), array: LlamaTokenDataArray::new(Vec::new(), false) }
    }
}

impl MaskedChain {
    /// Builds the chain. Accept the prompt's tokens before choosing.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] where the constraint can't be used with this model.
    pub fn new(model: &Arc<Model>, sampling: &Sampling) -> Result<MaskedChain, EngineError> {
        let mask = match &sampling.grammar {
            None => None,
            Some(Constraint::Gbnf(source)) => Some(Mask::Gbnf(gbnf(model, source)?)),
            Some(constraint) => {
                let matcher = model.table()?.matcher(constraint).map_err(EngineError::Grammar)?;
                Some(Mask::Matcher(Box::new(matcher)))
            }
        };
        let room = model.trained_context() as usize;
        let stages = chain::Chain::new(sampling, model.vocab(), room);
        Ok(MaskedChain { mask, stages, model: Arc::clone(model) })
    }

    /// Tells penalties and constraint that this token was taken.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] where the constraint has become too large.
    pub fn accept(&mut self, token: TokenId) -> Result<(), EngineError> {
        match &mut self.mask {
            None => {}
            Some(Mask::Gbnf(sampler)) => sampler.accept(LlamaToken(token.0 as i32)),
            Some(Mask::Matcher(matcher)) => matcher.accept(token).map_err(EngineError::Grammar)?,
        }
        self.stages.accept(token);
        Ok(())
    }

    /// Tells the penalties what stands before the reply. A constraint begins with the reply.
    pub fn accept_prompt(&mut self, tokens: &[TokenId]) {
        tokens.iter().for_each(|token| self.stages.accept(*token));
    }

    /// Takes what stands before the reply, and as much of the reply as there is already.
    ///
    /// # Errors
    /// [`EngineError::Refused`] where the constraint doesn't allow it.
    pub fn replay(&mut self, prompt: &[TokenId], reply: &[Arc<Step>]) -> Result<(), EngineError> {
        self.accept_prompt(prompt);
        for (at, step) in reply.iter().enumerate() {
            if !self.allows(step.id)? {
                let token = self.model.vocab().text(step.id);
                return Err(EngineError::Refused(format!("{token:?} as token {} of the reply", at + 1)));
            }
            let outcome = step.stats.as_ref().and_then(|stats| stats.outcome);
            self.stages.observe(outcome.map(|outcome| outcome.prob));
            self.accept(step.id)?;
        }
        Ok(())
    }

    /// Whether the constraint allows a token here.
    fn allows(&mut self, token: TokenId) -> Result<bool, EngineError> {
        match &mut self.mask {
            None => Ok(true),
            Some(Mask::Matcher(matcher)) => {
                Ok(matcher.allowed().map_err(EngineError::Grammar)?.contains(token))
            }
            Some(Mask::Gbnf(sampler)) => {
                let alone = LlamaTokenData::new(LlamaToken(token.0 as i32), 0.0, 0.0);
                let mut array = LlamaTokenDataArray::new(vec![alone], false);
                array.apply_sampler(sampler);
                Ok(array.data.first().is_some_and(|entry| entry.logit() > f32::NEG_INFINITY))
            }
        }
    }

    /// A row with −∞ for what the constraint does not allow here.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] where the constraint has become too large.
    pub fn masked(&mut self, row: &[f32], scratch: &mut Scratch) -> Result<Arc<[f32]>, EngineError> {
        match &mut self.mask {
            None => Ok(row.into()),
            Some(mask) => {
                mask.fill(row, scratch)?;
                Ok(scratch.row.as_slice().into())
            }
        }
    }

    /// Chooses from one row of raw logits. The best that are known are watched.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] where the constraint leaves no token.
    pub fn choose(
        &mut self,
        row: &[f32],
        known: KnownRow,
        scratch: &mut Scratch,
    ) -> Result<ChosenToken, EngineError> {
        let mut watched = WatchedToken::new(known.best.iter().map(|&(id, _)| id).collect());
        let Some(mask) = &mut self.mask else { return Ok(self.stages.choose(row, known, watched)) };
        mask.fill(row, scratch)?;
        let masked = &scratch.row;
        watched.note(Stage::Grammar, |id| {
            row[id.index()] == f32::NEG_INFINITY || masked[id.index()] > f32::NEG_INFINITY
        });
        // Begin again from the allowed tokens.
        let allowed = distribution::best(masked, FIRST_LOOK);
        if allowed.first().is_none_or(|best| best.1 == f32::NEG_INFINITY) {
            return Err(EngineError::Grammar("no token of this model can go on here".to_string()));
        }
        Ok(self.stages.choose(masked, allowed[..].into(), watched))
    }
}

impl Mask {
    /// The row with −∞ for what the constraint forbids.
    fn fill(&mut self, row: &[f32], scratch: &mut Scratch) -> Result<(), EngineError> {
        scratch.row.resize(row.len(), f32::NEG_INFINITY);
        match self {
            Mask::Matcher(matcher) => {
                let allowed = matcher.allowed().map_err(EngineError::Grammar)?;
                distribution::mask(row, allowed.words(), &mut scratch.row);
            }
            Mask::Gbnf(sampler) => {
                let array = &mut scratch.array;
                let tokens = row.iter().enumerate();
                array.data.clear();
                array.data.extend(
                    tokens.map(|(id, &logit)| LlamaTokenData::new(LlamaToken(id as i32), logit, 0.0)),
                );
                array.sorted = false;
                array.selected = None;
                array.apply_sampler(sampler);
                for entry in &array.data {
                    scratch.row[entry.id().0 as usize] = entry.logit();
                }
            }
        }
        Ok(())
    }
}

/// llama.cpp writes a grammar it can't parse to standard error, and nests, loops and multiplies as far
/// as one tells it to.
fn gbnf(model: &Model, source: &str) -> Result<LlamaSampler, EngineError> {
    let wrong = |what: String| Err(EngineError::Grammar(what));
    if let Err(fault) = grammar::check(source) {
        return wrong(format!("line {fault}"));
    }
    let unknown = |name: &String| model.tokenize(name.as_bytes(), true).len() != 1;
    if let Some(name) = grammar::named_tokens(source).into_iter().find(unknown) {
        return wrong(format!("{name} is no token of this model"));
    }
    LlamaSampler::grammar(model.inner(), source, "root")
        .or_else(|_| wrong("llama.cpp refuses it, and its log says why".to_string()))
}

#[cfg(test)]
mod tests;
