//! A model behind a wire: another tokenscope, llama-server, or whatever speaks a kind of HTTP that is known here.
//!
//! What a server is and gives is asked of it ([`open`]); what it can't give is bounded or not given. Its answers
//! are checked ([`check`]) before anybody sees them. Everything waits on the engine's thread and some of its own;
//! a request that is cancelled closes its connections ([`wire`]). What needs the inside of a model is refused.

mod check;
mod choices;
mod dialect;
mod events;
mod llama_server;
mod llama_words;
mod marks;
mod open;
mod openai;
mod reach;
mod served;
#[cfg(test)]
mod testing;
mod tokenscope;
mod vllm;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::backend::{Backend, RequestOutcome, Sink};
use super::gives::{NO_LOOK, NO_ROW};
use super::protocol::{
    Command, EngineError, Event, FinishReason, Frontier, Generate, LoadOptions, ModelInfo, Sample,
    ScoreBatch, Sequence, Siblings, Timing,
};
use super::replies::{ReplyEvent, ReplyId};
use crate::aside;
use crate::distribution::Depth;
use crate::intervention::Interventions;
use crate::model::ServerAccess;
use crate::sampling::Sampling;
use crate::step::Step;
use crate::token::TokenId;
use dialect::{Dialect, ScoreWish, Scores, WriteWish};
use wire::{Trouble, Wire, WireCall, WireLimits, told};

/// Candidates asked for where a share of the mass is wanted, of which nobody knows how many hold it.
const OF_MASS: usize = 256;
/// Candidates in one answer, about: each is a hundred bytes of JSON.
const MOST_CANDIDATES: usize = 1 << 18;

/// A server that is asked.
pub(super) struct Remote {
    info: Arc<ModelInfo>,
    wire: Arc<Wire>,
    dialect: Box<dyn Dialect>,
}

impl Remote {
    /// Asks a server what it is.
    ///
    /// # Errors
    /// [`EngineError::Server`].
    pub fn open(access: &ServerAccess, options: &LoadOptions, sink: Sink) -> Result<Remote, EngineError> {
        Remote::with_limits(access, options, WireLimits::of(options.patience), sink)
    }

    /// Asks a child of this process: what fails once is not tried again, because it fails with the child.
    ///
    /// # Errors
    /// As above.
    pub fn open_once(access: &ServerAccess, options: &LoadOptions) -> Result<Remote, EngineError> {
        let limits = WireLimits { tries: 1, ..WireLimits::of(options.patience) };
        Remote::with_limits(access, options, limits, &|_| {})
    }

    /// Whether it has not answered in time: what it was asked it may still be at.
    pub fn is_stuck(&self) -> bool {
        self.wire.is_stuck()
    }

    fn with_limits(
        access: &ServerAccess,
        options: &LoadOptions,
        limits: WireLimits,
        sink: Sink,
    ) -> Result<Remote, EngineError> {
        sink(Event::LoadProgress(0.0));
        let wire = Wire::new(access.clone(), limits);
        let wire = Arc::new(wire.map_err(|trouble| told(access.address.base(), trouble))?);
        let opened = wire.watched(&options.cancel, |call| open::open(call, &wire, options));
        match opened {
            Ok((info, dialect)) => Ok(Remote { info: Arc::new(info), wire, dialect }),
            Err(Trouble::Cancelled) => Err(EngineError::LoadCancelled),
            Err(trouble) => Err(wire.error(trouble)),
        }
    }

    /// A server computes the model as it is.
    fn must_be_plain(&self, these: &Interventions) -> Result<(), EngineError> {
        self.info.check(these).map_err(EngineError::Intervention)
    }

    fn room(&self) -> usize {
        self.info.context as usize
    }

    /// Candidates to ask for.
    fn k(&self, depth: Depth) -> usize {
        let wanted = match depth {
            Depth::Count(k) => k.max(1),
            Depth::Mass(_) => OF_MASS,
        };
        let most = self.info.vocab.len().max(1);
        wanted.min(self.info.gives.candidates.unwrap_or(most)).min(most)
    }

