//! What the functions of expectations measure: what is asked for it, and its value.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::Value;

use crate::continuation::reduction::Reduction;
use crate::probe::answer::{Answers, Looked, Scored};
use crate::probe::choose;
use crate::probe::question::{Ask, Questions, counted, no_layer};
use crate::probe::stats;
use crate::step::{Candidate, Figure};

/// What was found out, for an expectation to look at.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// What the item is about.
    pub questions: Arc<Questions>,
    /// What the model said.
    pub answers: Arc<Answers>,
    /// What each model of the run said, by name; for differences between models.
    pub models: Arc<IndexMap<String, Arc<Answers>>>,
}

/// Marks a text that only the model can tell.
pub(super) const UNKNOWN: char = '\u{F8FF}';

/// One call with its arguments read.
#[derive(Clone, Debug, PartialEq)]
pub enum Quantity {
    /// `p(text)`: probability of the text after the prompt, by the chain rule.
    P(String),
    /// `logprob(text)`: its logarithm, in nats.
    Logprob(String),
    /// `rank(text)`: rank of its first token.
    Rank(String),
    /// `entropy()`: of the next token, in nats.
    Entropy,
    /// `greedy(n)`: the most probable continuation of n tokens, as text.
    Greedy(usize),
    /// `best(reduction)`: index of the best choice; −1 where none is.
    Best(Reduction),
    /// `score(i, reduction)`: the figure of one choice, in nats.
    Score(usize, Reduction),
    /// `margin(i, j, reduction)`: how much better choice i is than j, or than the best other one.
    Margin(usize, Option<usize>, Reduction),
    /// `ppl(i)`: perplexity of choice i after the prompt, or (without i) of the prompt.
    Ppl(Option<usize>),
    /// `delta(a, b, text)`: ln p under model a − under model b, of a text, or of the right choice.
    Delta(String, String, Option<String>),
    /// `mean()`, `lowest()`, `highest()`, `spread()`: of the target's probability over the phrasings.
    Over(Statistic),
    /// `difference()`: ln p of the target after the prompt − after the one compared with.
    Difference,
    /// `prevalence(temperature)`: share of samples that match the pattern.
    Prevalence(Option<usize>),
    /// `agreement(temperature)`: chance that two samples are the same.
    Agreement(Option<usize>),
    /// `surprisal(i)`: of piece i, in nats per token.
    Surprisal(usize),
    /// `peak()`: index of the piece with the highest surprisal per token.
    Peak,
    /// `pattern()`: the pattern a continuation should match.
    Pattern,
    /// `context(n, text)`: ln p of a text (or of the target or right choice) where the model sees only the
    /// last n tokens of the prompt, in nats.
    Context(usize, String),
    /// `occlusion(words, text)`: ln p of it without these words of the prompt − with them.
    Occlusion(String, String),
    /// `lens_rank(text, layer)`: rank of its first token in what the model's head says after a layer.
    LensRank(String, i64),
    /// `recovered(layer, position)`: share of what the target's first token loses from the prompt to the
    /// one it is compared with that one value of the residual stream brings back.
    Recovered(i64, i64, String),
}

/// A summary over phrasings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// Arithmetic mean.
    Mean,
    /// Smallest.
    Lowest,
    /// Largest.
    Highest,
    /// Largest − smallest.
    Spread,
}

/// What a function gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Quantified {
    Number(f64),
    /// An index, rank or count.
    Whole(i64),
    Text(String),
}

impl Quantified {
    /// As shown to people.
    pub fn shown(&self) -> String {
        match self {
            Quantified::Number(number) => shown(Some(*number)),
            Quantified::Whole(number) => number.to_string(),
            Quantified::Text(text) => format!("{text:?}"),
        }
    }

    /// For the expression.
    pub fn into_value(self) -> Value {
        match self {
            Quantified::Number(number) => Value::from(number),
            Quantified::Whole(number) => Value::from(number),
            Quantified::Text(text) => Value::from(text),
        }
    }
}

