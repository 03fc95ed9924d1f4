//! Commands about texts of their own.

use super::unread::{Unread, wrong};

/// What a reply could have been an answer to.
#[derive(Clone, Debug, PartialEq)]
pub enum Premise {
    /// Another last question.
    Question(String),
    /// Another system prompt: a name, a text or `none`.
    System(String),
}

pub(super) fn step(text: &str) -> Result<usize, Unread> {
    match text.trim() {
        "" => Err(Unread::Missing),
        text => match text.parse() {
            Ok(n) if n > 0 => Ok(n),
            _ => wrong("write the number of a candidate, from 1 on"),
        },
    }
}

pub(super) fn compare(text: &str) -> Result<Vec<String>, Unread> {
    if text.is_empty() {
        return Err(Unread::Missing);
    }
    let texts: Vec<String> = text
        .split("|||")
        .enumerate()
        // The spaces around the bars belong to the bars.
        .map(|(i, part)| if i > 0 { part.strip_prefix(' ').unwrap_or(part) } else { part })
        .map(|part| part.strip_suffix(' ').unwrap_or(part).to_string())
        .collect();
    if texts.len() < 2 || texts.iter().any(String::is_empty) {
        return wrong("write two or more texts with ||| between them");
    }
    Ok(texts)
}

pub(super) fn premise(text: String) -> Premise {
    match text.strip_prefix("system ") {
        Some(system) => Premise::System(system.trim().to_string()),
        None => Premise::Question(text),
    }
}
