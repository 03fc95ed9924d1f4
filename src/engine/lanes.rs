//! Replies side by side in one batch: each has a lane, which is a sequence of one unified KV cache.
//!
//! A round evaluates the newest token of every reply and beside them a part of the prompts that are still
//! to be read. A lane that is free keeps what it holds: a prompt that begins like it, or like one that is
//! being continued, takes that over. Where sequences can't take turns in one cache, and where figures must
//! repeat, there is one lane and everyone else waits.

use std::collections::VecDeque;
use std::sync::Arc;

use super::backend::Sink;
use super::figures::{in_parts, of_token, stats};
use super::intervene;
use super::llama::eval::Script;
use super::llama::{Attention, Batch, Context, ContextParams, MaskedChain, Model, Scratch, SeqId};
use super::protocol::{EngineError, Event, FinishReason, Timing};
use super::replies::{Newcomer, ReplyEvent, ReplyId, Round};
use super::threads::Governor;
use crate::distribution::Distribution;
use crate::intervention::{InForce, Interventions};
use crate::sampling::chain::FIRST_LOOK;
use crate::step::{AnyToken, Step};
use crate::token::TokenId;

/// Tokens of a round: more of a prompt would keep the others waiting.
const ROUND: usize = 128;
/// The same without flash attention, where every pair of a token and a cell takes memory.
const ROUND_EXACT: usize = 64;

/// Tokens at a prompt's end that are read together, also where the cache holds them: one alone would be
/// computed by another kernel, so that a prompt asked for again had other figures.
const TOGETHER: usize = 8;

/// The lanes of a model.
pub(super) struct Lanes {
    model: Arc<Model>,
    /// Those of a conversation: a lane has as many cells.
    params: ContextParams,
    governor: Governor,
    /// Made when the first reply begins.
    context: Option<Context>,
    lanes: Vec<Lane>,
    /// Those for which there is no lane yet.
    waiting: VecDeque<Newcomer>,
    /// What everything held was computed under.
    under: Interventions,
    /// Counts rounds, so that the lane that was free longest is taken.
    clock: u64,
    batch: Batch,
    scratch: Scratch,
}

/// A sequence of the cache, and the reply that is written in it.
struct Lane {
    sequence: SeqId,
    /// The tokens the cache holds of it.
    held: Vec<TokenId>,
    /// How many of them were read as a prompt. Those that were written, one by one, are none of a prompt's.
    read: usize,
    /// When it was last used.
    used: u64,
    writer: Option<LaneReply>,
}

/// A reply on its way.
struct LaneReply {
    asked: Newcomer,
    chain: MaskedChain,
    /// Tokens chosen.
    chosen: usize,
    /// Prompt and chosen tokens.
    tokens: Vec<TokenId>,
}

impl Lane {
    /// Tokens that are still to be evaluated.
    fn missing(&self) -> usize {
        self.writer.as_ref().map_or(0, |writer| writer.tokens.len() - self.held.len())
    }

    fn shared_with(&self, prompt: &[TokenId]) -> usize {
        let most = prompt.len().saturating_sub(TOGETHER).min(self.read);
        self.held.iter().zip(&prompt[..most]).take_while(|(a, b)| a == b).count()
    }
}

impl Lanes {
    /// No lane yet.
    pub fn new(model: Arc<Model>, params: ContextParams, governor: Governor) -> Lanes {
        let scratch = Scratch::new(&model);
        Lanes {
            model,
            params,
            governor,
            context: None,
            lanes: Vec::new(),
            waiting: VecDeque::new(),
            under: Interventions::default(),
            clock: 0,
            batch: Batch::default(),
            scratch,
        }
    }

    /// Gives the memory back, unless a reply is on its way.
    pub fn release(&mut self) {
        if !self.are_busy() {
            self.forget();
        }
    }

    /// Whether replies are on their way.
    pub fn are_busy(&self) -> bool {
        !self.waiting.is_empty() || self.lanes.iter().any(|lane| lane.writer.is_some())
    }

    /// Answers one request.
    ///
    /// # Errors
    /// What concerns all replies, which then are gone.
    pub fn round(&mut self, round: &Round, sink: Sink) -> Result<(FinishReason, Timing), EngineError> {
        let outcome = self.try_round(round, sink);
        if outcome.is_err() {
            self.forget();
        }
        outcome
    }

    fn forget(&mut self) {
        self.waiting.clear();
        self.lanes.clear();
        self.context = None;
    }