/// A figure to four significant digits.
pub fn shown(figure: Option<f64>) -> String {
    match figure {
        None => "nothing".to_string(),
        Some(0.0) => "0".to_string(),
        Some(x) if !x.is_finite() => if x > 0.0 { "∞" } else { "−∞" }.to_string(),
        Some(x) if (1e-4..1e6).contains(&x.abs()) => {
            let digits = (3 - x.abs().log10().floor() as i64).clamp(0, 8) as usize;
            format!("{x:.digits$}")
        }
        Some(x) => format!("{x:.3e}"),
    }
}

impl Quantity {
    /// What has to be found out for it, under every phrasing.
    pub fn asks(&self, questions: &Questions) -> Vec<Ask> {
        let prompts = 0..questions.phrasings();
        let each = |ask: &dyn Fn(usize) -> Ask| prompts.clone().map(ask).collect();
        let reduced = |reduction: &Reduction| match reduction {
            Reduction::AccMutualInfo => questions
                .choices
                .iter()
                .map(|choice| Ask::Alone { text: choice.continuation.clone() })
                .collect(),
            _ => Vec::new(),
        };
        match self {
            Quantity::P(text)
            | Quantity::Logprob(text)
            | Quantity::Rank(text)
            | Quantity::Delta(_, _, Some(text)) => each(&|prompt| Ask::Text { prompt, text: text.clone() }),
            Quantity::Context(tokens, text) => {
                each(&|prompt| Ask::Context { prompt, tokens: *tokens, text: text.clone() })
            }
            Quantity::Occlusion(words, text) => {
                let with = each(&|prompt| Ask::Text { prompt, text: text.clone() });
                let without =
                    each(&|prompt| Ask::Without { prompt, words: words.clone(), text: text.clone() });
                [with, without].concat()
            }
            Quantity::LensRank(text, _) => each(&|prompt| Ask::Layers { prompt, text: text.clone() }),
            Quantity::Recovered(layer, position, text) => vec![
                Ask::Unchanged { prompt: 0, text: text.clone() },
                Ask::Patched { layer: *layer, position: *position, text: text.clone() },
            ],
            Quantity::Entropy => each(&|prompt| Ask::Next { prompt }),
            Quantity::Greedy(tokens) => each(&|prompt| Ask::Greedy { prompt, tokens: *tokens }),
            Quantity::Ppl(None) => each(&|prompt| Ask::Prompt { prompt }),
            Quantity::Best(reduction) | Quantity::Score(_, reduction) | Quantity::Margin(_, _, reduction) => {
                reduced(reduction)
            }
            _ => Vec::new(),
        }
    }

    /// The models whose answers it compares.
    pub fn models(&self) -> impl Iterator<Item = &str> {
        let pair = match self {
            Quantity::Delta(a, b, _) => [Some(a.as_str()), Some(b.as_str())],
            _ => [None, None],
        };
        pair.into_iter().flatten()
    }

    /// A value of the right type, for trying an expression out; another one for every `place` among an
    /// expression's measurements, so that a difference of two is no zero to divide by.
    pub fn placeholder(&self, place: usize) -> Value {
        match self {
            Quantity::Best(_) | Quantity::Peak => Value::from(1),
            Quantity::Rank(_) | Quantity::LensRank(..) => Value::from(place + 1),
            Quantity::Greedy(_) => Value::from(format!("{UNKNOWN}some words here")),
            Quantity::Pattern => Value::from("some"),
            _ => Value::from(0.437 / (place + 1) as f64),
        }
    }

