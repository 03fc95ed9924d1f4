//! An answer that comes in parts: server-sent events, or lines of JSON.

use std::io::{BufRead, BufReader, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::reach::{broke, told};
use super::wire::{Trouble, WEB_PAGE, WireCall, json};

/// After a process was stopped and goes on, what came meanwhile is read first.
const GRACE: Duration = Duration::from_millis(500);

/// Sees that something comes, again and again.
struct Pulse {
    /// Since when the next part is waited for.
    since: Mutex<Option<Instant>>,
    done: AtomicBool,
    /// Nothing came for too long.
    stopped: AtomicBool,
}

impl WireCall<'_> {
    /// The events of a stream, in order, until it says that it is done or `each` has enough (`false`). A stream
    /// that breaks off is trouble that nothing repairs: what came was given out.
    pub fn stream(
        &self,
        path: &str,
        body: &Value,
        each: impl FnMut(Value) -> Result<bool, Trouble>,
    ) -> Result<(), Trouble> {
        /// Ended even where the work panics.
        struct Done<'a>(&'a Pulse, thread::Thread);
        impl Drop for Done<'_> {
            fn drop(&mut self) {
                self.0.done.store(true, Ordering::Release);
                self.1.unpark();
            }
        }
        let response = self.patiently(|wire| wire.send(path, Some(body)))?;
        let idle = self.wire.limits.patience.idle;
        let pulse =
            Pulse { since: Mutex::default(), done: AtomicBool::default(), stopped: AtomicBool::default() };
        thread::scope(|scope| {
            let watcher = scope.spawn(|| {
                if pulse.stops(idle) {
                    self.hang_up();
                }
            });
            let _done = Done(&pulse, watcher.thread().clone());
            let read = self.read_events(BufReader::new(response.into_body().into_reader()), &pulse, each);
            match read {
                Err(Trouble::Cancelled) => Err(Trouble::Cancelled),
                Err(_) if pulse.stopped.load(Ordering::Acquire) => Err(self.wire.noted(Trouble::Slow(
                    format!("nothing has come for {} in the middle of its answer (--timeouts)", told(idle)),
                ))),
                read => read,
            }
        })
    }

    fn read_events(
        &self,
        mut lines: impl BufRead,
        pulse: &Pulse,
        mut each: impl FnMut(Value) -> Result<bool, Trouble>,
    ) -> Result<(), Trouble> {
        let limits = self.wire.limits;
        let mut line = Vec::new();
        loop {
            line.clear();
            pulse.wait(Some(Instant::now()));
            let read = (&mut lines).take(limits.bytes).read_until(b'\n', &mut line);
            pulse.wait(None);
            if self.is_cancelled() {
                return Err(Trouble::Cancelled);
            }
            let read = read.map_err(|error| match broke(&error, limits.patience) {
                // What came was given out: it can't come again.
                Trouble::Passing(what, _) => Trouble::Lasting(what),
                trouble => self.wire.noted(trouble),
            })?;
            if read as u64 == limits.bytes {
                return Err(Trouble::wrong("an event of its stream does not end"));
            }
            if read == 0 {
                return Err(Trouble::wrong("the server closed the connection in the middle of its answer"));
            }
            let text = line.trim_ascii();
            // What is no event is a line of JSON (Ollama's own way), or the comment of a server that waits.
            let data = match text.strip_prefix(b"data:") {
                Some(data) => data.trim_ascii(),
                None if text.starts_with(b"{") => text,
                None if text.starts_with(b"<") => return Err(Trouble::wrong(WEB_PAGE)),
                None => continue,
            };
            if data == b"[DONE]" {
                return Ok(());
            }
            let event = json(data)?;
            if let Some(error) = self.error_in(&event) {
                return Err(Trouble::Lasting(format!("the server stops: {error}")));
            }
            if !each(event)? {
                return Ok(());
            }
        }
    }
}

impl Pulse {
    fn since(&self) -> Option<Instant> {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait(&self, since: Option<Instant>) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Waits until nothing has come for so long, or everything has. Whoever takes events slowly is not the server.
    fn stops(&self, idle: Duration) -> bool {
        let mut late = None;
        while !self.done.load(Ordering::Acquire) {
            let since = self.since();
            let left = since.map_or(idle, |since| idle.saturating_sub(since.elapsed()));
            if left.is_zero() && late == since {
                self.stopped.store(true, Ordering::Release);
                return true;
            }
            late = since.filter(|_| left.is_zero());
            thread::park_timeout(left.max(GRACE.min(idle)));
        }
        false
    }
}
