//! Conversations in files: texts, exact ids and the figures of every token.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::sequence::TokenSequence;
use super::turn::{Mark, Turn};
use crate::bounded::DATA;
use crate::chat::Role;
use crate::engine::{FinishReason, ModelInfo};
use crate::files::{self, Existing, WriteError};
use crate::intervention::{InForce, Intervention, Interventions};
use crate::model::control;
use crate::score::Score;
use crate::sequence::{NodeOrigin, TokenTree, TreeNode};
use crate::step::Step;
use crate::token::TokenId;
use figures::StoredStats;

mod figures;

/// What the file says it is.
const FORMAT: &str = "tokenscope-conversation";
/// The newest. Version 1 had no figures but the replies' ln p, and only version 3 names interventions: what has
/// none is written as version 2.
const VERSION: u32 = 3;
const PLAIN: u32 = 2;
/// ln p may be above zero by rounding, and not by more.
const ROUNDING: f32 = 1e-3;

/// A conversation as it is kept.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredSession {
    format: String,
    version: u32,
    /// The model that wrote the replies.
    pub model: String,
    /// Size of its vocabulary: ids mean nothing in another.
    pub n_vocab: usize,
    /// The system prompt.
    pub system: Option<String>,
    /// What was said, in order.
    pub turns: Vec<StoredTurn>,
    /// Where the newest reply begins in the sequence.
    #[serde(default)]
    reply_start: usize,
    /// The sequence the model last saw, with its figures.
    #[serde(default)]
    sequence: Vec<StoredToken>,
    /// What the sequence's tokens were computed under.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    interventions: Vec<StoredSpan>,
    /// The same, once it has been read.
    #[serde(skip)]
    pub in_force: InForce,
    /// Steering vectors that could not be read again: why, a line each.
    #[serde(skip)]
    pub unread: Vec<String>,
}

/// What is in force from a position of the sequence on, as it is written; none is the model as it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSpan {
    from: usize,
    interventions: Vec<String>,
}

/// One thing said.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredTurn {
    /// `user` or `assistant`.
    role: String,
    /// Exactly what was typed, or the reply's text.
    pub content: String,
    /// A reply's exact ids, without the token that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ids: Option<Vec<TokenId>>,
    /// The token that ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<TokenId>,
    /// Why it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<FinishReason>,
    /// Seed of its sampler.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u32>,
    /// Raw ln p of every chosen token when it was chosen, the one that ended it included.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub logprobs: Vec<Option<f32>>,
    /// What is shown, where that is not the content: the token that ended it is shown too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<String>,
    /// For each token: one past its last byte of what is shown, and its place in the sequence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<(usize, usize)>,
}

/// One token of the sequence.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredToken {
    id: TokenId,
    typed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen: Option<StoredStats>,
}

/// Why a conversation can't be kept or taken.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file can't be used.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// The file holds something else.
    #[error("{}: no conversation of tokenscope: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        reason: String,
    },
}

impl StoredSession {
    /// A conversation to keep.
    pub fn new(
        model: Option<&ModelInfo>,
        system: Option<&str>,
        turns: &[Arc<Turn>],
        sequence: TokenSequence,
    ) -> StoredSession {
        let token = |token: &TreeNode| StoredToken {
            id: token.id,
            typed: token.is_said(),
            seen: token.step.as_ref().and_then(|step| step.stats.as_ref()).map(StoredStats::new),
        };
        let in_force = sequence.in_force().clone();
        let span =
            |(from, these): &(usize, Interventions)| StoredSpan { from: *from, interventions: these.names() };
        StoredSession {
            format: FORMAT.to_string(),
            version: if in_force.spans().is_empty() { PLAIN } else { VERSION },
            model: model.map(|model| model.name.clone()).unwrap_or_default(),
            n_vocab: model.map_or(0, |model| model.vocab.len()),
            system: system.map(str::to_string),
            turns: turns.iter().map(|turn| StoredTurn::new(turn)).collect(),
            reply_start: sequence.reply_start(),
            sequence: sequence.tokens().map(token).collect(),
            interventions: in_force.spans().iter().map(span).collect(),
            in_force,
            unread: Vec::new(),
        }
    }

    /// Writes the file as a whole or not at all.
    ///
    /// # Errors
    /// [`WriteError`].
    pub fn write(&self, path: &Path, existing: Existing) -> Result<(), WriteError> {
        files::write(path, existing, &mut |out| Ok(serde_json::to_writer(out, self)?))
    }

