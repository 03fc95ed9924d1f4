//! A conversation and everything a person can do to it, without a screen.
//!
//! The TUI, the REPL and the pipe all hold one [`Session`]: it turns messages and slash commands into
//! requests, and the engine's events into turns and a trace. It does no I/O and waits for nothing;
//! what must be done outside comes back as [`Outcome`]s.

mod export;
mod files;
mod outcome;
mod prompt;
mod questions;
mod store;
pub mod trace;
pub mod turn;
mod weights;

use std::sync::Arc;

use crate::ask::{Draft, Question};
use crate::chat::{ChatTemplate, Message, Role, system};
use crate::command::{COMMANDS, Command};
use crate::distribution::Depth;
use crate::engine::{self, CancelFlag, Event, FinishReason, Generate, ModelInfo, Timing};
use crate::glossary;
use crate::model::Weights;
use crate::query::next::Prompted;
use crate::settings::Settings;
use crate::settings::advice::Advice;
use crate::settings::key::Key;
use crate::settings::source::Source;
use crate::text::nearest;
pub use outcome::{Notice, Outcome, SessionError};
use trace::Trace;
use turn::{Turn, TurnId};

/// Candidates kept for every step, so that a person can ask for more than was shown when it ran.
const KEPT: usize = 40;
/// Most that are kept because a window is high.
const MOST_KEPT: usize = 200;

/// Names one request for a reply, so that what comes of one that nobody waits for any more is dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestId(u64);

/// The request that is running.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: RequestId,
    /// Raise it to stop.
    pub cancel: CancelFlag,
    /// Prompt tokens done, and in all.
    pub prefill: (usize, usize),
}

/// A model that `/model` has put aside.
struct Before {
    /// The name it was asked for by.
    asked: String,
    model: Arc<ModelInfo>,
    template: Option<Arc<ChatTemplate>>,
}

/// A conversation with a model.
pub struct Session {
    settings: Settings,
    model: Option<Arc<ModelInfo>>,
    /// Whether a model is on its way.
    loading: bool,
    /// What there was before `/model`, until its successor is ready.
    before: Option<Before>,
    template: Option<Arc<ChatTemplate>>,
    system: Option<String>,
    turns: Vec<Turn>,
    trace: Trace,
    job: Option<Job>,
    /// A question that is being answered.
    asking: Option<CancelFlag>,
    /// The text that `/step` goes on with.
    draft: Option<Draft>,
    /// A message that waits for the model.
    waiting: bool,
    /// Whether something was said that no file holds.
    unsaved: bool,
    /// Whether anything was asked of the model.
    asked: bool,
    /// A copy of its weights, better than what runs, that was made meanwhile.
    copy: Option<Weights>,
    /// Replies since the seed was set; each has a seed of its own.
    replies: u32,
    last_request: RequestId,
    last_turn: TurnId,
    /// Candidates kept for the steps to come.
    kept: usize,
    /// Size of the vocabulary that ids are of.
    ids_of: Option<usize>,
}

impl Session {
    /// An empty conversation.
    pub fn new(settings: Settings) -> Session {
        let system = settings.system.as_deref().and_then(resolve_system);
        Session {
            settings,
            model: None,
            loading: true,
            before: None,
            template: None,
            system,
            turns: Vec::new(),
            trace: Trace::default(),
            job: None,
            asking: None,
            draft: None,
            waiting: false,
            unsaved: false,
            asked: false,
            copy: None,
            replies: 0,
            last_request: RequestId::default(),
            last_turn: TurnId::default(),
            kept: KEPT,
            ids_of: None,
        }
    }

    /// The settings as they are now.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The model, once it is ready.
    pub fn model(&self) -> Option<&Arc<ModelInfo>> {
        self.model.as_ref()
    }

    /// The system prompt's text.
    pub fn system(&self) -> Option<&str> {
        self.system.as_deref()
    }

    /// What was said, in order.
    pub fn turns(&self) -> &[Turn] {
        &self.turns
    }

    /// Every token of the sequence the model last saw, with its figures.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The running request.
    pub fn job(&self) -> Option<&Job> {
        self.job.as_ref()
    }

