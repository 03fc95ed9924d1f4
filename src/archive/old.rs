//! Version 1: the one object that `/save` wrote. It has no bytes of tokens; what its marks cut out of the
//! texts stands for them.

use serde::Deserialize;

use super::event::ModelLine;
use super::figures::{self, ROUNDING};
use super::parts::{interventions, vocabulary};
use super::{DAMAGED, Saved, SavedTurn};
use crate::chat::Role;
use crate::engine::FinishReason;
use crate::intervention::{InForce, Interventions};
use crate::sequence::{NodeNumber, NodeOrigin};
use crate::step::{Figure, Step, TokenStats};
use crate::token::{TokenId, VocabEntry};

mod seen;

use seen::StoredStats;

/// What such a file says it is.
const FORMAT: &str = "tokenscope-conversation";
/// What it calls its own version: its first had no figures but the replies' ln p, and only its third names
/// interventions.
const NEWEST: u32 = 3;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSession {
    format: String,
    version: u32,
    model: String,
    n_vocab: usize,
    system: Option<String>,
    turns: Vec<StoredTurn>,
    /// Where the newest reply begins in the sequence.
    #[serde(default)]
    reply_start: usize,
    /// The sequence the model last saw.
    #[serde(default)]
    sequence: Vec<StoredToken>,
    /// What the sequence's tokens were computed under.
    #[serde(default)]
    interventions: Vec<StoredSpan>,
}

