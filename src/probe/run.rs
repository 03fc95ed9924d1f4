//! Running suites: a state machine that hands out commands and takes events.
//!
//! [`Run`] does no I/O and waits for nothing, so that a screen can drive it with the events it gets
//! anyway; [`drive`] does it for a program that has nothing else to do. Items come out in file order,
//! each as soon as it and all before it are known.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;

use super::answer::{Answers, Found, Reply, Scored};
use super::error::InputError;
use super::item::{Item, Suite};
use super::outcome::{Cost, ItemOutcome, RunOutcome, SuiteOutcome};
use super::plan::{self, ItemPlan, Job};
use super::question::Ask;
use crate::distribution::Depth;
use crate::engine::{
    CancelFlag, Client, Command, EngineError, Event, FinishReason, Layout, ModelInfo, Sample, ScoreBatch,
    Sequence, Timing,
};
use crate::sampling::Sampling;
use crate::settings::Bos;
use crate::step::Step;
use crate::token::TokenId;

/// Sequences in one request: enough to share prefixes, few enough that results come along.
const BATCH: usize = 4096;
/// Candidates kept where someone may look at the distribution.
const DEPTH: usize = 10;

/// A run of some suites on one model.
pub struct Run {
    model: Arc<ModelInfo>,
    cancel: CancelFlag,
    suites: Vec<Planned>,
    /// Items whose sequences have not been sent, as (suite, item).
    waiting: VecDeque<(usize, usize)>,
    /// Continuations of the items whose sequences have.
    jobs: VecDeque<Pending>,
    sent: Option<Sent>,
    progress: Progress,
    /// The next item to come out.
    next: (usize, usize),
    interrupted: bool,
    cost: Cost,
    peers: Peers,
    /// What this model said to items that compare models.
    said: Said,
}

/// Answers by suite and item.
type Said = HashMap<(usize, usize), Arc<Answers>>;

/// What models said that ran before, where several run the same suites.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    said: IndexMap<String, Said>,
    /// Whether further models come.
    pub more: bool,
}

/// A suite on its way.
struct Planned {
    suite: Suite,
    plans: Vec<ItemPlan>,
    /// What is known of items that are not complete.
    partial: HashMap<usize, Answers>,
    /// Items that are complete and wait for one before them.
    ready: HashMap<usize, ItemOutcome>,
    outcome: SuiteOutcome,
}

/// Continuations of one prompt, generated together.
struct Pending {
    place: (usize, usize),
    prompt: Vec<TokenId>,
    /// What each answers, and how it is chosen.
    lanes: Vec<(usize, Sampling)>,
    max_tokens: usize,
}

/// The request that is running.
enum Sent {
    /// (suite, item, sequence of the item's plan) for each of its sequences.
    Score(Vec<(usize, usize, usize)>),
    Sample(Pending),
}

/// How far a run is, in sequences and continuations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Done.
    pub done: usize,
    /// In all.
    pub total: usize,
}

/// What has come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emitted {
    /// An item: its suite's place and its own.
    Item(usize, usize),
    /// A suite is complete.
    Suite(usize),
}

impl Run {
    /// Plans everything. `earlier` holds items that are known from an earlier run; those that are still
    /// the same are not run again. `cancel` stops the run when it is raised.
    ///
    /// # Errors
    /// [`InputError`] where an item does not fit into the context or can't be asked.
    pub fn new(
        suites: Vec<Suite>,
        model: Arc<ModelInfo>,
        bos: Bos,
        cancel: CancelFlag,
        earlier: Vec<ItemOutcome>,
    ) -> Result<Run, InputError> {
        let planned = suites.into_iter().map(|suite| {
            let plans = plan::suite(&suite, &model, bos)?;
            let outcome = SuiteOutcome::new(&suite);
            Ok(Planned { suite, plans, partial: HashMap::new(), ready: HashMap::new(), outcome })
        });
        let mut run = Run {
            suites: planned.collect::<Result<_, InputError>>()?,
            model,
            cancel,
            waiting: VecDeque::new(),
            jobs: VecDeque::new(),
            sent: None,
            progress: Progress::default(),
            next: (0, 0),
            interrupted: false,
            cost: Cost::default(),
            peers: Peers::default(),
            said: Said::new(),
        };
        run.recall(earlier);
        run.enqueue();
        Ok(run)
    }

