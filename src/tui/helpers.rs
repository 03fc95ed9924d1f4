//! The driver's helper threads that last: they read the terminal, hear signals, and keep messages.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ratatui::crossterm::event;

use super::burst::Burst;
use super::history::History;
use super::msg::Msg;
use crate::aside;
use crate::paths::Paths;

/// How long a program that was told to end may take before it is ended.
const LAST_RESORT: Duration = Duration::from_secs(4);

/// Works on a thread of its own; what it panics with is told as `failed` has it.
pub(super) fn helper(
    sender: &SyncSender<Msg>,
    failed: impl FnOnce(String) -> Msg + Send + 'static,
    work: impl FnOnce(&SyncSender<Msg>) + Send + 'static,
) -> JoinHandle<()> {
    let sender = sender.clone();
    std::thread::spawn(move || {
        if let Err(reason) = aside::guarded(|| work(&sender)) {
            let _ = sender.send(failed(aside::bug(&reason)));
        }
    })
}

/// Tells which messages there were, and keeps those that come.
pub(super) fn keep_history(
    sender: &SyncSender<Msg>,
    paths: &Paths,
    messages: Receiver<String>,
) -> JoinHandle<()> {
    let history = History { path: paths.state.join("messages") };
    helper(sender, Msg::Note, move |sender| {
        let _ = sender.send(Msg::Remembered(history.messages()));
        messages.iter().for_each(|message| history.append(&message));
    })
}

pub(super) fn read_input(sender: &SyncSender<Msg>) {
    helper(sender, Msg::Note, |sender| {
        // What panics at one key may take the next.
        while let Err(reason) = aside::guarded(|| read_keys(sender)) {
            let _ = sender.send(Msg::Note(aside::bug(&reason)));
        }
        // The terminal is gone: leave as for a hang-up.
        let _ = sender.send(Msg::Terminate(libc::SIGHUP));
    });
}

/// Passes on what comes from the terminal, until there is none any more.
fn read_keys(sender: &SyncSender<Msg>) {
    let begun = Instant::now();
    let mut burst = Burst::default();
    loop {
        let more = burst.patience().map_or(Ok(true), event::poll);
        let meant = match more {
            Ok(true) => event::read().map(|input| burst.take(begun.elapsed(), input)),
            Ok(false) => Ok(burst.settle()),
            Err(error) => Err(error),
        };
        let Ok(meant) = meant else { return };
        if meant.into_iter().any(|input| sender.send(Msg::Input(input)).is_err()) {
            return;
        }
    }
}

pub(super) fn watch_signals(sender: &SyncSender<Msg>) -> io::Result<()> {
    use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP};
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGHUP, SIGINT, SIGTSTP, SIGCONT])?;
    helper(sender, Msg::Note, move |sender| {
        for signal in signals.forever() {
            let msg = match signal {
                SIGTSTP => Msg::Suspend,
                SIGCONT => Msg::Continue,
                other => {
                    // A screen that waits for its terminal hears nothing.
                    std::thread::spawn(move || {
                        std::thread::sleep(LAST_RESORT);
                        crate::fatal::end_by(other);
                    });
                    Msg::Terminate(other)
                }
            };
            if sender.send(msg).is_err() {
                return;
            }
        }
    });
    Ok(())
}
