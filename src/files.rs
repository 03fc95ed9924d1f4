//! Files that a person names while the program runs: conversations, exports, histories.
//!
//! Owns how they are written: as a whole or not at all, private, through links, and never over another
//! file unless that is meant. Pipes and devices are written to as they are. Knows nothing of what is in
//! them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::NamedTempFile;
use thiserror::Error;

use crate::bounded::{self, Bound};

/// How the name of a file begins that is not complete yet, and how it ends.
const UNFINISHED: (&str, &str) = (".tokenscope-", ".part");
/// Links that are followed before a chain of them counts as a ring.
const LINKS: usize = 40;
/// Names proposed at once.
const PROPOSED: usize = 200;
/// How long a pipe may take nothing before it is given up.
const PATIENCE: Duration = Duration::from_secs(3);

/// What is done where there is a file already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays.
    Keep,
    /// It is replaced, once the new one is complete.
    Replace,
}

/// Why a file was not written. What was there before is as it was.
#[derive(Debug, Error)]
pub enum WriteError {
    /// There is one already.
    #[error("there is such a file already")]
    Exists,
    /// What the system says.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The file a person names: `~` and `~/…` are below the home folder.
pub fn named(text: &str) -> PathBuf {
    expand(text, std::env::home_dir())
}

/// The same for what may be a file's name or another.
pub fn from_home(text: String) -> String {
    if text.starts_with('~') { named(&text).to_string_lossy().into_owned() } else { text }
}

fn expand(text: &str, home: Option<PathBuf>) -> PathBuf {
    match (text.strip_prefix('~'), home) {
        (Some(""), Some(home)) => home,
        (Some(rest), Some(home)) if rest.starts_with('/') => home.join(rest.trim_start_matches('/')),
        _ => PathBuf::from(text),
    }
}

/// The names that a name as far as it is written could become, in order; a folder's ends with a slash. No
/// more than a person looks through, and none that a screen can't show.
pub fn complete(written: &str) -> Vec<String> {
    let (folder, start) = written.split_at(written.rfind('/').map_or(0, |at| at + 1));
    let within = named(if folder.is_empty() { "." } else { folder });
    let Ok(entries) = fs::read_dir(within) else { return Vec::new() };
    let mut found: Vec<String> = entries
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let fits = name.starts_with(start) && (start.starts_with('.') || !name.starts_with('.'));
            if !fits || name.chars().any(char::is_control) {
                return None;
            }
            let slash = if entry.path().is_dir() { "/" } else { "" };
            Some(format!("{folder}{name}{slash}"))
        })
        .collect();
    found.sort();
    found.truncate(PROPOSED);
    found
}

/// The bytes of a regular file. A pipe or a device is refused at once: it might never end, or never begin.
///
/// # Errors
/// What the system says, or which kind of file it is, or its bound.
pub fn read(path: &Path, most: Bound) -> io::Result<Vec<u8>> {
    // A pipe that nobody writes to would not even open.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let meta = file.metadata()?;
    only_file(meta.file_type())?;
    if meta.len() > most.0 {
        return Err(refused(ErrorKind::FileTooLarge, bounded::too_large(most)));
    }
    bounded::bytes(file, most)
}

/// Writes a file as a whole or not at all. A new one can be read by its owner alone; one that is replaced
/// keeps its mode.
///
/// # Errors
/// [`WriteError`], and those of `content`.
pub fn write(
    path: &Path,
    existing: Existing,
    content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> Result<(), WriteError> {
    // A link to an open pipe (`/dev/stdout`) leads to no name: the system alone can follow it.
    if let Ok(meta) = fs::metadata(path)
        && !meta.is_file()
        && !meta.is_dir()
    {
        return Ok(stream(path, meta.file_type().is_fifo(), content)?);
    }
    let path = &followed(path)?;
    match fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let file = beside(path, content)?;
            file.persist_noclobber(path).map(drop).map_err(|error| match error.error.kind() {
                ErrorKind::AlreadyExists => WriteError::Exists,
                _ => plain(error.error).into(),
            })
        }
        Err(error) => Err(error.into()),
        Ok(meta) if meta.is_dir() => Err(refused(ErrorKind::IsADirectory, "a folder, no file").into()),
        Ok(_) if existing == Existing::Keep => Err(WriteError::Exists),
        Ok(meta) => {
            // Whoever may not write the file may not replace it either.
            OpenOptions::new().write(true).open(path)?;
            let file = beside(path, content)?;
            file.as_file().set_permissions(meta.permissions())?;
            file.persist(path).map(drop).map_err(|error| plain(error.error).into())
        }
    }
}

