//! Why something in a conversation could not be done.

use thiserror::Error;

use crate::archive::read::ReadError;
use crate::archive::shelf::ShelfError;
use crate::command::CommandError;
use crate::engine::EngineError;
use crate::intervention::told;
use crate::paths::PathsError;
use crate::query::text::TextError;
use crate::settings::SettingsError;

/// Why something could not be done. Nothing was lost then.
#[derive(Debug, Error)]
pub enum SessionError {
    /// A reply is being written.
    #[error("the model is still answering; stop it first (Ctrl-C)")]
    Busy,
    /// The model is not there yet.
    #[error("the model is still loading")]
    Loading,
    /// There is none, and none is on its way.
    #[error("there is no model: /model NAME or FILE loads one, for example /model smollm2-135m")]
    NoModel,
    /// One message waits already.
    #[error("{0} is still loading, and one message waits for it already: send this one after the answer")]
    AnotherWaits(String),
    /// There is nothing to answer again.
    #[error("there is no message to answer again")]
    NothingToRetry,
    /// The conversation does not fit.
    #[error(
        "the conversation would need {needed} tokens and the context holds {context}: shorten the message, /clear, or start with a larger --ctx"
    )]
    TooLong {
        /// Tokens of the whole prompt.
        needed: usize,
        /// Tokens there is room for.
        context: usize,
    },
    /// It does not fit by far: its tokens were not even counted.
    #[error(
        "the conversation would need at least {at_least} tokens and the context holds {context}: shorten the message, /clear, or start with a larger --ctx"
    )]
    FarTooLong {
        /// Tokens of the last message, if each were as long as the longest there is.
        at_least: usize,
        /// Tokens there is room for.
        context: usize,
    },
    /// The person did not want to wait.
    #[error("stopped")]
    Stopped,
    /// The thread that was to do it is gone.
    #[error("{}", crate::aside::bug(.0))]
    Died(String),
    /// The engine is gone.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The template refused the conversation.
    #[error("the model's chat template refused the conversation: {0}")]
    Template(String),
    /// No such command.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A setting that can't be used.
    #[error(transparent)]
    Setting(#[from] SettingsError),
    /// There is no candidate of that number.
    #[error("there is no candidate {0}; /next and /expand show what there is to choose from")]
    NoCandidate(usize),
    /// The conversation has gone elsewhere since.
    #[error(
        "the conversation stands elsewhere than where that was looked for: /branch goes back, /expand looks here"
    )]
    Elsewhere,
    /// The table of a step has no such candidate.
    #[error("there is no candidate {asked} at that step: it has {last}")]
    NoSuchCandidate {
        /// Counted from 1.
        asked: usize,
        /// How many there are.
        last: usize,
    },
    /// A token can't be cut there.
    #[error(
        "{token} can't be cut there: it has {bytes} bytes, and the cut must lie between two characters inside of it"
    )]
    NoSuchCut {
        /// The token, to be seen.
        token: String,
        /// Its length.
        bytes: usize,
    },
    /// Nothing was said that another way could leave.
    #[error("there is nothing yet that another way could leave: say something first")]
    NothingToFork,
    /// The first token.
    #[error("the first token has nothing before it: there are no candidates for it")]
    NothingBefore,
    /// A step whose figures are not known.
    #[error("the figures of that token are not known: there are no candidates to choose from")]
    NoFigures,
    /// The model has ended the reply.
    #[error(
        "the model has ended this reply: /force TEXT goes on in the place of its end, /retry answers anew"
    )]
    HasEnded,
    /// There is no such message.
    #[error("there is no message {asked} of yours: you have said {last}")]
    NoSuchMessage {
        /// Counted from 1.
        asked: usize,
        /// How many there are.
        last: usize,
    },
    /// No such branch.
    #[error("{0} is no branch: /branches lists their numbers and names")]
    NoBranch(String),
    /// There is only one.
    #[error("it is the only branch; /clear begins anew")]
    OnlyBranch,
    /// A text can't be read.
    #[error(transparent)]
    Text(TextError),
    /// There is no such token.
    #[error("there is no token {asked}: the {of} has {last}")]
    NoSuchPlace {
        /// Counted from 1.
        asked: usize,
        /// How many there are.
        last: usize,
        /// Of what.
        of: &'static str,
    },
    /// The last reply has no such token.
    #[error(
        "there is no token {asked} to look at: the last reply has {last}; give a text after the view, or let the model answer first"
    )]
    NoSuchToken {
        /// Counted from 1.
        asked: usize,
        /// How many there are.
        last: usize,
    },
    /// It is more than a terminal takes.
    #[error(
        "{what} has {kib} KiB, and no more than {most} KiB go to a terminal's clipboard: /export writes a file"
    )]
    TooMuchToCopy {
        /// What.
        what: &'static str,
        /// Its size.
        kib: usize,
        /// The bound.
        most: usize,
    },
    /// A prompt that can't be written as text.
    #[error("the prompt holds bytes that are no text: no command line could hold it")]
    NoText,
    /// There is no mark to take back.
    #[error("nothing is marked there that could be taken back")]
    NothingMarked,
    /// There is no conversation to expand.
    #[error("there is no reply yet whose place could be looked at: write a text after the command")]
    NothingToExpand,
    /// There is no reply to score again.
    #[error("there is no reply whose tokens are known: let the model answer first")]
    NoReply,
    /// A part that is on already.
    #[error("{part} is on; {}", off_now(.off))]
    IsOn {
        /// The part.
        part: String,
        /// What is in force.
        off: Vec<String>,
    },
    /// No more can be pinned.
    #[error("at most {0} texts are pinned at once: /pin off takes all of them away")]
    TooManyPins(usize),
    /// A constraint is read before it holds.
    #[error("a constraint is read first: /set {0} has it hold, and /whatif follows it")]
    ConstraintOfAStep(&'static str),
    /// There is no vector whose dose could be changed.
    #[error("there is no steering vector: /steer FILE:SCALE adds one")]
    NoVector,
    /// A file could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// There is no such session.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// Where sessions lie is not known.
    #[error(transparent)]
    Paths(#[from] PathsError),
    /// The conversation may be looked at, and no more.
    #[error("this session is read-only: {0}; /clear begins a new conversation")]
    ReadOnly(String),
    /// The conversation would be lost.
    #[error("the conversation is in no file: /save FILE keeps it, /clear gives it up")]
    UnsavedHere,
    /// A file of another kind.
    #[error("{0}: write a name that ends in .md, .json, .jsonl, .csv, .html or .toml")]
    UnknownFormat(String),
    /// A file could not be written.
    #[error("{0}: {1}")]
    NotWritten(String, std::io::Error),
    /// There is such a file already.
    #[error("{file} is there already; {command}! {file} replaces it")]
    Exists {
        /// The command.
        command: &'static str,
        /// The file, as it was named.
        file: String,
    },
    /// The conversation would be lost.
    #[error("the conversation is in no file: /save FILE keeps it, /load! {0} gives it up")]
    Unsaved(String),
    /// There is nothing to write.
    #[error("there is nothing to write yet")]
    NothingToWrite,
    /// No such command to explain.
    #[error("{0}")]
    Help(String),
}

fn off_now(names: &[String]) -> String {
    match names.is_empty() {
        true => "nothing is off".to_string(),
        false => format!("in force: {}", told(names)),
    }
}
