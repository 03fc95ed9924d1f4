//! YAML with tags and lines kept, read as Python's YAML reads it.
//!
//! The harness reads its files with PyYAML over libyaml; the parser here is libyaml's too, so that both
//! take and refuse the same. The files are YAML 1.1: `no` is false there, `1e3` a text. `!function` stays
//! a tag: a library that took it for plain text would lie. Aliases are counted while they are expanded,
//! because a few hundred bytes of them can stand for billions of values.

mod scalar;

use std::collections::HashMap;

use indexmap::IndexMap;
use libyaml_safer::{Encoding, Event, EventData, Mark, Parser};

use scalar::ScalarKind;

use crate::text::line_and_column;

/// Nodes nested deeper than this are refused.
const MAX_DEPTH: usize = 200;

/// Values a file may hold, and 64-byte pieces of their texts, what aliases stand for included.
const MAX_SIZE: usize = 2_000_000;

/// YAML's own tags.
const OWN: &str = "tag:yaml.org,2002:";

/// The tag that names Python code.
const FUNCTION: &str = "!function";

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct YamlNode {
    /// 1-based line.
    pub line: usize,
    pub value: Yaml,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Yaml {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number beyond 64 bits, in decimal digits.
    Large(String),
    /// Another number.
    Float(f64),
    Text(String),
    /// A sequence.
    List(Vec<YamlNode>),
    /// A mapping, in file order.
    Map(IndexMap<String, YamlNode>),
    /// Something with a tag of its own: `!function`.
    Tagged(String, String),
}

/// What is wrong and in which line.
#[derive(Clone, Debug, PartialEq)]
pub struct YamlError {
    /// 1-based.
    pub line: usize,
    /// 1-based.
    pub column: usize,
    pub reason: String,
}

impl YamlError {
    fn at(mark: &Mark, reason: impl Into<String>) -> YamlError {
        YamlError { line: mark.line as usize + 1, column: mark.column as usize + 1, reason: reason.into() }
    }
}

/// Reads a text that is one document.
///
/// # Errors
/// What is no YAML, and where.
pub fn parse(text: &str) -> Result<YamlNode, YamlError> {
    let mut bytes = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_encoding(Encoding::Utf8);
    parser.set_input_string(&mut bytes);
    let mut reader = YamlReader { parser, text, anchors: HashMap::new(), depth: 0, left: MAX_SIZE };
    let mut document = None;
    loop {
        let event = reader.next()?;
        match event.data {
            EventData::StreamEnd => {
                return Ok(document.unwrap_or(YamlNode { line: 1, value: Yaml::Null }));
            }
            EventData::StreamStart { .. } | EventData::DocumentEnd { .. } => {}
            EventData::DocumentStart { .. } if document.is_some() => {
                return Err(YamlError::at(&event.start_mark, "a second document begins here; one is read"));
            }
            EventData::DocumentStart { .. } => {}
            _ => document = Some(reader.node(event)?),
        }
    }
}

/// Characters that may stand in YAML.
fn is_allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{A0}'..='\u{FFFD}' | '\u{10000}'..)
        && c != '\u{FEFF}'
}

struct YamlReader<'a, 'b> {
    parser: Parser<&'a mut &'b [u8]>,
    text: &'b str,
    /// What they name and its size; nothing while it is being read.
    anchors: HashMap<String, Option<(YamlNode, usize)>>,
    depth: usize,
    /// Values that may still come.
    left: usize,
}

/// What a collection is by its tag.
#[derive(Clone, Copy, PartialEq)]
enum Collection {
    List,
    Map,
    /// Mappings of one entry each.
    Pairs,
    /// A mapping of which the keys count.
    Set,
}

impl YamlReader<'_, '_> {
    fn next(&mut self) -> Result<Event, YamlError> {
        self.parser.parse().map_err(|error| {
            let reason = match error.context() {
                Some(context) => format!("{context}: {}", error.problem()),
                None => error.problem().to_string(),
            };
            match error.problem_mark() {
                Some(mark) => YamlError::at(&mark, reason),
                None => self.unreadable(reason),
            }
        })
    }

    /// The reader's errors have no line.
    fn unreadable(&self, reason: String) -> YamlError {
        let at = self.text.find(|c| !is_allowed(c)).unwrap_or(self.text.len());
        let (line, column) = line_and_column(self.text, at);
        YamlError { line, column, reason }
    }

    fn spend(&mut self, size: usize, mark: &Mark) -> Result<(), YamlError> {
        match self.left.checked_sub(size) {
            Some(left) => self.left = left,
            None => {
                let reason =
                    format!("the file holds more than {MAX_SIZE} values, with what its aliases stand for");
                return Err(YamlError::at(mark, reason));
            }
        }
        Ok(())
    }

