//! What a click meets: the inverse of the view, on the same geometry.

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

use crate::columns::grapheme_width;
use crate::session::turn::Turn;

use super::layout::{gutter, inside};
use super::segment::segment;
use super::state::State;
use super::transcript::RowKind;

/// The token of the trace at a place in the chat pane.
pub fn token_at(state: &State, column: u16, row: u16) -> Option<usize> {
    let chat = state.areas()?.chat?;
    let inner = inside(chat);
    let line = row.checked_sub(inner.y)?;
    let column = usize::from(column.checked_sub(inner.x + gutter(chat))?);
    let RowKind::Turn { turn, row, .. } = state.transcript.at_line(&state.session, line)? else {
        return None;
    };
    let text = &turn.text[row.start..row.end];
    let mut at = 0;
    let found = text.grapheme_indices(true).find(|(_, grapheme)| {
        at += grapheme_width(grapheme);
        at > column
    });
    let bytes = match found {
        Some((offset, grapheme)) => row.start + offset..row.start + offset + grapheme.len(),
        // To the right of a line that ends there is its line break.
        None if row.broken => row.end..row.end + 1,
        None => return None,
    };
    turn.marks.get(marks_of(turn, bytes).start).map(|mark| mark.token)
}

/// The marks of the tokens that a stretch of a turn's text is made of. The first is of the token that
/// begins it, also where that holds only the first bytes of a character.
pub fn marks_of(turn: &Turn, bytes: Range<usize>) -> Range<usize> {
    let marks = &turn.marks;
    let mut first = marks.partition_point(|mark| mark.end <= bytes.start);
    let begin = |i: usize| if i == 0 { 0 } else { marks[i - 1].end };
    while first > 0 && begin(first - 1) == bytes.start {
        first -= 1;
    }
    let end = marks.partition_point(|mark| mark.end < bytes.end);
    first..(end + 1).clamp(first, marks.len())
}

/// The token of the trace whose bar stands in a column of the log-likelihood panel.
pub fn bar_at(state: &State, column: u16) -> Option<usize> {
    let inner = inside(state.areas()?.likelihood?);
    let at = usize::from(column.checked_sub(inner.x)?);
    segment(state)?.window(usize::from(inner.width)).nth(at)
}
