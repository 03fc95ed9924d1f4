//! Questions beside the conversation: begun here, answered by [`crate::ask::answer`].

use super::state::Work;
use super::{Outcome, Session, SessionError, resolve_system};
use crate::ask::{Draft, Question};
use crate::chat::{Message, Role};
use crate::command::{Expanded, LensSubject, Premise};
use crate::engine::CancelFlag;
use crate::lens::subject::Given;
use crate::lens::{LensWish, Looking};
use crate::query::expand::search::ExpandLimits;
use crate::query::expand::{ExpandFrom, ExpandWish};
use crate::query::rescore::Premised;
use crate::sequence::TreeNode;

impl Session {
    /// Begins a question.
    pub(super) fn ask(&mut self, asked: Question) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        self.loaded()?;
        self.asked = true;
        let (id, cancel) = (self.new_request(), CancelFlag::default());
        self.work = Work::Asking(id, cancel.clone());
        Ok(vec![Outcome::Ask(asked, cancel)])
    }

    /// The question that was begun is answered, with the text in the making if there is one.
    pub fn on_answer(&mut self, draft: Option<Draft>) {
        self.work = Work::Idle;
        self.draft = draft.or(self.draft.take());
    }

    /// Goes back to an earlier table: `/step` is about it from now on.
    pub fn take_up(&mut self, draft: Draft) {
        self.draft = Some(draft);
    }

    /// Takes what the last table offers by this number: of the conversation on a branch of its own, of another
    /// text with a look at what comes then.
    pub(super) fn step(&mut self, n: usize) -> Result<Vec<Outcome>, SessionError> {
        let offered = |draft: &Draft| Some((draft.clone(), draft.offers.get(n - 1)?.clone()));
        let (draft, taken) = self.draft.as_ref().and_then(offered).ok_or(SessionError::NoCandidate(n))?;
        match draft.of_conversation {
            true => self.take_continuation(&draft.ids, taken),
            false => self.ask(Question::Step([draft.ids, taken].concat())),
        }
    }

    /// What a lens is to be turned on.
    ///
    /// # Errors
    /// [`SessionError::NoSuchToken`].
    pub fn wish(&self, view: Looking, looked: LensSubject) -> Result<LensWish, SessionError> {
        match looked {
            LensSubject::Text(prompt, target, versus) => Ok(LensWish {
                given: Given::Text(prompt.into_bytes()),
                target: target.map(String::into_bytes),
                versus: versus.map(String::into_bytes),
                view,
                under: Some(self.settings.interventions()),
            }),
            LensSubject::Step(step) => {
                let reply = self.sequence().reply_start();
                let last = self.sequence().len().saturating_sub(reply);
                let step = step.unwrap_or(last);
                if last == 0 || step > last {
                    return Err(SessionError::NoSuchToken { asked: step, last });
                }
                let at = reply + step - 1;
                let given = self.given(at).ok_or(SessionError::NoSuchToken { asked: step, last })?;
                let under = Some(self.sequence().in_force().of_token(at));
                Ok(LensWish { given, target: None, versus: None, view, under })
            }
        }
    }

    /// What may come after a text, or stand at a place of the conversation: without one, in place of the last
    /// reply.
    pub(super) fn continuations(
        &self,
        limits: ExpandLimits,
        what: Expanded,
    ) -> Result<ExpandWish, SessionError> {
        let place = match what {
            Expanded::Text(text) => {
                return Ok(ExpandWish { from: ExpandFrom::Text(text.into_bytes()), limits });
            }
            Expanded::Place(place) => place,
        };
        let at = match place {
            None if self.sequence().is_empty() => return Err(SessionError::NothingToExpand),
            None => self.sequence().reply_start(),
            Some(place) => self.position(Some(place))?,
        };
        let sequence = self.sequence();
        let ids = sequence.tokens().take(at).map(|token| token.id).collect();
        // Each of them as it was computed; what follows is predicted under the same.
        let in_force = sequence.in_force().after(at, &sequence.in_force().of_token(at));
        Ok(ExpandWish { from: ExpandFrom::Ids(ids, in_force), limits })
    }

    /// A token of the sequence with what stands before it; `None` for the first, which has nothing.
    pub fn given(&self, at: usize) -> Option<Given> {
        let sequence = self.sequence();
        let token = sequence.get(at).filter(|_| at > 0)?;
        let candidates = token.step.as_ref().and_then(|step| step.stats.as_ref());
        let candidates = candidates.map_or(&[][..], |stats| &stats.prediction.top_logprobs);
        let other = candidates.iter().map(|candidate| candidate.id).find(|&id| id != token.id);
        // What ended a reply is scaffold to whoever reads on.
        let ends = |id| self.model().is_some_and(|model| model.vocab.is_control(id));
        let said = |token: &TreeNode| token.is_said() && !ends(token.id);
        let before = sequence.tokens().take(at).map(|token| (token.id, said(token))).collect();
        Some(Given::Step { before, chosen: token.id, other })
    }

    /// The last reply under another premise.
    pub(super) fn under(&self, premise: Premise) -> Result<Premised, SessionError> {
        let (Some(last), Some(question)) =
            (self.turns().last(), self.turns().len().checked_sub(2).map(|at| &self.turns()[at]))
        else {
            return Err(SessionError::NoReply);
        };
        let reply = last.reply.as_ref().filter(|reply| reply.known && question.role == Role::User);
        let Some(reply) = reply else { return Err(SessionError::NoReply) };
        let ids = reply.ids.iter().chain(&reply.end).copied();
        // The token that ended it has no id in files of version 1.
        let figures = ids.zip(&reply.logprobs).map(|(id, logprob)| logprob.map(|logprob| (id, logprob)));
        let figures: Option<Vec<_>> = figures.collect();
        let Some(figures) = figures.filter(|figures| !figures.is_empty() && figures.len() >= reply.ids.len())
        else {
            return Err(SessionError::NoReply);
        };
        let (reply, before) = figures.into_iter().unzip();
        let mut messages = self.messages();
        messages.pop();
        match premise {
            Premise::Question(text) => {
                messages.pop();
                messages.push(Message::user(text));
            }
            Premise::System(text) => {
                messages.retain(|message| message.role != Role::System);
                if let Some(text) = resolve_system(&text) {
                    messages.insert(0, Message::system(text));
                }
            }
        }
        let sequence = self.sequence();
        let path = sequence.tokens().take(sequence.reply_start()).map(|token| token.id);
        let in_force = self.sequence().in_force().clone();
        Ok(Premised { messages, reply, before, path: path.collect(), in_force })
    }
}
