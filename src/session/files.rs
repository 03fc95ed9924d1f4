//! The conversation in files: kept, taken back, exported.

use std::sync::Arc;

use super::branches::Branches;
use super::store::StoredSession;
use super::task::{Snapshot, Task};
use super::turn::Turn;
use super::{Outcome, Session, SessionError, Ticket};
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
            model: self.model().cloned(),
            system: self.system.clone(),
            turns: self.turns().to_vec(),
            tree: self.branches.tree().path_alone(),
            reply: self.sequence().reply_start(),
            in_force: self.sequence().in_force().clone(),
            k: self.settings.k,
            version: self.version,
        })
    }

    /// Takes a stored conversation in place of this one; says what came of it.
    pub(super) fn take(&mut self, stored: &StoredSession, file: &str) -> String {
        let vocabulary = self.model().map(|model| model.vocab.len());
        // Without a model it shows when one is ready.
        let same = vocabulary.is_none_or(|n| n == stored.n_vocab);
        self.ids_of = vocabulary.or((stored.n_vocab > 0).then_some(stored.n_vocab));
        self.saved = self.version;
        self.system.clone_from(&stored.system);
        let mut turns = Vec::new();
        for turn in &stored.turns {
            let mut turn = Turn::restored(self.new_turn_id(), turn, same);
            if let (Some(tokens), Some(reply)) = (turn.tokens(), &mut turn.reply) {
                reply.under = stored.in_force.of_token(tokens.start);
            }
            turns.push(Arc::new(turn));
        }
        let (tree, reply) = if same { stored.path() } else { Default::default() };
        let under = if same { stored.in_force.clone() } else { Default::default() };
        self.branches = Branches::with(tree, turns, reply, under);
        let in_force = if same { self.take_in_force(stored) } else { String::new() };
        let name = self.model().map(|model| &model.name);
        let replies = self.turns().iter().any(|turn| turn.reply.is_some());
        let note = match () {
            () if !same && replies => format!(
                "; its replies were written by {}, another model: they are tokenized anew and their figures stay in the file",
                stored.model
            ),
            () if same && replies && name.is_some_and(|name| *name != stored.model) => {
                format!("; its figures are those of {}", stored.model)
            }
            () => String::new(),
        };
        format!("{} turns from {file}{note}{in_force}", stored.turns.len())
    }
}
