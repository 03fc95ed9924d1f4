//! YAML with tags and lines kept, its scalars read as Python's YAML reads them.
//!
//! The harness's files are YAML 1.1: `no` is false there, `1e3` a text. A tag such as `!function` stays a
//! tag: a library that took it for plain text would lie.

use std::collections::HashMap;

use indexmap::IndexMap;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

/// Nodes nested deeper than this are refused.
const MAX_DEPTH: usize = 64;

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// 1-based line.
    pub line: usize,
    /// The value.
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
    /// Another number.
    Float(f64),
    /// Text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping, in file order.
    Map(IndexMap<String, Node>),
    /// Something with a tag of its own, such as `!function`.
    Tagged(String, String),
}

/// What is wrong and in which line.
#[derive(Clone, Debug, PartialEq)]
pub struct YamlError {
    /// 1-based.
    pub line: usize,
    /// 1-based.
    pub column: usize,
    /// The reason.
    pub reason: String,
}

/// Reads the first document of a text.
///
/// # Errors
/// What is no YAML, and where.
pub fn parse(written: &str) -> Result<Node, YamlError> {
    let mut lines: Vec<String> = written.lines().map(str::to_string).collect();
    let deepest = written.lines().map(indentation).max().unwrap_or(0);
    let mut outcome = document(written);
    while let Err(error) = &outcome {
        let Some((line, spaces)) = shallow(&lines, error, deepest) else { break };
        lines[line].insert_str(0, &" ".repeat(spaces));
        outcome = document(&(lines.join("\n") + "\n"));
    }
    outcome.map_err(|error| {
        let line = error.line.saturating_sub(1);
        let before = written.lines().nth(line).map_or(0, str::len);
        let added = lines.get(line).map_or(0, String::len).saturating_sub(before);
        YamlError { column: error.column.saturating_sub(added).max(1), ..error }
    })
}

/// What the parser says of a quoted text that goes on further left than what it belongs to; its place is
/// where the text begins. Python's YAML allows that, and the white space there is folded away anyway.
const SHALLOW_TEXT: &str = "invalid indentation in quoted scalar";
/// What it says of brackets that go on further left; the place is where they go on. The white space there
/// means nothing.
const SHALLOW_BRACKETS: [&str; 2] = ["invalid indentation in flow construct", "invalid indentation"];

/// The line that an error is about and the spaces it lacks, if the error is of one of those kinds. No line
/// lacks any a second time.
fn shallow(lines: &[String], error: &YamlError, deepest: usize) -> Option<(usize, usize)> {
    let at = error.line.checked_sub(1).filter(|at| *at < lines.len())?;
    if SHALLOW_BRACKETS.contains(&error.reason.as_str()) {
        return (indentation(&lines[at]) <= deepest).then_some((at, deepest + 1));
    }
    if error.reason != SHALLOW_TEXT {
        return None;
    }
    let first = &lines[at];
    let wanted = (first.len() - first.trim_start_matches([' ', '-']).len()).max(1);
    let goes_on_left = |line: &String| !line.trim().is_empty() && indentation(line) < wanted;
    let next = lines[at + 1..].iter().position(goes_on_left)?;
    Some((at + 1 + next, wanted))
}

fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

fn document(text: &str) -> Result<Node, YamlError> {
    let mut reader = Reader { events: Parser::new_from_str(text), anchors: HashMap::new(), depth: 0 };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(_), _) => {}
            (Event::StreamEnd, span) => return Ok(Node { line: line(&span), value: Yaml::Null }),
            (event, span) => return reader.node(event, &span),
        }
    }
}

struct Reader<'a> {
    events: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, Node>,
    depth: usize,
}

