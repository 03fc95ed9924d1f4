//! From asks to token sequences: what the engine has to score and to generate for an item.
//!
//! Owns tokenization, boundaries and BOS; runs nothing. Whatever does not fit into the context is
//! found here, before anything runs.

mod encode;
pub mod looks;
mod windows;

use std::collections::HashMap;
use std::fmt::Display;

use super::answer::Finding;
use super::error::InputError;
use super::item::{Item, Suite};
use super::question::Ask;
use crate::engine::look::LookFor;
use crate::engine::{ModelInfo, Sequence};
use crate::sampling::Sampling;
use crate::settings::Bos;
use crate::token::TokenId;
use encode::{Encoder, Split};

/// Stands behind a prompt whose next token is asked about. A sequence's last token is predicted and
/// never read, so any token does.
const ANY: TokenId = TokenId(0);

/// Everything the engine has to do for one item.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ItemPlan {
    /// What to score.
    pub sequences: Vec<PlannedSequence>,
    /// What to generate.
    pub generations: Vec<Generation>,
    /// What to look for between the layers.
    pub looks: Vec<PlannedLook>,
    /// Asks that need no engine: nothing comes after an empty prompt, and no text after nothing without BOS.
    pub empty: Vec<Ask>,
    /// Asks that this model or prompt can't be asked, and why.
    pub missing: Vec<(Ask, String)>,
    /// Why the item can't be scored, though the others can; then nothing is to be done for it.
    pub unscored: Option<String>,
}

/// A sequence and what it answers.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedSequence {
    /// For the engine.
    pub sequence: Sequence,
    /// Place of the ask among the item's.
    pub ask: usize,
    /// Whether a token holds the end of the context and the beginning of the continuation.
    pub spans_join: bool,
    /// Of a text in pieces, the first token of each, counted from `sequence.from`.
    pub cuts: Vec<usize>,
}

/// Continuations to generate.
#[derive(Clone, Debug, PartialEq)]
pub struct Generation {
    /// Place of the ask among the item's.
    pub ask: usize,
    /// What to continue.
    pub prompt: Vec<TokenId>,
    /// How many; each has the seed after the one before.
    pub n: usize,
    /// How.
    pub sampling: Sampling,
    /// Longest continuation.
    pub max_tokens: usize,
}

/// A look between the layers and what it answers.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedLook {
    /// Place of the ask among the item's.
    pub ask: usize,
    /// The prompt.
    pub tokens: Vec<TokenId>,
    /// The token that is asked about.
    pub named: TokenId,
    /// What is wanted.
    pub look: LookFor,
}

/// Plans every item of a suite. `bos` holds where the suite does not say.
///
/// # Errors
/// [`InputError`] naming the first item that does not fit into the context or that the model can't be
/// asked. An item whose prompt swallows a text is planned as one that can't be scored.
pub fn suite(suite: &Suite, model: &ModelInfo, bos: Bos) -> Result<Vec<ItemPlan>, InputError> {
    let file = suite.file.as_ref().map_or_else(|| suite.name.clone(), |file| file.display().to_string());
    let mut encoder = Encoder::new(model, suite.rules, suite.rules.bos.unwrap_or(bos))
        .map_err(|error| InputError::new(&file, error.to_string()))?;
    suite
        .items
        .iter()
        .map(|item| {
            let mut planner =
                Planner { encoder: &mut encoder, item, prompts: HashMap::new(), plan: ItemPlan::default() };
            planner
                .all()
                .map_err(|reason| InputError::new(&file, format!("probe {:?}: {reason}", item.id)))?;
            match planner.plan.unscored {
                None => Ok(planner.plan),
                unscored => Ok(ItemPlan { unscored, ..ItemPlan::default() }),
            }
        })
        .collect()
}

struct Planner<'a, 'm> {
    encoder: &'a mut Encoder<'m>,
    item: &'a Item,
    /// Prompts that have been encoded.
    prompts: HashMap<usize, Vec<TokenId>>,
    plan: ItemPlan,
}

impl Planner<'_, '_> {
    fn all(&mut self) -> Result<(), String> {
        for (place, ask) in self.item.asks.iter().enumerate() {
            self.ask(place, ask)?;
        }
        Ok(())
    }

    fn ask(&mut self, place: usize, ask: &Ask) -> Result<(), String> {
        let questions = &self.item.questions;
        match ask {
            Ask::Text { prompt, text } => {
                let split = self.encoder.continuation(&questions.prompts[*prompt], text)?;
                self.score(place, split, Vec::new())
            }
            Ask::Alone { text } => {
                let Some(split) = self.encoder.alone(text)? else {
                    self.plan.empty.push(ask.clone());
                    return Ok(());
                };
                self.score(place, split, Vec::new())
            }
            Ask::Prompt { prompt } => {
                let split = self.encoder.whole(&questions.prompts[*prompt])?;
                self.score(place, split, Vec::new())
            }
            Ask::Next { prompt } => {
                let mut tokens = self.prompt(*prompt)?;
                if tokens.is_empty() {
                    self.plan.empty.push(ask.clone());
                    return Ok(());
                }
                let from = tokens.len();
                tokens.push(ANY);
                self.score(place, Split { tokens, from, spans_join: false }, Vec::new())
            }
            Ask::Pieces { prompt } => {
                let pieces: Vec<&str> = questions
                    .pieces
                    .iter()
                    .filter(|piece| piece.prompt == *prompt)
                    .map(|piece| piece.text.as_str())
                    .collect();
                let split = self.encoder.continuation(&questions.prompts[*prompt], &pieces.concat())?;
                let cuts = self.encoder.cuts(&split, &pieces);
                self.score(place, split, cuts)
            }
            Ask::Greedy { prompt, tokens } => {
                let sampling = Sampling { greedy: true, ..Sampling::default() };
                self.generate(place, *prompt, Generation { max_tokens: *tokens, ..generation(1, sampling) })
            }
            Ask::Samples { prompt, temperature } => {
                let Some(settings) = &questions.sampling else { return Ok(()) };
                let temperature = settings.temperatures[*temperature];
                let sampling = Sampling { temperature, ..settings.chain.clone() };
                let generation =
                    Generation { max_tokens: settings.max_tokens, ..generation(settings.n, sampling) };
                self.generate(place, *prompt, generation)
            }
            Ask::Context { .. } => self.context(place, ask),
            Ask::Without { .. } => self.without(place, ask),
            Ask::Layers { .. } => self.layers(place, ask),
            Ask::Unchanged { .. } => self.unchanged(place, ask),
            Ask::Patched { .. } => self.patched(place, ask),
            Ask::Rolling => {
                let Some(rolling) = &questions.rolling else { return Ok(()) };
                for split in self.encoder.rolling(&rolling.text)? {
                    self.score(place, split, Vec::new())?;
                }
                Ok(())
            }
        }
    }