    /// The model's chat template.
    pub fn template(&self) -> Option<&Arc<ChatTemplate>> {
        self.template.as_ref()
    }

    /// Whether something runs that can be stopped.
    pub fn is_busy(&self) -> bool {
        self.job.is_some() || self.asking.is_some()
    }

    /// Whether leaving would lose something that was said.
    pub fn is_unsaved(&self) -> bool {
        self.unsaved
    }

    /// Whether a message waits for the model to be ready.
    pub fn is_waiting(&self) -> bool {
        self.waiting
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
        self.settings.sources.put(Key::K, Source::Here);
    }

    /// From now on each step keeps as many candidates as a window of so many rows could show.
    pub fn keep(&mut self, rows: usize) {
        self.kept = rows.clamp(KEPT, MOST_KEPT);
    }

    /// Says something to the model. While it loads, the message waits.
    ///
    /// # Errors
    /// [`SessionError`]; the conversation is as it was.
    pub fn say(&mut self, text: &str) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        if self.waiting {
            return Err(SessionError::AnotherWaits(self.settings.model.clone()));
        }
        if self.model.is_none() && !self.loading {
            return Err(SessionError::NoModel);
        }
        self.asked = true;
        let id = self.new_turn_id();
        self.turns.push(Turn::user(id, text));
        if self.model.is_none() {
            self.waiting = true;
            self.unsaved = true;
            return Ok(Vec::new());
        }
        self.answer().inspect_err(|_| {
            self.turns.pop();
        })
    }

    /// Carries out a slash command.
    ///
    /// # Errors
    /// [`SessionError`]; nothing has changed then.
    pub fn execute(&mut self, command: Command) -> Result<Vec<Outcome>, SessionError> {
        let info = |text: String| Ok(vec![Outcome::Say(Notice::Info(text))]);
        match command {
            Command::Help(topic) => info(help(topic.as_deref())?),
            Command::Explain(None) => info(glossary::all()),
            Command::Explain(Some(name)) => {
                let of_setting = Key::named(name.trim()).map(|key| self.explained(key));
                info(of_setting.or_else(|_| glossary::explain(&name)).map_err(SessionError::Help)?)
            }
            Command::System(None) => info(self.tell_system()),
            Command::System(Some(text)) => info(self.set_system(&text)),
            Command::Prompt => info(self.tell_prompt()),
            Command::Set(None) => info(self.list_settings()),
            Command::Set(Some((key, None))) => info(self.explained(key)),
            Command::Set(Some((key, Some(value)))) => info(self.set(key, &value)?),
            Command::Clear => {
                self.clear()?;
                info("the conversation is empty".to_string())
            }
            Command::Retry => self.retry(),
            Command::Chat(text) => self.say(&text),
            Command::Next(text) => {
                self.ask(Question::Next(Prompted { prompt: text.into_bytes(), texts: Vec::new() }))
            }
            Command::Score(text) => self.ask(Question::Score(text)),
            Command::Compare(texts) => self.ask(Question::Compare(texts)),
            Command::Generate(text) => self.ask(Question::Generate(text)),
            Command::Tokens(text) => self.ask(Question::Tokens(text)),
            Command::Probe(name) => self.ask(Question::Probe(crate::files::from_home(name))),
            Command::Step(n) => {
                let ids = self.accept(n)?;
                self.ask(Question::Step(ids))
            }
            Command::Rescore(premise) => {
                let asked = self.under(premise)?;
                self.ask(Question::Rescore(Box::new(asked)))
            }
            // The copy that was announced.
            Command::Model(None) if self.has_better_copy() => {
                self.execute(Command::Model(Some(self.settings.model.clone())))
            }
            Command::Model(None) => info(match &self.model {
                Some(model) => weights::describe(model),
                None if self.loading => format!("{} is loading", self.settings.model),
                None => SessionError::NoModel.to_string(),
            }),
            Command::Model(Some(name)) => {
                self.must_be_free()?;
                let name = crate::files::from_home(name);
                self.loading = true;
                self.copy = None;
                let asked = std::mem::replace(&mut self.settings.model, name.clone());
                if let Some(model) = self.model.take() {
                    self.before = Some(Before { asked, model, template: self.template.take() });
                }
                Ok(vec![Outcome::Load(name)])
            }
            Command::Save(file, existing) => info(self.save(&file, existing)?),
            Command::Load(file, existing) => info(self.load(&file, existing)?),
            Command::Export(file, existing) => info(self.export(&file, existing)?),
            Command::History => Ok(vec![Outcome::ShowHistory]),
            Command::Quit => Ok(vec![Outcome::Quit]),
        }
    }

    /// Stops the running request; `false` if there is none.
    pub fn cancel(&mut self) -> bool {
        let running = self.job.as_ref().map(|job| &job.cancel).or(self.asking.as_ref());
        running.inspect(|flag| flag.cancel()).is_some()
    }

    /// Why there is no model to ask.
    fn not_ready(&self) -> SessionError {
        match (&self.model, self.loading) {
            // Its template is broken, which was said when it was loaded.
            (Some(model), _) => SessionError::Template(format!("{} has none that works", model.name)),
            (None, true) => SessionError::Loading,
            (None, false) => SessionError::NoModel,
        }
    }

    /// Takes the message that waited back, for there is no model to answer it.
    fn give_back(&mut self) -> Vec<Outcome> {
        self.loading = false;
        if !std::mem::take(&mut self.waiting) {
            return Vec::new();
        }
        let message = self.turns.pop_if(|turn| turn.role == Role::User).map(|turn| turn.content);
        self.unsaved &= !self.turns.is_empty();
        message.map(Outcome::GiveBack).into_iter().collect()
    }

    fn must_be_free(&self) -> Result<(), SessionError> {
        if self.is_busy() { Err(SessionError::Busy) } else { Ok(()) }
    }

    /// Forgets every turn.
    fn clear(&mut self) -> Result<(), SessionError> {
        self.must_be_free()?;
        self.turns.clear();
        self.trace = Trace::default();
        self.waiting = false;
        self.unsaved = false;
        Ok(())
    }

    /// Answers the last message again.
    fn retry(&mut self) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        if self.model.is_none() {
            return Err(self.not_ready());
        }
        let before = self.turns.clone();
        if self.turns.last().is_some_and(|turn| turn.role == Role::Assistant) {
            self.turns.pop();
        }
        if self.turns.is_empty() {
            self.turns = before;
            return Err(SessionError::NothingToRetry);
        }
        self.answer().inspect_err(|_| self.turns = before)
    }

    /// Changes a setting; a new seed begins a new row of seeds.
    fn set(&mut self, key: Key, value: &str) -> Result<String, SessionError> {
        key.set(&mut self.settings, value)?;
        if key == Key::Seed {
            self.replies = 0;
        }
        Ok(format!("{} {}", key.name(), key.show(&self.settings)))
    }

    /// A setting's value, what it does and what is allowed.
    fn explained(&self, key: Key) -> String {
        let (value, range) = (key.show(&self.settings), key.range());
        let source = self.settings.sources.of(key).name();
        format!("{} {value} ({range}), from: {source}\n{}", key.name(), key.meaning())
    }

    fn list_settings(&self) -> String {
        let rows = Key::ALL.map(|key| {
            let (value, source) = (key.show(&self.settings), self.settings.sources.of(key).name());
            format!("{:<18} {value:<12} {source:<12} {}", key.name(), key.range())
        });
        rows.join("\n")
    }

    fn new_turn_id(&mut self) -> TurnId {
        self.last_turn = self.last_turn.next();
        self.last_turn
    }

    fn messages(&self) -> Vec<Message> {
        let system = self.system.iter().map(|text| Message::system(text.clone()));
        let turns = self.turns.iter().map(|turn| Message {
            reply: turn.reply.as_ref().and_then(|reply| reply.known.then(|| reply.ids.clone())),
            ..Message::new(turn.role.clone(), turn.content.clone())
        });
        system.chain(turns).collect()
    }

    /// Asks for a reply to the turns so far.
    fn answer(&mut self) -> Result<Vec<Outcome>, SessionError> {
        let (Some(model), Some(template)) = (&self.model, &self.template) else {
            return Err(self.not_ready());
        };
        let model = Arc::clone(model);
        let prompt = template
            .encode(&self.messages(), model.tokenizer.as_ref(), &model.vocab)
            .map_err(|error| SessionError::Template(error.to_string()))?;
        let context = model.context as usize;
        if prompt.tokens.len() >= context {
            return Err(SessionError::TooLong { needed: prompt.tokens.len() + 1, context });
        }
        let ids = prompt.tokens.iter().map(|token| token.id).collect();
        self.trace = Trace::begin(&prompt);
        let first = usize::from(self.system.is_some());
        for (i, turn) in self.turns.iter_mut().enumerate() {
            turn.mark(&prompt, first + i, &model.vocab);
        }
        let seed = self.next_seed();
        self.replies = self.replies.wrapping_add(1);
        let id = self.new_turn_id();
        let mut turn = Turn::reply(id, self.trace.len(), seed);
        if let Some(reply) = &mut turn.reply {
            reply.sampling = Some(self.settings.sampling.clone());
        }
        self.turns.push(turn);
        self.unsaved = true;
        let (id, request) = self.request(ids, seed);
        let mut outcomes: Vec<_> =
            prompt.notes.iter().map(|note| Outcome::Say(Notice::Warning(note.to_string()))).collect();
        outcomes.push(Outcome::Send(id, engine::Command::Generate(request)));
        Ok(outcomes)
    }

    fn request(&mut self, prompt: Vec<crate::token::TokenId>, seed: u32) -> (RequestId, Generate) {
        self.last_request.0 += 1;
        let cancel = CancelFlag::default();
        self.job = Some(Job { id: self.last_request, cancel: cancel.clone(), prefill: (0, prompt.len()) });
        let mut sampling = self.settings.sampling.clone();
        sampling.seed = seed;
        let max_tokens = self.settings.max_tokens;
        let depth = self.settings.k.at_least(self.kept);
        (self.last_request, Generate { prompt, sampling, max_tokens, depth, cancel })
    }

    /// Takes what the engine says, of itself or in answer to the running request.
    pub fn on_event(&mut self, event: Event) -> Vec<Outcome> {
        match event {
            Event::LoadProgress(_) => {
                // Whoever loads it has given the old one up.
                self.before = None;
                Vec::new()
            }
            Event::Ready(info) => self.on_ready(info),
            Event::Prefill { steps, done, total } => {
                for step in steps {
                    self.trace.fill(step);
                }
                if let Some(job) = &mut self.job {
                    job.prefill = (done, total);
                }
                Vec::new()
            }
            Event::Step { step, elapsed } => {
                if let (Some(turn), Some(model)) = (self.turns.last_mut(), &self.model) {
                    turn.grow(&step, elapsed, &model.vocab);
                }
                self.trace.push(step);
                Vec::new()
            }
            Event::Finished { reason, timing } => self.on_finished(reason, timing),
            Event::Failed(error) => {
                self.end_job();
                vec![Outcome::Say(Notice::Error(error.to_string()))]
            }
            Event::Lost(error) => {
                self.end_job();
                let mut outcomes = vec![Outcome::Say(Notice::Error(error.to_string()))];
                outcomes.extend(self.give_back());
                outcomes
            }
            Event::Progress { .. } | Event::Scored { .. } | Event::Sampled { .. } | Event::Found { .. } => {
                Vec::new()
            }
        }
    }

    /// Whether this is the running request.
    pub fn awaits(&self, id: RequestId) -> bool {
        self.job.as_ref().is_some_and(|job| job.id == id)
    }

    /// Goes on with the model there was before `/model`: its successor can't be had. Where there was none, or
    /// where it went when the successor began to load, a message that waited comes back.
    pub fn keep_model(&mut self) -> Vec<Outcome> {
        let Some(before) = self.before.take() else { return self.give_back() };
        self.loading = false;
        self.settings.model = before.asked;
        self.model = Some(before.model);
        self.template = before.template;
        self.answer_waiting()
    }

    fn on_ready(&mut self, info: Arc<ModelInfo>) -> Vec<Outcome> {
        self.before = None;
        self.loading = false;
        let text = |id: Option<crate::token::TokenId>| id.map(|id| info.vocab.text(id)).unwrap_or_default();
        let special = info.vocab.special();
        let source = info.chat_template.as_deref().unwrap_or_default();
        let template = ChatTemplate::new(source, &text(special.bos), &text(special.eos));
        let advice = Advice::of(&info.about, &self.settings);
        self.settings.advise(&advice);
        let mut outcomes: Vec<_> =
            advice.note.into_iter().map(|note| Outcome::Say(Notice::Warning(note))).collect();
        // Ids of another vocabulary mean nothing.
        if self.ids_of.is_some_and(|n| n != info.vocab.len()) {
            if !self.trace.is_empty() {
                outcomes.push(Outcome::Say(Notice::Warning(format!(
                    "{} has another vocabulary: what was said is tokenized anew, its figures are gone from the screen",
                    info.name
                ))));
            }
            self.turns.iter_mut().for_each(Turn::forget_ids);
            self.trace = Trace::default();
            self.draft = None;
        }
        self.turns.iter_mut().for_each(Turn::forget_speed);
        self.ids_of = Some(info.vocab.len());
        self.model = Some(info);
        match template {
            Ok(template) => self.template = Some(Arc::new(template)),
            Err(error) => {
                outcomes.push(Outcome::Say(Notice::Error(format!("the model's chat template: {error}"))));
                return outcomes;
            }
        }
        outcomes.extend(self.answer_waiting());
        outcomes.extend(self.offer_copy());
        outcomes
    }

    /// Answers the message that waited for a model, if one did.
    fn answer_waiting(&mut self) -> Vec<Outcome> {
        if !std::mem::take(&mut self.waiting) {
            return Vec::new();
        }
        self.answer().unwrap_or_else(|error| vec![Outcome::Say(Notice::Error(error.to_string()))])
    }

    fn on_finished(&mut self, reason: FinishReason, timing: Timing) -> Vec<Outcome> {
        if let Some(turn) = self.turns.last_mut() {
            turn.finish(reason, timing);
        }
        self.job = None;
        let context = self.model.as_ref().map_or(0, |model| model.context);
        match reason {
            FinishReason::Context => vec![Outcome::Say(Notice::Warning(format!(
                "the context of {context} tokens is full, the reply ends here: /clear begins again, --ctx makes room"
            )))],
            _ => Vec::new(),
        }
    }

    /// Ends a request that failed: a reply that never began leaves no turn behind.
    fn end_job(&mut self) {
        self.job = None;
        if let Some(turn) = self.turns.last_mut()
            && turn.role == Role::Assistant
        {
            if turn.reply.as_ref().is_some_and(|reply| reply.ids.is_empty() && reply.finish.is_none()) {
                self.turns.pop();
            } else {
                turn.finish(FinishReason::Cancelled, Timing::default());
            }
        }
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

fn help(topic: Option<&str>) -> Result<String, SessionError> {
    let row = |spec: &crate::command::Spec| {
        let head = format!("{} {}", spec.name, spec.usage);
        format!("{head:<26} {}", spec.help)
    };
    let Some(topic) = topic else {
        return Ok(COMMANDS.iter().map(row).collect::<Vec<_>>().join("\n"));
    };
    let name = format!("/{}", topic.trim_start_matches('/'));
    match COMMANDS.iter().find(|spec| spec.name == name) {
        Some(spec) => Ok(row(spec)),
        None => {
            let near = nearest(&name, COMMANDS.iter().map(|spec| spec.name));
            let hint = near.map_or(String::new(), |near| format!("; did you mean {near}?"));
            Err(SessionError::Help(format!("{name} is no command{hint}")))
        }
    }
}

#[cfg(test)]
mod tests;