fn line(span: &Span) -> usize {
    span.start.line()
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<(Event<'a>, Span), YamlError> {
        let next = self.events.next_event().ok_or(YamlError {
            line: 1,
            column: 1,
            reason: "the file ends in the middle of a value".to_string(),
        })?;
        next.map_err(|error| YamlError {
            line: error.marker().line(),
            column: error.marker().col() + 1,
            reason: error.info().to_string(),
        })
    }

    fn node(&mut self, event: Event<'a>, span: &Span) -> Result<Node, YamlError> {
        self.depth += 1;
        let wrong = |reason: &str| {
            Err(YamlError { line: line(span), column: span.start.col() + 1, reason: reason.to_string() })
        };
        if self.depth > MAX_DEPTH {
            return wrong("values are nested too deep");
        }
        let (anchor, value) = match event {
            Event::Alias(anchor) => match self.anchors.get(&anchor) {
                Some(node) => (0, node.value.clone()),
                None => return wrong("an alias of something that is not complete"),
            },
            Event::Scalar(text, style, anchor, tag) => (anchor, scalar(&text, style, tag.as_deref())),
            Event::SequenceStart(anchor, tag) => match own_tag(tag.as_deref()) {
                Some(name) => {
                    self.list()?;
                    (anchor, Yaml::Tagged(name, String::new()))
                }
                None => (anchor, Yaml::List(self.list()?)),
            },
            Event::MappingStart(anchor, tag) => match own_tag(tag.as_deref()) {
                Some(name) => {
                    self.map()?;
                    (anchor, Yaml::Tagged(name, String::new()))
                }
                None => (anchor, Yaml::Map(self.map()?)),
            },
            _ => return wrong("a value is missing"),
        };
        self.depth -= 1;
        let node = Node { line: line(span), value };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self) -> Result<Vec<Node>, YamlError> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(items),
                (event, span) => items.push(self.node(event, &span)?),
            }
        }
    }

    fn map(&mut self) -> Result<IndexMap<String, Node>, YamlError> {
        let mut own = IndexMap::new();
        let mut merged = IndexMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let is_merge = matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, _) if text == "<<");
            let key = self.node(event, &span)?;
            let (event, value_span) = self.next()?;
            let value = self.node(event, &value_span)?;
            if is_merge {
                merge(&mut merged, value);
            } else {
                // The key's line: a value may begin below it.
                own.insert(key.value.key(), Node { line: key.line, ..value });
            }
        }
        // What is written here wins over what is merged in.
        for (key, value) in merged {
            own.entry(key).or_insert(value);
        }
        Ok(own)
    }
}

fn merge(into: &mut IndexMap<String, Node>, value: Node) {
    match value.value {
        Yaml::Map(map) => {
            for (key, value) in map {
                into.entry(key).or_insert(value);
            }
        }
        Yaml::List(items) => items.into_iter().for_each(|item| merge(into, item)),
        _ => {}
    }
}

/// A tag that is not one of YAML's own.
fn own_tag(tag: Option<&Tag>) -> Option<String> {
    let tag =
        tag.filter(|tag| !tag.is_yaml_core_schema() && (tag.handle != "!" || !tag.suffix.is_empty()))?;
    Some(format!("{}{}", tag.handle, tag.suffix))
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Yaml {
    if let Some(name) = own_tag(tag) {
        return Yaml::Tagged(name, text.to_string());
    }
    let is_text = tag.is_some_and(|tag| tag.suffix == "str" || tag.handle == "!");
    if is_text || style != ScalarStyle::Plain { Yaml::Text(text.to_string()) } else { plain(text) }
}

/// A scalar without quotes, by the rules of PyYAML.
fn plain(text: &str) -> Yaml {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Yaml::Null,
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => return Yaml::Bool(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => return Yaml::Bool(false),
        _ => {}
    }
    integer(text)
        .map(Yaml::Int)
        .or_else(|| real(text).map(Yaml::Float))
        .unwrap_or_else(|| Yaml::Text(text.to_string()))
}

fn integer(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (digits, radix) = match unsigned {
        "0" => ("0", 10),
        _ if unsigned.starts_with("0b") => (&unsigned[2..], 2),
        _ if unsigned.starts_with("0x") => (&unsigned[2..], 16),
        _ if unsigned.starts_with('0') => (&unsigned[1..], 8),
        _ if unsigned.starts_with(|c: char| c.is_ascii_digit()) => (unsigned, 10),
        _ => return None,
    };
    let digits: String = digits.chars().filter(|c| *c != '_').collect();
    if digits.starts_with(['-', '+']) {
        return None;
    }
    i64::from_str_radix(&digits, radix).ok().map(|number| sign * number)
}

/// A number with a point; an exponent needs one, and a sign of its own.
fn real(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned {
        ".inf" | ".Inf" | ".INF" => return Some(sign * f64::INFINITY),
        ".nan" | ".NaN" | ".NAN" if text == unsigned => return Some(f64::NAN),
        _ => {}
    }
    let (mantissa, exponent) =
        unsigned.split_once(['e', 'E']).map_or((unsigned, None), |(m, e)| (m, Some(e)));
    let (whole, fraction) = mantissa.split_once('.')?;
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit() || c == '_');
    let signed = exponent.is_none_or(|exponent| {
        exponent.strip_prefix(['-', '+']).is_some_and(|digits| digits.parse::<u32>().is_ok())
    });
    let starts = whole.starts_with(|c: char| c.is_ascii_digit())
        || (whole.is_empty() && fraction.starts_with(|c: char| c.is_ascii_digit()));
    if !(digits(whole) && digits(fraction) && signed && starts) {
        return None;
    }
    let plain: String = unsigned.chars().filter(|c| *c != '_').collect();
    let plain = if plain.ends_with('.') { format!("{plain}0") } else { plain };
    plain.parse::<f64>().ok().map(|number| sign * number)
}

