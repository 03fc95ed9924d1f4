//! How many threads a decode step should use, from what the last steps took.
//!
//! Two threads that wait for each other are slower than one as soon as another process holds a core,
//! so no fixed number is right on a shared machine. The governor tries the next lower number when
//! steps get slow, keeps what is faster, and looks again after a while. Pure: it is told durations.

use std::time::Duration;

/// Steps that are averaged before a number of threads is judged.
const WINDOW: u32 = 6;
/// Seconds after which fewer of them will do: a person is waiting.
const LONG: f64 = 0.25;
/// Steps after which a number that lost is tried again.
const RETRY_AFTER: u32 = 96;
/// A window this much slower than the best one seen is a reason to look for a better number.
const SLOW: f64 = 1.35;

/// Follows step times and says how many threads to use.
#[derive(Debug)]
pub(super) struct Governor {
    most: u32,
    current: u32,
    /// Mean step time in seconds of the last full window, by number of threads (index n − 1).
    known: Vec<Option<f64>>,
    sum: f64,
    count: u32,
    since_change: u32,
    /// The number to go back to if the one being tried is no better.
    trial_from: Option<u32>,
}

impl Governor {
    /// Starts with `most` threads.
    pub fn new(most: u32) -> Governor {
        let most = most.max(1);
        Governor {
            most,
            current: most,
            known: vec![None; most as usize],
            sum: 0.0,
            count: 0,
            since_change: 0,
            trial_from: None,
        }
    }

    /// The number in use.
    #[cfg(test)]
    pub fn threads(&self) -> u32 {
        self.current
    }

    /// Takes a step's duration; returns the new number of threads when it changes.
    pub fn observe(&mut self, step: Duration) -> Option<u32> {
        if self.most == 1 {
            return None;
        }
        self.sum += step.as_secs_f64();
        self.count += 1;
        self.since_change = self.since_change.saturating_add(1);
        if self.count < WINDOW && self.sum < LONG {
            return None;
        }
        let mean = self.sum / f64::from(self.count);
        (self.sum, self.count) = (0.0, 0);
        let before = self.current;
        self.judge(mean);
        (self.current != before).then(|| {
            self.since_change = 0;
            self.current
        })
    }

    fn judge(&mut self, mean: f64) {
        let earlier = self.known[self.current as usize - 1].replace(mean);
        if let Some(from) = self.trial_from.take() {
            let old = self.known[from as usize - 1].unwrap_or(f64::INFINITY);
            if mean >= old {
                self.current = from;
            }
            return;
        }
        let became_slow = earlier.is_some_and(|best| mean > best * SLOW);
        let untried_below = self.current > 1 && self.known[self.current as usize - 2].is_none();
        let stale = self.since_change >= RETRY_AFTER;
        if self.current > 1 && (became_slow || (untried_below && self.known_slow(mean))) {
            self.try_number(self.current - 1);
        } else if stale && self.current < self.most {
            self.try_number(self.current + 1);
        }
    }

    /// Without an earlier window to compare with, only a step that is long in itself is suspicious.
    fn known_slow(&self, mean: f64) -> bool {
        mean > 0.02
    }

    fn try_number(&mut self, n: u32) {
        self.trial_from = Some(self.current);
        self.current = n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds steps whose time depends on the number of threads.
    fn run(governor: &mut Governor, steps: u32, cost: impl Fn(u32) -> f64) {
        for _ in 0..steps {
            governor.observe(Duration::from_secs_f64(cost(governor.threads())));
        }
    }

    #[test]
    fn an_idle_machine_keeps_every_thread() {
        let mut governor = Governor::new(2);
        run(&mut governor, 500, |n| 0.018 / f64::from(n));
        assert_eq!(governor.threads(), 2);
    }

    #[test]
    fn a_core_taken_away_is_noticed_and_its_return_too() {
        let mut governor = Governor::new(2);
        run(&mut governor, 30, |n| 0.020 / f64::from(n));
        run(&mut governor, 30, |n| if n == 2 { 0.035 } else { 0.017 });
        assert_eq!(governor.threads(), 1);
        run(&mut governor, 300, |n| 0.020 / f64::from(n));
        assert_eq!(governor.threads(), 2);
    }

    #[test]
    fn a_machine_busy_from_the_start_is_found_out() {
        let mut governor = Governor::new(2);
        run(&mut governor, 40, |n| if n == 2 { 0.035 } else { 0.017 });
        assert_eq!(governor.threads(), 1);
    }

    #[test]
    fn very_slow_steps_are_not_waited_for() {
        let mut governor = Governor::new(2);
        run(&mut governor, 2, |n| if n == 2 { 1.0 } else { 0.020 });
        assert_eq!(governor.threads(), 1);
        // A model that is slow by nature keeps its threads.
        let mut governor = Governor::new(2);
        run(&mut governor, 4, |n| 1.0 / f64::from(n));
        assert_eq!(governor.threads(), 2);
    }

    #[test]
    fn one_thread_needs_no_governing() {
        let mut governor = Governor::new(1);
        run(&mut governor, 100, |_| 0.5);
        assert_eq!(governor.threads(), 1);
    }
}