    fn generate(&self, asked: &Generate, sink: Sink) -> RequestOutcome {
        self.must_be_plain(&asked.in_force.at_the_end())?;
        if asked.sampling.grammar.is_some() && !asked.begun.is_empty() {
            return Err(EngineError::Unsupported(
                "go on with a reply under a constraint: a server begins a constraint anew",
            ));
        }
        let most = self.longest(asked.prompt.len(), asked.max_tokens)?;
        let begun = Instant::now();
        let k = self.k(asked.depth);
        let steps = match self.prompt(asked, k) {
            Err(Trouble::Cancelled) => return Ok((FinishReason::Cancelled, Timing::default())),
            steps => steps.map_err(|trouble| self.wire.error(trouble))?,
        };
        let total = asked.prompt.len();
        sink(Event::Prefill { steps, done: total, total });
        let mut timing = Timing { prefill_tokens: total, prefill: begun.elapsed(), ..Timing::default() };
        if most == 0 {
            return Ok((FinishReason::Length, timing));
        }
        let begun = Instant::now();
        let asked_for = WriteWish { prompt: &asked.prompt, sampling: &asked.sampling, max_tokens: most, k };
        let reason = self.wire.watched(&asked.cancel, |call| {
            self.written(call, asked_for, &mut |step| {
                timing.decode_tokens += 1;
                sink(Event::Step { step: Arc::new(step), elapsed: begun.elapsed(), named: Vec::new() });
            })
        });
        timing.decode = begun.elapsed();
        match reason {
            Ok(reason) => Ok((reason, timing)),
            Err(Trouble::Cancelled) => Ok((FinishReason::Cancelled, timing)),
            Err(trouble) => Err(self.wire.error(trouble)),
        }
    }

    /// The first as it comes, then the others.
    fn siblings(&self, asked: &Siblings, sink: Sink) -> RequestOutcome {
        let Siblings { first, seeds } = asked;
        let (reason, timing) = self.generate(first, sink)?;
        if reason == FinishReason::Cancelled {
            return Ok((reason, timing));
        }
        let of_seed = |&seed: &u32| Sampling { seed, ..first.sampling.clone() };
        let others = Sample {
            prompt: first.prompt.clone(),
            samplings: seeds.iter().map(of_seed).collect(),
            max_tokens: first.max_tokens,
            depth: first.depth,
            interventions: first.in_force.at_the_end(),
            cancel: first.cancel.clone(),
        };
        let tell = |event| {
            let Event::Sampled { index, steps, reason } = event else { return sink(event) };
            let reply = ReplyId(index as u64 + 1);
            let steps = steps.into_iter().map(|step| ReplyEvent::Step(Arc::new(step), Vec::new()));
            steps.chain([ReplyEvent::Ended(reason)]).for_each(|event| sink(Event::Reply(reply, event)));
        };
        let (reason_of_others, _) = self.sample(&others, &tell)?;
        let cancelled = reason_of_others == FinishReason::Cancelled;
        Ok((if cancelled { reason_of_others } else { reason }, timing))
    }

    fn frontier(&self, asked: &Frontier, sink: Sink) -> RequestOutcome {
        let end = |tokens: &Vec<TokenId>| Sequence { from: tokens.len(), tokens: tokens.clone() };
        let batch = ScoreBatch {
            sequences: asked.sequences.iter().map(end).collect(),
            depth: asked.depth,
            after: true,
            in_force: asked.in_force.clone(),
            cancel: asked.cancel.clone(),
            ..ScoreBatch::default()
        };
        self.score(&batch, sink)
    }

    /// How many tokens may follow a prompt.
    fn longest(&self, prompt: usize, most: Option<usize>) -> Result<usize, EngineError> {
        let context = self.room();
        match prompt {
            0 => Err(EngineError::Empty),
            _ if prompt >= context => Err(EngineError::TooLong { needed: prompt + 1, context }),
            _ => Ok(most.unwrap_or(context).min(context - prompt)),
        }
    }

