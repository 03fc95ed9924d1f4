//! How far scoring is, on a terminal's standard error.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::aside;
use crate::say;

/// Work shorter than this is not worth a bar.
const SHORT: Duration = Duration::from_secs(1);

/// A bar of tokens that appears when it is worth it.
pub(super) struct TokenBar(Option<ProgressBar>);

impl TokenBar {
    /// For so many tokens; `quiet` shows none.
    pub fn new(total: usize, quiet: bool) -> TokenBar {
        if quiet || !say::can_redraw() {
            return TokenBar(None);
        }
        let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::hidden());
        let template = "scoring [{bar:30}] {pos}/{len} tokens {per_sec} {eta}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
        }
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
        TokenBar(Some(bar))
    }

    /// One more token.
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

impl Drop for TokenBar {
    fn drop(&mut self) {
        if let Some(bar) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}