    /// Makes it one of several models' runs; to be called before anything is asked.
    pub fn join(&mut self, peers: Peers) {
        self.peers = peers;
    }

    /// What the models said so far, this one's answers included, for the next one's run.
    pub fn leave(&mut self) -> Peers {
        let mut peers = std::mem::take(&mut self.peers);
        peers.said.insert(self.model.name.clone(), std::mem::take(&mut self.said));
        peers
    }

    /// For each item the sequence that says most about how its texts are expected: that of its right
    /// choice, its target, or the first there is. No more than `most` tokens are scored.
    pub fn sequences(&self, most: usize) -> Vec<Sequence> {
        let items = self.suites.iter().flat_map(|planned| planned.suite.items.iter().zip(&planned.plans));
        let mut left = most;
        let chosen = items.filter_map(|(item, plan)| plan.telling(item)).map_while(|sequence| {
            left = left.checked_sub(sequence.tokens.len() - sequence.from.max(1))?;
            Some(Sequence { tokens: sequence.tokens.clone(), from: sequence.from.max(1) })
        });
        chosen.collect()
    }

    fn recall(&mut self, earlier: Vec<ItemOutcome>) {
        for item in earlier {
            let known = self.suites.iter_mut().find(|planned| planned.suite.name == item.suite);
            if let Some(planned) = known
                && planned
                    .suite
                    .items
                    .get(item.index)
                    .is_some_and(|now| is_same(now, &item) && !compares(now))
            {
                planned.ready.insert(item.index, item);
            }
        }
    }

