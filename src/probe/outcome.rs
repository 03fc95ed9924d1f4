//! What came out: one [`ItemOutcome`] an item, one [`SuiteOutcome`] a suite, one [`RunOutcome`] a model.
//!
//! Plain data that reports, comparisons and the screens read; the fields with a name in JSON are the
//! ones that results files keep. Natural log, nats, raw distributions.

use std::sync::Arc;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::answer::{Answers, Reply};
use super::choose::{self, Best, ChoiceRecord, Reduction};
use super::expect::{Verdict, View};
use super::item::{Ask, Gold, Item, Questions, Suite};
use super::stats::{self, Share, Summary};
use super::{metrics, syntaxgym};
use crate::jinja::pattern;
use crate::step::Candidate;
use crate::token::TokenId;

/// Candidates kept of the distribution after a prompt whose expectation failed.
const TOP: usize = 10;

/// A run of some suites on one model.
#[derive(Clone, Debug, Default)]
pub struct RunOutcome {
    /// The model's name.
    pub model: String,
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
    /// Its name.
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
    pub answer: Answer,
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

/// The right choice as results files have it: its index, several, or null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// There is one.
    One(usize),
    /// Any of these.
    Any(Vec<usize>),
    /// There is none.
    #[default]
    None,
}

/// A text that was named, after the prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenOutcome {
    /// The text.
    pub text: String,
    /// Its tokens after this prompt.
    pub ids: Vec<TokenId>,
    /// Σ ln p.
    pub logprob: Option<f64>,
    /// Its first token alone.
    pub first: Option<Candidate>,
}

/// The target's probability under each phrasing of a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TargetOutcome {
    /// The text.
    pub text: String,
    /// The phrasings.
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
    /// The prompt.
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
    /// Its name.
    pub name: String,
    /// Its text.
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
    /// The text.
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
    /// The temperature.
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

    /// Works out the figures from the items there are.
    pub fn conclude(&mut self, suite: &Suite) {
        self.metrics = metrics::figures(suite, &self.items);
        self.limits = suite.limits.iter().map(|limit| limit.judge(&self.metrics)).collect();
    }

    /// Items that passed.
    pub fn passed(&self) -> usize {
        self.items.iter().filter(|item| item.passed == Some(true)).count()
    }

    /// Items that did not.
    pub fn missed(&self) -> usize {
        self.items.iter().filter(|item| item.passed == Some(false)).count()
    }

    /// Whether an expectation failed, and the suite is one that may fail.
    pub fn failed(&self) -> bool {
        let items = self.items.iter().flat_map(|item| &item.expect);
        !self.informational && items.chain(&self.limits).any(Verdict::fails)
    }
}

impl ItemOutcome {
    /// Reads what the model said. `models` holds what it and the models before it said, where there are
    /// several; an expectation that names one that is still to come (`more`) is left to that one's run.
    pub fn new(
        suite: &Suite,
        index: usize,
        answers: Arc<Answers>,
        (models, more): (Arc<IndexMap<String, Arc<Answers>>>, bool),
    ) -> ItemOutcome {
        let item = &suite.items[index];
        let view = View { questions: Arc::clone(&item.questions), answers, models };
        let (questions, answers) = (&*view.questions, &*view.answers);
        let (choices, best) = choices(questions, answers);
        let due = item
            .expect
            .iter()
            .filter(|expectation| !more || expectation.models().all(|model| view.models.contains_key(model)));
        let expect: Vec<Verdict> = due.map(|expectation| expectation.judge(&view)).collect();
        let predictions = syntaxgym::judge(questions, answers);
        let failed = expect.iter().any(|verdict| !verdict.passed);
        let mut outcome = ItemOutcome {
            suite: suite.name.clone(),
            id: item.id.clone(),
            probe: item.probe.clone(),
            index,
            prompt: questions.prompts.first().map_or_else(String::new, |prompt| prompt.text()),
            choices,
            answer: answer(&questions.gold),
            best,
            target: target(questions, answers),
            versus: versus(questions, answers),
            steps: pieces(questions, answers),
            greedy: greedy(questions, answers),
            samples: samples(questions, answers),
            tokens: tokens(questions, answers),
            notes: notes(questions, item, answers),
            top: if failed { top(answers) } else { Vec::new() },
            predictions,
            expect,
            passed: None,
        };
        outcome.passed = outcome.verdict(questions);
        outcome
    }

