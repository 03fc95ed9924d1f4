//! Keys that mark what the cursor is on, and that copy.

use super::msg::Effect;
use super::pane::TABLE;
use super::send::{carry_out, execute};
use super::state::State;
use crate::command::{Command, CopyAsked, CopyWhat, MarkAsked, MarkTarget, MarkWord};
use crate::session::{Notice, Outcome};

/// Marks what the cursor is on; what is marked shows it, so that nothing is told.
pub fn mark(state: &mut State, word: MarkWord) -> Vec<Effect> {
    let mut asked = MarkAsked { word, target: MarkTarget::Here, note: None };
    if let Some(at) = state.cursor {
        asked.at_cursor(at, state.span.take());
    }
    let is_seen = asked.target != MarkTarget::Here && word != MarkWord::Undo;
    match state.session.execute(Command::Mark(asked)) {
        Ok(outcomes) if is_seen => {
            carry_out(state, outcomes.into_iter().filter(|one| !matches!(one, Outcome::Say(_))).collect())
        }
        Ok(outcomes) => carry_out(state, outcomes),
        Err(error) => {
            state.tell(Notice::Error(error.to_string()));
            Vec::new()
        }
    }
}

/// Begins a span at the cursor, or gives it up.
pub fn span(state: &mut State) {
    state.span = if state.span.is_some() { None } else { state.shown_step() };
    state.cursor = state.cursor.or(state.span);
}

/// Copies the reply, or where the table has the keys, that.
pub fn copy(state: &mut State) -> Vec<Effect> {
    let (what, at) = match *state.focus == TABLE {
        true => (CopyWhat::Table, state.shown_step()),
        false => (CopyWhat::Reply, state.cursor),
    };
    execute(state, Command::Copy(CopyAsked { what, at }))
}
