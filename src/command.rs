//! Slash commands: one table, one parser, one completion, for the TUI's composer and the REPL.
//!
//! Plain data; [`crate::session`] carries them out.

use thiserror::Error;

use crate::chat::system;
use crate::files::{self, Existing};
use crate::glossary::FIGURES;
use crate::model::ALIASES;
use crate::probe::shipped::SUITES;
use crate::settings::key::Key;
use crate::text::nearest;

/// A command a person can give in a conversation.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// List the commands, or explain one.
    Help(Option<String>),
    /// Say what the figures mean, or one of them.
    Explain(Option<String>),
    /// Show, set or (with `none`) remove the system prompt.
    System(Option<String>),
    /// Show the rendered prompt.
    Prompt,
    /// Show every setting, or one, or change one.
    Set(Option<(Key, Option<String>)>),
    /// Forget the conversation.
    Clear,
    /// Answer the last message again, with another seed.
    Retry,
    /// What comes after a text.
    Next(String),
    /// Accept a candidate of the last table by its number, and see what comes after it.
    Step(usize),
    /// How likely a text is, token by token.
    Score(String),
    /// Which of several texts the model prefers.
    Compare(Vec<String>),
    /// Continue a text.
    Generate(String),
    /// The tokens of a text.
    Tokens(String),
    /// Run a suite of probes: its name or its file.
    Probe(String),
    /// Score the last reply under another question or system prompt.
    Rescore(Premise),
    /// Say something in the conversation.
    Chat(String),
    /// Show or change the model.
    Model(Option<String>),
    /// Keep the conversation in a file.
    Save(String, Existing),
    /// Take a conversation from a file.
    Load(String, Existing),
    /// Write every token's figures to a file.
    Export(String, Existing),
    /// Show what was written before.
    History,
    /// Leave.
    Quit,
}

/// What a reply could have been an answer to.
#[derive(Clone, Debug, PartialEq)]
pub enum Premise {
    /// Another last question.
    Question(String),
    /// Another system prompt: a name, a text or `none`.
    System(String),
}

/// What may follow a command's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Argument {
    /// Nothing.
    None,
    /// The name of a command.
    Command,
    /// The name of a figure.
    Figure,
    /// A system prompt.
    System,
    /// A setting and its value.
    Setting,
    /// Text, taken as it is.
    Text,
    /// A number.
    Number,
    /// A model.
    Model,
    /// A suite of probes.
    Suite,
    /// A file.
    File,
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
    /// What kind of thing follows it.
    pub argument: Argument,
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
        name: "/explain",
        usage: "[FIGURE]",
        help: "say what the figures mean, or one of them: /explain margin",
        argument: Argument::Figure,
    },
    Spec {
        name: "/next",
        usage: "TEXT",
        help: "what comes after a text: the candidates and their probabilities",
        argument: Argument::Text,
    },
    Spec {
        name: "/step",
        usage: "N",
        help: "accept candidate N of the last table, as on a phone keyboard, and look again",
        argument: Argument::Number,
    },
    Spec {
        name: "/score",
        usage: "TEXT",
        help: "how likely a text is, token by token",
        argument: Argument::Text,
    },
    Spec {
        name: "/compare",
        usage: "A ||| B",
        help: "which text the model prefers: by sum, per token, per byte, mutual information",
        argument: Argument::Text,
    },
    Spec {
        name: "/generate",
        usage: "TEXT",
        help: "continue a text with the present settings",
        argument: Argument::Text,
    },
    Spec {
        name: "/tokens",
        usage: "TEXT",
        help: "the tokens of a text: ids and bytes",
        argument: Argument::Text,
    },
    Spec {
        name: "/probe",
        usage: "SUITE|FILE",
        help: "run a suite of probes on this model: what it expects, and what was found",
        argument: Argument::Suite,
    },
    Spec {
        name: "/chat",
        usage: "TEXT",
        help: "say something in the conversation",
        argument: Argument::Text,
    },
    Spec {
        name: "/retry",
        usage: "",
        help: "answer the last message again, with another seed",
        argument: Argument::None,
    },
    Spec {
        name: "/rescore",
        usage: "[system] TEXT",
        help: "score the last reply as the answer to another question (or under another system prompt)",
        argument: Argument::Text,
    },
    Spec {
        name: "/system",
        usage: "[NAME|TEXT|none]",
        help: "show or set the system prompt; it holds from the next message on",
        argument: Argument::System,
    },
    Spec {
        name: "/prompt",
        usage: "",
        help: "show all that the model reads: your messages in its chat template, special tokens and all",
        argument: Argument::None,
    },
    Spec {
        name: "/set",
        usage: "[SETTING [VALUE]]",
        help: "show or change a setting: /set temp 0.7",
        argument: Argument::Setting,
    },
    Spec { name: "/model", usage: "[MODEL]", help: "show or change the model", argument: Argument::Model },
    Spec {
        name: "/clear",
        usage: "",
        help: "forget the conversation; keep the system prompt",
        argument: Argument::None,
    },
    Spec {
        name: "/save",
        usage: "FILE",
        help: "keep the conversation in a file: texts, ids and figures; /save! replaces a file",
        argument: Argument::File,
    },
    Spec {
        name: "/load",
        usage: "FILE",
        help: "take a conversation from a file, figures and all; /load! gives an unsaved one up for it",
        argument: Argument::File,
    },
    Spec {
        name: "/export",
        usage: "FILE",
        help: "write every token's figures: .jsonl, .csv, or .md for a transcript; /export! replaces a file",
        argument: Argument::File,
    },
    Spec { name: "/history", usage: "", help: "show what was written before", argument: Argument::None },
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
    /// A command that needs something got nothing.
    #[error("{name} needs {usage}")]
    Missing {
        /// The command.
        name: &'static str,
        /// What should follow.
        usage: &'static str,
    },
    /// Something is not what it should be.
    #[error("{name} {usage}: {reason}")]
    Malformed {
        /// The command.
        name: &'static str,
        /// What should follow.
        usage: &'static str,
        /// What is wrong.
        reason: &'static str,
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
/// two slashes is text that begins with one. Text after a command is taken as it is, but for the one
/// space before it: white space at its end is part of a prompt.
pub fn parse(line: &str) -> Option<Result<Command, CommandError>> {
    let line = line.trim_start();
    if !line.starts_with('/') || line.starts_with("//") {
        return None;
    }
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    Some(parse_named(name, rest))
}

/// The command of a name. One that writes or takes a file may have an exclamation mark: what is there
/// makes room.
pub fn spec(name: &str) -> Option<&'static Spec> {
    let with_mark =
        |spec: &&Spec| spec.argument == Argument::File && name.strip_suffix('!') == Some(spec.name);
    COMMANDS.iter().find(|spec| spec.name == name || with_mark(spec))
}

