//! Running suites: a state machine that hands out commands and takes events.
//!
//! [`ProbeRun`] does no I/O and waits for nothing, so that a screen can drive it with the events it gets
//! anyway; [`drive`] does it for a program that has nothing else to do. Items come out in file order,
//! each as soon as it and all before it are known.

mod parts;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use indexmap::IndexMap;

use super::answer::{Answers, Finding, Looked};
use super::error::InputError;
use super::item::Suite;
use super::judge::ModelAnswers;
use super::outcome::{Cost, ItemOutcome, RunOutcome, SuiteOutcome};
use super::plan::looks::COPIES;
use super::plan::{self, ItemPlan, PlannedLook};
use super::question::Ask;
use crate::distribution::Depth;
use crate::engine::look::{Found, Inspect};
use crate::engine::{
    CancelFlag, Client, Command, EngineError, Event, FinishReason, Layout, ModelInfo, Sample, ScoreBatch,
    Sequence,
};
use crate::lens::floor;
use crate::settings::Bos;
use crate::step::{Candidate, Step};
use parts::{ItemPlace, RequestPart, Samples, finding, samples};

/// Sequences in one request: enough to share prefixes, few enough that results come along.
const BATCH: usize = 4096;
/// Candidates kept where someone may look at the distribution.
const DEPTH: usize = 10;

/// A run of some suites on one model.
pub struct ProbeRun {
    model: Arc<ModelInfo>,
    cancel: CancelFlag,
    suites: Vec<SuiteRun>,
    /// Items whose sequences have not been sent.
    waiting: VecDeque<ItemPlace>,
    /// Long sequences of the items whose short ones have.
    long: Option<SequencesToScore>,
    /// Continuations of the items whose sequences have.
    samples: VecDeque<Samples>,
    /// Looks between the layers of the same.
    looks: VecDeque<(RequestPart, PlannedLook)>,
    /// What the look that is running has found.
    looked: Vec<Candidate>,
    /// What the model has not that was to be changed.
    lacking: Option<EngineError>,
    /// What each part of the running request answers.
    sent: Option<Vec<RequestPart>>,
    progress: RunProgress,
    /// The next item to come out.
    next: ItemPlace,
    interrupted: bool,
    cost: Cost,
    peers: Peers,
    /// What this model said to items that compare models.
    said: Said,
}

/// Sequences of one layout, and what each is a part of.
#[derive(Default)]
struct SequencesToScore {
    parts: Vec<RequestPart>,
    sequences: Vec<Sequence>,
    /// Candidates kept.
    depth: Depth,
}

/// Answers of items.
type Said = HashMap<ItemPlace, Arc<Answers>>;

/// What models said that ran before, where several run the same suites.
#[derive(Clone, Debug, Default)]
pub struct Peers {
    said: IndexMap<String, Said>,
    /// Whether further models come.
    pub more: bool,
}

/// A suite on its way.
struct SuiteRun {
    suite: Suite,
    plans: Vec<ItemPlan>,
    /// What is known of items that are not complete.
    partial: HashMap<usize, Answers>,
    /// Items that are complete and wait for one before them.
    ready: HashMap<usize, ItemOutcome>,
    outcome: SuiteOutcome,
}

/// How far a run is, in sequences and continuations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunProgress {
    /// Done.
    pub done: usize,
    /// In all.
    pub total: usize,
}

/// What has come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completed {
    /// An item: its suite's place and its own.
    Item(usize, usize),
    /// A suite is complete.
    Suite(usize),
}

