//! Models in Hugging Face repositories: their addresses, the token, the checksums, and a transfer that
//! can be left and gone on with.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use ureq::http::HeaderMap;

use super::error::FetchError;
use super::http::{HttpAnswer, HttpClient, HttpTrouble, Unanswered, broke};
use super::{Fetched, Fetcher};
use crate::aside;
use crate::bounded::{self, WRITTEN};
use crate::model::describe::bytes;
use crate::model::memory::Hasher;
use crate::model::progress::{ModelStage, Progress};
use crate::model::spec::is_gguf_path;
use crate::model::store::{Staging, Store};
use crate::room;
use crate::token::printable;

/// Where Hugging Face is.
const HUB: &str = "https://huggingface.co";
/// Largest answer that a request for one byte can have.
const ONE_BYTE: &str = "bytes=0-0";

/// A file in a repository.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub(super) repo: &'a str,
    pub(super) revision: Option<&'a str>,
    /// `None` takes the only GGUF file, or the Q4_K_M one.
    pub(super) file: Option<&'a str>,
    /// Its bytes, where they are known.
    pub(super) size: Option<u64>,
}

/// What a repository says of itself.
#[derive(Deserialize)]
struct RepoAbout {
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
struct Sibling {
    rfilename: String,
}

/// What is known of a file before it arrives.
struct Metadata {
    /// For large files the checksum.
    tag: String,
    size: u64,
}

impl Request<'_> {
    pub(super) fn fetch(
        &self,
        fetcher: &Fetcher,
        store: &Store,
        staging: &Staging,
        progress: &dyn Progress,
    ) -> Result<Fetched, FetchError> {
        progress.update(ModelStage::Downloading, 0, None);
        let hub = endpoint(fetcher);
        let client = HttpClient::new(fetcher.limits, &hub, fetcher.token.clone().or_else(token));
        let name = match self.file {
            Some(file) => file.to_owned(),
            None => self.choose(&client, &hub, progress)?,
        };
        let revision = escaped(self.revision.unwrap_or("main"), false);
        let url = format!("{hub}/{}/resolve/{revision}/{}", self.repo, escaped(&name, true));
        let asked = url.clone();
        let about = client.patiently(progress, move |client| metadata(client, &asked));
        let about = about.map_err(|trouble| self.explain(trouble))?;
        let part = store.partial(&about.tag)?;
        self.check_size(about.size, &part)?;
        let promised = Some(about.tag.to_ascii_lowercase()).filter(|tag| is_sha256(tag));
        let transfer = Transfer { client, url, part: part.clone(), size: about.size };
        if let Err(error) = transfer.run(progress) {
            let error = self.explain(error);
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
        Ok(Fetched { file, size: about.size, sha256, name })
    }

    /// Refuses what is not the model, or does not fit, before it arrives.
    fn check_size(&self, size: u64, part: &Path) -> Result<(), FetchError> {
        if let Some(expected) = self.size.filter(|expected| *expected != size) {
            return FetchError::failed(format!("it has {size} bytes, expected {expected}"));
        }
        let have = std::fs::metadata(part).map_or(0, |about| about.len());
        match part.parent().and_then(room::disk) {
            Some(free) if free < size.saturating_sub(have) => FetchError::failed(format!(
                "it has {}, and {} are free on the disk",
                bytes(size),
                bytes(free)
            )),
            _ => Ok(()),
        }
    }

    /// The file that is meant where none was named.
    fn choose(&self, client: &HttpClient, hub: &str, progress: &dyn Progress) -> Result<String, FetchError> {
        let revision = escaped(self.revision.unwrap_or("main"), false);
        let url = format!("{hub}/api/models/{}/revision/{revision}", self.repo);
        let text = client.patiently(progress, move |client| client.text(&url));
        let text = text.map_err(|trouble| self.explain(trouble))?;
        let about: RepoAbout = serde_json::from_str(&text)
            .map_err(|error| FetchError::Failed(format!("an answer not understood ({error})")))?;
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

    fn explain(&self, trouble: Unanswered) -> FetchError {
        FetchError::Failed(match trouble {
            Unanswered::Because(error) => return error,
            Unanswered::Status(404) => match self.file {
                Some(file) => format!("{} has no {file}", self.repo),
                None => format!("there is no {}", self.repo),
            },
            Unanswered::Status(401 | 403) => {
                format!("{} is not open to you; accept its terms there and set HF_TOKEN", self.repo)
            }
            Unanswered::Status(status) => format!("the server answers {status}"),
        })
    }
}

/// Asks for the first byte: the answer says how many there are.
fn metadata(client: &HttpClient, url: &str) -> Result<Metadata, HttpTrouble> {
    let HttpAnswer { response, own } = client.get(url, Some(ONE_BYTE))?;
    let headers = response.headers();
    let lasting = |what: &str| HttpTrouble::Lasting(format!("an answer not understood (it names no {what})"));
    let tag = header(&own, "x-linked-etag")
        .or_else(|| header(&own, "etag"))
        .or_else(|| header(headers, "etag"))
        .ok_or_else(|| lasting("etag"))?;
    let size = match response.status().as_u16() {
        206 => header(headers, "content-range")
            .and_then(|range| range.rsplit('/').next().and_then(|size| size.parse().ok())),
        _ => header(headers, "content-length").and_then(|size| size.parse().ok()),
    };
    let tag = tag.trim_start_matches("W/").replace('"', "");
    if !tag.bytes().any(|byte| byte.is_ascii_alphanumeric()) {
        return Err(lasting("etag"));
    }
    Ok(Metadata { tag, size: size.ok_or_else(|| lasting("size"))? })
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A part of an address, with everything escaped that means something in one.
fn escaped(text: &str, is_path: bool) -> String {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (is_path && byte == b'/');
    let bytes = text.bytes();
    bytes
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn endpoint(fetcher: &Fetcher) -> String {
    let set = || std::env::var("HF_ENDPOINT").ok().filter(|hub| !hub.trim().is_empty());
    let hub = fetcher.hub.clone().or_else(set).unwrap_or_else(|| HUB.to_owned());
    hub.trim().trim_end_matches('/').to_owned()
}

/// The access token: from the environment, or where Hugging Face's own tools keep it.
fn token() -> Option<String> {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    let kept = || {
        let folder = match (set("HF_HOME"), set("XDG_CACHE_HOME")) {
            (Some(home), _) => PathBuf::from(home),
            (None, Some(cache)) => PathBuf::from(cache).join("huggingface"),
            (None, None) => directories::BaseDirs::new()?.home_dir().join(".cache/huggingface"),
        };
        let path = set("HF_TOKEN_PATH").map_or_else(|| folder.join("token"), PathBuf::from);
        crate::files::read(&path, WRITTEN).and_then(bounded::utf8).ok()
    };
    let token = set("HF_TOKEN").or_else(kept)?;
    Some(token.trim().to_owned()).filter(|token| !token.is_empty())
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
        progress.update(ModelStage::Hashing, hasher.done, Some(total));
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
#[derive(Clone)]
struct Transfer {
    client: HttpClient,
    url: String,
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
    fn run(&self, progress: &dyn Progress) -> Result<(), Unanswered> {
        let mut failures = 0;
        loop {
            let before = self.have()?;
            if before == self.size {
                return Ok(());
            }
            let Err(trouble) = self.watch(before, progress)? else { continue };
            let brought = self.have()?.saturating_sub(before);
            failures = if brought >= self.client.limits.worth { 1 } else { failures + 1 };
            self.client.pause(failures, trouble, progress)?;
        }
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
    fn watch(&self, before: u64, progress: &dyn Progress) -> Result<Result<(), HttpTrouble>, FetchError> {
        let limits = self.client.limits;
        let shared = Arc::new(Shared::default());
        shared.done.store(before, Ordering::Relaxed);
        let (transfer, theirs) = (self.clone(), Arc::clone(&shared));
        let reading = std::thread::spawn(move || aside::guarded(|| transfer.read(before, &theirs)));
        let (mut seen, mut since) = (before, Instant::now());
        while !reading.is_finished() {
            let done = shared.done.load(Ordering::Relaxed);
            progress.update(ModelStage::Downloading, done, Some(self.size));
            if progress.cancelled() {
                shared.stop.store(true, Ordering::Relaxed);
                return Err(FetchError::Interrupted);
            }
            if since.elapsed() > limits.pace {
                if done.saturating_sub(seen) < limits.pace_bytes {
                    shared.stop.store(true, Ordering::Relaxed);
                    let slow =
                        format!("{} in {} s arrive", bytes(done.saturating_sub(seen)), limits.pace.as_secs());
                    return Ok(Err(HttpTrouble::Passing(format!("the connection hangs ({slow})"), None)));
                }
                (seen, since) = (done, Instant::now());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let read = reading.join().unwrap_or_else(|_| Err(String::new()));
        Ok(read.unwrap_or_else(|reason| Err(HttpTrouble::Lasting(aside::bug(&reason)))))
    }

    fn read(&self, before: u64, shared: &Shared) -> Result<(), HttpTrouble> {
        let range = (before > 0).then(|| format!("bytes={before}-"));
        let response = self.client.get(&self.url, range.as_deref())?.response;
        let mut file = OpenOptions::new().create(true).append(true).open(&self.part)?;
        match response.status().as_u16() {
            206 if before > 0 => {
                let start = header(response.headers(), "content-range").and_then(|range| {
                    range.trim_start_matches("bytes").trim().split('-').next()?.parse::<u64>().ok()
                });
                if start.is_some_and(|start| start != before) {
                    return Err(HttpTrouble::Lasting(
                        "the server sends another part than was asked for".to_owned(),
                    ));
                }
            }
            // The whole file, whatever was asked for.
            200 => {
                file.set_len(0)?;
                file.rewind()?;
                shared.done.store(0, Ordering::Relaxed);
            }
            status => return Err(HttpTrouble::Status(status)),
        }
        self.copy(response.into_body().into_reader(), &mut file, shared)
    }

    fn copy(&self, mut from: impl Read, file: &mut File, shared: &Shared) -> Result<(), HttpTrouble> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let read = from.read(&mut buffer).map_err(|error| broke(&error))?;
            if shared.stop.load(Ordering::Relaxed) {
                return Err(HttpTrouble::Lasting("stopped".to_owned()));
            }
            if read == 0 {
                break;
            }
            file.write_all(&buffer[..read])?;
            let done = shared.done.fetch_add(read as u64, Ordering::Relaxed) + read as u64;
            if done > self.size {
                let more = "more bytes arrive than were announced";
                return Err(HttpTrouble::Lasting(more.to_owned()));
            }
        }
        match shared.done.load(Ordering::Relaxed) {
            done if done == self.size => Ok(()),
            done => {
                let early = format!("the connection ended after {done} of {} bytes", self.size);
                Err(HttpTrouble::Passing(early, None))
            }
        }
    }
}
