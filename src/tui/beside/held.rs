//! What a second model said of the first one's tokens so far: plain values and the arithmetic on them.

use std::ops::Range;
use std::sync::Arc;

use super::wish::{FollowWish, Following};
use crate::engine::{CancelFlag, ModelInfo};
use crate::score::align::{CommonPiece, common_pieces};
use crate::step::{Figure, Step, TokenStats};
use crate::token::{TokenId, Vocab};

/// A second model beside the first.
#[derive(Debug, Default)]
pub struct SecondModel {
    /// As it was named; nobody where there is no name.
    pub name: Option<String>,
    /// Whether it was asked to be loaded.
    pub begun: bool,
    /// What is done until it is ready.
    pub coming: Option<String>,
    /// Why there is none.
    pub failed: Option<String>,
    /// The first model's tokens that it could not read, and why.
    refused: Option<(Vec<TokenId>, String)>,
    /// The model.
    pub model: Option<Arc<ModelInfo>>,
    /// How its tokens differ from the first one's, with the vocabulary this was found for.
    kin: Option<(Arc<Vocab>, Option<String>)>,
    /// The first model's tokens that its own ones below are of.
    seen: Vec<TokenId>,
    own: Vec<TokenId>,
    steps: Vec<Arc<Step>>,
    divergence: Vec<f32>,
    /// Why no exact divergence can be had.
    no_divergence: Option<String>,
    waiting: Option<AwaitedReading>,
    number: u32,
}

/// What was asked and is not answered.
#[derive(Debug)]
struct AwaitedReading {
    number: u32,
    ids: Vec<TokenId>,
    diverges: bool,
    cancel: CancelFlag,
}

/// The first model's side of what is compared.
#[derive(Clone, Copy)]
pub struct FirstModel<'a> {
    /// Its vocabulary.
    pub vocab: &'a Vocab,
    /// The steps of its tokens, from the first on; those that are not computed yet are missing.
    pub steps: &'a [Option<Arc<Step>>],
    /// The ids of its tokens.
    pub ids: &'a [TokenId],
}

/// One piece of text before both models.
#[derive(Clone, Debug, PartialEq)]
pub struct ComparedPiece {
    /// Tokens of the first model.
    pub first: Range<usize>,
    /// Tokens of the second one.
    pub other: Range<usize>,
    /// Σ ln p of either, where all of its tokens have context.
    pub logprobs: Option<[f64; 2]>,
    /// Bytes.
    pub bytes: usize,
}

/// Sums over pieces.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ComparedSum {
    /// Σ ln p of either.
    pub logprobs: [f64; 2],
    /// Pieces that have both.
    pub pieces: usize,
    /// Their bytes.
    pub bytes: usize,
}

impl ComparedSum {
    /// The second's sum − the first's.
    pub fn difference(&self) -> f64 {
        self.logprobs[1] - self.logprobs[0]
    }
}

impl SecondModel {
    /// A model that is still to come.
    pub fn named(name: &str) -> SecondModel {
        SecondModel { name: Some(name.to_string()), ..SecondModel::default() }
    }

    /// Why it does not go on.
    pub fn refused(&self) -> Option<&str> {
        self.refused.as_ref().map(|(_, reason)| reason.as_str())
    }

    /// Stops what is asked.
    pub fn stop(&mut self) {
        if let Some(waiting) = &self.waiting {
            waiting.cancel.cancel();
        }
    }

    /// How its tokens differ from the first model's; `None` where they are the same, or nobody knows yet.
    pub fn difference(&self) -> Option<&str> {
        self.kin.as_ref().and_then(|(_, difference)| difference.as_deref())
    }

    /// Whether the exact divergence can be had.
    pub fn diverges(&self) -> bool {
        self.no_divergence.is_none() && self.model.as_ref().is_some_and(|model| model.gives.comparison)
    }

    /// Whether both have the same tokens.
    pub fn is_kin(&self) -> bool {
        matches!(self.kin, Some((_, None)))
    }