impl ProbeRun {
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
    ) -> Result<ProbeRun, InputError> {
        let suites = suites.into_iter().map(|suite| {
            let plans = plan::suite(&suite, &model, bos)?;
            let outcome = SuiteOutcome::new(&suite);
            Ok(SuiteRun { suite, plans, partial: HashMap::new(), ready: HashMap::new(), outcome })
        });
        let mut run = ProbeRun {
            suites: suites.collect::<Result<_, InputError>>()?,
            model,
            cancel,
            waiting: VecDeque::new(),
            long: None,
            samples: VecDeque::new(),
            looks: VecDeque::new(),
            looked: Vec::new(),
            lacking: None,
            sent: None,
            progress: RunProgress::default(),
            next: ItemPlace::default(),
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
        let items = self.suites.iter().flat_map(|known| known.suite.items.iter().zip(&known.plans));
        let mut left = most;
        let chosen = items.filter_map(|(item, plan)| plan.telling(item)).map_while(|sequence| {
            left = left.checked_sub(sequence.tokens.len() - sequence.from.max(1))?;
            Some(Sequence { tokens: sequence.tokens.clone(), from: sequence.from.max(1) })
        });
        chosen.collect()
    }

    fn recall(&mut self, earlier: Vec<ItemOutcome>) {
        for item in earlier {
            let known = self.suites.iter_mut().find(|known| known.suite.name == item.suite);
            if let Some(known) = known
                && let Some(now) = known.suite.items.get(item.index)
                && item.is_of(now)
                && !now.compares_models()
            {
                known.ready.insert(item.index, item);
            }
        }
    }

    fn enqueue(&mut self) {
        for (s, known) in self.suites.iter_mut().enumerate() {
            for (i, plan) in known.plans.iter().enumerate() {
                if known.ready.contains_key(&i) {
                    continue;
                }
                if let Some(reason) = &plan.unscored {
                    known.ready.insert(i, ItemOutcome::unscored(&known.suite, i, reason));
                    continue;
                }
                self.waiting.push_back(ItemPlace { suite: s, item: i });
                self.progress.total += plan.sequences.len()
                    + plan.looks.len()
                    + plan.generations.iter().map(|generation| generation.n).sum::<usize>();
                self.cost.naive += plan.naive_tokens();
                let mut answers = Answers::default();
                for (ask, finding) in plan.known() {
                    answers.add(ask, finding);
                }
                known.partial.insert(i, answers);
            }
        }
    }

    /// How far it is.
    pub fn progress(&self) -> RunProgress {
        self.progress
    }

    /// A suite as far as it is known.
    pub fn suite(&self, index: usize) -> &SuiteOutcome {
        &self.suites[index].outcome
    }

    /// Stops it; what is known stays.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// What can come out before the engine has done anything (more).
    pub fn take_ready(&mut self) -> Vec<Completed> {
        let mut completed = Vec::new();
        while let Some(known) = self.suites.get_mut(self.next.suite) {
            let ItemPlace { suite, item } = self.next;
            if item == known.suite.items.len() {
                known.outcome.conclude(&known.suite);
                completed.push(Completed::Suite(suite));
                self.next = ItemPlace { suite: suite + 1, item: 0 };
                continue;
            }
            let Some(outcome) = known.ready.remove(&item) else { break };
            known.outcome.items.push(outcome);
            completed.push(Completed::Item(suite, item));
            self.next.item += 1;
        }
        completed
    }

    /// The next thing to ask the engine; `None` while a request runs, and at the end.
    pub fn next_command(&mut self) -> Option<Command> {
        if self.sent.is_some() || self.interrupted {
            return None;
        }
        if self.cancel.is_cancelled() {
            let waiting = !(self.samples.is_empty() && self.looks.is_empty() && self.waiting.is_empty());
            self.interrupted = waiting || self.long.is_some();
            return None;
        }
        if let Some(long) = self.long.take() {
            return Some(self.score(long, Layout::Long));
        }
        if let Some((part, look)) = self.looks.pop_front() {
            return Some(self.inspect(part, look));
        }
        let Some(samples) = self.samples.pop_front() else { return self.next_batch() };
        let (parts, samplings) = samples.lanes.into_iter().unzip();
        self.sent = Some(parts);
        Some(Command::Sample(Sample {
            prompt: samples.prompt,
            samplings,
            max_tokens: Some(samples.max_tokens),
            cancel: self.cancel.clone(),
            ..Sample::default()
        }))
    }

    fn inspect(&mut self, part: RequestPart, look: PlannedLook) -> Command {
        self.sent = Some(vec![part]);
        self.looked.clear();
        self.lacking = None;
        Command::Inspect(Inspect {
            tokens: look.tokens,
            look: look.look,
            named: vec![look.named],
            depth: Depth::Count(1),
            interventions: Default::default(),
            cancel: self.cancel.clone(),
        })
    }

    fn next_batch(&mut self) -> Option<Command> {
        let (mut short, mut long) = (SequencesToScore::default(), SequencesToScore::default());
        let mut looks = false;
        while short.parts.len() + long.parts.len() < BATCH
            && let Some(place) = self.waiting.pop_front()
        {
            let known = &self.suites[place.suite];
            let plan = &known.plans[place.item];
            looks |= !known.suite.items[place.item].expect.is_empty();
            for (i, planned) in plan.sequences.iter().enumerate() {
                let into = match Layout::of(planned.sequence.tokens.len()) {
                    Layout::Long => &mut long,
                    _ => &mut short,
                };
                into.parts.push(RequestPart { place, ask: planned.ask, sequence: Some(i) });
                into.sequences.push(planned.sequence.clone());
            }
            self.samples.extend(samples(place, &plan.generations));
            let part = |look: &PlannedLook| RequestPart { place, ask: look.ask, sequence: None };
            self.looks.extend(plan.looks.iter().map(|look| (part(look), look.clone())));
        }
        self.cost.sequences += short.sequences.len() + long.sequences.len();
        let depth = Depth::Count(if looks { DEPTH } else { 1 });
        self.long = Some(SequencesToScore { depth, ..long }).filter(|long| !long.parts.is_empty());
        if short.parts.is_empty() {
            let more = self.long.is_some() || !(self.samples.is_empty() && self.looks.is_empty());
            return if more { self.next_command() } else { None };
        }
        Some(self.score(SequencesToScore { depth, ..short }, Layout::Together))
    }

    fn score(&mut self, wanted: SequencesToScore, layout: Layout) -> Command {
        let SequencesToScore { parts, sequences, depth } = wanted;
        self.sent = Some(parts);
        let cancel = self.cancel.clone();
        Command::Score(ScoreBatch { sequences, layout, depth, cancel, ..ScoreBatch::default() })
    }

    /// Takes what comes of the last command and returns what has come out by it, in file order.
    pub fn on_event(&mut self, event: Event) -> Vec<Completed> {
        let Some(parts) = &self.sent else { return Vec::new() };
        match event {
            Event::Scored { index, steps, .. } | Event::Sampled { index, steps, .. } => {
                if let Some(part) = parts.get(index).copied() {
                    self.answered(part, steps);
                }
            }
            Event::Found { found, .. } => match *found {
                Found::Reading(reading) => self.looked.extend(reading.named),
                Found::Missing { layer, part } => {
                    let architecture = self.model.architecture.clone();
                    self.lacking = Some(EngineError::NoPart { architecture, layer, part });
                }
                _ => {}
            },
            Event::Finished { reason, timing } => {
                self.looked_through(reason);
                self.cost.computed += timing.prefill_tokens;
                self.cost.generated += timing.decode_tokens;
                self.cost.seconds += (timing.prefill + timing.decode).as_secs_f64();
                self.sent = None;
                self.interrupted |= reason == FinishReason::Cancelled;
            }
            Event::Failed(error @ EngineError::NoPart { .. }) => {
                let part = parts.first().copied();
                self.sent = None;
                if let Some(part) = part {
                    self.add(part, Finding::Missing(error.to_string()));
                }
            }
            Event::Failed(_) => {
                self.sent = None;
                self.interrupted = true;
            }
            _ => {}
        }
        self.take_ready()
    }

    /// Takes one part of an answer, and makes an outcome of an item that lacks nothing any more.
    fn answered(&mut self, part: RequestPart, steps: Vec<Step>) {
        let ItemPlace { suite, item } = part.place;
        let known = &mut self.suites[suite];
        let plan = &known.plans[item];
        let ask = known.suite.items[item].asks[part.ask].clone();
        let finding = finding(&ask, steps, part.sequence.map(|i| &plan.sequences[i]), &self.model.vocab);
        self.add(part, finding);
    }

    /// A look that came to its end is an answer.
    fn looked_through(&mut self, reason: FinishReason) {
        if reason == FinishReason::Cancelled || self.looked.is_empty() {
            return;
        }
        let Some(part) = self.sent.as_ref().and_then(|parts| parts.first()).copied() else { return };
        let readings = std::mem::take(&mut self.looked);
        if let Some(lacking) = self.lacking.take() {
            return self.add(part, Finding::Missing(lacking.to_string()));
        }
        let first = readings.first().map_or(0.0, |reading| reading.logprob);
        // Copies of one sequence come first, but after each layer there is another distribution.
        let copies = if self.looks_through_layers(part) { 0 } else { COPIES };
        let copies = readings.iter().take(copies).map(|copy| f64::from(copy.logprob - first));
        let floor = floor::floor(&self.model, copies);
        self.add(part, Finding::Looked(Looked { readings, floor }));
    }

    fn looks_through_layers(&self, part: RequestPart) -> bool {
        let item = &self.suites[part.place.suite].suite.items[part.place.item];
        matches!(item.asks[part.ask], Ask::Layers { .. })
    }

    fn add(&mut self, part: RequestPart, finding: Finding) {
        let ItemPlace { suite, item } = part.place;
        let known = &mut self.suites[suite];
        let plan = &known.plans[item];
        let ask = known.suite.items[item].asks[part.ask].clone();
        let answers = known.partial.entry(item).or_default();
        answers.add(ask, finding);
        self.progress.done += 1;
        if answers.parts() < plan.parts() {
            return;
        }
        if let Some(answers) = known.partial.remove(&item) {
            let outcome = self.judged(part.place, Arc::new(answers));
            self.suites[suite].ready.insert(item, outcome);
        }
    }

    fn judged(&mut self, place: ItemPlace, answers: Arc<Answers>) -> ItemOutcome {
        let suite = &self.suites[place.suite].suite;
        let mut models = ModelAnswers { said: Arc::default(), more: self.peers.more };
        if suite.items[place.item].compares_models() {
            let before = self.peers.said.iter();
            let mut said: IndexMap<String, Arc<Answers>> = before
                .filter_map(|(model, said)| Some((model.clone(), Arc::clone(said.get(&place)?))))
                .collect();
            said.insert(self.model.name.clone(), Arc::clone(&answers));
            self.said.insert(place, Arc::clone(&answers));
            models.said = Arc::new(said);
        }
        ItemOutcome::new(suite, place.item, answers, models)
    }

    /// The suite that is under way and of which something is known.
    pub fn current(&self) -> Option<usize> {
        let begun = self.suites.get(self.next.suite).is_some_and(|known| !known.outcome.items.is_empty());
        begun.then_some(self.next.suite)
    }

    /// Works out the figures of a suite from what is known of it.
    pub fn conclude(&mut self, index: usize) -> &SuiteOutcome {
        let known = &mut self.suites[index];
        known.outcome.conclude(&known.suite);
        &known.outcome
    }

    /// What came out, complete or not.
    pub fn into_outcome(mut self) -> RunOutcome {
        self.take_ready();
        let interrupted = self.next.suite < self.suites.len();
        RunOutcome {
            model: self.model.name.clone(),
            // An engine that can't tell says none.
            parameters: Some(self.model.parameters).filter(|weights| *weights > 0),
            suites: self.suites.into_iter().map(|known| known.outcome).collect(),
            interrupted,
            cost: self.cost,
        }
    }
}

/// Runs to the end, or until it is cancelled. `each` is told what has come out and how far it is.
///
/// # Errors
/// What the engine says; what came out before has been told.
pub fn drive(
    client: &mut Client,
    run: &mut ProbeRun,
    mut each: impl FnMut(&ProbeRun, &[Completed]),
) -> Result<(), EngineError> {
    let ready = run.take_ready();
    each(run, &ready);
    loop {
        let Some(command) = run.next_command() else { return Ok(()) };
        let ended = client.run(command, |event| {
            let completed = run.on_event(event);
            each(run, &completed);
        });
        let last = match ended {
            Ok((reason, timing)) => Event::Finished { reason, timing },
            // One question less is answered; the others are.
            Err(error @ EngineError::NoPart { .. }) => Event::Failed(error),
            Err(error) => return Err(error),
        };
        let completed = run.on_event(last);
        each(run, &completed);
    }
}

#[cfg(test)]
mod tests;
