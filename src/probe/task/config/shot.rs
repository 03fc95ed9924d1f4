//! `fewshot_config`: where worked examples come from and how they are written.

use indexmap::IndexMap;

use crate::probe::error::{InputError, meant};
use crate::probe::task::file::Raw;
use crate::probe::task::yaml::{Yaml, YamlNode};

/// What makes a text of a row.
#[derive(Clone, Debug)]
pub struct TaskFields<F> {
    /// The question.
    pub text: Option<F>,
    /// The answer.
    pub target: Option<F>,
    /// The continuations.
    pub choice: Option<F>,
    /// The beginning of the answer, which is given.
    pub gen_prefix: Option<F>,
    /// Between question and answer.
    pub target_delimiter: String,
    /// Between worked examples.
    pub fewshot_delimiter: String,
}

impl TaskFields<YamlNode> {
    /// What a task file says.
    pub fn of(raw: &Raw) -> Result<TaskFields<YamlNode>, InputError> {
        Ok(TaskFields {
            text: raw.get("doc_to_text").cloned(),
            target: raw.get("doc_to_target").cloned(),
            choice: raw.get("doc_to_choice").cloned(),
            gen_prefix: raw.get("gen_prefix").cloned(),
            target_delimiter: raw.text("target_delimiter")?.unwrap_or_else(|| " ".to_string()),
            fewshot_delimiter: raw.text("fewshot_delimiter")?.unwrap_or_else(|| "\n\n".to_string()),
        })
    }
}

const SHOT_KEYS: &str = "sampler split process_docs fewshot_indices samples doc_to_text doc_to_choice doc_to_target \
    fewshot_delimiter target_delimiter";

/// `fewshot_config` and what it inherits.
pub struct Shot<'a> {
    raw: &'a Raw,
    map: IndexMap<String, YamlNode>,
}

impl<'a> Shot<'a> {
    pub fn new(raw: &'a Raw, node: Option<&YamlNode>) -> Result<Shot<'a>, InputError> {
        let map = match node.map(|node| &node.value) {
            None => IndexMap::new(),
            Some(Yaml::Map(map)) => map.clone(),
            Some(_) => return Err(raw.at("fewshot_config", "fewshot_config must be a mapping")),
        };
        let shot = Shot { raw, map };
        match shot
            .map
            .keys()
            .find(|key| !SHOT_KEYS.split(' ').any(|known| known == *key) && *key != "gen_prefix")
        {
            Some(key) => Err(shot.at(
                key,
                format!("there is no {key} in fewshot_config; {}", meant(key, SHOT_KEYS.split(' '))),
            )),
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

    fn get(&self, key: &str) -> Option<&YamlNode> {
        self.map.get(key).filter(|node| node.value != Yaml::Null)
    }

    pub fn text(&self, key: &str) -> Result<Option<String>, InputError> {
        match self.get(key).map(|node| &node.value) {
            None => Ok(None),
            Some(Yaml::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.at(key, format!("{key} must be a text"))),
        }
    }

    pub fn fields(&self, doc: &TaskFields<YamlNode>) -> TaskFields<YamlNode> {
        let own =
            |key: &str, inherited: &Option<YamlNode>| self.get(key).cloned().or_else(|| inherited.clone());
        let text = |key: &str| self.get(key).and_then(|node| node.value.as_text()).map(str::to_string);
        TaskFields {
            text: own("doc_to_text", &doc.text),
            target: own("doc_to_target", &doc.target),
            choice: own("doc_to_choice", &doc.choice),
            gen_prefix: own("gen_prefix", &doc.gen_prefix),
            target_delimiter: text("target_delimiter").unwrap_or_else(|| doc.target_delimiter.clone()),
            fewshot_delimiter: text("fewshot_delimiter").unwrap_or_else(|| doc.fewshot_delimiter.clone()),
        }
    }

    pub fn first_n(&self) -> Result<bool, InputError> {
        match self.text("sampler")?.as_deref() {
            None | Some("default") => Ok(false),
            Some("first_n") => Ok(true),
            Some(other) => {
                Err(self.at("sampler", format!("there is no sampler {other}; there is default and first_n")))
            }
        }
    }

    pub fn samples(&self) -> Result<Option<Vec<serde_json::Value>>, InputError> {
        match self.get("samples").map(|node| &node.value) {
            None => Ok(None),
            Some(Yaml::List(items)) => Ok(Some(items.iter().map(|item| item.value.to_json()).collect())),
            Some(_) => Err(self.at("samples", "samples must be a list of rows")),
        }
    }

    pub fn indices(&self) -> Result<Option<Vec<usize>>, InputError> {
        let wrong = || self.at("fewshot_indices", "fewshot_indices must be a list of row numbers, from 0");
        match self.get("fewshot_indices").map(|node| &node.value) {
            None => Ok(None),
            Some(Yaml::List(items)) => {
                let index = |item: &YamlNode| match item.value {
                    Yaml::Int(index) => usize::try_from(index).map_err(|_| wrong()),
                    _ => Err(wrong()),
                };
                items.iter().map(index).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Err(wrong()),
        }
    }
}
