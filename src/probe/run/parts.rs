//! The parts of a request: what each sequence and each continuation answers.

use crate::probe::answer::{Continuation, Finding, Scored};
use crate::probe::plan::{Generation, PlannedSequence};
use crate::probe::question::Ask;
use crate::sampling::Sampling;
use crate::step::Step;
use crate::token::{TokenId, Vocab};

/// An item: its suite's place and its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ItemPlace {
    pub suite: usize,
    pub item: usize,
}

/// What one sequence or continuation answers.
#[derive(Clone, Copy)]
pub struct RequestPart {
    pub place: ItemPlace,
    /// The ask among the item's.
    pub ask: usize,
    /// The sequence of the item's plan; none where tokens are generated or looked at.
    pub sequence: Option<usize>,
}

/// Continuations of one prompt, generated together.
pub struct Samples {
    pub prompt: Vec<TokenId>,
    /// What each answers, and how it is chosen.
    pub lanes: Vec<(RequestPart, Sampling)>,
    pub max_tokens: usize,
}

/// The continuations of an item, those of one prompt together, each with a seed of its own.
pub fn samples(place: ItemPlace, generations: &[Generation]) -> Vec<Samples> {
    let mut together: Vec<Samples> = Vec::new();
    for generation in generations {
        let part = RequestPart { place, ask: generation.ask, sequence: None };
        let lanes = (0..generation.n as u32).map(|i| {
            let seed = generation.sampling.seed.wrapping_add(i);
            (part, Sampling { seed, ..generation.sampling.clone() })
        });
        let (prompt, max_tokens) = (&generation.prompt, generation.max_tokens);
        match together.iter_mut().find(|other| other.prompt == *prompt && other.max_tokens == max_tokens) {
            Some(other) => other.lanes.extend(lanes),
            None => together.push(Samples { prompt: prompt.clone(), lanes: lanes.collect(), max_tokens }),
        }
    }
    together
}

/// What the steps of a sequence, or without one of a continuation, say to an ask.
pub fn finding(ask: &Ask, mut steps: Vec<Step>, planned: Option<&PlannedSequence>, vocab: &Vocab) -> Finding {
    let Some(planned) = planned else {
        return Finding::Continuations(vec![Continuation::from_steps(&steps, vocab)]);
    };
    match ask {
        Ask::Next { .. } => {
            let stats = steps.into_iter().next().and_then(|step| step.stats);
            Finding::Next(stats.map(|stats| Box::new(stats.prediction)))
        }
        Ask::Pieces { .. } => {
            let mut cut = |from: usize| {
                let piece = steps.split_off(from.min(steps.len()));
                Scored::from_steps(piece, planned.spans_join, vocab)
            };
            let mut pieces: Vec<Scored> = planned.cuts.iter().rev().map(|from| cut(*from)).collect();
            pieces.reverse();
            Finding::Pieces(pieces)
        }
        _ => Finding::Text(Scored::from_steps(steps, planned.spans_join, vocab)),
    }
}
