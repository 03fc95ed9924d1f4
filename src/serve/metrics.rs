//! Counters, as Prometheus reads them.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use crate::engine::Timing;

/// What has been done since the server began. Holds no text of anybody's.
pub(super) struct Metrics {
    begun: Instant,
    /// By route and status.
    requests: Mutex<BTreeMap<(String, u16), u64>>,
    counts: [AtomicU64; COUNTERS.len()],
    gauges: [AtomicUsize; GAUGES.len()],
}

/// Name and meaning of what only grows.
const COUNTERS: [(&str, &str); 7] = [
    ("prompt_tokens_total", "Tokens of prompts evaluated for replies"),
    ("generated_tokens_total", "Tokens generated"),
    ("rounds_total", "Rounds of replies side by side"),
    ("scored_sequences_total", "Sequences scored"),
    ("scored_tokens_total", "Tokens evaluated for scoring, what was shared once"),
    ("scored_tokens_naive_total", "The same if nothing had been shared"),
    ("scoring_batches_total", "Batches of sequences scored"),
];
/// Of what goes up and down.
const GAUGES: [(&str, &str); 4] = [
    ("replies_waiting", "Replies that wait for a place"),
    ("replies_running", "Replies that are being written"),
    ("scorings_waiting", "Requests with sequences to score"),
    ("connections", "Open connections"),
];

impl Metrics {
    pub fn new() -> Metrics {
        Metrics {
            begun: Instant::now(),
            requests: Mutex::default(),
            counts: Default::default(),
            gauges: Default::default(),
        }
    }

    pub fn answered(&self, route: String, status: u16) {
        if let Ok(mut requests) = self.requests.lock() {
            *requests.entry((route, status)).or_default() += 1;
        }
    }

    pub fn wrote(&self, timing: &Timing) {
        self.count(0, timing.prefill_tokens);
        self.count(1, timing.decode_tokens);
        self.count(2, 1);
    }

    pub fn scored(&self, sequences: usize, timing: &Timing) {
        self.count(3, sequences);
        self.count(4, timing.prefill_tokens);
        self.count(5, timing.naive_tokens);
        self.count(6, 1);
    }

    pub fn replies(&self, waiting: usize, running: usize) {
        self.gauges[0].store(waiting, Ordering::Relaxed);
        self.gauges[1].store(running, Ordering::Relaxed);
    }

    /// Requests with sequences that have come, and that wait no longer.
    pub fn scorings(&self, come: usize, gone: usize) {
        self.gauges[2].fetch_add(come, Ordering::Relaxed);
        self.gauges[2].fetch_sub(gone, Ordering::Relaxed);
    }

    pub fn connections(&self, open: usize) {
        self.gauges[3].store(open, Ordering::Relaxed);
    }

    fn count(&self, which: usize, more: usize) {
        self.counts[which].fetch_add(more as u64, Ordering::Relaxed);
    }

    /// In Prometheus' text format.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut family = |name: &str, help: &str, kind: &str, lines: &[(String, String)]| {
            let _ = writeln!(out, "# HELP tokenscope_{name} {help}.\n# TYPE tokenscope_{name} {kind}");
            for (labels, value) in lines {
                let _ = writeln!(out, "tokenscope_{name}{labels} {value}");
            }
        };
        let requests = self.requests.lock().map(|requests| requests.clone()).unwrap_or_default();
        let label = |((route, status), n): (&(String, u16), &u64)| {
            (format!("{{route=\"{route}\",status=\"{status}\"}}"), n.to_string())
        };
        let requests: Vec<_> = requests.iter().map(label).collect();
        family("requests_total", "Answers by route and status", "counter", &requests);
        for ((name, help), value) in COUNTERS.iter().zip(&self.counts) {
            let value = value.load(Ordering::Relaxed).to_string();
            family(name, help, "counter", &[(String::new(), value)]);
        }
        for ((name, help), value) in GAUGES.iter().zip(&self.gauges) {
            let value = value.load(Ordering::Relaxed).to_string();
            family(name, help, "gauge", &[(String::new(), value)]);
        }
        let up = format!("{:.3}", self.begun.elapsed().as_secs_f64());
        family("uptime_seconds", "Time since the server began", "gauge", &[(String::new(), up)]);
        out
    }
}
