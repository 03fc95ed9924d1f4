//! Ctrl-C and SIGTERM, for command lines: work that looks at a flag ends by itself, everything else is
//! ended here.
//!
//! A read that waits for its other end (standard input, a pipe that has a name) can't look at a flag:
//! while [`waiting`] runs one, the signals end the process at once.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use signal_hook::consts::{SIGALRM, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

/// Exit code of what was interrupted.
const INTERRUPTED: i32 = 130;
/// Seconds that work has to end by itself.
const PATIENCE: u32 = 10;

/// Raised by the first signal.
static RAISED: OnceLock<Arc<AtomicBool>> = OnceLock::new();
/// Whether somebody waits for input.
static WAITING: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// A flag that the first Ctrl-C (or SIGTERM) raises for the rest of the process; a second leaves at once,
/// and so does time, should the work not look at the flag. For command lines that have no handler of
/// their own.
///
/// # Errors
/// If the handlers can't be installed.
pub fn watch() -> io::Result<Arc<AtomicBool>> {
    if let Some(raised) = RAISED.get() {
        return Ok(Arc::clone(raised));
    }
    let raised = Arc::clone(RAISED.get_or_init(Arc::default));
    let waiting = WAITING.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(&raised))?;
        flag::register_conditional_shutdown(signal, INTERRUPTED, Arc::clone(waiting))?;
        flag::register(signal, Arc::clone(&raised))?;
        // SAFETY: `alarm` may be called in a signal handler.
        unsafe { low_level::register(signal, || _ = libc::alarm(PATIENCE))? };
    }
    // SAFETY: ends the process at once.
    unsafe { low_level::register(SIGALRM, || low_level::exit(INTERRUPTED))? };
    Ok(raised)
}

/// A flag that Ctrl-C raises as often as it is pressed, for a REPL that takes it back; while input is
/// awaited, it ends the process. SIGTERM raises it too: what is being loaded is given up, until
/// [`end_by_sigterm`].
///
/// # Errors
/// If the handlers can't be installed.
pub fn watch_again_and_again() -> io::Result<Arc<AtomicBool>> {
    let raised = Arc::new(AtomicBool::new(false));
    let waiting = WAITING.get_or_init(Arc::default);
    flag::register_conditional_shutdown(SIGINT, INTERRUPTED, Arc::clone(waiting))?;
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, Arc::clone(&raised))?;
    }
    Ok(raised)
}

/// Has SIGTERM end the process at once, where nothing is lost by that.
///
/// # Errors
/// If the handler can't be installed.
pub fn end_by_sigterm() -> io::Result<()> {
    flag::register_conditional_shutdown(SIGTERM, INTERRUPTED, Arc::new(AtomicBool::new(true)))?;
    Ok(())
}

/// Does work that waits for others; Ctrl-C ends the process meanwhile.
pub fn waiting<T>(read: impl FnOnce() -> T) -> T {
    let waiting = WAITING.get_or_init(Arc::default);
    let before = waiting.swap(true, Ordering::SeqCst);
    // The signal may have come before anybody waited.
    if RAISED.get().is_some_and(|raised| raised.load(Ordering::SeqCst)) {
        crate::fatal::leave(INTERRUPTED as u8);
    }
    let read = read();
    waiting.store(before, Ordering::SeqCst);
    read
}
