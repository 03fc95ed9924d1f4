//! What a task file says, checked: every key is known, and what we don't have is refused by name.

mod keys;
mod metrics;
mod shot;

use std::path::PathBuf;

use super::file::Raw;
use super::yaml::{Yaml, YamlNode};
use crate::probe::error::InputError;
use crate::probe::metric::Metric;
pub use metrics::TaskKind;
use shot::Shot;
pub use shot::TaskFields;

/// A task.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file.
    pub path: PathBuf,
    /// Its name.
    pub task: String,
    /// Its name for people.
    pub alias: Option<String>,
    /// What it scores.
    pub kind: TaskKind,
    /// Where its rows live: `json`, `csv`, or a hub's name.
    pub dataset_path: Option<String>,
    /// Files of the rows, for `json` and `csv`, and the file that names them.
    pub data_files: Option<(PathBuf, YamlNode)>,
    /// Rows to learn from.
    pub training_split: Option<String>,
    /// Rows to be asked, where there are no test rows.
    pub validation_split: Option<String>,
    /// Rows to be asked.
    pub test_split: Option<String>,
    /// Templates and the like, by key.
    pub doc: TaskFields<YamlNode>,
    /// The same for worked examples.
    pub shot: TaskFields<YamlNode>,
    /// Put before everything.
    pub description: Option<YamlNode>,
    /// Where worked examples come from.
    pub fewshot_split: Option<String>,
    /// Worked examples written in the file.
    pub samples: Option<Vec<serde_json::Value>>,
    /// Takes the first ones, instead of drawing them.
    pub first_n: bool,
    /// Only these rows can be worked examples.
    pub fewshot_indices: Option<Vec<usize>>,
    /// How many worked examples.
    pub num_fewshot: usize,
    /// Its figures.
    pub metrics: Vec<Metric>,
}

impl Config {
    /// Checks a task file.
    ///
    /// # Errors
    /// Everything it needs that is not here, with lines; or the first thing that is wrong.
    pub fn new(raw: &Raw) -> Result<Config, InputError> {
        keys::refuse(raw)?;
        let task = raw.text("task")?.ok_or_else(|| {
            raw.at(
                "task",
                "the file has no task name: it is a template that others include, or no task at all",
            )
        })?;
        let kind = TaskKind::of(raw)?;
        let shot = raw.get("fewshot_config").cloned();
        let shot = Shot::new(raw, shot.as_ref())?;
        let doc = TaskFields::of(raw)?;
        let num_fewshot = match raw.get("num_fewshot").map(|node| &node.value) {
            None => 0,
            Some(Yaml::Int(n)) if *n >= 0 => *n as usize,
            Some(_) => return Err(raw.at("num_fewshot", "num_fewshot must be a number, from 0")),
        };
        let fewshot_split = shot.text("split")?.or(raw.text("fewshot_split")?);
        Ok(Config {
            path: raw.path.clone(),
            alias: raw.text("task_alias").ok().flatten(),
            dataset_path: raw.text("dataset_path")?,
            data_files: data_files(raw)?,
            training_split: raw.text("training_split")?,
            validation_split: raw.text("validation_split")?,
            test_split: raw.text("test_split")?,
            shot: shot.fields(&doc),
            doc,
            description: raw.get("description").cloned(),
            // A split that is named goes before rows that are written down.
            samples: if fewshot_split.is_some() { None } else { shot.samples()? },
            fewshot_split,
            first_n: shot.first_n()?,
            fewshot_indices: shot.indices()?,
            num_fewshot,
            metrics: metrics::of(raw, kind)?,
            task,
            kind,
        })
    }

    /// The split that is asked: test rows, or validation rows where there are none.
    pub fn eval_split(&self) -> Option<&str> {
        self.test_split.as_deref().or(self.validation_split.as_deref())
    }

    /// The split that worked examples come from, where the file does not hold them.
    pub fn shot_split(&self) -> Option<&str> {
        let wanted = [&self.fewshot_split, &self.training_split, &self.validation_split, &self.test_split];
        wanted.into_iter().find_map(|split| split.as_deref())
    }
}

fn data_files(raw: &Raw) -> Result<Option<(PathBuf, YamlNode)>, InputError> {
    let local = raw.text("dataset_path")?.is_some_and(|path| path == "json" || path == "csv");
    let Some((path, node)) = raw.keys.get("dataset_kwargs").filter(|(_, node)| node.value != Yaml::Null)
    else {
        return Ok(None);
    };
    let Yaml::Map(map) = &node.value else {
        return Err(raw.at("dataset_kwargs", "dataset_kwargs must be a mapping"));
    };
    if let Some(key) =
        map.keys().find(|key| local && !["data_files", "trust_remote_code"].contains(&key.as_str()))
    {
        let reason = format!("dataset_kwargs.{key} is not known here; of local files, data_files is");
        return Err(InputError::new(path.display(), reason).at_line(map[key].line));
    }
    Ok(map.get("data_files").map(|node| (path.clone(), node.clone())))
}
