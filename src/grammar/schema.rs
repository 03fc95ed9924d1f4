//! JSON schemas as grammars, by llama.cpp's own converter in a child process: it recurses as deep as a
//! schema and its references go.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use super::GrammarError;
use crate::child;
use crate::token::printable;

/// The hidden subcommand; the schema is on standard input.
pub const SUBCOMMAND: &str = "__schema-to-grammar";
/// A schema that takes longer is hostile.
const PATIENCE: Duration = Duration::from_secs(20);

/// A grammar made from a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// The grammar.
    pub grammar: String,
    /// What of the schema the grammar does not enforce.
    pub warning: Option<String>,
}

/// Reads a JSON schema and has it turned into a grammar.
///
/// # Errors
/// [`GrammarError`] with the file.
pub fn read(path: &Path) -> Result<Converted, GrammarError> {
    let source = super::read_text(path)?;
    let wrong = |what: String| GrammarError::Schema { path: path.to_path_buf(), what };
    serde_json::from_str::<serde_json::Value>(&source).map_err(|error| wrong(format!("no JSON: {error}")))?;
    let converted = convert(source).map_err(wrong)?;
    super::check(&converted.grammar)
        .map_err(|fault| wrong(format!("the grammar it makes can't be used: {}", fault.what)))?;
    Ok(converted)
}

fn convert(source: String) -> Result<Converted, String> {
    let executable =
        std::env::current_exe().map_err(|error| format!("this program can't find itself: {error}"))?;
    let mut command = Command::new(executable);
    command.arg(SUBCOMMAND);
    let report = match child::run(&mut command, source.into_bytes(), PATIENCE, &|| false) {
        Ok(report) => report,
        Err(child::Trouble::Start(error)) => return Err(format!("the converter did not start: {error}")),
        Err(child::Trouble::Interrupted) => return Err("interrupted".to_string()),
    };
    let Some(answer) = report.answer() else {
        return Err("this program does not convert schemas".to_string());
    };
    match report.status.and_then(|status| status.code()) {
        Some(0) => Ok(Converted { grammar: answer.to_string(), warning: warning(&report.log) }),
        Some(2) => Err(printable(answer.trim())),
        _ => {
            let how = child::death(&report.log, report.status);
            Err(format!("llama.cpp can't turn it into a grammar; trying ended with: {how}"))
        }
    }
}

fn warning(log: &str) -> Option<String> {
    let line = log.lines().find_map(|line| line.strip_prefix("WARNING: "))?;
    Some(printable(line.trim()))
}

/// The child's side. Exit code 2: the schema has no grammar, and standard output says why.
pub fn run_child(convert: impl FnOnce(&str) -> Result<String, String>) -> ExitCode {
    println!("{}", child::HELLO);
    let mut source = String::new();
    if std::io::stdin().lock().read_to_string(&mut source).is_err() {
        return ExitCode::FAILURE;
    }
    let (text, code) = match convert(&source) {
        Ok(grammar) => (grammar, ExitCode::SUCCESS),
        Err(what) => (what, ExitCode::from(2)),
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}
