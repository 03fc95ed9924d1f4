//! A probe's templates, compiled once, and the variables of one case to fill them with.

use std::sync::Arc;

use indexmap::IndexMap;

use crate::jinja::{Expression, Jinja, Template, TemplateError, Value, from_json};
use crate::probe::dataset::{DataRow, Dataset};
use crate::probe::error::{InputError, meant};
use crate::probe::expect::Condition;
use crate::probe::suite::file::{MessageTable, Mode, Probe, SuiteTable};
use crate::probe::suite::forms::{Choices, Prompts};
use crate::probe::suite::place::Document;

/// The number of a row, as a variable.
const ROW: &str = "row";

/// A template and the way to it in the file.
pub struct TemplateField {
    template: Template,
    way: String,
}

/// The templates of a probe.
pub struct ProbeFields<'a> {
    /// The probe itself.
    pub probe: &'a Probe,
    /// The suite it is part of.
    pub table: &'a SuiteTable,
    /// Its mode, or the suite's.
    pub mode: Mode,
    /// The prompt, or one question's phrasings.
    pub prompts: Vec<TemplateField>,
    /// A conversation.
    pub messages: Vec<(&'a MessageTable, TemplateField)>,
    /// Its own or the suite's, where the mode has one.
    pub system: Option<TemplateField>,
    /// Its own or the suite's, where the mode has one.
    pub preamble: Option<TemplateField>,
    /// The prompt compared with.
    pub versus: Option<TemplateField>,
    /// Continuations, one template each.
    pub choices: Vec<TemplateField>,
    /// Continuations that one expression gives.
    pub choice_list: Option<Expression>,
    /// The right choice.
    pub answer: Option<TemplateField>,
    /// The looked-at continuation.
    pub target: Option<TemplateField>,
    /// Named texts.
    pub tokens: Vec<TemplateField>,
    /// Pieces of a text.
    pub steps: Vec<TemplateField>,
    /// What a continuation should match.
    pub pattern: Option<TemplateField>,
    pub id: Option<TemplateField>,
    /// How hard the question is.
    pub difficulty: Option<TemplateField>,
    /// What must hold.
    pub expect: Vec<Arc<Condition>>,
    /// Of which cases nothing must.
    pub informational: Option<Expression>,
}

/// Compiles the templates of one probe.
pub struct FieldCompiler<'a> {
    pub jinja: &'a Jinja,
    pub document: &'a Document<'a>,
    pub way: &'a str,
}

impl<'a> ProbeFields<'a> {
    /// Compiles every template; fails on what does not fit together.
    pub fn compile(
        probe: &'a Probe,
        table: &'a SuiteTable,
        compiler: &FieldCompiler,
    ) -> Result<ProbeFields<'a>, InputError> {
        let mode = probe.mode.unwrap_or(table.mode);
        compiler.check(probe, table, mode)?;
        let chat = mode == Mode::Chat;
        let messages = probe.messages.iter().enumerate().map(|(i, message)| {
            let field = compiler.field(&message.content, "messages", Some(i))?;
            Ok((message, field))
        });
        let prompts = match &probe.prompt {
            None => Vec::new(),
            Some(Prompts::One(text)) => vec![compiler.field(text, "prompt", None)?],
            Some(Prompts::Several(texts)) => compiler.list(texts, "prompt")?,
        };
        let (choices, choice_list) = match &probe.choices {
            None => (Vec::new(), None),
            Some(Choices::List(texts)) => (compiler.list(texts, "choices")?, None),
            Some(Choices::Template(text)) => (Vec::new(), Some(compiler.expression(text)?)),
        };
        let inherited =
            |own: &Option<String>, suites: &Option<String>| own.clone().or_else(|| suites.clone());
        let system = inherited(&probe.system, &table.system).filter(|_| chat);
        let preamble = inherited(&probe.preamble, &table.preamble).filter(|_| !chat);
        let expect = compiler.expectations(probe)?;
        Ok(ProbeFields {
            mode,
            messages: messages.collect::<Result<_, InputError>>()?,
            prompts,
            system: compiler.optional(system.as_ref(), "system")?,
            preamble: compiler.optional(preamble.as_ref(), "preamble")?,
            versus: compiler.optional(probe.versus.as_ref(), "versus")?,
            choices,
            choice_list,
            answer: compiler
                .optional(probe.answer.as_ref().map(|answer| answer.template()).as_ref(), "answer")?,
            target: compiler.optional(probe.target.as_ref(), "target")?,
            tokens: compiler.list(&probe.tokens, "tokens")?,
            steps: compiler.list(&probe.steps, "steps")?,
            pattern: compiler.optional(probe.pattern.as_ref(), "pattern")?,
            id: compiler.optional(probe.id.as_ref(), "id")?,
            difficulty: compiler.optional(probe.difficulty.as_ref(), "difficulty")?,
            expect,
            informational: compiler.informational(probe)?,
            probe,
            table,
        })
    }
}

