//! Texts that are pinned: the exact probability of each one's first token at every step that is written from then on.

use std::sync::Arc;

use super::task::{Task, Then};
use super::{Notice, Outcome, Session, SessionError};
use crate::archive::event::{MOST_PINS, Pin};
use crate::archive::{PinnedFigures, Saved};
use crate::sequence::NodeNumber;
use crate::step::{AnyToken, Figure};
use crate::token::{TokenId, visible};

/// What is known of a pinned token at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PinnedAt {
    /// Its raw probability.
    pub prob: Figure<f64>,
    pub rank: Figure<u32>,
}

/// What is pinned, and what was found.
#[derive(Debug, Default)]
pub(super) struct Pins {
    all: Vec<Pin>,
    /// How the first token of each is spelled: in another vocabulary its number is another token's.
    spelled: Vec<Vec<u8>>,
    figures: PinnedFigures,
}

impl Pins {
    /// Those of a file.
    pub fn of(saved: &Saved) -> Pins {
        let spelled = saved.pins.iter().map(|pin| saved.vocab.bytes(pin.first).to_vec());
        Pins { spelled: spelled.collect(), all: saved.pins.clone(), figures: saved.pinned.clone() }
    }

    /// Other tokens than those they are of stand there from now on.
    pub fn forget(&mut self) {
        self.figures.clear();
    }
}

impl Session {
    /// Pins a text, tells what is pinned, or takes all of it away.
    pub(super) fn pin(&mut self, text: Option<String>) -> Result<Vec<Outcome>, SessionError> {
        let told = |text: String| Ok(vec![Outcome::Say(Notice::Info(text))]);
        match text.as_deref() {
            None if self.pinned().is_empty() => told("nothing is pinned: /pin TEXT pins a text".to_string()),
            None => {
                let all: Vec<String> = self.pinned().iter().map(|pin| self.told_of(pin)).collect();
                told(all.join("\n"))
            }
            Some("off") => {
                self.pins = Pins::default();
                told("nothing is pinned any more".to_string())
            }
            Some(_) if self.pinned().len() >= MOST_PINS => Err(SessionError::TooManyPins(MOST_PINS)),
            Some(text) => {
                let model = Arc::clone(&self.loaded()?.info);
                self.begin(Task::Encode { then: Then::Pin, texts: [String::new(), text.to_string()], model })
            }
        }
    }

    /// The tokens of a text that is to be pinned are known.
    pub(super) fn pin_tokens(&mut self, ids: &[TokenId]) -> Vec<Outcome> {
        let (Ok(loaded), Some(&first)) = (self.loaded(), ids.first()) else { return Vec::new() };
        let vocab = Arc::clone(&loaded.info.vocab);
        let text = visible(&vocab.concat(ids.iter().copied()));
        if self.pinned().is_empty() {
            (self.pins.all, self.pins.spelled) = Default::default();
        }
        let pin = Pin { text, first, tokens: ids.len() };
        let told = self.told_of(&pin);
        if self.pins.all.iter().all(|other| other.first != first) {
            self.pins.all.push(pin);
            self.pins.spelled.push(vocab.bytes(first).to_vec());
        }
        vec![Outcome::Say(Notice::Info(told))]
    }

    fn told_of(&self, pin: &Pin) -> String {
        let first = self.vocab().map_or_else(String::new, |vocab| vocab.visible(pin.first));
        let of =
            if pin.tokens > 1 { format!("the first of its {} tokens, {first}", pin.tokens) } else { first };
        format!("«{}» is pinned: {of}, at every step that is written from now on; /pin off ends it", pin.text)
    }

    /// What is pinned, as far as it is of the conversation's vocabulary.
    pub fn pinned(&self) -> &[Pin] {
        let Some(vocab) = self.vocab() else { return &[] };
        let mut all = self.pins.all.iter().zip(&self.pins.spelled);
        let is_its = all.all(|(pin, spelled)| vocab.bytes(pin.first) == spelled);
        if is_its { &self.pins.all } else { &[] }
    }

    /// What was found of pinned tokens in this conversation.
    pub(super) fn pinned_figures(&self) -> &PinnedFigures {
        &self.pins.figures
    }

    /// The pinned tokens have these figures where a token stands that was just written.
    pub(super) fn note_pinned(&mut self, node: Option<NodeNumber>, named: &[AnyToken]) {
        let Some(node) = node else { return };
        for one in named {
            self.pins.figures.insert((node, one.id), (one.logprob, one.rank));
        }
    }

    /// What is known of a pinned token at a step: what was noted, what the step's candidates say, or at least that it
    /// is none of them.
    pub fn pinned_at(&self, at: usize, pin: &Pin) -> Option<PinnedAt> {
        let (node, step) = (*self.branches.tree().path().get(at)?, self.sequence().step(at)?);
        let stats = step.stats.as_ref()?;
        let exact = |logprob: f32, rank| PinnedAt { prob: f64::from(logprob).exp().into(), rank };
        let noted = self.pins.figures.get(&(node, pin.first));
        if let Some(&(logprob, rank)) = noted {
            return Some(exact(logprob, rank));
        }
        if step.id == pin.first {
            return Some(exact(stats.logprob, stats.rank));
        }
        let prediction = &stats.prediction;
        if let Some(one) = prediction.top_logprobs.iter().find(|one| one.id == pin.first) {
            return Some(exact(one.logprob, one.rank.into()));
        }
        let last = prediction.top_logprobs.last().map_or(1.0, |last| last.prob());
        let most = prediction.residual.exact().map_or(last, |residual| last.min(residual));
        Some(PinnedAt { prob: Figure::Bounded([0.0, most]), rank: prediction.rank_of(pin.first) })
    }
}

#[cfg(test)]
mod tests;
