//! What came out: one [`ItemOutcome`] an item, one [`SuiteOutcome`] a suite, one [`RunOutcome`] a model.
//!
//! Plain data that reports, comparisons and the screens read; the fields with a name in JSON are the
//! ones that results files keep. Natural log, nats, raw distributions.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::item::Suite;
use super::question::Gold;
use super::verdict::Verdict;
use crate::continuation::reduction::{Best, ChoiceRecord, Reduction};
use crate::step::{AnyToken, Candidate};
use crate::token::TokenId;

/// A run of some suites on one model.
#[derive(Clone, Debug, Default)]
pub struct RunOutcome {
    /// The model's name.
    pub model: String,
    /// Number of its weights, where that is known.
    pub parameters: Option<u64>,
    /// In the order they were given.
    pub suites: Vec<SuiteOutcome>,
    /// Whether it was stopped before its end.
    pub interrupted: bool,
    /// What it cost.
    pub cost: Cost,
}

/// What a run cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Tokens that were computed.
    pub computed: usize,
    /// Tokens that would have been, had every sequence been scored alone.
    pub naive: usize,
    /// Sequences scored.
    pub sequences: usize,
    /// Tokens generated.
    pub generated: usize,
    /// Seconds in the engine.
    pub seconds: f64,
}

/// What came out of one suite.
#[derive(Clone, Debug, Default)]
pub struct SuiteOutcome {
    pub name: String,
    /// One line for people.
    pub title: Option<String>,
    /// What it is meant to show.
    pub claim: Option<String>,
    /// Language of its texts.
    pub lang: Option<String>,
    /// Reports and never fails.
    pub informational: bool,
    /// In file order.
    pub items: Vec<ItemOutcome>,
    /// Its figures by name; `None` for one that can't be computed.
    pub metrics: IndexMap<String, Option<f64>>,
    /// What its figures had to be.
    pub limits: Vec<Verdict>,
}

/// What came out of one item.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ItemOutcome {
    /// The suite's name.
    pub suite: String,
    /// Unique in its suite.
    pub id: String,
    /// The probe it is a case of.
    pub probe: String,
    /// Place in the suite, from 0.
    pub index: usize,
    /// The prompt; of a conversation, its last message.
    pub prompt: String,
    /// The continuations to choose from, or the only one.
    pub choices: Vec<ChoiceRecord>,
    /// The right one.
    pub answer: Gold,
    /// How hard it is, where the suite says that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difficulty: Option<f64>,
    /// The best one, by each reduction.
    pub best: Best,
    /// What had to hold.
    pub expect: Vec<Verdict>,
    /// Whether everything held; without expectations, whether the answer was right; null where there is
    /// neither.
    pub passed: Option<bool>,
    /// The target under each phrasing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<TargetOutcome>,
    /// The two prompts compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versus: Option<VersusOutcome>,
    /// The pieces of a text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<PieceOutcome>,
    /// What another project predicted of the pieces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub predictions: Vec<Verdict>,
    /// The most probable continuation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub greedy: Option<Generated>,
    /// Samples, by temperature.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<SampleOutcome>,
    /// Why the item could not be scored. Then it has not passed, and counts in no figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What a reader should know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Named texts after the prompt.
    #[serde(skip)]
    pub tokens: Vec<TokenOutcome>,
    /// What was expected after the prompt, where an expectation failed.
    #[serde(skip)]
    pub top: Vec<Candidate>,
}

/// A text that was named, after the prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenOutcome {
    pub text: String,
    /// Its tokens after this prompt.
    pub ids: Vec<TokenId>,
    /// Σ ln p.
    pub logprob: Option<f64>,
    /// Its first token alone.
    pub first: Option<AnyToken>,
}

/// The target's probability under each phrasing of a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetOutcome {
    pub text: String,
    pub phrasings: Vec<PhrasingOutcome>,
    /// Mean of the probabilities.
    pub mean: Option<f64>,
    /// Their standard deviation.
    pub sd: Option<f64>,
    /// The smallest.
    pub lowest: Option<f64>,
    /// The largest.
    pub highest: Option<f64>,
    /// The largest − the smallest.
    pub spread: Option<f64>,
}

/// The target under one phrasing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PhrasingOutcome {
    pub prompt: String,
    /// Σ ln p of the target.
    pub logprob: Option<f64>,
    /// Its probability.
    pub p: Option<f64>,
}

/// One continuation under two prompts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VersusOutcome {
    /// The prompt compared with.
    pub prompt: String,
    /// Σ ln p of the target after it.
    pub logprob: Option<f64>,
    /// Σ ln p after the item's prompt − after this one.
    pub difference: Option<f64>,
    /// Lower end of its 95 % interval, from resampling tokens; null for one token.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// The difference at each token, where the two prompts leave the same tokens.
    pub per_token: Vec<f64>,
}

