//! Slow motion: steps that the model has written wait here until the screen may show them.
//!
//! The model is not held up, and the figures are those of its own speed. Time is the driver's.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::{Event, FinishReason, RequestId};

/// Events of the running reply that are not shown yet.
#[derive(Default)]
pub struct Held {
    events: VecDeque<Event>,
    /// A reply that was stopped while steps waited: its further ones are not wanted.
    stopped: Option<RequestId>,
}

impl Held {
    /// Takes an event; gives it back where it may be shown at once.
    pub fn take(&mut self, paced: bool, event: Event) -> Option<Event> {
        let is_step = matches!(event, Event::Step { .. });
        if self.stopped.is_some() && event.id() == self.stopped {
            return (!is_step).then(|| cut_short(event));
        }
        if (is_step && paced) || (!self.events.is_empty() && event.id().is_some()) {
            self.events.push_back(event);
            return None;
        }
        Some(event)
    }

    /// The next step, and what follows it without being one.
    pub fn next(&mut self) -> Vec<Event> {
        let mut next: Vec<Event> = self.events.pop_front().into_iter().collect();
        while !matches!(self.events.front(), None | Some(Event::Step { .. })) {
            next.extend(self.events.pop_front());
        }
        next
    }

    /// The reply is stopped where it is shown: steps that wait are dropped, its end comes at once.
    pub fn stop(&mut self, id: RequestId) -> Option<Event> {
        if self.events.is_empty() {
            return None;
        }
        self.stopped = Some(id);
        self.events.drain(..).find(|event| !matches!(event, Event::Step { .. })).map(cut_short)
    }

    /// Whether steps wait.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// The end of a reply that was stopped before all of it was shown.
fn cut_short(event: Event) -> Event {
    match event {
        Event::Finished { id, timing, .. } => Event::Finished { id, reason: FinishReason::Cancelled, timing },
        other => other,
    }
}

/// How long after the last step the next may be shown, at this many tokens a second.
pub fn interval(pace: Option<f32>) -> Duration {
    pace.map_or(Duration::ZERO, |pace| Duration::from_secs_f32(1.0 / pace))
}
