//! The models of this user: what is here, what is fetched, what is whole.

use std::path::{Path, PathBuf};

use super::describe::ModelSummary;
use super::error::ModelError;
use super::fetch::{self, Fetcher};
use super::gguf::Gguf;
use super::memory::{FileId, Memory};
use super::progress::Progress;
use super::spec::{ALIASES, Alias, Spec};
use super::store::{self, Store, StoredModel};
use super::{check, describe};
use crate::paths::Paths;

/// What a model is wanted for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Evaluating it.
    #[default]
    Run,
    /// Its vocabulary alone: a file without weights will do.
    Tokenize,
}

/// A file that can be loaded.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// The name people know it by.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its checksum, where it is already known; [`Library::sha256_of`] computes it otherwise.
    pub sha256: Option<String>,
    /// What it is.
    pub summary: ModelSummary,
    /// The sampling that it recommends, unchecked; see [`About`].
    pub sampling: Vec<(String, String)>,
    /// Its entry in the catalogue, which its checksum decides and not its name or place.
    pub entry: Option<&'static Alias>,
    /// Whether it was fetched just now.
    pub fresh: bool,
}

/// A model that is in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// The file.
    pub path: PathBuf,
    /// Whether it was fetched just now.
    pub fresh: bool,
}

/// The models of this user.
#[derive(Clone, Debug)]
pub struct Library {
    store: Store,
    memory: Memory,
    fetcher: Fetcher,
    /// What tries unknown files; `None` tries none.
    executable: Option<PathBuf>,
}

impl Library {
    /// The current user's.
    ///
    /// # Errors
    /// If there is nowhere to keep them.
    pub fn open() -> Result<Library, ModelError> {
        Ok(Self::at(&Paths::from_env()?, std::env::current_exe().ok()))
    }

    /// In these folders, trying unknown files with this executable.
    pub fn at(paths: &Paths, executable: Option<PathBuf>) -> Library {
        Library {
            store: Store::at(paths.models()),
            memory: Memory::at(paths.memory_file()),
            fetcher: Fetcher::default(),
            executable,
        }
    }

    /// The same, fetching in another way.
    pub fn with_fetcher(self, fetcher: Fetcher) -> Library {
        Library { fetcher, ..self }
    }

    /// The folder of fetched models.
    pub fn folder(&self) -> &Path {
        self.store.root()
    }

    /// Every fetched model.
    pub fn stored(&self) -> Vec<StoredModel> {
        self.store.list()
    }

    /// Where a fetched model is; `None` if it is not here, or not ours.
    pub fn stored_path(&self, spec: &Spec) -> Option<PathBuf> {
        self.store.place_of(spec).filter(|path| path.is_file())
    }

    /// A file's checksum, remembered or computed.
    ///
    /// # Errors
    /// If the file cannot be read, or the work was cancelled.
    pub fn sha256_of(&self, path: &Path, progress: &dyn Progress) -> Result<String, ModelError> {
        self.memory.sha256_of(path, progress)
    }