impl FieldCompiler<'_> {
    fn at(&self, key: &'static str, index: Option<usize>, reason: impl std::fmt::Display) -> InputError {
        self.document.at(&format!("{}/{}", self.way, pointer(key, index)), reason)
    }

    fn field(
        &self,
        text: &str,
        key: &'static str,
        index: Option<usize>,
    ) -> Result<TemplateField, InputError> {
        let template =
            self.jinja.template(key, text).map_err(|error| self.at(key, index, template_error(&error)))?;
        Ok(TemplateField { template, way: pointer(key, index) })
    }

    fn optional(
        &self,
        text: Option<&String>,
        key: &'static str,
    ) -> Result<Option<TemplateField>, InputError> {
        text.map(|text| self.field(text, key, None)).transpose()
    }

    fn list(&self, texts: &[String], key: &'static str) -> Result<Vec<TemplateField>, InputError> {
        texts.iter().enumerate().map(|(i, text)| self.field(text, key, Some(i))).collect()
    }

    fn expression(&self, text: &str) -> Result<Expression, InputError> {
        lone_expression(self.jinja, "choices", text).map_err(|reason| self.at("choices", None, reason))
    }

    /// What was written, or what goes without saying.
    fn expectations(&self, probe: &Probe) -> Result<Vec<Arc<Condition>>, InputError> {
        let mut texts: Vec<&str> = probe.expect.iter().map(String::as_str).collect();
        if texts.is_empty() && probe.file.is_none() {
            texts.extend(probe.answer.is_some().then_some("best() == answer"));
            texts.extend(
                (probe.greedy.is_some() && probe.pattern.is_some()).then_some("matches(greedy(), pattern())"),
            );
        }
        let compile = |(i, text): (usize, &str)| {
            Condition::new(self.jinja, text)
                .map(Arc::new)
                .map_err(|reason| self.at("expect", Some(i), reason))
        };
        texts.into_iter().enumerate().map(compile).collect()
    }

    fn informational(&self, probe: &Probe) -> Result<Option<Expression>, InputError> {
        let Some(flag) = &probe.informational else { return Ok(None) };
        self.jinja
            .expression("expression", flag.expression())
            .map(Some)
            .map_err(|error| self.at("informational", None, template_error(&error)))
    }

    /// ProbeFields that need or exclude each other.
    fn check(&self, probe: &Probe, table: &SuiteTable, mode: Mode) -> Result<(), InputError> {
        let chat = mode == Mode::Chat;
        let several =
            matches!(&probe.prompt, Some(Prompts::Several(texts)) if texts.len() != 1) || probe.vary;
        let asks = probe.choices.is_some()
            || probe.target.is_some()
            || !(probe.tokens.is_empty() && probe.steps.is_empty() && probe.expect.is_empty())
            || probe.greedy.is_some()
            || probe.sample.is_some();
        let rules = [
            (!chat && !probe.messages.is_empty(), "messages", "messages need mode = \"chat\""),
            (!chat && probe.system.is_some(), "system", "a system prompt needs mode = \"chat\""),
            (
                chat && probe.preamble.is_some(),
                "preamble",
                "a preamble is for mode = \"completion\"; in a chat give messages",
            ),
            (
                chat && probe.prompt.is_none() && probe.messages.is_empty(),
                "id",
                "a chat probe needs a prompt or messages",
            ),
            (
                probe.prompt.is_some() && !probe.messages.is_empty(),
                "messages",
                "give a prompt or messages, not both",
            ),
            (
                !asks,
                "id",
                "the probe asks nothing: give it choices, a target, tokens, steps, greedy, sample or expect",
            ),
            (probe.answer.is_some() && probe.choices.is_none(), "answer", "an answer needs choices"),
            (probe.vary && probe.params.is_empty(), "vary", "vary needs params"),
            (several && probe.target.is_none(), "prompt", "one question in several phrasings needs a target"),
            (
                several && probe.choices.is_some(),
                "choices",
                "one question in several phrasings takes a target, not choices",
            ),
            (
                several && probe.versus.is_some(),
                "versus",
                "versus compares two prompts, not several phrasings",
            ),
            (
                several && !(probe.tokens.is_empty() && probe.steps.is_empty()),
                "prompt",
                "one question in several phrasings takes a target, not tokens or steps",
            ),
            (
                several && (probe.greedy.is_some() || probe.sample.is_some()),
                "prompt",
                "one question in several phrasings takes a target; it does not generate",
            ),
            (probe.versus.is_some() && probe.target.is_none(), "versus", "versus needs a target to compare"),
            (probe.limit.is_some() && probe.file.is_none(), "limit", "limit needs a file"),
            (probe.limit == Some(0), "limit", "limit must be at least 1"),
            (
                probe.greedy.is_some_and(|n| !(1..=1024).contains(&n)),
                "greedy",
                "greedy must be from 1 to 1024 tokens",
            ),
            (probe.id.is_none() && probe.file.is_none(), "id", "every probe needs an id"),
        ];
        if let Some((_, key, reason)) = rules.into_iter().find(|(broken, _, _)| *broken) {
            return Err(self.at(key, None, reason));
        }
        if probe.messages.is_empty() && chat && table.preamble.is_some() {
            return Err(self
                .document
                .at("suite/preamble", "a preamble is for mode = \"completion\"; in a chat give messages"));
        }
        Ok(())
    }
}

