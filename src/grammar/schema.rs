//! JSON schemas: read, normalised and tried before a model is loaded.
//!
//! A schema is enforced or refused. [`normal`] decides what can be enforced and writes it in the one
//! dialect that the engine holds exactly; the engine itself is tried in a child process, since a hostile
//! schema could take its stack or its patience.

mod compile;
mod contradictions;
mod keys;
mod misspelt;
mod normal;
mod numbers;
mod objects;
mod places;
mod refusal;
mod strings;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use serde_json::Value;

use super::error::GrammarError;
use super::mask::UNSATISFIABLE;
use super::text::{ReadConstraint, read_text};
use crate::child::{self, ChildTrouble, Wait};
use crate::sampling::Constraint;
use crate::token::printable;
use compile::{normalise_part, try_schema};
pub use refusal::Refusal;

/// The hidden subcommand; the schema is on standard input.
pub const SUBCOMMAND: &str = "__try-schema";
/// A schema that takes longer is refused.
const PATIENCE: Duration = Duration::from_secs(10);
/// Unknown keywords that are named.
const MOST_NAMED: usize = 5;

/// Reads a JSON schema and makes sure that it can be enforced.
///
/// # Errors
/// [`GrammarError`] with the file and the place in it.
pub fn read(path: &Path) -> Result<ReadConstraint, GrammarError> {
    let source = read_text(path)?;
    let wrong = |what: String| GrammarError::Schema { path: path.to_path_buf(), what };
    let document: Value =
        serde_json::from_str(&source).map_err(|error| wrong(format!("no JSON: {error}")))?;
    let constraint = of_document(&document).map_err(wrong)?;
    let note = unknown_keywords(&document).map(|note| format!("{}: {note}", path.display()));
    Ok(ReadConstraint { constraint, note })
}

/// The constraint of a schema that was read, tried in a child process.
///
/// # Errors
/// Why it can't be enforced and where, in one line.
pub fn of_document(document: &Value) -> Result<Constraint, String> {
    let normal = normalise(document).map_err(|refusal| refusal.to_string())?;
    try_aside(document)?;
    Ok(Constraint::Schema(normal.into()))
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
