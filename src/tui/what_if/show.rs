//! The what-if pane as it follows the cursor: opened, told by commands, kept up to date after every message.

use std::sync::{Arc, Weak};

use super::{ListKey, RowRunning, RowSpot, WhatIfList, WhatIfState};
use crate::command::{StepCommand, StepPlace};
use crate::engine::CancelFlag;
use crate::query::at_step::StepRow;
use crate::query::what_if::of_known;
use crate::session::SessionError;
use crate::token::TokenId;
use crate::tui::msg::Effect;
use crate::tui::pane::{TABLE, WHAT_IF};
use crate::tui::state::State;

/// Most tokens that are listed.
const LISTED: usize = 200;
/// What asks for tokens that hold some letters; while it is written, the pane follows.
const VOCAB: &str = "/vocab ";

/// Opens the pane for the step under the cursor.
pub fn open(state: &mut State) {
    if *state.focus != WHAT_IF {
        state.what_if.before = Some(state.focus);
    }
    state.focus_on(&WHAT_IF);
}

/// Shows in the pane what a command asks of a step; `None` where the conversation's answers show it.
pub fn obey(
    state: &mut State,
    place: Option<StepPlace>,
    asked: &StepCommand,
) -> Option<Result<(), SessionError>> {
    if state.session.sequence().is_empty() || matches!(asked, StepCommand::Text(_)) {
        return None;
    }
    let at = match place.map(|place| state.session.position(Some(place))) {
        Some(Err(error)) => return Some(Err(error)),
        at => at.and_then(Result::ok),
    };
    match asked {
        StepCommand::WhatIf(changes) => {
            if let Err(error) = state.session.settings_with(changes) {
                return Some(Err(error));
            }
            changes.iter().for_each(|(key, value)| state.what_if.tried.put(*key, value.clone()));
        }
        StepCommand::Holding(letters) => {
            (state.what_if.letters, state.what_if.scroll) = (letters.clone(), 0);
        }
        StepCommand::Text(_) => {}
    }
    at.filter(|&at| state.cursor.is_some() || Some(at) != state.shown_step())
        .into_iter()
        .for_each(|at| state.walk_to(at));
    open(state);
    Some(Ok(()))
}

/// Gives the place back to the table, and the keys to the pane that had them.
pub fn close(state: &mut State) {
    state.fronts.show(&TABLE);
    let before = state.what_if.before.take().unwrap_or(&TABLE);
    state.focus_on(before);
}

/// Why the whole row is not there, in a few words; `None` where it is.
pub fn missing(state: &State) -> Option<String> {
    let Some(spot) = spot(state) else { return Some("no step to look at yet".to_string()) };
    match state.what_if.found(&spot) {
        Some(Ok(_)) => None,
        Some(Err(reason)) => Some(reason.clone()),
        None if state.session.is_busy() => {
            Some("the chat goes first: this is what the step keeps".to_string())
        }
        None if state.what_if.is_running() => Some("the row comes …".to_string()),
        None => Some("without its model: this is what the step keeps".to_string()),
    }
}

fn spot(state: &State) -> Option<RowSpot> {
    let at = state.shown_step().filter(|&at| at > 0)?;
    let node = *state.session.branches().tree().path().get(at)?;
    Some(RowSpot { node, constraint: state.session.settings().sampling.grammar.clone() })
}

/// After every message: keeps the list with the cursor and the settings, and fetches the row that is missing.
pub fn tend(state: &mut State) -> Vec<Effect> {
    let model = state.session.model().map_or_else(Weak::new, Arc::downgrade);
    if !Weak::ptr_eq(&model, &state.what_if.model) {
        state.what_if = WhatIfState {
            before: state.what_if.before,
            last: state.what_if.last,
            model,
            ..WhatIfState::default()
        };
    }
    if state.session.is_busy() {
        state.what_if.running.iter().for_each(|running| running.cancel.cancel());
    }
    if state.areas().is_none_or(|areas| areas.of(&WHAT_IF).is_none()) {
        return Vec::new();
    }
    if let Some(letters) = state.composer.text().strip_prefix(VOCAB)
        && !letters.starts_with('@')
        && state.what_if.letters != letters
    {
        (state.what_if.letters, state.what_if.scroll) = (letters.to_string(), 0);
    }
    let spot = spot(state);
    let effect = spot.as_ref().and_then(|spot| fetch(state, spot));
    list(state, spot);
    effect.into_iter().collect()
}

/// Has the row fetched, where it is missing and can be had.
fn fetch(state: &mut State, spot: &RowSpot) -> Option<Effect> {
    let running = state.what_if.running.as_ref();
    if state.session.is_busy() || running.is_some() || state.what_if.found(spot).is_some() {
        return None;
    }
    let wish = state.session.row_wish(state.shown_step()?).ok()?;
    let what_if = &mut state.what_if;
    what_if.last += 1;
    let (number, cancel) = (what_if.last, CancelFlag::default());
    what_if.running = Some(RowRunning { number, spot: spot.clone(), cancel: cancel.clone() });
    Some(Effect::Row(number, Box::new(wish), cancel))
}

/// Brings the list up to date.
fn list(state: &mut State, spot: Option<RowSpot>) {
    let row = spot
        .as_ref()
        .and_then(|spot| state.what_if.found(spot))
        .and_then(|found| found.as_ref().ok())
        .cloned();
    let sampling = state.what_if.tried.of(state.session.settings()).sampling;
    let (letters, is_whole) = (state.what_if.letters.clone(), row.is_some());
    let key = ListKey { spot, is_whole, sampling, letters };
    if state.what_if.list.as_ref().is_some_and(|list| list.key == key) {
        return;
    }
    let list = match row {
        Some(row) => Some(of_row(state, &row, key)),
        None => of_kept(state, key),
    };
    state.what_if.list = list;
}

fn of_row(state: &State, row: &StepRow, key: ListKey) -> WhatIfList {
    let (mut ids, holding) = match key.letters.as_str() {
        "" => (row.order().take(LISTED).collect::<Vec<TokenId>>(), None),
        letters => {
            let all = row.holding(letters);
            (all.iter().take(LISTED).copied().collect(), Some(all.len()))
        }
    };
    let stood = state.shown_step().and_then(|at| state.session.sequence().get(at)).map(|token| token.id);
    ids.extend(stood.filter(|id| holding.is_none() && !ids.contains(id)));
    WhatIfList { what_if: row.what_if(&key.sampling, &ids), holding, key }
}

/// As much as the step's own candidates say.
fn of_kept(state: &State, key: ListKey) -> Option<WhatIfList> {
    let at = state.shown_step()?;
    let stats = state.session.sequence().step(at).and_then(|step| step.stats.as_ref())?;
    let vocab = state.session.vocab()?;
    let mut what_if = of_known(&stats.prediction, &key.sampling, vocab);
    let holding = (!key.letters.is_empty()).then(|| {
        what_if
            .tokens
            .retain(|fate| vocab.text(fate.id).to_lowercase().contains(&key.letters.to_lowercase()));
        what_if.tokens.len()
    });
    Some(WhatIfList { what_if, holding, key })
}
