//! Questions about one step of the conversation, or about what comes after a text in the making.

use std::sync::Arc;

use super::{Outcome, Session, SessionError};
use crate::ask::Question;
use crate::command::{StepCommand, StepPlace};
use crate::query::at_step::RowWish;
use crate::query::step_question::{StepMatter, StepQuestion};
use crate::settings::Settings;
use crate::settings::key::SettingKey;

impl Session {
    /// Asks something about a step.
    pub(super) fn at_step(
        &mut self,
        place: Option<StepPlace>,
        asked: StepCommand,
    ) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        self.loaded()?;
        let about = match asked {
            StepCommand::WhatIf(changes) => {
                StepMatter::WhatIf(Box::new(self.settings_with(&changes)?.sampling))
            }
            StepCommand::Text(text) => StepMatter::Text(text.into_bytes()),
            StepCommand::Holding(letters) => StepMatter::Holding(letters),
        };
        let question = match (&self.draft, place) {
            // Where nothing was said, it is about what was asked last.
            (Some(draft), None) if self.sequence().is_empty() => {
                let in_force = self.settings.interventions().into();
                let constraint = self.settings.sampling.grammar.clone();
                let wish = RowWish { path: draft.ids.clone(), begun: Vec::new(), constraint, in_force };
                let place = format!("after {} tokens", draft.ids.len());
                StepQuestion { place, wish, stood: None, about }
            }
            _ => {
                let at = self.position(place)?;
                let wish = self.row_wish(at)?;
                StepQuestion {
                    place: self.step_name(at),
                    wish,
                    stood: self.sequence().step(at).cloned(),
                    about,
                }
            }
        };
        self.ask(Question::AtStep(Box::new(question)))
    }

    /// The settings with some of them changed.
    ///
    /// # Errors
    /// [`SessionError::Setting`].
    pub fn settings_with(&self, changes: &[(SettingKey, String)]) -> Result<Settings, SessionError> {
        let mut settings = self.settings.clone();
        for (key, value) in changes {
            if key.constraint(value).is_some() {
                return Err(SessionError::ConstraintOfAStep(key.name()));
            }
            key.set(&mut settings, value)?;
        }
        Ok(settings)
    }

    /// What is wanted for the row of a step of the conversation.
    ///
    /// # Errors
    /// [`SessionError`]: there is no such step, or the model that has it is not here.
    pub fn row_wish(&self, at: usize) -> Result<RowWish, SessionError> {
        let info = &self.loaded()?.info;
        if self.vocab().is_none_or(|vocab| !Arc::ptr_eq(vocab, &info.vocab)) {
            return Err(SessionError::ReadOnly(self.read_only().unwrap_or_default()));
        }
        let sequence = self.sequence();
        if at == 0 || at >= sequence.len() {
            return Err(SessionError::NothingBefore);
        }
        let reply = self.turns().iter().find_map(|turn| {
            let begins = turn.first() + turn.reply.as_ref()?.typed();
            turn.tokens().is_some_and(|own| own.contains(&at) && at >= begins).then_some(begins)
        });
        let outcome = |at: usize| {
            let stats = sequence.step(at).and_then(|step| step.stats.as_ref());
            stats.and_then(|stats| stats.outcome).map(|outcome| outcome.prob)
        };
        Ok(RowWish {
            path: sequence.tokens().take(at).map(|token| token.id).collect(),
            begun: reply.map_or_else(Vec::new, |begins| (begins..at).map(outcome).collect()),
            constraint: reply.and_then(|_| self.settings.sampling.grammar.clone()),
            in_force: sequence.in_force().clone(),
        })
    }

    /// What a token of the conversation is called.
    fn step_name(&self, at: usize) -> String {
        let start = self.sequence().reply_start();
        match at.checked_sub(start) {
            Some(step) => format!("step {}", step + 1),
            None => format!("token {} of the prompt", at + 1),
        }
    }
}
