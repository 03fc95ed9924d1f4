//! A text that is edited, by what people see as characters: the cursor stands between two grapheme
//! clusters, and whatever moves or deletes takes whole ones.

use std::borrow::Cow;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use unicode_segmentation::{GraphemeCursor, UnicodeSegmentation};

use crate::columns::grapheme_width;

use super::wrap::{Row, Wrapped};

/// Steps that can be undone.
const UNDOABLE: usize = 100;

/// A text, the cursor in it, and what was cut.
#[derive(Debug, Default)]
pub struct Editor {
    text: String,
    /// In bytes; always between two grapheme clusters.
    cursor: usize,
    cut: String,
    /// The text before each change, and where the cursor was.
    before: Vec<(String, usize)>,
    /// Its rows in the columns it is shown in, which up and down go by.
    wrapped: Wrapped,
}

impl Editor {
    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where the cursor is, in bytes.
    pub fn cursor(&self) -> usize {
        self.cursor
    }

    /// Says in how many columns the text is shown: its rows are those until it changes.
    pub fn show_in(&mut self, columns: u16) {
        self.wrapped.update(&self.text, columns);
    }

    /// Another text instead, the cursor at its end.
    pub fn replace(&mut self, text: &str) {
        self.text = text.to_string();
        self.rewrap_from(0);
        self.cursor = text.len();
        self.before.clear();
    }

    /// Takes all of it, as if it were cut.
    pub fn take(&mut self) {
        self.cut = std::mem::take(&mut self.text);
        self.replace("");
    }

    /// Writes at the cursor.
    pub fn insert(&mut self, text: &str) {
        self.change(self.cursor, self.cursor, text);
    }

