//! Sessions on the disk: what their lines are, how they are read back, written as they happen, and found again.
//!
//! A session file is JSON Lines of [`event::LogEvent`]s that are only ever appended, so that a program that is
//! killed loses at most the line in the making. Everything that is needed to show it stands in it, the bytes of
//! its tokens too: no model is loaded for that. Other programs' files with log-probabilities, and what `/save`
//! wrote before, are read into the same [`Saved`]. Knows nothing of a [`crate::session`] that goes on.

pub mod event;
mod figures;
mod foreign;
pub mod keeper;
mod lines;
mod old;
mod parts;
pub mod read;
pub mod scribe;
pub mod shelf;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::chat::Role;
use crate::engine::FinishReason;
use crate::intervention::Interventions;
use crate::sequence::{NodeNumber, NodeOrigin, TokenTree};
use crate::step::{Figure, Step};
use crate::token::{TokenId, Vocab};
use event::{Judged, ModelLine, Pin};

/// What is written. Version 1 is the one object that `/save` wrote.
pub const VERSION: u32 = 2;
/// Largest vocabulary that a file may speak of: far more than any has.
pub const LARGEST_VOCABULARY: usize = 1 << 20;
/// The id of a token whose line is damaged.
pub const DAMAGED: TokenId = TokenId(u32::MAX);

/// Raw ln p and rank of pinned tokens, by the token that stands there.
pub type PinnedFigures = HashMap<(NodeNumber, TokenId), (f32, Figure<u32>)>;

/// A conversation as a file has it: a tree of tokens, and what was said with them.
#[derive(Debug)]
pub struct Saved {
    /// The format's version.
    pub version: u32,
    /// When it began, as RFC 3339.
    pub created: Option<String>,
    /// Whose figures these are.
    pub model: ModelLine,
    /// What the tokens stand for; of those that don't occur, nothing.
    pub vocab: Arc<Vocab>,
    /// Every token, with its figures.
    pub tree: TokenTree,
    /// Everything said, by its number less 1.
    pub turns: Vec<SavedTurn>,
    /// Every way it has gone, in order of appearance; never none.
    pub branches: Vec<SavedBranch>,
    /// The index of the one it is on.
    pub current: usize,
    /// Settings by name, as `/set` shows them; `system` is the system prompt.
    pub settings: BTreeMap<String, String>,
    /// What people said of it.
    pub verdicts: Vec<Judged>,
    /// Texts that are pinned.
    pub pins: Vec<Pin>,
    /// What is known of pinned tokens that are no candidates of a step.
    pub pinned: PinnedFigures,
    /// Steering vectors that could not be read again: why, a line each.
    pub unread: Vec<String>,
}

/// One way the conversation has gone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SavedBranch {
    /// Counted from 1.
    pub number: u32,
    /// The branch it left.
    pub from: Option<u32>,
    /// The numbers of what is said on it, in order.
    pub turns: Vec<u32>,
    /// Its last token.
    pub tip: Option<NodeNumber>,
}

/// One thing said.
#[derive(Clone, Debug, Default)]
pub struct SavedTurn {
    /// Who said it.
    pub role: Option<Role>,
    /// Exactly what was typed; a reply's text is that of its tokens, where it has any.
    pub text: String,
    /// Its first and its last token.
    pub tokens: Option<[u32; 2]>,
    /// A reply's seed.
    pub seed: Option<u32>,
    /// Why a reply ended.
    pub finish: Option<FinishReason>,
}

impl Default for Saved {
    /// Nothing was said yet, on one branch.
    fn default() -> Saved {
        Saved {
            version: VERSION,
            created: None,
            model: ModelLine::default(),
            vocab: Arc::default(),
            tree: TokenTree::default(),
            turns: Vec::new(),
            branches: vec![SavedBranch { number: 1, ..SavedBranch::default() }],
            current: 0,
            settings: BTreeMap::new(),
            verdicts: Vec::new(),
            pins: Vec::new(),
            pinned: PinnedFigures::new(),
            unread: Vec::new(),
        }
    }
}

impl Saved {
    /// The branch that the conversation is on.
    pub fn branch(&self) -> &SavedBranch {
        &self.branches[self.current]
    }

    /// The same, to change.
    fn branch_mut(&mut self) -> &mut SavedBranch {
        &mut self.branches[self.current]
    }

    /// What is said where the conversation stands.
    pub fn said(&self) -> impl Iterator<Item = &SavedTurn> {
        self.branch().turns.iter().filter_map(|number| self.turn(*number))
    }

    /// A token after the last one.
    fn append(&mut self, step: Step, origin: NodeOrigin, under: &Interventions) -> NodeNumber {
        let number = self.tree.append(Arc::new(step), origin, under);
        self.branch_mut().tip = Some(number);
        number
    }

    /// What has this number.
    pub fn turn(&self, number: u32) -> Option<&SavedTurn> {
        self.turns.get((number as usize).checked_sub(1)?)
    }

    /// The tokens of something said, in order.
    pub fn tokens(&self, turn: &SavedTurn) -> Vec<NodeNumber> {
        let Some([first, last]) = turn.tokens else { return Vec::new() };
        let mut path = self.tree.path_to(NodeNumber(last));
        let from = path.iter().position(|node| *node == NodeNumber(first)).unwrap_or(path.len());
        path.split_off(from)
    }

    /// The first thing a person said, in a line.
    pub fn title(&self) -> String {
        let first = self.turns.iter().find(|turn| turn.role == Some(Role::User));
        title(first.map_or("", |turn| turn.text.as_str()))
    }
}

/// A text as a title: its first words on one line.
pub fn title(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut line = String::new();
    // As much of a text of any length as a title can be.
    for word in text.split_whitespace().take(LONGEST) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().take(LONGEST));
        if line.chars().count() > LONGEST {
            return line.chars().take(LONGEST - 1).chain(['…']).collect();
        }
    }
    line
}

#[cfg(test)]
mod tests;