    /// Its value under one phrasing.
    ///
    /// # Errors
    /// Why there is none.
    pub fn value(&self, view: &Evidence, prompt: usize) -> Result<Quantified, String> {
        let (questions, answers) = (&*view.questions, &*view.answers);
        let number = |value: Option<f64>| value.map(Quantified::Number).ok_or_else(|| no_context(self));
        if let Some(reason) = self.asks(questions).iter().find_map(|ask| answers.refusal(ask)) {
            return Err(reason.to_string());
        }
        match self {
            Quantity::P(text) => number(logprob(answers, prompt, text).map(f64::exp)),
            Quantity::Logprob(text) => number(logprob(answers, prompt, text)),
            Quantity::Rank(text) => {
                let scored = answers.scored(&Ask::Text { prompt, text: text.clone() });
                let first = scored.and_then(|scored| scored.first).ok_or_else(|| no_context(self))?;
                exact(first.rank).map(|rank| Quantified::Whole(i64::from(rank)))
            }
            Quantity::Entropy => {
                let prediction = answers.next(prompt).ok_or_else(|| no_context(self))?;
                exact(prediction.entropy).map(|entropy| Quantified::Number(f64::from(entropy)))
            }
            Quantity::Greedy(tokens) => {
                let replies = answers.continuations(&Ask::Greedy { prompt, tokens: *tokens });
                let text = replies.and_then(|replies| replies.first()).map(|reply| reply.text.clone());
                text.map(Quantified::Text).ok_or_else(|| "nothing was generated".to_string())
            }
            Quantity::Best(reduction) => {
                let best = choose::best(questions, answers, *reduction);
                Ok(Quantified::Whole(best.map_or(-1, |index| index as i64)))
            }
            Quantity::Score(index, reduction) => {
                number(choose::figure(questions, &questions.choices[*index], answers, *reduction))
            }
            Quantity::Margin(index, other, reduction) => {
                number(margin(questions, answers, *index, *other, *reduction))
            }
            Quantity::Ppl(Some(index)) => {
                let choice = &questions.choices[*index];
                number(perplexity(
                    answers,
                    &Ask::Text { prompt: choice.prompt, text: choice.continuation.clone() },
                ))
            }
            Quantity::Ppl(None) => number(perplexity(answers, &Ask::Prompt { prompt })),
            Quantity::Delta(a, b, text) => {
                delta(view, prompt, (a, b), text.as_deref()).map(Quantified::Number)
            }
            Quantity::Over(statistic) => number(over(questions, answers, *statistic)),
            Quantity::Difference => number(difference(questions, answers)),
            Quantity::Prevalence(temperature) => {
                number(stats::prevalence(questions, answers, *temperature).map(|share| share.share()))
            }
            Quantity::Agreement(temperature) => number(stats::agreement(questions, answers, *temperature)),
            Quantity::Surprisal(index) => number(piece(questions, answers, *index)),
            Quantity::Peak => stats::peak(questions, answers)
                .map(|index| Quantified::Whole(index as i64))
                .ok_or_else(|| no_context(self)),
            Quantity::Pattern => Ok(Quantified::Text(questions.pattern.clone().unwrap_or_default())),
            Quantity::Context(tokens, text) => {
                let ask = Ask::Context { prompt, tokens: *tokens, text: text.clone() };
                number(answers.scored(&ask).and_then(Scored::sum))
            }
            Quantity::Occlusion(words, text) => {
                let ask = Ask::Without { prompt, words: words.clone(), text: text.clone() };
                let without = answers.scored(&ask).and_then(Scored::sum);
                number(without.zip(logprob(answers, prompt, text)).map(|(without, with)| without - with))
            }
            Quantity::LensRank(text, layer) => {
                let ask = Ask::Layers { prompt, text: text.clone() };
                let looked = answers.looked(&ask).ok_or_else(|| no_context(self))?;
                // The last is the model's own.
                let layers = looked.readings.len().saturating_sub(1);
                let index = counted(*layer, layers).ok_or_else(|| no_layer(*layer, layers))?;
                Ok(Quantified::Whole(i64::from(looked.readings[index].rank)))
            }
            Quantity::Recovered(layer, position, text) => {
                let ask = Ask::Patched { layer: *layer, position: *position, text: text.clone() };
                let clean = answers.looked(&Ask::Unchanged { prompt: 0, text: text.clone() });
                let (clean, patched) = clean.zip(answers.looked(&ask)).ok_or_else(|| no_context(self))?;
                recovered(clean, patched).map(Quantified::Number)
            }
        }
    }
}

