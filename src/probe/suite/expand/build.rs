//! One item from a probe's templates and the variables of its case.

use std::collections::HashMap;
use std::sync::Arc;

use super::fields::{CaseScope, ProbeFields, TemplateField};
use crate::chat::Message;
use crate::continuation::Join;
use crate::jinja::{Value, pattern};
use crate::probe::error::InputError;
use crate::probe::expect::Expectation;
use crate::probe::item::Item;
use crate::probe::question::{Ask, Choice, Gold, Piece, Prompt, Questions, SampleSweep};
use crate::probe::suite::file::{Mode, SEED, SampleTable};
use crate::sampling;

/// Samples at each temperature.
const SAMPLES: usize = 16;
/// Most of them.
const MOST_SAMPLES: usize = 10_000;
/// Tokens of a sample.
const SAMPLE_TOKENS: usize = 32;

/// Builds the item of one case. There are several scopes only where parameters are phrasings.
pub struct ItemBuilder<'a> {
    /// The probe.
    pub fields: &'a ProbeFields<'a>,
    /// The variables; at least one.
    pub scopes: &'a [CaseScope<'a>],
}

impl ItemBuilder<'_> {
    fn scope(&self) -> &CaseScope<'_> {
        &self.scopes[0]
    }

    pub fn item(&self) -> Result<Item, InputError> {
        let scope = self.scope();
        let fields = self.fields;
        let choices = self.choices()?;
        let questions = Questions {
            prompts: self.prompts()?,
            compares: fields.versus.is_some(),
            gold: self.gold(&choices)?,
            choices: choices
                .into_iter()
                .map(|text| Choice { continuation: text.clone(), text, prompt: 0 })
                .collect(),
            join: Join::Joint,
            target: self.optional(fields.target.as_ref())?,
            tokens: self.texts(&fields.tokens)?,
            pieces: self.pieces()?,
            greedy: fields.probe.greedy,
            pattern: self.pattern()?,
            sampling: self.sampling()?,
            rolling: None,
        };
        let questions = Arc::new(questions);
        let mut asks = questions.asks();
        let expect = self.expectations(&questions)?;
        for expectation in &expect {
            asks.extend(expectation.asks().cloned());
        }
        if !expect.is_empty() {
            asks.extend((0..questions.phrasings()).map(|prompt| Ask::Next { prompt }));
        }
        let id = match &fields.id {
            Some(field) => scope.render(field)?,
            None => format!("row-{}", scope.row().unwrap_or_default()),
        };
        if id.trim().is_empty() {
            return Err(scope.error("id", "the id is empty"));
        }
        let probe = match &fields.id {
            Some(field) => field.text().to_string(),
            None => "row-{{ row }}".to_string(),
        };
        let difficulty = self.difficulty()?;
        Ok(Item { id, probe, questions, difficulty, expect, predictions: Vec::new(), asks })
    }

    fn difficulty(&self) -> Result<Option<f64>, InputError> {
        let Some(field) = &self.fields.difficulty else { return Ok(None) };
        let text = self.scope().render(field)?;
        let number = text.trim().parse().ok().filter(|number: &f64| number.is_finite());
        let wrong = || self.scope().error("difficulty", format!("{text:?} is no number: more is harder"));
        number.map(Some).ok_or_else(wrong)
    }

    fn expectations(&self, questions: &Arc<Questions>) -> Result<Vec<Expectation>, InputError> {
        let informational = match &self.fields.informational {
            Some(expression) => self.scope().holds(expression, "informational")?,
            None => false,
        };
        let mut variables = self.scope().variables.clone();
        if let Some(gold) = questions.gold.first() {
            variables.insert("answer".to_string(), Value::from(gold));
        }
        let bind = |(i, condition)| {
            Expectation::bind(condition, variables.clone(), questions)
                .map(|expectation| expectation.informational(informational))
                .map_err(|reason| self.scope().error(&format!("expect/{i}"), reason))
        };
        self.fields.expect.iter().enumerate().map(bind).collect()
    }

    /// A text that must not be empty.
    fn text(&self, field: &TemplateField) -> Result<String, InputError> {
        let text = self.scope().render(field)?;
        if text.is_empty() {
            return Err(self.scope().error(field.way(), "the text is empty"));
        }
        Ok(text)
    }

    fn optional(&self, field: Option<&TemplateField>) -> Result<Option<String>, InputError> {
        field.map(|field| self.text(field)).transpose()
    }

    fn texts(&self, fields: &[TemplateField]) -> Result<Vec<String>, InputError> {
        fields.iter().map(|field| self.text(field)).collect()
    }

    fn prompts(&self) -> Result<Vec<Prompt>, InputError> {
        let fields = self.fields;
        let mut prompts = Vec::new();
        for scope in self.scopes {
            if fields.prompts.is_empty() {
                prompts.push(self.prompt(scope, None)?);
            }
            for field in fields.prompts.iter().chain(&fields.versus) {
                prompts.push(self.prompt(scope, Some(field))?);
            }
        }
        Ok(prompts)
    }

    fn prompt(&self, scope: &CaseScope, field: Option<&TemplateField>) -> Result<Prompt, InputError> {
        let fields = self.fields;
        let text = field.map_or(Ok(String::new()), |field| scope.render(field))?;
        if fields.mode == Mode::Completion {
            let preamble = fields.preamble.as_ref().map_or(Ok(String::new()), |field| scope.render(field))?;
            return Ok(Prompt::Text(preamble + &text));
        }
        let mut messages = Vec::new();
        if let Some(system) = &fields.system {
            messages.push(Message::system(scope.render(system)?));
        }
        for (message, content) in &fields.messages {
            messages.push(Message::new(message.role.into(), scope.render(content)?));
        }
        if field.is_some() {
            messages.push(Message::user(text));
        }
        Ok(Prompt::Chat(messages))
    }

    fn choices(&self) -> Result<Vec<String>, InputError> {
        let scope = self.scope();
        let choices = match &self.fields.choice_list {
            Some(expression) => scope.texts(expression, "choices")?,
            None => self.fields.choices.iter().map(|field| scope.render(field)).collect::<Result<_, _>>()?,
        };
        let asked = self.fields.probe.choices.is_some();
        if asked && choices.len() < 2 {
            let reason = format!("there must be two or more choices, and there are {}", choices.len());
            return Err(scope.error("choices", reason));
        }
        let mut seen = HashMap::new();
        for (i, choice) in choices.iter().enumerate() {
            if choice.is_empty() {
                return Err(scope.error(&format!("choices/{i}"), format!("choice {i} is empty")));
            }
            if let Some(other) = seen.insert(choice, i) {
                let reason = format!("choices {other} and {i} are the same text: {choice:?}");
                return Err(scope.error(&format!("choices/{i}"), reason));
            }
        }
        Ok(choices)
    }

    /// The right choice: an index, or the text of one.
    fn gold(&self, choices: &[String]) -> Result<Gold, InputError> {
        let Some(field) = &self.fields.answer else { return Ok(Gold::None) };
        let scope = self.scope();
        let answer = scope.render(field)?;
        let by_index = answer.trim().parse::<i64>();
        let index = by_index.as_ref().ok().and_then(|index| usize::try_from(*index).ok());
        let by_text = || choices.iter().position(|choice| *choice == answer);
        match index.filter(|index| *index < choices.len()).or_else(by_text) {
            Some(index) => Ok(Gold::One(index)),
            None if by_index.is_ok() => Err(scope.error(
                "answer",
                format!(
                    "the answer is {}, and there are {} choices, counted from 0",
                    answer.trim(),
                    choices.len()
                ),
            )),
            None => Err(scope.error("answer", format!("the answer {answer:?} is none of the choices"))),
        }
    }

    fn pieces(&self) -> Result<Vec<Piece>, InputError> {
        let texts = self.texts(&self.fields.steps)?;
        let named = texts.into_iter().enumerate();
        Ok(named.map(|(i, text)| Piece { name: i.to_string(), text, prompt: 0 }).collect())
    }

    fn pattern(&self) -> Result<Option<String>, InputError> {
        let Some(wanted) = self.optional(self.fields.pattern.as_ref())? else { return Ok(None) };
        match pattern::compile(&wanted) {
            Ok(_) => Ok(Some(wanted)),
            Err(reason) => Err(self.scope().error("pattern", reason)),
        }
    }

    fn sampling(&self) -> Result<Option<SampleSweep>, InputError> {
        let Some(own) = &self.fields.probe.sample else { return Ok(None) };
        let suites = self.fields.table.sample.clone().unwrap_or_default();
        let wrong = |reason: &str| Err(self.scope().error("sample", reason));
        let n = own.n.or(suites.n).unwrap_or(SAMPLES);
        if !(1..=MOST_SAMPLES).contains(&n) {
            return wrong("n must be from 1 to 10000");
        }
        let temperatures =
            own.temperatures.clone().or(suites.temperatures.clone()).unwrap_or_else(|| vec![1.0]);
        if temperatures.is_empty() || temperatures.iter().any(|t| !(0.0..=100.0).contains(t)) {
            return wrong("temperatures must be numbers from 0 to 100, and at least one");
        }
        let max_tokens = own.max_tokens.or(suites.max_tokens).unwrap_or(SAMPLE_TOKENS);
        if max_tokens == 0 {
            return wrong("max_tokens must be at least 1");
        }
        match chain(own, &suites) {
            Ok(chain) => Ok(Some(SampleSweep { n, temperatures, max_tokens, chain })),
            Err(reason) => wrong(reason),
        }
    }
}

fn chain(own: &SampleTable, suites: &SampleTable) -> Result<sampling::Sampling, &'static str> {
    let raw = sampling::Sampling::default();
    let chain = sampling::Sampling {
        top_k: own.top_k.or(suites.top_k).unwrap_or(raw.top_k),
        top_p: own.top_p.or(suites.top_p).unwrap_or(raw.top_p),
        min_p: own.min_p.or(suites.min_p).unwrap_or(raw.min_p),
        seed: own.seed.or(suites.seed).unwrap_or(SEED),
        ..raw
    };
    match () {
        () if !(chain.top_p > 0.0 && chain.top_p <= 1.0) => Err("top_p must be above 0 and at most 1"),
        () if !(0.0..=1.0).contains(&chain.min_p) => Err("min_p must be from 0 to 1"),
        () => Ok(chain),
    }
}
