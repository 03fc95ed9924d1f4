//! A conversation and everything a person can do to it, without a screen.
//!
//! The TUI, the REPL and the pipe all hold one [`Session`]: it turns messages and slash commands into
//! requests, and the engine's events into turns and a tree of tokens. It touches nothing outside and waits for
//! nothing: what must be done comes back as [`Outcome`]s, and what came of that is told to it.

mod at_step;
pub mod branch_line;
pub mod branches;
pub mod branching;
pub mod calibration;
pub mod compare;
mod copy;
pub mod doubt;
pub mod drive;
mod error;
pub mod export;
mod files;
mod intervene;
mod judge;
pub mod judged;
pub mod judgement;
pub mod keep;
mod kept;
mod models;
mod outcome;
pub mod pins;
mod prompt;
mod questions;
mod reply;
pub mod restored;
mod resume;
pub mod sequence;
pub mod state;
pub mod task;
pub mod turn;
mod verdicts;
pub mod words;

use std::sync::Arc;

use crate::archive::event::Judged;
use crate::ask::{Draft, Question};
use crate::chat::{ChatTemplate, Message, system};
use crate::command::{self, Command};
use crate::distribution::Depth;
use crate::engine::{CancelFlag, ModelInfo};
use crate::glossary;
use crate::intervention::Interventions;
use crate::model::Weights;
use crate::query::next::Prompted;
use crate::settings::Settings;
use crate::settings::key::SettingKey;
use crate::settings::source::Source;
use crate::token::TokenId;
use branches::Branches;
pub use error::SessionError;
pub use outcome::{Notice, Outcome, RequestId, Ticket};
use resume::FileOrigin;
use sequence::TokenSequence;
use state::{Fetch, Job, ModelState, Work};
use task::{Done, Task};
use turn::{Reply, Turn, TurnId};
use verdicts::Verdicts;

/// Candidates kept for every step, so that a person can ask for more than was shown when it ran.
const KEPT: usize = 40;
/// Most that are kept because a window is high.
const MOST_KEPT: usize = 200;

/// A conversation with a model.
pub struct Session {
    settings: Settings,
    model: ModelState,
    work: Work,
    system: Option<String>,
    branches: Branches,
    /// The text that `/step` goes on with.
    draft: Option<Draft>,
    /// What is to hold from the start of the conversation, once the next reply has it computed anew.
    anew: Option<Interventions>,
    /// Counts what was said, and which of that a file holds.
    version: u32,
    saved: u32,
    /// Whether anything was asked of the model.
    asked: bool,
    /// A copy of its weights, better than what runs, that was made meanwhile.
    copy: Option<Weights>,
    /// Replies since the seed was set; each has a seed of its own.
    replies: u32,
    /// Replies that are still to be written beside the one in the making.
    again: usize,
    /// What replies begin with.
    beginning: Vec<TokenId>,
    /// Whether a reply stops after every token.
    stepwise: bool,
    last_request: RequestId,
    last_turn: TurnId,
    /// Candidates kept for the steps to come.
    kept: usize,
    /// Size of the vocabulary that ids are of.
    ids_of: Option<usize>,
    /// Counts conversations: each has a file of its own.
    conversation: u32,
    /// Whether somebody keeps it while it goes on.
    kept_by_itself: bool,
    /// What it brought along, where it is from a file.
    origin: Option<FileOrigin>,
    /// What people said of its tokens.
    verdicts: Verdicts,
    /// Words that are less probable are flagged.
    flagged: Option<f64>,
    /// Texts that are pinned.
    pins: pins::Pins,
}

impl Session {
    /// An empty conversation, whose model is being found.
    pub fn new(settings: Settings) -> Session {
        let system = settings.system.as_deref().and_then(resolve_system);
        let model = ModelState::Finding { fetch: Fetch::finding(&settings.model), before: None };
        Session {
            settings,
            model,
            work: Work::Idle,
            system,
            branches: Branches::default(),
            draft: None,
            anew: None,
            version: 0,
            saved: 0,
            asked: false,
            copy: None,
            replies: 0,
            again: 0,
            beginning: Vec::new(),
            stepwise: false,
            last_request: RequestId::default(),
            last_turn: TurnId::default(),
            kept: KEPT,
            ids_of: None,
            conversation: 0,
            kept_by_itself: false,
            origin: None,
            verdicts: Verdicts::default(),
            flagged: None,
            pins: pins::Pins::default(),
        }
    }

