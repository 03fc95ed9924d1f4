//! JSON schemas: read, normalised and tried before a model is loaded.
//!
//! A schema is enforced or refused. [`normal`] decides what can be enforced and writes it in the one
//! dialect that the engine holds exactly; the engine itself is tried in a child process, since a hostile
//! schema could take its stack or its patience.

mod contradictions;
mod keys;
mod normal;
mod numbers;
mod objects;
mod places;
mod strings;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::mask::{TokenTable, UNSATISFIABLE};
use super::{GrammarError, ReadConstraint};
use crate::child::{self, ChildTrouble, Wait};
use crate::sampling::Constraint;
use crate::token::printable;

/// The hidden subcommand; the schema is on standard input.
pub const SUBCOMMAND: &str = "__try-schema";
/// A schema that takes longer is refused.
const PATIENCE: Duration = Duration::from_secs(10);
/// Unknown keywords that are named.
const MOST_NAMED: usize = 5;

/// White space that a reply may hold between two parts: a space, or line breaks with an indentation.
/// Without a bound a small model fills its context with it.
const WHITE_SPACE: &str = r"[ ]|\n{1,2}[ \t]{0,40}";

/// Something in a schema that can't be enforced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// JSON pointer of the keyword or value.
    pub pointer: String,
    /// Why.
    pub what: String,
}

impl Refusal {
    fn at(pointer: &str, what: impl Into<String>) -> Refusal {
        Refusal { pointer: pointer.to_string(), what: what.into() }
    }

    fn keyword(pointer: &str, name: &str) -> Refusal {
        Refusal::at(pointer, format!("{name} can't be enforced while a reply is written"))
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pointer: String = printable(&self.pointer).chars().take(300).collect();
        let pointer = if pointer.is_empty() { "the schema" } else { &pointer };
        let what: String = printable(&self.what).chars().take(500).collect();
        write!(f, "{pointer}: {what}")
    }
}

/// Reads a JSON schema and makes sure that it can be enforced.
///
/// # Errors
/// [`GrammarError`] with the file and the place in it.
pub fn read(path: &Path) -> Result<ReadConstraint, GrammarError> {
    let source = super::read_text(path)?;
    let wrong = |what: String| GrammarError::Schema { path: path.to_path_buf(), what };
    let document: Value =
        serde_json::from_str(&source).map_err(|error| wrong(format!("no JSON: {error}")))?;
    let normal = normalise(&document).map_err(|refusal| wrong(refusal.to_string()))?;
    try_aside(&document).map_err(wrong)?;
    let note = unknown_keywords(&document).map(|note| format!("{}: {note}", path.display()));
    Ok(ReadConstraint { constraint: Constraint::Schema(normal.into()), note })
}

/// Names the keywords that are none, and where they stand: what may stand in a schema, and changes nothing.
fn unknown_keywords(document: &Value) -> Option<String> {
    let unknown = normal::normalise(document, "").ok()?.unknown;
    let named: Vec<&str> = unknown.iter().map(String::as_str).take(MOST_NAMED).collect();
    let more = unknown.len() - named.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!named.is_empty())
        .then(|| format!("no keyword of a schema, so nothing is enforced by it: {}{more}", named.join(", ")))
}

/// The schema in the engine's dialect.
///
/// # Errors
/// [`Refusal`], what of it can't be enforced.
pub fn normalise(document: &Value) -> Result<String, Refusal> {
    normalise_part(document, "")
}

/// The part of a document at a pointer, as a schema of its own.
fn normalise_part(document: &Value, pointer: &str) -> Result<String, Refusal> {
    let mut normal = normal::normalise(document, pointer)?.schema;
    normal["x-guidance"] = json!({
        "whitespace_flexible": true,
        "whitespace_pattern": WHITE_SPACE,
        "coerce_one_of": false,
        "lenient": false,
        // A name that could be written in two ways could stand for a property that is taken.
        "json_allowed_escapes": "nrbtf\\\"",
    });
    Ok(normal.to_string())
}

/// The engine's reason with its place: that of the smallest part that nothing satisfies, or of the keyword
/// that it names.
fn with_place(what: String, document: &Value) -> String {
    if what == UNSATISFIABLE {
        return contradictions::explain(document).to_string();
    }
    let keyword = ["oneOf", "patternProperty"].into_iter().find(|name| what.contains(name));
    let keyword = keyword.map(|name| if name == "patternProperty" { "patternProperties" } else { name });
    let place = keyword.and_then(|keyword| place_of(keyword, document, String::new()));
    format!("{}: {what}", place.as_deref().unwrap_or("the schema"))
}

