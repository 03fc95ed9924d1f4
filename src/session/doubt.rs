//! Where to look first: the most doubtful steps, the least probable words, and where some text stands.

use std::ops::Range;

use super::turn::Turn;
use super::words::{SaidWord, words};
use super::{Notice, Outcome, Session, SessionError};
use crate::columns::{clipped, padded};
use crate::sequence::NodeOrigin;
use crate::step::{Doubt, TokenStats};
use crate::token::visible;

/// Most lines of a list.
const LISTED: usize = 10;
/// Columns of what stands around a place.
const AROUND: usize = 60;

/// Where a text stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPlace {
    /// Which turn.
    pub turn: usize,
    /// Its bytes in [`Turn::text`].
    pub bytes: Range<usize>,
}

impl Session {
    /// The steps of what the model wrote, the most doubtful first, by their positions in the sequence.
    pub fn doubtful(&self, by: Doubt) -> Vec<usize> {
        let written =
            |origin| matches!(origin, NodeOrigin::Sampled | NodeOrigin::Swapped | NodeOrigin::Forced);
        let tokens = self.sequence().tokens().enumerate().filter(|(_, token)| written(token.origin));
        let stats = tokens.filter_map(|(at, token)| Some((at, token.step.as_ref()?.stats.as_ref()?)));
        by.ranked(stats)
    }

    /// The most doubtful steps, as a list.
    pub(super) fn list_doubts(&self, by: Doubt) -> Result<Vec<Outcome>, SessionError> {
        let ranked = self.doubtful(by);
        if ranked.is_empty() {
            return Err(SessionError::NoReply);
        }
        let name = |at: &usize| match self.vocab().zip(self.sequence().get(*at)) {
            Some((vocab, token)) => vocab.visible(token.id),
            None => String::new(),
        };
        let mut lines = vec![format!(
            "{:>6}  {}  {:>13}  {:>10}  {:>11}",
            "step",
            padded("", 18),
            "surprisal nat",
            "margin nat",
            "entropy nat"
        )];
        for at in ranked.iter().take(LISTED) {
            let figures = Doubt::ALL.map(|measure| {
                let figure = self.stats_of(*at).and_then(|stats| measure.figure(stats));
                figure.map_or_else(|| "–".to_string(), |figure| format!("{figure:.3}"))
            });
            let [surprisal, margin, entropy] = figures;
            let token = padded(&clipped(&name(at), 18), 18);
            let start = self.sequence().reply_start();
            let place = at
                .checked_sub(start)
                .map_or_else(|| format!("@p{}", at + 1), |step| format!("@{}", step + 1));
            lines.push(format!("{place:>6}  {token}  {surprisal:>13}  {margin:>10}  {entropy:>11}"));
        }
        lines.push(format!("the first of {} steps of the replies, by {}", ranked.len(), by.name()));
        Ok(vec![Outcome::Say(Notice::Info(lines.join("\n")))])
    }

    fn stats_of(&self, at: usize) -> Option<&TokenStats> {
        self.sequence().step(at).and_then(|step| step.stats.as_ref())
    }

    /// Words of replies that are less probable than this are flagged from now on.
    pub(super) fn flag(&mut self, below: Option<f64>) -> Vec<Outcome> {
        self.flagged = below;
        let Some(below) = below else {
            return vec![Outcome::Say(Notice::Info("no word is flagged any more".to_string()))];
        };
        let (mut all, mut found) = (0, Vec::new());
        for turn in self.turns().iter().filter(|turn| turn.reply.is_some()) {
            for word in words(turn, 0..turn.marks.len(), self.sequence()) {
                all += 1;
                if is_below(&word, below) {
                    found.push((word.logprob.unwrap_or_default(), visible(turn.text[word.bytes].as_bytes())));
                }
            }
        }
        let count = found.len();
        found.sort_by(|a, b| a.0.total_cmp(&b.0));
        let told =
            found.iter().take(LISTED).map(|(logprob, word)| format!("{word} {}", share(logprob.exp())));
        let told: Vec<String> = told.collect();
        let colon = if told.is_empty() { "" } else { ", the least probable first: " };
        let text = format!(
            "{count} of {all} words of the replies have less than {}{colon}{}",
            share(below),
            told.join(" · ")
        );
        vec![Outcome::Say(Notice::Info(text))]
    }

    /// Words of replies that are less probable than this are flagged.
    pub fn flagged(&self) -> Option<f64> {
        self.flagged
    }

    /// Where a text stands in what was said, in order. Capitals are told apart where some are written.
    pub fn find(&self, text: &str) -> Vec<FoundPlace> {
        let in_turn = |(at, turn): (usize, &std::sync::Arc<Turn>)| {
            let found = places(&turn.text, text);
            found.into_iter().map(move |bytes| FoundPlace { turn: at, bytes }).collect::<Vec<_>>()
        };
        self.turns().iter().enumerate().flat_map(in_turn).collect()
    }

    /// The places, as a list.
    pub(super) fn list_places(&self, text: &str) -> Vec<Outcome> {
        let found = self.find(text);
        let mut lines: Vec<String> = found
            .iter()
            .take(LISTED)
            .map(|place| {
                let turn = &self.turns()[place.turn];
                let who = if turn.reply.is_some() { "model" } else { "you" };
                let before = floor(&turn.text, place.bytes.start.saturating_sub(AROUND / 3));
                let around = visible(turn.text[before..].lines().next().unwrap_or_default().as_bytes());
                format!("{:>3} {who:<5}  {}", place.turn + 1, clipped(&around.replace('␣', " "), AROUND))
            })
            .collect();
        lines.push(format!("«{}» stands at {} places", visible(text.as_bytes()), found.len()));
        vec![Outcome::Say(Notice::Info(lines.join("\n")))]
    }
}

/// Whether a word is less probable than this.
pub fn is_below(word: &SaidWord, below: f64) -> bool {
    word.logprob.is_some_and(|logprob| logprob.exp() < below)
}

fn share(p: f64) -> String {
    let percent = p * 100.0;
    if percent >= 0.01 { format!("{percent:.2} %") } else { format!("{percent:.0e} %") }
}

/// The last edge of a character that is not behind this byte.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Where a text stands in another, one place behind the other.
pub fn places(text: &str, wanted: &str) -> Vec<Range<usize>> {
    if wanted.is_empty() {
        return Vec::new();
    }
    if wanted.chars().any(char::is_uppercase) {
        return text.match_indices(wanted).map(|(at, found)| at..at + found.len()).collect();
    }
    let (mut found, mut next) = (Vec::new(), 0);
    for (at, _) in text.char_indices() {
        if at >= next
            && let Some(length) = begins_with(&text[at..], wanted)
        {
            next = at + length;
            found.push(at..next);
        }
    }
    found
}

/// How many bytes of a text are the other one, capitals apart, where it begins so.
fn begins_with(text: &str, wanted: &str) -> Option<usize> {
    let mut left = wanted.chars();
    let mut rest = left.next();
    for (at, c) in text.char_indices() {
        for lower in c.to_lowercase() {
            match rest {
                None => return Some(at),
                Some(wanted) if wanted == lower => rest = left.next(),
                Some(_) => return None,
            }
        }
    }
    rest.is_none().then_some(text.len())
}

#[cfg(test)]
mod tests;
