//! A batch of tokens to evaluate, kept in our own memory.

use crate::token::TokenId;

/// A sequence in the KV cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeqId(pub u32);

/// Tokens with their positions and sequences. One token may belong to several sequences.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub(super) tokens: Vec<i32>,
    pub(super) positions: Vec<i32>,
    /// Sequences of every token, one after the other.
    pub(super) sequences: Vec<i32>,
    /// How many of them each token has.
    pub(super) counts: Vec<i32>,
    /// 1 where logits are wanted.
    pub(super) outputs: Vec<i8>,
}

impl Batch {
    /// Adds a token of the given sequences at a position; `output` asks for the logits after it.
    pub fn push(&mut self, token: TokenId, position: usize, sequences: &[SeqId], output: bool) {
        self.tokens.push(token.0 as i32);
        self.positions.push(position as i32);
        self.counts.push(sequences.len() as i32);
        self.sequences.extend(sequences.iter().map(|seq| seq.0 as i32));
        self.outputs.push(i8::from(output));
    }

    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether there is nothing to evaluate.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// The tokens' positions.
    pub fn positions(&self) -> impl Iterator<Item = usize> {
        self.positions.iter().map(|&position| position as usize)
    }

    /// Number of tokens whose logits are wanted.
    pub fn outputs(&self) -> usize {
        self.outputs.iter().filter(|&&wanted| wanted != 0).count()
    }

    /// Forgets every token and keeps the memory.
    pub fn clear(&mut self) {
        self.tokens.clear();
        self.positions.clear();
        self.sequences.clear();
        self.counts.clear();
        self.outputs.clear();
    }
}
