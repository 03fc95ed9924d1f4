//! The lens pane's state: what is looked at, what was found, and what is computed next.
//!
//! Chat goes first: while the session works no lens runs, and one that does is stopped and begun again
//! afterwards. Nothing is computed that no pane shows. What was found is kept for each step.

pub mod deed;
mod pictures;
pub mod spot;
pub mod tabs;

use std::collections::VecDeque;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::command::LensSubject;
use crate::counter::Far;
use crate::engine::{CancelFlag, ModelInfo};
use crate::lens::spans::SpanUnit;
use crate::lens::{Lens, LensWish, Looking};
use crate::report::lens::sentence::sentence;
use crate::session::SessionError;

use super::msg::Effect;
use super::pane::{LENS, Pane, TABLE};
use super::picture::Picture;
use super::state::State;
use spot::{LensChoice, LookId, Spot};
use tabs::{LensTab, TABS};

/// Steps whose figures are kept.
const KEPT: usize = 32;
/// How long the cursor rests on a step before it is looked at.
pub const REST: Duration = Duration::from_millis(500);

/// What a look came to.
type KeptLens = (Looking, Result<Box<Lens>, String>);

/// A look on its way.
#[derive(Debug)]
struct RunningLook {
    id: LookId,
    spot: Spot,
    looking: Looking,
    cancel: CancelFlag,
    far: Option<Far>,
}

/// The pane's state.
#[derive(Debug, Default)]
pub struct LensState {
    /// Which view.
    pub tab: usize,
    /// How it shows what was found.
    pub choice: LensChoice,
    /// The item the arrows are on.
    pub selected: usize,
    /// Rows that are scrolled out of sight; until somebody moves, as many as leave the selected item in sight.
    pub scroll: Option<usize>,
    /// What a person asked for in words, in place of what its view asks.
    own: Option<Looking>,
    /// Where the span begins that a trace is to replace, while it is marked.
    pub mark: Option<usize>,
    /// What is laid out, once there is something.
    pub picture: Option<Picture>,
    /// The pane that had the keys before.
    before: Option<&'static Pane>,
    spot: Option<Spot>,
    /// Oldest first.
    kept: VecDeque<(Spot, Vec<KeptLens>)>,
    running: Option<RunningLook>,
    /// Whether what is missing may be computed.
    due: bool,
    rests: u32,
    last: LookId,
    model: Weak<ModelInfo>,
    /// What the picture is of.
    drawn: Option<(Option<Looking>, LensChoice)>,
}

impl Spot {
    fn wish(&self, view: Looking) -> LensWish {
        let Spot { given, target, versus, under, .. } = self.clone();
        LensWish { given, target, versus, view, under: Some(under) }
    }
}

impl LensState {
    /// What is looked at.
    pub fn spot(&self) -> Option<&Spot> {
        self.spot.as_ref()
    }

