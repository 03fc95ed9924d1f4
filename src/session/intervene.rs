//! What is off in the model or added to it: changed in a conversation, in force from the next token computed or
//! from the start.

use std::sync::Arc;

use super::task::Task;
use super::{Notice, Outcome, Session, SessionError};
use crate::command::Change;
use crate::engine::{EngineError, ModelInfo};
use crate::intervention::{Holding, InForce, Intervention, Interventions, OffPart, Since, Steering};

impl Session {
    /// Changes what is in force.
    ///
    /// # Errors
    /// [`SessionError`]; nothing has changed then.
    pub(super) fn intervene(&mut self, change: Change, since: Since) -> Result<Vec<Outcome>, SessionError> {
        match change {
            Change::Nothing if since == Since::Here => {}
            Change::Nothing => self.hold(since),
            Change::Steer(dose) => return self.begin(Task::Vector(dose, since)),
            Change::Off(part) => {
                // The cache of flash attention knows no edge, so that whatever stands in it is computed anew.
                let since = if matches!(part, OffPart::Edge(_)) { Since::Start } else { since };
                self.must_have(Intervention::Off(part))?;
                if !self.settings.off.contains(&part) {
                    self.settings.off.push(part);
                    self.settings.off.sort();
                }
                self.hold(since);
            }
            Change::On(part) => {
                let before = self.settings.off.len();
                self.settings.off.retain(|other| *other != part);
                if self.settings.off.len() == before {
                    let off = self.settings.interventions().names();
                    return Err(SessionError::IsOn { part: part.to_string(), off });
                }
                self.hold(since);
            }
            Change::AllOn => {
                self.settings.off.clear();
                self.settings.steer.clear();
                self.hold(since);
            }
            Change::Straight => {
                self.settings.steer.clear();
                self.hold(since);
            }
        }
        Ok(vec![Outcome::Say(Notice::Info(self.told_in_force()))])
    }

    /// A vector was read: it is added in place of its dose before.
    pub(super) fn steered(&mut self, dose: Steering, since: Since) -> Vec<Outcome> {
        if let Err(error) = self.must_have(Intervention::Steer(dose.clone())) {
            return vec![error.into()];
        }
        let all = &mut self.settings.steer;
        match all.iter_mut().find(|other| other.file == dose.file && other.layers == dose.layers) {
            Some(before) => *before = dose,
            None => all.push(dose),
        }
        self.hold(since);
        vec![Outcome::Say(Notice::Info(self.told_in_force()))]
    }

    fn must_have(&self, one: Intervention) -> Result<(), SessionError> {
        let checked = self.model().map_or(Ok(()), |model| model.check(&Interventions::from_iter([one])));
        checked.map_err(|reason| EngineError::Intervention(reason).into())
    }

    /// What is in force now holds from the start of the conversation, or from the next token on.
    fn hold(&mut self, since: Since) {
        let now = self.settings.interventions();
        if since == Since::Start {
            let as_it_is = *self.sequence().in_force() == InForce::from(now.clone());
            self.anew = Some(now).filter(|_| !as_it_is && !self.sequence().is_empty());
        }
    }

    /// What will be in force at each position of a prompt and of the reply to it, of which so many tokens are
    /// those of the sequence. What was to be computed anew is so from now on.
    pub(super) fn put_in_force(&mut self, kept: usize) -> InForce {
        let before = match self.anew.take() {
            Some(whole) => whole.into(),
            None => self.sequence().in_force().clone(),
        };
        before.after(kept, &self.settings.interventions())
    }

    /// What is in force in the conversation, since which token, and how; nothing where nothing is or was.
    pub fn in_force(&self) -> Option<Holding> {
        let now = self.settings.interventions();
        let path = self.sequence().in_force();
        let what = |these: &Interventions| match these.is_empty() {
            true => "all on".to_string(),
            false => these.told(),
        };
        let holding = |what: String, since: &str| Some(Holding { what, since: since.to_string() });
        match &self.anew {
            _ if self.sequence().is_empty() && now.is_empty() => None,
            _ if self.sequence().is_empty() => holding(what(&now), "(from the start)"),
            Some(whole) if *whole == now => holding(what(&now), "from the start (next reply)"),
            Some(whole) => {
                holding(format!("{} from the start, {}", what(whole), what(&now)), "from the next token on")
            }
            None if path.at_the_end() == now => path.told(),
            None => holding(what(&now), "from the next token on"),
        }
    }

    fn told_in_force(&self) -> String {
        let Some(told) = self.in_force() else { return "nothing is off, nothing is added".to_string() };
        let how = match &self.anew {
            Some(_) => "\nwhat was said is computed anew then",
            None if told.since == "from the next token on" => {
                "\nwhat was computed before stays as it is; add «from start» to have it computed anew"
            }
            None => "",
        };
        format!("{told}{how}")
    }

    /// Changes the dose of the newest vector by so much.
    ///
    /// # Errors
    /// [`SessionError::NoVector`].
    pub fn dose(&mut self, by: f32) -> Result<(), SessionError> {
        let dose = self.settings.steer.last_mut().ok_or(SessionError::NoVector)?;
        dose.scale = ((dose.scale + by) * 1e4).round() / 1e4;
        Ok(())
    }

    /// What was off at the end of a conversation from a file is off again; says so. `unread` are the vectors that
    /// can't be had again.
    pub(super) fn take_in_force(&mut self, unread: &[String]) -> String {
        let before = self.settings.interventions();
        (self.settings.off, self.settings.steer) = (Vec::new(), Vec::new());
        for one in self.sequence().in_force().clone().at_the_end().iter() {
            match one {
                Intervention::Off(part) => self.settings.off.push(*part),
                Intervention::Steer(dose) if dose.vector.is_some() => self.settings.steer.push(dose.clone()),
                Intervention::Steer(_) => {}
            }
        }
        let now = self.settings.interventions();
        // What can't be read can't be computed again: the next reply is without it from the start.
        self.anew = (!unread.is_empty()).then(|| now.clone());
        let unread = unread.iter().map(|reason| {
            format!("; {reason}: the figures are those with it, and what is said next is computed without it")
        });
        let changed = match (now.is_empty(), before == now) {
            (true, true) => String::new(),
            (true, false) => format!("; it has nothing off: {} is so no more", before.told()),
            (false, _) => self.in_force().map_or(String::new(), |told| format!("; {told}")),
        };
        unread.collect::<String>() + &changed
    }

    /// What a model has not that was off or added in another one, or before there was one, is so no more.
    pub(super) fn drop_unfit(&mut self, info: &Arc<ModelInfo>) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        let mut fits = |one: Intervention| match info.check(&Interventions::from_iter([one])) {
            Ok(()) => true,
            Err(reason) => {
                outcomes.push(Outcome::Say(Notice::Error(format!("{reason}; it is left out"))));
                false
            }
        };
        self.settings.off.retain(|part| fits(Intervention::Off(*part)));
        self.settings.steer.retain(|dose| fits(Intervention::Steer(dose.clone())));
        let mut of_path = self.sequence().in_force().spans().iter();
        if of_path.any(|(_, these)| info.check(these).is_err()) {
            self.anew = Some(self.settings.interventions());
        }
        outcomes
    }
}