    fn try_round(&mut self, round: &Round, sink: Sink) -> Result<(FinishReason, Timing), EngineError> {
        self.clock += 1;
        self.make_room(round.most)?;
        let in_force = InForce::from(round.interventions.clone());
        intervene::check(&self.model, &in_force)?;
        for lane in &mut self.lanes {
            if lane.writer.as_ref().is_some_and(|writer| round.leave.contains(&writer.asked.reply)) {
                lane.writer = None;
            }
        }
        if self.under != round.interventions {
            self.under = round.interventions.clone();
            (0..self.lanes.len()).for_each(|lane| self.empty(lane));
        }
        self.waiting.retain(|newcomer| !round.leave.contains(&newcomer.reply));
        self.waiting.extend(round.join.iter().cloned());
        while self.lanes.iter().any(|lane| lane.writer.is_none())
            && let Some(newcomer) = self.waiting.pop_front()
        {
            if let Err(error) = self.join(&newcomer) {
                tell(sink, newcomer.reply, ReplyEvent::Failed(error));
            }
        }
        let mut timing = Timing::default();
        let read = self.fill();
        if self.batch.is_empty() {
            return Ok((FinishReason::Stop, timing));
        }
        let positions: Vec<usize> = self.batch.positions().collect();
        let Some(context) = &mut self.context else { return Err(EngineError::Decode(-1)) };
        let mut script = Script::default();
        intervene::add(&mut script, context, &in_force, positions, self.lanes[0].held.len())?;
        if !self.governor.evaluate(context, &self.batch, script, &round.cancel)? {
            return Ok((FinishReason::Cancelled, timing));
        }
        for part in &read {
            let lane = &mut self.lanes[part.lane];
            lane.used = self.clock;
            if let Some(writer) = &lane.writer {
                lane.held.extend_from_slice(&writer.tokens[lane.held.len()..][..part.tokens]);
                if writer.chosen == 0 {
                    lane.read = lane.held.len();
                    timing.prefill_tokens += part.tokens;
                }
            }
        }
        timing.decode_tokens = self.choose(&read, sink)?;
        timing.threads = self.context.as_ref().map_or(0, |context| context.params().threads);
        Ok((FinishReason::Stop, timing))
    }

    /// Whether sequences can take turns in one cache.
    fn shares(&self) -> bool {
        self.params.attention != Attention::Exact && self.model.has_plain_cache()
    }

    fn make_room(&mut self, most: usize) -> Result<(), EngineError> {
        let most = if self.shares() { most.clamp(1, super::llama::MOST_SEQUENCES as usize) } else { 1 };
        if self.context.is_some() && self.lanes.len() == most {
            return Ok(());
        }
        self.context = None;
        let exact = self.params.attention == Attention::Exact;
        let params = ContextParams {
            cells: self.params.cells.saturating_mul(most as u32),
            batch: if exact { ROUND_EXACT } else { ROUND }.max(most) as u32,
            outputs: most as u32,
            sequences: most as u32,
            threads: self.governor.most(),
            attention: Attention::of_many(exact, &self.model),
        };
        let context = Context::new(&self.model, params);
        self.context = Some(context.ok_or(EngineError::NoContext { cells: params.cells as usize })?);
        let lane = |i| Lane { sequence: SeqId(i as u32), held: Vec::new(), read: 0, used: 0, writer: None };
        self.lanes = (0..most).map(lane).collect();
        Ok(())
    }

    /// Forgets what a lane holds.
    fn empty(&mut self, lane: usize) {
        let lane = &mut self.lanes[lane];
        lane.held.clear();
        lane.read = 0;
        if let Some(context) = &mut self.context {
            context.rewind(lane.sequence, 0);
        }
    }

    /// Gives a reply the lane in which the least of its prompt must be read.
    fn join(&mut self, newcomer: &Newcomer) -> Result<(), EngineError> {
        let (prompt, room) = (&newcomer.prompt, self.params.cells as usize);
        match prompt.len() {
            0 => return Err(EngineError::Empty),
            length if length >= room => {
                return Err(EngineError::TooLong { needed: length + 1, context: room });
            }
            _ => {}
        }
        let mut chain = MaskedChain::new(&self.model, &newcomer.sampling)?;
        chain.accept_prompt(prompt);
        let longest = |lane: &usize| self.lanes[*lane].shared_with(prompt);
        let free = (0..self.lanes.len()).filter(|&lane| self.lanes[lane].writer.is_none());
        let own = free.clone().max_by_key(|lane| (longest(lane), u64::MAX - self.lanes[*lane].used));
        let Some(own) = own else { return Err(EngineError::Died("no lane is free".to_string())) };
        let best = (0..self.lanes.len()).max_by_key(longest).unwrap_or(own);
        let (kept, common) = (longest(&own), longest(&best));
        let oldest = free.min_by_key(|lane| self.lanes[*lane].used).unwrap_or(own);
        let lane = if common > kept { oldest } else { own };
        if !self.shares() {
            self.empty(lane);
        } else if common > kept {
            // What another one holds is worth more than what this lane does.
            self.take_over(best, lane, common);
        } else {
            self.keep(lane, kept);
        }
        let tokens = prompt.clone();
        let reply = LaneReply { asked: newcomer.clone(), chain, chosen: 0, tokens };
        self.lanes[lane].writer = Some(reply);
        Ok(())
    }

