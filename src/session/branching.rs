//! Going another way from a step on: swapped, forced, continued, edited, raw; and about among the branches.

use std::sync::Arc;

pub use super::branch_line::BranchLine;
use super::compare::BranchComparison;
use super::state::{Job, Undo, Work};
use super::task::{Task, Then};
use super::turn::{Reply, Turn};
use super::{Notice, Outcome, Session, SessionError};
use crate::chat::Role;
use crate::command::{BranchCommand, StepPlace};
use crate::engine::{CancelFlag, Command, FinishReason, Forget, Generate, Timing};
use crate::report::view::{Column, Table, TableRow, View};
use crate::sequence::{NodeNumber, NodeOrigin, TreeNode};
use crate::step::{Step, TokenStats};
use crate::token::TokenId;

/// The seed of a branch, from that of the reply it leaves and its first own node: a number that llama.cpp does not
/// take for "random". (The finaliser of SplitMix64.)
pub fn branch_seed(parent: u32, node: NodeNumber) -> u32 {
    let mut mixed = (u64::from(parent) << 32 | u64::from(node.0)).wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    let seed = ((mixed ^ (mixed >> 31)) >> 32) as u32;
    if seed == u32::MAX { 0 } else { seed }
}

impl Session {
    /// Carries out a command about branches.
    pub(super) fn branch(&mut self, command: BranchCommand) -> Result<Vec<Outcome>, SessionError> {
        if command.writes() {
            self.must_be_writable()?;
        }
        match command {
            BranchCommand::Swap(place, n) => self.swap(place, n),
            BranchCommand::Force(place, text) => self.force(place, text),
            BranchCommand::Continue(most) => self.go_on(most),
            BranchCommand::Retry(n) => self.retry(n),
            BranchCommand::List => Ok(self.list_branches()),
            BranchCommand::Go(name) => self.go_to_branch(&name),
            BranchCommand::Name(number, name) => self.name_branch(number, &name),
            BranchCommand::Prune(name) => self.prune_branch(&name),
            BranchCommand::Compare(a, b) => self.compare_branches(&a, &b),
            BranchCommand::Edit(n, text) => self.edit(n, &text),
            BranchCommand::Begin(text) if text.is_empty() => {
                self.beginning.clear();
                Ok(told("replies begin by themselves again"))
            }
            BranchCommand::Begin(text) => self.encode(Then::Begin, String::new(), text),
            BranchCommand::Raw(text) => {
                let (bos, special) = (self.settings.bos, self.settings.special);
                self.encode(Then::Raw(bos, special), String::new(), text)
            }
            BranchCommand::Stepwise(on) => {
                self.stepwise = on;
                Ok(told(if on {
                    "replies stop after every token: /continue gives the next, /swap another one, /resume lets go"
                } else {
                    "replies are written to their end"
                }))
            }
        }
    }

    /// A place's position in the sequence; by default, that of the last token.
    ///
    /// # Errors
    /// [`SessionError`]: there is none, or nothing stands before it.
    pub fn position(&self, place: Option<StepPlace>) -> Result<usize, SessionError> {
        let sequence = self.sequence();
        let reply = sequence.reply_start();
        let own = sequence.len().saturating_sub(reply);
        let (at, asked, (last, of)) = match place {
            None => (sequence.len().checked_sub(1), 0, (0, "reply")),
            Some(StepPlace::Position(at)) => (Some(at), at + 1, (sequence.len(), "conversation")),
            Some(StepPlace::Prompt(n)) => (n.checked_sub(1).filter(|&at| at < reply), n, (reply, "prompt")),
            Some(StepPlace::Step(n)) => ((reply + n).checked_sub(1), n, (own, "last reply")),
        };
        match at.filter(|&at| at < sequence.len()) {
            Some(0) => Err(SessionError::NothingBefore),
            Some(at) => Ok(at),
            None if sequence.is_empty() => Err(SessionError::NothingToFork),
            None => Err(SessionError::NoSuchPlace { asked, last, of }),
        }
    }

