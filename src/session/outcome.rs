//! What comes back from a [`Session`](super::Session): what the outside must do or say.

use super::error::SessionError;
use super::task::Task;
use crate::archive::keeper::HeldFile;
use crate::archive::scribe::Scribe;
use crate::ask::Question;
use crate::engine::{self, CancelFlag};
use crate::report::view::View;

/// Names one piece of work, so that what comes of one that nobody waits for any more is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestId(u64);

impl RequestId {
    /// The one after this.
    pub(super) fn next(self) -> RequestId {
        RequestId(self.0 + 1)
    }
}

/// What the outside must do.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Hand this to the engine; what comes of it is told to [`on_event`](super::Session::on_event) as long
    /// as the session [`awaits`](super::Session::awaits) it.
    Send(RequestId, engine::Command),
    /// Answer this with [`crate::ask::answer`], then tell [`on_answer`](super::Session::on_answer).
    Ask(Question, CancelFlag),
    /// Do this away from the person, then tell [`on_done`](super::Session::on_done) what came of it.
    Run(Ticket, Task),
    /// Load another model; its engine's events come here like the first one's.
    Load(String),
    /// A message that waited and can't be answered: it is the person's again.
    GiveBack(String),
    /// What is said from now on is kept in this file, which holds the conversation so far.
    Hold(HeldFile, Box<Scribe>),
    /// Hand this text to the terminal's clipboard; what it is, in a few words.
    Copy(String, &'static str),
    /// Show what was written before.
    ShowHistory,
    /// Show the person a table.
    Show(Box<View>),
    /// Tell the person.
    Say(Notice),
    /// Leave.
    Quit,
}

/// Goes with a [`Task`] and comes back with what came of it.
#[derive(Clone, Debug, Default)]
pub struct Ticket {
    /// The work it belongs to; `None` is beside all work.
    pub id: Option<RequestId>,
    /// Raised by who does not want to wait.
    pub cancel: CancelFlag,
}

/// Something to tell the person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An answer to a command; may have several lines.
    Info(String),
    /// Something that may surprise.
    Warning(String),
    /// Something that did not work.
    Error(String),
}

impl Notice {
    /// The same with another text.
    pub fn map(&self, change: impl FnOnce(&str) -> String) -> Notice {
        match self {
            Notice::Info(text) => Notice::Info(change(text)),
            Notice::Warning(text) => Notice::Warning(change(text)),
            Notice::Error(text) => Notice::Error(change(text)),
        }
    }

    /// The text, whatever its kind.
    pub fn text(&self) -> &str {
        match self {
            Notice::Info(text) | Notice::Warning(text) | Notice::Error(text) => text,
        }
    }
}

impl From<SessionError> for Outcome {
    fn from(error: SessionError) -> Outcome {
        Outcome::Say(Notice::Error(error.to_string()))
    }
}
