//! A reply as its client reads it: its text up to a stop, and the tokens that go with it.
//!
//! What could still become the beginning of a stop is held back until it is known, so that a stream never
//! gives out what the whole answer lacks.

use std::sync::Arc;
use std::time::Duration;

use super::error::ApiError;
use super::records::Recorder;
use crate::distribution::Depth;
use crate::engine::replies::ReplyEvent;
use crate::engine::{Event, FinishReason};
use crate::query::generate::GeneratedReply;
use crate::report::record::StepRecord;
use crate::step::{AnyToken, Step};
use crate::token::Vocab;

/// A reply that is being written.
#[derive(Debug)]
pub(super) struct ReplyText {
    vocab: Arc<Vocab>,
    reply: GeneratedReply,
    /// Texts before which it ends.
    stops: Arc<[String]>,
    tokens: Vec<ReplyToken>,
    /// Why it has ended.
    end: Option<ReplyEnd>,
    /// Bytes of text and tokens that were given out.
    given: (usize, usize),
}

/// A token of a reply.
#[derive(Debug)]
pub(super) struct ReplyToken {
    pub step: Arc<Step>,
    /// The figures of tokens that were named.
    pub named: Vec<AnyToken>,
    /// Where its text begins in the reply's, in bytes and in characters.
    start: usize,
    pub offset: usize,
    /// Where it ends, in bytes.
    end: usize,
}

/// Why a reply has ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ReplyEnd {
    /// As OpenAI calls it.
    pub reason: &'static str,
    /// The text that stopped it.
    pub stop: Option<String>,
    /// Where its text ends.
    text: usize,
}

/// What a reply grew by.
#[derive(Debug, PartialEq)]
pub(super) struct Grown {
    pub text: String,
    /// Indices of its tokens.
    pub tokens: std::ops::Range<usize>,
}

impl ReplyText {
    pub fn new(stops: Arc<[String]>, vocab: &Arc<Vocab>) -> ReplyText {
        ReplyText {
            vocab: Arc::clone(vocab),
            reply: GeneratedReply::default(),
            stops,
            tokens: Vec::new(),
            end: None,
            given: (0, 0),
        }
    }

    /// Takes what the engine says.
    pub fn take(&mut self, event: ReplyEvent) -> Result<(), ApiError> {
        match event {
            ReplyEvent::Failed(error) => return Err(error.into()),
            ReplyEvent::Ended(_) if self.end.is_some() => {}
            ReplyEvent::Ended(reason) => {
                let reason = match reason {
                    FinishReason::Stop => "stop",
                    FinishReason::Length | FinishReason::Context | FinishReason::Cancelled => "length",
                };
                self.reply.finish();
                self.end = Some(ReplyEnd { reason, stop: None, text: self.reply.text.len() });
            }
            ReplyEvent::Step(step, named) => {
                let start = self.reply.text.len();
                let offset = self
                    .tokens
                    .last()
                    .map_or(0, |last| last.offset + self.reply.text[last.start..start].chars().count());
                let event =
                    Event::Step { step: Arc::clone(&step), elapsed: Duration::ZERO, named: Vec::new() };
                self.reply.take(&event, &self.vocab);
                let end = self.reply.text.len();
                self.tokens.push(ReplyToken { step, named, start, offset, end });
                self.look_for_stop(start);
            }
        }
        Ok(())
    }

    fn look_for_stop(&mut self, grown_from: usize) {
        let text = &self.reply.text;
        let found = self.stops.iter().filter_map(|stop| {
            let mut from = grown_from.saturating_sub(stop.len());
            while !text.is_char_boundary(from) {
                from -= 1;
            }
            text[from..].find(stop.as_str()).map(|at| (from + at, stop))
        });
        if let Some((text, stop)) = found.min_by_key(|(at, _)| *at) {
            self.end = Some(ReplyEnd { reason: "stop", stop: Some(stop.clone()), text });
        }
    }

    /// Why it has ended, if it has.
    pub fn end(&self) -> Option<&ReplyEnd> {
        self.end.as_ref()
    }

    /// What can be given out and was not yet.
    pub fn grown(&mut self) -> Grown {
        let limits = self.limits();
        let (from, first) = std::mem::replace(&mut self.given, limits);
        self.between(from, first)
    }

    /// All that can be given out.
    pub fn whole(&self) -> Grown {
        self.between(0, 0)
    }

    fn between(&self, from: usize, first: usize) -> Grown {
        let (limit, tokens) = self.limits();
        Grown { text: self.reply.text[from.min(limit)..limit].to_string(), tokens: first.min(tokens)..tokens }
    }

    /// How far text and tokens can be given out.
    fn limits(&self) -> (usize, usize) {
        match &self.end {
            Some(end) => {
                let own = |token: &&ReplyToken| end.stop.is_none() || token.start < end.text;
                (end.text, self.tokens.iter().take_while(own).count())
            }
            None => {
                let limit = self.reply.text.len() - self.held_back();
                (limit, self.tokens.iter().take_while(|token| token.end <= limit).count())
            }
        }
    }

    /// Bytes at the end that may be the beginning of a stop.
    fn held_back(&self) -> usize {
        let text = &self.reply.text;
        let begins = |stop: &String| {
            let longest = stop.len().saturating_sub(1).min(text.len());
            (1..=longest).rev().find(|&n| stop.as_bytes()[..n] == text.as_bytes()[text.len() - n..])
        };
        self.stops.iter().filter_map(begins).max().unwrap_or(0)
    }

    pub fn tokens(&self) -> &[ReplyToken] {
        &self.tokens
    }

    /// The records of the tokens it grew by, with k candidates of each.
    pub fn records(&self, grown: &Grown, k: usize) -> Vec<StepRecord> {
        let before = &self.tokens[..grown.tokens.start];
        let sum = before.iter().filter_map(|token| token.step.logprob()).map(f64::from).sum();
        let mut recorder = Recorder::new(&self.vocab, Depth::Count(k)).after(sum);
        let own = &self.tokens[grown.tokens.clone()];
        own.iter().map(|token| recorder.record(&token.step, &token.named)).collect()
    }

    /// ln p of what was given out, on average over its tokens; the lowest there is where there are none.
    pub fn mean_logprob(&self) -> f64 {
        self.reply.score.mean_logprob().unwrap_or(f64::NEG_INFINITY)
    }
}

#[cfg(test)]
mod tests;
