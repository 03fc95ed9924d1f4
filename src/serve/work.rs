//! Between the handlers of requests and the engine: what waits together is computed together.
//!
//! Three threads ask the engine, each one thing after the other: for a few short sequences to score, for long
//! ones and long lists, and for the replies that are being written. The engine answers replies between two
//! batches of any scoring, and the first thread between two of the second ([`GivesWay`]). So a list of a
//! thousand texts, a long text, a long prompt and a long reply keep nobody waiting for their end.

use std::collections::VecDeque;
use std::sync::mpsc::{Sender, channel};
use std::thread::Builder;

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::scoring::{ScoredSequence, Scorings, TURN, ToScore, WaitingToScore};
use super::shared::SharedEngine;
use super::writing::{Replies, ReplyToWrite, WaitingToWrite};
use crate::engine::replies::ReplyEvent;
use crate::engine::{EngineError, GivesWay, Layout, Sequence};

/// What is told of a reply.
pub(super) type ReplyEvents = UnboundedReceiver<ReplyEvent>;
/// What is told of a scoring; it ends with the last sequence, or with an error.
pub(super) type ScoreEvents = UnboundedReceiver<Result<ScoredSequence, EngineError>>;

/// Takes work from any number of handlers.
#[derive(Clone)]
pub(super) struct WorkQueue {
    short: Sender<WaitingToScore>,
    long: Sender<WaitingToScore>,
    replies: Sender<WaitingToWrite>,
}

impl WorkQueue {
    /// Starts the threads. The engine's flag ends what is computed and refuses what waits.
    pub fn start(shared: SharedEngine) -> std::io::Result<WorkQueue> {
        let thread = |name: &str| Builder::new().name(format!("serve-{name}"));
        let ((short, shorts), (long, longs), (replies, waiting)) = (channel(), channel(), channel());
        let of_short = Scorings::new(shared.clone(), shorts, GivesWay::ToReplies);
        let of_long = Scorings::new(shared.clone(), longs, GivesWay::ToAll);
        let of_replies = Replies::new(shared, waiting);
        thread("score").spawn(move || of_short.run())?;
        thread("score-long").spawn(move || of_long.run())?;
        thread("write").spawn(move || of_replies.run())?;
        Ok(WorkQueue { short, long, replies })
    }

    pub fn score(&self, scoring: ToScore) -> ScoreEvents {
        let (out, events) = unbounded_channel();
        let ToScore { sequences, depth, after } = scoring;
        let all = sequences.into_iter().enumerate();
        let layout_of = |sequence: &Sequence| Layout::of(sequence.tokens.len());
        let (long, short): (VecDeque<_>, VecDeque<_>) =
            all.partition(|(_, sequence)| layout_of(sequence) == Layout::Long);
        let tokens: usize = short.iter().map(|(_, sequence)| sequence.tokens.len()).sum();
        let of_short = if tokens > TURN { &self.long } else { &self.short };
        let parts = [(of_short, short, Layout::Together), (&self.long, long, Layout::Long)];
        for (queue, left, layout) in parts.into_iter().filter(|(_, left, _)| !left.is_empty()) {
            let _ = queue.send(WaitingToScore { left, layout, depth, after, out: out.clone() });
        }
        events
    }

    pub fn write(&self, writing: ReplyToWrite) -> ReplyEvents {
        let (sender, events) = unbounded_channel();
        let _ = self.replies.send((writing, sender));
        events
    }
}

#[cfg(test)]
mod tests;