    /// Reads a file, and the steering vectors that it names; what it holds fits together then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn read(path: &Path) -> Result<StoredSession, StoreError> {
        let malformed = |reason: String| StoreError::Malformed { path: path.to_path_buf(), reason };
        let text =
            files::read(path, DATA).map_err(|error| StoreError::Io { path: path.to_path_buf(), error })?;
        let mut stored: StoredSession =
            serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
        if stored.format != FORMAT || !(1..=VERSION).contains(&stored.version) {
            return Err(malformed(format!("it says {} version {}", stored.format, stored.version)));
        }
        stored.check().map_err(malformed)?;
        stored.read_interventions().map_err(malformed)?;
        Ok(stored)
    }

    /// What was in force where, from what is written.
    fn read_interventions(&mut self) -> Result<(), String> {
        for StoredSpan { from, interventions } in &self.interventions {
            let mut these = Vec::new();
            for written in interventions {
                let mut one: Intervention = written.parse()?;
                if let Intervention::Steer(dose) = &mut one
                    && let Err(reason) = control::read_dose(dose)
                {
                    self.unread.push(reason);
                }
                these.push(one);
            }
            self.in_force.begin(*from, &these.into_iter().collect());
        }
        self.unread.dedup();
        Ok(())
    }

    /// Whether everything in it fits together; what does not, in words.
    fn check(&self) -> Result<(), String> {
        let ids = self.turns.iter().flat_map(|turn| turn.ids.iter().flatten().chain(&turn.end));
        let all = self.sequence.iter().map(|token| &token.id).chain(ids);
        if let Some(id) = all.into_iter().find(|id| id.index() >= self.n_vocab) {
            return Err(format!("id {id} is in no vocabulary of {} tokens", self.n_vocab));
        }
        if self.reply_start > self.sequence.len() {
            return Err(format!("its last reply begins after the end of its {} tokens", self.sequence.len()));
        }
        for (i, token) in self.sequence.iter().enumerate() {
            let seen = token.seen.as_ref().map_or(Ok(()), |seen| seen.check(self.n_vocab));
            seen.map_err(|reason| format!("token {} of its sequence: {reason}", i + 1))?;
        }
        let spans = self.interventions.iter().map(|span| span.from);
        if !spans.clone().is_sorted_by(|a, b| a < b) || spans.clone().any(|from| from >= self.sequence.len())
        {
            return Err("its interventions begin at no rising positions of the sequence".to_string());
        }
        for (i, turn) in self.turns.iter().enumerate() {
            turn.check(self.sequence.len()).map_err(|reason| format!("turn {}: {reason}", i + 1))?;
        }
        Ok(())
    }

    /// The sequence with its figures as a tree, and where its newest reply begins.
    pub fn path(&self) -> (TokenTree, usize) {
        let replies = self.turns.iter().filter(|turn| turn.role() == Some(Role::Assistant));
        let by_model: BTreeSet<usize> =
            replies.flat_map(|turn| turn.marks.iter().map(|&(_, token)| token)).collect();
        let mut tree = TokenTree::default();
        for (i, token) in self.sequence.iter().enumerate() {
            let stats = token.seen.as_ref().map(|seen| seen.restored(self.n_vocab));
            let origin = match token.typed {
                true if by_model.contains(&i) => NodeOrigin::Sampled,
                true => NodeOrigin::Typed,
                false => NodeOrigin::Scaffold,
            };
            tree.append(Arc::new(Step { id: token.id, stats }), origin, &self.in_force.of_token(i));
        }
        (tree, self.reply_start)
    }
}

impl StoredTurn {
    fn new(turn: &Turn) -> StoredTurn {
        let reply = turn.reply.as_ref();
        let known = reply.filter(|reply| reply.known);
        let role = if turn.role == Role::Assistant { "assistant" } else { "user" };
        StoredTurn {
            role: role.to_string(),
            content: turn.content.clone(),
            ids: known.map(|reply| reply.ids.clone()),
            end: known.and_then(|reply| reply.end),
            finish: reply.and_then(|reply| reply.finish),
            seed: reply.map(|reply| reply.seed),
            logprobs: reply.map(|reply| reply.logprobs.clone()).unwrap_or_default(),
            shown: (turn.text != turn.content).then(|| turn.text.clone()),
            marks: turn.marks.iter().map(|mark| (mark.end, mark.token)).collect(),
        }
    }

    /// Who said it.
    pub fn role(&self) -> Option<Role> {
        match self.role.as_str() {
            "user" => Some(Role::User),
            "assistant" => Some(Role::Assistant),
            _ => None,
        }
    }

    /// Why a reply ended, where the file does not say: a token without an id ended it, or somebody did.
    pub fn guessed_finish(&self) -> FinishReason {
        let ended = self.ids.as_ref().is_some_and(|ids| self.logprobs.len() > ids.len());
        if ended { FinishReason::Stop } else { FinishReason::Cancelled }
    }

    /// The running score of a reply: the bytes are those of its text, whichever tokens they belong to.
    pub fn score(&self) -> Score {
        let mut score = Score::default();
        for (i, logprob) in self.logprobs.iter().enumerate() {
            let bytes = if i == 0 { self.content.len() } else { 0 };
            score.add(logprob.unwrap_or(f32::NEG_INFINITY), bytes);
        }
        score
    }

    /// Where each token's text ends.
    pub fn marks(&self) -> Vec<Mark> {
        self.marks.iter().map(|&(end, token)| Mark { end, token }).collect()
    }

    fn check(&self, tokens: usize) -> Result<(), String> {
        if self.role().is_none() {
            return Err(format!("its role is {:?}; write user or assistant", self.role));
        }
        if self.logprobs.iter().flatten().any(|&logprob| logprob > ROUNDING) {
            return Err("an ln p is above 0".to_string());
        }
        let shown = self.shown.as_ref().unwrap_or(&self.content);
        let mut before: Option<(usize, usize)> = None;
        for &(end, token) in &self.marks {
            let grows = before.is_none_or(|(e, t)| end >= e && token == t + 1);
            if !grows || token >= tokens || !shown.is_char_boundary(end) {
                return Err("its marks don't fit its text and the sequence".to_string());
            }
            before = Some((end, token));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
