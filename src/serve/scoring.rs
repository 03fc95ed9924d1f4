//! Sequences to score: what waits together is one batch, in which everyone who waits has a sequence in turn.
//!
//! A list of a thousand texts keeps nobody waiting for its end, and between two of the engine's batches
//! replies go on. Whoever no longer listens is left out of the next turn.

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::shared::{PULSE, SharedEngine, ended};
use crate::distribution::Depth;
use crate::engine::{Command, EngineError, Event, GivesWay, Layout, ScoreBatch, Sequence};
use crate::step::{Prediction, Step};
use crate::token::TokenId;

/// Tokens of a turn; what sequences share counts once.
pub(super) const TURN: usize = 2048;
/// The same for sequences that give way to all others.
const TURN_LONG: usize = 8192;
/// Longest time for which it is waited that those who were answered together ask again.
const LONGEST_WAIT: Duration = Duration::from_millis(25);
/// How long, for each token that waits, those who come first wait for those who come with them: a hundredth of
/// what a token takes.
const WAIT_A_TOKEN: Duration = Duration::from_micros(10);
/// Candidates up to which requests for different numbers of them are computed together.
const SHALLOW: usize = 64;

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

/// Whoever waits for sequences.
pub(super) type ScoreSender = UnboundedSender<Result<ScoredSequence, EngineError>>;

/// Sequences that wait, and who waits for them.
pub(super) struct WaitingToScore {
    pub left: VecDeque<(usize, Sequence)>,
    /// That of them all.
    pub layout: Layout,
    pub depth: Depth,
    pub after: bool,
    pub out: ScoreSender,
}

impl WaitingToScore {
    /// Tokens of what is left.
    fn tokens(&self) -> usize {
        self.left.iter().map(|(_, sequence)| sequence.tokens.len()).sum()
    }

    /// Whether both can be in one batch.
    fn goes_with(&self, other: &WaitingToScore) -> bool {
        let shallow = |depth| matches!(depth, Depth::Count(k) if k <= SHALLOW);
        (self.after, self.layout) == (other.after, other.layout)
            && (self.depth == other.depth || shallow(self.depth) && shallow(other.depth))
    }
}

/// A thread that has sequences scored.
pub(super) struct Scorings {
    shared: SharedEngine,
    inbox: Receiver<WaitingToScore>,
    gives_way: GivesWay,
    waiting: VecDeque<WaitingToScore>,
    /// Requests that the last turn answered, who may ask again together, and how long it is worth to wait
    /// for them.
    answered: usize,
    patience: Duration,
}

impl Scorings {
    pub fn new(shared: SharedEngine, inbox: Receiver<WaitingToScore>, gives_way: GivesWay) -> Scorings {
        let (waiting, patience) = (VecDeque::new(), Duration::ZERO);
        Scorings { shared, inbox, gives_way, waiting, answered: 0, patience }
    }

    /// Goes on until nobody can send any more, or the server stops.
    pub fn run(mut self) {
        while self.collect() {
            let before = self.waiting.len();
            self.waiting.retain(|scoring| !scoring.out.is_closed());
            if !self.waiting.is_empty() {
                self.score();
            }
            self.shared.metrics.scorings(0, before - self.waiting.len());
        }
    }

    fn collect(&mut self) -> bool {
        let Scorings { shared, inbox, waiting, .. } = self;
        let before = waiting.len();
        let goes_on = shared.collect(inbox, waiting.is_empty(), |scoring| waiting.push_back(scoring));
        let tokens: usize = waiting.iter().map(WaitingToScore::tokens).sum();
        let (patience, others) = match self.answered {
            0 => (WAIT_A_TOKEN * tokens as u32, usize::MAX),
            answered => (self.patience, answered),
        };
        let deadline = Instant::now() + patience.min(LONGEST_WAIT);
        while goes_on && waiting.len() < others {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(scoring) = inbox.recv_timeout(left) else { break };
            waiting.push_back(scoring);
        }
        shared.metrics.scorings(waiting.len() - before, 0);
        goes_on
    }

