//! Replies after one prompt, written side by side: each has a sequence of its own, which shares the prompt's cells,
//! and the newest tokens of all are one batch.

use std::borrow::BorrowMut;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::cache::{CachedToken, PathCache};
use super::figures::{in_parts, of_token, stats};
use super::intervene;
use super::llama::eval::Script;
use super::llama::{Batch, Context, MaskedChain, Model, Scratch, SeqId};
use super::protocol::{CancelFlag, EngineError, FinishReason};
use super::threads::Governor;
use crate::distribution::{Depth, Distribution};
use crate::intervention::InForce;
use crate::sampling::chain::FIRST_LOOK;
use crate::step::{AnyToken, Step};
use crate::token::TokenId;

/// What all of them have in common.
pub(super) struct BesideTerms<'a> {
    pub model: &'a Model,
    /// Says how many threads evaluate.
    pub governor: &'a Governor,
    /// What is in force at each position.
    pub in_force: &'a InForce,
    /// How many candidates each step keeps.
    pub depth: Depth,
    /// Tokens whose figures are wanted at every step, whatever is chosen.
    pub named: &'a [TokenId],
    /// Each ends after so many tokens.
    pub max_tokens: Option<usize>,
    /// Tokens of the prompt.
    pub prompt: usize,
    /// Most tokens of prompt and reply.
    pub room: usize,
    /// Stops them all.
    pub cancel: &'a CancelFlag,
}

/// The replies that are being written.
pub(super) struct Beside<'a, C> {
    terms: BesideTerms<'a>,
    /// Where they are written.
    pub cache: &'a mut PathCache<C>,
    batch: Batch,
    scratch: Scratch,
    writers: Vec<ReplyWriter>,
    /// Time that the figures took.
    pub statistics: Duration,
}

struct ReplyWriter {
    number: usize,
    sequence: SeqId,
    chain: MaskedChain,
    /// Chosen, and not computed yet.
    newest: TokenId,
    chosen: usize,
}

/// What became of one reply.
pub(super) struct WrittenToken {
    /// Which.
    pub number: usize,
    /// Where it was written.
    pub sequence: SeqId,
    /// Its next token; there is none where no cell was left for it.
    pub step: Option<Arc<Step>>,
    /// The figures of the tokens that were named.
    pub named: Vec<AnyToken>,
    /// Why nothing further comes of it.
    pub ended: Option<FinishReason>,
}

