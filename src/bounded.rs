//! Whole files and standard input, in memory: never without a bound, so that no device, pipe or
//! mistaken name can fill it.
//!
//! Owns the bounds and the words for what is no text. Knows nothing of what is read.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::sync::Mutex;

use crate::interrupt::waiting;

/// The most that is read of one kind of input, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bound(pub u64);

/// Texts to be scored or continued, and conversations.
pub const TEXT: Bound = Bound(64 << 20);
/// Rows of data, tables, and results of earlier runs.
pub const DATA: Bound = Bound(512 << 20);
/// Suites, tasks, templates and settings.
pub const WRITTEN: Bound = Bound(16 << 20);
/// A `tokenizer.json`.
pub const TOKENIZER: Bound = Bound(256 << 20);

/// Everything a reader gives.
///
/// # Errors
/// What the system says, or [`ErrorKind::FileTooLarge`] with the bound.
pub fn bytes(reader: impl Read, most: Bound) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(most.0.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most.0 {
        return Err(io::Error::new(ErrorKind::FileTooLarge, too_large(most)));
    }
    Ok(bytes)
}

/// A file's bytes.
///
/// # Errors
/// As [`bytes`].
pub fn file(path: &Path, most: Bound) -> io::Result<Vec<u8>> {
    // Opening and reading a pipe waits for its other end.
    match std::fs::metadata(path)?.is_file() {
        true => bytes(File::open(path)?, most),
        false => waiting(|| bytes(File::open(path)?, most)),
    }
}

/// A file that people write, as text; a byte-order mark at its beginning is left out, which [`marks`] tells.
///
/// # Errors
/// As [`bytes`]; and [`ErrorKind::InvalidData`], saying what it is instead of UTF-8.
pub fn text(path: &Path, most: Bound) -> io::Result<String> {
    let bytes = file(path, most)?;
    if bytes.starts_with(MARK_BYTES)
        && let Ok(mut marked) = MARKED.lock()
    {
        marked.push(path.display().to_string());
    }
    without_mark(bytes)
}

/// Files of which a mark was left out and nobody was told yet: suites and tasks read others, so that whoever
/// has them read can't know.
static MARKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// A line for each file of which a byte-order mark was left out since this was last asked.
pub fn marks() -> Vec<String> {
    let marked = MARKED.lock().map(|mut marked| std::mem::take(&mut *marked)).unwrap_or_default();
    marked.iter().map(|path| format!("{path}: the byte-order mark at its beginning is left out")).collect()
}

/// These bytes as the text of a file that people write.
///
/// # Errors
/// As [`utf8`].
pub fn without_mark(bytes: Vec<u8>) -> io::Result<String> {
    let mut text = utf8(bytes)?;
    if text.starts_with(MARK) {
        text.drain(..MARK.len_utf8());
    }
    Ok(text)
}

/// Standard input's bytes.
///
/// # Errors
/// As [`bytes`].
pub fn stdin(most: Bound) -> io::Result<Vec<u8>> {
    waiting(|| bytes(io::stdin().lock(), most))
}

/// The byte-order mark, which some editors put before a text.
pub const MARK: char = '\u{FEFF}';

/// Its bytes.
pub const MARK_BYTES: &[u8] = "\u{FEFF}".as_bytes();

/// These bytes as text.
///
/// # Errors
/// [`ErrorKind::InvalidData`], saying what they are instead of UTF-8.
pub fn utf8(bytes: Vec<u8>) -> io::Result<String> {
    String::from_utf8(bytes).map_err(|error| {
        let reason = foreign(error.as_bytes()).unwrap_or_else(|| {
            format!("no UTF-8 text: byte {} can't stand there", error.utf8_error().valid_up_to() + 1)
        });
        io::Error::new(ErrorKind::InvalidData, reason)
    })
}

/// What bytes in another encoding are called: those that begin with its mark, or in which every other of
/// the first bytes is zero.
pub fn foreign(bytes: &[u8]) -> Option<String> {
    let zeros = |from: usize| {
        let some = bytes.iter().skip(from).step_by(2).take(8);
        bytes.len() >= 4 && some.clone().count() > 1 && some.clone().all(|&byte| byte == 0)
    };
    let letters = |from: usize| bytes.iter().skip(from).step_by(2).take(8).all(|&byte| byte != 0);
    let name = match bytes {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => "UTF-32",
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] => "UTF-16",
        _ if (zeros(1) && letters(0)) || (zeros(0) && letters(1)) => "UTF-16",
        _ => return None,
    };
    Some(format!("{name} text; save it as UTF-8"))
}

/// What is said of an input that is over its bound.
pub fn too_large(most: Bound) -> String {
    let size = match most.0 {
        bytes if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        bytes => format!("{bytes} bytes"),
    };
    format!("larger than {size}, the most that is read here")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_ends_is_refused_with_the_bound() {
        let error = bytes(io::repeat(0), Bound(3 << 20)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::FileTooLarge);
        assert_eq!(error.to_string(), "larger than 3 MiB, the most that is read here");
        assert_eq!(bytes(&b"abcd"[..], Bound(4)).unwrap(), b"abcd");
        assert_eq!(
            bytes(&b"abcde"[..], Bound(4)).unwrap_err().to_string(),
            "larger than 4 bytes, the most that is read here"
        );
        assert!(file(Path::new("/dev/zero"), Bound(1 << 16)).is_err());
    }

    #[test]
    fn what_is_no_utf8_is_named() {
        let reason = |bytes: &[u8]| utf8(bytes.to_vec()).unwrap_err().to_string();
        assert_eq!(reason(b"\xFF\xFEa\0b\0"), "UTF-16 text; save it as UTF-8");
        assert_eq!(reason(b"\xFE\xFF\0a\0b"), "UTF-16 text; save it as UTF-8");
        assert_eq!(reason(b"\xFF\xFE\0\0a\0\0\0"), "UTF-32 text; save it as UTF-8");
        assert_eq!(reason(b"ab\xE4c"), "no UTF-8 text: byte 3 can't stand there");
        assert_eq!(foreign(b"a\0b\0c\0d\0").as_deref(), Some("UTF-16 text; save it as UTF-8"));
        assert_eq!(foreign(b"\0a\0b\0c\0d").as_deref(), Some("UTF-16 text; save it as UTF-8"));
        assert_eq!(foreign(b"abcd\0"), None);
        assert_eq!(foreign(b"\0\0\0\0"), None);
        assert_eq!(foreign(b""), None);
    }

    #[test]
    fn a_byte_order_mark_is_left_out_of_what_people_write() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.toml");
        std::fs::write(&path, "\u{FEFF}a = 1").unwrap();
        assert_eq!(text(&path, WRITTEN).unwrap(), "a = 1");
        let said = format!("{}: the byte-order mark at its beginning is left out", path.display());
        assert!(marks().contains(&said) && !marks().contains(&said), "it is told once");
    }
}