fn place_of(keyword: &str, part: &Value, pointer: String) -> Option<String> {
    match part {
        Value::Object(keys) if keys.contains_key(keyword) => Some(keys::below(&pointer, keyword)),
        Value::Object(keys) => {
            keys.iter().find_map(|(name, inner)| place_of(keyword, inner, keys::below(&pointer, name)))
        }
        Value::Array(list) => {
            let mut each = list.iter().enumerate();
            each.find_map(|(i, inner)| place_of(keyword, inner, format!("{pointer}/{i}")))
        }
        _ => None,
    }
}

/// The keyword of these that a misspelt one means.
fn meant<'a>(written: &str, keywords: &'a str) -> Option<&'a str> {
    let near = |keyword: &&str| {
        written.len() >= 4
            && (keyword.eq_ignore_ascii_case(written)
                || keyword.trim_start_matches('$') == written
                || transposed(written, keyword))
    };
    keywords.split(' ').find(near)
}

/// Whether two letters of one have changed places in the other, or one is missing, doubled or wrong.
fn transposed(a: &str, b: &str) -> bool {
    if a.len() < 5 || a.len().abs_diff(b.len()) > 1 {
        return false;
    }
    let same_start = a.bytes().zip(b.bytes()).take_while(|(a, b)| a == b).count();
    let same_end = a.bytes().rev().zip(b.bytes().rev()).take_while(|(a, b)| a == b).count();
    let (shorter, longer) = (a.len().min(b.len()), a.len().max(b.len()));
    let swapped = a.len() == b.len() && same_start + same_end + 2 == a.len() && {
        let (a, b) = (a.as_bytes(), b.as_bytes());
        a[same_start] == b[same_start + 1] && a[same_start + 1] == b[same_start]
    };
    same_start > 0 && (swapped || same_start + same_end >= shorter.min(longer - 1))
}

fn try_aside(document: &Value) -> Result<(), String> {
    let executable =
        std::env::current_exe().map_err(|error| format!("this program can't find itself: {error}"))?;
    let mut command = Command::new(executable);
    command.arg(SUBCOMMAND);
    let look = &mut || Ok::<(), Infallible>(());
    let wait = Wait { pulse: Duration::from_millis(2), patience: PATIENCE, look };
    let report = match child::run(&mut command, document.to_string().into_bytes(), wait) {
        Ok(report) => report,
        Err(ChildTrouble::Start(error)) => return Err(format!("trying it did not start: {error}")),
    };
    let Some(answer) = report.answer() else {
        // Another program than ours uses this library.
        return check(document);
    };
    match report.status.map(|status| status.code()) {
        Some(Some(0)) => Ok(()),
        Some(Some(2)) => Err(printable(answer.trim())),
        None => Err(format!("it is too large: to compile it takes more than {} s", PATIENCE.as_secs())),
        Some(_) => Err(format!("it can't be compiled: {}", child::death(&report.log, report.status))),
    }
}

/// Whether a schema can be enforced.
///
/// # Errors
/// Why not and where, in one line.
pub fn check(document: &Value) -> Result<(), String> {
    let normal = normalise(document).map_err(|refusal| refusal.to_string())?;
    try_schema(&normal).map_err(|what| with_place(what, document))
}

/// Whether a normalised schema can be compiled.
///
/// # Errors
/// The engine's reason, in one line.
fn try_schema(normal: &str) -> Result<(), String> {
    TokenTable::of_bytes()?.matcher(&Constraint::Schema(Arc::from(normal))).map(|_| ())
}

/// The child's side. Exit code 2: the schema can't be enforced, and standard output says why.
pub fn run_child() -> ExitCode {
    println!("{}", child::HELLO);
    let mut source = String::new();
    if std::io::stdin().lock().read_to_string(&mut source).is_err() {
        return ExitCode::FAILURE;
    }
    let document = serde_json::from_str(&source).map_err(|error| error.to_string());
    let (text, code) = match document.and_then(|document| check(&document)) {
        Ok(()) => (String::new(), ExitCode::SUCCESS),
        Err(what) => (what, ExitCode::from(2)),
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
