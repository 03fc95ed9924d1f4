//! From the answers to an item's questions to its outcome. No model, no I/O.

use std::sync::Arc;

use indexmap::IndexMap;

use super::answer::{Answers, Continuation};
use super::choose;
use super::expect::Evidence;
use super::item::{Item, Suite};
use super::outcome::{
    Generated, ItemOutcome, PhrasingOutcome, PieceOutcome, SampleOutcome, TargetOutcome, TokenOutcome,
    VersusOutcome,
};
use super::question::{Ask, Gold, Questions};
use super::stats::{self, Share, Summary};
use super::verdict::Verdict;
use super::{formula, interval};
use crate::continuation::Join;
use crate::continuation::reduction::{Best, ChoiceRecord, Measured};
use crate::jinja::pattern;
use crate::step::Candidate;
use crate::token::TokenId;

/// What stands for the expectations of an item that can't be scored.
const SCORED: &str = "it can be scored";

/// Candidates kept of the distribution after a prompt whose expectation failed.
const TOP: usize = 10;

/// What the models of a run said so far, by name.
pub struct ModelAnswers {
    pub said: Arc<IndexMap<String, Arc<Answers>>>,
    /// Whether further models come.
    pub more: bool,
}

impl ItemOutcome {
    /// Reads what the model said. `models` holds what it and the models before it said, where there are
    /// several; an expectation that names one that is still to come (`more`) is left to that one's run.
    pub fn new(suite: &Suite, index: usize, answers: Arc<Answers>, models: ModelAnswers) -> ItemOutcome {
        let item = &suite.items[index];
        let ModelAnswers { said: models, more } = models;
        let view = Evidence { questions: Arc::clone(&item.questions), answers, models };
        let (questions, answers) = (&*view.questions, &*view.answers);
        let (choices, best) = choices(questions, answers);
        let due = item
            .expect
            .iter()
            .filter(|expectation| !more || expectation.models().all(|model| view.models.contains_key(model)));
        let mut expect: Vec<Verdict> = due.map(|expectation| expectation.judge(&view)).collect();
        let unmeasured = unmeasured(questions, answers);
        if let Some(reason) = &unmeasured {
            // Which choice is the best can't be told: neither the right one nor a wrong one.
            for verdict in
                expect.iter_mut().filter(|verdict| !verdict.passed && verdict.text.contains("best("))
            {
                (verdict.informational, verdict.found) = (true, reason.clone());
            }
        }
        let predictions = formula::judge(&item.predictions, questions, answers);
        let failed = expect.iter().any(|verdict| !verdict.passed);
        let mut outcome = ItemOutcome {
            suite: suite.name.clone(),
            id: item.id.clone(),
            probe: item.probe.clone(),
            index,
            prompt: questions.prompts.first().map_or_else(String::new, |prompt| prompt.text()),
            choices,
            answer: questions.gold.clone(),
            difficulty: item.difficulty,
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
            error: unmeasured,
            passed: None,
        };
        outcome.passed = outcome.verdict(questions);
        outcome
    }

    /// The outcome of an item that can't be scored.
    pub fn unscored(suite: &Suite, index: usize, reason: &str) -> ItemOutcome {
        let item = &suite.items[index];
        let verdict = Verdict {
            text: SCORED.to_string(),
            passed: false,
            found: reason.to_string(),
            informational: false,
        };
        ItemOutcome {
            suite: suite.name.clone(),
            id: item.id.clone(),
            probe: item.probe.clone(),
            index,
            prompt: item.prompt(),
            expect: vec![verdict],
            passed: Some(false),
            error: Some(reason.to_string()),
            ..ItemOutcome::default()
        }
    }

    /// Whether an item is still what it was when this came out.
    pub fn is_of(&self, item: &Item) -> bool {
        let questions = &item.questions;
        let texts = questions.rolling.as_ref().map(|rolling| &rolling.text);
        let texts = questions.choices.iter().map(|choice| &choice.text).chain(texts);
        let expect = item.expect.iter().map(|expectation| expectation.text());
        item.id == self.id
            && item.prompt() == self.prompt
            && texts.eq(self.choices.iter().map(|choice| &choice.text))
            && expect.eq(self.expect.iter().map(|verdict| verdict.text.as_str()))
            && questions.gold.first() == self.answer.first()
    }

    fn verdict(&self, questions: &Questions) -> Option<bool> {
        if self.error.is_some() {
            return self.expect.iter().any(Verdict::fails).then_some(false);
        }
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
}

/// A choice between texts of which one has no figure at all, in a line: nothing of it has a context.
fn unmeasured(questions: &Questions, answers: &Answers) -> Option<String> {
    let missing = questions.choices.iter().find(|choice| {
        let asked = Ask::Text { prompt: choice.prompt, text: choice.continuation.clone() };
        answers.scored(&asked).is_some_and(|scored| scored.sum().is_none())
    })?;
    (questions.gold != Gold::None && questions.rolling.is_none()).then(|| {
        format!(
            "the choice {:?} is one token without context, and has no probability: give a prompt, or bos = \"always\"",
            missing.text
        )
    })
}

/// The choices; a text that is scored as a whole is one.
fn choices(questions: &Questions, answers: &Answers) -> (Vec<ChoiceRecord>, Best) {
    let Some(rolling) = &questions.rolling else { return choose::records(questions, answers) };
    let Some(scored) = answers.scored(&Ask::Rolling) else { return (Vec::new(), Best::default()) };
    let measured = Measured {
        sum_logprob: scored.sum().unwrap_or(f64::NAN),
        tokens: scored.score.tokens(),
        is_greedy: scored.is_greedy,
        ..Measured::of_text(rolling.text.as_bytes(), Join::Harness)
    };
    let record = ChoiceRecord::new(rolling.text.clone(), Some(&measured));
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
    let weighted: Vec<_> = per_token.iter().map(|difference| (*difference, 1.0)).collect();
    let interval = interval::of_mean(&weighted).ok();
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

fn generated(reply: &Continuation, wanted: Option<&str>) -> Generated {
    Generated {
        text: reply.text.clone(),
        sum_logprob: finite(Some(reply.score.sum_logprob())),
        tokens: reply.score.tokens(),
        matches: wanted.map(|wanted| pattern::search(&reply.text, wanted).unwrap_or(false)),
    }
}

fn greedy(questions: &Questions, answers: &Answers) -> Option<Generated> {
    let replies = answers.continuations(&Ask::Greedy { prompt: 0, tokens: questions.greedy? })?;
    replies.first().map(|reply| generated(reply, questions.pattern.as_deref()))
}

fn samples(questions: &Questions, answers: &Answers) -> Vec<SampleOutcome> {
    let Some(sampling) = &questions.sampling else { return Vec::new() };
    let sweep = sampling.temperatures.iter().enumerate();
    sweep
        .map(|(index, &temperature)| {
            let replies = stats::continuations(questions, answers, Some(index));
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