    /// A sequence of everyone in turn, until the batch is full.
    fn gather(&mut self) -> (ScoreBatch, Vec<(usize, usize)>) {
        let room = if self.gives_way == GivesWay::ToAll { TURN_LONG } else { TURN };
        let together: Vec<usize> =
            (0..self.waiting.len()).filter(|&i| self.waiting[i].goes_with(&self.waiting[0])).collect();
        let (mut sequences, mut whose) = (Vec::new(), Vec::new());
        let mut beginnings = Beginnings::default();
        let mut depth = self.waiting[0].depth;
        let after = self.waiting[0].after;
        loop {
            let before = sequences.len();
            for &i in &together {
                let scoring = &mut self.waiting[i];
                let Some((_, next)) = scoring.left.front() else { continue };
                if !beginnings.take(next, room) {
                    continue;
                }
                let Some((index, sequence)) = scoring.left.pop_front() else { continue };
                if let (Depth::Count(have), Depth::Count(wanted)) = (depth, scoring.depth) {
                    depth = Depth::Count(have.max(wanted));
                }
                sequences.push(sequence);
                whose.push((i, index));
            }
            if sequences.len() == before {
                break;
            }
        }
        let batch = ScoreBatch {
            sequences,
            layout: self.waiting[0].layout,
            depth,
            after,
            gives_way: self.gives_way,
            cancel: self.shared.stop.narrower(),
            in_force: self.shared.interventions.clone().into(),
            ..ScoreBatch::default()
        };
        (batch, whose)
    }

    fn score(&mut self) {
        let begun = Instant::now();
        let (batch, whose) = self.gather();
        let (cancel, count) = (batch.cancel.clone(), batch.sequences.len());
        let events = self.shared.engine.request(Command::Score(batch));
        let mut failed = None;
        loop {
            match events.recv_timeout(PULSE) {
                Ok(Event::Scored { index, steps, after }) => {
                    let (scoring, own) = whose[index];
                    let _ = self.waiting[scoring].out.send(Ok(ScoredSequence { index: own, steps, after }));
                }
                Ok(Event::Finished { timing, .. }) => {
                    self.shared.metrics.scored(count, &timing);
                    break;
                }
                Ok(Event::Failed(error)) => {
                    failed = Some(error);
                    break;
                }
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => {
                    if whose.iter().all(|(scoring, _)| self.waiting[*scoring].out.is_closed()) {
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
                let _ = self.waiting[*scoring].out.send(Err(error.clone()));
                self.waiting[*scoring].left.clear();
            }
        }
        // Who has more comes after those that waited meanwhile.
        let before = self.waiting.len();
        self.waiting.retain(|scoring| !scoring.left.is_empty());
        self.answered = before - self.waiting.len();
        self.patience = (begun.elapsed() / 8).min(LONGEST_WAIT);
        let served = whose.iter().map(|(scoring, _)| *scoring).max().map_or(0, |last| last + 1);
        let turn = served.min(self.waiting.len());
        self.waiting.rotate_left(turn);
    }
}

/// The beginnings of sequences, one for each of their tokens.
#[derive(Default)]
struct Beginnings(HashSet<(u64, TokenId)>);

impl Beginnings {
    /// Takes those of a sequence, unless there are more than so many then; the first has room anyway.
    fn take(&mut self, sequence: &Sequence, room: usize) -> bool {
        let state = BuildHasherDefault::<DefaultHasher>::default();
        let mut before = 0;
        let each = sequence.tokens.iter().map(|&token| {
            let one = (before, token);
            before = state.hash_one(one);
            one
        });
        let new: Vec<(u64, TokenId)> = each.filter(|one| !self.0.contains(one)).collect();
        let fits = self.0.is_empty() || self.0.len() + new.len() <= room;
        if fits {
            self.0.extend(new);
        }
        fits
    }
}

#[cfg(test)]
mod tests;