    /// The figures of a prompt's tokens, from the first on that nobody knows.
    fn prompt(&self, asked: &Generate, k: usize) -> Result<Vec<Arc<Step>>, Trouble> {
        let tokens = &asked.prompt;
        let bare = |id| Arc::new(Step { id, stats: None });
        let from = asked.known.max(1);
        // What nobody would see costs nothing.
        let wanted = from < tokens.len() && (self.dialect.gives_prompts() || asked.max_tokens == Some(0));
        if !wanted || !self.info.gives.scores {
            return Ok(tokens.iter().skip(asked.known).map(|&id| bare(id)).collect());
        }
        let sequence = Sequence { tokens: tokens.clone(), from };
        let scored = self.wire.watched(&asked.cancel, |call| {
            self.dialect.score(call, ScoreWish { sequences: &[sequence], k, after: false })
        })?;
        let first = tokens.first().filter(|_| asked.known == 0).map(|&id| bare(id));
        let scored = scored.into_iter().flat_map(|scores| scores.steps).map(Arc::new);
        Ok(first.into_iter().chain(scored).collect())
    }

    /// Has a reply written, and sees that it is what was asked for.
    fn written(
        &self,
        call: WireCall,
        asked: WriteWish,
        each: &mut dyn FnMut(Step),
    ) -> Result<FinishReason, Trouble> {
        let (mut count, mut ended) = (0, false);
        let reason = self.dialect.write(call, asked, &mut |step| {
            count += 1;
            if ended || count > asked.max_tokens {
                return Err(Trouble::wrong("it writes more tokens than were asked for"));
            }
            ended = self.info.vocab.ends_generation(step.id);
            each(step);
            Ok(())
        })?;
        Ok(match reason {
            FinishReason::Length if asked.prompt.len() + count >= self.room() => FinishReason::Context,
            reason => reason,
        })
    }

    fn score(&self, asked: &ScoreBatch, sink: Sink) -> RequestOutcome {
        self.must_be_plain(&asked.in_force.at_the_end())?;
        if asked.boundaries {
            return Err(EngineError::Unsupported(
                "tell the mass of word boundaries, which a server does not give: score by token",
            ));
        }
        let context = self.room();
        let longest = asked.sequences.iter().map(|sequence| sequence.tokens.len()).max().unwrap_or(0);
        if longest > context {
            return Err(EngineError::TooLong { needed: longest, context });
        }
        let k = self.k(asked.depth);
        let parts = parts(&asked.sequences, self.dialect.at_once().sequences, k);
        let begun = Instant::now();
        let total = asked.sequences.iter().map(|sequence| sequence.tokens.len()).sum();
        let (mut done, mut index, mut timing) = (0, 0, Timing::default());
        let all = self.wire.watched(&asked.cancel, |call| {
            let work = |call: WireCall, part: &&[Sequence]| {
                let scores =
                    self.dialect.score(call, ScoreWish { sequences: part, k, after: asked.after })?;
                match scores.len() == part.len() {
                    true => Ok(scores),
                    false => Err(Trouble::wrong("it answers for another number of texts than it was asked")),
                }
            };
            in_order(call, &parts, self.dialect.at_once().requests, work, |scores| {
                for Scores { steps, after } in scores {
                    done += asked.sequences[index].tokens.len();
                    timing.rows += steps.len();
                    sink(Event::Scored { index, steps, after: after.map(Box::new) });
                    sink(Event::Progress { done, total });
                    index += 1;
                }
            })
        });
        let timing = Timing { prefill_tokens: done, naive_tokens: done, prefill: begun.elapsed(), ..timing };
        self.ended(all, timing)
    }

