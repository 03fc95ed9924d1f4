//! The way of a message: said, made a prompt, asked of the engine, replied to.

use std::sync::Arc;

use super::sequence::TokenSequence;
use super::state::{Job, Loaded, ModelState, Undo, Work};
use super::task::{Task, may_fit};
use super::turn::Turn;
use super::{Notice, Outcome, Session, SessionError, Ticket};
use crate::chat::{ChatPrompt, Role};
use crate::engine::{CancelFlag, Command, Event, FinishReason, Generate, Timing};

impl Session {
    /// Says something to the model. While that is on its way, the message waits.
    ///
    /// # Errors
    /// [`SessionError`]; the conversation is as it was.
    pub fn say(&mut self, text: &str) -> Result<Vec<Outcome>, SessionError> {
        match (&self.model, &self.work) {
            (_, Work::Replying(_) | Work::Asking(..)) => return Err(SessionError::Busy),
            (_, Work::Waiting) => return Err(SessionError::AnotherWaits(self.settings.model.clone())),
            (ModelState::None(_), Work::Idle) => return Err(SessionError::NoModel),
            (ModelState::Ready(loaded), Work::Idle) => {
                loaded.working_template()?;
                may_fit(text, &loaded.info)?;
            }
            (_, Work::Idle) => {}
        }
        self.asked = true;
        let id = self.new_turn_id();
        self.turns.push(Turn::user(id, text));
        self.version += 1;
        self.work = Work::Waiting;
        Ok(self.answer_waiting())
    }

