//! Every token of the sequence the model last saw: prompt and reply, with figures as they arrive.

use std::sync::Arc;

use crate::chat::ChatPrompt;
use crate::intervention::InForce;
use crate::step::{Step, TokenStats};
use crate::token::TokenId;

/// One token of the sequence.
#[derive(Clone, Debug)]
pub struct SequenceToken {
    /// The token.
    pub id: TokenId,
    /// Whether a person typed it (or a model wrote it); scaffold otherwise.
    pub typed: bool,
    /// Its figures, once they are known.
    pub step: Option<Arc<Step>>,
}

impl SequenceToken {
    /// A token whose figures are known from a file; none where they are not.
    pub fn restored(id: TokenId, typed: bool, stats: Option<TokenStats>) -> SequenceToken {
        SequenceToken { id, typed, step: Some(Arc::new(Step { id, stats })) }
    }
}

/// The whole sequence, in order.
#[derive(Clone, Debug, Default)]
pub struct TokenSequence {
    tokens: Vec<SequenceToken>,
    /// Where the current reply begins.
    reply: usize,
    /// Prompt tokens whose figures are known.
    filled: usize,
    /// What its tokens are computed under.
    in_force: InForce,
}

impl TokenSequence {
    /// A sequence that begins with this prompt, and what is in force in it.
    pub fn begin(prompt: &ChatPrompt, in_force: InForce) -> TokenSequence {
        let tokens: Vec<_> = prompt
            .tokens
            .iter()
            .map(|token| SequenceToken { id: token.id, typed: token.typed, step: None })
            .collect();
        TokenSequence { reply: tokens.len(), tokens, filled: 0, in_force }
    }

    /// A sequence as a file has it; its last reply begins at `reply`.
    pub fn restored(tokens: Vec<SequenceToken>, reply: usize, in_force: InForce) -> TokenSequence {
        TokenSequence { filled: reply, reply, tokens, in_force }
    }

    /// How many tokens a prompt has in common with it.
    pub fn common(&self, prompt: &ChatPrompt) -> usize {
        let both = self.tokens.iter().zip(&prompt.tokens);
        both.take_while(|(token, other)| token.id == other.id).count()
    }

    /// What is in force at each position: a token is predicted by the position before it.
    pub fn in_force(&self) -> &InForce {
        &self.in_force
    }

    /// The next prompt token's figures.
    pub fn fill(&mut self, step: Arc<Step>) {
        if let Some(token) = self.tokens.get_mut(self.filled) {
            token.step = Some(step);
            self.filled += 1;
        }
    }

    /// The next token of the reply.
    pub fn push(&mut self, step: Arc<Step>) {
        self.tokens.push(SequenceToken { id: step.id, typed: true, step: Some(step) });
    }

    /// Tokens of prompt and reply.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether nothing was asked yet.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Where the current reply begins.
    pub fn reply_start(&self) -> usize {
        self.reply
    }

    /// All tokens.
    pub fn tokens(&self) -> &[SequenceToken] {
        &self.tokens
    }

    /// One token.
    pub fn get(&self, index: usize) -> Option<&SequenceToken> {
        self.tokens.get(index)
    }

    /// The figures at a position, once they are known.
    pub fn step(&self, index: usize) -> Option<&Arc<Step>> {
        self.tokens.get(index).and_then(|token| token.step.as_ref())
    }
}
