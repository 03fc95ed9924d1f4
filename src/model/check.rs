//! Trying an unknown file in a process that may die.
//!
//! [`super::gguf`] checks what all architectures share. Before a file is loaded here for the first time,
//! a child process of our own executable loads it; if llama.cpp ends that process, it says so in one line
//! and this process lives on. The outcome is remembered, so a known file costs nothing. Must not load a
//! model itself: the caller hands the loading in.

use std::path::Path;
use std::process::{Command, ExitCode, ExitStatus};
use std::time::Duration;

use super::error::ModelError;
use super::gguf::Gguf;
use super::memory::{FileId, Memory};
use super::progress::{ModelStage, Progress};
use crate::child::{self, ChildTrouble, HELLO, Wait, death, loading_fault};

/// The hidden subcommand: `tokenscope __check-model PATH`.
pub const SUBCOMMAND: &str = "__check-model";

/// The child's verdicts.
const GOOD: &str = "good";
const BAD: &str = "bad: ";
/// A child that takes longer than this on top of what the file's size needs is stuck.
const PATIENCE: Duration = Duration::from_secs(120);
/// Reading from a slow disk.
const SLOWEST_BYTES_PER_SECOND: u64 = 20 << 20;

/// What became of the trial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckVerdict {
    /// It loads.
    Good,
    /// llama.cpp reports an error.
    Refused(String),
    /// The process died.
    Harmful(String),
    /// The executable does not know the subcommand (a test runner, another program that uses this
    /// library): nothing is known.
    Unknown,
}

/// Makes sure that loading the file will not end this process. Asks the memory first.
///
/// # Errors
/// [`ModelError::Refused`] and [`ModelError::Harmful`] if the file is not to be loaded.
pub fn verify_in_child(
    gguf: &Gguf,
    executable: &Path,
    memory: &Memory,
    progress: &dyn Progress,
) -> Result<(), ModelError> {
    const VERSION: &str = env!("CARGO_PKG_VERSION");
    let id = FileId::of(&gguf.path);
    if id.as_ref().is_some_and(|id| memory.recall(id).loads.as_deref() == Some(VERSION)) {
        return Ok(());
    }
    let path = gguf.path.clone();
    match try_in_child(gguf, executable, progress)? {
        CheckVerdict::Good => {
            if let Some(id) = id.filter(|id| FileId::of(&path).as_ref() == Some(id)) {
                memory.remember(&id, |known| known.loads = Some(VERSION.to_owned()));
            }
            Ok(())
        }
        CheckVerdict::Unknown => Ok(()),
        CheckVerdict::Refused(what) => Err(ModelError::Refused { path, what }),
        CheckVerdict::Harmful(what) => Err(ModelError::Harmful { path, what }),
    }
}

/// Runs `executable __check-model PATH` and waits for its verdict.
///
/// # Errors
/// If the child cannot be started or the person does not want to wait.
pub fn try_in_child(
    gguf: &Gguf,
    executable: &Path,
    progress: &dyn Progress,
) -> Result<CheckVerdict, ModelError> {
    progress.update(ModelStage::Trying, 0, None);
    let mut command = Command::new(executable);
    command.arg(SUBCOMMAND).arg(&gguf.path);
    let patience = PATIENCE + Duration::from_secs(gguf.size / SLOWEST_BYTES_PER_SECOND);
    let look = &mut || if progress.cancelled() { Err(ModelError::Interrupted) } else { Ok(()) };
    match child::run(&mut command, Vec::new(), Wait { pulse: Duration::from_millis(2), patience, look }) {
        Ok(report) => Ok(verdict(&report.said, &report.log, report.status)),
        Err(ChildTrouble::Start(error)) => Err(ModelError::io("start", executable, error)),
        Err(ChildTrouble::Stopped(error)) => Err(error),
    }
}

fn verdict(said: &str, log: &str, status: Option<ExitStatus>) -> CheckVerdict {
    let mut lines = said.lines();
    if lines.next() != Some(HELLO) {
        return CheckVerdict::Unknown;
    }
    let last = lines.next_back().unwrap_or_default();
    match status {
        None => CheckVerdict::Harmful(death(log, None)),
        Some(status) if status.success() && last == GOOD => CheckVerdict::Good,
        Some(_) if last.starts_with(BAD) => CheckVerdict::Refused(reason(log, &last[BAD.len()..])),
        Some(_) => CheckVerdict::Harmful(death(log, status)),
    }
}

/// One line for people.
fn reason(log: &str, said: &str) -> String {
    loading_fault(log).unwrap_or_else(|| crate::token::printable(said.trim()))
}

/// The child's side: `load` is to load the file (the flag says that only its vocabulary can be) and
/// evaluate a little. The exit code is 0 if it can.
pub fn run_child_check<E: std::fmt::Display>(
    path: &Path,
    load: impl FnOnce(&Path, bool) -> Result<(), E>,
) -> ExitCode {
    child::end_with_parent();
    println!("{HELLO}");
    let outcome = match Gguf::read(path) {
        Ok(gguf) => load(path, gguf.is_vocabulary_only()).map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match outcome {
        Ok(()) => {
            println!("{GOOD}");
            ExitCode::SUCCESS
        }
        Err(what) => {
            println!("{BAD}{}", what.replace('\n', " "));
            ExitCode::from(3)
        }
    }
}

#[cfg(test)]
mod tests;
