//! The way of a message: said, made a prompt, asked of the engine, replied to.

use std::sync::Arc;
use std::time::Duration;

use super::state::{Job, Loaded, ModelState, Undo, Work};
use super::task::{Task, may_fit};
use super::turn::Turn;
use super::{Notice, Outcome, Session, SessionError, Ticket};
use crate::chat::{ChatPrompt, Role};
use crate::engine::replies::{ReplyEvent, ReplyId};
use crate::engine::{CancelFlag, Command, Event, FinishReason, Siblings, Timing};
use crate::sequence::NodeOrigin;
use crate::step::Step;

impl Session {
    /// Says something to the model. While that is on its way, the message waits.
    ///
    /// # Errors
    /// [`SessionError`]; the conversation is as it was.
    pub fn say(&mut self, text: &str) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_writable()?;
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
        self.branches.turns_mut().push(Arc::new(Turn::user(id, text)));
        self.version += 1;
        self.work = Work::Waiting;
        Ok(self.answer_waiting())
    }

    /// Answers the last message again, on a branch beside the reply that there is, and then so many times.
    pub(super) fn retry(&mut self, times: usize) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        self.must_be_writable()?;
        self.loaded()?.working_template()?;
        let answered = self.turns().last().is_some_and(|turn| turn.role == Role::Assistant);
        let kept = self.turns().len() - usize::from(answered);
        if kept == 0 {
            return Err(SessionError::NothingToRetry);
        }
        let undo = if answered { Undo::Branch(self.branches.fork(kept)) } else { Undo::Nothing };
        let outcomes = self.make_prompt(undo)?;
        self.again = times.saturating_sub(1);
        Ok(outcomes)
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
        let message = self.branches.turns_mut().pop_if(|turn| turn.role == Role::User)?;
        if self.turns().is_empty() {
            self.saved = self.version;
        }
        Some(Outcome::GiveBack(message.content.clone()))
    }

    /// Has the turns so far rendered and tokenized, away from the screen.
    pub(super) fn make_prompt(&mut self, undo: Undo) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_writable()?;
        let loaded = self.loaded()?;
        let (model, template) = (Arc::clone(&loaded.info), loaded.working_template()?);
        let (id, cancel) = (self.new_request(), CancelFlag::default());
        self.work = Work::Replying(Job {
            id,
            cancel: cancel.clone(),
            prefill: (0, 0),
            undo: Some(undo),
            left: None,
            steps: 0,
            beside: Vec::new(),
        });
        let task = Task::Prompt { messages: self.messages(), model, template };
        Ok(vec![Outcome::Run(Ticket { id: Some(id), cancel }, task)])
    }

    /// There is no prompt: the conversation becomes what it was.
    pub(super) fn take_back(&mut self, error: SessionError) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        if let Work::Replying(Job { undo, .. }) = std::mem::replace(&mut self.work, Work::Idle) {
            match undo {
                Some(Undo::Message) => outcomes.extend(self.take_message_back()),
                Some(Undo::Branch(before)) => self.branches.give_up(before),
                Some(Undo::Nothing) | None => {}
            }
        }
        outcomes.push(error.into());
        outcomes
    }

    /// Asks the engine for the reply to a prompt.
    pub(super) fn send(&mut self, prompt: ChatPrompt) -> Vec<Outcome> {
        let seed = self.next_seed();
        let turn = self.new_turn_id();
        let in_force = self.put_in_force(self.sequence().common(&prompt));
        let (Work::Replying(job), ModelState::Ready(loaded)) = (&mut self.work, &self.model) else {
            return Vec::new();
        };
        let left = match job.undo.take() {
            Some(Undo::Branch(left)) => Some(left),
            _ => None,
        };
        let vocab = Arc::clone(&loaded.info.vocab);
        self.branches.enter(&prompt, in_force.clone());
        let first = usize::from(self.system.is_some());
        for (i, turn) in self.branches.turns_mut().iter_mut().map(Arc::make_mut).enumerate() {
            turn.mark(&prompt, first + i, &vocab);
        }
        self.replies = self.replies.wrapping_add(1);
        let mut turn = Turn::reply(turn, prompt.tokens.len(), seed);
        if let Some(reply) = &mut turn.reply {
            reply.sampling = Some(self.settings.sampling.clone());
            reply.under = in_force.at_the_end();
        }
        for &id in &self.beginning {
            let step = Arc::new(Step { id, stats: None });
            turn.grow(&step, Duration::ZERO, &vocab);
            self.branches.push(step, NodeOrigin::Forced);
        }
        self.branches.turns_mut().push(Arc::new(turn));
        self.version += 1;
        let notes = prompt.notes.iter().map(|note| Outcome::Say(Notice::Warning(note.to_string())));
        let begun = self.beginning.len();
        let notes: Vec<Outcome> = notes.collect();
        let request = self.request(left, begun, None);
        notes.into_iter().chain(request.into_iter().map(|outcome| self.with_siblings(outcome))).collect()
    }

    /// A request for a reply with as many of those that are still to come as the engine can write beside it.
    fn with_siblings(&mut self, outcome: Outcome) -> Outcome {
        let most = self.model().map_or(1, |model| model.gives.beside).saturating_sub(1);
        let (Outcome::Send(id, Command::Generate(first)), Some(turn)) = (&outcome, self.turns().last())
        else {
            return outcome;
        };
        // An edge of attention is cut in a reply alone.
        let beside = if first.in_force.has_edge() { 0 } else { self.again.min(most) };
        if beside == 0 {
            return outcome;
        }
        let (id, first, turn) = (*id, first.clone(), Turn::clone(turn));
        let (mut seeds, mut branches) = (Vec::new(), Vec::new());
        for _ in 0..beside {
            let seed = self.next_seed();
            self.replies = self.replies.wrapping_add(1);
            let mut turn = Turn { id: self.new_turn_id(), ..turn.clone() };
            turn.reply.iter_mut().for_each(|reply| reply.seed = seed);
            seeds.push(seed);
            branches.push(self.branches.fork_beside(turn));
        }
        self.again -= beside;
        if let Work::Replying(job) = &mut self.work {
            job.beside = branches;
        }
        Outcome::Send(id, Command::Siblings(Siblings { first, seeds }))
    }

    /// What came of a reply that is written beside another one.
    fn on_sibling(&mut self, ReplyId(number): ReplyId, event: ReplyEvent) -> Vec<Outcome> {
        let at = number.checked_sub(1).and_then(|at| usize::try_from(at).ok());
        let branch = at.zip(self.job()).and_then(|(at, job)| job.beside.get(at).copied());
        let (Some(branch), Some(model)) = (branch, self.model().map(Arc::clone)) else { return Vec::new() };
        let Some(turn) = self.branches.last_turn_of(branch) else { return Vec::new() };
        match event {
            ReplyEvent::Step(step, named) => {
                turn.grow(&step, Duration::ZERO, &model.vocab);
                let node = self.branches.push_on(branch, step);
                self.note_pinned(node, &named);
            }
            ReplyEvent::Ended(reason) => turn.finish(reason, Timing::default()),
            ReplyEvent::Failed(error) => {
                turn.finish(FinishReason::Cancelled, Timing::default());
                return vec![Outcome::Say(Notice::Error(format!("branch {branch}: {error}")))];
            }
        }
        Vec::new()
    }

    /// Ends what was written beside a reply; each with its figures.
    fn end_siblings(&mut self) -> Vec<Outcome> {
        let Work::Replying(job) = &mut self.work else { return Vec::new() };
        let mut told = Vec::new();
        for branch in std::mem::take(&mut job.beside) {
            if self.branches.take_out_empty(branch) {
                continue;
            }
            let Some(turn) = self.branches.last_turn_of(branch) else { continue };
            if turn.reply.as_ref().is_some_and(|reply| reply.finish.is_none()) {
                turn.finish(FinishReason::Cancelled, Timing::default());
            }
            if let Some(reply) = &turn.reply {
                let (sum, mean) = (reply.score.sum_logprob(), reply.score.mean_logprob());
                let mean = mean.map_or(String::new(), |mean| format!(", {mean:.3} per token"));
                let seed = reply.seed;
                told.push(format!(
                    "branch {branch}, seed {seed}, Σ {sum:.3} nat{mean}: {}",
                    turn.text.trim()
                ));
            }
        }
        if told.is_empty() { Vec::new() } else { vec![Outcome::Say(Notice::Info(told.join("\n")))] }
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
                self.fill(steps);
            }
            (Event::Step { step, elapsed, named }, Work::Replying(job)) => {
                job.steps += 1;
                if let (Some(turn), ModelState::Ready(loaded)) = (self.branches.last_turn_mut(), &self.model)
                {
                    turn.grow(&step, elapsed, &loaded.info.vocab);
                }
                self.branches.push(step, NodeOrigin::Sampled);
                let node = self.branches.tree().head();
                self.note_pinned(node, &named);
            }
            (Event::Reply(id, event), Work::Replying(_)) => return self.on_sibling(id, event),
            (Event::Finished { reason, timing }, Work::Replying(_)) => {
                return self.on_finished(reason, timing);
            }
            (Event::Failed(error), Work::Replying(_)) => {
                let mut outcomes = self.end_siblings();
                self.end_reply();
                outcomes.push(Outcome::Say(Notice::Error(error.to_string())));
                return outcomes;
            }
            _ => {}
        }
        Vec::new()
    }

    /// Takes the figures of the prompt's next tokens, a reply's beginning among them.
    fn fill(&mut self, steps: Vec<Arc<Step>>) {
        let vocab = self.model().map(|model| Arc::clone(&model.vocab));
        let beside = self.job().map_or_else(Vec::new, |job| job.beside.clone());
        for step in steps {
            let at = self.branches.fill(Arc::clone(&step));
            if at < self.branches.current().reply {
                continue;
            }
            let Some(vocab) = &vocab else { continue };
            self.branches.last_turn_mut().into_iter().for_each(|turn| turn.learn(at, &step, vocab));
            for &branch in &beside {
                self.branches.last_turn_of(branch).into_iter().for_each(|turn| turn.learn(at, &step, vocab));
            }
        }
    }

    fn on_finished(&mut self, reason: FinishReason, timing: Timing) -> Vec<Outcome> {
        let mut outcomes = self.end_siblings();
        if let Some(turn) = self.branches.last_turn_mut() {
            turn.finish(reason, timing);
        }
        self.work = Work::Idle;
        self.version += 1;
        let context = self.model().map_or(0, |model| model.context);
        match reason {
            FinishReason::Cancelled => self.again = 0,
            FinishReason::Stop | FinishReason::Length if self.again > 0 => {
                outcomes.extend(self.retry(self.again).unwrap_or_else(|error| vec![error.into()]));
            }
            FinishReason::Context => outcomes.push(Outcome::Say(Notice::Warning(format!(
                "the context of {context} tokens is full, the reply ends here: /clear begins again, --ctx makes room"
            )))),
            _ => {}
        }
        outcomes
    }

    /// Ends a request that failed: a reply that never began leaves no turn behind.
    pub(super) fn end_reply(&mut self) {
        self.end_siblings();
        let (left, steps) = self.job().map_or((None, 0), |job| (job.left, job.steps));
        (self.work, self.again) = (Work::Idle, 0);
        if let Some(turn) = self.branches.last_turn_mut()
            && let Some(reply) = &turn.reply
        {
            if steps == 0 && (left.is_some() || (reply.ids.is_empty() && reply.finish.is_none())) {
                self.branches.turns_mut().pop();
                left.into_iter().for_each(|left| self.branches.give_up(left));
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
