//! The sampler chain: llama.cpp's own stages, applied one by one so that the stage that dropped a
//! token is known.

use std::sync::Arc;

use llama_cpp_2::sampling::LlamaSampler;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::token::data::LlamaTokenData;
use llama_cpp_2::token::data_array::LlamaTokenDataArray;

use super::model::Model;
use crate::distribution::Distribution;
use crate::engine::{EngineError, Tokenize};
use crate::grammar;
use crate::grammar::mask::{Allowed, Matcher};
use crate::sampling::{Constraint, Mirostat, Sampling, Stage};
use crate::step::Fate;
use crate::token::TokenId;

/// DRY as llama.cpp sets it by default.
const DRY_BASE: f32 = 1.75;
const DRY_ALLOWED_LENGTH: i32 = 2;
const DRY_BREAKERS: [&str; 4] = ["\n", ":", "\"", "*"];

/// Stages that can drop a token by setting it to −∞ without removing it.
const MASKING: [Stage; 2] = [Stage::Grammar, Stage::TopNSigma];

/// A chain with its state: random numbers drawn, tokens seen, grammar position.
pub struct Chain {
    /// A schema or regular expression, which comes before every other stage.
    mask: Option<Matcher>,
    stages: Vec<(Stage, LlamaSampler)>,
    /// `None` where the best token is taken.
    chooser: Option<LlamaSampler>,
    _model: Arc<Model>,
}

/// Room for one choice, as large as the vocabulary; chains may take turns with it.
pub struct Scratch {
    array: LlamaTokenDataArray,
    /// For every token of the vocabulary: 0, or 1 + its index among the watched.
    watched: Vec<u32>,
}

impl Scratch {
    /// Room for this model's rows.
    pub fn new(model: &Model) -> Scratch {
        let n = model.vocab().len();
        Scratch { array: LlamaTokenDataArray::new(Vec::with_capacity(n), false), watched: vec![0; n] }
    }

    fn fill(&mut self, row: &[f32], allowed: Option<&Allowed>) {
        self.array.data.clear();
        let possible = row.iter().enumerate().filter(|(_, logit)| **logit > f32::NEG_INFINITY);
        let possible =
            possible.filter(|(id, _)| allowed.is_none_or(|mask| mask.contains(TokenId(*id as u32))));
        self.array
            .data
            .extend(possible.map(|(id, &logit)| LlamaTokenData::new(LlamaToken(id as i32), logit, 0.0)));
        self.array.sorted = false;
        self.array.selected = None;
    }

    /// A masked token must not reach the next stage: llama.cpp's `typical` and `mirostat` compute
    /// 0 · ln 0 of it.
    fn remove_impossible(&mut self) {
        self.array.data.retain(|entry| entry.logit() > f32::NEG_INFINITY);
    }

    /// Marks the watched tokens that are not in the array.
    fn note_dropped(&self, stage: Stage, dropped: &mut [Option<Stage>]) {
        let mut alive = vec![false; dropped.len()];
        for entry in &self.array.data {
            let mark = self.watched[entry.id().0 as usize];
            if mark > 0 {
                alive[mark as usize - 1] = true;
            }
        }
        for (alive, dropped) in alive.into_iter().zip(dropped) {
            if !alive && dropped.is_none() {
                *dropped = Some(stage);
            }
        }
    }

    /// The index of the largest logit, which gets all of the final mass.
    fn take_best(&mut self) -> (TokenId, f32) {
        let mut best = 0;
        for (i, entry) in self.array.data.iter().enumerate() {
            if entry.logit() > self.array.data[best].logit() {
                best = i;
            }
        }
        self.array.data[best].set_p(1.0);
        (TokenId(self.array.data[best].id().0 as u32), 1.0)
    }

    fn final_probs(&self, n: usize) -> Vec<f32> {
        let mut probs = vec![0.0; n];
        for entry in &self.array.data {
            let mark = self.watched[entry.id().0 as usize];
            if mark > 0 {
                probs[mark as usize - 1] = entry.p();
            }
        }
        probs
    }
}

/// A chosen token and what became of the watched ones.
#[derive(Clone, Debug, PartialEq)]
pub struct Choice {
    /// The token.
    pub id: TokenId,
    /// Its own fate.
    pub fate: Fate,
    /// The fate of each watched token, in the order given.
    pub watched: Vec<Fate>,
}

