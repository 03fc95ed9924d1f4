//! Where a report goes: standard output, a file that grows, or a file that appears when it is whole.
//!
//! All of them are opened before a model is loaded, and none touches what is there before it has
//! something to say.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, IsTerminal, Read, Seek, SeekFrom, Stdout, Write};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use crate::files;

/// How a row of JSON Lines begins: what is left of one that a run could not finish is no row.
pub const ROW: &str = r#"{"type":""#;

/// A place for a report.
pub enum ReportOutput {
    /// Standard output.
    Screen(BufWriter<Stdout>),
    /// A file that grows while the run goes on, so that a run that dies has lost nothing.
    Growing(Growing),
    /// A file that replaces the one at the path when the report is complete. `None` once it has.
    Whole(Option<(BufWriter<File>, TempPath)>, PathBuf),
    /// Anything else: a device or a pipe that has a path, or memory.
    Plain(Box<dyn Write>),
}

/// A file that grows behind what stands in it, which goes when all is written: neither a full disk nor a
/// run that dies loses what was there.
pub struct Growing {
    file: File,
    path: PathBuf,
    /// Whether there was none before.
    created: bool,
    /// From which byte on it is this report, once something was written.
    from: Option<u64>,
}

impl ReportOutput {
    /// Standard output.
    pub fn screen() -> ReportOutput {
        ReportOutput::Screen(BufWriter::new(io::stdout()))
    }

    /// A file that grows.
    ///
    /// # Errors
    /// What keeps it from being written.
    pub fn growing(path: &Path) -> io::Result<ReportOutput> {
        let created = !path.exists();
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(path)?;
        if !file.metadata()?.is_file() {
            return Ok(ReportOutput::Plain(Box::new(file)));
        }
        Ok(ReportOutput::Growing(Growing { file, path: path.to_path_buf(), created, from: None }))
    }

    /// A file that appears when it is whole. A link stays a link; what is no regular file (`/dev/null`,
    /// a named pipe) is written to and never replaced.
    ///
    /// # Errors
    /// What keeps it from being written.
    pub fn whole(path: &Path) -> io::Result<ReportOutput> {
        let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
        let (file, place) = match OpenOptions::new().write(true).open(&path) {
            Ok(there) => {
                let metadata = there.metadata()?;
                if !metadata.is_file() {
                    return Ok(ReportOutput::Plain(Box::new(there)));
                }
                beside(&path, &metadata)?
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut builder = tempfile::Builder::new();
                readable(&mut builder);
                files::unfinished(&path, builder)?.into_parts()
            }
            Err(error) => return Err(error),
        };
        Ok(ReportOutput::Whole(Some((BufWriter::new(file), place)), path))
    }

    /// What stood in a file that grows before anything was written to it.
    ///
    /// # Errors
    /// What keeps it from being read.
    pub fn before(&self) -> io::Result<Vec<u8>> {
        let ReportOutput::Growing(growing) = self else { return Ok(Vec::new()) };
        let mut before = Vec::new();
        File::open(&growing.path)?.take(growing.from.unwrap_or(u64::MAX)).read_to_end(&mut before)?;
        Ok(before)
    }

    /// Whether a terminal reads it, which would act on control characters.
    pub fn is_terminal(&self) -> bool {
        matches!(self, ReportOutput::Screen(_)) && io::stdout().is_terminal()
    }

    /// The report is complete: a file that is to appear does so.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn keep(&mut self) -> io::Result<()> {
        match self {
            ReportOutput::Whole(file, path) => {
                let Some((file, place)) = file.take() else { return Ok(()) };
                // Its lock is held until it has its name.
                let _file = file.into_inner().map_err(|error| named(path, error.into_error()))?;
                place.persist(&*path).map_err(|error| named(path, error.error))
            }
            ReportOutput::Growing(growing) => growing.keep().map_err(|error| named(&growing.path, error)),
            _ => self.flush(),
        }
    }
}

/// As any other new file: readable for whom the user's mask lets read.
#[cfg(unix)]
fn readable(builder: &mut tempfile::Builder) {
    use std::os::unix::fs::PermissionsExt;
    builder.permissions(fs::Permissions::from_mode(0o666));
}

#[cfg(not(unix))]
fn readable(_: &mut tempfile::Builder) {}

/// The error with the file it is about.
fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// A file that replaces the one at a path, with its permissions.
fn beside(path: &Path, metadata: &fs::Metadata) -> io::Result<(File, TempPath)> {
    let mut builder = tempfile::Builder::new();
    builder.permissions(metadata.permissions());
    Ok(files::unfinished(path, builder)?.into_parts())
}

impl Growing {
    /// Goes to the end of what is there, behind a line break; returns where that is.
    fn begin(&mut self) -> io::Result<u64> {
        if let Some(from) = self.from {
            return Ok(from);
        }
        let mut from = self.file.seek(SeekFrom::End(0))?;
        if from > 0 && !self.created {
            let there = fs::read(&self.path)?;
            let last = there.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            let (tail, row) = (&there[last..], ROW.as_bytes());
            if !tail.is_empty() && (tail.starts_with(row) || row.starts_with(tail)) {
                // A row that was being written when a run died.
                from = last as u64;
                self.file.set_len(from)?;
                self.file.seek(SeekFrom::End(0))?;
            } else if last < there.len() {
                self.file.write_all(b"\n")?;
                from += 1;
            }
        }
        self.from = Some(from);
        Ok(from)
    }

