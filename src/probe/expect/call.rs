//! The functions of expectations as they are called: their names, and what each one takes and needs.

use minijinja::{Error, Value};

use super::quantity::{Quantity, Statistic, UNKNOWN};
use crate::continuation::reduction::Reduction;
use crate::jinja::arguments::Arguments;
use crate::jinja::python::invalid;
use crate::probe::question::Questions;

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

/// Longest greedy continuation an expectation may ask for.
const LONGEST: i64 = 1024;

impl Quantity {
    /// Reads the arguments of a call and checks them against what the item has.
    pub fn read(name: &'static str, values: Vec<Value>, questions: &Questions) -> Result<Quantity, Error> {
        let mut reader = CallReader { name, args: Arguments::new(name, values), questions };
        let quantity = reader.quantity()?;
        reader.args.finish()?;
        Ok(quantity)
    }
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
        let number = self.args.optional_number(argument)?;
        number.ok_or_else(|| invalid(format!("{}() needs the number of a {argument}", self.name)))
    }

    fn context(&mut self) -> Result<Quantity, Error> {
        match self.args.optional_number("n")? {
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
        match (self.args.optional_number("n")?, self.questions.greedy) {
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
        let number = self.args.optional_number(argument)?;
        number.map(|number| self.index(number, self.questions.choices.len(), "choice")).transpose()
    }

    fn piece(&mut self) -> Result<Quantity, Error> {
        let number = self.args.optional_number("i")?;
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
