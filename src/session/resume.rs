//! Going on with a session that was saved, or only looking at it.

use std::sync::Arc;

use super::branches::Branches;
use super::pins::Pins;
use super::restored::branches;
use super::task::{FoundSession, Task};
use super::turn::{Turn, TurnId};
use super::verdicts::Verdicts;
use super::{Notice, Outcome, Session, SessionError, Ticket};
use crate::archive::Saved;
use crate::archive::event::ModelLine;
use crate::archive::scribe::Scribe;
use crate::engine::ModelInfo;
use crate::intervention::InForce;
use crate::sequence::TokenTree;
use crate::settings::key::SettingKey;
use crate::settings::source::Source;
use crate::token::Vocab;

/// What a conversation from a session file brings along.
pub(super) struct FileOrigin {
    /// Whose figures it holds.
    model: ModelLine,
    /// What its tokens stand for.
    vocab: Arc<Vocab>,
    /// Why it may only be looked at.
    locked: Option<String>,
}

impl FileOrigin {
    /// Whether it is this model's.
    fn is_of(&self, info: &ModelInfo) -> bool {
        self.model.vocabulary == Some(info.vocab.len()) && self.model.model == info.name
    }
}

impl Session {
    /// `/sessions`: lists them, or goes on with one.
    pub(super) fn sessions(&mut self, name: Option<String>) -> Result<Vec<Outcome>, SessionError> {
        match name {
            None => Ok(vec![Outcome::Run(Ticket::default(), Task::ListSessions)]),
            Some(_) if self.is_unsaved() => Err(SessionError::UnsavedHere),
            Some(name) => self.resume(name),
        }
    }

    /// Has a saved session found and read in place of this conversation.
    ///
    /// # Errors
    /// [`SessionError`]; nothing has changed then.
    pub fn resume(&mut self, name: String) -> Result<Vec<Outcome>, SessionError> {
        let mut outcomes = self.give_back();
        outcomes.extend(self.begin(Task::Resume(name))?);
        Ok(outcomes)
    }

    /// Takes a session that was found.
    pub(super) fn resumed(&mut self, found: FoundSession) -> Vec<Outcome> {
        let FoundSession { saved, held, locked, name } = found;
        let ids = self.take(&saved, true);
        self.ids_of = saved.model.vocabulary;
        self.origin =
            Some(FileOrigin { model: saved.model.clone(), vocab: Arc::clone(&saved.vocab), locked });
        self.restore_settings(&saved);
        let mut outcomes = Vec::new();
        if let Some(held) = held {
            let mut scribe = Scribe::of(&saved, self.settings.k);
            for (number, id) in ids {
                if let Some(said) = saved.turn(number) {
                    scribe.call(id.number(), number, said);
                }
            }
            outcomes.push(Outcome::Hold(held, Box::new(scribe)));
        }
        let in_force = self.take_in_force(&saved.unread);
        let (count, tokens) = (self.turns().len(), self.branches.tree().len());
        let model = Some(&saved.model.model).filter(|model| !model.is_empty());
        let of = model.map_or(String::new(), |model| format!(" of {model}"));
        outcomes.push(Outcome::Say(Notice::Info(format!(
            "{name}: {count} messages, {tokens} tokens{of}{in_force}"
        ))));
        let read_only = self.read_only().map(SessionError::ReadOnly);
        outcomes.extend(read_only.map(|reason| Outcome::Say(Notice::Warning(reason.to_string()))));
        outcomes
    }

    /// Takes a conversation in place of this one: where `same` is false, only its texts. Returns what each turn is
    /// called here, by its number there.
    pub(super) fn take(&mut self, saved: &Saved, same: bool) -> Vec<(u32, TurnId)> {
        self.conversation += 1;
        self.origin = None;
        self.saved = self.version;
        self.verdicts = Verdicts::of(saved.verdicts.clone());
        self.system = saved.settings.get("system").cloned();
        self.ids_of = self.model().map(|model| model.vocab.len()).or(saved.model.vocabulary);
        let own = self.model().filter(|model| saved.model.vocabulary == Some(model.vocab.len()));
        let vocab = own.map_or_else(|| Arc::clone(&saved.vocab), |model| Arc::clone(&model.vocab));
        let mut ids: Vec<(u32, TurnId)> = Vec::new();
        let (all, current) =
            branches(saved, &vocab, &mut |number| match ids.iter().find(|(known, _)| *known == number) {
                Some((_, id)) => *id,
                None => {
                    let id = self.new_turn_id();
                    ids.push((number, id));
                    id
                }
            });
        self.pins = Pins::of(saved);
        self.branches = if same {
            Branches::restored(saved.tree.clone(), all, current)
        } else {
            let mut turns = all.into_iter().nth(current).map(|branch| branch.turns).unwrap_or_default();
            turns.iter_mut().map(Arc::make_mut).for_each(Turn::forget_ids);
            (self.verdicts, self.pins) = (Verdicts::default(), Pins::default());
            Branches::with(TokenTree::default(), turns, 0, InForce::default())
        };
        ids
    }

    /// What held when it was left holds again, but for what the command line says and what is read from files.
    fn restore_settings(&mut self, saved: &Saved) {
        for key in SettingKey::ALL {
            let (now, then) = (key.show(&self.settings), saved.settings.get(key.name()));
            let is_free = self.settings.sources.of(key) < Source::Flag;
            if let Some(then) = then.filter(|then| **then != now && is_free && key.constraint(then).is_none())
            {
                // A value of another version that is none any more.
                let _ = key.set(&mut self.settings, then);
            }
        }
        let replies =
            self.branches.all().iter().flat_map(|branch| &branch.turns).filter(|turn| turn.reply.is_some());
        self.replies = u32::try_from(replies.count()).unwrap_or(0);
    }

    /// Why the conversation may only be looked at, where that is so.
    pub fn read_only(&self) -> Option<String> {
        let origin = self.origin.as_ref()?;
        let other = self.model().filter(|info| !origin.is_of(info)).map(|info| {
            let (its, name) = (&origin.model.model, &info.name);
            let its = if its.is_empty() { "another model" } else { its };
            match origin.model.vocabulary {
                None if its == name => format!("the server of {name} does not tell which tokens it has"),
                _ => format!("its figures are those of {its}, and {name} is loaded"),
            }
        });
        origin.locked.clone().or(other)
    }

    /// Whether it is from a session file that may be gone on with.
    pub fn goes_on_in_its_file(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.locked.is_none())
    }

    pub(super) fn must_be_writable(&self) -> Result<(), SessionError> {
        self.read_only().map_or(Ok(()), |reason| Err(SessionError::ReadOnly(reason)))
    }

    /// Whose figures the conversation holds, where it is from a file.
    pub(super) fn origin_line(&self) -> Option<ModelLine> {
        self.origin.as_ref().map(|origin| origin.model.clone())
    }

    /// What the tokens of the conversation stand for, as far as that is known.
    pub fn vocab(&self) -> Option<&Arc<Vocab>> {
        let own = self.origin.as_ref();
        match self.model() {
            Some(info) if own.is_none_or(|own| own.is_of(info)) => Some(&info.vocab),
            _ => own.map(|own| &own.vocab),
        }
    }
}
