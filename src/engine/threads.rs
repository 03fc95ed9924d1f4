//! How many threads an evaluation should use: as many as there are cores left for them.
//!
//! llama.cpp's threads wait for each other a few hundred times a token, spinning. One that another
//! process has pushed off its core holds all of them up, so that on a busy machine fewer are faster. The
//! cores left to us are those nobody used plus what we used ourselves, over the last tenth of a second;
//! before there is such a time, what else is ready to run is counted. Reads the load of the machine and
//! nothing else.

mod load;
mod turn;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use load::LoadReading;
use turn::EngineTurn;

use super::llama::eval::Script;
use super::llama::{Batch, Context};
use super::protocol::{CancelFlag, EngineError};

/// Shortest time over which the load is judged: the system counts it in hundredths of a second.
const WINDOW: Duration = Duration::from_millis(100);
/// After this long without an evaluation the last window says nothing any more.
const PAUSE: Duration = Duration::from_millis(250);
/// Where the system does not say what is idle, how often one more thread is tried.
const TRIAL: Duration = Duration::from_secs(2);

/// Chooses the number of threads of every evaluation of one engine. Clones share what they have seen.
#[derive(Clone, Debug)]
pub(super) struct Governor(Rc<RefCell<ThreadsState>>);

#[derive(Debug)]
struct ThreadsState {
    most: u32,
    /// Whether the number follows the load.
    adapts: bool,
    current: u32,
    /// The beginning of the window.
    since: Option<LoadReading>,
    /// When the last evaluation ended.
    ended: Option<Instant>,
    /// When the number last changed.
    changed: Instant,
}

impl Governor {
    /// Always this many.
    pub fn fixed(threads: u32) -> Governor {
        Governor::new(threads, false)
    }

    /// At most this many.
    pub fn adapting(most: u32) -> Governor {
        Governor::new(most, true)
    }

    fn new(most: u32, adapts: bool) -> Governor {
        let most = most.max(1);
        let adapts = adapts && most > 1;
        let state =
            ThreadsState { most, adapts, current: most, since: None, ended: None, changed: Instant::now() };
        Governor(Rc::new(RefCell::new(state)))
    }

    /// The largest number it may give.
    pub fn most(&self) -> u32 {
        self.0.borrow().most
    }

    /// Evaluates a batch by a script, with as many threads as there are cores for now; `false`: the flag
    /// stopped it.
    ///
    /// # Errors
    /// Those of [`Context::decode_by`].
    pub fn evaluate(
        &self,
        context: &mut Context,
        batch: &Batch,
        script: Script,
        stop: &CancelFlag,
    ) -> Result<bool, EngineError> {
        self.evaluate_by(context, |context| context.decode_until(batch, script, stop))
    }

    /// The same for another way to evaluate.
    ///
    /// # Errors
    /// Those of `decode`.
    pub fn evaluate_by<T>(
        &self,
        context: &mut Context,
        decode: impl FnOnce(&mut Context) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let _turn = EngineTurn::wait();
        context.set_threads(self.threads());
        let outcome = decode(context);
        self.0.borrow_mut().ended = Some(Instant::now());
        outcome
    }

    /// The number for the evaluation that comes now.
    fn threads(&self) -> u32 {
        let mut state = self.0.borrow_mut();
        if state.adapts {
            let now = Instant::now();
            let paused = state.ended.is_none_or(|ended| now - ended > PAUSE);
            match state.since {
                Some(since) if !paused && since.at + WINDOW <= now => state.follow(since),
                Some(_) if !paused => {}
                _ => state.start(),
            }
        }
        state.current
    }
}

impl ThreadsState {
    /// Without a window to judge by.
    fn start(&mut self) {
        self.current = self.most.saturating_sub(load::others_running(self.most)).max(1);
        self.since = Some(LoadReading::take());
    }

    fn follow(&mut self, since: LoadReading) {
        let now = LoadReading::take();
        let wait = now.at - self.changed;
        let (own, idle) = now.cores_left(&since);
        let next = number(own, idle, self.current, wait).clamp(1, self.most);
        if next != self.current || wait >= TRIAL {
            self.changed = now.at;
        }
        (self.current, self.since) = (next, Some(now));
    }
}

/// The number of threads for what was left: cores that we used, and cores nobody used where that is known.
fn number(own: f64, idle: Option<f64>, current: u32, wait: Duration) -> u32 {
    // As long as all threads run all the time, one more may find a core, too.
    let unknown = if wait >= TRIAL && own > 0.9 * f64::from(current) { 1.0 } else { 0.0 };
    (own + idle.unwrap_or(unknown)).round() as u32
}

#[cfg(test)]
mod tests;