    /// The view that is shown.
    pub fn shown(&self) -> &'static LensTab {
        TABS.get(self.tab).unwrap_or(&TABS[0])
    }

    /// What a view asks, if it knows that.
    fn looking_of(&self, tab: &LensTab) -> Option<Looking> {
        let own = self.own.as_ref().filter(|own| TABS[tabs::of(own)].name == tab.name);
        own.cloned().or_else(|| (tab.looking)(&self.choice))
    }

    /// What the view that is shown asks, if it knows that.
    pub fn looking(&self) -> Option<Looking> {
        self.looking_of(self.shown())
    }

    /// Has other words marked, in place of those that were traced.
    pub fn mark_again(&mut self) {
        (self.own, self.mark) = (None, None);
    }

    /// Leaves other spans out.
    pub fn leave_out(&mut self, by: Option<SpanUnit>) {
        (self.choice.by, self.own) = (by, None);
        self.ask();
    }

    /// The look on its way, in words, if one is.
    pub fn progress(&self) -> Option<(String, Option<f32>)> {
        let running = self.running.as_ref()?;
        let name = TABS[tabs::of(&running.looking)].name;
        Some(match running.far {
            Some(far) if far.total > 0 => {
                let share = far.done as f32 / far.total as f32;
                (format!("{name}: {} of {} {}", far.done, far.total, far.unit), Some(share))
            }
            _ => (format!("{name} …"), None),
        })
    }

    /// What was found of the spot that is shown.
    pub fn found(&self, looking: &Looking) -> Option<&Result<Box<Lens>, String>> {
        let (_, seen) = self.kept.iter().find(|(spot, _)| Some(spot) == self.spot.as_ref())?;
        seen.iter().find(|(other, _)| other == looking).map(|(_, found)| found)
    }

    fn lens(&self, looking: &Looking) -> Option<&Lens> {
        self.found(looking).and_then(|found| found.as_deref().ok())
    }

    /// The views that the first sentence is made of.
    fn of_sentence(&self) -> [Looking; 2] {
        let occlusion = self.looking_of(&TABS[0]).unwrap_or_else(|| tabs::occlusion(&self.choice));
        [occlusion, Looking::Logit]
    }

    /// The sentence that says it all, as far as it is known.
    pub fn sentence(&self, model: &ModelInfo) -> Option<String> {
        let [occlusion, logit] = self.of_sentence().map(|looking| self.lens(&looking));
        sentence(occlusion, logit, &model.vocab)
    }

    /// What is not known yet of what the pane shows, the view itself first.
    fn missing(&self) -> Option<Looking> {
        self.looking().into_iter().chain(self.of_sentence()).find(|looking| self.found(looking).is_none())
    }

    /// Whether something is computed.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Stops what runs, until somebody asks again; `false` if nothing does.
    pub fn stop(&mut self) -> bool {
        let Some(running) = self.running.as_ref().filter(|running| !running.cancel.is_cancelled()) else {
            return false;
        };
        running.cancel.cancel();
        self.due = false;
        true
    }

    /// Stops what runs; it is begun again when the engine is free.
    pub fn make_way(&self) {
        self.running.iter().for_each(|running| running.cancel.cancel());
    }

    /// So far a look is.
    pub fn on_far(&mut self, id: LookId, far: Far) {
        if let Some(running) = self.running.as_mut().filter(|running| running.id == id) {
            running.far = Some(far);
        }
    }

    /// What came of a look. One that was stopped came to nothing.
    pub fn on_seen(&mut self, id: LookId, found: Result<Box<Lens>, String>) {
        let Some(running) = self.running.take_if(|running| running.id == id) else { return };
        if running.cancel.is_cancelled() {
            return;
        }
        let of_spot = self.kept.iter().position(|(spot, _)| *spot == running.spot);
        let mut entry = of_spot.and_then(|at| self.kept.remove(at)).unwrap_or((running.spot, Vec::new()));
        entry.1.push((running.looking, found));
        self.kept.push_back(entry);
        self.kept.drain(..self.kept.len().saturating_sub(KEPT));
    }

    fn begin(&mut self, spot: Spot, looking: Looking) -> Effect {
        self.last.0 += 1;
        let (id, cancel) = (self.last, CancelFlag::default());
        let effect = Effect::Look(id, Box::new(spot.wish(looking.clone())), cancel.clone());
        self.running = Some(RunningLook { id, spot, looking, cancel, far: None });
        effect
    }

    fn turn_to(&mut self, spot: Option<Spot>) {
        self.spot = spot;
        // A span is one of the prompt it was marked in.
        self.own.take_if(|own| matches!(own, Looking::Trace(_)));
        self.mark = None;
        self.due = false;
        self.rests = self.rests.wrapping_add(1);
    }

    /// The cursor has rested since the spot of this number.
    pub fn rested(&mut self, number: u32) {
        self.due |= self.rests == number;
    }

    /// What is missing is wanted now.
    pub fn ask(&mut self) {
        self.due = true;
    }

    /// Forgets why a view has none of this spot, so that it is asked for again.
    fn forget_failures(&mut self) {
        self.kept.iter_mut().for_each(|(_, seen)| seen.retain(|(_, found)| found.is_ok()));
    }

    /// Brings the picture up to date.
    fn draw(&mut self, model: &ModelInfo) {
        let looking = self.looking();
        let wanted = (looking.clone(), self.choice);
        let picture = match (&looking, &self.spot) {
            (Some(looking), _) => {
                self.lens(looking).map(|lens| (self.shown().picture)(lens, &self.choice, &model.vocab))
            }
            (None, Some(spot)) => Some(pictures::marking(&spot.given, self.mark, &model.vocab)),
            (None, None) => None,
        };
        match picture {
            Some(picture) => {
                if self.drawn.as_ref() != Some(&wanted) || self.picture.is_none() {
                    (self.selected, self.scroll) = (picture.first, None);
                }
                (self.picture, self.drawn) = (Some(picture), Some(wanted));
            }
            None => (self.picture, self.drawn) = (None, None),
        }
    }
}