    /// Answers the last message again.
    pub(super) fn retry(&mut self) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        self.loaded()?.working_template()?;
        let replaced = self.turns.pop_if(|turn| turn.role == Role::Assistant);
        if self.turns.is_empty() {
            self.turns.extend(replaced);
            return Err(SessionError::NothingToRetry);
        }
        self.make_prompt(Undo::Retry(replaced.map(Box::new)))
    }

    /// Answers the message that waited for a model, if one did and there is one.
    pub(super) fn answer_waiting(&mut self) -> Vec<Outcome> {
        match (&self.model, &self.work) {
            (ModelState::Ready(_), Work::Waiting) => {
                self.make_prompt(Undo::Message).unwrap_or_else(|error| {
                    let mut outcomes = self.give_back();
                    outcomes.push(error.into());
                    outcomes
                })
            }
            _ => Vec::new(),
        }
    }

    /// Takes the message that waited back, for there is no model to answer it.
    pub(super) fn give_back(&mut self) -> Vec<Outcome> {
        if !self.is_waiting() {
            return Vec::new();
        }
        self.work = Work::Idle;
        self.take_message_back().into_iter().collect()
    }

    fn take_message_back(&mut self) -> Option<Outcome> {
        let message = self.turns.pop_if(|turn| turn.role == Role::User)?;
        if self.turns.is_empty() {
            self.saved = self.version;
        }
        Some(Outcome::GiveBack(message.content))
    }

    /// Has the turns so far rendered and tokenized, away from the screen.
    fn make_prompt(&mut self, undo: Undo) -> Result<Vec<Outcome>, SessionError> {
        let loaded = self.loaded()?;
        let (model, template) = (Arc::clone(&loaded.info), loaded.working_template()?);
        let (id, cancel) = (self.new_request(), CancelFlag::default());
        self.work = Work::Replying(Job { id, cancel: cancel.clone(), prefill: (0, 0), undo: Some(undo) });
        let task = Task::Prompt { messages: self.messages(), model, template };
        Ok(vec![Outcome::Run(Ticket { id: Some(id), cancel }, task)])
    }

    /// There is no prompt: the conversation becomes what it was.
    pub(super) fn take_back(&mut self, error: SessionError) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        if let Work::Replying(Job { undo, .. }) = std::mem::replace(&mut self.work, Work::Idle) {
            match undo {
                Some(Undo::Message) => outcomes.extend(self.take_message_back()),
                Some(Undo::Retry(replaced)) => self.turns.extend(replaced.map(|turn| *turn)),
                None => {}
            }
        }
        outcomes.push(error.into());
        outcomes
    }

    /// Asks the engine for the reply to a prompt.
    pub(super) fn send(&mut self, prompt: ChatPrompt) -> Vec<Outcome> {
        let seed = self.next_seed();
        let turn = self.new_turn_id();
        let in_force = self.put_in_force(self.sequence.common(&prompt));
        let (Work::Replying(job), ModelState::Ready(loaded)) = (&mut self.work, &self.model) else {
            return Vec::new();
        };
        job.undo = None;
        job.prefill = (0, prompt.tokens.len());
        let (id, cancel) = (job.id, job.cancel.clone());
        self.sequence = TokenSequence::begin(&prompt, in_force.clone());
        let first = usize::from(self.system.is_some());
        for (i, turn) in self.turns.iter_mut().enumerate() {
            turn.mark(&prompt, first + i, &loaded.info.vocab);
        }
        self.replies = self.replies.wrapping_add(1);
        let mut turn = Turn::reply(turn, self.sequence.len(), seed);
        if let Some(reply) = &mut turn.reply {
            reply.sampling = Some(self.settings.sampling.clone());
            reply.under = in_force.at_the_end();
        }
        self.turns.push(turn);
        self.version += 1;
        let mut sampling = self.settings.sampling.clone();
        sampling.seed = seed;
        let request = Generate {
            prompt: prompt.tokens.iter().map(|token| token.id).collect(),
            sampling,
            max_tokens: self.settings.max_tokens,
            depth: self.depth(),
            cancel,
            in_force,
        };
        let notes = prompt.notes.iter().map(|note| Outcome::Say(Notice::Warning(note.to_string())));
        notes.chain([Outcome::Send(id, Command::Generate(request))]).collect()
    }

    /// Takes what the engine says, of itself or in answer to the running request.
    pub fn on_event(&mut self, event: Event) -> Vec<Outcome> {
        match (event, &mut self.work) {
            (Event::LoadProgress(share), _) => {
                self.model = ModelState::Loading { share, before: self.take_model() };
            }
            (Event::Ready(info), _) => return self.on_loaded(info),
            (Event::Lost(error), _) => return self.on_lost(error),
            (Event::Prefill { steps, done, total }, Work::Replying(job)) => {
                job.prefill = (done, total);
                steps.into_iter().for_each(|step| self.sequence.fill(step));
            }
            (Event::Step { step, elapsed }, Work::Replying(_)) => {
                if let (Some(turn), ModelState::Ready(loaded)) = (self.turns.last_mut(), &self.model) {
                    turn.grow(&step, elapsed, &loaded.info.vocab);
                }
                self.sequence.push(step);
            }
            (Event::Finished { reason, timing }, Work::Replying(_)) => {
                return self.on_finished(reason, timing);
            }
            (Event::Failed(error), Work::Replying(_)) => {
                self.end_reply();
                return vec![Outcome::Say(Notice::Error(error.to_string()))];
            }
            _ => {}
        }
        Vec::new()
    }

    fn on_finished(&mut self, reason: FinishReason, timing: Timing) -> Vec<Outcome> {
        if let Some(turn) = self.turns.last_mut() {
            turn.finish(reason, timing);
        }
        self.work = Work::Idle;
        self.version += 1;
        let context = self.model().map_or(0, |model| model.context);
        match reason {
            FinishReason::Context => vec![Outcome::Say(Notice::Warning(format!(
                "the context of {context} tokens is full, the reply ends here: /clear begins again, --ctx makes room"
            )))],
            _ => Vec::new(),
        }
    }

    /// Ends a request that failed: a reply that never began leaves no turn behind.
    pub(super) fn end_reply(&mut self) {
        self.work = Work::Idle;
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

impl Loaded {
    /// The template, if it works.
    pub(super) fn working_template(&self) -> Result<Arc<crate::chat::ChatTemplate>, SessionError> {
        let broken = |_: &String| SessionError::Template(format!("{} has none that works", self.info.name));
        self.template.as_ref().map(Arc::clone).map_err(broken)
    }
}
