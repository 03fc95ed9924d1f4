//! Tasks of the evaluation harness (lm-evaluation-harness), run unchanged where they need no Python.
//!
//! [`yaml`] reads files, [`config`] checks them, [`document`] makes contexts and continuations of rows
//! as the harness does. What a file needs and is not here is named with its line.

mod config;
mod data;
mod document;
mod fewshot;
mod group;
mod literal;
mod yaml;

use std::path::Path;
use std::sync::Arc;

use super::choose::Reduction;
use super::error::InputError;
use super::item::{Ask, Item, Join, Rules, Suite};
use super::metrics::Metric;
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
        claim: None,
        lang: None,
        file: Some(config.path.clone()),
        model: None,
        rules: Rules { bos: None, join: Join::Harness },
        informational: true,
        takes_data: true,
        metrics: config.metrics.clone(),
        limits: Vec::new(),
        items,
    })
}

/// An item of a task; `mutual` asks for the continuations without their context too.
fn item(config: &Config, index: usize, questions: super::item::Questions) -> Item {
    let mut asks = questions.asks();
    if config.metrics.contains(&Metric::Accuracy(Reduction::AccMutualInfo)) {
        asks.extend(questions.choices.iter().map(|choice| Ask::Alone { text: choice.continuation.clone() }));
    }
    Item {
        id: index.to_string(),
        probe: config.task.clone(),
        questions: Arc::new(questions),
        expect: Vec::new(),
        asks,
    }
}

#[cfg(test)]
mod tests;
