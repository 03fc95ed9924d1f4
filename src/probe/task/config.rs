//! What a task file says, checked: every key is known, and what we don't have is refused by name.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::yaml::{Node, Yaml};
use crate::probe::choose::Reduction;
use crate::probe::error::{InputError, meant};
use crate::probe::metrics::Metric;

/// A task file with everything it includes.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The file itself.
    pub path: PathBuf,
    /// Its keys, and the file each one was written in.
    pub keys: IndexMap<String, (PathBuf, Node)>,
}

/// How continuations are scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Several, of which the best is the answer.
    MultipleChoice,
    /// One.
    Loglikelihood,
    /// A text as a whole.
    Rolling,
}

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
    pub kind: Kind,
    /// Where its rows live: `json`, `csv`, or a hub's name.
    pub dataset_path: Option<String>,
    /// Files of the rows, for `json` and `csv`, and the file that names them.
    pub data_files: Option<(PathBuf, Node)>,
    /// Rows to learn from.
    pub training_split: Option<String>,
    /// Rows to be asked, where there are no test rows.
    pub validation_split: Option<String>,
    /// Rows to be asked.
    pub test_split: Option<String>,
    /// Templates and the like, by key.
    pub doc: Fields,
    /// The same for worked examples.
    pub shot: Fields,
    /// Put before everything.
    pub description: Option<Node>,
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

/// What makes a text of a row.
#[derive(Clone, Debug)]
pub struct Fields {
    /// The question.
    pub text: Option<Node>,
    /// The answer.
    pub target: Option<Node>,
    /// The continuations.
    pub choice: Option<Node>,
    /// The beginning of the answer, which is given.
    pub gen_prefix: Option<Node>,
    /// Between question and answer.
    pub target_delimiter: String,
    /// Between worked examples.
    pub fewshot_delimiter: String,
}

/// Keys that change nothing about scoring.
const IGNORED: [&str; 12] = [
    "task",
    "task_alias",
    "tag",
    "group",
    "dataset_name",
    "metadata",
    "should_decontaminate",
    "doc_to_decontamination_query",
    "repeats",
    "generation_kwargs",
    "task_list",
    "include",
];
/// Keys that are read.
const READ: [&str; 18] = [
    "dataset_path",
    "dataset_kwargs",
    "training_split",
    "validation_split",
    "test_split",
    "fewshot_split",
    "output_type",
    "doc_to_text",
    "doc_to_target",
    "doc_to_choice",
    "description",
    "target_delimiter",
    "fewshot_delimiter",
    "num_fewshot",
    "fewshot_config",
    "gen_prefix",
    "metric_list",
    "unsafe_code",
];
/// Keys of the harness that need what is not here.
const REFUSED: [(&str, &str); 9] = [
    ("filter_list", "filters of generated text"),
    ("process_docs", "Python"),
    ("process_results", "Python"),
    ("custom_dataset", "Python"),
    ("class", "Python"),
    ("use_prompt", "a prompt of promptsource"),
    ("doc_to_image", "images"),
    ("doc_to_audio", "sound"),
    ("weight_by_size", "a group"),
];
const SHOT_KEYS: [&str; 10] = [
    "sampler",
    "split",
    "process_docs",
    "fewshot_indices",
    "samples",
    "doc_to_text",
    "doc_to_choice",
    "doc_to_target",
    "fewshot_delimiter",
    "target_delimiter",
];

impl Raw {
    /// An error at a key, or about the file as a whole.
    pub fn at(&self, key: &str, reason: impl std::fmt::Display) -> InputError {
        match self.keys.get(key) {
            Some((path, node)) => InputError::new(path.display(), reason).at_line(node.line),
            None => InputError::new(self.path.display(), reason),
        }
    }

    /// A key's value; a null counts as missing.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.keys.get(key).map(|(_, node)| node).filter(|node| node.value != Yaml::Null)
    }

    fn text(&self, key: &str) -> Result<Option<String>, InputError> {
        match self.get(key).map(|node| &node.value) {
            None => Ok(None),
            Some(Yaml::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.at(key, format!("{key} must be a text"))),
        }
    }
}

