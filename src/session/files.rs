//! The conversation in files: kept, taken back, exported.

use std::path::Path;

use super::export::{Export, Format};
use super::store::Stored;
use super::turn::Turn;
use super::{Session, SessionError};
use crate::files::{self, Existing, WriteError};

impl Session {
    /// Keeps the conversation in a file.
    pub(super) fn save(&mut self, file: &str, existing: Existing) -> Result<String, SessionError> {
        if self.turns.is_empty() {
            return Err(SessionError::NothingToWrite);
        }
        let stored = Stored::new(self.model.as_deref(), self.system(), &self.turns, &self.trace);
        let written = stored.write(&files::named(file), existing);
        written.map_err(|error| not_written("/save", file, error))?;
        self.unsaved = false;
        Ok(format!("kept in {file}"))
    }

    /// Takes a conversation from a file. One that is in no file makes room only if that is meant.
    pub(super) fn load(&mut self, file: &str, existing: Existing) -> Result<String, SessionError> {
        self.must_be_free()?;
        if self.unsaved && existing == Existing::Keep {
            return Err(SessionError::Unsaved(file.to_string()));
        }
        let stored = Stored::read(&files::named(file))?;
        Ok(self.take(&stored, file))
    }

    /// Takes a stored conversation in place of this one; says what came of it.
    fn take(&mut self, stored: &Stored, file: &str) -> String {
        let vocabulary = self.model.as_ref().map(|model| model.vocab.len());
        // Without a model it shows when one is ready.
        let same = vocabulary.is_none_or(|n| n == stored.n_vocab);
        self.ids_of = vocabulary.or((stored.n_vocab > 0).then_some(stored.n_vocab));
        self.waiting = false;
        self.unsaved = false;
        self.system.clone_from(&stored.system);
        self.trace = if same { stored.trace() } else { Default::default() };
        self.turns.clear();
        for turn in &stored.turns {
            let id = self.new_turn_id();
            self.turns.push(Turn::restored(id, turn, same));
        }
        let name = self.model.as_ref().map(|model| &model.name);
        let replies = self.turns.iter().any(|turn| turn.reply.is_some());
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
        format!("{} turns from {file}{note}", stored.turns.len())
    }

    /// Writes every token's figures to a file.
    pub(super) fn export(&self, file: &str, existing: Existing) -> Result<String, SessionError> {
        let format =
            Format::of(Path::new(file)).ok_or_else(|| SessionError::UnknownFormat(file.to_string()))?;
        let Some(model) = self.model.as_ref().filter(|_| !self.turns.is_empty()) else {
            return Err(SessionError::NothingToWrite);
        };
        let export =
            Export { trace: &self.trace, turns: &self.turns, vocab: &model.vocab, k: self.settings.k };
        files::write(&files::named(file), existing, &mut |out| export.write(out, format))
            .map_err(|error| not_written("/export", file, error))?;
        Ok(format!("written to {file}"))
    }
}

/// Names the file as the person did.
fn not_written(command: &'static str, file: &str, error: WriteError) -> SessionError {
    let file = file.to_string();
    match error {
        WriteError::Exists => SessionError::Exists { command, file },
        WriteError::Io(error) => SessionError::NotWritten(file, error),
    }
}
