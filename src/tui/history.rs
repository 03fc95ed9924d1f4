//! Messages of earlier sessions, for the up key: one JSON string a line, each message once, the file
//! private and of bounded size. What can't be written is forgotten; a history is no reason to fail.

use std::collections::HashSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::bounded::Bound;
use crate::files::{self, Existing};

/// Messages kept.
const MESSAGES: usize = 1000;
/// A message longer than this is not kept for later sessions, in bytes.
const LONGEST: usize = 8 << 10;
/// All of them together, in bytes of the file.
const WHOLE: usize = 256 << 10;
/// A file larger than this is none of ours.
const READ: Bound = Bound(16 << 20);

/// The file, which need not exist.
pub(super) struct History {
    pub path: PathBuf,
}

impl History {
    /// The newest messages, oldest first. A file that others may read, or that an earlier version let grow,
    /// is written anew.
    pub fn messages(&self) -> Vec<String> {
        let Ok(text) = files::read(&self.path, READ) else { return Vec::new() };
        let kept = tidy(parsed(&text));
        let is_private =
            std::fs::metadata(&self.path).is_ok_and(|meta| meta.permissions().mode() & 0o077 == 0);
        if written(&kept).as_bytes() != text || !is_private {
            self.write(&kept);
        }
        kept
    }

    /// Adds a message; where it was there before, it moves to the end.
    pub fn append(&self, message: &str) {
        // Another session may have added some.
        let mut messages = self.messages();
        messages.push(message.to_string());
        self.write(&tidy(messages));
    }

    fn write(&self, messages: &[String]) {
        // Who links it to /dev/null wants none; the device's mode stays.
        if files::regular(&self.path).is_err() {
            return;
        }
        if let Some(folder) = self.path.parent() {
            let _ = std::fs::create_dir_all(folder);
        }
        let text = written(messages);
        let _ = files::write(&self.path, Existing::Replace, &mut |out| out.write_all(text.as_bytes()));
        let _ = std::fs::set_permissions(&self.path, Permissions::from_mode(0o600));
    }
}

fn parsed(text: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(text).lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// The newest that fit, each once, oldest first.
fn tidy(messages: Vec<String>) -> Vec<String> {
    let (mut seen, mut bytes) = (HashSet::new(), 0);
    let mut kept = Vec::new();
    for message in messages.into_iter().rev() {
        if message.len() > LONGEST || !seen.insert(message.clone()) {
            continue;
        }
        bytes += line(&message).len();
        if kept.len() == MESSAGES || bytes > WHOLE {
            break;
        }
        kept.push(message);
    }
    kept.reverse();
    kept
}

fn written(messages: &[String]) -> String {
    messages.iter().map(|message| line(message)).collect()
}

fn line(message: &str) -> String {
    format!("{}\n", serde_json::Value::from(message))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn mode(path: &PathBuf) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn messages_with_line_breaks_come_back_and_damage_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let history = History { path: dir.path().join("deep/messages") };
        assert!(history.messages().is_empty());
        history.append("one\ntwo");
        std::fs::OpenOptions::new().append(true).open(&history.path).unwrap().write_all(b"broken\n").unwrap();
        history.append("北京");
        assert_eq!(history.messages(), ["one\ntwo", "北京"]);
        assert_eq!(mode(&history.path), 0o600);
    }

    #[test]
    fn what_is_no_regular_file_keeps_its_mode() {
        use std::os::unix::fs::symlink;
        let dir = tempfile::tempdir().unwrap();
        let (pipe, link) = (dir.path().join("pipe"), dir.path().join("messages"));
        let name = std::ffi::CString::new(pipe.to_str().unwrap()).unwrap();
        // SAFETY: a valid name that ends with a zero byte.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        std::fs::set_permissions(&pipe, Permissions::from_mode(0o666)).unwrap();
        symlink(&pipe, &link).unwrap();
        let history = History { path: link };
        history.append("one");
        assert!(history.messages().is_empty());
        assert_eq!(mode(&pipe), 0o666);
    }

    #[test]
    fn each_message_is_kept_once_and_no_long_one() {
        let dir = tempfile::tempdir().unwrap();
        let history = History { path: dir.path().join("messages") };
        for message in ["one", "two", "one", &"x".repeat(36 << 10)] {
            history.append(message);
        }
        assert_eq!(history.messages(), ["two", "one"]);
        assert_eq!(std::fs::read_to_string(&history.path).unwrap(), "\"two\"\n\"one\"\n");
    }

    #[test]
    fn a_file_that_grew_is_cut_to_the_newest_and_made_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("messages");
        let long: String = (0..3000).map(|i| line(&format!("{i} {}", "y".repeat(1000)))).collect();
        std::fs::write(&path, long).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let messages = History { path: path.clone() }.messages();
        assert!(std::fs::metadata(&path).unwrap().len() <= WHOLE as u64);
        assert_eq!(mode(&path), 0o600);
        assert!(messages.last().unwrap().starts_with("2999 "));
    }
}
