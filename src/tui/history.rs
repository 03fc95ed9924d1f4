//! Messages of earlier sessions, for the up key: one JSON string a line. What can't be written is
//! forgotten; a history is no reason to fail.

use std::io::Write;
use std::path::PathBuf;

use super::run::in_folder;

/// Messages read from the file.
const READ: usize = 1000;
/// A file longer than this is cut to the newest messages when it is opened.
const LONGEST: u64 = 4 << 20;

/// The file.
pub(super) struct History {
    path: PathBuf,
}

impl History {
    /// The history kept in this file, which need not exist.
    pub fn open(path: PathBuf) -> History {
        let history = History { path };
        if std::fs::metadata(&history.path).is_ok_and(|meta| meta.len() > LONGEST) {
            let kept: Vec<String> = history.messages().iter().map(|message| line(message)).collect();
            let _ = std::fs::write(&history.path, kept.concat());
        }
        history
    }

    /// The newest messages, oldest first.
    pub fn messages(&self) -> Vec<String> {
        let text = std::fs::read(&self.path).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let newest = &lines[lines.len().saturating_sub(READ)..];
        newest.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Adds a message.
    pub fn append(&self, message: &str) {
        if let Ok(mut file) = in_folder(&self.path) {
            let _ = file.write_all(line(message).as_bytes());
        }
    }
}

fn line(message: &str) -> String {
    format!("{}\n", serde_json::Value::from(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_with_line_breaks_come_back_and_damage_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let history = History::open(dir.path().join("deep/messages"));
        assert!(history.messages().is_empty());
        history.append("one\ntwo");
        std::fs::OpenOptions::new().append(true).open(&history.path).unwrap().write_all(b"broken\n").unwrap();
        history.append("北京");
        assert_eq!(history.messages(), ["one\ntwo", "北京"]);
    }
}
