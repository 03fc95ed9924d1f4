//! How long work says how far it is, and is asked to stop.

use super::error::ModelError;

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelStage {
    /// Another tokenscope fetches a model or makes a copy; its end is waited for.
    Waiting,
    /// Bytes arrive from elsewhere.
    Downloading,
    /// A member is taken out of an archive.
    Unpacking,
    /// A file's checksum is computed.
    Hashing,
    /// A copy is written in another format.
    Converting,
    /// A file nobody has loaded yet is tried in a child process; nothing is counted.
    Trying,
}

impl ModelStage {
    /// The verb for a line of progress.
    pub fn verb(self) -> &'static str {
        match self {
            ModelStage::Waiting => "waiting for another tokenscope that fetches or converts a model",
            ModelStage::Downloading => "downloading",
            ModelStage::Unpacking => "unpacking",
            ModelStage::Hashing => "checking",
            ModelStage::Converting => "converting",
            ModelStage::Trying => "trying the model",
        }
    }
}

/// Told how far work is. Called often, from the thread that works: must be quick.
pub trait Progress: Sync {
    /// `done` of `total` bytes of a stage, both 0 and unknown where nothing is counted.
    fn update(&self, stage: ModelStage, done: u64, total: Option<u64>);

    /// Whether to stop. Asked at least every few hundred milliseconds.
    fn cancelled(&self) -> bool {
        false
    }

    /// The work is over, for now: what was shown of it should go.
    fn finish(&self) {}

    /// Asked before a download that nobody asked for by name; `what` says in a line what it is. An error
    /// stops.
    fn agrees(&self, _what: &str) -> Result<(), ModelError> {
        Ok(())
    }

    /// One line that people should see (a licence, a source that failed).
    fn note(&self, _line: &str) {}

    /// One line about something that is not as people would expect.
    fn warn(&self, line: &str) {
        self.note(line);
    }
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn update(&self, _: ModelStage, _: u64, _: Option<u64>) {}
}
