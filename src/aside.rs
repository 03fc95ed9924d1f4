//! Work on a thread of its own, which the person need not wait for.
//!
//! A library that looks at no flag can't be stopped; it can be left behind. Whoever leaves must end the
//! process soon, and without running destructors under the thread ([`crate::fatal::leave`]).

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::Duration;

/// How long Ctrl-C waits at most.
const PULSE: Duration = Duration::from_millis(20);
/// Libraries that read nested files recurse.
const STACK: usize = 16 << 20;

/// Why there is no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// The person does not want to wait.
    Interrupted,
    /// The work panicked, or no thread could be started: why.
    Died(String),
}

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread is caught and told to the person by whoever waits for its work.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// Does the work on this thread; a panic in it is the error.
///
/// # Errors
/// What it panicked with.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work)).map_err(reason);
    GUARDED.set(before);
    result
}

fn reason(payload: Box<dyn Any + Send>) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
}

/// What a person is told of a panic.
pub fn bug(reason: &str) -> String {
    format!("this is a bug, please report it: {reason}")
}

/// Does a part of the work of this thread on another, for whose panics the same holds as for this one's;
/// see [`joined`].
pub fn part<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> ScopedJoinHandle<'scope, T> {
    let guarded = is_guarded();
    scope.spawn(move || {
        GUARDED.set(guarded);
        work()
    })
}

/// What came of a [`part`]; its panic is a panic of this thread.
pub fn joined<T>(part: ScopedJoinHandle<'_, T>) -> T {
    part.join().unwrap_or_else(|payload| resume_unwind(payload))
}

/// Does the work on a thread of this name. A panic there is an error.
///
/// # Errors
/// [`Left`].
pub fn run<T: Send + 'static>(
    name: &str,
    interrupted: &dyn Fn() -> bool,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Left> {
    let (sender, receiver) = sync_channel(1);
    let body = move || {
        // Nobody hears it after Ctrl-C.
        let _ = sender.send(guarded(work));
    };
    let started = Builder::new().name(name.to_string()).stack_size(STACK).spawn(body);
    started.map_err(|error| Left::Died(error.to_string()))?;
    loop {
        match receiver.recv_timeout(PULSE) {
            Ok(result) => return result.map_err(Left::Died),
            Err(RecvTimeoutError::Timeout) if interrupted() => return Err(Left::Interrupted),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(Left::Died(String::new())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_a_panic_and_a_person_who_leaves() {
        assert_eq!(run("aside", &|| false, || 7), Ok(7));
        assert_eq!(run("aside", &|| false, || panic!("so")), Err::<(), _>(Left::Died("so".to_string())));
        assert!(!is_guarded());
        let whole = guarded(|| std::thread::scope(|scope| joined(part(scope, || panic!("a part")))));
        assert_eq!(whole, Err::<(), _>("a part".to_string()));
        let (keep, never) = sync_channel::<()>(0);
        assert!(run("aside", &|| true, move || never.recv()).is_err_and(|left| left == Left::Interrupted));
        drop(keep);
    }
}
