//! Keeps a conversation in a file while it goes on: beside whoever drives it, so that a
//! [`Session`](super::Session) need not know.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use super::Session;
use super::branches::{Branch, Branches};
use super::state::ModelState;
use super::task::Snapshot;
use super::turn::Turn;
use crate::archive::event::{Event, Judged, ModelLine};
use crate::archive::keeper::{Held, Keeper};
use crate::archive::scribe::{Now, NowBranch, NowSaid, Scribe};
use crate::archive::{shelf, title};
use crate::chat::Role;
use crate::distribution::Depth;
use crate::engine::ModelInfo;
use crate::report::record::Origin;
use crate::sequence::{NodeNumber, TokenTree};
use crate::settings::key::SettingKey;
use crate::token::Vocab;

/// Writes down what happens in a conversation.
pub struct Recorder {
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
    read: usize,
    is_busy: bool,
}

impl Recorder {
    /// One that keeps sessions in a folder. `tell` says what a person must know of it.
    pub fn new(folder: &Path, tell: impl Fn(bool, String) + Send + 'static) -> Recorder {
        Recorder {
            keeper: Keeper::start(tell),
            folder: folder.to_path_buf(),
            scribe: Scribe::new(Depth::Count(0)),
            conversation: 0,
            seen: None,
            model: None,
        }
    }

    /// What happens from now on goes to a file that holds the conversation so far.
    pub fn hold(&mut self, held: Held, scribe: Scribe, session: &Session) {
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
        let is_whole = !session.is_busy() || self.scribe.model().is_none();
        let nothing = Vocab::default();
        let seen = Seen {
            model: &model,
            vocab: session.vocab().map_or(&nothing, |vocab| vocab),
            branches: session.branches(),
            settings: is_whole.then(|| settings(session)),
            verdicts: session.verdicts(),
        };
        self.keeper.write(events(&seen, &mut self.scribe));
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
            read: session.job().map_or(0, |job| job.prefill.0),
            is_busy: session.is_busy(),
        }
    }
}

/// A conversation as far as it is kept.
pub(super) struct Seen<'a> {
    /// Whose figures it holds.
    pub model: &'a ModelLine,
    /// What its tokens stand for.
    pub vocab: &'a Vocab,
    /// Every way it has gone.
    pub branches: &'a Branches,
    /// What holds, by name; `None` in the middle of a reply.
    pub settings: Option<BTreeMap<String, String>>,
    /// What people said of its tokens.
    pub verdicts: &'a [Judged],
}

impl Snapshot {
    /// It, to be told of.
    pub(super) fn seen(&self) -> Seen<'_> {
        Seen {
            model: &self.model,
            vocab: &self.vocab,
            branches: &self.branches,
            settings: Some(self.settings.clone()),
            verdicts: &self.verdicts,
        }
    }
}

/// What a scribe has to tell of a conversation.
pub(super) fn events(seen: &Seen, scribe: &mut Scribe) -> Vec<Event> {
    let (branches, is_whole) = (seen.branches, seen.settings.is_some());
    let tree = branches.tree();
    let others =
        branches.all().iter().filter(|branch| is_whole && branch.number != branches.current().number);
    let others = others.map(|branch| now_branch(branch, &path_of(branch, tree)));
    let now = Now {
        model: seen.model,
        vocab: seen.vocab,
        tree,
        branches: others.chain([now_branch(branches.current(), tree.path())]).collect(),
        settings: seen.settings.clone(),
        verdicts: seen.verdicts,
        is_reading: !is_whole,
    };
    scribe.events(&now, shelf::clock)
}

fn path_of(branch: &Branch, tree: &TokenTree) -> Vec<NodeNumber> {
    branch.tip.map(|tip| tree.path_to(tip)).unwrap_or_default()
}

fn now_branch<'a>(branch: &'a Branch, path: &[NodeNumber]) -> NowBranch<'a> {
    let said = branch.turns.iter().map(|turn| now_said(turn, path));
    NowBranch { number: branch.number, from: branch.from, tip: branch.tip, said: said.collect() }
}

fn now_said<'a>(turn: &'a Turn, path: &[NodeNumber]) -> NowSaid<'a> {
    let reply = turn.reply.as_ref();
    let tokens = turn.tokens().and_then(|range| Some([path.get(range.start)?.0, path.get(range.end - 1)?.0]));
    let is_spelled = reply.is_some_and(|reply| reply.known);
    NowSaid {
        key: turn.id.number(),
        role: if turn.role == Role::Assistant { "assistant" } else { "user" },
        text: (!is_spelled).then_some(turn.content.as_str()),
        tokens,
        seed: reply.map(|reply| reply.seed),
        finish: reply.and_then(|reply| reply.finish),
    }
}

/// What holds, by name.
pub(super) fn settings(session: &Session) -> BTreeMap<String, String> {
    let all = SettingKey::ALL.iter().map(|key| (key.name().to_string(), key.show(session.settings())));
    let system = session.system().map(|text| ("system".to_string(), text.to_string()));
    all.chain(system).collect()
}

/// Whose figures a session's are. What changes from reply to reply is told elsewhere.
pub(super) fn model_line(session: &Session) -> ModelLine {
    let ModelState::Ready(loaded) = session.state() else {
        return ModelLine { model: session.settings().model.clone(), ..ModelLine::default() };
    };
    let mut provenance = Origin::new(&loaded.info, session.settings(), None).provenance;
    (provenance.seed, provenance.interventions) = (None, Vec::new());
    ModelLine {
        model: loaded.info.name.clone(),
        asked: Some(loaded.asked.clone()).filter(|asked| *asked != loaded.info.name),
        vocabulary: Some(loaded.info.vocab.len()),
        provenance: Some(provenance),
    }
}
