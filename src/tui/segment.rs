//! The stretch of the sequence that the log-likelihood panel adds up.

use std::ops::Range;

use crate::archive::event::Pin;
use crate::score::Score;

use super::state::State;

/// A stretch of tokens with one running sum.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// What it is.
    pub title: String,
    /// Its tokens in the sequence.
    pub tokens: Range<usize>,
    /// The step the panels show.
    pub shown: usize,
}

/// The reply around the shown step, or the prompt. While a prompt is read and nobody walks, the earlier
/// replies in it are part of it.
pub fn segment(state: &State) -> Option<Segment> {
    let shown = state.shown_step()?;
    let sequence = state.session.sequence();
    let reads = state.cursor.is_none() && shown < sequence.reply_start();
    let reply = reply_at(state, shown).filter(|_| !reads);
    if let Some((title, tokens)) = reply {
        return Some(Segment { title, tokens, shown });
    }
    let title = "prompt".to_string();
    Some(Segment { title, tokens: 0..sequence.reply_start().min(sequence.len()), shown })
}

/// The reply that a token of the sequence belongs to: what it is called, and its tokens.
pub fn reply_at(state: &State, token: usize) -> Option<(String, Range<usize>)> {
    let turn = state.turn_of(token).filter(|turn| turn.reply.is_some())?;
    let tokens = turn.tokens()?;
    let replies = state.session.turns().iter().filter(|turn| turn.reply.is_some());
    let at = replies.clone().position(|other| other.id == turn.id)?;
    // The last one needs no number.
    let count = replies.count();
    let title = if at + 1 == count { "reply".to_string() } else { format!("reply {} of {count}", at + 1) };
    Some((title, tokens))
}

impl Segment {
    /// Score of the tokens up to the shown one.
    pub fn score(&self, state: &State) -> Score {
        let end = (self.shown + 1).min(self.tokens.end);
        state.sums.over(&state.session, self.tokens.start..end)
    }

    /// The tokens whose bars fit into this many columns, the shown one among them.
    pub fn window(&self, columns: usize) -> Range<usize> {
        let Range { start, end } = self.tokens;
        if end - start <= columns {
            return start..end;
        }
        let first = self.shown.saturating_sub(columns / 2).clamp(start, end - columns);
        first..first + columns
    }

    /// The probability of a pinned token, at most `points` of them, as far as it is known exactly: (position in
    /// 0..=1, p).
    pub fn pinned(&self, state: &State, pin: &Pin, points: usize) -> Vec<(f64, f64)> {
        let n = self.tokens.len();
        let every = n.div_ceil(points.max(1)).max(1);
        let mut line = Vec::new();
        for (i, index) in self.tokens.clone().enumerate() {
            if (i + 1) % every == 0
                && let Some(p) = state.session.pinned_at(index, pin).and_then(|found| found.prob.exact())
            {
                line.push(((i + 1) as f64 / n as f64, p));
            }
        }
        line
    }

    /// Running sums, at most `points` of them, evenly spread: (position in 0..=1, Σ ln p in nats).
    pub fn curve(&self, state: &State, points: usize) -> Vec<(f64, f64)> {
        let n = self.tokens.len();
        let every = n.div_ceil(points.max(1)).max(1);
        let mut sum = 0.0;
        let mut curve = vec![(0.0, 0.0)];
        for begin in (0..n).step_by(every) {
            let end = (begin + every).min(n);
            let stretch = self.tokens.start + begin..self.tokens.start + end;
            sum += state.sums.over(&state.session, stretch).sum_logprob();
            curve.push((end as f64 / n as f64, sum));
        }
        curve
    }
}
