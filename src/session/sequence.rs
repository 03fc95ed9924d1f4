//! The path of the token tree that the conversation is on: prompt and reply, with figures as they arrive.

use std::sync::Arc;

use crate::chat::ChatPrompt;
use crate::intervention::InForce;
use crate::sequence::{TokenTree, TreeNode};
use crate::step::Step;

/// The tokens from the first to the head of a tree, in order.
#[derive(Clone, Copy, Debug)]
pub struct TokenSequence<'a> {
    tree: &'a TokenTree,
    /// Where the current reply begins.
    reply: usize,
    in_force: &'a InForce,
}

impl<'a> TokenSequence<'a> {
    /// A tree's path and what is in force on it; its newest reply begins at `reply`.
    pub fn new(tree: &'a TokenTree, reply: usize, in_force: &'a InForce) -> TokenSequence<'a> {
        TokenSequence { tree, reply, in_force }
    }

    /// How many tokens a prompt has in common with it.
    pub fn common(self, prompt: &ChatPrompt) -> usize {
        let both = self.tokens().zip(&prompt.tokens);
        both.take_while(|(token, other)| token.id == other.id).count()
    }

    /// What is in force at each position: a token is predicted by the position before it.
    pub fn in_force(self) -> &'a InForce {
        self.in_force
    }

    /// Tokens of prompt and reply.
    pub fn len(self) -> usize {
        self.tree.path().len()
    }

    /// Whether nothing was asked yet.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Where the current reply begins.
    pub fn reply_start(self) -> usize {
        self.reply
    }

    /// All tokens.
    pub fn tokens(self) -> impl Iterator<Item = &'a TreeNode> {
        self.tree.path().iter().filter_map(|&number| self.tree.node(number))
    }

    /// One token.
    pub fn get(self, index: usize) -> Option<&'a TreeNode> {
        self.tree.at(index)
    }

    /// The figures at a position, once they are known.
    pub fn step(self, index: usize) -> Option<&'a Arc<Step>> {
        self.get(index).and_then(|token| token.step.as_ref())
    }
}
