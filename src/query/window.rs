//! Which tokens of a long text are evaluated together, and which of them are scored there.
//!
//! The first window begins with the text; each further one begins `stride` tokens later and scores what
//! no window before it has scored, so every token is scored once and has at least `size − stride` tokens
//! before it once windows slide. Where a BOS belongs before the text, it stands before every window.

use std::ops::Range;

/// How windows are cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windowing {
    /// Most tokens evaluated together, BOS included.
    pub size: usize,
    /// Tokens from the beginning of a window to that of the next; at most `size`.
    pub stride: usize,
    /// A token with fewer tokens before it in its window is not scored.
    pub min_context: usize,
}

/// Some tokens of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Evaluated.
    pub tokens: Range<usize>,
    /// First of them to be scored.
    pub from: usize,
}

impl Windowing {
    /// Windows of this size that slide by `stride`, or by so much that each begins with the last token of
    /// the one before it (as lm-evaluation-harness has it): everything is computed once and every
    /// token but the first is scored, those at the beginning of a window with little before them.
    pub fn new(size: usize, stride: Option<usize>, min_context: usize) -> Windowing {
        let size = size.max(2);
        let stride = stride.unwrap_or(size - 1).clamp(1, size);
        Windowing { size, stride, min_context: min_context.max(1) }
    }

    /// The same for texts that begin with a BOS, which takes a place in every window.
    fn around(self, bos: usize) -> Windowing {
        let size = (self.size - bos).max(1);
        Windowing { size, stride: self.stride.min(size), ..self }
    }

    /// The windows of a text of `n` tokens, without its BOS, of which those from `from` on are wanted.
    /// `bos` is 1 where each window begins with a BOS, which counts as context.
    pub fn windows(self, n: usize, from: usize, bos: usize) -> impl Iterator<Item = Window> {
        let cut = self.around(bos);
        let least = cut.min_context.saturating_sub(bos);
        let mut scored = from;
        (0..)
            .map(move |i| i * cut.stride)
            // The last window is the first that reaches the end.
            .take_while(move |&start| start == 0 || start + cut.size - cut.stride < n)
            .map(move |start| start..n.min(start + cut.size))
            .filter(move |tokens| tokens.end > from || tokens.end == n)
            .map(move |tokens| {
                let first = scored.max(tokens.start + least).min(tokens.end);
                scored = scored.max(tokens.end);
                Window { from: first, tokens }
            })
    }

    /// Whether a text of `n` tokens, BOS included, needs more than one window.
    pub fn slides(self, n: usize) -> bool {
        n > self.size
    }
}

#[cfg(test)]
mod tests;