/// Where a chain of links leads, whether or not there is something.
fn followed(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_path_buf();
    for _ in 0..LINKS {
        match fs::read_link(&path) {
            Ok(to) => path = folder_of(&path).join(to),
            Err(_) => return Ok(path),
        }
    }
    Err(refused(ErrorKind::InvalidInput, "its links go round in a ring"))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The whole content beside the place it is meant for, safely on the disk.
fn beside(
    path: &Path,
    content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<NamedTempFile> {
    let file = unfinished(path, tempfile::Builder::new())?;
    let mut out = BufWriter::new(file.as_file());
    content(&mut out)?;
    out.flush()?;
    drop(out);
    file.as_file().sync_all()?;
    Ok(file)
}

/// A file beside the place it is meant for, until it is complete. What a process that was killed left of
/// its own there is removed first: whoever writes one holds its lock, and the system lets go of a dead
/// one's.
///
/// # Errors
/// What the system says, without the name of the file, which nobody asked for.
pub fn unfinished(path: &Path, mut builder: tempfile::Builder<'_, 'static>) -> io::Result<NamedTempFile> {
    let folder = folder_of(path);
    sweep(folder);
    builder.prefix(UNFINISHED.0).suffix(UNFINISHED.1);
    loop {
        let file = builder.tempfile_in(folder).map_err(|error| match fs::metadata(folder) {
            Err(missing) if missing.kind() == ErrorKind::NotFound => {
                refused(ErrorKind::NotFound, format!("there is no folder {}", folder.display()))
            }
            _ => plain(error),
        })?;
        // A file system without locks has no sweeping either.
        if file.as_file().lock().is_err() || file.as_file().metadata()?.nlink() > 0 {
            return Ok(file);
        }
        // Another process swept it before it was locked.
    }
}

fn sweep(folder: &Path) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let bytes = name.as_encoded_bytes();
        if !bytes.starts_with(UNFINISHED.0.as_bytes()) || !bytes.ends_with(UNFINISHED.1.as_bytes()) {
            continue;
        }
        let mut options = OpenOptions::new();
        options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
        let Ok(file) = options.open(entry.path()) else { continue };
        if file.metadata().is_ok_and(|meta| meta.is_file()) && file.try_lock().is_ok() {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Writes to a pipe or a device.
fn stream(
    path: &Path,
    pipe: bool,
    content: &mut dyn FnMut(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let opened = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path);
    let file = opened.map_err(|error| match error.raw_os_error() {
        Some(libc::ENXIO) if pipe => refused(ErrorKind::BrokenPipe, "nobody reads this pipe"),
        _ => error,
    })?;
    let mut out = BufWriter::new(Patient { file });
    content(&mut out)?;
    out.flush()
}

/// A pipe or device that may need a moment, but not for ever.
struct Patient {
    file: File,
}

impl Write for Patient {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.file.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if Instant::now() >= deadline {
                        return Err(refused(ErrorKind::TimedOut, "whoever reads this pipe takes no more"));
                    }
                    std::thread::sleep(Duration::from_millis(5));
                }
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Refuses a folder, a pipe or a device; where there is nothing, opening it says so.
///
/// # Errors
/// Which kind of file it is.
pub fn regular(path: &Path) -> io::Result<()> {
    fs::metadata(path).map_or(Ok(()), |meta| only_file(meta.file_type()))
}

fn only_file(of: fs::FileType) -> io::Result<()> {
    if of.is_file() {
        return Ok(());
    }
    Err(refused(ErrorKind::InvalidInput, format!("a {}, no file", kind(of))))
}

fn kind(of: fs::FileType) -> &'static str {
    match () {
        () if of.is_dir() => "folder",
        () if of.is_fifo() => "pipe",
        () if of.is_socket() => "socket",
        () => "device",
    }
}

fn refused(kind: ErrorKind, why: impl Into<String>) -> io::Error {
    io::Error::new(kind, why.into())
}

/// The error without the name of a temporary file, which nobody asked for.
fn plain(error: io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.source()).map(ToString::to_string);
    inner.map_or_else(|| error.kind().into(), |text| io::Error::new(error.kind(), text))
}

#[cfg(test)]
mod tests;