fn parse_named(name: &str, text: &str) -> Result<Command, CommandError> {
    let spec = spec(name).ok_or_else(|| unknown(name))?;
    let existing = if name == spec.name { Existing::Keep } else { Existing::Replace };
    let rest = text.trim();
    if spec.argument == Argument::None && !rest.is_empty() {
        return Err(CommandError::Unexpected { name: spec.name });
    }
    let argument = (!rest.is_empty()).then(|| rest.to_string());
    let needed = || argument.clone().ok_or(CommandError::Missing { name: spec.name, usage: spec.usage });
    // A prompt may be white space alone.
    let needed_text = || match text.is_empty() {
        true => Err(CommandError::Missing { name: spec.name, usage: spec.usage }),
        false => Ok(text.to_string()),
    };
    Ok(match spec.name {
        "/help" => Command::Help(argument),
        "/next" => Command::Next(needed_text()?),
        "/explain" => Command::Explain(argument),
        "/step" => Command::Step(number(spec, &needed()?)?),
        "/score" => Command::Score(needed_text()?),
        "/compare" => Command::Compare(texts(spec, &needed_text()?)?),
        "/generate" => Command::Generate(needed_text()?),
        "/tokens" => Command::Tokens(needed_text()?),
        "/probe" => Command::Probe(needed()?),
        "/chat" => Command::Chat(needed()?),
        "/rescore" => Command::Rescore(premise(needed()?)),
        "/system" => Command::System(argument),
        "/prompt" => Command::Prompt,
        "/set" => Command::Set(parse_setting(rest)?),
        "/model" => Command::Model(argument),
        "/clear" => Command::Clear,
        "/retry" => Command::Retry,
        "/save" => Command::Save(needed()?, existing),
        "/load" => Command::Load(needed()?, existing),
        "/export" => Command::Export(needed()?, existing),
        "/history" => Command::History,
        _ => Command::Quit,
    })
}

fn malformed(spec: &Spec, reason: &'static str) -> CommandError {
    CommandError::Malformed { name: spec.name, usage: spec.usage, reason }
}

fn number(spec: &Spec, text: &str) -> Result<usize, CommandError> {
    match text.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(malformed(spec, "write the number of a candidate, from 1 on")),
    }
}

fn texts(spec: &Spec, text: &str) -> Result<Vec<String>, CommandError> {
    let texts: Vec<String> = text
        .split("|||")
        .enumerate()
        // The spaces around the bars belong to the bars.
        .map(|(i, part)| if i > 0 { part.strip_prefix(' ').unwrap_or(part) } else { part })
        .map(|part| part.strip_suffix(' ').unwrap_or(part).to_string())
        .collect();
    if texts.len() < 2 || texts.iter().any(String::is_empty) {
        return Err(malformed(spec, "write two or more texts with ||| between them"));
    }
    Ok(texts)
}