/// A field, or an entry of it, as a pointer.
fn pointer(key: &str, index: Option<usize>) -> String {
    index.map_or(key.to_string(), |index| format!("{key}/{index}"))
}

/// The expression of a template that is nothing but `{{ expression }}`.
pub fn lone_expression(jinja: &Jinja, name: &str, text: &str) -> Result<Expression, String> {
    let inside = text.trim().strip_prefix("{{").and_then(|text| text.strip_suffix("}}"));
    let Some(inside) = inside.filter(|inside| !inside.contains("{{") && !inside.contains("{%")) else {
        return Err("write a list, or one template that gives a list, as in \"{{ endings }}\"".to_string());
    };
    jinja.expression(name, inside).map_err(|error| template_error(&error))
}

/// A template's error without its name, which the place in the file says.
fn template_error(error: &TemplateError) -> String {
    error
        .to_string()
        .strip_prefix(&error.name)
        .map_or_else(|| error.to_string(), |rest| rest.trim_start_matches([',', ':', ' ']).to_string())
}

/// The variables of one case.
pub struct CaseScope<'a> {
    /// Parameters, the row's cells and its number.
    pub variables: IndexMap<String, Value>,
    row: Option<&'a DataRow>,
    file: String,
    document: &'a Document<'a>,
    way: &'a str,
}