impl Yaml {
    /// As the key of a mapping.
    fn key(&self) -> String {
        match self {
            Yaml::Text(text) => text.clone(),
            Yaml::Int(number) => number.to_string(),
            Yaml::Float(number) => number.to_string(),
            Yaml::Bool(value) => value.to_string(),
            Yaml::Null => "null".to_string(),
            Yaml::List(_) | Yaml::Map(_) | Yaml::Tagged(..) => "?".to_string(),
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
            Yaml::Text(text) => text.as_str().into(),
            Yaml::List(items) => items.iter().map(|item| item.value.to_json()).collect(),
            Yaml::Map(map) => map
                .iter()
                .map(|(key, node)| (key.clone(), node.value.to_json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }
}

impl Node {
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
mod tests {
    use super::*;
    use serde_json::json;

    fn json(text: &str) -> serde_json::Value {
        parse(text).unwrap().value.to_json()
    }

    #[test]
    fn plain_scalars_are_pythons() {
        // yaml.safe_load("[...]") of the same list.
        assert_eq!(
            json(
                "[no, Yes, on, ~, null, 1, -2, 010, 0x1F, 0b11, 1_000, 1.5, -.5, 1e3, 1.0e+3, 1., a, 1.0.0, '1', \"no\"]"
            ),
            json!([
                false, true, true, null, null, 1, -2, 8, 31, 3, 1000, 1.5, -0.5, "1e3", 1000.0, 1.0, "a",
                "1.0.0", "1", "no"
            ])
        );
    }

    #[test]
    fn blocks_anchors_and_merges() {
        let text = "a: &x\n  k: 1\n  l: 2\nb:\n  <<: *x\n  l: 3\nc: |\n  two\n  lines\nd: \"\\n\"\ne: >-\n  folded\n  text\nf: *x\n";
        assert_eq!(
            json(text),
            json!({"a": {"k": 1, "l": 2}, "b": {"l": 3, "k": 1}, "c": "two\nlines\n", "d": "\n", "e": "folded text", "f": {"k": 1, "l": 2}})
        );
    }

    #[test]
    fn tags_stay_tags_with_their_lines() {
        let node = parse(
            "task: x\nprocess_docs: !function utils.f\nlist:\n  - aggregation: !function a.b\ns: !!str 1\n",
        )
        .unwrap();
        let mut tags = Vec::new();
        node.tags("", &mut tags);
        let tag = |line, tag: &str, of: &str| (line, tag.to_string(), of.to_string());
        assert_eq!(
            tags,
            [tag(2, "!function utils.f", "process_docs"), tag(4, "!function a.b", "list.aggregation")]
        );
        let Yaml::Map(map) = node.value else { panic!("a mapping") };
        assert_eq!(map["s"].value, Yaml::Text("1".to_string()));
    }

    #[test]
    fn a_quoted_text_may_go_on_at_the_beginning_of_a_line() {
        assert_eq!(json("a: 'x,\ny'\nb: \"p\nq\nr\"\nc: 1\n"), json!({"a": "x, y", "b": "p q r", "c": 1}));
    }

    #[test]
    fn brackets_and_texts_may_go_on_further_left() {
        // yaml.safe_load reads every one of these.
        assert_eq!(json("a: [\n\"x\",\n  y\n]\nb: {\n  c: 1\n}\n"), json!({"a": ["x", "y"], "b": {"c": 1}}));
        assert_eq!(
            json("f:\n  s: [\n    {\n      \"q\": 'x\n z'\n    }\n  ]\n"),
            json!({"f": {"s": [{"q": "x z"}]}})
        );
        assert_eq!(
            json("f:\n  s:\n    - q: 'one\n  two'\n      a: \"c\n d\n\n   e\"\n"),
            json!({"f": {"s": [{"q": "one two", "a": "c d\ne"}]}})
        );
    }

    #[test]
    fn a_place_is_that_of_the_file_also_below_lines_that_go_on_further_left() {
        let error = parse("a: [\nx\n]\nb: [\n1\n}\n").unwrap_err();
        assert_eq!((error.line, error.column), (6, 1), "{error:?}");
    }

    #[test]
    fn broken_yaml_has_a_place() {
        let error = parse("a: 1\nb: [1, 2\nc: 3\n").unwrap_err();
        assert!(error.line >= 2, "{error:?}");
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(parse(&deep).unwrap_err().reason.contains("nested too deep"));
    }
}
