//! Slash commands: one table, one parser, one completion, for the TUI's composer and the REPL.
//!
//! Plain data; [`crate::session`] carries them out.

use thiserror::Error;

use crate::chat::system;
use crate::settings::key::Key;
use crate::text::nearest;

/// A command a person can give in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// List the commands, or explain one.
    Help(Option<String>),
    /// Show, set or (with `none`) remove the system prompt.
    System(Option<String>),
    /// Show every setting, or one, or change one.
    Set(Option<(Key, Option<String>)>),
    /// Forget the conversation.
    Clear,
    /// Answer the last message again, with another seed.
    Retry,
    /// Leave.
    Quit,
}

/// What may follow a command's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Argument {
    None,
    Command,
    System,
    Setting,
}

/// One row of the table of commands.
#[derive(Debug)]
pub struct Spec {
    /// With its slash.
    pub name: &'static str,
    /// What follows it.
    pub usage: &'static str,
    /// One line.
    pub help: &'static str,
    argument: Argument,
}

/// Every command, in the order of help texts.
pub const COMMANDS: &[Spec] = &[
    Spec {
        name: "/help",
        usage: "[COMMAND]",
        help: "list the commands, or explain one",
        argument: Argument::Command,
    },
    Spec {
        name: "/system",
        usage: "[NAME|TEXT|none]",
        help: "show or set the system prompt; it holds from the next message on",
        argument: Argument::System,
    },
    Spec {
        name: "/set",
        usage: "[SETTING [VALUE]]",
        help: "show or change a setting: /set temp 0.7",
        argument: Argument::Setting,
    },
    Spec {
        name: "/clear",
        usage: "",
        help: "forget the conversation; keep the system prompt",
        argument: Argument::None,
    },
    Spec {
        name: "/retry",
        usage: "",
        help: "answer the last message again, with another seed",
        argument: Argument::None,
    },
    Spec { name: "/quit", usage: "", help: "leave", argument: Argument::None },
];

/// A line that begins with a slash and is no command.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum CommandError {
    /// No such command.
    #[error("{name} is no command; {hint}")]
    Unknown {
        /// What was written.
        name: String,
        /// The nearest, or where to look.
        hint: String,
    },
    /// A command that takes nothing got something.
    #[error("{name} takes no argument")]
    Unexpected {
        /// The command.
        name: &'static str,
    },
    /// A setting that does not exist.
    #[error("{0}")]
    Setting(String),
}

/// A proposal for what stands at the end of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The whole line with the proposal in place.
    pub line: String,
    /// What is shown in a list.
    pub label: String,
    /// What it does or holds.
    pub help: String,
}

/// Reads a line as a command; `None` where it does not begin with a slash. A line that begins with
/// two slashes is text that begins with one.
pub fn parse(line: &str) -> Option<Result<Command, CommandError>> {
    let line = line.trim();
    if !line.starts_with('/') || line.starts_with("//") {
        return None;
    }
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    Some(parse_named(name, rest.trim()))
}

fn parse_named(name: &str, rest: &str) -> Result<Command, CommandError> {
    let spec = COMMANDS.iter().find(|spec| spec.name == name).ok_or_else(|| unknown(name))?;
    if spec.argument == Argument::None && !rest.is_empty() {
        return Err(CommandError::Unexpected { name: spec.name });
    }
    let argument = (!rest.is_empty()).then(|| rest.to_string());
    Ok(match spec.name {
        "/help" => Command::Help(argument),
        "/system" => Command::System(argument),
        "/set" => Command::Set(parse_setting(rest)?),
        "/clear" => Command::Clear,
        "/retry" => Command::Retry,
        _ => Command::Quit,
    })
}

fn unknown(name: &str) -> CommandError {
    let hint = match nearest(name, COMMANDS.iter().map(|spec| spec.name)) {
        Some(near) => format!("did you mean {near}?"),
        None => "/help lists them".to_string(),
    };
    CommandError::Unknown { name: name.to_string(), hint }
}

