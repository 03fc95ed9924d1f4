//! The functions of expectations: what each one takes, needs and gives.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::{Error, ErrorKind, Value};

use crate::continuation::reduction::Reduction;
use crate::jinja::arguments::Arguments;
use crate::probe::answer::{Answers, Looked, Scored};
use crate::probe::choose;
use crate::probe::plan::looks::{counted, no_layer};
use crate::probe::question::{Ask, Questions};
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

/// Their names.
pub const FUNCTIONS: [&str; 24] = [
    "p",
    "logprob",
    "rank",
    "entropy",
    "greedy",
    "best",
    "score",
    "margin",
    "ppl",
    "delta",
    "mean",
    "spread",
    "lowest",
    "highest",
    "difference",
    "prevalence",
    "agreement",
    "surprisal",
    "peak",
    "pattern",
    "context",
    "occlusion",
    "lens_rank",
    "recovered",
];

/// Marks a text that only the model can tell.
const UNKNOWN: char = '\u{F8FF}';
/// Longest greedy continuation an expectation may ask for.
const LONGEST: i64 = 1024;

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
    /// A number.
    Number(f64),
    /// An index, rank or count.
    Whole(i64),
    /// Text.
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

fn invalid(reason: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, reason)
}

impl Quantity {
    /// Reads the arguments of a call and checks them against what the item has.
    pub fn read(name: &'static str, values: Vec<Value>, questions: &Questions) -> Result<Quantity, Error> {
        let mut reader = CallReader { name, args: Arguments::new(name, values), questions };
        let quantity = reader.quantity()?;
        reader.args.finish()?;
        Ok(quantity)
    }

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

/// Arguments of one call, on their way to a quantity.
struct CallReader<'a> {
    name: &'static str,
    args: Arguments<'a>,
    questions: &'a Questions,
}

