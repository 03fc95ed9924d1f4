//! A task's rows: files beside the task, or files given on the command line.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::config::Config;
use super::yaml::{Yaml, YamlNode};
use crate::files;
use crate::probe::dataset::{Dataset, Typing};
use crate::probe::error::InputError;

/// Files given with `--data`: rows for every task, or for a named task or split.
#[derive(Clone, Debug, Default)]
pub struct DataFiles {
    any: Vec<PathBuf>,
    named: HashMap<String, Vec<PathBuf>>,
}

impl DataFiles {
    /// Reads arguments of the form `FILE` or `NAME=FILE`.
    pub fn new(arguments: &[String]) -> DataFiles {
        let mut files = DataFiles::default();
        for argument in arguments {
            match argument.split_once('=').filter(|(name, _)| !name.contains(['/', '.', '\\'])) {
                Some((name, file)) => files.named.entry(name.to_string()).or_default().push(file.into()),
                None => files.any.push(argument.into()),
            }
        }
        files
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.any.is_empty() && self.named.is_empty()
    }

    /// The files of a task's split; files for every task are rows to be asked.
    fn of(&self, config: &Config, split: &str) -> Vec<PathBuf> {
        let asked = config.eval_split() == Some(split);
        let own = self.named.get(&config.task).filter(|_| asked);
        let files = self.named.get(split).or(own).or((asked && !self.any.is_empty()).then_some(&self.any));
        files.cloned().unwrap_or_default()
    }
}

/// The rows a task needs.
pub struct Splits {
    /// To be asked.
    pub eval: Dataset,
    /// To learn from; the same as `eval` where the split is the same.
    pub shots: Option<Dataset>,
}

/// Reads a task's rows.
///
/// # Errors
/// A split that no file holds, or a file that can't be read.
pub fn load(config: &Config, files: &DataFiles) -> Result<Splits, InputError> {
    let Some(split) = config.eval_split() else {
        return Err(InputError::new(
            config.path.display(),
            "the task names neither a test_split nor a validation_split",
        ));
    };
    let eval = read(config, files, split)?;
    let wanted = config.shot_split().filter(|_| config.num_fewshot > 0 && config.samples.is_none());
    let shots =
        wanted.filter(|wanted| *wanted != split).map(|wanted| read(config, files, wanted)).transpose()?;
    Ok(Splits { eval, shots })
}

fn read(config: &Config, files: &DataFiles, split: &str) -> Result<Dataset, InputError> {
    let mut paths = files.of(config, split);
    if paths.is_empty() {
        paths = local(config, split)?;
        for path in &paths {
            files::regular(path).map_err(|error| InputError::unreadable(path, &error))?;
        }
    }
    let mut whole = Dataset { path: paths.first().cloned().unwrap_or_default(), rows: Vec::new() };
    for path in &paths {
        let data = Dataset::read(path, Typing::Harness)?;
        whole.rows.extend(data.rows);
    }
    if whole.rows.is_empty() {
        return Err(InputError::new(whole.path.display(), format!("there is no row for split {split}")));
    }
    whole.fill();
    Ok(whole)
}

/// The files that the task itself names for a split.
fn local(config: &Config, split: &str) -> Result<Vec<PathBuf>, InputError> {
    let file = config.path.display();
    let source = config.dataset_path.as_deref().unwrap_or("nowhere");
    if source != "json" && source != "csv" {
        let hint = if config.eval_split() == Some(split) { String::new() } else { format!("{split}=") };
        return Err(InputError::new(
            file,
            format!(
                "the rows of split {split} live on a hub ({source}): give them with --data {hint}FILE.jsonl"
            ),
        ));
    }
    let Some((written, node)) = &config.data_files else {
        return Err(InputError::new(
            file,
            format!("dataset_path {source} needs dataset_kwargs with data_files"),
        ));
    };
    let wrong = |reason: String| InputError::new(written.display(), reason).at_line(node.line);
    let names = match &node.value {
        Yaml::Map(map) => match map.get(split) {
            Some(files) => super::file::names(files),
            None => {
                let known: Vec<&str> = map.keys().map(String::as_str).collect();
                return Err(wrong(format!("data_files has no split {split}; there is {}", known.join(", "))));
            }
        },
        // Files without a split are called so by the library behind the harness.
        _ if split == "train" => super::file::names(node),
        _ => {
            return Err(wrong(format!(
                "data_files without splits is split train, and the task asks for {split}"
            )));
        }
    };
    if names.is_empty() {
        return Err(wrong("data_files must name files".to_string()));
    }
    names.iter().map(|name| find(config, written, node, name)).collect()
}

/// Beside the file that names it, beside the task, or in the current folder.
fn find(config: &Config, written: &Path, node: &YamlNode, name: &str) -> Result<PathBuf, InputError> {
    let wrong = |reason: String| InputError::new(written.display(), reason).at_line(node.line);
    if name.contains("://") {
        return Err(wrong(format!("{name} is not fetched: give its rows with --data FILE.jsonl")));
    }
    let folders = [written.parent(), config.path.parent(), Some(Path::new(""))];
    let places = folders.into_iter().flatten().map(|folder| folder.join(name));
    places
        .clone()
        .find(|path| path.is_file())
        .ok_or_else(|| wrong(format!("there is no file {name} beside the task, nor in the current folder")))
}
