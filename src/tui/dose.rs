//! Another dose of a steering vector, and the step under the cursor as it would be with it: computed from here,
//! on the cache of what was said before.

use std::sync::Arc;

use super::dosed::Dosed;
use super::msg::Effect;
use super::state::State;
use crate::engine::CancelFlag;
use crate::query::next::StepUnder;
use crate::session::Notice;
use crate::step::Step;

/// How much a key changes a dose by.
const STEP: f32 = 0.5;

/// Changes the dose by a step up or down; the step under the cursor follows.
pub fn change(state: &mut State, by: isize) -> Vec<Effect> {
    if let Err(error) = state.session.dose(by as f32 * STEP) {
        state.tell(Notice::Error(error.to_string()));
        return Vec::new();
    }
    // It need not wait for a lens, which begins again behind it.
    state.lens.make_way();
    let number = state.dosed.take().map_or(0, |before| {
        before.cancel.cancel();
        before.number + 1
    });
    let Some(at) = state.shown_step().filter(|&at| at > 0 && !state.session.is_busy()) else {
        return Vec::new();
    };
    let (sequence, under) = (state.session.sequence(), state.session.settings().interventions());
    let ids = sequence.tokens().take(at + 1).map(|token| token.id).collect();
    let wish =
        StepUnder { ids, in_force: sequence.in_force().after(at, &under), depth: state.session.depth() };
    let cancel = CancelFlag::default();
    let effect = Effect::Redo(number, Box::new(wish), cancel.clone());
    state.dosed = Some(Dosed { number, at, length: sequence.len(), under, cancel, found: None });
    vec![effect]
}

/// What came of it.
pub fn found(state: &mut State, number: u32, found: Result<Arc<Step>, String>) {
    let Some(dosed) = state.dosed.as_mut().filter(|dosed| dosed.number == number) else { return };
    match found {
        Ok(step) => dosed.found = Some(step),
        Err(_) if dosed.cancel.is_cancelled() => {}
        Err(reason) => state.tell(Notice::Error(reason)),
    }
}

#[cfg(test)]
mod tests;
