//! Models in Hugging Face repositories. `hf-hub` knows the addresses, the token and the checksums;
//! the transfer itself is ours, because it must be cancellable and resumable.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hf_hub::api::sync::{Api, ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};
use ureq::Agent;
use ureq::config::RedirectAuthHeaders;

use super::{FetchError, Fetched, Fetcher};
use crate::model::memory::Hasher;
use crate::model::progress::{Progress, Stage};
use crate::model::spec::is_gguf_path;
use crate::model::store::{Staging, Store};
use crate::token::printable;

/// A connection on which nothing arrives for this long is given up.
const STALLED: Duration = Duration::from_secs(60);
/// Transfers that break are resumed this often, as long as each brings something.
const MOST_TRANSFERS: usize = 20;

/// A file in a repository.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) repo: &'a str,
    pub(super) revision: Option<&'a str>,
    /// `None` takes the only GGUF file, or the Q4_K_M one.
    pub(super) file: Option<&'a str>,
}

impl Request<'_> {
    pub(super) fn fetch(
        &self,
        fetcher: &Fetcher,
        store: &Store,
        staging: &Staging,
        progress: &dyn Progress,
    ) -> Result<Fetched, FetchError> {
        progress.update(Stage::Downloading, 0, None);
        let token = token();
        let api = api(fetcher, token.clone())?;
        let repo = self.repository(&api);
        let name = match self.file {
            Some(file) => file.to_owned(),
            None => self.choose(&repo)?,
        };
        let url = repo.url(&name);
        let about = api.metadata(&url).map_err(|error| self.explain(&error))?;
        // For large files the entity tag is the checksum.
        let promised = Some(about.etag().to_ascii_lowercase()).filter(|tag| is_sha256(tag));
        let part = store.partial(about.etag())?;
        let transfer = Transfer { url, token, part: part.clone(), size: about.size() as u64 };
        if let Err(error) = transfer.run(progress) {
            if matches!(error, FetchError::DiskFull) {
                let _ = std::fs::remove_file(&part);
            }
            return Err(error);
        }
        let sha256 = sum(&part, progress)?;
        if promised.is_some_and(|promised| promised != sha256) {
            // Resuming would only bring the same damage again.
            let _ = std::fs::remove_file(&part);
            return FetchError::failed("what arrived has another checksum than the repository names");
        }
        let file = staging.path().join("model.gguf");
        std::fs::rename(&part, &file)?;
        Ok(Fetched { file, size: transfer.size, sha256, name })
    }

    fn repository(&self, api: &Api) -> ApiRepo {
        let repo = self.repo.to_owned();
        api.repo(match self.revision {
            Some(revision) => Repo::with_revision(repo, RepoType::Model, revision.to_owned()),
            None => Repo::new(repo, RepoType::Model),
        })
    }

    /// The file that is meant where none was named.
    fn choose(&self, repo: &ApiRepo) -> Result<String, FetchError> {
        let about = repo.info().map_err(|error| self.explain(&error))?;
        let mut names: Vec<String> = about.siblings.into_iter().map(|sibling| sibling.rfilename).collect();
        // The names become names of files here.
        names.retain(|name| is_gguf_path(name));
        let q4_k_m = names.iter().position(|name| name.to_ascii_uppercase().contains("Q4_K_M"));
        match (names.len(), q4_k_m) {
            (0, _) => FetchError::failed(format!("{} holds no .gguf file", self.repo)),
            (1, _) => Ok(names.swap_remove(0)),
            (_, Some(index)) => Ok(names.swap_remove(index)),
            _ => {
                let some: Vec<String> = names.iter().take(10).map(|name| printable(name)).collect();
                FetchError::failed(format!(
                    "{} holds several files, name one: {}",
                    self.repo,
                    some.join(", ")
                ))
            }
        }
    }

    fn explain(&self, error: &ApiError) -> FetchError {
        FetchError::Failed(match error {
            ApiError::RequestError(error) => match **error {
                ureq::Error::StatusCode(404) => match self.file {
                    Some(file) => format!("{} has no {file}", self.repo),
                    None => format!("there is no {}", self.repo),
                },
                ureq::Error::StatusCode(401 | 403) => {
                    format!("{} is not open to you; accept its terms there and set HF_TOKEN", self.repo)
                }
                ref error => connection(error),
            },
            other => printable(&format!("an answer not understood ({other})")),
        })
    }
}

fn connection(error: &ureq::Error) -> String {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Io(_) | ureq::Error::Timeout(_) => format!("no connection ({error})"),
        other => printable(&other.to_string()),
    }
}

fn api(fetcher: &Fetcher, token: Option<String>) -> Result<Api, FetchError> {
    let mut builder = ApiBuilder::from_env().with_token(token).with_progress(false);
    if let Some(endpoint) = &fetcher.hub {
        builder = builder.with_endpoint(endpoint.clone());
    }
    builder.build().map_err(|error| FetchError::Failed(printable(&error.to_string())))
}