impl Chain {
    /// Builds the chain. Accept the prompt's tokens before choosing.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] where the grammar does not parse.
    pub fn new(model: &Arc<Model>, sampling: &Sampling) -> Result<Chain, EngineError> {
        let mut stages = Vec::new();
        let mut chooser = None;
        let mut mask = None;
        for stage in sampling.stages() {
            match (stage, sampling.mirostat) {
                (Stage::Grammar, _) if !matches!(sampling.grammar, Some(Constraint::Gbnf(_))) => {
                    let Some(constraint) = &sampling.grammar else { continue };
                    mask = Some(model.table()?.matcher(constraint).map_err(EngineError::Grammar)?);
                }
                (Stage::Mirostat, Some(mirostat)) => {
                    chooser = Some(self::mirostat(model, mirostat, sampling))
                }
                _ => stages.push((stage, build(stage, model, sampling)?)),
            }
        }
        if chooser.is_none() && !sampling.is_greedy() {
            chooser = Some(LlamaSampler::dist(usable_seed(sampling.seed)));
        }
        Ok(Chain { mask, stages, chooser, _model: Arc::clone(model) })
    }

    /// Tells penalties and grammar that this token was taken.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] where the constraint has become too large.
    pub fn accept(&mut self, token: TokenId) -> Result<(), EngineError> {
        if let Some(mask) = &mut self.mask {
            mask.accept(token).map_err(EngineError::Grammar)?;
        }
        for (_, sampler) in &mut self.stages {
            sampler.accept(LlamaToken(token.0 as i32));
        }
        Ok(())
    }

    /// Tells the penalties what stands before the reply. A grammar begins with the reply.
    pub fn accept_prompt(&mut self, tokens: &[TokenId]) {
        for (stage, sampler) in &mut self.stages {
            if *stage != Stage::Grammar {
                sampler.accept_many(tokens.iter().map(|token| LlamaToken(token.0 as i32)));
            }
        }
    }

    /// Chooses from one row of raw logits. `raw` are its statistics, whose `top` is watched.
    ///
    /// # Errors
    /// [`EngineError::Grammar`] where the grammar leaves no token.
    pub fn choose(
        &mut self,
        row: &[f32],
        raw: &Distribution,
        scratch: &mut Scratch,
    ) -> Result<Choice, EngineError> {
        let allowed = self.mask.as_mut().map(Matcher::allowed).transpose().map_err(EngineError::Grammar)?;
        if self.stages.is_empty() && self.chooser.is_none() && allowed.is_none() {
            return Ok(take_best(raw));
        }
        let ids: Vec<TokenId> = raw.top.iter().map(|&(id, _)| id).collect();
        for (i, id) in ids.iter().enumerate() {
            scratch.watched[id.index()] = (i + 1) as u32;
        }
        let mut dropped = vec![None; ids.len()];
        scratch.fill(row, allowed.as_ref());
        if allowed.is_some() {
            scratch.note_dropped(Stage::Grammar, &mut dropped);
            if scratch.array.data.is_empty() {
                ids.iter().for_each(|id| scratch.watched[id.index()] = 0);
                return Err(EngineError::Grammar("no token of this model can go on here".to_string()));
            }
        }
        for i in 0..self.stages.len() {
            let before = scratch.array.data.len();
            let (stage, sampler) = &mut self.stages[i];
            let stage = *stage;
            scratch.array.apply_sampler(sampler);
            if MASKING.contains(&stage) {
                scratch.remove_impossible();
            }
            // Of an array without any possible token the chain would draw one, and llama.cpp ends the
            // process when its grammar is told of it.
            if stage == Stage::Grammar && scratch.array.data.is_empty() {
                ids.iter().for_each(|id| scratch.watched[id.index()] = 0);
                return Err(EngineError::Grammar("no token of this model can go on here".to_string()));
            }
            if scratch.array.data.len() < before {
                scratch.note_dropped(stage, &mut dropped);
            }
        }
        let chosen = self.draw(scratch);
        let probs = scratch.final_probs(ids.len());
        for id in &ids {
            scratch.watched[id.index()] = 0;
        }
        let fate = |i: usize| Fate { prob: probs[i], dropped_by: dropped[i] };
        let own = Fate { prob: chosen.1, dropped_by: None };
        Ok(Choice { id: chosen.0, fate: own, watched: (0..ids.len()).map(fate).collect() })
    }

