//! One line after the other: events, or what is wrong with them.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::event::LogEvent;

/// A line as far as it could be read.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "one at a time is made, and taken at once")]
pub(super) enum ReadLine {
    Event(LogEvent),
    /// A type that this program does not know.
    Unknown,
    /// It is damaged: what is wrong with it, and whether it held a token, whose number must be kept.
    Damaged(String, bool),
}

/// How every line of a token begins.
pub(super) const STEP: &[u8] = br#"{"type":"step","#;

/// The type of a line.
#[derive(Deserialize)]
struct LineType {
    #[serde(rename = "type")]
    kind: String,
}

/// Reads a line. An enum with a tag would be read into memory as a whole before its fields are looked at,
/// which takes three times as long.
pub(super) fn read(line: &[u8]) -> ReadLine {
    let is_step = line.starts_with(STEP);
    let kind = if is_step { Ok("step".to_string()) } else { kind(line) };
    let event = match kind.as_deref() {
        Ok("step") => parsed(line).map(LogEvent::Step),
        Ok("vocab") => parsed(line).map(LogEvent::Vocab),
        Ok("turn") => parsed(line).map(LogEvent::Turn),
        Ok("session") => parsed(line).map(LogEvent::Session),
        Ok("fork") => parsed(line).map(LogEvent::Fork),
        Ok("head") => parsed(line).map(LogEvent::Head),
        Ok("name") => parsed(line).map(LogEvent::Name),
        Ok("prune") => parsed(line).map(LogEvent::Prune),
        Ok("setting") => parsed(line).map(LogEvent::Setting),
        Ok("intervention") => parsed(line).map(LogEvent::Intervention),
        Ok("verdict") => parsed(line).map(LogEvent::Verdict),
        Ok("pin") => parsed(line).map(LogEvent::Pin),
        Ok(_) => return ReadLine::Unknown,
        Err(reason) => Err(reason.clone()),
    };
    match event {
        Ok(event) => ReadLine::Event(event),
        Err(reason) => ReadLine::Damaged(reason, is_step),
    }
}

fn kind(line: &[u8]) -> Result<String, String> {
    parsed::<LineType>(line).map(|typed| typed.kind)
}

fn parsed<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|error| {
        // The line is the file's: its own line is always the first.
        let text = error.to_string();
        text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_string())
    })
}