impl<'a, C: BorrowMut<Context>> Beside<'a, C> {
    /// None yet.
    pub fn new(cache: &'a mut PathCache<C>, terms: BesideTerms<'a>) -> Beside<'a, C> {
        let scratch = Scratch::new(terms.model);
        let batch = Batch::default();
        Beside { terms, cache, batch, scratch, writers: Vec::new(), statistics: Duration::ZERO }
    }

    /// How many are being written.
    pub fn len(&self) -> usize {
        self.writers.len()
    }

    /// Reads a part of the prompt, which has `length` tokens, in a sequence; the row after its last one can be read
    /// then. `false`: the flag stopped it.
    pub fn read(&mut self, sequence: SeqId, tokens: &[TokenId], length: usize) -> Result<bool, EngineError> {
        let first = self.cache.ledger().cells(sequence).len();
        let end = first + tokens.len();
        self.batch.clear();
        for (at, &token) in (first..).zip(tokens) {
            self.batch.push(token, at, &[sequence], at + 1 == length);
        }
        if !self.compute(first..end)? {
            self.cache.undo(sequence);
            return Ok(false);
        }
        for (at, &token) in (first..).zip(tokens) {
            self.cache.push(sequence, CachedToken::new(token, self.terms.in_force.at(at), first));
        }
        Ok(true)
    }

    /// Begins one in a sequence that holds the prompt, after which comes this row.
    pub fn begin(
        &mut self,
        number: usize,
        sequence: SeqId,
        chain: MaskedChain,
        row: &[f32],
    ) -> Result<WrittenToken, EngineError> {
        let begun = Instant::now();
        let raw = Distribution::measure_to_choose(row, self.terms.depth(), FIRST_LOOK)?;
        self.statistics += begun.elapsed();
        let mut writer = ReplyWriter { number, sequence, chain, newest: TokenId(0), chosen: 0 };
        let written = writer.choose(row, &raw, &self.terms, &mut self.scratch)?;
        self.writers.extend(Some(writer).filter(|_| written.ended.is_none()));
        Ok(written)
    }

    /// A token more of each; `None`: the flag stopped it.
    pub fn step(&mut self) -> Result<Option<Vec<WrittenToken>>, EngineError> {
        let mut told = Vec::new();
        self.cache.make_room(self.writers.len());
        // Where not all can go on, the last one ends, and what it alone has is free.
        while self.cache.ledger().free() < self.writers.len()
            && let Some(ReplyWriter { number, sequence, .. }) = self.writers.pop()
        {
            self.cache.free(sequence);
            let ended = Some(FinishReason::Context);
            told.push(WrittenToken { number, sequence, step: None, named: Vec::new(), ended });
        }
        if self.writers.is_empty() {
            return Ok(Some(told));
        }
        if !self.evaluate()? {
            return Ok(None);
        }
        let context = self.cache.context();
        let rows = (0..self.writers.len()).map(|i| context.logits(i));
        let rows: Vec<&[f32]> = rows.collect::<Option<_>>().ok_or(EngineError::Decode(-1))?;
        let begun = Instant::now();
        let (depth, threads) = (self.terms.depth(), context.params().threads as usize);
        let measured =
            in_parts(&rows, threads, |row| Ok(Distribution::measure_to_choose(row, depth, FIRST_LOOK)?))?;
        self.statistics += begun.elapsed();
        for ((writer, row), raw) in self.writers.iter_mut().zip(&rows).zip(&measured) {
            told.push(writer.choose(row, raw, &self.terms, &mut self.scratch)?);
        }
        let has_ended =
            |writer: &ReplyWriter| told.iter().any(|one| one.number == writer.number && one.ended.is_some());
        self.writers.retain(|writer| !has_ended(writer));
        Ok(Some(told))
    }

    /// Computes the newest token of each.
    fn evaluate(&mut self) -> Result<bool, EngineError> {
        let in_force = self.terms.in_force;
        let ledger = self.cache.ledger();
        let at: Vec<usize> = self.writers.iter().map(|writer| ledger.cells(writer.sequence).len()).collect();
        self.batch.clear();
        for (writer, &at) in self.writers.iter().zip(&at) {
            self.batch.push(writer.newest, at, &[writer.sequence], true);
        }
        if !self.compute(at.iter().copied())? {
            self.writers.iter().for_each(|writer| self.cache.undo(writer.sequence));
            return Ok(false);
        }
        for (writer, &at) in self.writers.iter().zip(&at) {
            self.cache.push(writer.sequence, CachedToken::new(writer.newest, in_force.at(at), at));
        }
        Ok(true)
    }

    /// Evaluates the batch, whose tokens have these positions.
    fn compute(&mut self, positions: impl IntoIterator<Item = usize>) -> Result<bool, EngineError> {
        let BesideTerms { governor, in_force, cancel, .. } = self.terms;
        let probed = self.cache.ledger().cells(SeqId(0)).len();
        let mut script = Script::default();
        intervene::add(&mut script, self.cache.context_mut(), in_force, positions, probed)?;
        governor.evaluate(self.cache.context_mut(), &self.batch, script, cancel)
    }
}

impl BesideTerms<'_> {
    /// The best token is needed even by someone who wants to see none.
    fn depth(&self) -> Depth {
        self.depth.at_least(1)
    }
}

impl ReplyWriter {
    fn choose(
        &mut self,
        row: &[f32],
        raw: &Distribution,
        terms: &BesideTerms,
        scratch: &mut Scratch,
    ) -> Result<WrittenToken, EngineError> {
        let choice = self.chain.choose(row, raw.into(), scratch)?;
        let id = choice.id;
        self.chain.accept(id)?;
        self.newest = id;
        self.chosen += 1;
        let ended = if terms.model.vocab().ends_generation(id) {
            Some(FinishReason::Stop)
        } else if terms.max_tokens.is_some_and(|most| self.chosen >= most) {
            Some(FinishReason::Length)
        } else if terms.prompt + self.chosen >= terms.room {
            Some(FinishReason::Context)
        } else {
            None
        };
        let step = Arc::new(Step { id, stats: Some(stats(row, raw, id, Some(&choice))) });
        let named = terms.named.iter().map(|&id| of_token(row, raw, id)).collect();
        Ok(WrittenToken { number: self.number, sequence: self.sequence, step: Some(step), named, ended })
    }
}
