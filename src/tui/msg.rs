//! What can happen, and what must be done outside. Plain data.

use std::sync::Arc;

use ratatui::crossterm::event::Event as Input;

use crate::archive::keeper::HeldFile;
use crate::archive::scribe::Scribe;
use crate::archive::shelf::Listed;
use crate::ask::{Answer, Question};
use crate::command::Completion;
use crate::counter::Far;
use crate::engine::{self, CancelFlag};
use crate::lens::{Lens, LensWish};
use crate::model::Weights;
use crate::query::at_step::{RowWish, StepRow};
use crate::query::next::StepUnder;
use crate::report::view::View;
use crate::session::state::Fetch;
use crate::session::task::{Done, Task};
use crate::session::{RequestId, SessionError, Ticket};
use crate::step::Step;

use super::beside::wish::{BesideNews, FollowWish, Following};
use super::lens::spot::LookId;

/// Something that happened.
#[derive(Debug)]
pub enum Msg {
    /// A key, a click, a paste, a new size.
    Input(Input),
    /// The engine says something of itself.
    Engine(engine::Event),
    /// What comes of the request for a reply.
    Reply(RequestId, engine::Event),
    /// Slow motion may show the next step.
    Next,
    /// A question is answered, and how that looks; or it is not.
    Answered(Result<Box<(Answer, View)>, NoAnswer>),
    /// So far a look of the lens pane is.
    LookFar(LookId, Far),
    /// What came of a look; or one line.
    Seen(LookId, Result<Box<Lens>, String>),
    /// What came of a step that was computed again with another dose; or one line.
    Redone(u32, Result<Arc<Step>, String>),
    /// What came of a row that was to be fetched; or one line.
    Row(u32, Result<Arc<StepRow>, String>),
    /// The second model says something of itself.
    Beside(BesideNews),
    /// What the second model made of the tokens it was asked about; or one line.
    Followed(u32, Result<Box<Following>, String>),
    /// The cursor has rested on a step, the one of this number.
    Rested(u32),
    /// What came of a [`Task`].
    Done(Option<RequestId>, Result<Done, SessionError>),
    /// So far the answer to a question is.
    Far(Far),
    /// The conversation is kept again, or can't be at the moment: one line.
    Kept(bool, String),
    /// Go on with a saved session.
    Resume(String),
    /// The saved sessions, newest first.
    Sessions(Vec<Listed>),
    /// Messages of earlier sessions, oldest first.
    Remembered(Vec<String>),
    /// The lines that complete a file's name in this one.
    Files(String, Vec<Completion>),
    /// The model is being found or fetched.
    Fetching(Fetch),
    /// A line about the model that is being found.
    Note(String),
    /// A line about what was done.
    Told(String),
    /// So far a copy of the weights is that is made beside the conversation.
    Copying(Fetch),
    /// The copy of the weights that was to be made is ready, or can't be had: one line.
    Copied(Result<Weights, String>),
    /// The model can't be had; one line.
    NoModel(String),
    /// The system asks the program to end (SIGTERM, SIGHUP, SIGINT).
    Terminate(i32),
    /// The program was stopped from outside (SIGTSTP).
    Suspend,
    /// It goes on (SIGCONT).
    Continue,
}

/// Why a question has no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoAnswer {
    /// What was known of it before.
    pub told: String,
    /// One line.
    pub reason: String,
}

/// Something the driver must do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Hand a request to the engine; what comes of it comes as [`Msg::Reply`].
    Send(RequestId, engine::Command),
    /// Answer a question away from the screen; the answer comes as [`Msg::Answered`].
    Ask(Question, CancelFlag),
    /// Look, away from the screen; what is seen comes as [`Msg::Seen`].
    Look(LookId, Box<LensWish>, CancelFlag),
    /// Compute a step again with another dose, away from the screen; it comes as [`Msg::Redone`].
    Redo(u32, Box<StepUnder>, CancelFlag),
    /// Fetch the row of a step, away from the screen; it comes as [`Msg::Row`].
    Row(u32, Box<RowWish>, CancelFlag),
    /// Wait as long as a cursor rests on a step that is to be looked at; then comes [`Msg::Rested`].
    Rest(u32),
    /// Load a second model beside the first; what comes of it comes as [`Msg::Beside`].
    LoadBeside(String),
    /// Have the second model read these, away from the screen; what it says comes as [`Msg::Followed`].
    Follow(u32, Box<FollowWish>, CancelFlag),
    /// Do this away from the screen; what comes of it comes as [`Msg::Done`].
    Run(Ticket, Task),
    /// What is said from now on is kept in this file.
    Hold(HeldFile, Box<Scribe>),
    /// Load another model.
    Load(String),
    /// Look which files complete a line; they come as [`Msg::Files`].
    ListFiles(String),
    /// Look which sessions are saved; they come as [`Msg::Sessions`].
    ListSessions,
    /// Hand a text to the terminal's clipboard; what it is.
    Copy(String, &'static str),
    /// Keep a message for the up key of later sessions.
    Remember(String),
    /// Ask everyone in the job to stop, as the terminal's own Ctrl-Z would; this program is told by
    /// the same signal.
    Suspend,
    /// Give the terminal back and stop until SIGCONT.
    Stop,
    /// Take the terminal again: someone else may have had it.
    Retake,
    /// Draw the whole screen anew.
    Redraw,
    /// Leave with this exit code.
    Quit(u8),
}