    /// Keeps the first positions of a lane.
    fn keep(&mut self, lane: usize, kept: usize) {
        let sequence = self.lanes[lane].sequence;
        let rewound = self.context.as_mut().is_some_and(|context| context.rewind(sequence, kept));
        match rewound {
            true => {
                self.lanes[lane].held.truncate(kept);
                self.lanes[lane].read = kept;
            }
            false => self.empty(lane),
        }
    }

    /// Has a lane hold what another one does.
    fn take_over(&mut self, from: usize, lane: usize, common: usize) {
        self.empty(lane);
        let (source, target) = (self.lanes[from].sequence, self.lanes[lane].sequence);
        if let Some(context) = &mut self.context {
            context.share(source, target, common);
        }
        self.lanes[lane].held = self.lanes[from].held[..common].to_vec();
        self.lanes[lane].read = common;
    }

    /// Fills the batch: the newest token of every reply, and prompts as far as there is room, the shortest
    /// first.
    fn fill(&mut self) -> Vec<LanePart> {
        self.batch.clear();
        let mut room = self.context.as_ref().map_or(0, |context| context.params().batch as usize);
        let mut order: Vec<usize> =
            (0..self.lanes.len()).filter(|&lane| self.lanes[lane].missing() > 0).collect();
        order.sort_by_key(|&lane| self.lanes[lane].missing());
        let mut parts = Vec::new();
        for lane in order {
            let Lane { sequence, held, writer: Some(writer), .. } = &self.lanes[lane] else { continue };
            let missing = writer.tokens.len() - held.len();
            let left = missing.saturating_sub(room);
            let tokens = missing.min(room)
                - if (1..TOGETHER).contains(&left) { (TOGETHER - left).min(room) } else { 0 };
            if tokens == 0 {
                break;
            }
            for at in held.len()..held.len() + tokens {
                self.batch.push(writer.tokens[at], at, &[*sequence], at + 1 == writer.tokens.len());
            }
            room -= tokens;
            parts.push(LanePart { lane, tokens, row: (tokens == missing).then(|| self.batch.len() - 1) });
        }
        parts
    }

    /// Chooses a token for every reply whose last one was evaluated. Returns how many.
    fn choose(&mut self, read: &[LanePart], sink: Sink) -> Result<usize, EngineError> {
        let Some(context) = &self.context else { return Err(EngineError::Decode(-1)) };
        let mut ready = Vec::new();
        for part in read {
            let (Some(row), Some(writer)) = (part.row, &self.lanes[part.lane].writer) else { continue };
            let row = context.logits(row).ok_or(EngineError::Decode(-1))?;
            ready.push(ReadyRow { lane: part.lane, row, depth: writer.asked.depth.at_least(1) });
        }
        let threads = context.params().threads as usize;
        let measured = in_parts(&ready, threads, |ready| {
            Ok(Distribution::measure_to_choose(ready.row, ready.depth, FIRST_LOOK)?)
        })?;
        for (ReadyRow { lane, row, .. }, raw) in ready.iter().zip(&measured) {
            let lane = &mut self.lanes[*lane];
            let Some(writer) = &mut lane.writer else { continue };
            let reply = writer.asked.reply;
            let ended = match writer.take(row, raw, &mut self.scratch) {
                Ok((step, named)) => {
                    let id = step.id;
                    tell(sink, reply, ReplyEvent::Step(Arc::new(step), named));
                    writer.ended(id, &self.model, self.params.cells as usize).map(ReplyEvent::Ended)
                }
                Err(error) => Some(ReplyEvent::Failed(error)),
            };
            if let Some(event) = ended {
                lane.writer = None;
                tell(sink, reply, event);
            }
        }
        Ok(measured.len())
    }
}

/// What a round evaluates of one lane.
struct LanePart {
    lane: usize,
    tokens: usize,
    /// Where in the batch its last token stands, if that is the reply's newest.
    row: Option<usize>,
}

/// A row from which a token is to be chosen.
struct ReadyRow<'a> {
    lane: usize,
    row: &'a [f32],
    depth: crate::distribution::Depth,
}

impl LaneReply {
    fn take(
        &mut self,
        row: &[f32],
        raw: &Distribution,
        scratch: &mut Scratch,
    ) -> Result<(Step, Vec<AnyToken>), EngineError> {
        let choice = self.chain.choose(row, raw.into(), scratch)?;
        self.chain.accept(choice.id)?;
        self.tokens.push(choice.id);
        self.chosen += 1;
        let named = self.asked.named.iter().map(|&id| of_token(row, raw, id)).collect();
        Ok((Step { id: choice.id, stats: Some(stats(row, raw, choice.id, Some(&choice))) }, named))
    }

    fn ended(&self, id: TokenId, model: &Model, room: usize) -> Option<FinishReason> {
        if model.vocab().ends_generation(id) {
            Some(FinishReason::Stop)
        } else if self.chosen >= self.asked.max_tokens {
            Some(FinishReason::Length)
        } else if self.tokens.len() >= room {
            Some(FinishReason::Context)
        } else {
            None
        }
    }
}

fn tell(sink: Sink, reply: ReplyId, event: ReplyEvent) {
    sink(Event::Reply(reply, event));
}