    /// Draws a token; leaves the final probabilities in the array.
    fn draw(&mut self, scratch: &mut Scratch) -> (TokenId, f32) {
        let Some(chooser) = &mut self.chooser else { return scratch.take_best() };
        scratch.array.apply_sampler(chooser);
        let index = scratch.array.selected.unwrap_or(0);
        let entry = &scratch.array.data[index];
        (TokenId(entry.id().0 as u32), entry.p())
    }
}

/// Greedy without any stage: the first of the largest logits, with all of the final mass.
fn take_best(raw: &Distribution) -> Choice {
    let fate = |i: usize| Fate { prob: if i == 0 { 1.0 } else { 0.0 }, dropped_by: None };
    let id = raw.top.first().map_or(TokenId(0), |&(id, _)| id);
    Choice { id, fate: fate(0), watched: (0..raw.top.len()).map(fate).collect() }
}

/// llama.cpp reads the largest number as "take a random seed", which nobody could repeat.
fn usable_seed(seed: u32) -> u32 {
    if seed == u32::MAX { 0 } else { seed }
}

fn mirostat(model: &Model, settings: Mirostat, sampling: &Sampling) -> LlamaSampler {
    let seed = usable_seed(sampling.seed);
    match settings.version {
        1 => LlamaSampler::mirostat(model.inner().n_vocab(), seed, settings.tau, settings.eta, 100),
        _ => LlamaSampler::mirostat_v2(seed, settings.tau, settings.eta),
    }
}

/// llama.cpp writes a grammar it can't parse to standard error, and nests, loops and multiplies as far
/// as one tells it to.
fn check_grammar(model: &Model, source: &str) -> Result<(), String> {
    grammar::check(source).map_err(|fault| format!("line {fault}"))?;
    let unknown = |name: &String| model.tokenize(name.as_bytes(), true).len() != 1;
    match grammar::named_tokens(source).into_iter().find(unknown) {
        Some(name) => Err(format!("{name} is no token of this model")),
        None => Ok(()),
    }
}

fn build(stage: Stage, model: &Model, sampling: &Sampling) -> Result<LlamaSampler, EngineError> {
    let last_n = i32::try_from(sampling.penalty_last_n).unwrap_or(i32::MAX);
    Ok(match stage {
        Stage::Grammar => {
            let Some(Constraint::Gbnf(source)) = &sampling.grammar else {
                return Err(EngineError::Grammar("it is no GBNF grammar".to_string()));
            };
            check_grammar(model, source).map_err(EngineError::Grammar)?;
            LlamaSampler::grammar(model.inner(), source, "root").map_err(|_| {
                EngineError::Grammar(
                    "llama.cpp refuses it, perhaps because it repeats what may be empty".to_string(),
                )
            })?
        }
        Stage::Penalties => LlamaSampler::penalties(
            model.inner().n_vocab(),
            last_n,
            sampling.repeat_penalty,
            sampling.frequency_penalty,
            sampling.presence_penalty,
        ),
        Stage::Dry => LlamaSampler::dry(
            model.inner(),
            sampling.dry,
            DRY_BASE,
            DRY_ALLOWED_LENGTH,
            model.trained_context() as i32,
            DRY_BREAKERS,
        ),
        Stage::TopNSigma => LlamaSampler::top_n_sigma(sampling.top_n_sigma),
        Stage::TopK => LlamaSampler::top_k(i32::try_from(sampling.top_k).unwrap_or(i32::MAX)),
        Stage::Typical => LlamaSampler::typical(sampling.typical, 1),
        Stage::TopP => LlamaSampler::top_p(sampling.top_p, 1),
        Stage::MinP => LlamaSampler::min_p(sampling.min_p, 1),
        Stage::Xtc => {
            let (probability, threshold) =
                sampling.xtc.map_or((0.0, 1.0), |xtc| (xtc.probability, xtc.threshold));
            LlamaSampler::xtc(probability, threshold, 1, usable_seed(sampling.seed))
        }
        Stage::Temperature => LlamaSampler::temp(sampling.temperature),
        Stage::Mirostat => mirostat(
            model,
            sampling.mirostat.unwrap_or(Mirostat { version: 2, tau: 5.0, eta: 0.1 }),
            sampling,
        ),
    })
}
