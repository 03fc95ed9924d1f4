//! Files that list tasks: groups, and the tags that tasks carry.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::file::{Raw, load, names};
use super::yaml::{Yaml, YamlNode};
use crate::probe::error::{InputError, meant};

/// Keys of a group that are not overrides of its tasks.
const GROUP_KEYS: [&str; 7] =
    ["group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag", "include"];
/// Groups in groups that are followed.
const MAX_DEPTH: usize = 16;

/// The task of a file, or every task of the group it describes, in order.
///
/// # Errors
/// A file that is neither, or a member that no file beside it describes.
pub fn tasks(path: &Path) -> Result<Vec<Raw>, InputError> {
    let raw = load(path)?;
    if !is_group(&raw) {
        return Ok(vec![raw]);
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut expander = GroupExpander { index: index(folder), out: Vec::new(), depth: 0 };
    expander.group(&raw, &Overrides::new())?;
    if expander.out.is_empty() {
        return Err(raw.at("task", "the group has no task"));
    }
    Ok(expander.out)
}

type Overrides = IndexMap<String, (PathBuf, YamlNode)>;

fn is_group(raw: &Raw) -> bool {
    matches!(raw.get("task").map(|node| &node.value), Some(Yaml::List(_)))
        || (raw.get("group").is_some() && raw.get("output_type").is_none())
}

/// Every task and group in a folder and below, by path; files that can't be read are none.
fn index(folder: &Path) -> Vec<Raw> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            match path.extension() {
                _ if path.is_dir() => folders.push(path),
                Some(extension) if extension == "yaml" => found.extend(load(&path)),
                _ => {}
            }
        }
    }
    found.sort_by(|a: &Raw, b: &Raw| a.path.cmp(&b.path));
    found
}

fn name_of<'a>(raw: &'a Raw, key: &str) -> Option<&'a str> {
    raw.get(key)?.value.as_text()
}

struct GroupExpander {
    index: Vec<Raw>,
    out: Vec<Raw>,
    depth: usize,
}

impl GroupExpander {
    fn group(&mut self, raw: &Raw, overrides: &Overrides) -> Result<(), InputError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(raw.at("group", "groups are nested too deep, or hold each other"));
        }
        let own = raw.keys.iter().filter(|(key, _)| !GROUP_KEYS.contains(&key.as_str()));
        let mut inherited: Overrides = own.map(|(key, value)| (key.clone(), value.clone())).collect();
        inherited.extend(overrides.clone());
        let members = match raw.get("task").map(|node| &node.value) {
            Some(Yaml::List(members)) => members.clone(),
            Some(Yaml::Text(_)) => raw.get("task").cloned().into_iter().collect(),
            _ => return Err(raw.at("task", "a group needs a list of tasks")),
        };
        for member in &members {
            self.member(raw, member, &inherited)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn member(&mut self, group: &Raw, member: &YamlNode, inherited: &Overrides) -> Result<(), InputError> {
        let wrong = |reason: String| group.at("task", reason).at_line(member.line);
        let (name, own) = match &member.value {
            Yaml::Text(name) => (name.clone(), Overrides::new()),
            Yaml::Map(map) => {
                let own: Overrides =
                    map.iter().map(|(key, node)| (key.clone(), (group.path.clone(), node.clone()))).collect();
                let inline = Raw { path: group.path.clone(), keys: own.clone() };
                if is_group(&inline) && map.contains_key("task") {
                    return self.group(&inline, inherited);
                }
                let name = map.get("task").or(map.get("group")).and_then(|node| node.value.as_text());
                let name =
                    name.ok_or_else(|| wrong("a member of a group needs a task or a group".to_string()))?;
                (name.to_string(), own)
            }
            _ => return Err(wrong("a member of a group is a name or a mapping".to_string())),
        };
        let mut overrides = inherited.clone();
        overrides.extend(own.clone().into_iter().filter(|(key, _)| key != "group" && key != "task"));
        let known = self.find(&name).map_err(&wrong)?;
        if known.is_empty() && overrides.contains_key("output_type") {
            overrides.extend(own.into_iter().filter(|(key, _)| key == "task"));
            self.out.push(Raw { path: group.path.clone(), keys: overrides });
            return Ok(());
        }
        if known.is_empty() {
            let names = self.index.iter().filter_map(|raw| name_of(raw, "task").or(name_of(raw, "group")));
            let hint = meant(&name, names.take(20));
            return Err(wrong(format!("no file beside the group describes {name}; {hint}")));
        }
        for mut raw in known {
            if is_group(&raw) {
                self.group(&raw, &overrides)?;
            } else {
                raw.keys.extend(overrides.clone());
                self.out.push(raw);
            }
        }
        Ok(())
    }

    /// The task or group of a name, or the tasks that carry it as a tag, by name.
    ///
    /// # Errors
    /// Two files that both describe it.
    fn find(&self, name: &str) -> Result<Vec<Raw>, String> {
        let named: Vec<&Raw> = self
            .index
            .iter()
            .filter(|raw| name_of(raw, if is_group(raw) { "group" } else { "task" }) == Some(name))
            .collect();
        match named.as_slice() {
            [] => {}
            [one] => return Ok(vec![(*one).clone()]),
            [one, other, ..] => {
                let (one, other) = (one.path.display(), other.path.display());
                return Err(format!("two files describe {name}, {one} and {other}: rename one"));
            }
        }
        let mut tagged: Vec<Raw> = self
            .index
            .iter()
            .filter(|raw| !is_group(raw))
            .filter(|raw| raw.get("tag").is_some_and(|tag| names(tag).iter().any(|tag| tag == name)))
            .cloned()
            .collect();
        tagged.sort_by(|a, b| name_of(a, "task").cmp(&name_of(b, "task")));
        Ok(tagged)
    }
}
