//! The conversation in files: kept, taken back, exported.

use std::path::Path;

use super::export::{Export, Format};
use super::store::{Stored, StoredTurn};
use super::trace::Trace;
use super::turn::Turn;
use super::{Session, SessionError};
use crate::chat::Role;

impl Session {
    /// The conversation as it is kept.
    fn stored(&self) -> Result<Stored, SessionError> {
        if self.turns.is_empty() {
            return Err(SessionError::NothingToWrite);
        }
        let logprob = |token: usize| {
            self.trace.step(token).and_then(|step| step.logprob()).filter(|value| value.is_finite())
        };
        let turns = self.turns.iter().map(|turn| {
            let marks = turn.reply.iter().flat_map(|_| &turn.marks);
            StoredTurn::new(turn, marks.map(|mark| logprob(mark.token)).collect())
        });
        Ok(Stored::new(self.model.as_deref(), self.system(), turns.collect()))
    }

    /// Keeps the conversation in a file.
    pub(super) fn save(&mut self, path: &str) -> Result<String, SessionError> {
        self.stored()?.write(Path::new(path))?;
        self.unsaved = false;
        Ok(format!("kept in {path}"))
    }

    /// Takes a conversation from a file.
    pub(super) fn load(&mut self, path: &str) -> Result<String, SessionError> {
        self.must_be_free()?;
        let stored = Stored::read(Path::new(path))?;
        Ok(self.take(stored, path))
    }

    /// Takes a stored conversation in place of this one; says what came of it.
    fn take(&mut self, stored: Stored, path: &str) -> String {
        let same = self.model.as_ref().is_some_and(|model| model.vocab.len() == stored.n_vocab);
        self.turns.clear();
        self.trace = Trace::default();
        self.waiting = false;
        self.unsaved = false;
        self.system = stored.system;
        let n = stored.turns.len();
        for turn in stored.turns {
            let id = self.new_turn_id();
            let role = turn.role();
            let ids = turn.ids.filter(|_| same);
            self.turns.push(match role {
                Some(Role::Assistant) => {
                    Turn::restored(id, &turn.content, ids, turn.seed.unwrap_or_default())
                }
                _ => Turn::user(id, &turn.content),
            });
        }
        let note =
            if same { "" } else { "; its replies were written by another model and are tokenized anew" };
        format!("{n} turns from {path}{note}")
    }

    /// Writes every token's figures to a file.
    pub(super) fn export(&self, path: &str) -> Result<String, SessionError> {
        let format =
            Format::of(Path::new(path)).ok_or_else(|| SessionError::UnknownFormat(path.to_string()))?;
        let Some(model) = self.model.as_ref().filter(|_| !self.turns.is_empty()) else {
            return Err(SessionError::NothingToWrite);
        };
        let export =
            Export { trace: &self.trace, turns: &self.turns, vocab: &model.vocab, k: self.settings.k };
        export
            .write(Path::new(path), format)
            .map_err(|error| SessionError::Export(path.to_string(), error))?;
        Ok(format!("written to {path}"))
    }
}
