//! The folder of sessions: what lies in it, and what somebody means by a name.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use serde::{Serialize, Serializer};
use thiserror::Error;

use super::event::LogEvent;
use super::keeper::{HeldFile, NotHeld};
use super::lines::{self, ReadLine};
use super::title;
use crate::bounded::DATA;
use crate::files;
use crate::paths::Paths;

/// The ending of a session's file.
const ENDING: &str = ".jsonl";
/// Bytes of a title in a file's name.
const SLUG: usize = 48;

/// The folder.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
}

/// A session as a list shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// What it is called: its file without the ending.
    pub name: String,
    /// The first thing that was said.
    pub title: String,
    /// Whose figures it holds.
    pub model: String,
    /// When it began, as RFC 3339.
    pub created: Option<String>,
    /// When it was last written.
    #[serde(serialize_with = "rfc_3339")]
    pub changed: SystemTime,
    /// Things said.
    pub messages: usize,
    /// Tokens of all branches.
    pub tokens: usize,
    /// Bytes of the file.
    pub size: u64,
    /// The file.
    pub path: PathBuf,
}

/// Why there is no such session.
#[derive(Debug, Error)]
pub enum ShelfError {
    /// There is none at all.
    #[error("there is no session yet: a conversation is saved by itself, in {}", .0.display())]
    Empty(PathBuf),
    /// None fits.
    #[error("no session is called {0:?} or has that in its title: tokenscope sessions list shows them")]
    None(String),
    /// Several do.
    #[error("{0:?} could be several sessions: {1}")]
    Several(String, String),
    /// Another program writes to it.
    #[error("{0} is open in another tokenscope")]
    Busy(String),
    /// The file can't be used.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

impl Shelf {
    /// The folder of the current user's sessions.
    pub fn at(paths: &Paths) -> Shelf {
        Shelf { folder: paths.sessions() }
    }

    /// The folder, which need not exist.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Every session, the one that was written last first.
    pub fn list(&self) -> Vec<Listed> {
        self.look().0
    }