impl Config {
    /// Checks a task file.
    ///
    /// # Errors
    /// Everything it needs that is not here, with lines; or the first thing that is wrong.
    pub fn new(raw: &Raw) -> Result<Config, InputError> {
        refuse(raw)?;
        let task = raw.text("task")?.ok_or_else(|| {
            raw.at(
                "task",
                "the file has no task name: it is a template that others include, or no task at all",
            )
        })?;
        let kind = kind(raw)?;
        let shot = raw.get("fewshot_config").cloned();
        let shot = Shot::new(raw, shot.as_ref())?;
        let doc = fields(raw)?;
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
            metrics: metrics(raw, kind)?,
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

/// Names everything that the file needs and is not here.
fn refuse(raw: &Raw) -> Result<(), InputError> {
    let mut refused: Vec<(PathBuf, usize, String)> = Vec::new();
    for (key, (path, node)) in &raw.keys {
        let mut tags = Vec::new();
        node.tags(key, &mut tags);
        for (line, tag, of) in tags {
            refused.push((path.clone(), line, format!("{of} needs Python ({tag})")));
        }
    }
    for (key, what) in REFUSED {
        let tagged = matches!(raw.get(key).map(|node| &node.value), Some(Yaml::Tagged(..)));
        if let (Some((path, node)), true, false) = (raw.keys.get(key), raw.get(key).is_some(), tagged) {
            refused.push((path.clone(), node.line, format!("{key} needs {what}")));
        }
    }
    let output_type = raw.get("output_type").and_then(|node| node.value.as_text());
    if output_type.unwrap_or("generate_until") == "generate_until" {
        let (path, line) =
            raw.keys.get("output_type").map_or((&raw.path, 0), |(path, node)| (path, node.line));
        let default = if line == 0 { ", which it is where the file says nothing," } else { "" };
        let reason = format!(
            "output_type generate_until{default} generates text, and only multiple_choice, loglikelihood and \
             loglikelihood_rolling are scored here"
        );
        refused.push((path.clone(), line, reason));
    }
    if raw.get("unsafe_code").is_some_and(|node| node.value == Yaml::Bool(true)) {
        refused.push((
            raw.keys["unsafe_code"].0.clone(),
            raw.keys["unsafe_code"].1.line,
            "unsafe_code runs code".to_string(),
        ));
    }
    refused.sort_by_key(|(path, line, _)| (*path != raw.path, *line));
    let Some((path, line, _)) = refused.first().cloned() else { return unknown(raw) };
    let reasons: Vec<String> = refused
        .iter()
        .enumerate()
        .map(|(i, (other, at, reason))| match i {
            0 => reason.clone(),
            _ if *other == path => format!("line {at}: {reason}"),
            _ => format!("{}:{at}: {reason}", other.display()),
        })
        .collect();
    let error = InputError::new(path.display(), reasons.join("; "));
    Err(if line > 0 { error.at_line(line) } else { error })
}

fn unknown(raw: &Raw) -> Result<(), InputError> {
    let known = READ.into_iter().chain(IGNORED).chain(REFUSED.map(|(key, _)| key));
    match raw.keys.keys().find(|key| !known.clone().any(|name| name == key.as_str())) {
        Some(key) => {
            let hint = crate::text::nearest(key, known)
                .map_or(String::new(), |name| format!("; did you mean {name}?"));
            Err(raw.at(key, format!("there is no key {key} in a task{hint}")))
        }
        None => Ok(()),
    }
}

fn kind(raw: &Raw) -> Result<Kind, InputError> {
    match raw.text("output_type")?.as_deref() {
        Some("multiple_choice") => Ok(Kind::MultipleChoice),
        Some("loglikelihood") => Ok(Kind::Loglikelihood),
        Some("loglikelihood_rolling") => Ok(Kind::Rolling),
        other => {
            let other = other.unwrap_or_default();
            let kinds = ["multiple_choice", "loglikelihood", "loglikelihood_rolling"];
            Err(raw.at("output_type", format!("there is no output_type {other}; {}", meant(other, kinds))))
        }
    }
}

fn fields(raw: &Raw) -> Result<Fields, InputError> {
    Ok(Fields {
        text: raw.get("doc_to_text").cloned(),
        target: raw.get("doc_to_target").cloned(),
        choice: raw.get("doc_to_choice").cloned(),
        gen_prefix: raw.get("gen_prefix").cloned(),
        target_delimiter: raw.text("target_delimiter")?.unwrap_or_else(|| " ".to_string()),
        fewshot_delimiter: raw.text("fewshot_delimiter")?.unwrap_or_else(|| "\n\n".to_string()),
    })
}

fn data_files(raw: &Raw) -> Result<Option<(PathBuf, Node)>, InputError> {
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

/// `fewshot_config` and what it inherits.
struct Shot<'a> {
    raw: &'a Raw,
    map: IndexMap<String, Node>,
}

impl<'a> Shot<'a> {
    fn new(raw: &'a Raw, node: Option<&Node>) -> Result<Shot<'a>, InputError> {
        let map = match node.map(|node| &node.value) {
            None => IndexMap::new(),
            Some(Yaml::Map(map)) => map.clone(),
            Some(_) => return Err(raw.at("fewshot_config", "fewshot_config must be a mapping")),
        };
        let shot = Shot { raw, map };
        match shot.map.keys().find(|key| !SHOT_KEYS.contains(&key.as_str()) && *key != "gen_prefix") {
            Some(key) => {
                Err(shot.at(key, format!("there is no {key} in fewshot_config; {}", meant(key, SHOT_KEYS))))
            }
            None => Ok(shot),
        }
    }

    fn at(&self, key: &str, reason: impl std::fmt::Display) -> InputError {
        let error = self.raw.at("fewshot_config", reason);
        match self.map.get(key) {
            Some(node) => error.at_line(node.line),
            None => error,
        }
    }

    fn get(&self, key: &str) -> Option<&Node> {
        self.map.get(key).filter(|node| node.value != Yaml::Null)
    }

    fn text(&self, key: &str) -> Result<Option<String>, InputError> {
        match self.get(key).map(|node| &node.value) {
            None => Ok(None),
            Some(Yaml::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.at(key, format!("{key} must be a text"))),
        }
    }

    fn fields(&self, doc: &Fields) -> Fields {
        let own = |key: &str, inherited: &Option<Node>| self.get(key).cloned().or_else(|| inherited.clone());
        let text = |key: &str| self.get(key).and_then(|node| node.value.as_text()).map(str::to_string);
        Fields {
            text: own("doc_to_text", &doc.text),
            target: own("doc_to_target", &doc.target),
            choice: own("doc_to_choice", &doc.choice),
            gen_prefix: own("gen_prefix", &doc.gen_prefix),
            target_delimiter: text("target_delimiter").unwrap_or_else(|| doc.target_delimiter.clone()),
            fewshot_delimiter: text("fewshot_delimiter").unwrap_or_else(|| doc.fewshot_delimiter.clone()),
        }
    }

    fn first_n(&self) -> Result<bool, InputError> {
        match self.text("sampler")?.as_deref() {
            None | Some("default") => Ok(false),
            Some("first_n") => Ok(true),
            Some(other) => {
                Err(self.at("sampler", format!("there is no sampler {other}; there is default and first_n")))
            }
        }
    }

    fn samples(&self) -> Result<Option<Vec<serde_json::Value>>, InputError> {
        match self.get("samples").map(|node| &node.value) {
            None => Ok(None),
            Some(Yaml::List(items)) => Ok(Some(items.iter().map(|item| item.value.to_json()).collect())),
            Some(_) => Err(self.at("samples", "samples must be a list of rows")),
        }
    }

    fn indices(&self) -> Result<Option<Vec<usize>>, InputError> {
        let wrong = || self.at("fewshot_indices", "fewshot_indices must be a list of row numbers, from 0");
        match self.get("fewshot_indices").map(|node| &node.value) {
            None => Ok(None),
            Some(Yaml::List(items)) => {
                let index = |item: &Node| match item.value {
                    Yaml::Int(index) => usize::try_from(index).map_err(|_| wrong()),
                    _ => Err(wrong()),
                };
                items.iter().map(index).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(wrong()),
        }
    }
}

/// The task's figures: those it names, or those of its kind.
fn metrics(raw: &Raw, kind: Kind) -> Result<Vec<Metric>, InputError> {
    let (own, usual): (&[Metric], &[Metric]) = match kind {
        Kind::MultipleChoice => (
            &[
                Metric::Accuracy(Reduction::Acc),
                Metric::Accuracy(Reduction::AccNorm),
                Metric::Accuracy(Reduction::AccBytes),
                Metric::Accuracy(Reduction::AccMutualInfo),
                Metric::F1,
                Metric::Mcc,
                Metric::ExactMatch,
                Metric::BrierScore,
            ],
            &[Metric::Accuracy(Reduction::Acc), Metric::Accuracy(Reduction::AccNorm)],
        ),
        Kind::Loglikelihood => {
            let both = &[Metric::Perplexity, Metric::Accuracy(Reduction::Acc)];
            (both, both)
        }
        Kind::Rolling => {
            let all = &[Metric::WordPerplexity, Metric::BytePerplexity, Metric::BitsPerByte];
            (all, all)
        }
    };
    let Some((path, node)) = raw.keys.get("metric_list").filter(|(_, node)| node.value != Yaml::Null) else {
        return Ok(usual.to_vec());
    };
    let Yaml::List(entries) = &node.value else {
        return Err(raw.at("metric_list", "metric_list must be a list"));
    };
    let mut metrics = Vec::new();
    for entry in entries {
        let wrong = |reason: String| InputError::new(path.display(), reason).at_line(entry.line);
        let Yaml::Map(map) = &entry.value else {
            return Err(wrong("an entry of metric_list must be a mapping with a metric".to_string()));
        };
        let text = |key: &str| map.get(key).and_then(|node| node.value.as_text());
        let name =
            text("metric").ok_or_else(|| wrong("an entry of metric_list has no metric".to_string()))?;
        let metric = Metric::named(name).ok_or_else(|| {
            let names = own.iter().map(|metric| metric.name());
            wrong(format!("there is no metric {name} here; {}", meant(name, names)))
        })?;
        if let Some(aggregation) =
            text("aggregation").filter(|aggregation| *aggregation != usual_aggregation(metric))
        {
            return Err(wrong(format!(
                "the aggregation {aggregation} of {name} is not known here; {} is",
                usual_aggregation(metric)
            )));
        }
        // The harness leaves a metric out that its kind of task does not have.
        if own.contains(&metric) && !metrics.contains(&metric) {
            metrics.push(metric);
        }
    }
    if metrics.is_empty() {
        return Err(raw.at("metric_list", "no metric in metric_list is one of this output_type"));
    }
    Ok(metrics)
}

fn usual_aggregation(metric: Metric) -> &'static str {
    match metric {
        Metric::Perplexity => "perplexity",
        Metric::WordPerplexity | Metric::BytePerplexity => "weighted_perplexity",
        Metric::BitsPerByte => "bits_per_byte",
        Metric::F1 => "f1",
        Metric::Mcc => "matthews_corrcoef",
        Metric::BrierScore => "brier_score",
        _ => "mean",
    }
}

/// Reads a task file with what it includes; what is nearer to the task wins.
///
/// # Errors
/// A file that can't be read, is no YAML mapping, or includes itself.
pub fn load(path: &Path) -> Result<Raw, InputError> {
    load_inside(path, &mut Vec::new())
}

fn load_inside(path: &Path, open: &mut Vec<PathBuf>) -> Result<Raw, InputError> {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    if open.contains(&real) {
        return Err(InputError::new(path.display(), "the file includes itself"));
    }
    open.push(real);
    let text = std::fs::read_to_string(path).map_err(|error| InputError::unreadable(path, &error))?;
    let node = super::yaml::parse(&text).map_err(|error| InputError {
        line: Some(error.line),
        column: Some(error.column),
        excerpt: text
            .lines()
            .nth(error.line.saturating_sub(1))
            .map(|line| line.trim().chars().take(60).collect()),
        ..InputError::new(path.display(), error.reason)
    })?;
    let Yaml::Map(map) = node.value else {
        return Err(InputError::new(path.display(), "a task is a YAML mapping, as in `task: name`")
            .at_line(node.line));
    };
    let mut keys = IndexMap::new();
    let folder = path.parent().unwrap_or(Path::new(""));
    if let Some(include) = map.get("include") {
        for name in names(include) {
            let included = load_inside(&folder.join(&name), open).map_err(|error| match error.line {
                None if error.file == folder.join(&name).display().to_string() => {
                    let reason = format!("include {name}: {}", error.reason);
                    InputError::new(path.display(), reason).at_line(include.line)
                }
                _ => error,
            })?;
            keys.extend(included.keys);
        }
    }
    keys.extend(
        map.into_iter()
            .filter(|(key, _)| key != "include")
            .map(|(key, node)| (key, (path.to_path_buf(), node))),
    );
    open.pop();
    Ok(Raw { path: path.to_path_buf(), keys })
}

/// One name, or a list of them.
pub fn names(node: &Node) -> Vec<String> {
    match &node.value {
        Yaml::Text(text) => vec![text.clone()],
        Yaml::List(items) => {
            items.iter().filter_map(|item| item.value.as_text()).map(str::to_string).collect()
        }
        _ => Vec::new(),
    }
}
