//! A task file with everything it takes from others by `include`.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::yaml::{self, Yaml, YamlNode};
use crate::bounded::{self, WRITTEN};
use crate::files;
use crate::probe::error::InputError;

/// A task file with everything it includes.
#[derive(Clone, Debug)]
pub struct Raw {
    /// The file itself.
    pub path: PathBuf,
    /// Its keys, and the file each one was written in.
    pub keys: IndexMap<String, (PathBuf, YamlNode)>,
}

impl Raw {
    /// An error at a key, or about the file as a whole.
    pub fn at(&self, key: &str, reason: impl std::fmt::Display) -> InputError {
        match self.keys.get(key) {
            Some((path, node)) => InputError::new(path.display(), reason).at_line(node.line),
            None => InputError::new(self.path.display(), reason),
        }
    }

    /// A key's value; a null counts as missing.
    pub fn get(&self, key: &str) -> Option<&YamlNode> {
        self.keys.get(key).map(|(_, node)| node).filter(|node| node.value != Yaml::Null)
    }

    /// The text of a key.
    ///
    /// # Errors
    /// Something else than a text.
    pub fn text(&self, key: &str) -> Result<Option<String>, InputError> {
        match self.get(key).map(|node| &node.value) {
            None => Ok(None),
            Some(Yaml::Text(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.at(key, format!("{key} must be a text"))),
        }
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
    let text = files::regular(path)
        .and_then(|()| bounded::text(path, WRITTEN))
        .map_err(|error| InputError::unreadable(path, &error))?;
    let node = yaml::parse(&text).map_err(|error| InputError {
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
pub fn names(node: &YamlNode) -> Vec<String> {
    match &node.value {
        Yaml::Text(text) => vec![text.clone()],
        Yaml::List(items) => {
            items.iter().filter_map(|item| item.value.as_text()).map(str::to_string).collect()
        }
        _ => Vec::new(),
    }
}
