//! The terminal: taken over, given back, whatever happens.
//!
//! [`Guard`] restores it on every ordinary way out. [`restore_now`] is for the others (a native
//! abort, a panic, a signal): it allocates nothing, takes no lock and may be called from a signal
//! handler.

use std::io::{self, Write};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use ratatui::crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};

/// How the terminal is ours at the moment.
static TAKEN: AtomicU8 = AtomicU8::new(NOT);
/// It is not.
const NOT: u8 = 0;
/// The whole screen.
const SCREEN: u8 = 1;
/// A line that is edited.
const LINE: u8 = 2;
/// How the terminal was set before it was first taken.
static BEFORE: OnceLock<libc::termios> = OnceLock::new();

/// Mouse off, bracketed paste off, main screen, cursor visible, plain text.
const RESTORE: &[u8] =
    b"\x1b[?1006l\x1b[?1015l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?2004l\x1b[?1049l\x1b[?25h\x1b[0m";

/// The same for a line that is edited, which stays where it is.
const RESTORE_LINE: &[u8] = b"\x1b[?2004l\x1b[?25h\x1b[0m\r\n";

/// Holds the terminal; dropping it gives it back.
pub struct Guard(());

impl Guard {
    /// Takes the terminal: raw mode, alternate screen, mouse, bracketed paste.
    ///
    /// # Errors
    /// Where standard output is no terminal or refuses.
    pub fn take() -> io::Result<Guard> {
        remember();
        enable_raw_mode()?;
        TAKEN.store(SCREEN, Ordering::SeqCst);
        let guard = Guard(());
        execute!(io::stdout(), EnterAlternateScreen, EnableMouseCapture, EnableBracketedPaste)?;
        Ok(guard)
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        if TAKEN.swap(NOT, Ordering::SeqCst) != NOT {
            let mut out = io::stdout();
            let _ = execute!(out, DisableBracketedPaste, DisableMouseCapture, LeaveAlternateScreen);
            let _ = disable_raw_mode();
            let _ = out.write_all(b"\x1b[?25h");
            let _ = out.flush();
        }
    }
}

/// Says that another library edits lines on the terminal, in raw mode at times.
pub struct Editing(());

impl Editing {
    /// From now on, whatever ends the process gives the terminal back.
    ///
    /// # Errors
    /// If signals can't be handled.
    pub fn begin() -> io::Result<Editing> {
        remember();
        TAKEN.store(LINE, Ordering::SeqCst);
        for signal in [libc::SIGTERM, libc::SIGHUP] {
            let end = move || crate::fatal::end_by(signal);
            // SAFETY: it calls what may be called in a signal handler, and ends the process.
            unsafe { signal_hook::low_level::register(signal, end)? };
        }
        Ok(Editing(()))
    }
}

impl Drop for Editing {
    fn drop(&mut self) {
        TAKEN.store(NOT, Ordering::SeqCst);
    }
}

/// Whether the terminal is ours.
pub fn is_taken() -> bool {
    TAKEN.load(Ordering::SeqCst) != NOT
}

/// Keeps how the terminal is set, the first time.
fn remember() {
    let _ = BEFORE.get_or_init(|| {
        // SAFETY: a zeroed termios is a valid value to be overwritten; the file descriptor is open.
        unsafe {
            let mut settings: libc::termios = std::mem::zeroed();
            libc::tcgetattr(libc::STDIN_FILENO, &raw mut settings);
            settings
        }
    });
}

/// Gives the terminal back without allocating, locking or unwinding. Does nothing if it is not ours.
pub fn restore_now() {
    let how = TAKEN.swap(NOT, Ordering::SeqCst);
    if how == NOT {
        return;
    }
    if let Some(before) = BEFORE.get() {
        // SAFETY: both calls are async-signal-safe; the settings were read from this terminal.
        unsafe { libc::tcsetattr(libc::STDIN_FILENO, libc::TCSANOW, before) };
    }
    say_raw(if how == SCREEN { RESTORE } else { RESTORE_LINE });
}

fn say_raw(bytes: &[u8]) {
    // SAFETY: writes from a valid buffer; a failed write leaves nothing to do.
    unsafe { libc::write(libc::STDOUT_FILENO, bytes.as_ptr().cast(), bytes.len()) };
}