    fn prompt(&mut self, prompt: usize) -> Result<Vec<TokenId>, String> {
        if let Some(known) = self.prompts.get(&prompt) {
            return Ok(known.clone());
        }
        let tokens = self.encoder.prompt(&self.item.questions.prompts[prompt])?;
        self.prompts.insert(prompt, tokens.clone());
        Ok(tokens)
    }

    fn score(&mut self, ask: usize, split: Split, cuts: Vec<usize>) -> Result<(), String> {
        if split.from >= split.tokens.len() {
            let reason = self.swallowed(ask);
            self.plan.unscored.get_or_insert(reason);
            return Ok(());
        }
        // The last token is predicted and not read.
        let needed = split.tokens.len() - 1;
        if needed > self.encoder.context() {
            return Err(too_long(needed, self.encoder.context()));
        }
        let sequence = Sequence { tokens: split.tokens, from: split.from };
        self.plan.sequences.push(PlannedSequence { sequence, ask, spans_join: split.spans_join, cuts });
        Ok(())
    }

    fn swallowed(&self, ask: usize) -> String {
        let text = match self.item.asks.iter().nth(ask) {
            Some(
                Ask::Text { text, .. }
                | Ask::Alone { text }
                | Ask::Context { text, .. }
                | Ask::Without { text, .. },
            ) => text.as_str(),
            _ => "",
        };
        format!("nothing is left to score of {text:?}: the prompt's last token swallows it")
    }

    fn generate(&mut self, ask: usize, prompt: usize, generation: Generation) -> Result<(), String> {
        let prompt = self.prompt(prompt)?;
        if prompt.is_empty() {
            return Err("there is nothing to continue: give a prompt, or bos = \"always\"".to_string());
        }
        let needed = prompt.len() + generation.max_tokens;
        if needed > self.encoder.context() {
            return Err(too_long(needed, self.encoder.context()));
        }
        self.plan.generations.push(Generation { ask, prompt, ..generation });
        Ok(())
    }
}

fn generation(n: usize, sampling: Sampling) -> Generation {
    Generation { ask: 0, prompt: Vec::new(), n, sampling, max_tokens: 0 }
}

fn too_long(needed: impl Display, context: impl Display) -> String {
    format!("{needed} tokens do not fit into the context of {context}: shorten it, or raise --ctx")
}

impl ItemPlan {
    /// Tokens a scorer reads that shares nothing between sequences; those that only look at what comes
    /// next are not counted.
    pub fn naive_tokens(&self) -> usize {
        let real = self.sequences.iter().filter(|planned| planned.sequence.tokens.last() != Some(&ANY));
        real.map(|planned| planned.sequence.tokens.len() - 1).sum()
    }

    /// The sequence of an item's right choice, else of its target, else the first that has a text; `None`
    /// where nothing has context.
    pub fn telling(&self, item: &Item) -> Option<&Sequence> {
        let questions = &item.questions;
        let choice = questions.gold.first().and_then(|gold| questions.choices.get(gold));
        let choice = choice.map(|choice| (choice.prompt, &choice.continuation));
        let wanted = choice.or(questions.target.as_ref().map(|target| (0, target)));
        let wanted = wanted.map(|(prompt, text)| Ask::Text { prompt, text: text.clone() });
        let text = |planned: &&PlannedSequence| !matches!(item.asks[planned.ask], Ask::Next { .. });
        let right = |planned: &&PlannedSequence| Some(&item.asks[planned.ask]) == wanted.as_ref();
        let found = self.sequences.iter().find(right).or_else(|| self.sequences.iter().find(text));
        found.map(|planned| &planned.sequence).filter(|sequence| sequence.tokens.len() > 1)
    }

    /// How many parts its answers have.
    pub fn parts(&self) -> usize {
        self.sequences.len()
            + self.generations.iter().map(|generation| generation.n).sum::<usize>()
            + self.looks.len()
            + self.empty.len()
            + self.missing.len()
    }

    /// Answers to what needs no engine.
    pub fn known(&self) -> impl Iterator<Item = (Ask, Finding)> + '_ {
        self.empty.iter().map(|ask| (ask.clone(), Finding::Next(None))).chain(self.refused())
    }
}

#[cfg(test)]
mod tests;
