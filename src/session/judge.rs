//! What people say of tokens: right or wrong, with a note, taken back, and again.

use super::calibration::SessionVerdicts;
use super::judgement::{JudgedIn, Judgement, judgements};
use super::task::Task;
use super::{Notice, Outcome, Session, SessionError, Ticket};
use crate::archive::event::{Judged, VerdictScope};
use crate::command::{MarkAsked, MarkTarget, MarkWord, StepPlace};
use crate::sequence::NodeNumber;

impl Session {
    /// Marks tokens, or takes a mark back.
    pub(super) fn mark(&mut self, asked: MarkAsked) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_writable()?;
        if asked.word == MarkWord::Undo {
            let judged = self.verdicts.undo().ok_or(SessionError::NothingMarked)?;
            self.version += 1;
            return Ok(vec![self.tell_judged(&judged)]);
        }
        let (scope, [first, last]) = self.marked(asked.target)?;
        let path = self.branches.tree().path();
        let number = |at: usize| path.get(at).map(|number| number.0).ok_or(SessionError::NothingToFork);
        let tokens = [number(first)?, number(last)?];
        let right = match asked.word {
            MarkWord::Right => Some(true),
            MarkWord::Wrong => Some(false),
            MarkWord::None | MarkWord::Undo => None,
        };
        let is_there = |judged: &Judged| judged.tokens == tokens && judged.right.is_some();
        if right.is_none() && !self.verdicts.all().iter().any(is_there) {
            return Err(SessionError::NothingMarked);
        }
        let judged = Judged { scope, tokens, right, note: asked.note };
        self.verdicts.say(judged.clone());
        self.version += 1;
        Ok(vec![self.tell_judged(&judged)])
    }

    /// Which positions a mark is about.
    fn marked(&self, target: MarkTarget) -> Result<(VerdictScope, [usize; 2]), SessionError> {
        let token = |place| self.position_of_mark(place).map(|at| (VerdictScope::Token, [at, at]));
        match target {
            MarkTarget::Token(place) => token(place),
            MarkTarget::Span(first, last) => {
                let (first, last) = (self.position_of_mark(first)?, self.position_of_mark(last)?);
                let scope = if first == last { VerdictScope::Token } else { VerdictScope::Span };
                Ok((scope, [first.min(last), first.max(last)]))
            }
            MarkTarget::Here | MarkTarget::Reply(None) => self.reply_at(None),
            MarkTarget::Reply(at) => self.reply_at(at),
        }
    }

    /// A token that has figures: the first of all has nothing before it.
    fn position_of_mark(&self, place: StepPlace) -> Result<usize, SessionError> {
        self.position(Some(place))
    }

    /// The tokens of the reply around a position, or of the last one.
    fn reply_at(&self, at: Option<usize>) -> Result<(VerdictScope, [usize; 2]), SessionError> {
        let replies = self.turns().iter().rev().filter(|turn| turn.reply.is_some());
        let mut ranges = replies.filter_map(|turn| turn.tokens());
        let found = match at {
            None => ranges.next(),
            Some(at) => ranges.find(|range| range.contains(&at)),
        };
        let range = found.ok_or(SessionError::NoReply)?;
        if self.job().is_some() && range.end == self.sequence().len() {
            return Err(SessionError::Busy);
        }
        Ok((VerdictScope::Reply, [range.start, range.end - 1]))
    }

    fn tell_judged(&self, judged: &Judged) -> Outcome {
        let [first, last] = judged.tokens;
        let ids = self.branches.tree().path_to(NodeNumber(last));
        let ids = ids.iter().filter(|number| number.0 >= first);
        let ids = ids.filter_map(|&number| self.branches.tree().node(number)).map(|node| node.id);
        let text = self.vocab().map_or_else(String::new, |vocab| {
            let text = crate::token::visible(&vocab.concat(ids));
            crate::archive::title(&text)
        });
        let what = match judged.scope {
            VerdictScope::Token => "the token",
            VerdictScope::Span => "the span",
            VerdictScope::Reply => "the reply",
        };
        let note = judged.note.as_ref().map_or(String::new(), |note| format!(": {note}"));
        Outcome::Say(Notice::Info(match judged.right {
            Some(true) => format!("✓ {what} «{text}» is marked right{note}"),
            Some(false) => format!("✗ {what} «{text}» is marked wrong{note}"),
            None => format!("{what} «{text}» is not marked any more"),
        }))
    }

    /// What is said of the reply that has just these tokens.
    pub fn verdict_of(&self, tokens: &std::ops::Range<usize>) -> Option<bool> {
        if self.verdicts.all().is_empty() {
            return None;
        }
        let path = self.branches.tree().path();
        let ends = [path.get(tokens.start)?.0, path.get(tokens.end.checked_sub(1)?)?.0];
        let same = self.verdicts.all().iter().find(|judged| judged.tokens == ends);
        same.filter(|judged| judged.scope == VerdictScope::Reply).and_then(|judged| judged.right)
    }

    /// What is said of a token of the conversation: of it alone, or of a span or a reply in which it stands, the
    /// shortest.
    pub fn verdict_at(&self, at: usize) -> Option<&Judged> {
        if self.verdicts.all().is_empty() {
            return None;
        }
        let path = self.branches.tree().path();
        let holds = |judged: &&Judged| {
            let [first, last] = judged.tokens.map(NodeNumber);
            let number = path.get(at).copied();
            let is_on_path = |number: NodeNumber| {
                let node = self.branches.tree().node(number);
                node.is_some_and(|node| path.get(node.position()) == Some(&number))
            };
            judged.right.is_some()
                && number.is_some_and(|number| first <= number && number <= last)
                && is_on_path(first)
                && is_on_path(last)
        };
        let length =
            |judged: &&Judged| (judged.tokens[1] - judged.tokens[0], judged.scope != VerdictScope::Token);
        self.verdicts.all().iter().filter(holds).min_by_key(length)
    }
}

impl Session {
    /// What is marked in this conversation.
    pub fn judgements(&self) -> Vec<Judgement> {
        let Some(vocab) = self.vocab() else { return Vec::new() };
        judgements(JudgedIn {
            tree: self.branches.tree(),
            vocab,
            branches: self.branches.all(),
            verdicts: self.verdicts(),
            system: self.system(),
        })
    }

    /// `/calibration`: a conversation that is kept stands among the sessions already.
    pub(super) fn calibration(&mut self) -> Result<Vec<Outcome>, SessionError> {
        let judgements = if self.kept_by_itself { Vec::new() } else { self.judgements() };
        let model = self.settings.model.clone();
        let here = (!judgements.is_empty()).then(|| SessionVerdicts {
            session: "this conversation".to_string(),
            model,
            judgements,
        });
        Ok(vec![Outcome::Run(Ticket::default(), Task::Calibrate(here.map(Box::new)))])
    }
}
