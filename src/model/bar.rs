//! Progress on a terminal's standard error.

use std::io::{BufRead, IsTerminal, stderr, stdin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::describe::bytes;
use super::error::ModelError;
use super::progress::{ModelStage, Progress};
use crate::counter::{LateBar, style};
use crate::interrupt::waiting;
use crate::say;

/// Draws a bar where standard error is a terminal, else writes a line for each stage that takes
/// other people's time.
#[derive(Debug)]
pub struct TerminalProgress {
    interrupted: Arc<AtomicBool>,
    quiet: bool,
    /// The line that a log gets has been written; a model may come in several parts.
    announced: AtomicBool,
    stage: Mutex<Option<(ModelStage, LateBar)>>,
}

impl TerminalProgress {
    /// `interrupted` ends the work when it becomes true. `quiet` shows no bar, only notes.
    pub fn new(interrupted: Arc<AtomicBool>, quiet: bool) -> TerminalProgress {
        TerminalProgress { interrupted, quiet, announced: AtomicBool::new(false), stage: Mutex::default() }
    }

    /// Ends the bar, if there is one.
    pub fn clear(&self) {
        if let Ok(mut stage) = self.stage.lock() {
            *stage = None;
        }
    }

    fn announce(&self, stage: ModelStage, total: Option<u64>) {
        let waits = matches!(stage, ModelStage::Waiting | ModelStage::Downloading);
        if waits && !self.announced.swap(true, Ordering::Relaxed) {
            let size = total.map(|total| format!(" {}", bytes(total))).unwrap_or_default();
            say::plain(&format!("{}{size} …", stage.verb()));
        }
    }
}

impl Progress for TerminalProgress {
    fn update(&self, stage: ModelStage, done: u64, total: Option<u64>) {
        let Ok(mut now) = self.stage.lock() else { return };
        if now.as_ref().is_none_or(|(current, _)| *current != stage) {
            *now = Some((stage, LateBar::begin()));
            if !self.quiet && !say::can_redraw() {
                self.announce(stage, total);
            }
        }
        if self.quiet || !say::can_redraw() {
            return;
        }
        if let Some((_, bar)) = &mut *now
            && let Some(bar) = bar.drawn(|| new_bar(stage, done, total))
        {
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar.set_position(done);
        }
    }

    fn cancelled(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    fn finish(&self) {
        self.clear();
    }

    fn agrees(&self, what: &str) -> Result<(), ModelError> {
        self.clear();
        match can_ask() && !goes_on(what) {
            true => Err(ModelError::Interrupted),
            false => Ok(()),
        }
    }

    fn note(&self, line: &str) {
        self.clear();
        say::plain(line);
    }
}

/// Whether there is a terminal to ask on.
pub fn can_ask() -> bool {
    stdin().is_terminal() && stderr().is_terminal()
}

/// Asks on the terminal.
pub fn goes_on(what: &str) -> bool {
    say::ask(&format!("{what}. Go on? [Y/n]"));
    let mut answer = String::new();
    let read = waiting(|| stdin().lock().read_line(&mut answer));
    read.is_ok_and(|n| n > 0) && !answer.trim().to_lowercase().starts_with('n')
}

fn new_bar(stage: ModelStage, done: u64, total: Option<u64>) -> ProgressBar {
    let bar =
        ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(10)).with_position(done);
    // What was there before the bar must not count as speed.
    bar.reset_eta();
    let template = match (stage, total) {
        (ModelStage::Waiting | ModelStage::Trying, _) => "{spinner} {msg}",
        (ModelStage::Downloading, Some(_)) => {
            "{msg} [{bar:30}] {decimal_bytes}/{decimal_total_bytes} {decimal_bytes_per_sec} {eta}"
        }
        (_, Some(_)) => "{msg} [{bar:30}] {decimal_bytes}/{decimal_total_bytes}",
        (_, None) => "{spinner} {msg} {decimal_bytes} {decimal_bytes_per_sec}",
    };
    bar.set_style(style(template));
    bar.set_message(stage.verb());
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
