//! How far long work is, on a terminal's standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::aside;
use crate::counter::style;
use crate::say;

/// Work shorter than this is not worth a bar.
const SHORT: Duration = Duration::from_secs(1);

/// A bar that appears when it is worth it.
pub(super) struct WorkBar(Option<ProgressBar>);

impl WorkBar {
    /// For so many of a unit; `quiet` shows none.
    pub fn new(what: &'static str, unit: &'static str, total: usize, quiet: bool) -> WorkBar {
        if quiet || !say::can_redraw() {
            return WorkBar(None);
        }
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::hidden());
        bar.set_style(style("{msg} [{bar:30}] {pos} of {len} {prefix} · {per_sec} · {eta} left"));
        bar.set_message(what);
        bar.set_prefix(unit);
        // Appears by itself: the first tokens of a long text take longer than a person waits for a sign.
        let later = bar.downgrade();
        std::thread::spawn(move || {
            std::thread::sleep(SHORT);
            let shown = aside::guarded(|| {
                if let Some(bar) = later.upgrade() {
                    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
                    bar.enable_steady_tick(Duration::from_millis(200));
                }
            });
            if let Err(reason) = shown {
                say::tell(&aside::bug(&reason));
            }
        });
        WorkBar(Some(bar))
    }

    /// So many are done.
    pub fn set(&self, done: usize) {
        if let Some(bar) = &self.0 {
            bar.set_position(done as u64);
        }
    }

    /// One more is done.
    pub fn advance(&self) {
        if let Some(bar) = &self.0 {
            bar.inc(1);
        }
    }

    /// Writes something else without the bar in the way.
    pub fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.0 {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Drop for WorkBar {
    fn drop(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