fn premise(text: String) -> Premise {
    match text.strip_prefix("system ") {
        Some(system) => Premise::System(system.trim().to_string()),
        None => Premise::Question(text),
    }
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
            let argument = spec(name).map(|spec| spec.argument);
            argument.map_or_else(Vec::new, |argument| complete_argument(argument, name, rest))
        }
    }
}

/// Where a line's command takes a file: what stands before its name, and the name as far as it is written.
pub fn file_argument(line: &str) -> Option<(&str, &str)> {
    let (name, file) = line.split_once(' ').filter(|_| !line.contains('\n'))?;
    let takes = matches!(spec(name)?.argument, Argument::File | Argument::Model | Argument::Suite);
    takes.then(|| (&line[..=name.len()], file.trim_start()))
}

/// The lines that complete a file's name.
pub fn complete_file(line: &str) -> Vec<Completion> {
    let Some((before, file)) = file_argument(line) else { return Vec::new() };
    let found = files::complete(file).into_iter();
    found
        .map(|file| {
            let label = file.trim_end_matches('/').rfind('/').map_or(0, |at| at + 1);
            completion(before.to_string() + &file[..label], &file[label..], "")
        })
        .collect()
}

fn complete_argument(argument: Argument, name: &str, rest: &str) -> Vec<Completion> {
    let before = format!("{name} ");
    let matching = |label: &&str| label.starts_with(rest);
    match argument {
        Argument::None | Argument::Text | Argument::Number | Argument::File => Vec::new(),
        Argument::Model => ALIASES
            .iter()
            .filter(|alias| alias.name.starts_with(rest))
            .map(|alias| completion(before.clone(), alias.name, alias.title))
            .collect(),
        Argument::Suite => SUITES
            .iter()
            .filter(|(suite, _)| suite.starts_with(rest))
            .map(|(suite, _)| completion(before.clone(), suite, ""))
            .collect(),
        Argument::Command => COMMANDS
            .iter()
            .filter(|spec| spec.name[1..].starts_with(rest.trim_start_matches('/')))
            .map(|spec| completion(before.clone(), &spec.name[1..], spec.help))
            .collect(),
        Argument::Figure => FIGURES
            .iter()
            .filter(|entry| entry.names[0].starts_with(rest))
            .map(|entry| completion(before.clone(), entry.names[0], entry.text))
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
            let argument = match spec.argument {
                Argument::None | Argument::Setting => "",
                Argument::Number => " 1",
                Argument::Figure => " rank",
                _ => " a ||| b",
            };
            assert!(parse(&format!("{}{argument}", spec.name)).unwrap().is_ok(), "{}", spec.name);
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
    fn a_prompt_is_taken_as_it_is() {
        assert_eq!(parse("/next  The cat "), Some(Ok(Command::Next(" The cat ".to_string()))));
        assert_eq!(parse("/next   "), Some(Ok(Command::Next("  ".to_string()))));
        let texts = ["The cat sits".to_string(), " The cats sit".to_string()];
        assert_eq!(
            parse("/compare The cat sits |||  The cats sit"),
            Some(Ok(Command::Compare(texts.to_vec())))
        );
    }

    #[test]
    fn a_reply_is_rescored_under_a_question_or_a_system_prompt() {
        let question = Premise::Question("Where is Rome?".to_string());
        assert_eq!(parse("/rescore Where is Rome?"), Some(Ok(Command::Rescore(question))));
        let system = Premise::System("tutor".to_string());
        assert_eq!(parse("/rescore system tutor"), Some(Ok(Command::Rescore(system))));
    }

    #[test]
    fn mistakes_say_what_would_be_right() {
        let message = |line: &str| parse(line).unwrap().unwrap_err().to_string();
        assert_eq!(message("/hlep"), "/hlep is no command; did you mean /help?");
        assert_eq!(message("/xylophone"), "/xylophone is no command; /help lists them");
        assert_eq!(message("/next"), "/next needs TEXT");
        assert_eq!(message("/step x"), "/step N: write the number of a candidate, from 1 on");
        assert_eq!(message("/compare a"), "/compare A ||| B: write two or more texts with ||| between them");
        assert_eq!(message("/clear all"), "/clear takes no argument");
        assert_eq!(message("/set tmp 1"), "no setting is called tmp; did you mean temp?");
    }

    #[test]
    fn completion_follows_what_is_written() {
        let labels = |line: &str| complete(line).into_iter().map(|c| c.line).collect::<Vec<_>>();
        assert_eq!(labels("/se"), ["/set"]);
        assert_eq!(labels("/model smol"), ["/model smollm2-135m"]);
        assert_eq!(labels("/set top-"), ["/set top-k", "/set top-p", "/set top-n-sigma"]);
        assert_eq!(labels("/help qu"), ["/help quit"]);
        assert!(labels("hello").is_empty() && labels("/clear ").is_empty());
    }
}