    fn node(&mut self, event: Event) -> Result<YamlNode, YamlError> {
        let mark = event.start_mark;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(YamlError::at(&mark, format!("values are nested deeper than {MAX_DEPTH}")));
        }
        let anchor = match &event.data {
            EventData::Scalar { anchor, .. }
            | EventData::SequenceStart { anchor, .. }
            | EventData::MappingStart { anchor, .. } => anchor.clone(),
            _ => None,
        };
        if let Some(name) = &anchor
            && self.anchors.insert(name.clone(), None).is_some()
        {
            return Err(YamlError::at(&mark, format!("the anchor &{name} is given twice")));
        }
        let value = self.value(event.data, &mark)?;
        self.depth -= 1;
        let node = YamlNode { line: mark.line as usize + 1, value };
        if let Some(name) = anchor {
            let size = node.value.size();
            self.spend(size, &mark)?;
            self.anchors.insert(name, Some((node.clone(), size)));
        }
        Ok(node)
    }

    fn value(&mut self, data: EventData, mark: &Mark) -> Result<Yaml, YamlError> {
        match data {
            EventData::Alias { anchor } => match self.anchors.get(&anchor) {
                Some(Some((_, size))) => {
                    let size = *size;
                    self.spend(size, mark)?;
                    let node = self.anchors.get(&anchor).and_then(Option::as_ref);
                    Ok(node.map_or(Yaml::Null, |(node, _)| node.value.clone()))
                }
                Some(None) => Err(YamlError::at(mark, format!("*{anchor} stands inside what it names"))),
                None => Err(YamlError::at(mark, format!("there is no anchor &{anchor} before *{anchor}"))),
            },
            EventData::Scalar { tag, value, plain_implicit, .. } => {
                self.spend(1 + value.len() / 64, mark)?;
                let kind = match tag.as_deref().filter(|tag| *tag != "!") {
                    None if plain_implicit => scalar::kind(&value),
                    None => ScalarKind::Text,
                    Some(FUNCTION) => return Ok(Yaml::Tagged(FUNCTION.to_string(), value)),
                    Some(tag) => scalar_tag(tag).ok_or_else(|| unknown(tag, mark))?,
                };
                scalar::value(&value, kind).map_err(|reason| YamlError::at(mark, reason))
            }
            EventData::SequenceStart { tag, .. } => {
                self.spend(1, mark)?;
                match form(tag.as_deref(), mark, Collection::List)? {
                    Collection::List => Ok(Yaml::List(self.list()?)),
                    Collection::Pairs => self.pairs(mark),
                    Collection::Map | Collection::Set => Err(YamlError::at(mark, "the tag is for a mapping")),
                }
            }
            EventData::MappingStart { tag, .. } => {
                self.spend(1, mark)?;
                match form(tag.as_deref(), mark, Collection::Map)? {
                    Collection::Map => Ok(Yaml::Map(self.map()?)),
                    Collection::Set => {
                        let keys = self.map()?.into_iter();
                        let node = |(key, node): (String, YamlNode)| YamlNode {
                            line: node.line,
                            value: Yaml::Text(key),
                        };
                        Ok(Yaml::List(keys.map(node).collect()))
                    }
                    Collection::List | Collection::Pairs => {
                        Err(YamlError::at(mark, "the tag is for a sequence"))
                    }
                }
            }
            _ => Err(YamlError::at(mark, "a value is missing")),
        }
    }

    fn list(&mut self) -> Result<Vec<YamlNode>, YamlError> {
        let mut items = Vec::new();
        loop {
            let event = self.next()?;
            match event.data {
                EventData::SequenceEnd => return Ok(items),
                _ => items.push(self.node(event)?),
            }
        }
    }

    /// A sequence of mappings of one entry each.
    fn pairs(&mut self, mark: &Mark) -> Result<Yaml, YamlError> {
        let mut pairs = self.list()?;
        for pair in &mut pairs {
            let entry = match &mut pair.value {
                Yaml::Map(map) if map.len() == 1 => map.shift_remove_index(0),
                _ => None,
            };
            let Some((key, value)) = entry else {
                return Err(YamlError::at(mark, "the tag is for a sequence of mappings of one entry each"));
            };
            let key = YamlNode { line: pair.line, value: Yaml::Text(key) };
            pair.value = Yaml::List(vec![key, value]);
        }
        Ok(Yaml::List(pairs))
    }

    fn map(&mut self) -> Result<IndexMap<String, YamlNode>, YamlError> {
        let mut own = IndexMap::new();
        let mut merged = IndexMap::new();
        loop {
            let event = self.next()?;
            let mark = event.start_mark;
            let plain = match &event.data {
                EventData::MappingEnd => break,
                EventData::Scalar { tag: None, value, plain_implicit: true, .. } => scalar::kind(value),
                _ => ScalarKind::Text,
            };
            let key = match plain {
                ScalarKind::Merge => None,
                // As a key it is a text like any other.
                ScalarKind::Value => Some(("=".to_string(), mark.line as usize + 1)),
                _ => {
                    let key = self.node(event)?;
                    let text = key
                        .value
                        .key()
                        .ok_or_else(|| YamlError::at(&mark, "a sequence or mapping can't be a key"))?;
                    Some((text, key.line))
                }
            };
            let event = self.next()?;
            let value_mark = event.start_mark;
            let value = self.node(event)?;
            match key {
                None => merge(&mut merged, value, &value_mark)?,
                // The key's line: a value may begin below it.
                Some((key, line)) => {
                    own.insert(key, YamlNode { line, ..value });
                }
            }
        }
        // What is written here wins over what is merged in.
        merged.extend(own);
        Ok(merged)
    }
}