    /// The rows that the text takes: those that are kept where it is shown in so many columns.
    pub fn rows(&self, columns: u16) -> Cow<'_, [Row]> {
        if self.wrapped.holds(&self.text, columns) {
            return Cow::Borrowed(self.wrapped.rows());
        }
        let mut wrapped = Wrapped::default();
        wrapped.update(&self.text, columns);
        Cow::Owned(wrapped.rows().to_vec())
    }

    /// The cursor's row and column.
    pub fn place(&self, rows: &[Row]) -> (usize, usize) {
        let row = rows.iter().rposition(|row| row.start <= self.cursor).unwrap_or(0);
        let start = rows.get(row).map_or(0, |row| row.start);
        (row, self.text[start..self.cursor].graphemes(true).map(grapheme_width).sum())
    }

    /// Puts the cursor before the character that is shown in a column of a row.
    pub fn put(&mut self, row: Option<&Row>, column: usize) {
        let Some(row) = row else { return };
        let (mut columns, mut last) = (0, row.start);
        for (offset, grapheme) in self.text[row.start..row.end].grapheme_indices(true) {
            last = row.start + offset;
            columns += grapheme_width(grapheme);
            if columns > column {
                self.cursor = last;
                return;
            }
        }
        // The end of a row that goes on is the beginning of the next.
        let goes_on = !row.broken && row.end < self.text.len();
        self.cursor = if goes_on { last } else { row.end };
    }

    /// Goes up or down a row; `false` where there is none.
    pub fn step_row(&mut self, by: isize) -> bool {
        let rows = self.rows(self.wrapped.width().unwrap_or(u16::MAX));
        let (row, column) = self.place(&rows);
        let target = row.checked_add_signed(by).and_then(|row| rows.get(row)).copied();
        self.put(target.as_ref(), column);
        target.is_some()
    }

    /// Takes a key that edits or moves; says whether the text changed, or nothing where the key means
    /// nothing here.
    pub fn key(&mut self, key: KeyEvent) -> Option<bool> {
        let (length, cursor) = (self.text.len(), self.cursor);
        let held = key.modifiers - KeyModifiers::SHIFT;
        let is_word = held == KeyModifiers::ALT || held == KeyModifiers::CONTROL;
        let letter = match key.code {
            KeyCode::Char(c) if held == KeyModifiers::CONTROL => Some((c.to_ascii_lowercase(), false)),
            KeyCode::Char(c) if held == KeyModifiers::ALT => Some((c.to_ascii_lowercase(), true)),
            _ => None,
        };
        match (key.code, letter) {
            (KeyCode::Char(c), None) if held.is_empty() => self.insert(c.encode_utf8(&mut [0; 4])),
            (_, Some(('w', false))) => self.cut(self.word_before(), cursor),
            (KeyCode::Backspace, _) if is_word => self.cut(self.word_before(), cursor),
            (_, Some(('d', true))) => self.cut(cursor, self.word_after()),
            (KeyCode::Delete, _) if is_word => self.cut(cursor, self.word_after()),
            (_, Some(('u', false))) => self.cut(0, cursor),
            (_, Some(('k', false))) => self.cut(cursor, self.line_end().max(self.after(cursor).min(length))),
            (_, Some(('y', false))) => self.insert(&self.cut.clone()),
            // Terminals send the same byte for all three.
            (_, Some(('_' | '/' | '7', false))) => self.undo(),
            (KeyCode::Backspace, _) | (_, Some(('h', false))) => self.change(self.before(cursor), cursor, ""),
            (KeyCode::Delete, _) | (_, Some(('d', false))) => self.change(cursor, self.after(cursor), ""),
            (_, Some(('b', true))) => self.cursor = self.word_before(),
            (KeyCode::Left, _) if is_word => self.cursor = self.word_before(),
            (_, Some(('f', true))) => self.cursor = self.word_after(),
            (KeyCode::Right, _) if is_word => self.cursor = self.word_after(),
            (KeyCode::Left, _) | (_, Some(('b', false))) => self.cursor = self.before(cursor),
            (KeyCode::Right, _) | (_, Some(('f', false))) => self.cursor = self.after(cursor),
            (KeyCode::Home, _) | (_, Some(('a', false))) => self.cursor = self.line_start(),
            (KeyCode::End, _) | (_, Some(('e', false))) => self.cursor = self.line_end(),
            (KeyCode::Up, _) => _ = self.step_row(-1),
            (KeyCode::Down, _) => _ = self.step_row(1),
            _ => return None,
        }
        let changed = self.text.len() != length || matches!(letter, Some(('_' | '/' | '7', false)));
        (changed || self.cursor != cursor).then_some(changed)
    }

    fn change(&mut self, start: usize, end: usize, text: &str) {
        if start == end && text.is_empty() {
            return;
        }
        self.before.push((self.text.clone(), self.cursor));
        let surplus = self.before.len().saturating_sub(UNDOABLE);
        self.before.drain(..surplus);
        self.text.replace_range(start..end, text);
        self.rewrap_from(start);
        self.cursor = start + text.len();
        // What was written may have become part of the character after it.
        if !GraphemeCursor::new(self.cursor, self.text.len(), true).is_boundary(&self.text, 0).unwrap_or(true)
        {
            self.cursor = self.after(self.cursor);
        }
    }

    /// The text is another one from this byte on.
    fn rewrap_from(&mut self, byte: usize) {
        self.wrapped.forget_from(byte);
        if let Some(columns) = self.wrapped.width() {
            self.wrapped.update(&self.text, columns);
        }
    }

    fn cut(&mut self, start: usize, end: usize) {
        if start < end {
            self.cut = self.text[start..end].to_string();
            self.change(start, end, "");
        }
    }

    fn undo(&mut self) {
        if let Some((text, cursor)) = self.before.pop() {
            (self.text, self.cursor) = (text, cursor);
            self.rewrap_from(0);
        }
    }

    fn before(&self, at: usize) -> usize {
        let found = GraphemeCursor::new(at, self.text.len(), true).prev_boundary(&self.text, 0);
        found.ok().flatten().unwrap_or(0)
    }

    fn after(&self, at: usize) -> usize {
        let found = GraphemeCursor::new(at, self.text.len(), true).next_boundary(&self.text, 0);
        found.ok().flatten().unwrap_or(self.text.len())
    }

    fn word_before(&self) -> usize {
        self.text[..self.cursor].unicode_word_indices().next_back().map_or(0, |(start, _)| start)
    }

    fn word_after(&self) -> usize {
        let mut words = self.text[self.cursor..].unicode_word_indices();
        words.next().map_or(self.text.len(), |(start, word)| self.cursor + start + word.len())
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }
}

#[cfg(test)]
mod tests;