    /// What is remembered of files.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Turns what people write into a file that can be used for the purpose.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn resolve(
        &self,
        spec: &str,
        purpose: Purpose,
        progress: &dyn Progress,
    ) -> Result<ModelFile, ModelError> {
        let spec = Spec::parse(spec)?;
        let Pulled { path, fresh } = self.locate(&spec, progress)?;
        let gguf = Gguf::read(&path)?;
        let entry = self.entry_of(&path, gguf.size, progress)?;
        match (purpose, entry) {
            // What everybody has loaded before needs no look at every token.
            (_, Some(_)) => {}
            (Purpose::Run, None) => gguf.check_runnable()?,
            (Purpose::Tokenize, None) => drop(gguf.check_vocabulary()?),
        }
        let known = || FileId::of(&path).and_then(|id| self.memory.recall(&id).sha256);
        let sha256 = entry.map(|entry| entry.sha256.to_owned()).or_else(known);
        // What everybody has loaded before needs no trial.
        if let Some(executable) = self.executable.as_ref().filter(|_| entry.is_none()) {
            check::verify_in_child(&gguf, executable, &self.memory, progress)?;
        }
        progress.finish();
        let name = spec.name();
        let mut summary = ModelSummary::of(&gguf, &name);
        summary.sha256.clone_from(&sha256);
        Ok(ModelFile { name, path, sha256, summary, sampling: gguf.sampling(), entry, fresh })
    }

    /// A file's entry in the catalogue. Its checksum decides, which need not be computed of a file that
    /// has the size of no entry.
    ///
    /// # Errors
    /// If the file cannot be read, or the work was cancelled.
    pub fn entry_of(
        &self,
        path: &Path,
        size: u64,
        progress: &dyn Progress,
    ) -> Result<Option<&'static Alias>, ModelError> {
        if ALIASES.iter().all(|alias| alias.size != size) {
            return Ok(None);
        }
        Ok(Alias::of_sum(&self.sha256_of(path, progress)?))
    }

    /// The entry of a file whose checksum is remembered.
    pub fn known_entry(&self, path: &Path) -> Option<&'static Alias> {
        Alias::of_sum(&self.memory.recall(&FileId::of(path)?).sha256?)
    }

    /// The file that is meant, fetched if it is not here. A fetched file that has changed since is an
    /// error.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn locate(&self, spec: &Spec, progress: &dyn Progress) -> Result<Pulled, ModelError> {
        let found = |path| Ok(Pulled { path, fresh: false });
        if let Spec::Path(path) = spec {
            return found(path.clone());
        }
        let Some(path) = self.stored_path(spec) else {
            progress.agrees(&not_here(spec))?;
            progress.note(&format!("{} is not here yet: fetching it", spec.name()));
            return self.pull(spec, progress);
        };
        match self.damage(spec, &path, progress)? {
            None => found(path),
            Some(what) => Err(ModelError::Damaged { path, name: spec.name(), what }),
        }
    }

    /// What would have to be fetched before a model can be used; `None` if it is here, or is a file.
    ///
    /// # Errors
    /// If the text names no model.
    pub fn missing(&self, spec: &str) -> Result<Option<String>, ModelError> {
        let spec = Spec::parse(spec)?;
        let here = matches!(spec, Spec::Path(_)) || self.stored_path(&spec).is_some();
        Ok((!here).then(|| not_here(&spec)))
    }

    /// How a fetched file differs from what was fetched.
    fn damage(
        &self,
        spec: &Spec,
        path: &Path,
        progress: &dyn Progress,
    ) -> Result<Option<String>, ModelError> {
        let size = std::fs::metadata(path).map_err(|error| ModelError::io("look at", path, error))?.len();
        if let Spec::Alias(alias) = spec
            && size != alias.size
        {
            return Ok(Some(format!("it has {size} bytes, expected {}", alias.size)));
        }
        let Some(expected) = self.store.expected_sum(spec, path) else { return Ok(None) };
        let sum = self.memory.sha256_of(path, progress)?;
        Ok((sum != expected).then(|| "its checksum is not what was fetched".to_owned()))
    }

    /// Makes sure a model is here and whole; fetches it otherwise.
    ///
    /// # Errors
    /// [`ModelError`].
    pub fn pull(&self, spec: &Spec, progress: &dyn Progress) -> Result<Pulled, ModelError> {
        if let Spec::Path(path) = spec {
            let _ = Gguf::read(path)?;
            return Ok(Pulled { path: path.clone(), fresh: false });
        }
        if let Some(path) = self.whole(spec, progress)? {
            return Ok(Pulled { path, fresh: false });
        }
        let lock = self.store.lock(progress)?;
        // Another process may have fetched it while this one waited.
        if let Some(path) = self.whole(spec, progress)? {
            return Ok(Pulled { path, fresh: false });
        }
        if let Spec::Alias(alias) = spec {
            progress.note(alias.licence);
        }
        let (fetched, _staging) = self.fetcher.fetch(spec, &self.store, &lock, progress)?;
        let _ = Gguf::read(&fetched.file).map_err(|error| ModelError::Fetch {
            name: spec.name(),
            reasons: vec![format!("what arrived is {}", error.fault)],
        })?;
        let path =
            self.store.place_named(spec, &fetched.name).ok_or_else(|| ModelError::NotOurs(spec.name()))?;
        let placed = self.store.place(&fetched.file, &path, &fetched.sha256, &lock);
        placed.map_err(|error| match store::is_full(&error) {
            true => fetch::disk_full(spec, &self.store),
            false => ModelError::io("put in place", &path, error),
        })?;
        if let Some(id) = FileId::of(&path) {
            self.memory.remember(&id, |known| known.sha256 = Some(fetched.sha256));
        }
        Ok(Pulled { path, fresh: true })
    }

    fn whole(&self, spec: &Spec, progress: &dyn Progress) -> Result<Option<PathBuf>, ModelError> {
        match self.stored_path(spec) {
            Some(path) => Ok(self.damage(spec, &path, progress)?.is_none().then_some(path)),
            None => Ok(None),
        }
    }

    /// Removes a fetched model.
    ///
    /// # Errors
    /// [`ModelError::NotOurs`] for anything else.
    pub fn remove(&self, spec: &Spec, progress: &dyn Progress) -> Result<(), ModelError> {
        let path = self.stored_path(spec).ok_or_else(|| ModelError::NotOurs(spec.name()))?;
        let lock = self.store.lock(progress)?;
        self.store.remove(&path, &lock).map_err(|error| ModelError::io("remove", &path, error))
    }
}

/// What fetching a model takes.
fn not_here(spec: &Spec) -> String {
    let size = match spec {
        Spec::Alias(alias) => format!("{} are fetched, once", describe::bytes(alias.size)),
        _ => "it is fetched, once".to_owned(),
    };
    format!("{} is not here yet: {size}", spec.name())
}

#[cfg(test)]
mod tests;
