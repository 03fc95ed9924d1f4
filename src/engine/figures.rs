//! From rows of logits to token statistics, a [`Trie`]'s nodes' among them, on several threads.
//!
//! With a large vocabulary a row is a megabyte, and reading them all on one thread while the others
//! wait would cost a fifth of the time.

use super::protocol::EngineError;
use super::trie::{NodeId, Trie};
use crate::distribution::{Depth, Distribution};
use crate::sampling::chain::ChosenToken;
use crate::step::{AnyToken, Prediction, Step, TokenStats};
use crate::token::TokenId;

/// Fewest rows for which a thread is worth its start.
const FEWEST_ROWS: usize = 4;

/// The logits after one node.
#[derive(Clone, Copy, Debug)]
pub(super) struct LogitsRow<'a> {
    pub node: NodeId,
    /// One logit per token of the vocabulary.
    pub logits: &'a [f32],
}

/// What is kept of one row.
#[derive(Debug, Default)]
pub(super) struct RowFigures {
    /// The steps of the nodes that follow.
    pub steps: Vec<(NodeId, Box<Step>)>,
    /// The distribution itself, where a sequence ends here and wants it.
    pub after: Option<(NodeId, Prediction)>,
}

/// What is to be read from a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    /// Says who follows a node.
    pub trie: &'a Trie,
    /// How many candidates are kept.
    pub depth: Depth,
    /// The table of word boundaries, where their mass is wanted.
    pub boundaries: Option<&'a [u8]>,
}

impl Reader<'_> {
    /// Reads every row, on up to this many threads.
    ///
    /// # Errors
    /// [`EngineError::Row`] for a row that is no distribution.
    pub fn read_all(&self, rows: &[LogitsRow], threads: usize) -> Result<Vec<RowFigures>, EngineError> {
        in_parts(rows, threads, |row| self.read(row))
    }

    fn read(&self, row: &LogitsRow) -> Result<RowFigures, EngineError> {
        let LogitsRow { node, logits } = *row;
        let raw = Distribution::measure(logits, self.depth, self.boundaries)?;
        let followers = self.trie.children(node).filter(|&child| self.trie.node(child).users > 0);
        let steps = followers.map(|child| {
            let id = self.trie.node(child).token;
            (child, Box::new(Step { id, stats: Some(stats(logits, &raw, id, None)) }))
        });
        let steps = steps.collect();
        let after = self.trie.node(node).after.then(|| (node, prediction(logits, &raw, None)));
        Ok(RowFigures { steps, after })
    }
}

/// What each row gives, in order, found on up to this many threads.
///
/// # Errors
/// The first that a row gives.
pub(super) fn in_parts<T: Sync, F: Send>(
    rows: &[T],
    threads: usize,
    each: impl Fn(&T) -> Result<F, EngineError> + Sync,
) -> Result<Vec<F>, EngineError> {
    let share = rows.len().div_ceil(threads.max(1)).max(FEWEST_ROWS);
    let part = |rows: &[T]| rows.iter().map(&each).collect::<Result<Vec<F>, EngineError>>();
    std::thread::scope(|scope| {
        let mut parts = rows.chunks(share);
        let own = parts.next().unwrap_or_default();
        let others: Vec<_> = parts.map(|rows| scope.spawn(|| part(rows))).collect();
        let mut all = part(own)?;
        for other in others {
            let died = |_| EngineError::Died("reading a row of logits failed".to_string());
            all.extend(other.join().map_err(died)??);
        }
        Ok(all)
    })
}

/// The figures of one token in its distribution.
pub(super) fn stats(
    row: &[f32],
    raw: &Distribution,
    id: TokenId,
    choice: Option<&ChosenToken>,
) -> TokenStats {
    let logit = row.get(id.index()).copied().unwrap_or(f32::NEG_INFINITY);
    TokenStats {
        logprob: raw.logprob(logit) as f32,
        rank: raw.rank(row, logit).into(),
        outcome: choice.map(|choice| choice.outcome),
        prediction: prediction(row, raw, choice),
    }
}

/// The raw figures of a token, whatever is chosen.
pub(super) fn of_token(row: &[f32], raw: &Distribution, id: TokenId) -> AnyToken {
    let logit = row.get(id.index()).copied().unwrap_or(f32::NEG_INFINITY);
    AnyToken { id, logprob: raw.logprob(logit) as f32, rank: raw.rank(row, logit).into(), outcome: None }
}

/// The distribution as it is kept.
pub(super) fn prediction(row: &[f32], raw: &Distribution, choice: Option<&ChosenToken>) -> Prediction {
    Prediction::measured(raw, row.len(), |i| choice.map(|choice| choice.watched[i]))
}
