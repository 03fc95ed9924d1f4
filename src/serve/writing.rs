//! Replies that are written side by side, one round after the other.

use std::collections::{HashMap, VecDeque};
use std::sync::mpsc::Receiver;

use tokio::sync::mpsc::UnboundedSender;

use super::shared::{SharedEngine, ended};
use crate::distribution::Depth;
use crate::engine::replies::{Newcomer, ReplyEvent, ReplyId, Round};
use crate::engine::{Command, EngineError, Event};
use crate::sampling::Sampling;
use crate::token::TokenId;

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

/// A reply, and who waits for it.
pub(super) type WaitingToWrite = (ReplyToWrite, UnboundedSender<ReplyEvent>);

/// The thread that has replies written.
pub(super) struct Replies {
    shared: SharedEngine,
    inbox: Receiver<WaitingToWrite>,
    waiting: VecDeque<WaitingToWrite>,
    writing: HashMap<ReplyId, UnboundedSender<ReplyEvent>>,
    /// Replies whose readers have gone.
    left: Vec<ReplyId>,
    next: u64,
}

impl Replies {
    pub fn new(shared: SharedEngine, inbox: Receiver<WaitingToWrite>) -> Replies {
        let (waiting, writing) = (VecDeque::new(), HashMap::new());
        Replies { shared, inbox, waiting, writing, left: Vec::new(), next: 0 }
    }

    /// Goes on until nobody can send any more, or the server stops.
    pub fn run(mut self) {
        while self.collect() {
            self.waiting.retain(|(_, out)| !out.is_closed());
            let gone = self.writing.iter().filter(|(_, out)| out.is_closed()).map(|(reply, _)| *reply);
            self.left.extend(gone.collect::<Vec<_>>());
            self.left.iter().for_each(|reply| _ = self.writing.remove(reply));
            if !self.is_idle() {
                self.round();
            }
            self.shared.metrics.replies(self.waiting.len(), self.writing.len());
        }
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.writing.is_empty() && self.left.is_empty()
    }

    fn collect(&mut self) -> bool {
        let idle = self.is_idle();
        let Replies { shared, inbox, waiting, .. } = self;
        shared.collect(inbox, idle, |reply| waiting.push_back(reply))
    }

    fn round(&mut self) {
        let mut join = Vec::new();
        while self.writing.len() < self.shared.parallel
            && let Some((writing, out)) = self.waiting.pop_front()
        {
            let reply = ReplyId(self.next);
            self.next += 1;
            self.writing.insert(reply, out);
            let ReplyToWrite { prompt, sampling, max_tokens, depth, named } = writing;
            join.push(Newcomer { reply, prompt, sampling, max_tokens, depth, named });
        }
        let round = Round {
            most: self.shared.parallel,
            leave: std::mem::take(&mut self.left),
            join,
            interventions: self.shared.interventions.clone(),
            cancel: self.shared.stop.narrower(),
        };
        for event in self.shared.engine.request(Command::Round(round)) {
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
                Event::Finished { timing, .. } => return self.shared.metrics.wrote(&timing),
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
