//! What Enter does in the lens pane, and how its title says so.

use crate::command::{Change, Command};
use crate::intervention::{OffPart, Since};
use crate::lens::Looking;
use crate::lens::subject::Given;
use crate::session::Notice;
use crate::token::visible;
use crate::tui::pane::MESSAGE;
use crate::tui::state::State;

/// What Enter does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Switch the part off that the arrows are on, for what is computed next.
    Off(OffPart),
    /// Switch it on.
    On(OffPart),
    /// Begin the span that a trace is to replace.
    First,
    /// End it.
    Last,
    /// Mark another one.
    Again,
}

impl Deed {
    /// What it would be now.
    pub fn of(state: &State) -> Option<Deed> {
        let lens = &state.lens;
        let picture = lens.picture.as_ref()?;
        match lens.looking() {
            None if !matches!(lens.spot()?.given, Given::Step { .. }) => None,
            None if lens.mark.is_some() => Some(Deed::Last),
            None => Some(Deed::First),
            Some(Looking::Trace(_)) => Some(Deed::Again),
            Some(_) => {
                let part = picture.part(lens.selected)?;
                let is_off = state.session.settings().off.contains(&part);
                Some(if is_off { Deed::On(part) } else { Deed::Off(part) })
            }
        }
    }

    /// As the title says it.
    pub fn told(self) -> String {
        match self {
            Deed::Off(part) => format!("Enter: {part} off"),
            Deed::On(part) => format!("Enter: {part} on"),
            Deed::First => "Enter: first word".to_string(),
            Deed::Last => "Enter: last word".to_string(),
            Deed::Again => "Enter: other words".to_string(),
        }
    }
}

/// Does what the title says; what the session has to do comes back.
pub fn enter(state: &mut State) -> Option<Command> {
    match Deed::of(state)? {
        Deed::Off(part) => return Some(Command::Intervene(Change::Off(part), Since::Here)),
        Deed::On(part) => return Some(Command::Intervene(Change::On(part), Since::Here)),
        Deed::First => state.lens.mark = Some(state.lens.selected),
        Deed::Last => write_replacement(state),
        Deed::Again => state.lens.mark_again(),
    }
    None
}

/// Begins the command that traces what stands in place of the marked words; the person writes the rest.
fn write_replacement(state: &mut State) {
    if !state.composer.is_empty() {
        let what = "a message is being written: send it or clear it first";
        return state.tell(Notice::Warning(what.to_string()));
    }
    let Some(mark) = state.lens.mark.take() else { return };
    let (Some(spot), Some(model)) = (state.lens.spot(), state.session.model()) else { return };
    let Given::Step { before, .. } = &spot.given else { return };
    let (first, last) = (mark.min(state.lens.selected), mark.max(state.lens.selected));
    let Some(ids) = before.get(first..=last) else { return };
    let text = model.vocab.concat(ids.iter().map(|(id, _)| *id));
    // What stands there begins as what stood there.
    let space = if text.starts_with(b" ") { " " } else { "" };
    let written = format!("/lens trace --span {first}:{last} {space}");
    let count = if ids.len() == 1 { "1 token".to_string() } else { format!("{} tokens", ids.len()) };
    state.tell(Notice::Info(format!(
        "write what is to stand in place of «{}» ({count}), and Enter",
        visible(&text)
    )));
    state.focus_on(&MESSAGE);
    state.composer.replace(&written);
}

#[cfg(test)]
mod tests;