    /// Takes notice of the first model, and of its tokens as they are now: what was said of others is forgotten.
    pub fn meet(&mut self, vocab: &Arc<Vocab>, ids: &[TokenId]) {
        let Some(model) = &self.model else { return };
        if self.kin.as_ref().is_none_or(|(known, _)| !Arc::ptr_eq(known, vocab)) {
            self.kin = Some((Arc::clone(vocab), vocab.difference(&model.vocab)));
            self.no_divergence = None;
            self.forget_from(0, vocab);
        }
        let common = self.seen.iter().zip(ids).take_while(|(seen, now)| seen == now).count();
        if common < self.seen.len() {
            self.forget_from(common, vocab);
        }
        self.refused.take_if(|(refused, _)| !ids.starts_with(refused));
        let goes_on = |waiting: &AwaitedReading| ids.starts_with(&waiting.ids);
        if let Some(waiting) = self.waiting.take_if(|waiting| !goes_on(waiting)) {
            waiting.cancel.cancel();
        }
    }

    fn forget_from(&mut self, token: usize, vocab: &Vocab) {
        self.seen.truncate(token);
        self.divergence.truncate(token);
        let bytes: usize = self.seen.iter().map(|&id| vocab.bytes(id).len()).sum();
        let keep =
            if self.is_kin() { token } else { self.ends().iter().take_while(|end| **end <= bytes).count() };
        self.own.truncate(keep);
        self.steps.truncate(keep);
    }

    /// Where each of its own tokens ends in the text, in bytes; what it puts before the text has none.
    fn ends(&self) -> Vec<usize> {
        let mut end = 0;
        self.lengths()
            .iter()
            .map(|length| {
                end += length;
                end
            })
            .collect()
    }

    /// How many tokens stand before the text.
    fn before(&self) -> usize {
        let Some(model) = self.model.as_ref().filter(|_| !self.is_kin()) else { return 0 };
        let bos = model.vocab.special().bos;
        usize::from(self.own.first().is_some_and(|first| Some(*first) == bos))
    }

    fn lengths(&self) -> Vec<usize> {
        let Some(model) = &self.model else { return Vec::new() };
        let before = self.before();
        let length = |(i, &id): (usize, &TokenId)| if i < before { 0 } else { model.vocab.bytes(id).len() };
        self.own.iter().enumerate().map(length).collect()
    }

    /// What it is to be asked now, if anything. `rests`: the first model has nothing to do, and what costs it time
    /// may be asked too.
    pub fn wish(&self, ids: &[TokenId], rests: bool) -> Option<FollowWish> {
        let model = self.model.as_ref().filter(|_| self.refused.is_none() && self.waiting.is_none())?;
        let (vocab, difference) = self.kin.as_ref()?;
        let is_read = self.seen.len() == ids.len() && self.steps.len() == self.own.len();
        let known = self.divergence.len().max(1);
        let diverges = is_read && rests && difference.is_none() && self.diverges() && known < ids.len();
        if ids.is_empty() || (is_read && !diverges) {
            return None;
        }
        let text = || ids.iter().flat_map(|&id| vocab.bytes(id).to_vec()).collect();
        Some(FollowWish {
            model: Arc::clone(model),
            ids: ids.to_vec(),
            text: difference.is_some().then(text),
            bos: None,
            read: self.own[..self.steps.len()].to_vec(),
            diverge: diverges.then_some(known),
            depth: Default::default(),
        })
    }

    /// A number for a wish, and what stops it.
    pub fn ask(&mut self, wish: &FollowWish) -> (u32, CancelFlag) {
        self.number += 1;
        let cancel = CancelFlag::default();
        let ids = wish.ids.clone();
        let diverges = wish.diverge.is_some();
        self.waiting = Some(AwaitedReading { number: self.number, ids, diverges, cancel: cancel.clone() });
        (self.number, cancel)
    }

