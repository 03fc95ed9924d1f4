//! What is said when a template does not compile or does not render.

use minijinja::{Environment, Error};
use thiserror::Error as ThisError;

use super::source::TemplateSource;
use crate::text::line_and_column;

/// Characters of an excerpt on each side of the place it is about.
const EXCERPT: usize = 30;

/// What kind of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The template is not Jinja.
    Syntax,
    /// The template called `raise_exception`: it refuses its input.
    Raised,
    /// Too much work, memory or nesting.
    Limit,
    /// Anything else that went wrong while rendering.
    Runtime,
}

/// A template that does not compile or does not render, as one line.
#[derive(Clone, Debug, PartialEq, ThisError)]
#[error("{}", self.line_of_text())]
pub struct TemplateError {
    /// The template's name.
    pub name: String,
    /// What kind of trouble it is.
    pub kind: ErrorKind,
    /// What is wrong.
    pub reason: String,
    /// 1-based line in the template.
    pub line: Option<usize>,
    /// 1-based column in characters.
    pub column: Option<usize>,
    /// The text around the place.
    pub excerpt: Option<String>,
}

impl TemplateError {
    pub(super) fn new(name: &str, source: &TemplateSource, error: &Error) -> TemplateError {
        let (kind, reason) = describe(error);
        let place = error.range().map(|range| source.written_offset(range.start));
        match place.filter(|_| error.line().is_some()) {
            Some(place) => TemplateError::at(name, source, place, kind, reason),
            None => {
                let line = error.line();
                let excerpt = line.and_then(|line| excerpt(&source.written, line, 1));
                TemplateError { name: name.to_string(), kind, reason, line, column: None, excerpt }
            }
        }
    }

    /// Refuses a template that is deeper than the engine can go without running out of stack.
    pub(super) fn bound(name: &str, source: &TemplateSource) -> Result<(), TemplateError> {
        let Some(place) = source.too_deep else { return Ok(()) };
        let reason = format!(
            "more than {} operators, brackets or blocks inside one another; take it apart with set",
            super::depth::MOST
        );
        Err(TemplateError::at(name, source, place, ErrorKind::Limit, reason))
    }

    fn at(
        name: &str,
        source: &TemplateSource,
        place: usize,
        kind: ErrorKind,
        reason: String,
    ) -> TemplateError {
        let (line, column) = line_and_column(&source.written, place);
        let excerpt = excerpt(&source.written, line, column);
        TemplateError {
            name: name.to_string(),
            kind,
            reason,
            line: Some(line),
            column: Some(column),
            excerpt,
        }
    }

    fn line_of_text(&self) -> String {
        let mut text = self.name.clone();
        if let Some(line) = self.line {
            text.push_str(&format!(", line {line}"));
        }
        if let Some(column) = self.column {
            text.push_str(&format!(", column {column}"));
        }
        text.push_str(": ");
        text.push_str(&self.reason);
        if let Some(excerpt) = &self.excerpt {
            text.push_str(&format!(" (at `{excerpt}`)"));
        }
        text
    }
}

/// The part of a line around a column.
fn excerpt(text: &str, line: usize, column: usize) -> Option<String> {
    let line: Vec<char> = text.lines().nth(line.checked_sub(1)?)?.chars().collect();
    let from = column.saturating_sub(1 + EXCERPT);
    let to = (column + EXCERPT).min(line.len());
    let shown: String = line.get(from..to)?.iter().collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_string())
}

fn describe(error: &Error) -> (ErrorKind, String) {
    if let Some(raised) = raised(error) {
        return (ErrorKind::Raised, raised);
    }
    let kind = match error.kind() {
        minijinja::ErrorKind::SyntaxError | minijinja::ErrorKind::BadEscape => ErrorKind::Syntax,
        minijinja::ErrorKind::OutOfFuel => ErrorKind::Limit,
        _ => ErrorKind::Runtime,
    };
    let reason = match (kind, error.detail()) {
        (ErrorKind::Limit, _) => {
            "the template does more work than any real one; it may never end".to_string()
        }
        (_, Some(detail)) => format!("{}: {detail}", error.kind()),
        (_, None) => error.kind().to_string(),
    };
    (kind, reason)
}

/// The message of `raise_exception`, wherever in the chain of causes it is.
fn raised(error: &Error) -> Option<String> {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(raised) = error.downcast_ref::<RaisedReason>() {
            return Some(raised.0.clone());
        }
        cause = error.source();
    }
    None
}

/// What a template said when it refused its input.
#[derive(Debug, ThisError)]
#[error("{0}")]
struct RaisedReason(String);

/// Adds `raise_exception`.
pub(super) fn install(environment: &mut Environment<'static>) {
    environment.add_function("raise_exception", |message: String| -> Result<minijinja::Value, Error> {
        let error = Error::new(minijinja::ErrorKind::InvalidOperation, message.clone());
        Err(error.with_source(RaisedReason(message)))
    });
}
