//! Everything that people marked, over all sessions: how often what was so probable is right.

pub mod shown;

use serde::Serialize;

use super::branches::Branch;
use super::judgement::{JudgedIn, Judgement, judgements};
use super::restored::branches;
use super::turn::TurnId;
use crate::archive::Saved;
use crate::archive::read;
use crate::archive::shelf::Shelf;
use crate::bounded::DATA;
use crate::files;
use crate::score::calibration::{Calibration, JudgedProb};

/// How a line of a verdict begins.
const VERDICT: &[u8] = br#"{"type":"verdict""#;

/// What was marked in one session.
#[derive(Clone, Debug)]
pub struct SessionVerdicts {
    /// Its name.
    pub session: String,
    /// Whose figures it holds.
    pub model: String,
    /// In the order of its tokens.
    pub judgements: Vec<Judgement>,
}

/// What was marked in all of them.
#[derive(Clone, Debug, Default)]
pub struct AllVerdicts {
    /// Those with a mark, by name.
    pub sessions: Vec<SessionVerdicts>,
    /// What could not be read, a line each.
    pub unread: Vec<String>,
}

/// Verdicts on single tokens beside their probabilities, and all of them.
#[derive(Clone, Debug, Serialize)]
pub struct MarkCounts {
    /// Marks in all.
    pub marks: usize,
    /// Sessions with one.
    pub sessions: usize,
    /// Marked tokens whose probability is not known.
    pub without_figures: usize,
    /// Sessions that could not be read, or not whole.
    pub unread: usize,
}

impl AllVerdicts {
    /// Those of the sessions that a text fits.
    pub fn of(shelf: &Shelf, text: &str) -> AllVerdicts {
        let (mut listed, unread) = shelf.fitting(text);
        let mut all = AllVerdicts { unread, ..AllVerdicts::default() };
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        for session in listed {
            let told = |what: String| format!("{}: {what}", session.path.display());
            let bytes = match files::read(&session.path, DATA) {
                Ok(bytes) => bytes,
                Err(error) => {
                    all.unread.push(told(error.to_string()));
                    continue;
                }
            };
            if !bytes.split(|byte| *byte == b'\n').any(|line| line.starts_with(VERDICT)) {
                continue;
            }
            match read::parse(&bytes) {
                Ok(opened) => {
                    all.unread.extend(opened.note.map(&told));
                    all.add(session.name, &opened.saved);
                }
                Err(reason) => all.unread.push(told(reason)),
            }
        }
        all
    }

    fn add(&mut self, session: String, saved: &Saved) {
        let judgements = of_saved(saved);
        if !judgements.is_empty() {
            let model = saved.model.model.clone();
            self.sessions.push(SessionVerdicts { session, model, judgements });
        }
    }

    /// Every mark, with the session it is of.
    pub fn marks(&self) -> impl Iterator<Item = (&SessionVerdicts, &Judgement)> {
        self.sessions.iter().flat_map(|session| session.judgements.iter().map(move |one| (session, one)))
    }

    /// Of single tokens.
    pub fn calibration(&self) -> Calibration {
        let probs: Vec<JudgedProb> = self.marks().filter_map(|(_, one)| one.prob()).collect();
        Calibration::of(&probs)
    }

    /// How many there are.
    pub fn counted(&self) -> MarkCounts {
        let is_token = |one: &Judgement| one.scope == crate::archive::event::VerdictScope::Token;
        MarkCounts {
            marks: self.marks().count(),
            sessions: self.sessions.len(),
            unread: self.unread.len(),
            without_figures: self.marks().filter(|(_, one)| is_token(one) && one.prob().is_none()).count(),
        }
    }
}

/// What is marked in a conversation of a file.
pub fn of_saved(saved: &Saved) -> Vec<Judgement> {
    let (all, _) = branches(saved, &saved.vocab, &mut |_| TurnId::default().next());
    judgements(judged_in(saved, &all))
}

fn judged_in<'a>(saved: &'a Saved, all: &'a [Branch]) -> JudgedIn<'a> {
    JudgedIn {
        tree: &saved.tree,
        vocab: &saved.vocab,
        branches: all,
        verdicts: &saved.verdicts,
        system: saved.settings.get("system").map(String::as_str),
    }
}
