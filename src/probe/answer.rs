//! What the model said: the answers to an item's [`Ask`]s.

use std::collections::HashMap;

use super::question::Ask;
use crate::score::Score;
use crate::step::{AnyToken, Candidate, Prediction, Step};
use crate::token::{TokenId, Vocab, text_of};

/// Everything that was found out for one item.
#[derive(Clone, Debug, Default)]
pub struct Answers {
    found: HashMap<Ask, Finding>,
    parts: usize,
}

/// One answer.
#[derive(Clone, Debug)]
pub enum Finding {
    /// A scored text.
    Text(Scored),
    /// Several, one after the other.
    Pieces(Vec<Scored>),
    /// What comes next; `None` where nothing is there to predict from.
    Next(Option<Box<Prediction>>),
    /// Generated continuations.
    Continuations(Vec<Continuation>),
    /// A token between the layers or in each variant of a sequence.
    Looked(Looked),
    /// Why it can't be found out.
    Missing(String),
}

/// A token in several distributions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Looked {
    /// One for each layer and the model's own, or one for each variant.
    pub readings: Vec<Candidate>,
    /// The least difference of ln p that is an effect.
    pub floor: f64,
}

/// The figures of a text's tokens. Natural log, raw distribution.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scored {
    /// The tokens.
    pub ids: Vec<TokenId>,
    /// ln p of each; `None` for a token without context.
    pub logprobs: Vec<Option<f32>>,
    /// Sum, number and bytes of the tokens that have context.
    pub score: Score,
    /// Whether every token that has context was the most probable.
    pub is_greedy: bool,
    /// The first token, where it has context.
    pub first: Option<AnyToken>,
    /// What was expected in the place of the first token.
    pub prediction: Option<Box<Prediction>>,
    /// Whether a token holds the end of the context and the beginning of the text.
    pub spans_join: bool,
}

/// One generated continuation.
#[derive(Clone, Debug, PartialEq)]
pub struct Continuation {
    /// Its text, the token that ended it not included.
    pub text: String,
    /// Its tokens, the one that ended it included.
    pub score: Score,
}

impl Answers {
    /// Adds an answer, or another part of one: the next window of a text, the next sample.
    pub fn add(&mut self, ask: Ask, found: Finding) {
        self.parts += 1;
        match (self.found.get_mut(&ask), found) {
            (Some(Finding::Text(known)), Finding::Text(more)) => known.extend(more),
            (Some(Finding::Continuations(known)), Finding::Continuations(more)) => known.extend(more),
            (_, found) => {
                self.found.insert(ask, found);
            }
        }
    }

    /// How many parts have been added.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// A scored text.
    pub fn scored(&self, ask: &Ask) -> Option<&Scored> {
        match self.found.get(ask)? {
            Finding::Text(scored) => Some(scored),
            _ => None,
        }
    }

    /// The pieces after a prompt.
    pub fn pieces(&self, prompt: usize) -> Option<&[Scored]> {
        match self.found.get(&Ask::Pieces { prompt })? {
            Finding::Pieces(pieces) => Some(pieces),
            _ => None,
        }
    }

    /// What comes after a prompt.
    pub fn next(&self, prompt: usize) -> Option<&Prediction> {
        match self.found.get(&Ask::Next { prompt })? {
            Finding::Next(prediction) => prediction.as_deref(),
            _ => None,
        }
    }

    /// A token between the layers.
    pub fn looked(&self, ask: &Ask) -> Option<&Looked> {
        match self.found.get(ask)? {
            Finding::Looked(looked) => Some(looked),
            _ => None,
        }
    }

    /// Why something can't be found out.
    pub fn refusal(&self, ask: &Ask) -> Option<&str> {
        match self.found.get(ask)? {
            Finding::Missing(reason) => Some(reason),
            _ => None,
        }
    }

    /// Generated continuations.
    pub fn continuations(&self, ask: &Ask) -> Option<&[Continuation]> {
        match self.found.get(ask)? {
            Finding::Continuations(replies) => Some(replies),
            _ => None,
        }
    }
}

impl Scored {
    /// Reads the steps of a sequence, from the text's first token on.
    pub fn from_steps(steps: Vec<Step>, spans_join: bool, vocab: &Vocab) -> Scored {
        let mut scored = Scored { is_greedy: true, spans_join, ..Scored::default() };
        for (i, step) in steps.into_iter().enumerate() {
            scored.ids.push(step.id);
            let Some(stats) = step.stats else {
                scored.logprobs.push(None);
                continue;
            };
            scored.logprobs.push(Some(stats.logprob));
            scored.score.add(stats.logprob, vocab.bytes(step.id).len());
            scored.is_greedy &= stats.rank.exact() == Some(1);
            if i == 0 {
                scored.first = Some(AnyToken { outcome: None, ..stats.of_token(step.id) });
                scored.prediction = Some(Box::new(stats.prediction));
            }
        }
        scored.is_greedy &= scored.score.tokens() > 0;
        scored
    }

    /// Σ ln p in nats; `None` where no token has context.
    pub fn sum(&self) -> Option<f64> {
        (self.score.tokens() > 0).then(|| self.score.sum_logprob())
    }

    /// Mean surprisal in nats per token.
    pub fn mean_surprisal(&self) -> Option<f64> {
        self.score.mean_logprob().map(|mean| -mean)
    }

    /// Takes the steps that follow.
    pub fn extend(&mut self, more: Scored) {
        self.ids.extend(more.ids);
        self.logprobs.extend(more.logprobs);
        self.score.merge(&more.score);
        self.is_greedy &= more.is_greedy;
    }
}

impl Continuation {
    /// Reads the steps of a continuation.
    pub fn from_steps<'a>(steps: impl IntoIterator<Item = &'a Step>, vocab: &Vocab) -> Continuation {
        let mut score = Score::default();
        let mut bytes = Vec::new();
        for step in steps {
            if let Some(logprob) = step.logprob() {
                score.add(logprob, vocab.text_length(step.id));
            }
            if !vocab.ends_generation(step.id) {
                bytes.extend_from_slice(vocab.bytes(step.id));
            }
        }
        Continuation { text: text_of(&bytes), score }
    }
}