    /// The settings as they are now.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The model, and how it comes.
    pub fn state(&self) -> &ModelState {
        &self.model
    }

    /// The model, once it is ready.
    pub fn model(&self) -> Option<&Arc<ModelInfo>> {
        if let ModelState::Ready(loaded) = &self.model { Some(&loaded.info) } else { None }
    }

    /// The system prompt's text.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// What was said, in order.
    pub fn turns(&self) -> &[Arc<Turn>] {
        self.branches.turns()
    }

    /// Every token of the sequence the model last saw, with its figures.
    pub fn sequence(&self) -> TokenSequence<'_> {
        self.branches.sequence()
    }

    /// Every way the conversation has gone.
    pub fn branches(&self) -> &Branches {
        &self.branches
    }

    /// The reply in the making.
    pub fn job(&self) -> Option<&Job> {
        if let Work::Replying(job) = &self.work { Some(job) } else { None }
    }

    /// The model's chat template.
    pub fn template(&self) -> Option<&Arc<ChatTemplate>> {
        if let ModelState::Ready(loaded) = &self.model { loaded.template.as_ref().ok() } else { None }
    }

    /// The reply that has ended last: where the message is answered again already, on the branch that was left.
    pub fn ended_reply(&self) -> Option<&Reply> {
        let current = self.branches.current();
        let left = self.branches.all().iter().find(|branch| Some(branch.number) == current.from);
        let last = [Some(current), left].into_iter().flatten().filter_map(|branch| branch.turns.last());
        last.filter_map(|turn| turn.reply.as_ref()).find(|reply| reply.finish.is_some())
    }

    /// Whether something runs that can be stopped.
    pub fn is_busy(&self) -> bool {
        matches!(self.work, Work::Replying(_) | Work::Asking(..))
    }

    /// Whether replies stop after every token.
    pub fn is_stepwise(&self) -> bool {
        self.stepwise
    }

    /// Whether leaving would lose something that was said.
    pub fn is_unsaved(&self) -> bool {
        self.version != self.saved && !self.kept_by_itself
    }

    /// Somebody keeps it while it goes on, or no longer can.
    pub fn set_kept(&mut self, kept: bool) {
        self.kept_by_itself = kept;
    }

    /// Counts what was said.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Counts conversations: another one begins with `/clear`, and where one is taken from a file.
    pub fn conversation(&self) -> u32 {
        self.conversation
    }

    /// What people said of its tokens.
    pub fn verdicts(&self) -> &[Judged] {
        self.verdicts.all()
    }

    /// Whether a message waits for the model to be ready.
    pub fn is_waiting(&self) -> bool {
        matches!(self.work, Work::Waiting)
    }

    /// Whether this is the work that goes on.
    pub fn awaits(&self, id: RequestId) -> bool {
        match &self.work {
            Work::Replying(job) => job.id == id,
            Work::Asking(current, _) => *current == id,
            Work::Idle | Work::Waiting => false,
        }
    }

    /// The seed the next reply will have.
    pub fn next_seed(&self) -> u32 {
        let seed = self.settings.sampling.seed.wrapping_add(self.replies);
        // The largest number means "random" to llama.cpp.
        if seed == u32::MAX { 0 } else { seed }
    }

    /// Changes how many candidates are shown.
    pub fn show_candidates(&mut self, k: usize) {
        self.settings.k = Depth::Count(k.max(1));
        self.settings.sources.put(SettingKey::K, Source::Here);
    }

    /// How many candidates each step keeps.
    pub fn depth(&self) -> Depth {
        self.settings.k.at_least(self.kept)
    }

    /// From now on each step keeps as many candidates as a window of so many rows could show.
    pub fn keep(&mut self, rows: usize) {
        self.kept = rows.clamp(KEPT, MOST_KEPT);
    }

    /// Carries out a slash command.
    ///
    /// # Errors
    /// [`SessionError`]; nothing has changed then.
    pub fn execute(&mut self, command: Command) -> Result<Vec<Outcome>, SessionError> {
        let info = |text: String| Ok(vec![Outcome::Say(Notice::Info(text))]);
        match command {
            Command::Help(topic) => info(command::help(topic.as_deref())?),
            Command::Explain(None) => info(glossary::all()),
            Command::Explain(Some(name)) => {
                let of_setting = SettingKey::named(name.trim()).map(|key| self.explained(key));
                info(of_setting.or_else(|_| glossary::explain(&name)).map_err(SessionError::Help)?)
            }
            Command::System(None) => Ok(vec![self.tell_system()]),
            Command::System(Some(text)) => Ok(vec![self.set_system(&text)]),
            Command::Prompt => Ok(vec![self.tell_prompt()]),
            Command::Set(None) => info(self.list_settings()),
            Command::Set(Some((key, None))) => info(self.explained(key)),
            Command::Set(Some((key, Some(value)))) => self.set(key, &value),
            Command::Clear => {
                self.clear()?;
                info("the conversation is empty".to_string())
            }
            Command::Mark(asked) => self.mark(asked),
            Command::Copy(asked) => self.copy(asked),
            Command::Calibration => self.calibration(),
            Command::Branch(command) => self.branch(command),
            Command::Chat(text) => self.say(&text),
            Command::Next(text) => {
                self.ask(Question::Next(Prompted { prompt: text.into_bytes(), texts: Vec::new() }))
            }
            Command::Score(text) => self.ask(Question::Score(text)),
            Command::Compare(texts) => self.ask(Question::Compare(texts)),
            Command::Generate(text) => self.ask(Question::Generate(text)),
            Command::Expand(limits, what) => {
                let wish = self.continuations(limits, what)?;
                self.ask(Question::Expand(Box::new(wish)))
            }
            Command::Tokens(text) => self.ask(Question::Tokens(text)),
            Command::Probe(name) => self.ask(Question::Probe(name)),
            Command::Step(n) => self.step(n),
            Command::Doubt(by) => self.list_doubts(by.unwrap_or_default()),
            Command::Pin(text) => self.pin(text),
            Command::Flag(below) => Ok(self.flag(below)),
            Command::Find(text) => Ok(self.list_places(&text)),
            Command::AtStep(place, asked) => self.at_step(place, asked),
            Command::Rescore(premise) => {
                let asked = self.under(premise)?;
                self.ask(Question::Rescore(Box::new(asked)))
            }
            Command::Intervene(change, since) => self.intervene(change, since),
            Command::Model(name) => self.change_model(name),
            Command::Lens(view, looked) => {
                let wish = self.wish(view, looked)?;
                self.ask(Question::Lens(Box::new(wish)))
            }
            Command::Sessions(name) => self.sessions(name),
            Command::Save(file, existing) => self.save(file, existing),
            Command::Load(file, existing) => self.load(file, existing),
            Command::Export(file, existing) => self.export(file, existing),
            Command::History => Ok(vec![Outcome::ShowHistory]),
            Command::Quit => Ok(vec![Outcome::Quit]),
        }
    }

    /// Takes what came of a task. What nobody waits for any more is dropped.
    pub fn on_done(&mut self, id: Option<RequestId>, done: Result<Done, SessionError>) -> Vec<Outcome> {
        if let ModelState::Preparing(own, info) = &self.model
            && id == Some(*own)
        {
            let info = Arc::clone(info);
            return match done {
                Ok(Done::Template(template)) => self.on_ready(info, template),
                Ok(_) => Vec::new(),
                Err(error) => self.on_ready(info, Err(error.to_string())),
            };
        }
        if id.is_some_and(|id| !self.awaits(id)) {
            return Vec::new();
        }
        let told = |text: String| vec![Outcome::Say(Notice::Info(text))];
        match (done, &self.work) {
            (Ok(Done::Prompt(prompt)), Work::Replying(_)) => self.send(*prompt),
            (Err(error), Work::Replying(_)) if id.is_some() => self.take_back(error),
            (done, _) => {
                if id.is_some() {
                    self.work = Work::Idle;
                }
                match done {
                    Ok(Done::Prompt(_) | Done::Template(_)) => Vec::new(),
                    Ok(Done::Encoded(then, ids)) => {
                        self.encoded(then, ids).unwrap_or_else(|error| vec![error.into()])
                    }
                    Ok(Done::Told(text)) => told(text),
                    Ok(Done::Shown(view)) => vec![Outcome::Show(view)],
                    Ok(Done::Vector(dose, since)) => self.steered(dose, since),
                    Ok(Done::Saved(version, file)) => {
                        self.saved = self.saved.max(version);
                        told(format!("kept in {file}"))
                    }
                    Ok(Done::Loaded(saved, file)) => told(self.load_from(&saved, &file)),
                    Ok(Done::Resumed(found)) => self.resumed(*found),
                    Ok(Done::Constraint(key, text, read)) => match self.change(key, &text) {
                        Ok(said) => {
                            self.settings.sampling.grammar = Some(read.constraint);
                            let note = read.note.map(|note| Outcome::Say(Notice::Info(note)));
                            told(said).into_iter().chain(note).collect()
                        }
                        Err(error) => vec![error.into()],
                    },
                    Err(error) => vec![error.into()],
                }
            }
        }
    }

    /// Stops what runs; `false` if nothing does.
    pub fn cancel(&mut self) -> bool {
        match &self.work {
            Work::Replying(Job { cancel, .. }) | Work::Asking(_, cancel) => cancel.cancel(),
            Work::Idle | Work::Waiting => return false,
        }
        true
    }

    fn must_be_free(&self) -> Result<(), SessionError> {
        if self.is_busy() { Err(SessionError::Busy) } else { Ok(()) }
    }

    /// Has something done that the conversation waits for.
    fn begin(&mut self, task: Task) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        if self.is_waiting() {
            return Err(SessionError::AnotherWaits(self.settings.model.clone()));
        }
        let (id, cancel) = (self.new_request(), CancelFlag::default());
        self.work = Work::Asking(id, cancel.clone());
        Ok(vec![Outcome::Run(Ticket { id: Some(id), cancel }, task)])
    }

    /// Forgets every turn.
    fn clear(&mut self) -> Result<(), SessionError> {
        self.must_be_free()?;
        self.branches = Branches::default();
        self.anew = None;
        self.work = Work::Idle;
        self.saved = self.version;
        self.conversation += 1;
        (self.origin, self.verdicts) = (None, Verdicts::default());
        self.pins.forget();
        Ok(())
    }

    /// Changes a setting; what constrains replies is read first.
    fn set(&mut self, key: SettingKey, value: &str) -> Result<Vec<Outcome>, SessionError> {
        match key.constraint(value) {
            Some(_) => self.begin(Task::Constrain(key, value.to_string())),
            None => Ok(vec![Outcome::Say(Notice::Info(self.change(key, value)?))]),
        }
    }

    /// Changes a setting; a new seed begins a new row of seeds.
    fn change(&mut self, key: SettingKey, value: &str) -> Result<String, SessionError> {
        key.set(&mut self.settings, value)?;
        if key == SettingKey::Seed {
            self.replies = 0;
        }
        Ok(format!("{} {}", key.name(), key.show(&self.settings)))
    }

    /// A setting's value, what it does and what is allowed.
    fn explained(&self, key: SettingKey) -> String {
        let (value, range) = (key.show(&self.settings), key.range());
        let source = self.settings.sources.of(key).name();
        format!("{} {value} ({range}), from: {source}\n{}", key.name(), key.meaning())
    }

    fn list_settings(&self) -> String {
        let rows = SettingKey::ALL.map(|key| {
            let (value, source) = (key.show(&self.settings), self.settings.sources.of(key).name());
            format!("{:<18} {value:<12} {source:<12} {}", key.name(), key.range())
        });
        rows.join("\n")
    }

    fn new_request(&mut self) -> RequestId {
        self.last_request = self.last_request.next();
        self.last_request
    }

    fn new_turn_id(&mut self) -> TurnId {
        self.last_turn = self.last_turn.next();
        self.last_turn
    }

    fn messages(&self) -> Vec<Message> {
        let system = self.system.iter().map(|text| Message::system(text.clone()));
        let turns = self.turns().iter().map(|turn| Message {
            reply: turn.reply.as_ref().and_then(|reply| reply.known.then(|| reply.ids.clone())),
            ..Message::new(turn.role.clone(), turn.content.clone())
        });
        system.chain(turns).collect()
    }
}

/// A named system prompt's text, or the text itself; `none` and nothing mean none.
fn resolve_system(text: &str) -> Option<String> {
    let text = text.trim();
    if text.is_empty() || text == "none" {
        return None;
    }
    Some(system::lookup(text).unwrap_or(text).trim().to_string()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests;
