//! What a session waits for: its model, and its work. One value each, so that no two of them can be true
//! at once.

use std::sync::Arc;

use super::outcome::RequestId;
use crate::chat::ChatTemplate;
use crate::engine::{CancelFlag, ModelInfo};

/// The model of a conversation.
#[derive(Debug)]
pub enum ModelState {
    /// There is none, and none is on its way: why.
    None(String),
    /// It is looked for or downloaded.
    Finding {
        /// How far that is.
        fetch: Fetch,
        /// What there was before `/model`: it answers again if its successor can't be had.
        before: Option<Box<Loaded>>,
    },
    /// It is loaded.
    Loading {
        /// The share that is there, 0..=1.
        share: f32,
        /// As in `Finding`.
        before: Option<Box<Loaded>>,
    },
    /// It is loaded, and its chat template is read: the request for that.
    Preparing(RequestId, Arc<ModelInfo>),
    /// It answers.
    Ready(Loaded),
}

/// A model that answers.
#[derive(Debug)]
pub struct Loaded {
    /// The name it was asked for by.
    pub asked: String,
    /// The model.
    pub info: Arc<ModelInfo>,
    /// Its chat template, or what is wrong with it.
    pub template: Result<Arc<ChatTemplate>, String>,
}

/// How far a download, or other work on a file of weights, is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetch {
    /// What is being done, in a word or two.
    pub what: String,
    /// Bytes done.
    pub done: u64,
    /// Bytes in all, if that is known.
    pub total: Option<u64>,
}

impl Fetch {
    /// A model of this name is looked for.
    pub fn finding(name: &str) -> Fetch {
        Fetch { what: format!("finding {name}"), done: 0, total: None }
    }
}

/// What a session does.
#[derive(Debug)]
pub enum Work {
    /// Nothing.
    Idle,
    /// A message waits for the model.
    Waiting,
    /// The model replies.
    Replying(Job),
    /// Something beside the conversation is answered: a question, a file.
    Asking(RequestId, CancelFlag),
}

/// A reply in the making.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its request.
    pub id: RequestId,
    /// Raise it to stop.
    pub cancel: CancelFlag,
    /// Prompt tokens done, and in all.
    pub prefill: (usize, usize),
    /// How the conversation becomes what it was; present while the prompt is made, before the engine is
    /// asked.
    pub undo: Option<Undo>,
    /// The branch that was left for it: where no reply begins, the conversation goes back there.
    pub left: Option<u32>,
    /// Tokens generated for it.
    pub steps: usize,
    /// The branches of the replies that are written beside it.
    pub beside: Vec<u32>,
}

/// What takes a request back that could not be made.
#[derive(Clone, Debug)]
pub enum Undo {
    /// The last message is the person's again.
    Message,
    /// The conversation goes back to this branch.
    Branch(u32),
    /// Nothing: what was said stays as it is.
    Nothing,
}
