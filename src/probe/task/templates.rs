//! A task's fields, compiled: columns, templates, and what is the same for every row.

use serde_json::Value as Json;

use super::config::{Config, TaskFields};
use super::yaml::{Yaml, YamlNode};
use crate::jinja::{Jinja, Template};
use crate::probe::error::InputError;

/// What makes a value of a row.
pub(super) enum FieldSource {
    Column(String),
    Template(Box<Template>),
    /// The same for every row.
    Fixed(Json),
}

/// One of a task's fields.
pub(super) struct TaskField {
    pub source: FieldSource,
    pub key: &'static str,
    pub line: usize,
}

/// What makes the texts of a row.
pub(super) type TaskTemplates = TaskFields<TaskField>;

/// Compiles fields for rows with these columns.
pub(super) struct TaskCompiler<'a> {
    pub config: &'a Config,
    pub jinja: &'a Jinja,
    pub columns: &'a [String],
}

impl TaskCompiler<'_> {
    pub fn fields(&self, fields: &TaskFields<YamlNode>) -> Result<TaskTemplates, InputError> {
        Ok(TaskTemplates {
            text: self.field(fields.text.as_ref(), "doc_to_text")?,
            target: self.field(fields.target.as_ref(), "doc_to_target")?,
            choice: self.field(fields.choice.as_ref(), "doc_to_choice")?,
            gen_prefix: self.field(fields.gen_prefix.as_ref(), "gen_prefix")?,
            target_delimiter: fields.target_delimiter.clone(),
            fewshot_delimiter: fields.fewshot_delimiter.clone(),
        })
    }

    /// A column's name, a template, or something fixed.
    pub fn field(&self, node: Option<&YamlNode>, key: &'static str) -> Result<Option<TaskField>, InputError> {
        let Some(node) = node else { return Ok(None) };
        let source = match &node.value {
            Yaml::Text(text) if self.columns.contains(text) => FieldSource::Column(text.clone()),
            Yaml::Text(text) => {
                let template = self.jinja.template(key, text).map_err(|error| {
                    InputError::new(self.config.path.display(), error.to_string()).at_line(node.line)
                })?;
                FieldSource::Template(Box::new(template))
            }
            other => FieldSource::Fixed(other.to_json()),
        };
        Ok(Some(TaskField { source, key, line: node.line }))
    }
}