/// Opens the pane for the step under the cursor.
pub fn open(state: &mut State) {
    let here = under_cursor(state);
    show(state, here);
}

/// Opens the pane as a command asks.
///
/// # Errors
/// [`SessionError`]: there is nothing of the kind.
pub fn obey(state: &mut State, looking: Looking, looked: LensSubject) -> Result<(), SessionError> {
    let at = match &looked {
        LensSubject::Text(..) => None,
        LensSubject::Step(None) => state.shown_step(),
        LensSubject::Step(Some(step)) => Some(state.session.sequence().reply_start() + step - 1),
    };
    let spot = match at.and_then(|at| spot_at(state, at)) {
        Some(spot) => spot,
        None => {
            let LensWish { given, target, versus, under, .. } =
                state.session.wish(looking.clone(), looked)?;
            Spot { at, given, target, versus, under: under.unwrap_or_default(), uneven: false }
        }
    };
    at.into_iter().for_each(|at| state.walk_to(at));
    state.lens.tab = tabs::of(&looking);
    show(state, Some(spot));
    state.lens.own = Some(looking);
    Ok(())
}

/// Opens the pane for something.
pub fn show(state: &mut State, spot: Option<Spot>) {
    if *state.focus != LENS {
        state.lens.before = Some(state.focus);
    }
    state.lens.turn_to(spot);
    state.lens.forget_failures();
    state.lens.picture = None;
    state.lens.ask();
    state.focus_on(&LENS);
}

/// Gives the place back to the table, and the keys to the pane that had them.
pub fn close(state: &mut State) {
    state.lens.stop();
    state.fronts.show(&TABLE);
    let before = state.lens.before.take().unwrap_or(&TABLE);
    state.focus_on(before);
}

/// The step the panels show.
fn under_cursor(state: &State) -> Option<Spot> {
    spot_at(state, state.shown_step()?)
}

fn spot_at(state: &State, at: usize) -> Option<Spot> {
    let given = state.session.given(at)?;
    Some(Spot::of_token(at, given, state.session.sequence().in_force()))
}

/// After every message: keeps what is looked at with the cursor, and says what is to be computed.
pub fn tend(state: &mut State) -> Vec<Effect> {
    let model = state.session.model().cloned();
    let of_model = model.as_ref().map_or_else(Weak::new, Arc::downgrade);
    if !Weak::ptr_eq(&of_model, &state.lens.model) {
        state.lens.stop();
        state.lens.kept.clear();
        state.lens.model = of_model;
    }
    let is_busy = state.session.is_busy();
    if is_busy && let Some(running) = &state.lens.running {
        running.cancel.cancel();
    }
    if state.areas().is_none_or(|areas| areas.of(&LENS).is_none()) {
        return Vec::new();
    }
    let mut effects = Vec::new();
    // A text of its own stays until somebody asks for a step.
    if state.lens.spot.as_ref().is_none_or(|spot| spot.at.is_some()) {
        let here = under_cursor(state);
        if here != state.lens.spot {
            state.lens.turn_to(here);
            state.lens.picture = None;
            effects.push(Effect::Rest(state.lens.rests));
        }
    }
    let lens = &mut state.lens;
    if let Some(running) = &lens.running
        && (Some(&running.spot) != lens.spot.as_ref() || lens.missing().as_ref() != Some(&running.looking))
    {
        // Another step or view is asked for now, and may not wait for one that nobody sees.
        running.cancel.cancel();
    }
    if let (false, true, None, Some(spot)) = (is_busy, lens.due, &lens.running, &lens.spot)
        && model.is_some()
        && let Some(looking) = lens.missing()
    {
        let spot = spot.clone();
        effects.push(lens.begin(spot, looking));
    }
    if let Some(model) = model {
        lens.draw(&model);
    }
    effects
}

#[cfg(test)]
mod tests;