/// `KEY VALUE` or `KEY=VALUE`.
fn parse_setting(rest: &str) -> Result<Option<(Key, Option<String>)>, CommandError> {
    if rest.is_empty() {
        return Ok(None);
    }
    let (name, value) = rest.split_once(|c: char| c.is_whitespace() || c == '=').unwrap_or((rest, ""));
    let key = Key::named(name).map_err(|error| CommandError::Setting(error.to_string()))?;
    let value = value.trim();
    Ok(Some((key, (!value.is_empty()).then(|| value.to_string()))))
}

/// Proposals for a line that may become a command, best first.
pub fn complete(line: &str) -> Vec<Completion> {
    if !line.starts_with('/') || line.starts_with("//") || line.contains('\n') {
        return Vec::new();
    }
    match line.split_once(' ') {
        None => COMMANDS
            .iter()
            .filter(|spec| spec.name.starts_with(line))
            .map(|spec| completion(String::new(), spec.name, &format!("{} {}", spec.usage, spec.help)))
            .collect(),
        Some((name, rest)) => {
            let argument = COMMANDS.iter().find(|spec| spec.name == name).map(|spec| spec.argument);
            argument.map_or_else(Vec::new, |argument| complete_argument(argument, name, rest))
        }
    }
}

fn complete_argument(argument: Argument, name: &str, rest: &str) -> Vec<Completion> {
    let before = format!("{name} ");
    let matching = |label: &&str| label.starts_with(rest);
    match argument {
        Argument::None => Vec::new(),
        Argument::Command => COMMANDS
            .iter()
            .filter(|spec| spec.name[1..].starts_with(rest.trim_start_matches('/')))
            .map(|spec| completion(before.clone(), &spec.name[1..], spec.help))
            .collect(),
        Argument::System => system::names()
            .chain(["none"])
            .filter(matching)
            .map(|label| completion(before.clone(), label, ""))
            .collect(),
        Argument::Setting => Key::ALL
            .into_iter()
            .filter(|key| key.name().starts_with(rest))
            .map(|key| completion(before.clone(), key.name(), key.range()))
            .collect(),
    }
}

fn completion(before: String, label: &str, help: &str) -> Completion {
    Completion { line: before + label, label: label.to_string(), help: help.trim().to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_command() {
        assert_eq!(parse("hello"), None);
        assert_eq!(parse("//usr/bin is a path"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn every_command_of_the_table_parses() {
        for spec in COMMANDS {
            assert!(parse(spec.name).unwrap().is_ok(), "{}", spec.name);
        }
    }

    #[test]
    fn settings_are_written_either_way() {
        let expected = Command::Set(Some((Key::Temp, Some("0.5".to_string()))));
        assert_eq!(parse("/set temp 0.5"), Some(Ok(expected.clone())));
        assert_eq!(parse(" /set temp=0.5 "), Some(Ok(expected)));
        assert_eq!(parse("/set temp"), Some(Ok(Command::Set(Some((Key::Temp, None))))));
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        let message = |line: &str| parse(line).unwrap().unwrap_err().to_string();
        assert_eq!(message("/hlep"), "/hlep is no command; did you mean /help?");
        assert_eq!(message("/xylophone"), "/xylophone is no command; /help lists them");
        assert_eq!(message("/clear all"), "/clear takes no argument");
        assert_eq!(message("/set tmp 1"), "no setting is called tmp; did you mean temp?");
    }

    #[test]
    fn completion_follows_what_is_written() {
        let labels = |line: &str| complete(line).into_iter().map(|c| c.line).collect::<Vec<_>>();
        assert_eq!(labels("/se"), ["/set"]);
        assert_eq!(labels("/set top-"), ["/set top-k", "/set top-p", "/set top-n-sigma"]);
        assert_eq!(labels("/help qu"), ["/help quit"]);
        assert!(labels("hello").is_empty() && labels("/clear ").is_empty());
    }
}
