//! Keeps a conversation in a file while it goes on: beside whoever drives it, so that a
//! [`Session`](super::Session) need not know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::Session;
use super::kept::{KeptConversation, events};
use super::state::ModelState;
use crate::archive::LARGEST_VOCABULARY;
use crate::archive::event::{LogEvent, ModelLine};
use crate::archive::keeper::{HeldFile, Keeper};
use crate::archive::scribe::Scribe;
use crate::archive::title;
use crate::chat::Role;
use crate::distribution::Depth;
use crate::engine::ModelInfo;
use crate::report::record::Origin;
use crate::sequence::NodeNumber;
use crate::settings::key::SettingKey;
use crate::token::Vocab;

/// Writes down what happens in a conversation.
pub struct SessionRecorder {
    keeper: Keeper,
    folder: PathBuf,
    scribe: Scribe,
    /// The conversation it is about.
    conversation: u32,
    seen: Option<Glance>,
    model: Option<(Arc<ModelInfo>, ModelLine)>,
}

/// What must have changed for anything to be new.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Glance {
    conversation: u32,
    version: u32,
    tokens: usize,
    head: Option<NodeNumber>,
    turns: usize,
    verdicts: usize,
    pins: usize,
    read: usize,
    is_busy: bool,
}

impl SessionRecorder {
    /// One that keeps sessions in a folder. `tell` says what a person must know of it.
    pub fn new(folder: &Path, tell: impl Fn(bool, String) + Send + 'static) -> SessionRecorder {
        SessionRecorder {
            keeper: Keeper::start(tell),
            folder: folder.to_path_buf(),
            scribe: Scribe::new(Depth::Count(0)),
            conversation: 0,
            seen: None,
            model: None,
        }
    }

    /// What happens from now on goes to a file that holds the conversation so far.
    pub fn hold(&mut self, held: HeldFile, scribe: Scribe, session: &Session) {
        (self.scribe, self.conversation, self.seen) =
            (scribe, session.conversation(), Some(Glance::of(session)));
        self.keeper.hold(held);
    }

    /// Writes down what is new.
    pub fn follow(&mut self, session: &Session) {
        let glance = Glance::of(session);
        if session.turns().is_empty() || session.read_only().is_some() || self.seen == Some(glance) {
            return;
        }
        // Its own file comes first.
        if self.conversation != glance.conversation && session.goes_on_in_its_file() {
            return;
        }
        let ended =
            self.seen.is_some_and(|seen| seen.is_busy || seen.turns != glance.turns) && !glance.is_busy;
        let said = self.seen.is_none_or(|seen| seen.turns != glance.turns);
        self.seen = Some(glance);
        if self.conversation != glance.conversation || self.scribe.model().is_none() {
            self.conversation = glance.conversation;
            self.scribe = Scribe::new(session.settings().k);
            let first = session.turns().iter().find(|turn| turn.role == Role::User);
            self.keeper.begin(&self.folder, &title(first.map_or("", |turn| turn.content.as_str())));
        }
        let model = self.model_line(session);
        self.keeper.write(told(session, &model, &mut self.scribe));
        if ended || said {
            self.keeper.sync();
        }
    }

    /// Whose figures come; while no model is ready, whose came.
    fn model_line(&mut self, session: &Session) -> ModelLine {
        match (session.model(), &self.model, self.scribe.model()) {
            (Some(info), Some((known, line)), _) if Arc::ptr_eq(known, info) => line.clone(),
            (Some(info), ..) => {
                let line = model_line(session);
                self.model = Some((Arc::clone(info), line.clone()));
                line
            }
            (None, _, Some(told)) => told.clone(),
            (None, ..) => model_line(session),
        }
    }

    /// The thread that writes, which ends when everything is written.
    pub fn end(self) -> Option<JoinHandle<()>> {
        self.keeper.end()
    }
}

impl Glance {
    fn of(session: &Session) -> Glance {
        let tree = session.branches().tree();
        Glance {
            conversation: session.conversation(),
            version: session.version(),
            tokens: tree.len(),
            head: tree.head(),
            turns: session.turns().len(),
            verdicts: session.verdicts().len(),
            pins: session.pinned().len(),
            read: session.job().map_or(0, |job| job.prefill.0),
            is_busy: session.is_busy(),
        }
    }
}

/// What a scribe has to tell of a session; of one that is busy, its tokens alone.
pub(crate) fn told(session: &Session, model: &ModelLine, scribe: &mut Scribe) -> Vec<LogEvent> {
    let is_whole = !session.is_busy() || scribe.model().is_none();
    let nothing = Vocab::default();
    let kept = KeptConversation {
        model,
        vocab: session.vocab().map_or(&nothing, |vocab| vocab),
        branches: session.branches(),
        beside: session.job().map_or(&[], |job| &job.beside),
        settings: is_whole.then(|| settings(session)),
        verdicts: session.verdicts(),
        pins: session.pinned(),
        pinned: session.pinned_figures(),
    };
    events(&kept, scribe)
}

/// What holds, by name.
pub(super) fn settings(session: &Session) -> BTreeMap<String, String> {
    let all = SettingKey::ALL.iter().map(|key| (key.name().to_string(), key.show(session.settings())));
    let system = session.system().map(|text| ("system".to_string(), text.to_string()));
    all.chain(system).collect()
}

/// Whose figures a session's are. What changes from reply to reply is told elsewhere.
pub(crate) fn model_line(session: &Session) -> ModelLine {
    let ModelState::Ready(loaded) = session.state() else {
        return ModelLine { model: session.settings().model.clone(), ..ModelLine::default() };
    };
    let mut provenance = Origin::new(&loaded.info, session.settings(), None).provenance;
    (provenance.seed, provenance.interventions) = (None, Vec::new());
    ModelLine {
        model: loaded.info.name.clone(),
        asked: Some(loaded.asked.clone()).filter(|asked| *asked != loaded.info.name),
        // A server that tells none has its tokens named one after the other, for as long as it is asked.
        vocabulary: Some(loaded.info.vocab.len()).filter(|&n| n <= LARGEST_VOCABULARY),
        provenance: Some(provenance),
    }
}
