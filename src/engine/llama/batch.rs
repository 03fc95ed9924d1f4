//! A batch of tokens to evaluate, kept in our own memory.

use crate::token::TokenId;

/// A sequence in the KV cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeqId(pub u32);

impl SeqId {
    /// It as an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// As many rows of a batch that every one of them is computed by the same kernels: llama.cpp has others for
/// a single row, for fewer than eight and, where it has repacked the weights, for the last rows of a number
/// that four does not divide. Each rounds in its own way.
pub fn filled(rows: usize) -> usize {
    rows.max(8).next_multiple_of(4)
}

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

    /// Adds tokens of a sequence that nobody reads, so that there are at least so many, and asks for logits
    /// that nobody wants: what is computed of every other token then doesn't depend on how many there are
    /// ([`filled`]). Without such a sequence only the logits are filled up, as far as there are tokens.
    pub fn fill(&mut self, spare: Option<SeqId>, least: usize) {
        if let Some(spare) = spare {
            for position in 0..filled(self.len().max(least)) - self.len() {
                self.push(TokenId(0), position, &[spare], false);
            }
        }
        let wanted = self.outputs();
        if wanted > 0 {
            let unwanted = self.outputs.iter_mut().rev().filter(|output| **output == 0);
            unwanted.take(filled(wanted) - wanted).for_each(|output| *output = 1);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_filled_up_behind_what_was_asked_for() {
        for (tokens, wanted, least) in
            [(1, 1, 0), (3, 0, 0), (9, 2, 0), (12, 12, 64), (40, 9, 64), (70, 1, 64)]
        {
            let mut batch = Batch::default();
            for position in 0..tokens {
                batch.push(TokenId(7), position, &[SeqId(0)], position < wanted);
            }
            let mut alone = batch.clone();
            batch.fill(Some(SeqId(5)), least);
            assert_eq!(batch.len(), filled(tokens.max(least)));
            assert_eq!(batch.outputs(), if wanted == 0 { 0 } else { filled(wanted) });
            let positions: Vec<usize> = batch.positions().skip(tokens).collect();
            assert_eq!(positions, (0..filled(tokens.max(least)) - tokens).collect::<Vec<_>>());
            assert!(batch.sequences[tokens..].iter().all(|&sequence| sequence == 5));
            assert!(batch.outputs[..wanted].iter().all(|&output| output == 1));
            alone.fill(None, least);
            assert_eq!(alone.len(), tokens);
            assert_eq!(alone.outputs(), if wanted == 0 { 0 } else { filled(wanted).min(tokens) });
        }
    }
}
