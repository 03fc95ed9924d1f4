//! Between the handlers of requests and the engine: what waits together is computed together.
//!
//! One thread asks the engine, in turns: a batch of sequences to score, taken one by one from everyone who
//! waits, then a round of the replies that are being written. So a list of a thousand texts, a long prompt
//! and a long reply keep nobody waiting for their end. Whoever no longer listens is left out of the next
//! turn.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, TryRecvError, channel};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::metrics::Metrics;
use crate::distribution::Depth;
use crate::engine::replies::{Newcomer, ReplyEvent, ReplyId, Round};
use crate::engine::{CancelFlag, Command, Engine, EngineError, Event, Layout, ScoreBatch, Sequence};
use crate::intervention::Interventions;
use crate::sampling::Sampling;
use crate::step::{Prediction, Step};
use crate::token::TokenId;

/// Tokens of a scoring's turn while nobody writes, and while somebody does.
const TURN: usize = 8192;
const TURN_BESIDE_REPLIES: usize = 512;
/// Candidates up to which requests for different numbers of them are computed together.
const SHALLOW: usize = 64;
/// How often it is looked whether anybody still listens.
const PULSE: Duration = Duration::from_millis(20);

/// Sequences to score.
#[derive(Clone, Debug)]
pub(super) struct ToScore {
    pub sequences: Vec<Sequence>,
    /// Candidates, at least; more may come.
    pub depth: Depth,
    /// Whether the distribution after each sequence is wanted.
    pub after: bool,
}

/// One of them, scored.
#[derive(Debug)]
pub(super) struct ScoredSequence {
    pub index: usize,
    pub steps: Vec<Step>,
    pub after: Option<Box<Prediction>>,
}

/// A reply to write.
#[derive(Clone, Debug)]
pub(super) struct ReplyToWrite {
    pub prompt: Vec<TokenId>,
    pub sampling: Sampling,
    /// 1 or more.
    pub max_tokens: usize,
    pub depth: Depth,
    pub named: Vec<TokenId>,
}

/// What is told of a reply.
pub(super) type ReplyEvents = UnboundedReceiver<ReplyEvent>;
/// What is told of a scoring; it ends with the last sequence, or with an error.
pub(super) type ScoreEvents = UnboundedReceiver<Result<ScoredSequence, EngineError>>;

enum WorkItem {
    Score(ToScore, UnboundedSender<Result<ScoredSequence, EngineError>>),
    Write(ReplyToWrite, UnboundedSender<ReplyEvent>),
}

/// Takes work from any number of handlers.
#[derive(Clone)]
pub(super) struct WorkQueue(Sender<WorkItem>);

impl WorkQueue {
    /// Starts the thread. `stop` ends what is computed and refuses what waits.
    pub fn start(engine: Engine, params: WorkSettings) -> std::io::Result<WorkQueue> {
        let (sender, inbox) = channel();
        let turns = Turns {
            engine,
            params,
            inbox,
            scorings: VecDeque::new(),
            waiting: VecDeque::new(),
            writing: HashMap::new(),
            left: Vec::new(),
            next: 0,
        };
        std::thread::Builder::new().name("serve-work".to_string()).spawn(move || turns.run())?;
        Ok(WorkQueue(sender))
    }

    pub fn score(&self, scoring: ToScore) -> ScoreEvents {
        let (sender, events) = unbounded_channel();
        let _ = self.0.send(WorkItem::Score(scoring, sender));
        events
    }

    pub fn write(&self, writing: ReplyToWrite) -> ReplyEvents {
        let (sender, events) = unbounded_channel();
        let _ = self.0.send(WorkItem::Write(writing, sender));
        events
    }
}

/// How work is done.
pub(super) struct WorkSettings {
    /// Most replies side by side.
    pub parallel: usize,
    pub interventions: Interventions,
    pub stop: CancelFlag,
    pub metrics: Arc<Metrics>,
}

/// Sequences that wait, and who waits for them.
struct WaitingToScore {
    left: VecDeque<(usize, Sequence)>,
    depth: Depth,
    after: bool,
    out: UnboundedSender<Result<ScoredSequence, EngineError>>,
}

impl WaitingToScore {
    /// Whether both can be in one batch.
    fn goes_with(&self, other: &WaitingToScore) -> bool {
        let shallow = |depth| matches!(depth, Depth::Count(k) if k <= SHALLOW);
        self.after == other.after
            && (self.depth == other.depth || shallow(self.depth) && shallow(other.depth))
    }
}

struct Turns {
    engine: Engine,
    params: WorkSettings,
    inbox: Receiver<WorkItem>,
    scorings: VecDeque<WaitingToScore>,
    waiting: VecDeque<(ReplyToWrite, UnboundedSender<ReplyEvent>)>,
    writing: HashMap<ReplyId, UnboundedSender<ReplyEvent>>,
    /// Replies whose readers have gone.
    left: Vec<ReplyId>,
    next: u64,
}

impl Turns {
    fn run(mut self) {
        while self.collect() {
            self.scorings.retain(|scoring| !scoring.out.is_closed());
            if !self.scorings.is_empty() {
                self.score();
            }
            self.waiting.retain(|(_, out)| !out.is_closed());
            let gone = self.writing.iter().filter(|(_, out)| out.is_closed()).map(|(reply, _)| *reply);
            self.left.extend(gone.collect::<Vec<_>>());
            self.left.iter().for_each(|reply| _ = self.writing.remove(reply));
            if !self.writing.is_empty() || !self.waiting.is_empty() || !self.left.is_empty() {
                self.round();
            }
            self.params.metrics.waits(self.waiting.len(), self.writing.len(), self.scorings.len());
        }
    }

