//! The message being written: editing, history, completion of commands.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::archive::shelf::{self, Listed};
use crate::command::{self, Completion};
use crate::token::printable;

use super::editor::Editor;
use super::palette;

/// Messages kept for the up key.
const REMEMBERED: usize = 1000;
/// A text that is longer, in bytes, is not edited letter by letter: a word in brackets stands for it.
const LONG: usize = 64 << 10;
/// The command whose completions are the saved sessions.
pub const SESSIONS: &str = "/sessions";
/// Completions listed at once.
pub const LISTED: usize = 8;

/// Where the up key has gone.
#[derive(Debug, Default)]
struct Recall {
    /// How many messages back; 0 is the draft.
    back: usize,
    draft: String,
    /// Whether the up key was the last one: then it goes on, whatever the row.
    walking: bool,
}

/// The composer.
#[derive(Debug, Default)]
pub struct Composer {
    editor: Editor,
    history: Vec<String>,
    recall: Recall,
    /// Long texts, each with the word that stands for it.
    folded: Vec<(String, String)>,
    completions: Vec<Completion>,
    selected: usize,
    /// Whether everything that can be asked for is searched.
    searching: bool,
    /// What was being written before, and comes back.
    aside: Option<String>,
    /// The saved sessions, while one is chosen; `Asked` while somebody looks which there are.
    sessions: KnownSessions,
}

/// What is known of the saved sessions.
#[derive(Debug, Default)]
enum KnownSessions {
    #[default]
    Unknown,
    Asked,
    Known(Vec<Listed>),
}

/// What a key did.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// The message is complete.
    Submit(String),
    /// The key was used.
    Taken,
    /// The key means nothing here.
    Ignored,
}

impl Composer {
    /// Remembers messages of earlier sessions, oldest first.
    pub fn remember(&mut self, earlier: Vec<String>) {
        self.history.splice(0..0, earlier);
    }

    /// The text and its cursor.
    pub fn editor(&self) -> &Editor {
        &self.editor
    }

    /// The same, to put the cursor elsewhere.
    pub fn editor_mut(&mut self) -> &mut Editor {
        &mut self.editor
    }

    /// The message as it is written: a long text is a word in it.
    pub fn text(&self) -> &str {
        self.editor.text()
    }

    /// The whole message.
    pub fn message(&self) -> String {
        let written = self.text().to_string();
        self.folded.iter().fold(written, |text, (word, long)| text.replace(word, long))
    }

