//! One writer at a time in a folder that several processes use.
//!
//! The system gives the lock back when its holder dies, however it dies. Whoever holds it may therefore
//! remove what others left unfinished.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::error::ModelError;
use super::progress::{ModelStage, Progress};

/// The file in the folder that is locked.
const NAME: &str = ".lock";
/// Time between two looks at a lock that somebody holds.
const PULSE: Duration = Duration::from_millis(100);

/// Nobody else writes in the folder while this lives.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Makes the folder and waits until nobody else writes in it.
    ///
    /// # Errors
    /// If the folder can't be locked, or the person does not want to wait.
    pub(super) fn wait(folder: &Path, progress: &dyn Progress) -> Result<Lock, ModelError> {
        fs::create_dir_all(folder).map_err(|error| ModelError::io("make the folder", folder, error))?;
        let path = folder.join(NAME);
        let failed = |error| ModelError::io("lock", &path, error);
        let file = File::create(&path).map_err(failed)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Lock { _file: file }),
                Err(TryLockError::WouldBlock) => {
                    progress.update(ModelStage::Waiting, 0, None);
                    if progress.cancelled() {
                        return Err(ModelError::Interrupted);
                    }
                    std::thread::sleep(PULSE);
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }

    /// The lock, if nobody holds it.
    pub(super) fn now(folder: &Path) -> Option<Lock> {
        let file = File::create(folder.join(NAME)).ok()?;
        file.try_lock().ok()?;
        Some(Lock { _file: file })
    }
}
