//! The model of a conversation: how it comes and goes, its template, the weights it is computed with and
//! a better copy of them that is made meanwhile.

use std::sync::Arc;

use super::branches::Branches;
use super::state::{Fetch, Loaded, ModelState, Work};
use super::task::Task;
use super::turn::Turn;
use super::verdicts::Verdicts;
use super::{Notice, Outcome, Session, SessionError, Ticket};
use crate::chat::ChatTemplate;
use crate::command::Command;
use crate::engine::{CancelFlag, EngineError, ModelInfo};
use crate::intervention::InForce;
use crate::model::{Reason, Weights};
use crate::sequence::TokenTree;
use crate::settings::advice::Advice;

impl Session {
    /// The model, which must be there.
    pub(super) fn loaded(&self) -> Result<&Loaded, SessionError> {
        match &self.model {
            ModelState::Ready(loaded) => Ok(loaded),
            ModelState::None(_) => Err(SessionError::NoModel),
            _ => Err(SessionError::Loading),
        }
    }

    /// `/model`: tells, changes, or takes the copy that was announced.
    pub(super) fn change_model(&mut self, name: Option<String>) -> Result<Vec<Outcome>, SessionError> {
        let name = match (name, &self.model) {
            (Some(name), _) => name,
            (None, _) if self.has_better_copy() => self.settings.model.clone(),
            (None, model) => {
                let said = match model {
                    ModelState::Ready(loaded) => describe(&loaded.info),
                    ModelState::None(_) => SessionError::NoModel.to_string(),
                    _ => format!("{} is loading", self.settings.model),
                };
                return Ok(vec![Outcome::Say(Notice::Info(said))]);
            }
        };
        self.must_be_free()?;
        self.copy = None;
        self.model = ModelState::Finding { fetch: Fetch::finding(&name), before: self.take_model() };
        self.settings.model.clone_from(&name);
        Ok(vec![Outcome::Load(name)])
    }

    /// So far finding the model is.
    pub fn on_fetch(&mut self, now: Fetch) {
        if let ModelState::Finding { fetch, .. } = &mut self.model {
            *fetch = now;
        }
    }

    /// Takes out of the state the model that answers, or did so before another was asked for.
    pub(super) fn take_model(&mut self) -> Option<Box<Loaded>> {
        match std::mem::replace(&mut self.model, ModelState::None(String::new())) {
            ModelState::Ready(loaded) => Some(Box::new(loaded)),
            ModelState::Finding { before, .. } | ModelState::Loading { before, .. } => before,
            ModelState::Preparing(..) | ModelState::None(_) => None,
        }
    }

