//! The diff pane as it is opened and walked through.

use super::DiffState;
use crate::session::SessionError;
use crate::tui::pane::DIFF;
use crate::tui::state::State;

/// Puts two branches side by side, at their first difference, on the side of the present one.
///
/// # Errors
/// [`SessionError`], where there is no such branch.
pub fn open(state: &mut State, a: &str, b: &str) -> Result<(), SessionError> {
    let pair = [state.session.named_branch(a)?, state.session.named_branch(b)?];
    let side = usize::from(pair[1] == state.session.branches().current().number);
    state.diff = DiffState { pair: Some(pair), row: 0, side };
    state.focus_on(&DIFF);
    follow(state);
    Ok(())
}

/// Chooses another row.
pub fn walk(state: &mut State, by: isize) {
    let rows = state.diff.comparison(state.session.branches()).map_or(0, |both| both.rows());
    state.diff.row = state.diff.row.saturating_add_signed(by).min(rows.saturating_sub(1));
    follow(state);
}

/// Chooses one of the two.
pub fn take_side(state: &mut State, side: usize) {
    state.diff.side = side;
    follow(state);
}

/// The chosen token: its branch and its position there.
pub fn chosen(state: &State) -> Option<(u32, usize)> {
    let both = state.diff.comparison(state.session.branches())?;
    let side = both.sides.get(state.diff.side)?;
    let at = state.diff.row.min(side.own.len().checked_sub(1)?);
    Some((side.number, both.common.len() + at))
}

/// On the present branch the panels show the chosen token.
fn follow(state: &mut State) {
    if let Some((number, at)) = chosen(state)
        && number == state.session.branches().current().number
    {
        state.walk_to(at);
    }
}
