//! The log-probabilities of the conversation's path, added up in blocks, so that a frame need not look at every
//! token of a long one.

use std::ops::Range;
use std::sync::Arc;

use crate::score::Score;
use crate::sequence::NodeNumber;
use crate::session::Session;

/// Tokens of a block.
const BLOCK: usize = 64;

/// Whole blocks from the first token on whose figures are known.
#[derive(Debug, Default)]
pub struct Sums {
    blocks: Vec<SummedBlock>,
    /// The vocabulary by which bytes were counted.
    vocab: usize,
}

#[derive(Debug)]
struct SummedBlock {
    /// Its last token: what leads to it is the same where it is.
    last: NodeNumber,
    score: Score,
}

impl Sums {
    /// Brings the blocks up to date.
    pub fn sync(&mut self, session: &Session) {
        let path = session.branches().tree().path();
        let vocab = session.vocab().map_or(0, |vocab| Arc::as_ptr(vocab).addr());
        let is_there =
            |(i, block): &(usize, &SummedBlock)| path.get((i + 1) * BLOCK - 1) == Some(&block.last);
        let same = self.blocks.iter().enumerate().take_while(is_there).count();
        self.blocks.truncate(if vocab == self.vocab { same } else { 0 });
        self.vocab = vocab;
        while let Some(&last) = path.get((self.blocks.len() + 1) * BLOCK - 1) {
            let begin = self.blocks.len() * BLOCK;
            // The first token of all has no figures.
            let known = |at: usize| session.sequence().step(at).is_some_and(|step| step.stats.is_some());
            if !(begin.max(1)..begin + BLOCK).all(known) {
                break;
            }
            let mut score = Score::default();
            (begin..begin + BLOCK).for_each(|at| add(&mut score, session, at));
            self.blocks.push(SummedBlock { last, score });
        }
    }

    /// The score of a stretch of tokens.
    pub fn over(&self, session: &Session, tokens: Range<usize>) -> Score {
        let mut score = Score::default();
        let mut at = tokens.start;
        while at < tokens.end {
            let block = self.blocks.get(at / BLOCK);
            match block.filter(|_| at.is_multiple_of(BLOCK) && at + BLOCK <= tokens.end) {
                Some(block) => {
                    score.merge(&block.score);
                    at += BLOCK;
                }
                None => {
                    add(&mut score, session, at);
                    at += 1;
                }
            }
        }
        score
    }
}

fn add(score: &mut Score, session: &Session, at: usize) {
    let step = session.sequence().step(at);
    if let (Some(vocab), Some(step)) = (session.vocab(), step)
        && let Some(logprob) = step.logprob()
    {
        score.add(logprob, vocab.text_length(step.id));
    }
}

#[cfg(test)]
mod tests;
