//! Slash commands: one table, one parser, one completion, for the TUI's composer and the REPL.
//!
//! Plain data; [`crate::session`] carries them out.

mod at_step;
mod branching;
mod change;
mod complete;
mod copying;
mod expand;
mod looking;
mod marking;
mod texts;
mod unread;

use thiserror::Error;

pub use at_step::StepCommand;
pub use branching::{BranchCommand, StepPlace};
pub use change::Change;
pub use complete::{Completion, complete, complete_file, file_argument};
pub use copying::{CopyAsked, CopyWhat};
pub use expand::Expanded;
pub use looking::LensSubject;
pub use marking::{MarkAsked, MarkTarget, MarkWord};
pub use texts::Premise;
use unread::Unread;

use crate::files::Existing;
use crate::intervention::Since;
use crate::lens::Looking;
use crate::query::expand::search::ExpandLimits;
use crate::settings::key::SettingKey;
use crate::step::Doubt;
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
    /// Switch parts of the model off and on, dose steering vectors.
    Intervene(Change, Since),
    /// Show every setting, or one, or change one.
    Set(Option<(SettingKey, Option<String>)>),
    /// Forget the conversation.
    Clear,
    /// Say that tokens are right or wrong.
    Mark(MarkAsked),
    /// Hand something to the terminal's clipboard.
    Copy(CopyAsked),
    /// How often what was marked is right, beside its probabilities, over all sessions.
    Calibration,
    /// Go another way from a step on, or about among the branches.
    Branch(BranchCommand),
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
    /// The most likely continuations of a text, or of the conversation at a place.
    Expand(ExpandLimits, Expanded),
    /// The tokens of a text.
    Tokens(String),
    /// Run a suite of probes: its name or its file.
    Probe(String),
    /// Score the last reply under another question or system prompt.
    Rescore(Premise),
    /// Why a prediction is what it is.
    Lens(Looking, LensSubject),
    /// Something about one step of the conversation; where none is named, about the last.
    AtStep(Option<StepPlace>, StepCommand),
    /// The most doubtful steps, by a measure.
    Doubt(Option<Doubt>),
    /// Pin a text, tell what is pinned, or with `off` take all of it away.
    Pin(Option<String>),
    /// Flag words of replies that are less probable than this, or none.
    Flag(Option<f64>),
    /// Where a text stands in the conversation.
    Find(String),
    /// Say something in the conversation.
    Chat(String),
    /// Show or change the model.
    Model(Option<String>),
    /// List the saved sessions, or go on with one.
    Sessions(Option<String>),
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
    /// A way of looking and a text.
    View,
    /// A part of the model.
    Part,
    /// A steering vector and its dose.
    Vector,
    /// Text, taken as it is.
    Text,
    Number,
    /// A measure of doubt.
    Doubt,
    Model,
    /// A suite of probes.
    Suite,
    /// A saved session.
    Session,
    File,
}

/// How the text after a command's name becomes the command.
#[derive(Clone, Copy)]
enum Parser {
    /// Nothing may follow.
    Nothing(fn() -> Command),
    /// It may be left out.
    Optional(fn(Option<String>) -> Command),
    /// Something must follow; the white space around it is none of it.
    Needed(fn(String) -> Command),
    /// Text as it is. A prompt may be white space alone.
    Text(fn(String) -> Command),
    /// A file; an exclamation mark after the command's name replaces what is there.
    File(fn(String, Existing) -> Command),
    /// Whatever the function makes of it.
    Checked(fn(&str) -> Result<Command, Unread>),
}

use Parser::{Checked, File, Needed, Nothing, Optional, Text};

/// One row of the table of commands.
pub struct CommandSpec {
    /// With its slash.
    pub name: &'static str,
    /// What follows it.
    pub usage: &'static str,
    /// What kind of thing follows it.
    pub argument: Argument,
    parser: Parser,
    /// One line.
    pub help: &'static str,
}

const fn row(
    name: &'static str,
    usage: &'static str,
    argument: Argument,
    parser: Parser,
    help: &'static str,
) -> CommandSpec {
    CommandSpec { name, usage, argument, parser, help }
}

