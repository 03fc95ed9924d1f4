//! Work on a thread of its own, which the person need not wait for.
//!
//! A library that looks at no flag can't be stopped; it can be left behind. Whoever leaves must end the
//! process soon, and without running destructors under the thread ([`crate::fatal::leave`]).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::Builder;
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

/// Does the work on a thread of this name. A panic there ends the process unless [`crate::fatal`] knows
/// the name.
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
        let _ = sender.send(catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
            let text = payload.downcast_ref::<&str>().map(|text| text.to_string());
            text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_default()
        }));
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
        let (keep, never) = sync_channel::<()>(0);
        assert!(run("aside", &|| true, move || never.recv()).is_err_and(|left| left == Left::Interrupted));
        drop(keep);
    }
}
