//! Slow motion: steps that the model has written wait here until the screen may show them.
//!
//! The model is not held up, and the figures are those of its own speed. Time is the driver's.

use std::collections::VecDeque;
use std::time::Duration;

use crate::engine::{Event, FinishReason};
use crate::session::RequestId;

/// Events of the running reply that are not shown yet.
#[derive(Default)]
pub struct Held {
    events: VecDeque<(RequestId, Event)>,
    /// A reply that was stopped while steps waited: its further ones are not wanted.
    stopped: Option<RequestId>,
}

impl Held {
    /// Takes an event; gives it back where it may be shown at once.
    pub fn take(&mut self, paced: bool, id: RequestId, event: Event) -> Option<Event> {
        if self.stopped == Some(id) {
            return (!is_step(&event)).then(|| cut_short(event));
        }
        if (is_step(&event) && paced) || !self.events.is_empty() {
            self.events.push_back((id, event));
            return None;
        }
        Some(event)
    }

    /// The next step, and what follows it without being one.
    pub fn next(&mut self) -> Vec<(RequestId, Event)> {
        let mut next: Vec<_> = self.events.pop_front().into_iter().collect();
        while self.events.front().is_some_and(|(_, event)| !is_step(event)) {
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
        let rest = self.events.drain(..).map(|(_, event)| event);
        rest.into_iter().find(|event| !is_step(event)).map(cut_short)
    }

    /// Whether steps wait.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

fn is_step(event: &Event) -> bool {
    matches!(event, Event::Step { .. })
}

/// The end of a reply that was stopped before all of it was shown.
fn cut_short(event: Event) -> Event {
    match event {
        Event::Finished { timing, .. } => Event::Finished { reason: FinishReason::Cancelled, timing },
        other => other,
    }
}

/// How long after the last step the next may be shown, at this many tokens a second.
pub fn interval(pace: Option<f32>) -> Duration {
    pace.map_or(Duration::ZERO, |pace| Duration::from_secs_f32(1.0 / pace))
}
