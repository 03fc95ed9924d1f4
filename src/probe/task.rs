//! Tasks of the evaluation harness (lm-evaluation-harness), run unchanged where they need no Python.
//!
//! [`yaml`] reads files, [`config`] checks them, [`document`] makes contexts and continuations of rows
//! as the harness does. What a file needs and is not here is named with its line.

mod config;
mod data;
mod document;
mod fewshot;
mod file;
mod group;
mod literal;
mod templates;
mod yaml;

use std::path::Path;

use super::error::InputError;
use super::item::{Item, Rules, Suite};
use super::metric::Metric;
use super::question::{Ask, Questions};
use crate::continuation::Join;
use crate::continuation::reduction::Reduction;
use config::Config;
pub use data::DataFiles;
use document::Documents;

/// Reads a task, or the tasks of a group. `limit` keeps only the first documents.
///
/// # Errors
/// [`InputError`] with file and line: no YAML, something that needs Python or generates text, rows that
/// are not there or don't fit.
pub fn read(path: &Path, data: &DataFiles, limit: Option<usize>) -> Result<Vec<Suite>, InputError> {
    let tasks = group::tasks(path)?;
    let mut suites = Vec::new();
    for task in tasks {
        suites.push(suite(Config::new(&task)?, data, limit)?);
    }
    Ok(suites)
}

fn suite(config: Config, data: &DataFiles, limit: Option<usize>) -> Result<Suite, InputError> {
    let splits = data::load(&config, data)?;
    let documents = Documents::new(&config, splits)?;
    let items = documents.items(limit)?;
    Ok(Suite {
        name: config.task.clone(),
        title: config.alias.clone(),
        file: Some(config.path.clone()),
        rules: Rules { bos: None, join: Join::Harness },
        informational: true,
        takes_data: true,
        metrics: config.metrics.clone(),
        items,
        ..Suite::default()
    })
}

/// An item of a task; `mutual` asks for the continuations without their context too.
fn item(config: &Config, index: usize, questions: Questions) -> Item {
    let mut item = Item::new(index.to_string(), &config.task, questions);
    if config.metrics.contains(&Metric::Accuracy(Reduction::AccMutualInfo)) {
        let choices = item.questions.choices.iter();
        item.asks.extend(choices.map(|choice| Ask::Alone { text: choice.continuation.clone() }));
    }
    item
}

#[cfg(test)]
mod tests;