impl<'a> CaseScope<'a> {
    /// The variables of a row and a combination of parameters, which win.
    pub fn new(
        row: Option<&'a DataRow>,
        data: Option<&Dataset>,
        combination: IndexMap<String, Value>,
        document: &'a Document<'a>,
        way: &'a str,
    ) -> CaseScope<'a> {
        let mut variables = IndexMap::new();
        if let Some(row) = row {
            variables.insert(ROW.to_string(), Value::from(row.number));
            variables.extend(row.cells.iter().map(|(name, cell)| (name.clone(), from_json(cell))));
        }
        variables.extend(combination);
        let file = data.map(|data| data.path.display().to_string()).unwrap_or_default();
        CaseScope { variables, row, file, document, way }
    }

    /// The row, for people.
    pub fn place(&self) -> String {
        self.row.map(|row| format!("row {} of {}", row.number, self.file)).unwrap_or_default()
    }

    /// The row's number, where there is one.
    pub fn row(&self) -> Option<usize> {
        self.row.map(|row| row.number)
    }

    /// An error at a field, with the row.
    pub fn error(&self, way: &str, reason: impl std::fmt::Display) -> InputError {
        let place = self.place();
        let separator = if place.is_empty() { "" } else { ": " };
        self.document.at(&format!("{}/{way}", self.way), format!("{place}{separator}{reason}"))
    }

    /// Fills a template.
    pub fn render(&self, field: &TemplateField) -> Result<String, InputError> {
        let outcome = field.template.render(self.values());
        outcome.map_err(|error| {
            let wanted = field.template.variables();
            let reason = self.missing(&wanted).or_else(|| self.empty(&wanted));
            let reason = reason.unwrap_or_else(|| template_error(&error));
            self.error(&field.way, reason)
        })
    }

    /// Evaluates an expression that is true or false.
    pub fn holds(&self, expression: &Expression, key: &'static str) -> Result<bool, InputError> {
        let failed = |reason: String| self.error(key, reason);
        let value = expression.eval(self.values()).map_err(|error| {
            failed(self.missing(&expression.variables()).unwrap_or_else(|| template_error(&error)))
        })?;
        bool::try_from(value)
            .map_err(|_| failed(format!("`{}` is neither true nor false", expression.text().trim())))
    }

    /// Evaluates an expression that gives a list of texts.
    pub fn texts(&self, expression: &Expression, key: &'static str) -> Result<Vec<String>, InputError> {
        let failed = |reason: String| self.error(key, reason);
        let value = expression.eval(self.values()).map_err(|error| {
            failed(self.missing(&expression.variables()).unwrap_or_else(|| template_error(&error)))
        })?;
        if value.as_str().is_some() {
            return Err(failed(format!("`{}` is a text, not a list", expression.text().trim())));
        }
        let items =
            value.try_iter().map_err(|_| failed(format!("`{}` is no list", expression.text().trim())))?;
        items
            .map(|item| crate::jinja::python::str(&item).map_err(|error| failed(error.to_string())))
            .collect()
    }

    fn values(&self) -> Value {
        Value::from_pairs(self.variables.iter().map(|(name, value)| (name.as_str(), value.clone())))
    }

    /// The first variable that a template wants and this case has not.
    fn missing(&self, wanted: &std::collections::BTreeSet<String>) -> Option<String> {
        let name = wanted.iter().find(|name| !self.variables.contains_key(*name))?;
        let what = if self.row.is_some() { "column or parameter" } else { "parameter" };
        if self.variables.is_empty() {
            return Some(format!("there is no variable {name}: the probe has neither params nor a file"));
        }
        Some(format!("there is no {what} {name}; {}", meant(name, self.variables.keys().map(String::as_str))))
    }

    /// The first variable that a template wants and that has no value.
    fn empty(&self, wanted: &std::collections::BTreeSet<String>) -> Option<String> {
        let name = wanted.iter().find(|name| self.variables.get(*name).is_some_and(Value::is_none))?;
        Some(format!("{name} has no value here; a default is written {{{{ {name} or '…' }}}}"))
    }
}

impl TemplateField {
    /// The way to it from its probe.
    pub fn way(&self) -> &str {
        &self.way
    }

    /// As written.
    pub fn text(&self) -> &str {
        self.template.text()
    }
}