/// Every command, in the order of help texts.
#[rustfmt::skip]
pub const COMMANDS: &[CommandSpec] = &[
    row("/help", "[COMMAND]", Argument::Command, Optional(Command::Help),
        "list the commands, or explain one"),
    row("/explain", "[FIGURE]", Argument::Figure, Optional(Command::Explain),
        "say what the figures mean, or one of them: /explain margin"),
    row("/next", "TEXT", Argument::Text, Text(Command::Next),
        "what comes after a text: the candidates and their probabilities"),
    row("/step", "N", Argument::Number, Checked(|text| texts::step(text).map(Command::Step)),
        "accept candidate N of the last table, as on a phone keyboard, and look again; a continuation that /expand found, on a branch of its own"),
    row("/score", "TEXT", Argument::Text, Text(Command::Score),
        "how likely a text is, token by token"),
    row("/compare", "A ||| B", Argument::Text, Checked(|text| texts::compare(text).map(Command::Compare)),
        "which text the model prefers: by sum, per token, per byte, mutual information"),
    row("/generate", "TEXT", Argument::Text, Text(Command::Generate),
        "continue a text with the present settings"),
    row("/expand", "[--depth N] [--width K] [--floor P] [--nodes N] [@N | TEXT]", Argument::Text, Checked(|text| expand::read(text).map(|(limits, what)| Command::Expand(limits, what))),
        "the most likely continuations of a text (or of what stands before token N of the reply) as a tree"),
    row("/tokens", "TEXT", Argument::Text, Text(Command::Tokens),
        "the tokens of a text: ids and bytes"),
    row("/probe", "SUITE|FILE", Argument::Suite, Needed(Command::Probe),
        "run a suite of probes on this model: what it expects, and what was found"),
    row("/lens", "VIEW [FLAGS] [@N | TEXT [||| TARGET [||| VERSUS]]]", Argument::View, Checked(|text| looking::read(text).map(|(looking, subject)| Command::Lens(looking, subject))),
        "why this token, of the last reply's (@N: the N-th) or after a text: logit, context, occlusion, attention, knockout, trace"),
    row("/whatif", "[@STEP] [SETTING VALUE …]", Argument::Setting, Checked(|text| Ok(at_step::what_if(text)?.into())),
        "what the sampler would make of a step with other settings: /whatif temp 0.7 top-p 0.9"),
    row("/p", "[@STEP] TEXT", Argument::Text, Checked(|text| Ok(at_step::text(text)?.into())),
        "how probable a text is at a step: p and ln p of the whole, rank of its first token"),
    row("/pin", "[TEXT|off]", Argument::Text, Checked(|text| Ok(Command::Pin(at_step::pin(text)))),
        "keep the exact p of a text's first token at every step from now on: a row of the table, a line in the chart"),
    row("/vocab", "[@STEP] LETTERS", Argument::Text, Checked(|text| Ok(at_step::holding(text)?.into())),
        "every token that holds these letters, with its p and rank at a step"),
    row("/doubt", "[surprisal|margin|entropy]", Argument::Doubt, Checked(|text| at_step::doubt(text).map(Command::Doubt)),
        "the most doubtful steps of the replies: the most surprising, of the smallest margin, of the highest entropy"),
    row("/flag", "P|off", Argument::Number, Checked(|text| at_step::flag(text).map(Command::Flag)),
        "flag the words of replies that are less probable than this: /flag 1%"),
    row("/find", "TEXT", Argument::Text, Text(Command::Find),
        "where a text stands in the conversation"),
    row("/chat", "TEXT", Argument::Text, Needed(Command::Chat),
        "say something in the conversation"),
    row("/retry", "[N]", Argument::Number, Checked(|text| Ok(branching::retry(text)?.into())),
        "answer the last message again beside the reply there is, with another seed; N replies side by side"),
    row("/continue", "[N]", Argument::Number, Checked(|text| Ok(branching::go_on(text)?.into())),
        "go on with a reply that was stopped, by at most N tokens"),
    row("/swap", "[STEP] CANDIDATE", Argument::Number, Checked(|text| Ok(branching::swap(text)?.into())),
        "take another candidate at a step of the reply (pN: at a token of the prompt) and go on from there"),
    row("/force", "[@STEP[+BYTES]] TEXT", Argument::Text, Checked(|text| Ok(branching::force(text)?.into())),
        "have a text stand at a step of the reply, after some bytes of the token there, and go on from there"),
    row("/edit", "N TEXT", Argument::Text, Checked(|text| Ok(branching::edit(text)?.into())),
        "say something else in place of your N-th message, and go on from there"),
    row("/begin", "[TEXT]", Argument::Text, Optional(|text| BranchCommand::Begin(text.unwrap_or_default()).into()),
        "have replies begin with a text; without one, no longer"),
    row("/raw", "TEXT", Argument::Text, Text(|text| BranchCommand::Raw(text).into()),
        "go on with a text as it is, outside of the chat template, on a branch of its own"),
    row("/pause", "", Argument::None, Nothing(|| BranchCommand::Stepwise(true).into()),
        "have replies stop after every token: /continue gives the next, /swap another one, /resume lets go"),
    row("/resume", "", Argument::None, Nothing(|| BranchCommand::Stepwise(false).into()),
        "let replies be written to their end again"),
    row("/branches", "", Argument::None, Nothing(|| BranchCommand::List.into()),
        "list every way the conversation has gone: the sum of its last reply, per token, its length"),
    row("/branch", "N|NAME", Argument::Text, Needed(|text| BranchCommand::Go(text).into()),
        "go to a branch"),
    row("/name", "[N] NAME", Argument::Text, Checked(|text| Ok(branching::name(text)?.into())),
        "call a branch something, the present one where no number is given"),
    row("/prune", "N|NAME", Argument::Text, Needed(|text| BranchCommand::Prune(text).into()),
        "take a branch out"),
    row("/diff", "A B", Argument::Text, Checked(|text| Ok(branching::compare(text)?.into())),
        "put two branches side by side, from their first difference on"),
    row("/mark", "right|wrong|none|undo [reply|@N|@N-M] [NOTE]", Argument::Text, Checked(|text| marking::read(text).map(Command::Mark)),
        "say that a token (the one at the cursor, or N of the reply), a span or the whole reply is right or wrong, and why"),
    row("/copy", "[reply|table|command]", Argument::Text, Checked(|text| copying::read(text).map(Command::Copy)),
        "put the reply, the table of the step at the cursor, or the command that writes the reply again into the clipboard"),
    row("/calibration", "", Argument::None, Nothing(|| Command::Calibration),
        "of all that you marked: how often what was so probable is right"),
    row("/rescore", "[system] TEXT", Argument::Text, Needed(|text| Command::Rescore(texts::premise(text))),
        "score the last reply as the answer to another question (or under another system prompt)"),
    row("/system", "[NAME|TEXT|none]", Argument::System, Optional(Command::System),
        "show or set the system prompt; it holds from the next message on"),
    row("/prompt", "", Argument::None, Nothing(|| Command::Prompt),
        "show all that the model reads: your messages in its chat template, special tokens and all"),
    row("/set", "[SETTING [VALUE]]", Argument::Setting, Checked(set),
        "show or change a setting: /set temp 0.7"),
    row("/off", "[PART] [from start]", Argument::Part, Checked(|text| Ok(change::off(text)?.into())),
        "switch a part of the model off from here on, or as if it had always been: /off head 23:4"),
    row("/on", "[PART] [from start]", Argument::Part, Checked(|text| Ok(change::on(text)?.into())),
        "switch a part on again, or everything: the model is as it was, steering included"),
    row("/steer", "[FILE:SCALE[:LAYERS]|off] [from start]", Argument::Vector, Checked(|text| Ok(change::steer(text)?.into())),
        "add a steering vector to the residual stream: /steer joy.gguf:0.8:10-20"),
    row("/model", "[MODEL]", Argument::Model, Optional(Command::Model),
        "show or change the model"),
    row("/clear", "", Argument::None, Nothing(|| Command::Clear),
        "forget the conversation; keep the system prompt"),
    row("/sessions", "[NAME|FILE]", Argument::Session, Optional(Command::Sessions),
        "list the saved conversations, or go on with one: words of its title will do"),
    row("/save", "FILE", Argument::File, File(Command::Save),
        "keep the conversation in a file: texts, ids and figures; /save! replaces a file"),
    row("/load", "FILE", Argument::File, File(Command::Load),
        "take a conversation from a file, figures and all; /load! gives an unsaved one up for it"),
    row("/export", "FILE", Argument::File, File(Command::Export),
        "write every token's figures: .json, .jsonl, .csv, .html for a page, .md for a transcript, .toml for a suite of what was marked; /export! replaces a file"),
    row("/history", "", Argument::None, Nothing(|| Command::History),
        "show what was written before"),
    row("/quit", "", Argument::None, Nothing(|| Command::Quit),
        "leave"),
];

