//! What is known of files that were read before, so that it need not be found out again.
//!
//! Hashing a model takes longer than starting with it. A file is recognised by its canonical path,
//! size and modification time; what is remembered is a hint, never a proof. The memory is one small
//! JSON file in the cache folder: damage, absence and concurrent writers cost a repetition, never an
//! error.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::ModelError;
use super::progress::{ModelStage, Progress};
use crate::files::{self, Existing};

/// Files remembered; the ones forgotten first were noted first.
const MOST_FILES: usize = 256;
/// Another content than this is not read.
const FORMAT: u32 = 1;

/// The memory file.
#[derive(Clone, Debug)]
pub struct Memory {
    path: PathBuf,
}

/// A file as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileId {
    path: String,
    size: u64,
    /// Nanoseconds since 1970.
    mtime: u64,
}

/// What is remembered of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KnownFile {
    /// Its checksum, in hexadecimal.
    pub sha256: Option<String>,
    /// The version of this program that has loaded it without harm.
    pub loads: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct MemoryEntry {
    #[serde(flatten)]
    id: FileId,
    #[serde(flatten)]
    known: KnownFile,
}

#[derive(Serialize, Deserialize)]
struct FileContent {
    format: u32,
    files: Vec<MemoryEntry>,
}

impl FileId {
    /// The file as it is now; `None` if it cannot be looked at or has a name that is not UTF-8.
    pub fn of(path: &Path) -> Option<FileId> {
        let canonical = path.canonicalize().ok()?;
        let about = fs::metadata(&canonical).ok()?;
        let mtime = about.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(FileId {
            path: canonical.to_str()?.to_owned(),
            size: about.len(),
            mtime: u64::try_from(mtime.as_nanos()).ok()?,
        })
    }
}

impl Memory {
    /// The memory in this file, which need not exist.
    pub fn at(path: PathBuf) -> Memory {
        Memory { path }
    }

    /// What is known of a file.
    pub fn recall(&self, id: &FileId) -> KnownFile {
        self.load().into_iter().find(|entry| entry.id == *id).map(|entry| entry.known).unwrap_or_default()
    }

    /// Adds to what is known of a file. Failure is no error: the next run finds it out again.
    pub fn remember(&self, id: &FileId, change: impl FnOnce(&mut KnownFile)) {
        let Some(folder) = self.path.parent() else { return };
        let _ = fs::create_dir_all(folder).and_then(|()| {
            // Two writers would each lose the other's note; without the lock they still do no harm.
            let lock = File::create(self.path.with_extension("lock"))?;
            let _ = lock.lock();
            let mut files = self.load();
            let known = files.iter().position(|entry| entry.id == *id).map(|at| files.remove(at).known);
            let mut known = known.unwrap_or_default();
            change(&mut known);
            // An older state of the same file is of no use to anyone.
            files.retain(|entry| entry.id.path != id.path);
            files.push(MemoryEntry { id: id.clone(), known });
            let surplus = files.len().saturating_sub(MOST_FILES);
            files.drain(..surplus);
            self.save(&FileContent { format: FORMAT, files })
        });
    }

    fn load(&self) -> Vec<MemoryEntry> {
        let content = fs::read(&self.path).ok();
        let content = content.and_then(|bytes| serde_json::from_slice::<FileContent>(&bytes).ok());
        content.filter(|content| content.format == FORMAT).map(|content| content.files).unwrap_or_default()
    }

    fn save(&self, content: &FileContent) -> io::Result<()> {
        let text = serde_json::to_string_pretty(content)?;
        files::write(&self.path, Existing::Replace, &mut |out| out.write_all(text.as_bytes()))
            .map_err(io::Error::other)
    }

    /// The file's checksum: remembered, or computed and then remembered.
    ///
    /// # Errors
    /// If the file cannot be read, or the work was cancelled.
    pub fn sha256_of(&self, path: &Path, progress: &dyn Progress) -> Result<String, ModelError> {
        let id = FileId::of(path);
        if let Some(sha256) = id.as_ref().and_then(|id| self.recall(id).sha256) {
            return Ok(sha256);
        }
        let sha256 = compute(path, progress)?;
        // A file that changed while it was read has another id now, and this sum is no one's.
        if let Some(id) = id.filter(|id| FileId::of(path).as_ref() == Some(id)) {
            self.remember(&id, |known| known.sha256 = Some(sha256.clone()));
        }
        Ok(sha256)
    }
}

/// Reads the whole file.
fn compute(path: &Path, progress: &dyn Progress) -> Result<String, ModelError> {
    let failed = |error| ModelError::io("read", path, error);
    let mut file = File::open(path).map_err(failed)?;
    let total = file.metadata().map_err(failed)?.len();
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        progress.update(ModelStage::Hashing, hasher.done, Some(total));
        if progress.cancelled() {
            return Err(ModelError::Interrupted);
        }
        match file.read(&mut buffer).map_err(failed)? {
            0 => return Ok(hasher.finish()),
            n => hasher.update(&buffer[..n]),
        }
    }
}

/// SHA-256 of what passes by.
#[derive(Clone, Debug, Default)]
pub(super) struct Hasher {
    inner: Sha256,
    /// Bytes so far.
    pub(super) done: u64,
}

impl Hasher {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.inner.update(bytes);
        self.done += bytes.len() as u64;
    }

    /// The sum in hexadecimal.
    pub(super) fn finish(self) -> String {
        self.inner.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests;