    fn is_idle(&self) -> bool {
        self.scorings.is_empty() && self.waiting.is_empty() && self.writing.is_empty() && self.left.is_empty()
    }

    /// Takes what has come, and waits for something if there is nothing to do; `false` when nobody can send
    /// any more, or the server stops.
    fn collect(&mut self) -> bool {
        while self.is_idle() {
            if self.params.stop.is_cancelled() {
                return false;
            }
            match self.inbox.recv_timeout(PULSE) {
                Ok(job) => self.take(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return false,
            }
        }
        loop {
            match self.inbox.try_recv() {
                Ok(job) => self.take(job),
                Err(TryRecvError::Empty) => return !self.params.stop.is_cancelled(),
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn take(&mut self, job: WorkItem) {
        match job {
            WorkItem::Write(writing, out) => self.waiting.push_back((writing, out)),
            WorkItem::Score(ToScore { sequences, depth, after }, out) => {
                let left = sequences.into_iter().enumerate().collect();
                self.scorings.push_back(WaitingToScore { left, depth, after, out });
            }
        }
    }

    /// A sequence of everyone in turn, until the batch is full.
    fn gather(&mut self) -> (ScoreBatch, Vec<(usize, usize)>) {
        let room =
            if self.writing.is_empty() && self.waiting.is_empty() { TURN } else { TURN_BESIDE_REPLIES };
        let together: Vec<usize> =
            (0..self.scorings.len()).filter(|&i| self.scorings[i].goes_with(&self.scorings[0])).collect();
        let (mut sequences, mut whose, mut tokens) = (Vec::new(), Vec::new(), 0);
        let mut depth = self.scorings[0].depth;
        let after = self.scorings[0].after;
        loop {
            let before = sequences.len();
            for &i in &together {
                let scoring = &mut self.scorings[i];
                let fits = |(_, next): &(usize, Sequence)| tokens == 0 || tokens + next.tokens.len() <= room;
                if !scoring.left.front().is_some_and(fits) {
                    continue;
                }
                let Some((index, sequence)) = scoring.left.pop_front() else { continue };
                if let (Depth::Count(have), Depth::Count(wanted)) = (depth, scoring.depth) {
                    depth = Depth::Count(have.max(wanted));
                }
                tokens += sequence.tokens.len();
                sequences.push(sequence);
                whose.push((i, index));
            }
            if sequences.len() == before {
                break;
            }
        }
        let batch = ScoreBatch {
            sequences,
            layout: Layout::Together,
            depth,
            boundaries: false,
            after,
            cancel: self.params.stop.narrower(),
            in_force: self.params.interventions.clone().into(),
        };
        (batch, whose)
    }

    fn score(&mut self) {
        let (batch, whose) = self.gather();
        let (cancel, count) = (batch.cancel.clone(), batch.sequences.len());
        let events = self.engine.request(Command::Score(batch));
        let mut failed = None;
        loop {
            match events.recv_timeout(PULSE) {
                Ok(Event::Scored { index, steps, after }) => {
                    let (scoring, own) = whose[index];
                    let _ = self.scorings[scoring].out.send(Ok(ScoredSequence { index: own, steps, after }));
                }
                Ok(Event::Finished { timing, .. }) => {
                    self.params.metrics.scored(count, &timing);
                    break;
                }
                Ok(Event::Failed(error)) => {
                    failed = Some(error);
                    break;
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    if whose.iter().all(|(scoring, _)| self.scorings[*scoring].out.is_closed()) {
                        cancel.cancel();
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    failed = Some(ended());
                    break;
                }
            }
        }
        if let Some(error) = failed {
            for (scoring, _) in &whose {
                let _ = self.scorings[*scoring].out.send(Err(error.clone()));
                self.scorings[*scoring].left.clear();
            }
        }
        // Who has more comes after those that waited meanwhile.
        self.scorings.retain(|scoring| !scoring.left.is_empty());
        let served = whose.iter().map(|(scoring, _)| *scoring).max().map_or(0, |last| last + 1);
        let turn = served.min(self.scorings.len());
        self.scorings.rotate_left(turn);
    }

    fn round(&mut self) {
        let mut join = Vec::new();
        while self.writing.len() < self.params.parallel
            && let Some((writing, out)) = self.waiting.pop_front()
        {
            let reply = ReplyId(self.next);
            self.next += 1;
            self.writing.insert(reply, out);
            let ReplyToWrite { prompt, sampling, max_tokens, depth, named } = writing;
            join.push(Newcomer { reply, prompt, sampling, max_tokens, depth, named });
        }
        let round = Round {
            most: self.params.parallel,
            leave: std::mem::take(&mut self.left),
            join,
            interventions: self.params.interventions.clone(),
            cancel: self.params.stop.narrower(),
        };
        for event in self.engine.request(Command::Round(round)) {
            match event {
                Event::Reply(reply, event) => {
                    let ends = !matches!(event, ReplyEvent::Step(..));
                    if let Some(out) = self.writing.get(&reply) {
                        let _ = out.send(event);
                    }
                    if ends {
                        self.writing.remove(&reply);
                    }
                }
                Event::Finished { timing, .. } => return self.params.metrics.wrote(&timing),
                Event::Failed(error) => return self.fail(&error),
                _ => {}
            }
        }
        self.fail(&ended());
    }

    /// Nobody can go on.
    fn fail(&mut self, error: &EngineError) {
        for (_, out) in self.writing.drain() {
            let _ = out.send(ReplyEvent::Failed(error.clone()));
        }
    }
}

fn ended() -> EngineError {
    EngineError::Died("its thread ended".to_string())
}

#[cfg(test)]
mod tests;