impl CallReader<'_> {
    fn quantity(&mut self) -> Result<Quantity, Error> {
        match self.name {
            "p" => Ok(Quantity::P(self.text()?)),
            "logprob" => Ok(Quantity::Logprob(self.text()?)),
            "rank" => Ok(Quantity::Rank(self.text()?)),
            "entropy" => Ok(Quantity::Entropy),
            "greedy" => self.greedy(),
            "best" => {
                self.needs(!self.questions.choices.is_empty(), "choices")?;
                Ok(Quantity::Best(self.reduction()?))
            }
            "score" => Ok(Quantity::Score(self.choice("i")?, self.reduction()?)),
            "margin" => {
                Ok(Quantity::Margin(self.choice("i")?, self.optional_choice("j")?, self.reduction()?))
            }
            "ppl" => Ok(Quantity::Ppl(self.optional_choice("i")?)),
            "delta" => self.delta(),
            "mean" | "lowest" | "highest" | "spread" => {
                self.needs(self.questions.target.is_some(), "target")?;
                Ok(Quantity::Over(match self.name {
                    "mean" => Statistic::Mean,
                    "lowest" => Statistic::Lowest,
                    "highest" => Statistic::Highest,
                    _ => Statistic::Spread,
                }))
            }
            "difference" => {
                self.needs(self.questions.compares, "versus")?;
                Ok(Quantity::Difference)
            }
            "prevalence" => {
                self.needs(self.questions.pattern.is_some(), "pattern")?;
                Ok(Quantity::Prevalence(self.temperature()?))
            }
            "agreement" => Ok(Quantity::Agreement(self.temperature()?)),
            "surprisal" => self.piece(),
            "peak" => {
                self.needs(!self.questions.pieces.is_empty(), "steps")?;
                Ok(Quantity::Peak)
            }
            "pattern" => {
                self.needs(self.questions.pattern.is_some(), "pattern")?;
                Ok(Quantity::Pattern)
            }
            "context" => self.context(),
            "occlusion" => Ok(Quantity::Occlusion(self.words()?, self.asked_about()?)),
            "lens_rank" => Ok(Quantity::LensRank(self.text()?, self.whole("layer")?)),
            _ => {
                self.needs(self.questions.compares, "versus")?;
                let (layer, position) = (self.whole("layer")?, self.whole("position")?);
                Ok(Quantity::Recovered(layer, position, self.questions.target.clone().unwrap_or_default()))
            }
        }
    }

    fn needs(&self, there: bool, key: &str) -> Result<(), Error> {
        if there {
            return Ok(());
        }
        Err(invalid(format!("{}() needs the probe to have `{key}`", self.name)))
    }

    fn text(&mut self) -> Result<String, Error> {
        let text = self.args.text("text")?;
        if text.is_empty() {
            return Err(invalid(format!("{}: the text is empty", self.name)));
        }
        if text.contains(UNKNOWN) {
            return Err(invalid(format!("{}: the text must be known before the model runs", self.name)));
        }
        Ok(text)
    }

    fn whole(&mut self, argument: &str) -> Result<i64, Error> {
        let number = self.args.optional_int(argument)?;
        number.ok_or_else(|| invalid(format!("{}() needs the number of a {argument}", self.name)))
    }

    fn context(&mut self) -> Result<Quantity, Error> {
        match self.args.optional_int("n")? {
            Some(n) if n > 0 => Ok(Quantity::Context(n as usize, self.asked_about()?)),
            Some(n) => Err(invalid(format!("context({n}): from 1 token on can be asked for"))),
            None => Err(invalid("context(n) needs a number of tokens, as in context(8)".to_string())),
        }
    }

    /// Words that every prompt has.
    fn words(&mut self) -> Result<String, Error> {
        let words = self.text()?;
        let prompts = &self.questions.prompts[..self.questions.phrasings()];
        match prompts.iter().find(|prompt| !prompt.holds(words.trim())) {
            None => Ok(words),
            Some(prompt) => {
                Err(invalid(format!("{}: the prompt {:?} does not hold {words:?}", self.name, prompt.text())))
            }
        }
    }

    /// The text that is given, or the target, or the right choice.
    fn asked_about(&mut self) -> Result<String, Error> {
        let questions = self.questions;
        if let Some(text) = self.args.optional_text("text")? {
            return match text.is_empty() || text.contains(UNKNOWN) {
                true => Err(invalid(format!("{}: the text must be known and not empty", self.name))),
                false => Ok(text),
            };
        }
        let right = questions.gold.first().and_then(|gold| questions.choices.get(gold));
        let known = questions.target.as_ref().or(right.map(|choice| &choice.continuation));
        known.cloned().ok_or_else(|| {
            invalid(format!("{}() needs a text, or the probe a `target` or an `answer`", self.name))
        })
    }

    fn greedy(&mut self) -> Result<Quantity, Error> {
        match (self.args.optional_int("n")?, self.questions.greedy) {
            (Some(n), _) if (1..=LONGEST).contains(&n) => Ok(Quantity::Greedy(n as usize)),
            (None, Some(n)) => Ok(Quantity::Greedy(n)),
            (None, None) => Err(invalid("greedy(n) needs a number of tokens, as in greedy(8)".to_string())),
            (Some(n), _) => Err(invalid(format!("greedy({n}): from 1 to {LONGEST} tokens can be asked for"))),
        }
    }

    fn delta(&mut self) -> Result<Quantity, Error> {
        let (a, b) = (self.args.text("model_a")?, self.args.text("model_b")?);
        let text = self.args.optional_text("text")?;
        self.needs(text.is_some() || self.questions.gold.first().is_some(), "answer")?;
        Ok(Quantity::Delta(a, b, text))
    }

    fn reduction(&mut self) -> Result<Reduction, Error> {
        let Some(name) = self.args.optional_text("reduction")? else { return Ok(Reduction::Acc) };
        Reduction::named(&name).ok_or_else(|| {
            let names = Reduction::ALL.map(Reduction::name);
            invalid(format!("there is no reduction {name}; {}", crate::probe::error::meant(&name, names)))
        })
    }

    fn choice(&mut self, argument: &str) -> Result<usize, Error> {
        match self.optional_choice(argument)? {
            Some(index) => Ok(index),
            None => match self.questions.gold.first() {
                Some(gold) if gold < self.questions.choices.len() => Ok(gold),
                _ => Err(invalid(format!(
                    "{}() needs the number of a choice, or the probe an `answer`",
                    self.name
                ))),
            },
        }
    }

    fn optional_choice(&mut self, argument: &str) -> Result<Option<usize>, Error> {
        let number = self.args.optional_int(argument)?;
        number.map(|number| self.index(number, self.questions.choices.len(), "choice")).transpose()
    }

    fn piece(&mut self) -> Result<Quantity, Error> {
        let number = self.args.optional_int("i")?;
        let number = number.ok_or_else(|| invalid("surprisal(i) needs the number of a step".to_string()))?;
        Ok(Quantity::Surprisal(self.index(number, self.questions.pieces.len(), "step")?))
    }

    fn index(&self, number: i64, len: usize, what: &str) -> Result<usize, Error> {
        match usize::try_from(number) {
            Ok(index) if index < len => Ok(index),
            _ => Err(invalid(format!(
                "{}: there is no {what} {number}; the probe has {len}, counted from 0",
                self.name
            ))),
        }
    }

    fn temperature(&mut self) -> Result<Option<usize>, Error> {
        let temperature = self.args.optional("temperature")?.filter(|value| !value.is_none());
        let sampling = self.questions.sampling.as_ref();
        self.needs(sampling.is_some(), "sample")?;
        let (Some(value), Some(sampling)) = (temperature, sampling) else { return Ok(None) };
        let wanted = f64::try_from(value.clone()).unwrap_or(f64::NAN) as f32;
        let found = sampling.temperatures.iter().position(|temperature| *temperature == wanted);
        found.map(Some).ok_or_else(|| {
            let known: Vec<String> = sampling.temperatures.iter().map(f32::to_string).collect();
            invalid(format!(
                "{}: no samples at temperature {value}; there is {}",
                self.name,
                known.join(", ")
            ))
        })
    }
}