/// What is in force from a position of the sequence on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSpan {
    from: usize,
    interventions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredTurn {
    /// `user` or `assistant`.
    role: String,
    content: String,
    /// A reply's ids, without the token that ended it.
    ids: Option<Vec<TokenId>>,
    /// The token that ended it.
    end: Option<TokenId>,
    finish: Option<FinishReason>,
    seed: Option<u32>,
    /// Raw ln p of every chosen token, the one that ended it included.
    #[serde(default)]
    logprobs: Vec<Option<f32>>,
    /// What is shown, where that is not the content.
    shown: Option<String>,
    /// For each token: one past its last byte of what is shown, and its place in the sequence.
    #[serde(default)]
    marks: Vec<(usize, usize)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredToken {
    id: TokenId,
    typed: bool,
    seen: Option<StoredStats>,
}

/// Reads such a file.
///
/// # Errors
/// What is wrong with it, with line and column where it is none.
pub(super) fn parse(bytes: &[u8]) -> Result<Saved, String> {
    let stored: StoredSession = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if stored.format != FORMAT || !(1..=NEWEST).contains(&stored.version) {
        return Err(format!("it says {} version {}", stored.format, stored.version));
    }
    stored.check()?;
    stored.saved()
}

impl StoredSession {
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

    fn saved(self) -> Result<Saved, String> {
        let mut saved = Saved { version: 1, ..Saved::default() };
        let replies: Vec<_> =
            self.turns.iter().filter(|turn| turn.is_reply()).map(StoredTurn::place).collect();
        let is_reply = |i: usize| {
            i >= self.reply_start
                || replies.iter().flatten().any(|[first, last]| (*first..=*last).contains(&(i as u32)))
        };
        let spelled: Vec<_> = self.turns.iter().flat_map(|turn| turn.spelled(&self.sequence)).collect();
        // Replies whose tokens are not in the sequence stand beside it.
        let mut turns: Vec<SavedTurn> = self.turns.iter().map(|turn| turn.saved(&mut saved)).collect();
        let before = saved.tree.len() as u32;
        saved.tree.go_to(None);
        saved.branch_mut().tip = None;
        let mut in_force = InForce::default();
        for span in &self.interventions {
            in_force.begin(span.from, &interventions(&span.interventions, &mut saved.unread)?);
        }
        for (i, token) in self.sequence.iter().enumerate() {
            let origin = match token.typed {
                _ if is_reply(i) => NodeOrigin::Sampled,
                true => NodeOrigin::Typed,
                false => NodeOrigin::Scaffold,
            };
            let stats = token.seen.as_ref().map(|seen| seen.restored(self.n_vocab));
            saved.append(Step { id: token.id, stats }, origin, &in_force.of_token(i));
        }
        for (turn, stored) in turns.iter_mut().zip(&self.turns) {
            if let Some(place) = stored.place() {
                turn.tokens = Some(place.map(|node| node + before));
            }
        }
        saved.branch_mut().turns = (1..=turns.len() as u32).collect();
        saved.turns = turns;
        saved.settings = self.system.map(|system| ("system".to_string(), system)).into_iter().collect();
        saved.vocab = vocabulary(Some(self.n_vocab), spelled);
        let vocabulary = Some(self.n_vocab).filter(|n| *n > 0);
        saved.model = ModelLine { model: self.model, vocabulary, ..ModelLine::default() };
        Ok(saved)
    }
}

impl StoredTurn {
    fn is_reply(&self) -> bool {
        self.role == "assistant"
    }

    fn shown(&self) -> &str {
        self.shown.as_ref().unwrap_or(&self.content)
    }

    /// Its first and its last token in the sequence.
    fn place(&self) -> Option<[u32; 2]> {
        let (first, last) = (self.marks.first()?, self.marks.last()?);
        Some([first.1 as u32, last.1 as u32])
    }

    /// What its tokens stand for, as far as its text says.
    fn spelled(&self, sequence: &[StoredToken]) -> Vec<(TokenId, VocabEntry)> {
        let mut from = 0;
        let piece = |&(end, token): &(usize, usize)| {
            let bytes = self.shown().as_bytes().get(from..end).unwrap_or_default().to_vec();
            from = end;
            let id = sequence[token].id;
            let ends_generation = self.end == Some(id);
            (id, VocabEntry { bytes, control: ends_generation, ends_generation, ..VocabEntry::default() })
        };
        self.marks.iter().map(piece).collect()
    }

    /// The turn; a reply's tokens that stand in no sequence become a path of their own.
    fn saved(&self, into: &mut Saved) -> SavedTurn {
        let ended = self.ids.as_ref().is_some_and(|ids| self.logprobs.len() > ids.len());
        let guessed = if ended { FinishReason::Stop } else { FinishReason::Cancelled };
        let mut turn = SavedTurn {
            role: Some(if self.is_reply() { Role::Assistant } else { Role::User }),
            text: self.content.clone(),
            seed: self.seed,
            finish: self.is_reply().then(|| self.finish.unwrap_or(guessed)),
            tokens: None,
        };
        if let (Some(ids), true) = (&self.ids, self.marks.is_empty()) {
            into.tree.go_to(None);
            let unknown = std::iter::repeat_n(DAMAGED, self.logprobs.len().saturating_sub(ids.len()));
            let ids = ids.iter().copied().chain(self.end.into_iter().chain(unknown));
            for (id, logprob) in ids.zip(&self.logprobs) {
                let step = Step { id, stats: Some(alone(*logprob)) };
                let NodeNumber(node) = into.append(step, NodeOrigin::Sampled, &Interventions::default());
                turn.tokens = Some([turn.tokens.map_or(node, |[first, _]| first), node]);
            }
        }
        turn
    }

    fn check(&self, tokens: usize) -> Result<(), String> {
        if !["user", "assistant"].contains(&self.role.as_str()) {
            return Err(format!("its role is {:?}; write user or assistant", self.role));
        }
        if self.logprobs.iter().flatten().any(|&logprob| logprob > ROUNDING) {
            return Err("an ln p is above 0".to_string());
        }
        let mut before: Option<(usize, usize)> = None;
        for &(end, token) in &self.marks {
            let grows = before.is_none_or(|(e, t)| end >= e && token == t + 1);
            if !grows || token >= tokens || !self.shown().is_char_boundary(end) {
                return Err("its marks don't fit its text and the sequence".to_string());
            }
            before = Some((end, token));
        }
        Ok(())
    }
}

/// Figures of which only ln p is known.
fn alone(logprob: Option<f32>) -> TokenStats {
    TokenStats {
        logprob: logprob.unwrap_or(f32::NEG_INFINITY),
        rank: Figure::NotGiven,
        outcome: None,
        prediction: figures::nothing(),
    }
}
