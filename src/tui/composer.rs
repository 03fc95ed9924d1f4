//! The message being written: editing, history, completion of commands.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::Style;
use ratatui_textarea::{CursorMove, DataCursor, TextArea, WrapMode};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

use crate::command::{self, Completion};

use super::palette;

/// Messages kept for the up key.
const REMEMBERED: usize = 1000;
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
#[derive(Debug)]
pub struct Composer {
    area: TextArea<'static>,
    history: Vec<String>,
    recall: Recall,
    completions: Vec<Completion>,
    selected: usize,
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
    /// An empty composer that remembers earlier messages, oldest first.
    pub fn new(history: Vec<String>) -> Composer {
        let mut composer = Composer {
            area: TextArea::default(),
            history,
            recall: Recall::default(),
            completions: Vec::new(),
            selected: 0,
        };
        composer.replace("");
        composer
    }

    /// The text editor, for drawing.
    pub fn area(&self) -> &TextArea<'static> {
        &self.area
    }

    /// The whole message.
    pub fn text(&self) -> String {
        self.area.lines().join("\n")
    }

    /// Whether nothing is written.
    pub fn is_empty(&self) -> bool {
        self.area.is_empty()
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

    /// Lines the message takes in a pane of this width.
    pub fn lines_at(&self, width: u16) -> u16 {
        let width = usize::from(width.max(1));
        let lines = self.area.lines().iter().map(|line| line.width() / width + 1).sum::<usize>();
        u16::try_from(lines).unwrap_or(u16::MAX)
    }

    /// Writes this instead of what is there.
    pub fn replace(&mut self, text: &str) {
        let killed = self.area.yank_text();
        let mut area = TextArea::from(text.split('\n'));
        area.set_yank_text(killed);
        area.set_cursor_line_style(Style::default());
        area.set_wrap_mode(WrapMode::WordOrGlyph);
        area.set_placeholder_text("write a message, or / for commands");
        area.move_cursor(CursorMove::Bottom);
        area.move_cursor(CursorMove::End);
        self.area = area;
        self.complete();
    }

    /// Writes text at the cursor, line breaks and all.
    pub fn paste(&mut self, text: &str) {
        self.area.insert_str(text.replace("\r\n", "\n").replace('\r', "\n"));
        self.complete();
    }

    /// Clears the draft; Ctrl-Y writes it again.
    pub fn cut(&mut self) {
        if !self.is_empty() {
            let text = self.text();
            self.recall = Recall::default();
            self.replace("");
            self.area.set_yank_text(text);
        }
    }

    /// Cuts everything before the cursor, as a shell's Ctrl-U does.
    fn cut_before_cursor(&mut self) -> bool {
        self.area.start_selection();
        self.area.move_cursor(CursorMove::Top);
        self.area.move_cursor(CursorMove::Head);
        self.area.cut()
    }

    /// Takes the message out and remembers it.
    fn submit(&mut self) -> String {
        let text = self.text();
        if !text.trim().is_empty() {
            self.history.retain(|earlier| *earlier != text);
            self.history.push(text.clone());
            let surplus = self.history.len().saturating_sub(REMEMBERED);
            self.history.drain(..surplus);
        }
        self.recall = Recall::default();
        self.replace("");
        text
    }

    /// Closes the list of completions; `false` if none was open.
    pub fn close_completions(&mut self) -> bool {
        let open = !self.completions.is_empty();
        self.completions.clear();
        open
    }

    fn complete(&mut self) {
        self.completions = palette::complete(&self.text());
        self.selected = 0;
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

    /// Whether the line is a command as it stands, whatever else could still follow.
    fn is_whole_command(&self) -> bool {
        let line = self.text();
        let is_own = palette::asked(&line).is_some_and(|asked| asked.is_ok());
        is_own || command::parse(&line).is_some_and(|parsed| parsed.is_ok())
    }

    /// Accepts the selected completion.
    fn accept(&mut self) {
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
            self.area.insert_newline();
            self.complete();
            return Typed::Taken;
        }
        match key.code {
            KeyCode::Enter if self.completions.is_empty() || self.is_whole_command() => {
                return Typed::Submit(self.submit());
            }
            KeyCode::Enter => self.accept(),
            KeyCode::Tab if !self.completions.is_empty() => self.accept(),
            KeyCode::Up if plain && !self.completions.is_empty() => self.select(-1),
            KeyCode::Down if plain && !self.completions.is_empty() => self.select(1),
            KeyCode::Up if plain && (walking || self.area.cursor().0 == 0) => return self.step_back(),
            KeyCode::Down if plain && (walking || self.area.cursor().0 + 1 == self.area.lines().len()) => {
                return self.step_forward();
            }
            _ => return self.edit(key),
        }
        Typed::Taken
    }

    fn edit(&mut self, key: KeyEvent) -> Typed {
        let cursor = self.area.cursor();
        let control = |of: &[char]| {
            key.modifiers == KeyModifiers::CONTROL && of.iter().any(|&c| key.code == KeyCode::Char(c))
        };
        let modified = match () {
            () if control(&['u']) => self.cut_before_cursor(),
            // Terminals send the same byte for all three.
            () if control(&['_', '/', '7']) => self.area.undo(),
            () if self.is_delete(key, KeyCode::Backspace, 'h') => self.delete_before(),
            () if self.is_delete(key, KeyCode::Delete, 'd') => self.delete_after(),
            () => self.area.input(key),
        };
        self.leave_grapheme(cursor);
        if modified {
            self.recall.back = 0;
            self.complete();
        }
        if modified || self.area.cursor() != cursor { Typed::Taken } else { Typed::Ignored }
    }

    /// Whether a key deletes one character.
    fn is_delete(&self, key: KeyEvent, code: KeyCode, letter: char) -> bool {
        let written = key.code == KeyCode::Char(letter) && key.modifiers == KeyModifiers::CONTROL;
        !self.area.is_selecting() && (key.code == code && key.modifiers.is_empty() || written)
    }

    /// Where the cursor's grapheme begins and ends, in chars of its line; both are the cursor between two.
    fn grapheme(&self) -> (usize, usize) {
        let at = self.area.cursor();
        let mut start = 0;
        for grapheme in self.area.lines()[at.0].graphemes(true) {
            let end = start + grapheme.chars().count();
            if start < at.1 && at.1 < end {
                return (start, end);
            }
            start = end;
        }
        (at.1, at.1)
    }

    /// The cursor never stands inside of what a person sees as one character.
    fn leave_grapheme(&mut self, before: DataCursor) {
        let ((start, end), at) = (self.grapheme(), self.area.cursor());
        let (moves, by) =
            if before > at { (CursorMove::Back, at.1 - start) } else { (CursorMove::Forward, end - at.1) };
        (0..by).for_each(|_| self.area.move_cursor(moves));
    }

    /// Deletes the character before the cursor, all of it; what was cut stays to be written again.
    fn delete_before(&mut self) -> bool {
        let at = self.area.cursor();
        let before: String = self.area.lines()[at.0].chars().take(at.1).collect();
        let Some(grapheme) = before.graphemes(true).next_back() else { return self.area.delete_char() };
        let chars = grapheme.chars().count();
        (0..chars).for_each(|_| self.area.move_cursor(CursorMove::Back));
        self.delete_chars(chars)
    }

    /// The same for the character after it.
    fn delete_after(&mut self) -> bool {
        let at = self.area.cursor();
        let after: String = self.area.lines()[at.0].chars().skip(at.1).collect();
        match after.graphemes(true).next() {
            Some(grapheme) => self.delete_chars(grapheme.chars().count()),
            None => self.area.delete_next_char(),
        }
    }

    fn delete_chars(&mut self, chars: usize) -> bool {
        let cut = self.area.yank_text();
        let deleted = self.area.delete_str(chars);
        self.area.set_yank_text(cut);
        deleted
    }

    fn select(&mut self, by: isize) {
        let n = self.completions.len() as isize;
        self.selected = (self.selected as isize + by).rem_euclid(n.max(1)) as usize;
    }

    fn step_back(&mut self) -> Typed {
        if self.recall.back >= self.history.len() {
            return Typed::Ignored;
        }
        if self.recall.back == 0 {
            self.recall.draft = self.text();
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

/// What two lines begin with.
fn common_prefix<'a>(a: &'a str, b: &str) -> &'a str {
    let same = a.char_indices().zip(b.chars()).find(|((_, x), y)| x != y).map(|((at, _), _)| at);
    &a[..same.unwrap_or(a.len().min(b.len()))]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(composer: &mut Composer, code: KeyCode) -> Typed {
        composer.key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    fn write(composer: &mut Composer, text: &str) {
        for c in text.chars() {
            press(composer, KeyCode::Char(c));
        }
    }

    #[test]
    fn enter_submits_and_alt_enter_breaks_the_line() {
        let mut composer = Composer::new(Vec::new());
        write(&mut composer, "a");
        composer.key(KeyEvent::new(KeyCode::Enter, KeyModifiers::ALT));
        write(&mut composer, "b");
        assert_eq!(press(&mut composer, KeyCode::Enter), Typed::Submit("a\nb".to_string()));
        assert!(composer.is_empty());
    }

    #[test]
    fn up_brings_earlier_messages_and_down_the_draft() {
        let mut composer = Composer::new(vec!["one".to_string(), "two".to_string()]);
        write(&mut composer, "draft");
        press(&mut composer, KeyCode::Up);
        assert_eq!(composer.text(), "two");
        press(&mut composer, KeyCode::Up);
        press(&mut composer, KeyCode::Up);
        assert_eq!(composer.text(), "one");
        press(&mut composer, KeyCode::Down);
        press(&mut composer, KeyCode::Down);
        assert_eq!(composer.text(), "draft");
    }

    #[test]
    fn up_after_a_recalled_message_of_several_lines_goes_to_the_one_before() {
        let mut composer = Composer::new(vec!["one".to_string(), "a\nb\nc".to_string()]);
        press(&mut composer, KeyCode::Up);
        assert_eq!(composer.text(), "a\nb\nc");
        press(&mut composer, KeyCode::Up);
        assert_eq!(composer.text(), "one");
        press(&mut composer, KeyCode::Down);
        press(&mut composer, KeyCode::Down);
        assert_eq!(composer.text(), "");
        // Whoever moves inside it means to edit it.
        press(&mut composer, KeyCode::Up);
        press(&mut composer, KeyCode::Left);
        press(&mut composer, KeyCode::Up);
        assert_eq!((composer.text().as_str(), composer.area().cursor().0), ("a\nb\nc", 1));
    }

    #[test]
    fn the_keys_of_a_shell_edit() {
        let mut composer = Composer::new(Vec::new());
        let control = |composer: &mut Composer, keys: &str| {
            for c in keys.chars() {
                composer.key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
            }
        };
        write(&mut composer, "one two");
        control(&mut composer, "w");
        assert_eq!(composer.text(), "one ");
        control(&mut composer, "u");
        assert_eq!(composer.text(), "");
        control(&mut composer, "y");
        assert_eq!(composer.text(), "one ");
        control(&mut composer, "ak");
        assert_eq!(composer.text(), "");
        control(&mut composer, "7");
        assert_eq!(composer.text(), "one ");
        composer.replace("a\nb c");
        composer.key(KeyEvent::new(KeyCode::Char('b'), KeyModifiers::ALT));
        control(&mut composer, "u");
        assert_eq!(composer.text(), "c");
        composer.cut();
        assert!(composer.is_empty());
        control(&mut composer, "y");
        assert_eq!(composer.text(), "c");
    }

    #[test]
    fn a_message_is_remembered_once() {
        let mut composer = Composer::new(vec!["one".to_string(), "two".to_string()]);
        write(&mut composer, "one");
        press(&mut composer, KeyCode::Enter);
        assert_eq!(composer.history, ["two", "one"]);
    }

    #[test]
    fn a_whole_command_runs_while_completions_are_open() {
        let mut composer = Composer::new(Vec::new());
        write(&mut composer, "/set");
        assert!(!composer.completions().0.is_empty());
        assert_eq!(press(&mut composer, KeyCode::Enter), Typed::Submit("/set".to_string()));
    }

    #[test]
    fn enter_and_tab_complete_what_is_no_command_yet() {
        let mut composer = Composer::new(Vec::new());
        write(&mut composer, "/re");
        press(&mut composer, KeyCode::Enter);
        assert_eq!(composer.text(), "/retry ");
        composer.replace("/set tem");
        press(&mut composer, KeyCode::Tab);
        assert_eq!(composer.text(), "/set temp ");
    }

    #[test]
    fn files_complete_as_far_as_they_agree() {
        let found = |lines: &[&str]| -> Vec<Completion> {
            let of = |line: &&str| Completion {
                line: line.to_string(),
                label: String::new(),
                help: String::new(),
            };
            lines.iter().map(of).collect()
        };
        let mut composer = Composer::new(Vec::new());
        composer.replace("/load ta");
        composer.propose("/load ta", found(&["/load talk1.json", "/load talk2.json"]));
        assert_eq!((composer.text().as_str(), composer.completions().0.len()), ("/load talk", 2));
        press(&mut composer, KeyCode::Down);
        press(&mut composer, KeyCode::Tab);
        assert_eq!(composer.text(), "/load talk2.json");
        composer.propose("/load ta", found(&["/load x"]));
        assert_eq!(composer.text(), "/load talk2.json", "an answer to an earlier line");
        composer.replace("/load d");
        composer.propose("/load d", found(&["/load dir/"]));
        assert_eq!((composer.text().as_str(), composer.completions().0.len()), ("/load dir/", 0));
    }

    #[test]
    fn the_cursor_and_deletions_take_characters_whole() {
        let text = "ae\u{301}👩\u{200d}👩\u{200d}👧🇩🇪नि";
        let graphemes: Vec<&str> = text.graphemes(true).collect();
        let mut composer = Composer::new(Vec::new());
        composer.replace(text);
        for left in (0..graphemes.len()).rev() {
            press(&mut composer, KeyCode::Left);
            let chars = graphemes[..left].concat().chars().count();
            assert_eq!(composer.area().cursor().1, chars);
        }
        for right in 1..=graphemes.len() {
            press(&mut composer, KeyCode::Right);
            let chars = graphemes[..right].concat().chars().count();
            assert_eq!(composer.area().cursor().1, chars);
        }
        for left in (0..graphemes.len()).rev() {
            press(&mut composer, KeyCode::Backspace);
            assert_eq!(composer.text(), graphemes[..left].concat());
        }
        composer.replace(text);
        press(&mut composer, KeyCode::Home);
        for left in 1..=graphemes.len() {
            press(&mut composer, KeyCode::Delete);
            assert_eq!(composer.text(), graphemes[left..].concat());
        }
        composer.key(KeyEvent::new(KeyCode::Char('7'), KeyModifiers::CONTROL));
        assert_eq!(composer.text(), graphemes[graphemes.len() - 1]);
    }

    #[test]
    fn pasted_line_breaks_stay() {
        let mut composer = Composer::new(Vec::new());
        composer.paste("a\r\nb\rc");
        assert_eq!(composer.text(), "a\nb\nc");
    }
}