    /// Takes what stood there before away, by putting the rest in the file's place.
    fn keep(&mut self) -> io::Result<()> {
        match self.from {
            // Nothing came of it that could replace anything.
            None if !self.created => return Ok(()),
            None | Some(0) => return self.begin().map(|_| ()),
            Some(_) => {}
        }
        let place = fs::canonicalize(&self.path)?;
        let (mut file, temporary) = beside(&place, &self.file.metadata()?)?;
        let mut whole = File::open(&place)?;
        whole.seek(SeekFrom::Start(self.begin()?))?;
        io::copy(&mut whole, &mut file)?;
        temporary.persist(&place).map_err(|error| error.error)?;
        (self.file, self.from) = (file, Some(0));
        Ok(())
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        if self.created && self.from.is_none() {
            // Nothing came of it; an empty file would look like results.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Write for ReportOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            ReportOutput::Screen(out) => out.write(bytes),
            ReportOutput::Growing(growing) => {
                let written = growing.begin().and_then(|_| growing.file.write(bytes));
                written.map_err(|error| named(&growing.path, error))
            }
            ReportOutput::Whole(Some((file, _)), path) => {
                file.write(bytes).map_err(|error| named(path, error))
            }
            ReportOutput::Whole(None, _) => Err(io::Error::other("the report is already complete")),
            ReportOutput::Plain(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            ReportOutput::Screen(out) => out.flush(),
            ReportOutput::Growing(growing) => growing.file.flush(),
            ReportOutput::Whole(Some((file, _)), path) => file.flush().map_err(|error| named(path, error)),
            ReportOutput::Whole(None, _) => Ok(()),
            ReportOutput::Plain(out) => out.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_whole_file_appears_at_its_end_and_not_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.html");
        fs::write(&path, "old").unwrap();
        let mut out = ReportOutput::whole(&path).unwrap();
        out.write_all(b"new").unwrap();
        out.flush().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        out.keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        out.keep().unwrap();
        assert!(out.write_all(b"more").is_err());
        // One that is given up leaves nothing.
        ReportOutput::whole(&path).unwrap().write_all(b"half").unwrap();
        assert_eq!(
            (fs::read(&path).unwrap(), names(folder.path())),
            (b"new".to_vec(), vec!["r.html".into()])
        );
    }

    #[test]
    fn a_growing_file_keeps_what_is_there_until_it_has_something_to_say() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.jsonl");
        drop(ReportOutput::growing(&path).unwrap());
        assert!(!path.exists());
        fs::write(&path, "from an earlier run").unwrap();
        drop(ReportOutput::growing(&path).unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"from an earlier run");
        let mut out = ReportOutput::growing(&path).unwrap();
        out.write_all(b"a").unwrap();
        // Until it is complete, both are there.
        assert_eq!(fs::read(&path).unwrap(), b"from an earlier run\na");
        out.write_all(b"b").unwrap();
        out.keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"ab");
        assert_eq!(names(folder.path()), ["r.jsonl"]);
        // A row that a run could not finish is no row.
        fs::write(&path, "{\"type\":\"item\"}\n{\"type\":\"it").unwrap();
        let mut out = ReportOutput::growing(&path).unwrap();
        out.write_all(b"c").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{\"type\":\"item\"}\nc");
        assert_eq!(out.before().unwrap(), b"{\"type\":\"item\"}\n");
        // One of which nothing comes changes nothing.
        drop(out);
        ReportOutput::growing(&path).unwrap().keep().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"{\"type\":\"item\"}\nc");
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_links_and_devices_are_not_replaced() {
        use std::os::unix::fs::{FileTypeExt, PermissionsExt};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut out = ReportOutput::whole(&link).unwrap();
        out.write_all(b"new").unwrap();
        out.keep().unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        let null = Path::new("/dev/null");
        for mut out in [ReportOutput::whole(null).unwrap(), ReportOutput::growing(null).unwrap()] {
            out.write_all(b"x").unwrap();
            out.keep().unwrap();
        }
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_error_names_the_report_and_not_the_file_that_stood_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r.html");
        // It can no more be written than one on a full disk.
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut out = ReportOutput::whole(&path).unwrap();
        let ReportOutput::Whole(Some((file, _)), _) = &mut out else { panic!("no whole file") };
        *file = BufWriter::new(full);
        out.write_all(b"half").unwrap();
        let said = out.keep().unwrap_err().to_string();
        assert!(names(folder.path()).is_empty());
        assert_eq!(said, format!("{}: No space left on device (os error 28)", path.display()));
    }

    #[test]
    fn a_folder_is_no_place_for_a_report() {
        let folder = tempfile::tempdir().unwrap();
        assert!(ReportOutput::whole(folder.path()).is_err() && ReportOutput::growing(folder.path()).is_err());
        let nowhere = folder.path().join("no/where");
        assert!(ReportOutput::whole(&nowhere).is_err() && ReportOutput::growing(&nowhere).is_err());
    }
}