    /// The model can't be had. The one there was before `/model` answers again; where there was none, a
    /// message that waited comes back.
    pub fn on_no_model(&mut self, reason: String) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Say(Notice::Error(reason.clone()))];
        match self.take_model() {
            Some(before) => {
                self.settings.model.clone_from(&before.asked);
                self.model = ModelState::Ready(*before);
                outcomes.extend(self.answer_waiting());
            }
            None => {
                self.model = ModelState::None(reason);
                outcomes.push(Outcome::Say(Notice::Info(SessionError::NoModel.to_string())));
                outcomes.extend(self.give_back());
            }
        }
        outcomes
    }

    /// The engine is gone.
    pub(super) fn on_lost(&mut self, error: EngineError) -> Vec<Outcome> {
        self.model = ModelState::None(error.to_string());
        match &self.work {
            Work::Replying(job) if job.undo.is_some() => self.take_back(error.into()),
            Work::Replying(_) => {
                self.end_reply();
                vec![Outcome::Say(Notice::Error(error.to_string()))]
            }
            _ => {
                let mut outcomes = vec![Outcome::Say(Notice::Error(error.to_string()))];
                outcomes.extend(self.give_back());
                outcomes
            }
        }
    }

    /// The model is loaded: its template is read next.
    pub(super) fn on_loaded(&mut self, info: Arc<ModelInfo>) -> Vec<Outcome> {
        let id = self.new_request();
        self.model = ModelState::Preparing(id, Arc::clone(&info));
        vec![Outcome::Run(Ticket { id: Some(id), cancel: CancelFlag::default() }, Task::Template(info))]
    }

    /// Its template is read: it answers from now on.
    pub(super) fn on_ready(
        &mut self,
        info: Arc<ModelInfo>,
        template: Result<Arc<ChatTemplate>, String>,
    ) -> Vec<Outcome> {
        let advice = Advice::of(&info.about, &self.settings);
        self.settings.advise(&advice);
        let mut outcomes: Vec<_> =
            advice.note.into_iter().map(|note| Outcome::Say(Notice::Warning(note))).collect();
        // Ids of another vocabulary mean nothing.
        let has_others = self.ids_of.is_some_and(|n| n != info.vocab.len());
        if has_others && self.origin.is_none() {
            if !self.sequence().is_empty() {
                outcomes.push(Outcome::Say(Notice::Warning(format!(
                    "{} has another vocabulary: what was said is tokenized anew, its figures are gone from the screen",
                    info.name
                ))));
            }
            self.forget_ids();
            // Its tokens are others: what was written of them stays in a file of its own.
            self.conversation += 1;
            self.draft = None;
        }
        outcomes.extend(self.drop_unfit(&info));
        self.branches.turns_mut().iter_mut().map(Arc::make_mut).for_each(Turn::forget_speed);
        if !has_others || self.origin.is_none() {
            self.ids_of = Some(info.vocab.len());
        }
        let broken = template.as_ref().err().cloned();
        self.model = ModelState::Ready(Loaded { asked: self.settings.model.clone(), info, template });
        if let (true, Some(reason)) = (has_others, self.read_only()) {
            outcomes.push(Outcome::Say(Notice::Warning(SessionError::ReadOnly(reason).to_string())));
        }
        match broken {
            Some(error) => {
                outcomes.push(Outcome::Say(Notice::Error(format!("the model's chat template: {error}"))));
                outcomes.extend(self.give_back());
            }
            None => {
                outcomes.extend(self.answer_waiting());
                outcomes.extend(self.offer_copy());
            }
        }
        outcomes
    }

    /// Of what was said only the texts stay, on the present branch alone.
    fn forget_ids(&mut self) {
        let mut turns = std::mem::take(self.branches.turns_mut());
        turns.iter_mut().map(Arc::make_mut).for_each(Turn::forget_ids);
        self.branches = Branches::with(TokenTree::default(), turns, 0, InForce::default());
        self.verdicts = Verdicts::default();
        self.pins.forget();
    }

    /// A copy of the running model's weights is ready. A conversation keeps the weights it has; where
    /// nothing was asked yet, the copy is taken.
    pub fn on_copy(&mut self, weights: Weights) -> Vec<Outcome> {
        self.copy = Some(weights);
        self.offer_copy()
    }

    /// Whether a copy waits to be taken.
    fn has_better_copy(&self) -> bool {
        let reason = self.model().map(|model| model.about.weights.reason);
        self.copy.is_some_and(|copy| reason == Some(Reason::Making(copy)))
    }

    /// Says that a copy is ready, or takes it.
    fn offer_copy(&mut self) -> Vec<Outcome> {
        let (Some(copy), Some(model)) = (self.copy, self.model()) else { return Vec::new() };
        if !self.has_better_copy() {
            return Vec::new();
        }
        let ready = format!("the {} copy of {} is ready: /model takes it", copy.name(), model.name);
        if self.asked || self.is_busy() {
            return vec![Outcome::Say(Notice::Info(ready))];
        }
        self.execute(Command::Model(None)).unwrap_or_default()
    }
}

/// The model in one line.
fn describe(model: &ModelInfo) -> String {
    let weights = model.about.weights.shown();
    format!("{} ({}, weights {weights}, {})", model.name, model.quantization, model.path.display())
}

#[cfg(test)]
mod tests;