    /// Takes what came of a wish, unless nobody waits for it any more.
    pub fn take(&mut self, number: u32, found: Result<Following, String>) {
        let Some(waiting) = self.waiting.take_if(|waiting| waiting.number == number) else { return };
        match found {
            Ok(found) => {
                self.seen = waiting.ids;
                self.seen.truncate(found.length);
                if let Some(values) = found.divergence {
                    // The first token has none.
                    if self.divergence.is_empty() {
                        self.divergence.push(0.0);
                    }
                    self.divergence.extend(values);
                    return;
                }
                self.own = found.own;
                self.steps.truncate(found.from);
                self.steps.extend(found.steps);
            }
            Err(_) if waiting.cancel.is_cancelled() => {}
            Err(reason) if waiting.diverges => self.no_divergence = Some(reason),
            Err(reason) => self.refused = Some((waiting.ids, reason)),
        }
    }

    /// How many of so many tokens it has not come to.
    pub fn behind(&self, first: FirstModel) -> usize {
        let pieces = self.pieces(first);
        let read = pieces.iter().rfind(|piece| piece.other.end <= self.steps.len());
        first.ids.len().saturating_sub(read.map_or(0, |piece| piece.first.end))
    }

    /// The pieces of text that begin and end at the same byte in both, the second's figures where they are known.
    pub fn pieces(&self, first: FirstModel) -> Vec<ComparedPiece> {
        let seen = self.seen.len().min(first.ids.len());
        let lengths: Vec<usize> = first.ids[..seen].iter().map(|&id| first.vocab.bytes(id).len()).collect();
        let common = if self.is_kin() {
            (0..seen.min(self.own.len())).map(|i| CommonPiece { first: i..i + 1, other: i..i + 1 }).collect()
        } else {
            let before = self.before();
            let own = self.lengths();
            let mut pieces = common_pieces(&lengths, own.get(before..).unwrap_or_default());
            pieces.iter_mut().for_each(|piece| {
                piece.other = piece.other.start + before..piece.other.end + before;
            });
            pieces
        };
        let compared = common.into_iter().map(|CommonPiece { first: own, other }| {
            let sum = |steps: &mut dyn Iterator<Item = Option<&Arc<Step>>>| -> Option<f64> {
                steps.map(|step| Some(f64::from(step?.logprob()?))).sum()
            };
            let a = sum(&mut own.clone().map(|i| first.steps.get(i)?.as_ref()));
            let b = sum(&mut other.clone().map(|i| self.steps.get(i)));
            let bytes = lengths[own.clone()].iter().sum();
            ComparedPiece { first: own, other, logprobs: a.zip(b).map(|(a, b)| [a, b]), bytes }
        });
        compared.collect()
    }

    /// The step of one of its own tokens.
    pub fn step(&self, own: usize) -> Option<&Arc<Step>> {
        self.steps.get(own)
    }

    /// How far its distribution at a token is from the first model's: exactly, or at least. Nothing where their
    /// tokens differ.
    pub fn divergence(&self, token: usize, first: &TokenStats) -> Figure<f64> {
        if !self.is_kin() || token == 0 {
            return Figure::NotGiven;
        }
        if let Some(&exact) = self.divergence.get(token) {
            return Figure::Exact(f64::from(exact));
        }
        let other = self.steps.get(token).and_then(|step| step.stats.as_ref());
        other.map_or(Figure::NotGiven, |other| {
            Figure::Bounded([first.prediction.divergence_at_least(&other.prediction), f64::INFINITY])
        })
    }

    /// The mean exact divergence over some tokens, and how many have one.
    pub fn mean_divergence(&self, tokens: Range<usize>) -> Option<(f64, usize)> {
        let values = self.divergence.get(tokens.start.max(1)..tokens.end.min(self.divergence.len()))?;
        let sum: f64 = values.iter().copied().map(f64::from).sum();
        (!values.is_empty()).then(|| (sum / values.len() as f64, values.len()))
    }
}

/// Adds pieces up that lie in a stretch of the first model's tokens.
pub fn sum(pieces: &[ComparedPiece], tokens: &Range<usize>) -> ComparedSum {
    let inside = |piece: &&ComparedPiece| tokens.start <= piece.first.start && piece.first.end <= tokens.end;
    pieces.iter().filter(inside).fold(ComparedSum::default(), |mut sum, piece| {
        if let Some([a, b]) = piece.logprobs {
            sum.logprobs[0] += a;
            sum.logprobs[1] += b;
            sum.pieces += 1;
            sum.bytes += piece.bytes;
        }
        sum
    })
}
