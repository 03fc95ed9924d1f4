//! Commands about texts of their own.

use super::unread::{Unread, wrong};
use super::{Command, Premise};

pub(super) fn step(text: &str) -> Result<Command, Unread> {
    match text.trim() {
        "" => Err(Unread::Missing),
        text => match text.parse() {
            Ok(n) if n > 0 => Ok(Command::Step(n)),
            _ => wrong("write the number of a candidate, from 1 on"),
        },
    }
}

pub(super) fn compare(text: &str) -> Result<Command, Unread> {
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
    Ok(Command::Compare(texts))
}

pub(super) fn rescore(text: String) -> Command {
    Command::Rescore(match text.strip_prefix("system ") {
        Some(system) => Premise::System(system.trim().to_string()),
        None => Premise::Question(text),
    })
}
