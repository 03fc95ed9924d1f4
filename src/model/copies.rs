//! Copies of models with their weights in a plain format, made once and kept in the cache.
//!
//! A quantized model is computed with quantized activations; a copy in F32 is not, and is the exact
//! one to score with. The catalogue names a copy for some models ([`super::choice`]). The copy is named by the source's checksum, so that it can't be another
//! model's, and stands beside a file that says what it was made from. llama.cpp writes it in a child
//! process; this module watches the file grow.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use serde_json::json;

use super::error::ModelError;
use super::gguf::Gguf;
use super::library::{Library, ModelFile};
use super::lock::Lock;
use super::progress::{ModelStage, Progress};
use super::store::Store;
use super::weights::Weights;
use crate::child::{self, ChildTrouble, Wait};
use crate::paths::Paths;
use crate::room;

/// The hidden subcommand: `tokenscope __convert SOURCE TARGET FORMAT`.
pub const SUBCOMMAND: &str = "__convert";

/// How an unfinished copy's name ends.
const PART: &str = "part";
/// Free memory and disk beyond the copy itself.
const MARGIN: u64 = 256 << 20;

/// Whoever may be asked before something large is made.
pub trait Consent {
    /// `what` in one line; `false` stops.
    fn agrees(&self, what: &str) -> bool;

    /// Whether a copy that nobody asked for is waited for.
    fn waits(&self) -> bool {
        true
    }
}

/// Takes the flag for consent, or the catalogue's word.
pub struct FlagIsConsent;

impl Consent for FlagIsConsent {
    fn agrees(&self, _: &str) -> bool {
        true
    }
}

/// The copies of this user.
pub struct Copies<'a> {
    /// Where they are kept.
    pub folder: PathBuf,
    /// What computes checksums.
    pub library: &'a Library,
    /// What converts; this program itself.
    pub executable: PathBuf,
}

impl<'a> Copies<'a> {
    /// In the cache of these folders, made by this program.
    pub fn of(paths: &Paths, library: &'a Library) -> Copies<'a> {
        let executable = std::env::current_exe().unwrap_or_default();
        Copies { folder: paths.copies(), library, executable }
    }

    fn place(&self, sum: &str, weights: Weights) -> PathBuf {
        self.folder.join(format!("{}-{}.gguf", &sum[..16], weights.name()))
    }

    /// The copy of the file with this checksum, if it is here and whole.
    pub fn made_before(&self, sum: &str, weights: Weights) -> Option<PathBuf> {
        let path = self.place(sum, weights);
        Some(path).filter(|path| path.is_file() && Gguf::read(path).is_ok())
    }

    /// Whether a copy is here of a file whose checksum is known.
    pub fn has(&self, file: &ModelFile, weights: Weights) -> bool {
        file.sha256.as_deref().is_some_and(|sum| self.made_before(sum, weights).is_some())
    }

    /// Removes every copy of the file with this checksum; those that can't be are left.
    pub fn remove(&self, sum: &str) -> Vec<PathBuf> {
        let every = [Weights::Bf16, Weights::F16, Weights::F32].map(|weights| self.place(sum, weights));
        every
            .into_iter()
            .filter(|path| {
                let _ = fs::remove_file(path.with_extension("json"));
                fs::remove_file(path).is_ok()
            })
            .collect()
    }

    /// A copy that nobody asked for: never asked about, and where it can't be had, `progress` gets one
    /// line and the answer is `None`.
    ///
    /// # Errors
    /// [`ModelError::Interrupted`] alone.
    pub fn try_obtain(
        &self,
        file: &ModelFile,
        weights: Weights,
        progress: &dyn Progress,
    ) -> Result<Option<PathBuf>, ModelError> {
        match self.obtain(file, weights, &FlagIsConsent, progress) {
            Ok(path) => Ok(Some(path)),
            Err(ModelError::Interrupted) => Err(ModelError::Interrupted),
            Err(error) => {
                progress.warn(&Copies::without(&file.name, weights, &error));
                Ok(None)
            }
        }
    }

    /// One line about a copy that can't be had.
    pub fn without(name: &str, weights: Weights, error: &ModelError) -> String {
        format!("no {} copy of {name} ({error}): it is computed as its file is", weights.name())
    }

    /// The file with its weights in a format: itself, a copy made earlier, or a new one.
    ///
    /// # Errors
    /// [`ModelError`]; nothing half-made is left.
    pub fn obtain(
        &self,
        file: &ModelFile,
        weights: Weights,
        consent: &dyn Consent,
        progress: &dyn Progress,
    ) -> Result<PathBuf, ModelError> {
        let Some(kind) = weights.tensor_type() else { return Ok(file.path.clone()) };
        let gguf = Gguf::read(&file.path)?;
        let matrices = || gguf.tensors().iter().filter(|tensor| tensor.shape[1] > 1);
        if matrices().all(|tensor| tensor.kind.name == kind) {
            return Ok(file.path.clone());
        }
        let sum = self.library.sha256_of(&file.path, progress)?;
        if let Some(copy) = self.made_before(&sum, weights) {
            return Ok(copy);
        }
        let copy =
            CopyJob { file, weights, target: self.place(&sum, weights), size: expected_size(&gguf, weights) };
        fs::create_dir_all(&self.folder).map_err(|error| ModelError::io("make", &self.folder, error))?;
        self.check_room(&copy)?;
        let question = format!(
            "{} {kind} copy of {} ({}) is made once in {}",
            if kind == "F32" || kind == "F16" { "an" } else { "a" },
            file.name,
            super::describe::bytes(copy.size),
            self.folder.display()
        );
        if !consent.agrees(&question) {
            return Err(ModelError::Interrupted);
        }
        let lock = Lock::wait(&self.folder, progress)?;
        // Another process may have made it while this one waited.
        if copy.target.is_file() && Gguf::read(&copy.target).is_ok() {
            return Ok(copy.target);
        }
        sweep(&self.folder, &lock);
        self.check_room(&copy)?;
        self.make(&copy, progress)?;
        copy.note_origin(&sum);
        Ok(copy.target)
    }

    fn check_room(&self, &CopyJob { size, file, .. }: &CopyJob) -> Result<(), ModelError> {
        let need = || format!("{} for the copy of {}", super::describe::bytes(size + MARGIN), file.name);
        if room::disk(&self.folder).is_some_and(|free| free < size + MARGIN) {
            return Err(ModelError::DiskFull { path: self.folder.clone(), need: need() });
        }
        match room::memory() {
            Some(free) if free < size + MARGIN => {
                Err(ModelError::NoMemory { need: need(), free: super::describe::bytes(free) })
            }
            _ => Ok(()),
        }
    }

    fn make(&self, copy: &CopyJob, progress: &dyn Progress) -> Result<(), ModelError> {
        let CopyJob { file, weights, ref target, size } = *copy;
        let unfinished = Unfinished(target.with_extension(format!("{}.{PART}", std::process::id())));
        let mut command = Command::new(&self.executable);
        command.arg(SUBCOMMAND).args([&file.path, &unfinished.0]).arg(weights.name());
        let look = &mut || {
            let written = fs::metadata(&unfinished.0).map_or(0, |meta| meta.len());
            progress.update(ModelStage::Converting, written.min(size), Some(size));
            if progress.cancelled() { Err(ModelError::Interrupted) } else { Ok(()) }
        };
        let wait = Wait { pulse: Duration::from_millis(50), patience: Duration::MAX, look };
        let report = child::run(&mut command, Vec::new(), wait).map_err(|trouble| match trouble {
            ChildTrouble::Start(error) => ModelError::io("start", &self.executable, error),
            ChildTrouble::Stopped(error) => error,
        })?;
        let made = report.status.is_some_and(|status| status.success());
        if !made || Gguf::read(&unfinished.0).is_err() {
            return Err(self.reason(copy, &report.log));
        }
        let whole = fs::File::open(&unfinished.0).and_then(|copy| copy.sync_all());
        whole
            .and_then(|()| fs::rename(&unfinished.0, target))
            .map_err(|error| ModelError::io("put in place", target, error))
    }

    /// Why the child failed: a full disk if there is no room, else what its log says last.
    fn reason(&self, &CopyJob { file, size, .. }: &CopyJob, log: &str) -> ModelError {
        if room::disk(&self.folder).is_some_and(|free| free < MARGIN / 16) {
            let need = super::describe::bytes(size);
            return ModelError::DiskFull { path: self.folder.clone(), need };
        }
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no reason was given");
        ModelError::Refused {
            path: file.path.clone(),
            what: crate::token::printable(last.trim().trim_start_matches(crate::fatal::NAME)),
        }
    }
}

/// A copy that is to be made.
struct CopyJob<'a> {
    file: &'a ModelFile,
    weights: Weights,
    target: PathBuf,
    /// Bytes it will have.
    size: u64,
}

