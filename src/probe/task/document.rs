//! Contexts and continuations of a task's rows, put together as the harness puts them.

use std::collections::HashMap;

use serde_json::{Map, Value as Json};

use super::config::{Config, TaskKind};
use super::data::Splits;
use super::fewshot::Shots;
use super::literal;
use super::templates::{FieldSource, TaskCompiler, TaskField, TaskTemplates};
use crate::continuation::Join;
use crate::jinja::python::is_space;
use crate::jinja::{Dialect, Jinja, from_json};
use crate::probe::dataset::DataRow;
use crate::probe::error::{InputError, meant};
use crate::probe::item::Item;
use crate::probe::question::{Choice, Gold, Prompt, Questions, Rolling};

/// A row's cells.
type Cells = Map<String, Json>;

/// A task's rows, ready to become items.
pub struct Documents<'a> {
    config: &'a Config,
    doc: TaskTemplates,
    shot: TaskTemplates,
    description: Option<TaskField>,
    splits: Splits,
    /// The choices are contexts, and every one has the same continuation.
    several_contexts: bool,
}

/// A question: text, or the number of the choice that takes its place.
enum TaskQuestion {
    Text(String),
    Number(i64),
}

impl<'a> Documents<'a> {
    /// Compiles a task's templates.
    ///
    /// # Errors
    /// A template that is none, or a field that the task lacks.
    pub fn new(config: &'a Config, splits: Splits) -> Result<Documents<'a>, InputError> {
        let jinja = Jinja::new(Dialect::Harness);
        let columns: Vec<String> = splits.eval.columns().into_iter().map(str::to_string).collect();
        let compiler = TaskCompiler { config, jinja: &jinja, columns: &columns };
        let (doc, shot) = (compiler.fields(&config.doc)?, compiler.fields(&config.shot)?);
        let description = compiler.field(config.description.as_ref(), "description")?;
        let missing = match config.kind {
            TaskKind::MultipleChoice if doc.choice.is_none() => Some("doc_to_choice"),
            _ if doc.target.is_none() => Some("doc_to_target"),
            TaskKind::MultipleChoice | TaskKind::Loglikelihood if doc.text.is_none() => Some("doc_to_text"),
            _ => None,
        };
        if let Some(key) = missing {
            return Err(InputError::new(config.path.display(), format!("the task needs {key}")));
        }
        let mut documents = Documents { config, doc, shot, description, splits, several_contexts: false };
        if config.kind == TaskKind::MultipleChoice
            && let Some(first) = documents.splits.eval.rows.first()
        {
            documents.several_contexts =
                matches!(documents.question(&documents.doc, first)?, TaskQuestion::Number(_));
        }
        Ok(documents)
    }

    /// The items of the first rows.
    ///
    /// # Errors
    /// The first row that the task does not fit.
    pub fn items(&self, limit: Option<usize>) -> Result<Vec<Item>, InputError> {
        let pool: Vec<DataRow> = match (&self.config.samples, &self.splits.shots) {
            (Some(samples), _) => samples
                .iter()
                .enumerate()
                .map(|(i, sample)| DataRow {
                    number: i + 1,
                    line: None,
                    cells: sample.as_object().cloned().unwrap_or_default(),
                })
                .collect(),
            (None, Some(shots)) => shots.rows.clone(),
            (None, None) => self.splits.eval.rows.clone(),
        };
        let mut shots = Shots::new(self.config, pool);
        let mut rendered = HashMap::new();
        let rows = self.splits.eval.rows.iter().take(limit.unwrap_or(usize::MAX));
        rows.enumerate()
            .map(|(index, row)| {
                let mut before = self.opening(row)?;
                for place in shots.draw(row).map_err(|reason| self.wrong(row, "num_fewshot", 0, &reason))? {
                    if let std::collections::hash_map::Entry::Vacant(e) = rendered.entry(place) {
                        e.insert(self.shot(shots.row(place))?);
                    }
                    before.push_str(&rendered[&place]);
                }
                let questions = self.questions(row, &before)?;
                Ok(super::item(self.config, index, questions))
            })
            .collect()
    }

    fn wrong(&self, row: &DataRow, key: &str, line: usize, reason: &str) -> InputError {
        let error =
            InputError::new(self.config.path.display(), format!("row {}: {key}: {reason}", row.number));
        if line > 0 { error.at_line(line) } else { error }
    }

    fn opening(&self, row: &DataRow) -> Result<String, InputError> {
        let Some(field) = &self.description else { return Ok(String::new()) };
        self.text_of(field, row)
    }

    /// A worked example with what follows it.
    fn shot(&self, row: &DataRow) -> Result<String, InputError> {
        let fields = &self.shot;
        let choices = fields.choice.as_ref().map(|field| self.list(field, row)).transpose()?;
        let target = self.value(required(&fields.target), row)?;
        let line = required(&fields.target).line;
        let wrong = |reason: &str| self.wrong(row, "doc_to_target", line, reason);
        let question = match self.question(fields, row)? {
            TaskQuestion::Text(text) => text,
            TaskQuestion::Number(number) => {
                let choice =
                    usize::try_from(number).ok().and_then(|number| choices.as_ref()?.get(number).cloned());
                choice.ok_or_else(|| wrong("the question's number is none of the choices"))?
            }
        };
        let answer = match (as_index(&target), &choices) {
            (Some(index), Some(choices)) if !self.several_contexts => {
                let index = if index < 0 { index + choices.len() as i64 } else { index };
                let found = usize::try_from(index).ok().and_then(|index| choices.get(index));
                found
                    .cloned()
                    .ok_or_else(|| wrong("the answer of a worked example is none of its choices"))?
            }
            _ => {
                let target = target.as_array().and_then(|items| items.first()).unwrap_or(&target);
                let text = target.as_str().ok_or_else(|| wrong(&not_text(target)))?;
                text.to_string()
            }
        };
        let prefix = self.prefix(fields, row)?;
        let mut text = turn(&fields.target_delimiter, &question, &prefix, Some(answer.as_str()));
        if !answer.is_empty() {
            text.push_str(&fields.fewshot_delimiter);
        }
        Ok(text)
    }

    fn prefix(&self, fields: &TaskTemplates, row: &DataRow) -> Result<String, InputError> {
        fields.gen_prefix.as_ref().map_or(Ok(String::new()), |field| self.text_of(field, row))
    }

    fn questions(&self, row: &DataRow, before: &str) -> Result<Questions, InputError> {
        match self.config.kind {
            TaskKind::Rolling => {
                let text = self.target_text(row)?;
                let words = words(&text);
                Ok(Questions { rolling: Some(Rolling { text, words }), ..Questions::default() })
            }
            TaskKind::Loglikelihood => {
                let context = format!("{before}{}", self.last_turn(row)?);
                let text = self.target_text(row)?;
                let choice = Choice { continuation: text.clone(), text, prompt: 0 };
                Ok(Questions {
                    prompts: vec![Prompt::Text(context)],
                    choices: vec![choice],
                    join: Join::Harness,
                    ..Questions::default()
                })
            }
            TaskKind::MultipleChoice => self.multiple_choice(row, before),
        }
    }

    fn last_turn(&self, row: &DataRow) -> Result<String, InputError> {
        let prefix = self.prefix(&self.doc, row)?;
        match self.question(&self.doc, row)? {
            TaskQuestion::Text(text) => Ok(turn(&self.doc.target_delimiter, &text, &prefix, None)),
            TaskQuestion::Number(number) => {
                let line = self.doc.text.as_ref().map_or(0, |field| field.line);
                Err(self.wrong(row, "doc_to_text", line, &format!("{number} is no text")))
            }
        }
    }

    fn multiple_choice(&self, row: &DataRow, before: &str) -> Result<Questions, InputError> {
        let field = required(&self.doc.choice);
        let texts = self.list(field, row)?;
        if texts.is_empty() {
            return Err(self.wrong(row, "doc_to_choice", field.line, "there is no choice"));
        }
        let delimiter = &self.doc.target_delimiter;
        let target = self.value(required(&self.doc.target), row)?;
        let (prompts, continuations, gold) = if self.several_contexts {
            let prefix = self.prefix(&self.doc, row)?;
            let prompts = texts.iter().map(|text| format!("{before}{}", turn("", text, &prefix, None)));
            let target = crate::jinja::python::str(&from_json(&target)).unwrap_or_default();
            let gold = match self.question(&self.doc, row)? {
                TaskQuestion::Number(number) => index_gold(number, texts.len()),
                TaskQuestion::Text(text) => text_gold(&text, &texts),
            };
            (prompts.collect(), vec![format!("{delimiter}{target}"); texts.len()], gold)
        } else {
            let context = format!("{before}{}", self.last_turn(row)?);
            let continuations = texts.iter().map(|text| format!("{delimiter}{text}")).collect();
            (vec![context], continuations, gold(&target, &texts))
        };
        let several = self.several_contexts;
        let choices = texts.into_iter().zip(continuations).enumerate();
        let choices = choices.map(|(i, (text, continuation))| Choice {
            text,
            continuation,
            prompt: if several { i } else { 0 },
        });
        Ok(Questions {
            prompts: prompts.into_iter().map(Prompt::Text).collect(),
            choices: choices.collect(),
            gold,
            join: Join::Harness,
            ..Questions::default()
        })
    }

    fn target_text(&self, row: &DataRow) -> Result<String, InputError> {
        self.text_of(required(&self.doc.target), row)
    }

    /// The question; digits are the number of a choice, where there are choices.
    fn question(&self, fields: &TaskTemplates, row: &DataRow) -> Result<TaskQuestion, InputError> {
        let Some(field) = &fields.text else { return Ok(TaskQuestion::Text(String::new())) };
        let value = self.raw(field, row)?;
        match (&value, &field.source) {
            (Json::String(text), FieldSource::Template(_)) if fields.choice.is_some() && is_digits(text) => {
                Ok(TaskQuestion::Number(text.parse().unwrap_or(i64::MAX)))
            }
            (Json::String(text), _) => Ok(TaskQuestion::Text(text.clone())),
            (other, _) => match as_index(other) {
                Some(number) => Ok(TaskQuestion::Number(number)),
                None => Err(self.wrong(row, field.key, field.line, &not_text(other))),
            },
        }
    }

    /// The answer: digits are an index where there are choices, `[…]` is a list if it reads as one.
    fn value(&self, field: &TaskField, row: &DataRow) -> Result<Json, InputError> {
        let value = self.raw(field, row)?;
        let (Json::String(text), FieldSource::Template(_)) = (&value, &field.source) else {
            return Ok(value);
        };
        if is_digits(text) && self.doc.choice.is_some() {
            return Ok(text.parse::<i64>().map_or(Json::Null, Json::from));
        }
        let list = text.len() >= 2 && text.starts_with('[') && text.ends_with(']');
        Ok(list.then(|| literal::parse(text)).flatten().unwrap_or(value))
    }

    /// The choices: a list, or what a template prints of one.
    fn list(&self, field: &TaskField, row: &DataRow) -> Result<Vec<String>, InputError> {
        let wrong = |reason: &str| self.wrong(row, field.key, field.line, reason);
        let value = match (self.raw(field, row)?, &field.source) {
            (Json::String(text), FieldSource::Template(_)) => literal::parse(&text).ok_or_else(|| {
                wrong(&format!("the template gives {}, which is no list", shortened(&text)))
            })?,
            (value, _) => value,
        };
        let items: Vec<Json> = match value {
            Json::Array(items) => items,
            Json::Object(map) => map.into_iter().map(|(_, value)| value).collect(),
            other => return Err(wrong(&format!("{} is no list", shortened(&other.to_string())))),
        };
        items
            .into_iter()
            .enumerate()
            .map(|(i, item)| match item {
                Json::String(text) => Ok(text),
                other => Err(wrong(&format!("choice {i}: {}", not_text(&other)))),
            })
            .collect()
    }

    fn text_of(&self, field: &TaskField, row: &DataRow) -> Result<String, InputError> {
        match self.raw(field, row)? {
            Json::String(text) => Ok(text),
            other => Err(self.wrong(row, field.key, field.line, &not_text(&other))),
        }
    }

    fn raw(&self, field: &TaskField, row: &DataRow) -> Result<Json, InputError> {
        match &field.source {
            FieldSource::Fixed(value) => Ok(value.clone()),
            FieldSource::Column(name) => Ok(row.cells.get(name).cloned().unwrap_or(Json::Null)),
            FieldSource::Template(template) => {
                let rendered = template.render(from_json(&Json::Object(row.cells.clone())));
                rendered.map(Json::String).map_err(|error| {
                    let reason =
                        missing(&template.variables(), &row.cells).unwrap_or_else(|| error.to_string());
                    self.wrong(row, field.key, field.line, &reason)
                })
            }
        }
    }
}

/// A field that [`Documents::new`] has found to be there.
fn required(field: &Option<TaskField>) -> &TaskField {
    static NOTHING: TaskField = TaskField { source: FieldSource::Fixed(Json::Null), key: "", line: 0 };
    field.as_ref().unwrap_or(&NOTHING)
}

/// TaskQuestion and answer as one text. The answer may begin with a given prefix; a delimiter stands between
/// two that have no white space there.
fn turn(delimiter: &str, question: &str, prefix: &str, answer: Option<&str>) -> String {
    let answer = answer.filter(|answer| !answer.is_empty());
    let delimited = match (answer, prefix) {
        (Some(_), "") => true,
        (_, "") => false,
        (_, prefix) => !question.is_empty() && !question.ends_with(is_space) && !prefix.starts_with(is_space),
    };
    let mut text = question.to_string();
    if delimited {
        text.push_str(delimiter);
    }
    text.push_str(prefix);
    if let Some(answer) = answer {
        if !prefix.is_empty() && !prefix.ends_with(is_space) && !answer.starts_with(is_space) {
            text.push(' ');
        }
        text.push_str(answer);
    }
    text
}

/// The right choice: an index, several, or a choice's text.
fn gold(target: &Json, texts: &[String]) -> Gold {
    match target {
        Json::Array(items) => {
            let indices: Option<Vec<usize>> = items
                .iter()
                .map(|item| usize::try_from(as_index(item)?).ok().filter(|index| *index < texts.len()))
                .collect();
            indices.map_or(Gold::Missing, Gold::Any)
        }
        Json::String(text) => text_gold(text, texts),
        other => as_index(other).map_or(Gold::Missing, |index| index_gold(index, texts.len())),
    }
}

fn index_gold(index: i64, len: usize) -> Gold {
    usize::try_from(index).ok().filter(|index| *index < len).map_or(Gold::Missing, Gold::One)
}

fn text_gold(text: &str, texts: &[String]) -> Gold {
    texts.iter().position(|other| other == text).map_or(Gold::Missing, Gold::One)
}

/// A whole number as Python takes it: truth values are 0 and 1.
fn as_index(value: &Json) -> Option<i64> {
    match value {
        Json::Bool(value) => Some(i64::from(*value)),
        Json::Number(number) => {
            number.as_i64().or_else(|| number.as_f64().filter(|x| x.fract() == 0.0).map(|x| x as i64))
        }
        _ => None,
    }
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Pieces of a split at runs of white space, empty ends counted.
fn words(text: &str) -> usize {
    let mut inside = false;
    let mut runs = 0;
    for c in text.chars() {
        runs += usize::from(is_space(c) && !inside);
        inside = is_space(c);
    }
    runs + 1
}

fn not_text(value: &Json) -> String {
    format!("{} is no text", shortened(&value.to_string()))
}

fn shortened(text: &str) -> String {
    let short: String = text.chars().take(60).collect();
    if short.len() < text.len() { format!("{short}…") } else { short }
}

/// The first variable of a template that is no column.
fn missing(wanted: &std::collections::BTreeSet<String>, cells: &Cells) -> Option<String> {
    let name = wanted.iter().find(|name| !cells.contains_key(*name))?;
    Some(format!("there is no column {name}; {}", meant(name, cells.keys().map(String::as_str))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_pieces_of_a_split_with_empty_ends() {
        // len(re.split(r"\s+", text)) in Python.
        for (text, count) in [("", 1), ("a", 1), ("a b", 2), (" a\n\tb ", 4), ("a\u{1c}b", 2), ("北 京", 2)]
        {
            assert_eq!(words(text), count, "{text:?}");
        }
    }

    #[test]
    fn an_answer_is_an_index_a_text_or_several() {
        let texts = ["a".to_string(), "b".to_string()];
        let gold = |json| gold(&json, &texts);
        assert_eq!(gold(1.into()), Gold::One(1));
        assert_eq!(gold(true.into()), Gold::One(1));
        assert_eq!(gold("b".into()), Gold::One(1));
        assert_eq!(gold(2.into()), Gold::Missing);
        assert_eq!(gold((-1).into()), Gold::Missing);
        assert_eq!(gold("c".into()), Gold::Missing);
        assert_eq!(gold(serde_json::json!([0, 1])), Gold::Any(vec![0, 1]));
        assert_eq!(gold(serde_json::json!([0, 7])), Gold::Missing);
    }
}