    fn verdict(&self, questions: &Questions) -> Option<bool> {
        let all = |verdicts: &[Verdict]| verdicts.iter().all(|verdict| verdict.passed);
        if !self.expect.is_empty() {
            return Some(all(&self.expect));
        }
        if !self.predictions.is_empty() {
            return Some(all(&self.predictions));
        }
        match (&questions.gold, self.choices.as_slice()) {
            (Gold::None, [only]) if questions.rolling.is_none() => Some(only.is_greedy),
            (Gold::None, _) => None,
            (gold, _) => Some(self.best.acc.is_some_and(|best| gold.holds(best))),
        }
    }

    /// The indices of the right choices.
    pub fn answers(&self) -> &[usize] {
        match &self.answer {
            Answer::One(index) => std::slice::from_ref(index),
            Answer::Any(indices) => indices,
            Answer::None => &[],
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

    /// Whether the best choice by a reduction is a right one; `None` where there is no answer.
    pub fn is_right(&self, gold: &Gold, reduction: Reduction) -> Option<bool> {
        (*gold != Gold::None).then(|| self.best.by(reduction).is_some_and(|best| gold.holds(best)))
    }
}

fn answer(gold: &Gold) -> Answer {
    match gold {
        Gold::One(index) => Answer::One(*index),
        Gold::Any(indices) => Answer::Any(indices.clone()),
        Gold::None | Gold::Missing => Answer::None,
    }
}

/// The choices; a text that is scored as a whole is one.
fn choices(questions: &Questions, answers: &Answers) -> (Vec<ChoiceRecord>, Best) {
    let Some(rolling) = &questions.rolling else { return choose::records(questions, answers) };
    let Some(scored) = answers.scored(&Ask::Rolling) else { return (Vec::new(), Best::default()) };
    let sum = scored.sum().filter(|sum| sum.is_finite());
    let over = |n: usize| sum.filter(|_| n > 0).map(|sum| sum / n as f64);
    let record = ChoiceRecord {
        text: rolling.text.clone(),
        sum_logprob: sum,
        logprob_per_char: over(rolling.text.chars().count()),
        logprob_per_byte: over(rolling.text.len()),
        logprob_per_token: over(scored.score.tokens()),
        pmi: None,
        is_greedy: scored.is_greedy,
    };
    (vec![record], Best::default())
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

fn target(questions: &Questions, answers: &Answers) -> Option<TargetOutcome> {
    let text = questions.target.clone()?;
    let phrasings = (0..questions.phrasings()).map(|prompt| {
        let sum = answers.scored(&Ask::Text { prompt, text: text.clone() }).and_then(|scored| scored.sum());
        PhrasingOutcome {
            prompt: questions.prompts[prompt].text(),
            logprob: finite(sum),
            p: sum.map(f64::exp),
        }
    });
    let summary = Summary::of(&stats::target_probabilities(questions, answers));
    Some(TargetOutcome {
        phrasings: phrasings.collect(),
        text,
        mean: summary.map(|summary| summary.mean),
        sd: summary.map(|summary| summary.sd),
        lowest: summary.map(|summary| summary.min),
        highest: summary.map(|summary| summary.max),
        spread: summary.map(|summary| summary.max - summary.min),
    })
}

fn versus(questions: &Questions, answers: &Answers) -> Option<VersusOutcome> {
    let other = questions.prompts.get(1).filter(|_| questions.compares)?;
    let text = questions.target.clone()?;
    let scored = |prompt| answers.scored(&Ask::Text { prompt, text: text.clone() });
    let (ours, theirs) = (scored(0)?, scored(1)?);
    let same = ours.ids == theirs.ids;
    let pairs = ours.logprobs.iter().zip(&theirs.logprobs).filter(|_| same);
    let per_token: Vec<f64> = pairs.filter_map(|(a, b)| Some(f64::from((*a)?) - f64::from((*b)?))).collect();
    let n = per_token.len() as f64;
    let interval = stats::bootstrap_interval(&per_token);
    Some(VersusOutcome {
        prompt: other.text(),
        logprob: finite(theirs.sum()),
        difference: finite(ours.sum().zip(theirs.sum()).map(|(a, b)| a - b)),
        low: interval.map(|(low, _)| low * n),
        high: interval.map(|(_, high)| high * n),
        per_token: per_token.into_iter().filter(|difference| difference.is_finite()).collect(),
    })
}

fn pieces(questions: &Questions, answers: &Answers) -> Vec<PieceOutcome> {
    let mut seen = vec![0; questions.prompts.len()];
    let scored = questions.pieces.iter().filter_map(|piece| {
        let place = seen.get_mut(piece.prompt)?;
        *place += 1;
        Some((piece, answers.pieces(piece.prompt)?.get(*place - 1)?))
    });
    scored
        .map(|(piece, scored)| PieceOutcome {
            name: piece.name.clone(),
            text: piece.text.clone(),
            surprisal: finite(scored.sum().map(|sum| -sum)),
            surprisal_per_token: finite(scored.mean_surprisal()),
            tokens: scored.score.tokens(),
        })
        .collect()
}

fn generated(reply: &Reply, wanted: Option<&str>) -> Generated {
    Generated {
        text: reply.text.clone(),
        sum_logprob: finite(Some(reply.score.sum_logprob())),
        tokens: reply.score.tokens(),
        matches: wanted.map(|wanted| pattern::search(&reply.text, wanted).unwrap_or(false)),
    }
}

fn greedy(questions: &Questions, answers: &Answers) -> Option<Generated> {
    let replies = answers.replies(&Ask::Greedy { prompt: 0, tokens: questions.greedy? })?;
    replies.first().map(|reply| generated(reply, questions.pattern.as_deref()))
}

fn samples(questions: &Questions, answers: &Answers) -> Vec<SampleOutcome> {
    let Some(sampling) = &questions.sampling else { return Vec::new() };
    let sweep = sampling.temperatures.iter().enumerate();
    sweep
        .map(|(index, &temperature)| {
            let replies = stats::replies(questions, answers, Some(index));
            let share = stats::prevalence(questions, answers, Some(index));
            let interval = share.map(Share::interval);
            let wanted = questions.pattern.as_deref();
            SampleOutcome {
                temperature,
                n: replies.len(),
                matched: share.map(|share| share.hits),
                prevalence: share.map(Share::share),
                low: interval.map(|(low, _)| low),
                high: interval.map(|(_, high)| high),
                agreement: stats::agreement(questions, answers, Some(index)),
                replies: replies.into_iter().map(|reply| generated(reply, wanted)).collect(),
            }
        })
        .collect()
}

fn tokens(questions: &Questions, answers: &Answers) -> Vec<TokenOutcome> {
    let named = questions.tokens.iter().filter_map(|text| {
        let scored = answers.scored(&Ask::Text { prompt: 0, text: text.clone() })?;
        Some(TokenOutcome {
            text: text.clone(),
            ids: scored.ids.clone(),
            logprob: finite(scored.sum()),
            first: scored.first,
        })
    });
    named.collect()
}

fn top(answers: &Answers) -> Vec<Candidate> {
    answers.next(0).map_or_else(Vec::new, |outlook| outlook.shown(TOP).0.to_vec())
}

/// Tokens that span a join, and choices whose first tokens are not counted and differ.
fn notes(questions: &Questions, item: &Item, answers: &Answers) -> Vec<String> {
    let mut notes = Vec::new();
    for ask in &item.asks {
        if let (Ask::Text { text, .. }, Some(scored)) = (ask, answers.scored(ask))
            && scored.spans_join
        {
            notes.push(format!("a token spans the end of the prompt and the beginning of {text:?}"));
        }
    }
    let firsts = questions.choices.iter().filter_map(|choice| {
        let ask = Ask::Text { prompt: choice.prompt, text: choice.continuation.clone() };
        answers
            .scored(&ask)
            .filter(|scored| scored.logprobs.first() == Some(&None))
            .map(|scored| scored.ids[0])
    });
    let firsts: std::collections::BTreeSet<TokenId> = firsts.collect();
    if firsts.len() > 1 {
        notes.push(
            "the choices begin differently and their first tokens have no context, so those are not counted; \
             bos = \"always\" would count them"
                .to_string(),
        );
    }
    notes
}