impl CopyJob<'_> {
    /// What the copy was made from, for people and for `models list`. A copy works without it.
    fn note_origin(&self, sum: &str) {
        let CopyJob { file, weights, target, .. } = self;
        let origin = json!({
            "model": file.name,
            "source": file.path,
            "source_sha256": sum,
            "weights": weights.name(),
            "made_by": format!("tokenscope {}", env!("CARGO_PKG_VERSION")),
        });
        let _ = fs::write(target.with_extension("json"), format!("{origin:#}\n"));
    }
}

/// A file that is removed unless it was renamed.
struct Unfinished(PathBuf);

impl Drop for Unfinished {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Unfinished copies in the folder. While it is locked, they are nobody's.
fn remains(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == PART))
}

fn sweep(folder: &Path, _lock: &Lock) {
    for path in remains(folder) {
        let _ = fs::remove_file(path);
    }
}

/// Removes what processes that were killed while they fetched or converted models left behind, unless
/// somebody is at it at the moment. Cheap where there is nothing.
pub fn tidy(paths: &Paths) {
    Store::at(paths.models()).tidy();
    let folder = &paths.copies();
    if remains(folder).next().is_some()
        && let Some(lock) = Lock::now(folder)
    {
        sweep(folder, &lock);
    }
}

/// Matrices in the format, everything else in F32, the header as it is.
fn expected_size(gguf: &Gguf, weights: Weights) -> u64 {
    let tensors = gguf.tensors().iter().map(|tensor| {
        let bytes = if tensor.shape[1] > 1 { weights.bytes() } else { 4 };
        tensor.elements() * bytes
    });
    gguf.data_start + tensors.sum::<u64>()
}

/// The child's side: `convert` does the work.
pub fn run_child<E: std::fmt::Display>(
    mut args: impl Iterator<Item = std::ffi::OsString>,
    convert: impl FnOnce(&Path, &Path, Weights) -> Result<(), E>,
) -> ExitCode {
    child::end_with_parent();
    let source = args.next().map(PathBuf::from).unwrap_or_default();
    let target = args.next().map(PathBuf::from).unwrap_or_default();
    let weights = args.next().and_then(|name| Weights::named(&name.to_string_lossy())).unwrap_or_default();
    match convert(&source, &target, weights) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(3)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unfinished_file_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.part");
        fs::write(&path, "half").unwrap();
        drop(Unfinished(path.clone()));
        assert!(!path.exists());
    }
}