    /// Takes another candidate at a place.
    fn swap(&mut self, place: Option<StepPlace>, n: usize) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        let at = self.position(place)?;
        let stats = self.sequence().step(at).and_then(|step| step.stats.as_ref());
        let stats = stats.ok_or(SessionError::NoFigures)?;
        let table = &stats.prediction.top_logprobs;
        let missing = SessionError::NoSuchCandidate { asked: n, last: table.len() };
        let &taken = table.get(n.wrapping_sub(1)).ok_or(missing)?;
        let stats = TokenStats {
            logprob: taken.logprob,
            rank: taken.rank.into(),
            outcome: taken.outcome,
            prediction: stats.prediction.clone(),
        };
        let step = Step { id: taken.id, stats: Some(stats) };
        self.go_another_way(at, vec![(step, NodeOrigin::Swapped)])
    }

    /// Has a text stand at a place: where none is given, at the end of the reply, without what ended it.
    fn force(
        &mut self,
        place: Option<(StepPlace, usize)>,
        text: String,
    ) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        let model = Arc::clone(&self.loaded()?.info);
        let Some((place, bytes)) = place else {
            return self.encode(Then::Force(self.end_of_reply()?), String::new(), text);
        };
        let at = self.position(Some(place))?;
        let token = self.sequence().get(at).map(|token| token.id).ok_or(SessionError::NothingToFork)?;
        let all = model.vocab.bytes(token);
        let kept = all.get(..bytes).and_then(|kept| std::str::from_utf8(kept).ok());
        let Some(kept) = kept.filter(|_| bytes < all.len() || bytes == 0) else {
            return Err(SessionError::NoSuchCut { token: model.vocab.visible(token), bytes: all.len() });
        };
        self.encode(Then::Force(at), kept.to_string(), text)
    }

    /// One past the last token of the last reply that is no end.
    fn end_of_reply(&self) -> Result<usize, SessionError> {
        let ended = self.turns().last().and_then(|turn| turn.reply.as_ref());
        let ended = ended.ok_or(SessionError::NoReply)?.end.is_some();
        Ok(self.sequence().len() - usize::from(ended))
    }

    /// Has texts tokenized, each by itself, and what then is to be done with their tokens.
    fn encode(&mut self, then: Then, kept: String, text: String) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        let model = Arc::clone(&self.loaded()?.info);
        self.begin(Task::Encode { then, texts: [kept, text], model })
    }

    /// The tokens of texts are known.
    pub(super) fn encoded(&mut self, then: Then, ids: Vec<TokenId>) -> Result<Vec<Outcome>, SessionError> {
        match then {
            Then::Pin => Ok(self.pin_tokens(&ids)),
            Then::Begin => {
                self.beginning = ids;
                Ok(told("replies begin like that from now on; /begin alone ends it"))
            }
            Then::Force(at) => self.force_at(at, ids),
            Then::Raw(..) => {
                let seed = self.next_seed();
                self.replies = self.replies.wrapping_add(1);
                let left = self.branches.fork(0);
                self.branches.enter_raw(&ids, self.settings.interventions().into());
                let mut turn = Turn::reply(self.new_turn_id(), 0, seed);
                turn.role = Role::User;
                if let Ok(loaded) = self.loaded() {
                    turn.read(ids.iter().copied(), &loaded.info.vocab);
                }
                self.branches.turns_mut().push(Arc::new(turn));
                self.version += 1;
                Ok(self.request(Some(left), 0, None))
            }
        }
    }

    /// Has tokens stand at a place; the first of them may be a candidate, whose figures are known.
    fn force_at(&mut self, at: usize, ids: Vec<TokenId>) -> Result<Vec<Outcome>, SessionError> {
        let known = self.sequence().step(at).and_then(|step| step.stats.as_ref()).cloned();
        let forced = ids.into_iter().enumerate().map(|(i, id)| {
            let stats = known.as_ref().filter(|_| i == 0).and_then(|stats| of_candidate(stats, id));
            (Step { id, stats }, NodeOrigin::Forced)
        });
        self.go_another_way(at, forced.collect())
    }

    /// Has a continuation stand after the beginning of the conversation that it was found for.
    pub(super) fn take_continuation(
        &mut self,
        before: &[TokenId],
        ids: Vec<TokenId>,
    ) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        self.must_be_writable()?;
        let here = self.sequence().tokens().take(before.len()).map(|token| token.id);
        if !here.eq(before.iter().copied()) {
            return Err(SessionError::Elsewhere);
        }
        let under = self.settings.interventions();
        let stands = self.sequence().tokens().skip(before.len()).take(ids.len());
        if stands.filter(|token| token.under == under).map(|token| token.id).eq(ids.iter().copied()) {
            return Ok(told("that is what stands there: the conversation stays where it is"));
        }
        self.force_at(before.len(), ids)
    }

    /// Leaves the present branch before a position, has these tokens stand there, and goes on from them.
    fn go_another_way(
        &mut self,
        at: usize,
        tokens: Vec<(Step, NodeOrigin)>,
    ) -> Result<Vec<Outcome>, SessionError> {
        let model = Arc::clone(&self.loaded()?.info);
        let (context, needed) = (model.context as usize, at + tokens.len() + 1);
        if needed > context {
            return Err(SessionError::TooLong { needed, context });
        }
        let (kept, mut turn, typed) = self.turn_until(at);
        let parent = turn.reply.as_ref().map_or(0, |reply| reply.seed);
        let in_force = self.put_in_force(at);
        let left = self.branches.fork(kept);
        let begins = turn.marks.first().map_or(turn.first(), |mark| mark.token) + typed;
        self.branches.cut(at, in_force.clone());
        let seed = branch_seed(parent, self.branches.next_number());
        for token in self.branches.sequence().tokens().skip(begins) {
            turn.grow(&token.figures(), Default::default(), &model.vocab);
        }
        let mut ends = false;
        for (step, origin) in tokens {
            let step = Arc::new(step);
            ends = model.vocab.ends_generation(step.id);
            turn.grow(&step, Default::default(), &model.vocab);
            self.branches.push(step, origin);
        }
        if let Some(reply) = &mut turn.reply {
            (reply.seed, reply.timing) = (seed, Timing::default());
            reply.sampling = Some(self.settings.sampling.clone());
            reply.under = in_force.at_the_end();
        }
        if ends {
            turn.finish(FinishReason::Stop, Timing::default());
        }
        let begun = turn.reply.as_ref().map_or(0, |reply| reply.logprobs.len());
        self.branches.begin_reply(begins);
        self.branches.turns_mut().push(Arc::new(turn));
        self.version += 1;
        let number = self.branches.current().number;
        let said = format!("branch {number} leaves branch {left} at token {}, seed {seed}", at + 1);
        let mut outcomes = vec![Outcome::Say(Notice::Info(said))];
        if !ends {
            outcomes.extend(self.request(Some(left), begun, None));
        }
        Ok(outcomes)
    }

    /// How many turns stand whole before a position, the beginning of the turn around it, or of one that begins
    /// in the middle of the scaffold, and how many tokens of it were typed: the rest is a reply.
    fn turn_until(&mut self, at: usize) -> (usize, Turn, usize) {
        let id = self.new_turn_id();
        let replies = self.turns().iter().rev().filter_map(|turn| turn.reply.as_ref());
        let seed = replies.map(|reply| reply.seed).next().unwrap_or_else(|| self.next_seed());
        let around = |turn: &Arc<Turn>| {
            turn.tokens().is_some_and(|own| own.contains(&at) || (turn.reply.is_some() && own.end == at))
        };
        let turns = self.turns();
        let Some(kept) = turns.iter().position(around) else {
            let before = |turn: &&Arc<Turn>| turn.tokens().is_none_or(|tokens| tokens.end <= at);
            return (turns.iter().take_while(before).count(), Turn::reply(id, at, seed), 0);
        };
        let old = &turns[kept];
        let first = old.marks.first().map_or(at, |mark| mark.token);
        let mut turn = Turn::reply(id, first, old.reply.as_ref().map_or(seed, |reply| reply.seed));
        turn.role = old.role.clone();
        // Of a message only what was generated is a reply.
        let typed = old.reply.as_ref().map_or(at - first, Reply::typed).min(at - first);
        turn.begin_as(old, typed);
        (kept, turn, typed)
    }

    /// Goes on with the reply on the present branch, by at most so many tokens.
    fn go_on(&mut self, most: Option<usize>) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        self.loaded()?;
        let context = self.model().map_or(0, |model| model.context as usize);
        let length = self.sequence().len();
        let next = self.branches.tree().head().ok_or(SessionError::NoReply)?;
        let last = self.turns().last().filter(|turn| turn.tokens().is_some_and(|own| own.end == length));
        let reply = last.and_then(|turn| turn.reply.as_ref()).ok_or(SessionError::NoReply)?;
        if reply.end.is_some() {
            return Err(SessionError::HasEnded);
        }
        if length >= context {
            return Err(SessionError::TooLong { needed: length + 1, context });
        }
        let (begun, seed) = (reply.logprobs.len(), branch_seed(reply.seed, next));
        if let Some(reply) = self.branches.last_turn_mut().and_then(|turn| turn.reply.as_mut()) {
            (reply.seed, reply.finish) = (seed, None);
        }
        let in_force = self.put_in_force(length);
        if let Some(reply) = self.branches.last_turn_mut().and_then(|turn| turn.reply.as_mut()) {
            reply.under = in_force.at_the_end();
        }
        // What is computed anew is another path of the same tokens.
        self.branches.cut(length, in_force);
        self.version += 1;
        Ok(self.request(None, begun, most))
    }

    /// Says something else in place of a message.
    fn edit(&mut self, n: usize, text: &str) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        self.loaded()?.working_template()?;
        let mut messages = self.turns().iter().enumerate().filter(|(_, turn)| turn.role == Role::User);
        let last = messages.clone().count();
        let at = messages.nth(n - 1).map(|(at, _)| at);
        let at = at.ok_or(SessionError::NoSuchMessage { asked: n, last })?;
        let left = self.branches.fork(at);
        let id = self.new_turn_id();
        self.branches.turns_mut().push(Arc::new(Turn::user(id, text)));
        self.version += 1;
        self.make_prompt(Undo::Branch(left))
    }

    /// Asks the engine to go on after the path, whose last `begun` tokens are the reply so far.
    pub(super) fn request(&mut self, left: Option<u32>, begun: usize, most: Option<usize>) -> Vec<Outcome> {
        let (id, cancel) = match &self.work {
            Work::Replying(job) => (job.id, job.cancel.clone()),
            _ => (self.new_request(), CancelFlag::default()),
        };
        let (in_force, known) = (self.sequence().in_force().clone(), self.branches.known());
        let sequence = self.branches.sequence();
        let prompt: Vec<TokenId> = sequence.tokens().map(|token| token.id).collect();
        let steps = (prompt.len() - begun.min(prompt.len())..prompt.len()).filter_map(|at| sequence.get(at));
        let begun = steps.map(TreeNode::figures).collect();
        let mut sampling = self.settings.sampling.clone();
        let reply = self.turns().last().and_then(|turn| turn.reply.as_ref());
        sampling.seed = reply.map_or(sampling.seed, |reply| reply.seed);
        let stepwise = self.stepwise.then_some(1);
        self.work = Work::Replying(Job {
            id,
            cancel: cancel.clone(),
            prefill: (known, prompt.len()),
            undo: None,
            left,
            steps: 0,
            beside: Vec::new(),
        });
        let request = Generate {
            prompt,
            sampling,
            max_tokens: most.or(stepwise).or(self.settings.max_tokens),
            begun,
            known,
            depth: self.depth(),
            named: self.pinned().iter().map(|pin| pin.first).collect(),
            cancel,
            in_force,
        };
        vec![Outcome::Send(id, Command::Generate(request))]
    }

    fn list_branches(&self) -> Vec<Outcome> {
        let current = self.branches.current().number;
        let mut table = Table::new([
            Column::figures("branch", 6).after(0),
            Column::figures("from", 6).minor(3),
            Column::figures("Σ nat", 10),
            Column::figures("per token", 10).minor(1),
            Column::figures("tokens", 7).minor(2),
            Column::text("reply", 0).after(2).elided(12),
        ]);
        for branch in self.branches.all() {
            let line = BranchLine::of(&self.branches, branch);
            let mark = if branch.number == current { "▸" } else { "" };
            table.rows.push(TableRow::new([
                format!("{mark}{}", branch.number).into(),
                line.from.into(),
                line.sum.into(),
                line.mean.into(),
                line.tokens.into(),
                line.text.into(),
            ]));
        }
        let mut view = View::default();
        view.table(table);
        vec![Outcome::Show(Box::new(view))]
    }

    /// The branch of a number or a name.
    ///
    /// # Errors
    /// [`SessionError::NoBranch`].
    pub fn named_branch(&self, name: &str) -> Result<u32, SessionError> {
        let name = name.trim();
        let branches = &self.branches;
        let by_number = name.parse().ok().filter(|n| branches.all().iter().any(|branch| branch.number == *n));
        let by_name = || branches.all().iter().find(|branch| branches.name(branch) == Some(name));
        by_number
            .or_else(|| by_name().map(|branch| branch.number))
            .ok_or_else(|| SessionError::NoBranch(name.to_string()))
    }

    fn go_to_branch(&mut self, name: &str) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        let number = self.named_branch(name)?;
        self.branches.go_to(number);
        self.version += 1;
        Ok(told(&format!("on branch {number}")))
    }

    fn name_branch(&mut self, number: Option<u32>, name: &str) -> Result<Vec<Outcome>, SessionError> {
        let number = number.unwrap_or(self.branches.current().number);
        let number = self.named_branch(&number.to_string())?;
        if !self.branches.set_name(number, name) {
            return Err(SessionError::NothingToFork);
        }
        self.version += 1;
        Ok(told(&match name {
            "" => format!("branch {number} has no name any more"),
            name => format!("branch {number} is called {name}"),
        }))
    }

    fn prune_branch(&mut self, name: &str) -> Result<Vec<Outcome>, SessionError> {
        self.must_be_free()?;
        let number = self.named_branch(name)?;
        if self.branches.all().len() == 1 {
            return Err(SessionError::OnlyBranch);
        }
        let path: Vec<TokenId> = self.branches.ids(number);
        let tokens = self.branches.prune(number);
        self.version += 1;
        let now = self.branches.current().number;
        let mut outcomes =
            told(&format!("branch {number} is gone, with {tokens} tokens of its own; on branch {now}"));
        // What the engine has of them makes room at once.
        let keep = path.len().saturating_sub(tokens);
        let path = path[..(keep + 1).min(path.len())].to_vec();
        let others = self.branches.all().iter().map(|branch| self.branches.ids(branch.number));
        let is_needed = others.into_iter().any(|ids| ids.starts_with(&path));
        if tokens > 0 && !is_needed && self.model().is_some() {
            let forget = Forget { path, keep, cancel: CancelFlag::default() };
            outcomes.push(Outcome::Send(self.new_request(), Command::Forget(forget)));
        }
        Ok(outcomes)
    }

    fn compare_branches(&self, a: &str, b: &str) -> Result<Vec<Outcome>, SessionError> {
        let numbers = [self.named_branch(a)?, self.named_branch(b)?];
        let both = BranchComparison::of(&self.branches, numbers).zip(self.vocab());
        let (both, vocab) = both.ok_or(SessionError::NothingToFork)?;
        Ok(vec![Outcome::Show(Box::new(both.view(vocab)))])
    }
}

/// The figures of a token that was among the candidates.
fn of_candidate(stats: &TokenStats, id: TokenId) -> Option<TokenStats> {
    let candidate = stats.prediction.top_logprobs.iter().find(|candidate| candidate.id == id)?;
    Some(TokenStats {
        logprob: candidate.logprob,
        rank: candidate.rank.into(),
        outcome: candidate.outcome,
        prediction: stats.prediction.clone(),
    })
}

fn told(text: &str) -> Vec<Outcome> {
    vec![Outcome::Say(Notice::Info(text.to_string()))]
}

#[cfg(test)]
mod tests;
