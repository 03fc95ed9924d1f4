//! What a click meets: the inverse of the view, on the same geometry.

use unicode_segmentation::UnicodeSegmentation;

use super::layout::{gutter, inside};
use super::segment::segment;
use super::state::State;
use super::transcript::RowKind;
use super::wrap::width_of;

/// The token of the trace at a place in the chat pane.
pub fn token_at(state: &State, column: u16, row: u16) -> Option<usize> {
    let chat = state.areas()?.chat?;
    let inner = inside(chat);
    let line = row.checked_sub(inner.y)?;
    let column = usize::from(column.checked_sub(inner.x + gutter(chat))?);
    let RowKind::Turn { turn, row, .. } = state.transcript.at_line(&state.session, line)? else {
        return None;
    };
    let mut at = 0;
    let mut byte = row.end;
    for (offset, grapheme) in turn.text[row.start..row.end].grapheme_indices(true) {
        at += width_of(grapheme);
        if at > column {
            byte = row.start + offset;
            break;
        }
    }
    // To the right of a line that ends there is its line break.
    let on_break = byte == row.end && row.broken;
    if byte == row.end && !on_break {
        return None;
    }
    turn.marks.iter().find(|mark| mark.end > byte).map(|mark| mark.token)
}

/// The token of the trace whose bar stands in a column of the log-likelihood panel.
pub fn bar_at(state: &State, column: u16) -> Option<usize> {
    let inner = inside(state.areas()?.likelihood?);
    let at = usize::from(column.checked_sub(inner.x)?);
    segment(state)?.window(usize::from(inner.width)).nth(at)
}