    /// The same, and what could not be read, a line each.
    pub fn look(&self) -> (Vec<Listed>, Vec<String>) {
        let (mut all, mut unread) = (Vec::new(), Vec::new());
        match fs::read_dir(&self.folder) {
            Ok(entries) => {
                for path in entries.flatten().map(|entry| entry.path()) {
                    match listed(&path) {
                        Ok(found) => all.extend(found),
                        Err(error) => unread.push(format!("{}: {error}", path.display())),
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => unread.push(format!("{}: {error}", self.folder.display())),
        }
        all.sort_by(|a, b| b.changed.cmp(&a.changed).then_with(|| b.name.cmp(&a.name)));
        unread.sort();
        (all, unread)
    }

    /// Sessions that a text may mean, the best first; all of them, the newest first, where it is empty. With what
    /// could not be read.
    pub fn fitting(&self, text: &str) -> (Vec<Listed>, Vec<String>) {
        let (all, unread) = self.look();
        (ranked(all, text), unread)
    }

    /// The file that somebody means: the newest session, one of this name, a file that is there, or the session
    /// that fits best.
    ///
    /// # Errors
    /// [`ShelfError`].
    pub fn find(&self, named: &str) -> Result<PathBuf, ShelfError> {
        let file = files::named(named);
        // A path names a file, and no list is needed.
        if named.contains('/') && file.exists() {
            return Ok(file);
        }
        let all = self.list();
        if named.trim().is_empty() {
            let newest = all.into_iter().next();
            return newest.map(|session| session.path).ok_or_else(|| ShelfError::Empty(self.folder.clone()));
        }
        if let Some(session) = all.iter().find(|session| session.name == named.trim_end_matches(ENDING)) {
            return Ok(session.path.clone());
        }
        if file.exists() {
            return Ok(file);
        }
        let found = ranked(all, named).into_iter().next();
        found.map(|session| session.path).ok_or_else(|| ShelfError::None(named.to_string()))
    }

    /// The one session of this name, or that alone fits it: what is removed must be meant.
    ///
    /// # Errors
    /// [`ShelfError`].
    pub fn exactly(&self, named: &str) -> Result<Listed, ShelfError> {
        let all = self.list();
        if let Some(session) = all.iter().find(|session| session.name == named.trim_end_matches(ENDING)) {
            return Ok(session.clone());
        }
        let mut found = ranked(all, named);
        match found.len() {
            0 => Err(ShelfError::None(named.to_string())),
            1 => Ok(found.remove(0)),
            _ => {
                let names: Vec<String> = found.into_iter().take(5).map(|session| session.name).collect();
                Err(ShelfError::Several(named.to_string(), names.join(", ")))
            }
        }
    }

    /// Removes a session that no program writes to.
    ///
    /// # Errors
    /// [`ShelfError`].
    pub fn remove(&self, session: &Listed) -> Result<(), ShelfError> {
        let io = |error| ShelfError::Io { path: session.path.clone(), error };
        let held = match HeldFile::take(&session.path) {
            Ok(held) => Some(held),
            Err(NotHeld::Busy) => return Err(ShelfError::Busy(session.name.clone())),
            Err(NotHeld::Io(error)) if error.kind() == ErrorKind::NotFound => return Err(io(error)),
            Err(NotHeld::Io(_)) => None,
        };
        fs::remove_file(&session.path).map_err(io)?;
        drop(held);
        Ok(())
    }
}

/// Those that fit a text, best first.
pub fn ranked(all: Vec<Listed>, text: &str) -> Vec<Listed> {
    let pattern = Pattern::parse(text, CaseMatching::Ignore, Normalization::Smart);
    let mut matcher = Matcher::new(Config::DEFAULT);
    let mut found: Vec<(u32, Listed)> = all
        .into_iter()
        .filter_map(|session| {
            let mut letters = Vec::new();
            let mut score = |text: &str| pattern.score(Utf32Str::new(text, &mut letters), &mut matcher);
            let score = score(&session.title).max(score(&session.name)).max(score(&session.model))?;
            Some((score, session))
        })
        .collect();
    // A stable sort: of those that fit equally well the newest is first.
    found.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    found.into_iter().map(|(_, session)| session).collect()
}

/// What a list shows of a file; its figures are not read. `None` for what is no session by its name or its kind.
fn listed(path: &Path) -> io::Result<Option<Listed>> {
    let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(ENDING));
    let Some(name) = name.map(str::to_string) else { return Ok(None) };
    let meta = fs::metadata(path)?;
    if !meta.is_file() {
        return Ok(None);
    }
    let bytes = files::read(path, DATA)?;
    let mut found = Listed {
        name,
        title: String::new(),
        model: String::new(),
        created: None,
        changed: meta.modified()?,
        messages: 0,
        tokens: 0,
        size: meta.len(),
        path: path.to_path_buf(),
    };
    let mut current = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.starts_with(br#"{"type":"step""#) {
            found.tokens += usize::from(!line.starts_with(br#"{"type":"step","node":"#));
            continue;
        }
        let is_told = [
            &br#"{"type":"session""#[..],
            br#"{"type":"turn""#,
            br#"{"type":"head""#,
            br#"{"type":"setting""#,
        ];
        if !is_told.iter().any(|start| line.starts_with(start)) {
            continue;
        }
        match lines::read(line) {
            ReadLine::Event(LogEvent::Session(begun)) => {
                (found.model, found.created) = (begun.model.model, begun.created)
            }
            ReadLine::Event(LogEvent::Turn(said)) if said.role.is_some() => {
                current.push(said.turn);
                if let Some(text) = said.text.filter(|_| found.title.is_empty()) {
                    found.title = title(&text);
                }
            }
            ReadLine::Event(LogEvent::Head(moved)) => current = moved.turns.unwrap_or(current),
            ReadLine::Event(LogEvent::Setting(chosen)) => {
                found.model = chosen.model.map_or(found.model, |model| model.model);
            }
            _ => {}
        }
    }
    found.messages = current.len();
    Ok(Some(found))
}

fn rfc_3339<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    match Timestamp::try_from(*time) {
        Ok(time) => to.serialize_str(&written(time)),
        Err(_) => to.serialize_none(),
    }
}

/// A moment as JSON has it.
fn written(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// The name of the n-th file for something: the day and the first words.
pub(super) fn file_name(title: &str, n: u32) -> String {
    let day = jiff::Zoned::now().strftime("%Y-%m-%d").to_string();
    let mut slug = String::new();
    for c in title.chars() {
        let c = if c.is_alphanumeric() { c.to_lowercase().next().unwrap_or(c) } else { '-' };
        if slug.len() + c.len_utf8() > SLUG {
            break;
        }
        if c != '-' || !(slug.is_empty() || slug.ends_with('-')) {
            slug.push(c);
        }
    }
    let slug = slug.trim_matches('-');
    let parts =
        [day.as_str(), slug].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    if n > 1 { format!("{parts}-{n}{ENDING}") } else { format!("{parts}{ENDING}") }
}

/// Now, as RFC 3339.
pub fn clock() -> String {
    written(Timestamp::now())
}

#[cfg(test)]
mod tests;