/// Floors that the two prompts must lie apart for there to be a share.
const APART: f64 = 5.0;

/// (patched − corrupt) ÷ (clean − corrupt).
fn recovered(clean: &Looked, patched: &Looked) -> Result<f64, String> {
    let logprob = |reading: &Candidate| f64::from(reading.logprob);
    let [corrupt, .., changed] = patched.readings.as_slice() else {
        return Err("nothing was found between the layers".to_string());
    };
    let corrupt = logprob(corrupt);
    let lost = clean.readings.first().map_or(f64::NAN, logprob) - corrupt;
    let floor = clean.floor.max(patched.floor);
    if lost.abs() < APART * floor || !lost.is_finite() {
        return Err(format!(
            "there is nothing to recover: the two prompts differ by {} nat, and {APART} times the floor is {}",
            shown(Some(lost)),
            shown(Some(APART * floor))
        ));
    }
    Ok((logprob(changed) - corrupt) / lost)
}

/// A figure that can be held against a value.
fn exact<T: Copy + std::fmt::Display>(figure: Figure<T>) -> Result<T, String> {
    figure.exact().ok_or_else(|| match figure.bounds() {
        Some([low, high]) => format!("the engine knows it only within {low} and {high}"),
        None => "the engine does not give it".to_string(),
    })
}

fn no_context(quantity: &Quantity) -> String {
    match quantity {
        Quantity::Prevalence(_) | Quantity::Agreement(_) => "there is no sample to count".to_string(),
        _ => "there is no context to predict from: give a prompt, or bos = \"always\"".to_string(),
    }
}

fn logprob(answers: &Answers, prompt: usize, text: &str) -> Option<f64> {
    answers.scored(&Ask::Text { prompt, text: text.to_string() })?.sum()
}

fn perplexity(answers: &Answers, ask: &Ask) -> Option<f64> {
    answers.scored(ask)?.score.perplexity()
}

fn margin(
    questions: &Questions,
    answers: &Answers,
    index: usize,
    other: Option<usize>,
    reduction: Reduction,
) -> Option<f64> {
    let figure = |index: usize| choose::figure(questions, &questions.choices[index], answers, reduction);
    let other = match other {
        Some(other) => figure(other)?,
        None => (0..questions.choices.len())
            .filter(|other| *other != index)
            .filter_map(figure)
            .max_by(f64::total_cmp)?,
    };
    Some(figure(index)? - other)
}

fn delta(view: &Evidence, prompt: usize, (a, b): (&str, &str), text: Option<&str>) -> Result<f64, String> {
    let of = |model: &str| {
        let answers = view.models.get(model).ok_or_else(|| {
            let known: Vec<&str> = view.models.keys().map(String::as_str).collect();
            format!("model {model} is not part of this run (there is {}): give it with -m", known.join(", "))
        })?;
        let sum = match text {
            Some(text) => logprob(answers, prompt, text),
            None => {
                let gold = view.questions.gold.first().and_then(|gold| view.questions.choices.get(gold));
                gold.and_then(|choice| choose::figure(&view.questions, choice, answers, Reduction::Acc))
            }
        };
        sum.ok_or_else(|| format!("model {model} has no figure for it"))
    };
    Ok(of(a)? - of(b)?)
}

fn over(questions: &Questions, answers: &Answers, statistic: Statistic) -> Option<f64> {
    let summary = stats::Summary::of(&stats::target_probabilities(questions, answers))?;
    Some(match statistic {
        Statistic::Mean => summary.mean,
        Statistic::Lowest => summary.min,
        Statistic::Highest => summary.max,
        Statistic::Spread => summary.max - summary.min,
    })
}

fn difference(questions: &Questions, answers: &Answers) -> Option<f64> {
    let target = questions.target.as_deref()?;
    Some(logprob(answers, 0, target)? - logprob(answers, 1, target)?)
}

fn piece(questions: &Questions, answers: &Answers, index: usize) -> Option<f64> {
    let prompt = questions.pieces.get(index)?.prompt;
    answers.pieces(prompt)?.get(index)?.mean_surprisal()
}
