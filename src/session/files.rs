//! The conversation in files: kept, taken back, exported.

use super::keep;
use super::task::{Snapshot, Task};
use super::{Outcome, Session, SessionError, Ticket};
use crate::archive::Saved;
use crate::files::Existing;

impl Session {
    /// Has the conversation kept in a file.
    pub(super) fn save(&self, file: String, existing: Existing) -> Result<Vec<Outcome>, SessionError> {
        let now = Box::new(self.snapshot()?);
        Ok(vec![Outcome::Run(Ticket::default(), Task::Save(now, file, existing))])
    }

    /// Has every token's figures written to a file.
    pub(super) fn export(&self, file: String, existing: Existing) -> Result<Vec<Outcome>, SessionError> {
        let now = Box::new(self.snapshot()?);
        Ok(vec![Outcome::Run(Ticket::default(), Task::Export(now, file, existing))])
    }

    /// Has a conversation taken from a file. One that is in no file makes room only if that is meant.
    pub(super) fn load(&mut self, file: String, existing: Existing) -> Result<Vec<Outcome>, SessionError> {
        if self.is_unsaved() && existing == Existing::Keep {
            self.must_be_free()?;
            return Err(SessionError::Unsaved(file));
        }
        let mut outcomes = self.give_back();
        outcomes.extend(self.begin(Task::Load(file))?);
        Ok(outcomes)
    }

    fn snapshot(&self) -> Result<Snapshot, SessionError> {
        if self.turns().is_empty() {
            return Err(SessionError::NothingToWrite);
        }
        Ok(Snapshot {
            model: self.origin_line().unwrap_or_else(|| keep::model_line(self)),
            vocab: self.vocab().cloned().unwrap_or_default(),
            branches: self.branches.clone(),
            settings: keep::settings(self),
            verdicts: self.verdicts().to_vec(),
            pins: self.pinned().to_vec(),
            pinned: self.pinned_figures().clone(),
            k: self.settings.k,
            version: self.version,
        })
    }

    /// Takes a conversation from a file in place of this one; says what came of it.
    pub(super) fn load_from(&mut self, saved: &Saved, file: &str) -> String {
        let vocabulary = self.model().map(|model| model.vocab.len());
        // Without a model it shows when one is ready.
        let same = vocabulary.is_none() || vocabulary == saved.model.vocabulary;
        let turns = self.take(saved, same).len();
        let in_force = if same { self.take_in_force(&saved.unread) } else { String::new() };
        let name = self.model().map(|model| &model.name);
        let replies = self.turns().iter().any(|turn| turn.reply.is_some());
        let wrote = &saved.model.model;
        let note = match () {
            () if !same && replies => format!(
                "; its replies were written by {wrote}, another model: they are tokenized anew and their figures stay in the file"
            ),
            () if same && replies && name.is_some_and(|name| name != wrote) => {
                format!("; its figures are those of {wrote}")
            }
            () => String::new(),
        };
        format!("{turns} turns from {file}{note}{in_force}")
    }
}