/// The access token: from the environment, or where Hugging Face's own tools keep it.
fn token() -> Option<String> {
    let token = std::env::var("HF_TOKEN").ok().filter(|token| !token.trim().is_empty());
    token.map(|token| token.trim().to_owned()).or_else(|| Cache::from_env().token())
}

fn is_sha256(tag: &str) -> bool {
    tag.len() == 64 && tag.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn sum(path: &Path, progress: &dyn Progress) -> Result<String, FetchError> {
    let mut file = File::open(path)?;
    let total = file.metadata()?.len();
    let mut hasher = Hasher::default();
    let mut buffer = vec![0; 1 << 20];
    loop {
        progress.update(Stage::Hashing, hasher.done, Some(total));
        if progress.cancelled() {
            return Err(FetchError::Interrupted);
        }
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(&buffer[..read]),
        }
    }
}

/// Brings an address's bytes into a file, going on where an earlier run stopped.
#[derive(Clone, Debug)]
struct Transfer {
    url: String,
    token: Option<String>,
    part: PathBuf,
    size: u64,
}

/// What the watching thread and the reading thread share.
#[derive(Debug, Default)]
struct Shared {
    done: AtomicU64,
    stop: AtomicBool,
}

impl Transfer {
    fn run(&self, progress: &dyn Progress) -> Result<(), FetchError> {
        let mut last = FetchError::Failed("nothing arrived".to_owned());
        for _ in 0..MOST_TRANSFERS {
            let before = self.have()?;
            if before == self.size {
                return Ok(());
            }
            match self.watch(before, progress) {
                Ok(()) => {}
                Err(FetchError::Failed(reason)) => last = FetchError::Failed(reason),
                Err(error) => return Err(error),
            }
            if self.have()? <= before {
                return Err(last);
            }
        }
        Err(last)
    }

    /// Bytes that are here. A file that is too long is of no use.
    fn have(&self) -> Result<u64, FetchError> {
        match std::fs::metadata(&self.part) {
            Ok(about) if about.len() <= self.size => Ok(about.len()),
            Ok(_) => {
                std::fs::remove_file(&self.part)?;
                Ok(0)
            }
            Err(_) => Ok(0),
        }
    }

    /// Reads on a thread of its own: a read that hangs must not keep anybody from leaving.
    fn watch(&self, before: u64, progress: &dyn Progress) -> Result<(), FetchError> {
        let shared = Arc::new(Shared::default());
        shared.done.store(before, Ordering::Relaxed);
        let (transfer, theirs) = (self.clone(), Arc::clone(&shared));
        let reading = std::thread::spawn(move || transfer.read(before, &theirs));
        let (mut seen, mut since) = (before, Instant::now());
        while !reading.is_finished() {
            let done = shared.done.load(Ordering::Relaxed);
            if done != seen {
                (seen, since) = (done, Instant::now());
            }
            progress.update(Stage::Downloading, done, Some(self.size));
            let cancelled = progress.cancelled();
            if cancelled || since.elapsed() > STALLED {
                shared.stop.store(true, Ordering::Relaxed);
                return match cancelled {
                    true => Err(FetchError::Interrupted),
                    false => FetchError::failed("the connection hangs"),
                };
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        reading.join().unwrap_or_else(|_| FetchError::failed("the transfer failed"))
    }

    fn read(&self, before: u64, shared: &Shared) -> Result<(), FetchError> {
        let agent: Agent = Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_recv_response(Some(STALLED))
            // The token is for the repository, not for the storage it sends us to.
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .http_status_as_error(false)
            .build()
            .into();
        let mut request = agent.get(&self.url);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if before > 0 {
            request = request.header("Range", format!("bytes={before}-"));
        }
        let response = request.call().map_err(|error| FetchError::Failed(connection(&error)))?;
        let mut file = OpenOptions::new().create(true).append(true).open(&self.part)?;
        match response.status().as_u16() {
            206 if before > 0 => {}
            // The whole file, whatever was asked for.
            200 => {
                file.set_len(0)?;
                file.rewind()?;
                shared.done.store(0, Ordering::Relaxed);
            }
            status => return FetchError::failed(format!("the server answers {status}")),
        }
        self.copy(response.into_body().into_reader(), &mut file, shared)
    }

    fn copy(&self, mut from: impl Read, file: &mut File, shared: &Shared) -> Result<(), FetchError> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = from
                .read(&mut buffer)
                .map_err(|error| FetchError::Failed(format!("the connection broke ({error})")))?;
            if shared.stop.load(Ordering::Relaxed) {
                return Err(FetchError::Interrupted);
            }
            if read == 0 {
                break;
            }
            file.write_all(&buffer[..read])?;
            let done = shared.done.fetch_add(read as u64, Ordering::Relaxed) + read as u64;
            if done > self.size {
                return FetchError::failed("more bytes arrive than were announced");
            }
        }
        match shared.done.load(Ordering::Relaxed) {
            done if done == self.size => Ok(()),
            done => FetchError::failed(format!("the connection ended after {done} of {} bytes", self.size)),
        }
    }
}