/// A line that begins with a slash and is no command.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct CommandError(String);

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
pub fn spec(name: &str) -> Option<&'static CommandSpec> {
    let with_mark =
        |spec: &&CommandSpec| matches!(spec.parser, File(_)) && name.strip_suffix('!') == Some(spec.name);
    COMMANDS.iter().find(|spec| spec.name == name || with_mark(spec))
}

fn parse_named(name: &str, text: &str) -> Result<Command, CommandError> {
    let spec = spec(name).ok_or_else(|| unknown(name))?;
    let trimmed = text.trim();
    let missing = |text: &str| match text.is_empty() {
        true => Err(missing(spec)),
        false => Ok(text.to_string()),
    };
    Ok(match spec.parser {
        Nothing(_) if !trimmed.is_empty() => {
            return Err(CommandError(format!("{} takes no argument", spec.name)));
        }
        Nothing(command) => command(),
        Optional(command) => command(Some(trimmed.to_string()).filter(|text| !text.is_empty())),
        Needed(command) => command(missing(trimmed)?),
        Text(command) => command(missing(text)?),
        File(command) => {
            let existing = if name == spec.name { Existing::Keep } else { Existing::Replace };
            command(missing(trimmed)?, existing)
        }
        Checked(command) => command(text).map_err(|why| unread(spec, why))?,
    })
}