    /// What is written for a text: itself, or a word where it is long.
    fn fold(&mut self, text: String) -> String {
        if text.len() <= LONG {
            return text;
        }
        let word = format!("[text {}: {} KiB]", self.folded.len() + 1, text.len() >> 10);
        self.folded.push((word.clone(), text));
        word
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    /// Proposals for the command being written, and the one selected.
    pub fn completions(&self) -> (&[Completion], usize) {
        (&self.completions, self.selected)
    }

    /// Earlier messages, numbered, the newest last.
    pub fn history_text(&self) -> String {
        const SHOWN: usize = 50;
        let first = self.history.len().saturating_sub(SHOWN);
        let rows = self.history.iter().enumerate().skip(first);
        rows.map(|(i, text)| format!("{:>4}  {}", i + 1, text.replace('\n', "⏎")))
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// Writes this instead of what is there.
    pub fn replace(&mut self, text: &str) {
        let text = self.fold(text.to_string());
        self.editor.replace(&text);
        self.complete();
    }

    /// Writes text at the cursor, line breaks and all.
    pub fn paste(&mut self, text: &str) {
        let text = self.fold(text.replace("\r\n", "\n").replace('\r', "\n"));
        self.editor.insert(&text);
        self.complete();
    }

    /// Clears the draft; Ctrl-Y writes it again.
    pub fn cut(&mut self) {
        if !self.is_empty() {
            self.recall = Recall::default();
            self.editor.take();
            self.complete();
        }
    }

    /// Searches everything that can be asked for; what was being written comes back afterwards.
    pub fn search(&mut self) {
        let draft = self.message();
        self.searching = true;
        // Who has begun a command searches with what is written.
        if draft.starts_with('/') && !draft.contains(['\n', ' ']) {
            return self.complete();
        }
        self.aside = Some(draft).filter(|draft| !draft.is_empty()).or(self.aside.take());
        self.replace("/");
    }

    /// What was being written before a search is there again.
    fn end_search(&mut self) {
        self.searching = false;
        if let Some(draft) = self.aside.take() {
            self.replace(&draft);
        }
    }

    /// Takes the message out and remembers it.
    fn submit(&mut self) -> String {
        let text = self.message();
        self.folded.clear();
        if !text.trim().is_empty() {
            self.history.retain(|earlier| *earlier != text);
            self.history.push(text.clone());
            let surplus = self.history.len().saturating_sub(REMEMBERED);
            self.history.drain(..surplus);
        }
        self.recall = Recall::default();
        self.replace("");
        self.end_search();
        text
    }

    /// Closes the list of completions; `false` if none was open.
    pub fn close_completions(&mut self) -> bool {
        let open = !self.completions.is_empty();
        if self.searching {
            self.replace("");
        }
        self.end_search();
        self.completions.clear();
        open
    }

    fn complete(&mut self) {
        self.searching &= self.text().starts_with('/');
        self.completions = match self.text().strip_prefix('/').filter(|_| self.searching) {
            Some(written) => palette::search(written),
            None => palette::complete(self.text()),
        };
        self.selected = 0;
        match (session_argument(self.text()), &self.sessions) {
            (Some(written), KnownSessions::Known(all)) => {
                self.completions = shelf::ranked(all.clone(), written).into_iter().map(proposed).collect();
            }
            (None, KnownSessions::Known(_)) => self.sessions = KnownSessions::Unknown,
            _ => {}
        }
    }

    /// Whether a session is being chosen and nobody has looked yet which there are; it is looked then.
    pub fn wants_sessions(&mut self) -> bool {
        let wants =
            session_argument(self.text()).is_some() && matches!(self.sessions, KnownSessions::Unknown);
        if wants {
            self.sessions = KnownSessions::Asked;
        }
        wants
    }

    /// Takes the saved sessions.
    pub fn know_sessions(&mut self, found: Vec<Listed>) {
        self.sessions = KnownSessions::Known(found);
        self.complete();
    }

    /// Takes the files that complete a line, if it is still the one that is written.
    pub fn propose(&mut self, line: &str, found: Vec<Completion>) {
        if self.text() != line {
            return;
        }
        let common = found.iter().map(|completion| completion.line.as_str()).reduce(common_prefix);
        let common = common.unwrap_or(line).to_string();
        if common.len() > line.len() {
            self.replace(&common);
        }
        self.completions = if found.len() > 1 { found } else { Vec::new() };
        self.selected = 0;
    }

    /// Whether the line is a command as it stands, whatever else could still follow, and none of the proposals
    /// is meant.
    fn is_sent_by_enter(&self) -> bool {
        let line = self.text();
        if self.searching || session_argument(line).is_some() {
            return false;
        }
        let is_own = palette::asked(line).is_some_and(|asked| asked.is_ok());
        is_own || command::parse(line).is_some_and(|parsed| parsed.is_ok())
    }

    /// Takes the proposal of this number, as Enter does.
    pub fn choose(&mut self, number: usize) -> Typed {
        self.selected = number.min(self.completions.len().saturating_sub(1));
        self.take()
    }

    /// Takes the selected proposal: writes it, and sends it where nothing more could follow.
    fn take(&mut self) -> Typed {
        let Some(line) = self.completions.get(self.selected).map(|one| one.line.clone()) else {
            return Typed::Ignored;
        };
        // A session in the list is the one that is meant.
        if session_argument(self.text()).is_some() || (self.searching && palette::is_complete(&line)) {
            self.editor.replace(&line);
            return Typed::Submit(self.submit());
        }
        self.accept();
        Typed::Taken
    }

    /// Writes the selected proposal.
    fn accept(&mut self) {
        self.searching = false;
        if let Some(completion) = self.completions.get(self.selected) {
            // A file's name may go on.
            let gap = if command::file_argument(&completion.line).is_some() { "" } else { " " };
            let line = format!("{}{gap}", completion.line);
            self.replace(&line);
        }
    }

    /// Takes a key.
    pub fn key(&mut self, key: KeyEvent) -> Typed {
        let walking = std::mem::take(&mut self.recall.walking);
        let plain = key.modifiers.is_empty();
        let newline = match key.code {
            KeyCode::Enter => key.modifiers.intersects(KeyModifiers::ALT | KeyModifiers::SHIFT),
            KeyCode::Char('j') => key.modifiers == KeyModifiers::CONTROL,
            _ => false,
        };
        if newline {
            self.editor.insert("\n");
            self.complete();
            return Typed::Taken;
        }
        match key.code {
            KeyCode::Enter if self.completions.is_empty() || self.is_sent_by_enter() => {
                return Typed::Submit(self.submit());
            }
            KeyCode::Enter => return self.take(),
            KeyCode::Tab if !self.completions.is_empty() => self.accept(),
            KeyCode::Up if plain && !self.completions.is_empty() => self.select(-1),
            KeyCode::Down if plain && !self.completions.is_empty() => self.select(1),
            KeyCode::Up if plain && (walking || !self.editor.step_row(-1)) => return self.step_back(),
            KeyCode::Down if plain && (walking || !self.editor.step_row(1)) => return self.step_forward(),
            KeyCode::Up | KeyCode::Down if plain => {}
            _ => {
                let Some(changed) = self.editor.key(key) else { return Typed::Ignored };
                if changed {
                    self.recall.back = 0;
                    self.complete();
                }
            }
        }
        Typed::Taken
    }

    /// Selects the next proposal, or the one before.
    pub fn select(&mut self, by: isize) {
        let n = self.completions.len() as isize;
        self.selected = (self.selected as isize + by).rem_euclid(n.max(1)) as usize;
    }

    fn step_back(&mut self) -> Typed {
        if self.recall.back >= self.history.len() {
            return Typed::Ignored;
        }
        if self.recall.back == 0 {
            self.recall.draft = self.text().to_string();
        }
        self.recall.back += 1;
        self.show_recalled();
        Typed::Taken
    }

    fn step_forward(&mut self) -> Typed {
        if self.recall.back == 0 {
            return Typed::Ignored;
        }
        self.recall.back -= 1;
        self.show_recalled();
        Typed::Taken
    }

    fn show_recalled(&mut self) {
        self.recall.walking = true;
        let text = match self.recall.back {
            0 => self.recall.draft.clone(),
            back => self.history[self.history.len() - back].clone(),
        };
        self.replace(&text);
        self.completions.clear();
    }
}

/// What is written of a session's name, where one is being chosen.
fn session_argument(line: &str) -> Option<&str> {
    line.strip_prefix(SESSIONS)?.strip_prefix(' ').filter(|rest| !rest.contains('\n'))
}

/// A session as a completion.
fn proposed(session: Listed) -> Completion {
    let Listed { name, title, model, messages, .. } = session;
    let (title, model) = (printable(&title), printable(&model));
    Completion {
        line: format!("{SESSIONS} {name}"),
        help: format!("{title} · {model} · {messages} messages"),
        label: name,
    }
}

/// What two lines begin with.
fn common_prefix<'a>(a: &'a str, b: &str) -> &'a str {
    let same = a.char_indices().zip(b.chars()).find(|((_, x), y)| x != y).map(|((at, _), _)| at);
    &a[..same.unwrap_or(a.len().min(b.len()))]
}

#[cfg(test)]
mod tests;
