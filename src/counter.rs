//! How far counted work is, on a terminal's standard error; a pipe or a log gets none of it.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::say;

/// Work shorter than this is not worth a line.
const SHORT: Duration = Duration::from_millis(300);

/// How far some work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Far {
    /// What is done, in a word.
    pub what: &'static str,
    /// What is counted.
    pub unit: &'static str,
    pub done: usize,
    /// In all.
    pub total: usize,
}

impl Far {
    /// In words: `probing 12 of 60 answers`.
    pub fn words(&self) -> String {
        format!("{} {} of {} {}", self.what, self.done, self.total, self.unit)
    }
}

/// A line that is drawn over and over once some work has taken a while, and taken away.
#[derive(Debug)]
pub struct LateBar {
    begun: Instant,
    bar: Option<ProgressBar>,
}

impl LateBar {
    /// The work begins now.
    pub fn begin() -> LateBar {
        LateBar { begun: Instant::now(), bar: None }
    }

    /// The line, made where it is not there yet; `None` while the work is young.
    pub fn drawn(&mut self, make: impl FnOnce() -> ProgressBar) -> Option<&ProgressBar> {
        (self.begun.elapsed() >= SHORT).then(|| &*self.bar.get_or_insert_with(make))
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for LateBar {
    fn drop(&mut self) {
        self.clear();
    }
}

/// Such a line for counted work.
#[derive(Debug)]
pub struct Counter {
    /// Whether anything is shown.
    on: bool,
    bar: Mutex<LateBar>,
}

impl Counter {
    /// Shows something where standard error is a terminal that can take a line back.
    pub fn new(quiet: bool) -> Counter {
        Counter { on: !quiet && say::can_redraw(), bar: Mutex::new(LateBar::begin()) }
    }

    /// The work begins now.
    pub fn begin(&self) {
        if let Ok(mut bar) = self.bar.lock() {
            *bar = LateBar::begin();
        }
    }

    /// So far it is; at its end the line goes.
    pub fn show(&self, far: Far) {
        if !self.on {
            return;
        }
        if far.done >= far.total {
            return self.clear();
        }
        if let Ok(mut bar) = self.bar.lock()
            && let Some(bar) = bar.drawn(|| new_bar(far))
        {
            bar.set_message(far.what);
            bar.set_length(far.total as u64);
            bar.set_position(far.done as u64);
        }
    }

    /// Takes the line away, so that something else can be written.
    pub fn clear(&self) {
        if let Ok(mut bar) = self.bar.lock() {
            bar.clear();
        }
    }
}

fn new_bar(far: Far) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(far.total as u64), ProgressDrawTarget::stderr_with_hz(10));
    bar.set_style(style("{msg} [{bar:30}] {pos} of {len} {prefix}"));
    bar.set_prefix(far.unit);
    bar
}

/// How every bar looks.
pub fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    style.progress_chars("█▉▊▋▌▍▎▏ ")
}