    fn enqueue(&mut self) {
        for (s, planned) in self.suites.iter_mut().enumerate() {
            for (i, plan) in planned.plans.iter().enumerate() {
                if planned.ready.contains_key(&i) {
                    continue;
                }
                if let Some(reason) = &plan.unscored {
                    planned.ready.insert(i, ItemOutcome::unscored(&planned.suite, i, reason));
                    continue;
                }
                self.waiting.push_back((s, i));
                self.progress.total +=
                    plan.sequences.len() + plan.jobs.iter().map(|job| job.n).sum::<usize>();
                self.cost.naive += plan.naive_tokens();
                let mut answers = Answers::default();
                for (ask, found) in plan.known() {
                    answers.add(ask, found);
                }
                planned.partial.insert(i, answers);
            }
        }
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// A suite as far as it is known.
    pub fn suite(&self, index: usize) -> &SuiteOutcome {
        &self.suites[index].outcome
    }

    /// The model it runs on.
    pub fn model(&self) -> &Arc<ModelInfo> {
        &self.model
    }

    /// Stops it; what is known stays.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// What can come out before the engine has done anything (more).
    pub fn take_ready(&mut self) -> Vec<Emitted> {
        let mut emitted = Vec::new();
        while let Some(planned) = self.suites.get_mut(self.next.0) {
            let (s, i) = self.next;
            if i == planned.suite.items.len() {
                planned.outcome.conclude(&planned.suite);
                emitted.push(Emitted::Suite(s));
                self.next = (s + 1, 0);
                continue;
            }
            let Some(item) = planned.ready.remove(&i) else { break };
            planned.outcome.items.push(item);
            emitted.push(Emitted::Item(s, i));
            self.next = (s, i + 1);
        }
        emitted
    }

    /// The next thing to ask the engine; `None` while a request runs, and at the end.
    pub fn next_command(&mut self) -> Option<Command> {
        if self.sent.is_some() || self.interrupted {
            return None;
        }
        if self.cancel.is_cancelled() {
            self.interrupted = !(self.jobs.is_empty() && self.waiting.is_empty());
            return None;
        }
        if let Some(pending) = self.jobs.pop_front() {
            let request = Sample {
                prompt: pending.prompt.clone(),
                samplings: pending.lanes.iter().map(|(_, sampling)| sampling.clone()).collect(),
                max_tokens: Some(pending.max_tokens),
                depth: Depth::Count(1),
                cancel: self.cancel.clone(),
            };
            self.sent = Some(Sent::Sample(pending));
            return Some(Command::Sample(request));
        }
        self.next_batch()
    }

    fn next_batch(&mut self) -> Option<Command> {
        let mut owners = Vec::new();
        let mut sequences = Vec::new();
        let mut looks = false;
        while owners.len() < BATCH
            && let Some((s, i)) = self.waiting.pop_front()
        {
            let planned = &self.suites[s];
            let plan = &planned.plans[i];
            looks |= !planned.suite.items[i].expect.is_empty();
            for (q, planned) in plan.sequences.iter().enumerate() {
                owners.push((s, i, q));
                sequences.push(planned.sequence.clone());
            }
            self.jobs.extend(continuations((s, i), &plan.jobs));
        }
        self.cost.sequences += sequences.len();
        if sequences.is_empty() {
            return if self.jobs.is_empty() { None } else { self.next_command() };
        }
        self.sent = Some(Sent::Score(owners));
        let depth = Depth::Count(if looks { DEPTH } else { 1 });
        let cancel = self.cancel.clone();
        let layout = Layout::Together;
        Some(Command::Score(ScoreBatch { sequences, layout, depth, boundaries: false, after: false, cancel }))
    }

    /// Takes what comes of the last command and returns what has come out by it, in file order.
    pub fn on_event(&mut self, event: Event) -> Vec<Emitted> {
        let Some(sent) = &mut self.sent else { return Vec::new() };
        match (event, sent) {
            (Event::Scored { index, steps, .. }, Sent::Score(owners)) => {
                if let Some(owner) = owners.get(index).copied() {
                    self.scored(owner, steps);
                }
            }
            (Event::Sampled { index, steps, .. }, Sent::Sample(pending)) => {
                if let Some(&(ask, _)) = pending.lanes.get(index) {
                    let place = pending.place;
                    self.sampled(place, ask, &steps);
                }
            }
            (Event::Finished { reason, timing }, _) => self.finished(reason, timing),
            (Event::Failed(_), _) => {
                self.sent = None;
                self.interrupted = true;
            }
            _ => {}
        }
        self.take_ready()
    }

    fn scored(&mut self, (s, i, q): (usize, usize, usize), steps: Vec<Step>) {
        let vocab = Arc::clone(&self.model.vocab);
        let planned = &mut self.suites[s];
        let sequence = &planned.plans[i].sequences[q];
        let ask = planned.suite.items[i].asks[sequence.ask].clone();
        let answers = planned.partial.entry(i).or_default();
        let found = match &ask {
            Ask::Next { .. } => Found::Next(
                steps.into_iter().next().and_then(|step| step.stats).map(|stats| Box::new(stats.prediction)),
            ),
            Ask::Pieces { .. } => Found::Pieces(cut(steps, &sequence.cuts, sequence.spans_join, &vocab)),
            _ => Found::Text(Scored::from_steps(steps, sequence.spans_join, &vocab)),
        };
        answers.add(ask, found);
        self.progress.done += 1;
        self.settle((s, i));
    }

    fn sampled(&mut self, (s, i): (usize, usize), ask: usize, steps: &[Step]) {
        let reply = Reply::from_steps(steps, &self.model.vocab);
        let planned = &mut self.suites[s];
        let ask = planned.suite.items[i].asks[ask].clone();
        planned.partial.entry(i).or_default().add(ask, Found::Replies(vec![reply]));
        self.progress.done += 1;
        self.settle((s, i));
    }

    fn finished(&mut self, reason: FinishReason, timing: Timing) {
        self.cost.computed += timing.prefill_tokens;
        self.cost.generated += timing.decode_tokens;
        self.cost.seconds += (timing.prefill + timing.decode).as_secs_f64();
        self.sent = None;
        self.interrupted |= reason == FinishReason::Cancelled;
    }

    /// Makes an outcome of an item that lacks nothing any more.
    fn settle(&mut self, (s, i): (usize, usize)) {
        let planned = &mut self.suites[s];
        let wanted = planned.plans[i].parts();
        if planned.partial.get(&i).is_none_or(|answers| answers.parts() < wanted) {
            return;
        }
        if let Some(answers) = planned.partial.remove(&i) {
            let answers = Arc::new(answers);
            let mut models = IndexMap::new();
            if compares(&planned.suite.items[i]) {
                let before = self.peers.said.iter();
                models.extend(
                    before.filter_map(|(model, said)| Some((model.clone(), Arc::clone(said.get(&(s, i))?)))),
                );
                models.insert(self.model.name.clone(), Arc::clone(&answers));
                self.said.insert((s, i), Arc::clone(&answers));
            }
            let models = (Arc::new(models), self.peers.more);
            planned.ready.insert(i, ItemOutcome::new(&planned.suite, i, answers, models));
        }
    }

    /// The suite that is under way and of which something is known.
    pub fn current(&self) -> Option<usize> {
        let begun = self.suites.get(self.next.0).is_some_and(|planned| !planned.outcome.items.is_empty());
        begun.then_some(self.next.0)
    }

    /// Works out the figures of a suite from what is known of it.
    pub fn conclude(&mut self, index: usize) -> &SuiteOutcome {
        let planned = &mut self.suites[index];
        planned.outcome.conclude(&planned.suite);
        &planned.outcome
    }

    /// What came out, complete or not.
    pub fn into_outcome(mut self) -> RunOutcome {
        self.take_ready();
        let interrupted = self.next.0 < self.suites.len();
        RunOutcome {
            model: self.model.name.clone(),
            suites: self.suites.into_iter().map(|planned| planned.outcome).collect(),
            interrupted,
            cost: self.cost,
        }
    }
}

/// The continuations of an item, those of one prompt together, each with a seed of its own.
fn continuations(place: (usize, usize), jobs: &[Job]) -> Vec<Pending> {
    let mut together: Vec<Pending> = Vec::new();
    for job in jobs {
        let lanes = (0..job.n as u32).map(|i| {
            let seed = job.sampling.seed.wrapping_add(i);
            (job.ask, Sampling { seed, ..job.sampling.clone() })
        });
        let same =
            |pending: &&mut Pending| pending.prompt == job.prompt && pending.max_tokens == job.max_tokens;
        match together.iter_mut().find(same) {
            Some(pending) => pending.lanes.extend(lanes),
            None => together.push(Pending {
                place,
                prompt: job.prompt.clone(),
                lanes: lanes.collect(),
                max_tokens: job.max_tokens,
            }),
        }
    }
    together
}

/// Steps in pieces.
fn cut(mut steps: Vec<Step>, cuts: &[usize], spans_join: bool, vocab: &crate::token::Vocab) -> Vec<Scored> {
    let mut pieces: Vec<Scored> = cuts
        .iter()
        .rev()
        .map(|&from| Scored::from_steps(steps.split_off(from.min(steps.len())), spans_join, vocab))
        .collect();
    pieces.reverse();
    pieces
}

/// Whether an item compares what several models say; then its answers are needed, not only what came out.
fn compares(item: &Item) -> bool {
    item.expect.iter().any(|expectation| expectation.models().next().is_some())
}

/// Whether an item is still what it was when an earlier run saw it.
fn is_same(now: &Item, earlier: &ItemOutcome) -> bool {
    let questions = &now.questions;
    let texts = questions.rolling.as_ref().map(|rolling| &rolling.text);
    let texts = questions.choices.iter().map(|choice| &choice.text).chain(texts);
    let expect = now.expect.iter().map(|expectation| expectation.text());
    now.id == earlier.id
        && now.prompt() == earlier.prompt
        && texts.eq(earlier.choices.iter().map(|choice| &choice.text))
        && expect.eq(earlier.expect.iter().map(|verdict| verdict.text.as_str()))
        && questions.gold.first() == earlier.answer.first()
}

/// Runs to the end, or until it is cancelled. `each` is told what has come out and how far it is.
///
/// # Errors
/// What the engine says; what came out before has been told.
pub fn drive(
    client: &mut Client,
    run: &mut Run,
    mut each: impl FnMut(&Run, &[Emitted]),
) -> Result<(), EngineError> {
    let ready = run.take_ready();
    each(run, &ready);
    loop {
        let Some(command) = run.next_command() else { return Ok(()) };
        let (reason, timing) = client.run(command, |event| {
            let emitted = run.on_event(event);
            each(run, &emitted);
        })?;
        let emitted = run.on_event(Event::Finished { reason, timing });
        each(run, &emitted);
    }
}

/// Time left at the rate so far; `None` before anything is done.
pub fn time_left(progress: Progress, elapsed: Duration) -> Option<Duration> {
    let left = progress.total.checked_sub(progress.done)?;
    (progress.done > 0).then(|| elapsed.mul_f64(left as f64 / progress.done as f64))
}

#[cfg(test)]
mod tests;