/// One piece of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PieceOutcome {
    pub name: String,
    pub text: String,
    /// Σ −ln p.
    pub surprisal: Option<f64>,
    /// The same per token.
    pub surprisal_per_token: Option<f64>,
    /// Its tokens that have context.
    pub tokens: usize,
}

/// A generated text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Generated {
    pub text: String,
    /// Σ ln p under the raw distribution.
    pub sum_logprob: Option<f64>,
    /// Its tokens, the one that ended it included.
    pub tokens: usize,
    /// Whether it matches the pattern; null without one.
    pub matches: Option<bool>,
}

/// The samples at one temperature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleOutcome {
    pub temperature: f32,
    /// How many.
    pub n: usize,
    /// How many match the pattern.
    pub matched: Option<usize>,
    /// Their share.
    pub prevalence: Option<f64>,
    /// Lower end of its 95 % interval (Wilson).
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Chance that two samples say the same.
    pub agreement: Option<f64>,
    /// The samples.
    pub replies: Vec<Generated>,
}

impl RunOutcome {
    /// Whether an expectation failed that is meant to.
    pub fn failed(&self) -> bool {
        self.suites.iter().any(SuiteOutcome::failed)
    }
}

impl SuiteOutcome {
    /// The suite's name and what it says of itself; no item yet.
    pub fn new(suite: &Suite) -> SuiteOutcome {
        SuiteOutcome {
            name: suite.name.clone(),
            title: suite.title.clone(),
            claim: suite.claim.clone(),
            lang: suite.lang.clone(),
            informational: suite.informational,
            ..SuiteOutcome::default()
        }
    }

    /// Items that passed.
    pub fn passed(&self) -> usize {
        self.items.iter().filter(|item| item.passed == Some(true)).count()
    }

    /// Items that did not.
    pub fn missed(&self) -> usize {
        self.items.iter().filter(|item| item.passed == Some(false)).count()
    }

    /// Items that could not be scored.
    pub fn unscored(&self) -> usize {
        self.items.iter().filter(|item| item.error.is_some()).count()
    }

    /// Whether an expectation failed, and the suite is one that may fail.
    pub fn failed(&self) -> bool {
        let items = self.items.iter().flat_map(|item| &item.expect);
        !self.informational && items.chain(&self.limits).any(Verdict::fails)
    }
}

impl ItemOutcome {
    /// The indices of the right choices.
    pub fn answers(&self) -> &[usize] {
        match &self.answer {
            Gold::One(index) => std::slice::from_ref(index),
            Gold::Any(indices) => indices,
            Gold::None | Gold::Missing => &[],
        }
    }

    /// Whether the choice with the highest sum is a right one; `None` where nothing is right or wrong.
    pub fn prefers_right(&self) -> Option<bool> {
        let answers = self.answers();
        (!answers.is_empty()).then(|| self.best.acc.is_some_and(|best| answers.contains(&best)))
    }

    /// The most probable right choice, or the only continuation there is.
    pub fn right_choice(&self) -> Option<&ChoiceRecord> {
        if let ([], [only]) = (self.answers(), self.choices.as_slice()) {
            return Some(only);
        }
        let sum = |choice: &&ChoiceRecord| choice.sum_logprob.unwrap_or(f64::NEG_INFINITY);
        let right = self.answers().iter().filter_map(|index| self.choices.get(*index));
        right.max_by(|a, b| sum(a).total_cmp(&sum(b)))
    }

    /// Σ ln p of the best right choice − of the best wrong one.
    pub fn margin(&self) -> Option<f64> {
        let answers = self.answers();
        let wrong = self.choices.iter().enumerate().filter(|(i, _)| !answers.contains(i));
        let wrong = wrong.filter_map(|(_, choice)| choice.sum_logprob).max_by(f64::total_cmp)?;
        let right = self.right_choice().filter(|_| !answers.is_empty())?;
        Some(right.sum_logprob? - wrong)
    }

    /// Whether the choice with the highest sum is a right one; without choices, whether what was expected held.
    pub fn is_accurate(&self) -> Option<bool> {
        self.prefers_right().or(self.passed).filter(|_| self.error.is_none())
    }

    /// Whether the best choice by a reduction is a right one; `None` where there is no answer.
    pub fn is_right(&self, gold: &Gold, reduction: Reduction) -> Option<bool> {
        (*gold != Gold::None).then(|| self.best.by(reduction).is_some_and(|best| gold.holds(best)))
    }
}
