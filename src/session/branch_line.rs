//! A branch in a line: its figures and how its last reply begins.

use super::branches::{Branch, Branches};

/// What a list says of a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BranchLine {
    /// The branch it left.
    pub from: String,
    /// Σ ln p of its last reply, in nats.
    pub sum: String,
    /// The same per token.
    pub mean: String,
    /// Tokens of the reply.
    pub tokens: String,
    /// Its name, and the beginning of the reply.
    pub text: String,
}

impl BranchLine {
    /// What is said of a branch.
    pub fn of(branches: &Branches, branch: &Branch) -> BranchLine {
        const MOST: usize = 60;
        let last = branch.turns.iter().rev().find(|turn| turn.reply.is_some());
        let score = last.and_then(|turn| turn.reply.as_ref()).map(|reply| &reply.score);
        let figure = |value: Option<f64>| value.map_or("–".to_string(), |value| format!("{value:.3}"));
        let text = branch.turns.last().map_or(String::new(), |turn| turn.text.replace('\n', "⏎"));
        let text: String = text.chars().take(MOST).collect();
        let name = branches.name(branch).map(|name| format!("{name}: ")).unwrap_or_default();
        BranchLine {
            from: branch.from.map_or("–".to_string(), |from| from.to_string()),
            sum: figure(score.map(|score| score.sum_logprob())),
            mean: figure(score.and_then(|score| score.mean_logprob())),
            tokens: score.map_or("–".to_string(), |score| score.tokens().to_string()),
            text: name + &text,
        }
    }
}