/// A command that needs something got nothing.
fn missing(spec: &CommandSpec) -> CommandError {
    CommandError(format!("{} needs {}", spec.name, spec.usage))
}

impl From<at_step::Placed> for Command {
    fn from((place, asked): at_step::Placed) -> Command {
        Command::AtStep(place, asked)
    }
}

impl From<change::Changed> for Command {
    fn from((change, since): change::Changed) -> Command {
        Command::Intervene(change, since)
    }
}

impl From<BranchCommand> for Command {
    fn from(command: BranchCommand) -> Command {
        Command::Branch(command)
    }
}

fn unread(spec: &CommandSpec, why: Unread) -> CommandError {
    match why {
        Unread::Missing => missing(spec),
        Unread::Wrong(what) => CommandError(format!("{} {}: {what}", spec.name, spec.usage)),
        Unread::Said(line) => CommandError(line),
    }
}

/// `KEY VALUE` or `KEY=VALUE`.
fn set(text: &str) -> Result<Command, Unread> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Command::Set(None));
    }
    let (name, value) = text.split_once(|c: char| c.is_whitespace() || c == '=').unwrap_or((text, ""));
    let key = SettingKey::named(name).map_err(|error| Unread::Said(error.to_string()))?;
    let value = value.trim();
    Ok(Command::Set(Some((key, (!value.is_empty()).then(|| value.to_string())))))
}

/// What the commands are for, or one of them.
///
/// # Errors
/// [`CommandError`].
pub fn help(topic: Option<&str>) -> Result<String, CommandError> {
    let row = |spec: &CommandSpec| format!("{:<26} {}", format!("{} {}", spec.name, spec.usage), spec.help);
    let Some(topic) = topic else {
        return Ok(COMMANDS.iter().map(row).collect::<Vec<_>>().join("\n"));
    };
    let name = format!("/{}", topic.trim_start_matches('/'));
    COMMANDS.iter().find(|spec| spec.name == name).map(row).ok_or_else(|| unknown(&name))
}

fn unknown(name: &str) -> CommandError {
    let hint = match nearest(name, COMMANDS.iter().map(|spec| spec.name)) {
        Some(near) => format!("did you mean {near}?"),
        None => "/help lists them".to_string(),
    };
    CommandError(format!("{name} is no command; {hint}"))
}

#[cfg(test)]
mod tests;