    fn sample(&self, asked: &Sample, sink: Sink) -> RequestOutcome {
        self.must_be_plain(&asked.interventions)?;
        let most = self.longest(asked.prompt.len(), asked.max_tokens)?.max(1);
        let k = self.k(asked.depth);
        let begun = Instant::now();
        let (mut index, mut tokens) = (0, 0);
        let all = self.wire.watched(&asked.cancel, |call| {
            let work = |call: WireCall, sampling: &Sampling| {
                let mut steps = Vec::new();
                let wanted = WriteWish { prompt: &asked.prompt, sampling, max_tokens: most, k };
                let reason = self.written(call, wanted, &mut |step| steps.push(step))?;
                Ok((steps, reason))
            };
            in_order(call, &asked.samplings, self.dialect.at_once().requests, work, |(steps, reason)| {
                tokens += steps.len();
                sink(Event::Sampled { index, steps, reason });
                index += 1;
            })
        });
        self.ended(all, Timing { decode_tokens: tokens, decode: begun.elapsed(), ..Timing::default() })
    }

    fn ended(&self, all: Result<(), Trouble>, timing: Timing) -> RequestOutcome {
        match all {
            Ok(()) => Ok((FinishReason::Stop, timing)),
            Err(Trouble::Cancelled) => Ok((FinishReason::Cancelled, timing)),
            Err(trouble) => Err(self.wire.error(trouble)),
        }
    }
}

impl Backend for Remote {
    fn info(&self) -> &Arc<ModelInfo> {
        &self.info
    }

    fn run(&mut self, command: &Command, sink: Sink) -> RequestOutcome {
        match command {
            Command::Generate(asked) => self.generate(asked, sink),
            Command::Siblings(asked) => self.siblings(asked, sink),
            // A server keeps what it likes.
            Command::Forget(_) => Ok((FinishReason::Stop, Timing::default())),
            Command::Frontier(asked) => self.frontier(asked, sink),
            Command::Score(asked) => self.score(asked, sink),
            Command::Sample(asked) => self.sample(asked, sink),
            Command::Round(_) => Err(EngineError::Unsupported("write several replies side by side")),
            Command::Inspect(_) => Err(EngineError::Unsupported(NO_LOOK)),
            Command::CrossEntropy(_) => Err(EngineError::Unsupported("compare itself with another model")),
            Command::Row(_) => Err(EngineError::Unsupported(NO_ROW)),
        }
    }
}

/// Sequences in parts of which each is one request.
fn parts(sequences: &[Sequence], most: usize, k: usize) -> Vec<&[Sequence]> {
    let mut parts = Vec::new();
    let mut rest = sequences;
    while !rest.is_empty() {
        let mut candidates = 0;
        let fits = |sequence: &&Sequence| {
            candidates += sequence.tokens.len() * k;
            candidates <= MOST_CANDIDATES
        };
        let count = rest.iter().take(most).take_while(fits).count().max(1);
        let (part, after) = rest.split_at(count);
        parts.push(part);
        rest = after;
    }
    parts
}

/// Does `work` for each part on some threads, and gives out what comes of it in the order of the parts. The first
/// trouble ends everything.
fn in_order<P: Sync, T: Send>(
    call: WireCall,
    parts: &[P],
    threads: usize,
    work: impl Fn(WireCall, &P) -> Result<T, Trouble> + Sync,
    mut give: impl FnMut(T),
) -> Result<(), Trouble> {
    let failed = call.cancel().narrower();
    let call = call.with(&failed);
    let waiting: Mutex<VecDeque<(usize, &P)>> = Mutex::new(parts.iter().enumerate().collect());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
    let (sender, done) = channel();
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, parts.len().max(1)) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                while let Some((index, part)) = next() {
                    let result = aside::guarded(|| work(call, part))
                        .unwrap_or_else(|panic| Err(Trouble::Lasting(aside::bug(&panic))));
                    let ends = result.is_err();
                    if sender.send((index, result)).is_err() || ends {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let (mut early, mut out) = (BTreeMap::new(), 0);
        for (index, result) in done {
            match result {
                Ok(result) => _ = early.insert(index, result),
                Err(trouble) => {
                    waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
                    failed.cancel();
                    call.hang_up();
                    return Err(trouble);
                }
            }
            while let Some(result) = early.remove(&out) {
                give(result);
                out += 1;
            }
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests;
