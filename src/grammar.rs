//! Grammars, JSON schemas and regular expressions that constrain a reply, read and checked before a model
//! sees them.
//!
//! llama.cpp's grammar parser writes a faulty grammar to standard error, recurses as deep as a grammar
//! nests, and multiplies repetitions out; some grammars would end the process or fill the memory. What
//! is read here is checked completely first, so that a fault has a line and a column and llama.cpp gets
//! nothing it can't digest. Schemas and regular expressions are enforced by [`mask`]; what it can't enforce is
//! refused in [`schema`] and [`pattern`]. Must not run a model.

mod analysis;
mod error;
pub mod mask;
mod parse;
pub mod pattern;
pub mod schema;
mod text;

use std::path::{Path, PathBuf};

use crate::sampling::{Constraint, RegularExpression};
pub use error::{GrammarError, GrammarFault};
pub use text::ReadConstraint;
use text::read_text;

/// Where the constraint of a reply is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConstraintSource {
    /// A GBNF file.
    Grammar(PathBuf),
    /// A file that holds a JSON schema.
    JsonSchema(PathBuf),
    /// A regular expression that a whole reply must match.
    Regex(String),
}

impl ConstraintSource {
    /// Reads and checks it; a schema is tried in a child process, which may take seconds.
    ///
    /// # Errors
    /// [`GrammarError`], one line.
    pub fn read(&self) -> Result<ReadConstraint, GrammarError> {
        let silent = |constraint| ReadConstraint { constraint, note: None };
        match self {
            ConstraintSource::Grammar(path) => read(path).map(silent),
            ConstraintSource::JsonSchema(path) => schema::read(path),
            ConstraintSource::Regex(source) => regex(source).map(silent),
        }
    }
}

/// Reads a GBNF grammar and makes sure that llama.cpp will take it.
///
/// # Errors
/// [`GrammarError`] with the file and, for a faulty grammar, line and column.
pub fn read(path: &Path) -> Result<Constraint, GrammarError> {
    let source = read_text(path)?;
    match check(&source) {
        Ok(()) => Ok(Constraint::Gbnf(source.into())),
        Err(fault) => Err(GrammarError::Faulty { path: path.to_path_buf(), fault }),
    }
}

/// The constraint of a regular expression that a whole reply must match.
///
/// # Errors
/// [`GrammarError::Regex`] with the column.
pub fn regex(source: &str) -> Result<Constraint, GrammarError> {
    let wrong = |column: usize, what: String| GrammarError::Regex { from: "", column, what };
    let pattern = pattern::translate(source, pattern::Extent::Whole)
        .map_err(|fault| wrong(fault.column, fault.what))?;
    let constraint = Constraint::Regex(RegularExpression { source: source.to_string(), pattern }.into());
    let tried = mask::TokenTable::of_bytes().and_then(|table| table.matcher(&constraint));
    tried.map(|_| constraint).map_err(|what| wrong(1, what))
}

/// Whether llama.cpp will take a grammar whose first rule is `root`.
///
/// # Errors
/// The first fault.
pub fn check(source: &str) -> Result<(), GrammarFault> {
    let grammar = parse::parse(source)?;
    analysis::check(source, &grammar)
}

/// The tokens that a grammar names (`<|im_end|>`), with their angle brackets. A grammar that does not
/// parse names none.
pub fn named_tokens(source: &str) -> Vec<String> {
    parse::parse(source).map(|grammar| grammar.named_tokens).unwrap_or_default()
}

#[cfg(test)]
mod tests;