fn merge(into: &mut IndexMap<String, YamlNode>, value: YamlNode, mark: &Mark) -> Result<(), YamlError> {
    match value.value {
        Yaml::Map(map) => into.extend(map),
        Yaml::List(items) => {
            // Of a list, the first wins.
            for item in items.into_iter().rev() {
                match item.value {
                    Yaml::Map(map) => into.extend(map),
                    _ => return Err(YamlError::at(mark, "<< takes mappings only")),
                }
            }
        }
        _ => return Err(YamlError::at(mark, "<< takes a mapping, or a list of them")),
    }
    Ok(())
}

fn unknown(tag: &str, mark: &Mark) -> YamlError {
    let short = tag.strip_prefix(OWN).map_or(tag.to_string(), |name| format!("!!{name}"));
    YamlError::at(mark, format!("the tag {short} is none that the harness knows; it knows {FUNCTION}"))
}

/// The kind that a tag makes of a scalar.
fn scalar_tag(tag: &str) -> Option<ScalarKind> {
    match tag.strip_prefix(OWN)? {
        "null" => Some(ScalarKind::Null),
        "bool" => Some(ScalarKind::Bool),
        "int" => Some(ScalarKind::Int),
        "float" => Some(ScalarKind::Float),
        "timestamp" => Some(ScalarKind::Timestamp),
        "str" => Some(ScalarKind::Text),
        _ => None,
    }
}

fn form(tag: Option<&str>, mark: &Mark, plain: Collection) -> Result<Collection, YamlError> {
    match tag.map(|tag| (tag, tag.strip_prefix(OWN))) {
        None | Some(("!", _)) => Ok(plain),
        Some((_, Some("seq"))) => Ok(Collection::List),
        Some((_, Some("map"))) => Ok(Collection::Map),
        Some((_, Some("omap" | "pairs"))) => Ok(Collection::Pairs),
        Some((_, Some("set"))) => Ok(Collection::Set),
        Some((FUNCTION, _)) => {
            Err(YamlError::at(mark, "!function names a function, as in !function utils.f"))
        }
        Some((tag, _)) => Err(unknown(tag, mark)),
    }
}

impl Yaml {
    /// Values and 64-byte pieces of text, itself included.
    fn size(&self) -> usize {
        match self {
            Yaml::Text(text) | Yaml::Large(text) | Yaml::Tagged(_, text) => 1 + text.len() / 64,
            Yaml::List(items) => 1 + items.iter().map(|item| item.value.size()).sum::<usize>(),
            Yaml::Map(map) => {
                1 + map.iter().map(|(key, node)| 1 + key.len() / 64 + node.value.size()).sum::<usize>()
            }
            _ => 1,
        }
    }

    /// As the key of a mapping.
    fn key(&self) -> Option<String> {
        match self {
            Yaml::Text(text) | Yaml::Large(text) | Yaml::Tagged(_, text) => Some(text.clone()),
            Yaml::Int(number) => Some(number.to_string()),
            Yaml::Float(number) => Some(format!("{number:?}")),
            Yaml::Bool(value) => Some(value.to_string()),
            Yaml::Null => Some("null".to_string()),
            Yaml::List(_) | Yaml::Map(_) => None,
        }
    }

    /// Its text, where it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Yaml::Text(text) => Some(text),
            _ => None,
        }
    }

    /// For templates and rows.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Yaml::Null | Yaml::Tagged(..) => serde_json::Value::Null,
            Yaml::Bool(value) => (*value).into(),
            Yaml::Int(number) => (*number).into(),
            Yaml::Float(number) => (*number).into(),
            Yaml::Text(text) | Yaml::Large(text) => text.as_str().into(),
            Yaml::List(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Yaml::Map(map) => map
                .iter()
                .map(|(key, node)| (key.clone(), node.value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

impl YamlNode {
    /// Every tag in it or below, with its line and what it is of.
    pub fn tags(&self, of: &str, out: &mut Vec<(usize, String, String)>) {
        match &self.value {
            Yaml::Tagged(tag, text) => {
                out.push((self.line, format!("{tag} {text}").trim().to_string(), of.to_string()))
            }
            Yaml::List(items) => items.iter().for_each(|item| item.tags(of, out)),
            Yaml::Map(map) => map.iter().for_each(|(key, node)| {
                node.tags(&if of.is_empty() { key.clone() } else { format!("{of}.{key}") }, out);
            }),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
