//! Going to what is looked for.

use crate::command;
use crate::session::Notice;
use crate::session::doubt::FoundPlace;
use crate::step::Doubt;
use crate::token::visible;
use crate::tui::pane::CHAT;
use crate::tui::state::State;

/// What begins the search of a text; while it is written, what fits is seen.
const FIND: &str = "/find ";

/// The text whose places are seen: the one that is being written, or looked for.
pub fn text(state: &State) -> &str {
    state.composer.text().strip_prefix(FIND).unwrap_or(&state.seek.text)
}

/// Looks for a text, from the cursor on, or from the end back.
pub fn find(state: &mut State, text: &str) {
    state.seek.text = text.to_string();
    state.seek.place = None;
    state.focus_on(&CHAT);
    go(state, if state.cursor.is_some() { 1 } else { -1 });
}

/// Goes to the next or the previous place of the text; `false` where none is looked for.
pub fn go(state: &mut State, by: isize) -> bool {
    if state.seek.text.is_empty() {
        return false;
    }
    let all = state.session.find(&state.seek.text);
    let Some(last) = all.len().checked_sub(1) else {
        let mut nowhere = format!("«{}» is nowhere in the conversation", visible(state.seek.text.as_bytes()));
        let first = state.seek.text.split_whitespace().next().unwrap_or_default();
        if command::spec(&format!("/{first}")).is_some() {
            nowhere.push_str("; in a pane / looks for a text, and : begins a command");
        }
        state.seek.text.clear();
        state.tell(Notice::Warning(nowhere));
        return true;
    };
    let from = state.seek.place.as_ref().and_then(|(place, ..)| all.iter().position(|other| other == place));
    let at = match (from, by > 0) {
        (Some(at), true) => {
            if at == last {
                0
            } else {
                at + 1
            }
        }
        (Some(at), false) => at.checked_sub(1).unwrap_or(last),
        (None, true) => all.iter().position(|place| is_behind_cursor(state, place)).unwrap_or(0),
        (None, false) => last,
    };
    let place = all[at].clone();
    show(state, &place);
    state.seek.place = Some((place, at, all.len()));
    true
}

/// Whether a place stands at the cursor or behind it.
fn is_behind_cursor(state: &State, place: &FoundPlace) -> bool {
    token_of(state, place).zip(state.cursor).is_some_and(|(token, cursor)| token >= cursor)
}

/// The token that holds the beginning of a place.
fn token_of(state: &State, place: &FoundPlace) -> Option<usize> {
    let marks = &state.session.turns().get(place.turn)?.marks;
    marks.get(marks.partition_point(|mark| mark.end <= place.bytes.start)).map(|mark| mark.token)
}

fn show(state: &mut State, place: &FoundPlace) {
    match token_of(state, place) {
        Some(token) => state.walk_to(token),
        // What has no tokens is at least seen.
        None => {
            let turn = state.session.turns().get(place.turn).map(|turn| turn.id);
            state.sync();
            if let Some(turn) = turn {
                state.transcript.reveal_text(turn, place.bytes.start);
            }
        }
    }
}

/// Goes to the next step in the order of doubt, or to the one before; from elsewhere, to the first.
pub fn doubt(state: &mut State, by: isize) {
    let ranked = state.session.doubtful(state.seek.doubt);
    let Some(last) = ranked.len().checked_sub(1) else {
        return state.tell(Notice::Warning("nothing was written yet that could be in doubt".to_string()));
    };
    let before = state
        .seek
        .doubted
        .filter(|&(token, at, _)| state.cursor == Some(token) && ranked.get(at) == Some(&token));
    let at = before.map_or(0, |(_, at, _)| at.saturating_add_signed(by).min(last));
    let token = ranked[at];
    state.walk_to(token);
    state.seek.doubted = Some((token, at, ranked.len()));
}

/// Goes to the step that is most in doubt by a measure.
pub fn doubt_by(state: &mut State, measure: Doubt) {
    if state.seek.doubt != measure {
        (state.seek.doubt, state.seek.doubted) = (measure, None);
    }
    doubt(state, 1);
}

/// What was found, for a title.
pub fn told(state: &State) -> Option<String> {
    if let Some((_, at, all)) = state.seek.place.as_ref().filter(|_| !state.seek.text.is_empty()) {
        return Some(format!("«{}» {} of {all}", visible(state.seek.text.as_bytes()), at + 1));
    }
    let (token, at, all) = state.seek.doubted.filter(|(token, ..)| state.cursor == Some(*token))?;
    let figure = state.session.sequence().step(token).and_then(|step| step.stats.as_ref());
    let figure = figure.and_then(|stats| state.seek.doubt.figure(stats));
    let figure = figure.map_or(String::new(), |figure| format!(" ({figure:.2} nat)"));
    Some(format!("{} of {all} by {}{figure}", at + 1, state.seek.doubt.name()))
}

#[cfg(test)]
mod tests;
