//! Word wrap by grapheme width, continued where it left off.
//!
//! Only the last two rows change when text grows at its end (a mark that comes late can make the last
//! grapheme narrower, so that its word fits into the row before): the work for a token does not depend on
//! what stands before.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthChar;

use crate::columns::grapheme_width;

/// A row of wrapped text: a byte range of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// First byte.
    pub start: usize,
    /// One past the last byte; a line break is not part of its row.
    pub end: usize,
    /// Whether a line break follows.
    pub broken: bool,
}

/// Wrapped text at one width. The text itself is kept by whoever calls.
#[derive(Clone, Debug, Default)]
pub struct Wrapped {
    width: usize,
    rows: Vec<Row>,
    /// Bytes of text wrapped so far.
    length: usize,
    /// Graphemes looked at, ever: what a test counts.
    #[cfg(test)]
    pub looked_at: usize,
}

impl Wrapped {
    /// The rows so far; at least one once text was given, even if it is empty.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Whether the rows are those of a text in so many columns, which nothing was forgotten of.
    pub fn holds(&self, text: &str, width: u16) -> bool {
        usize::from(width.max(1)) == self.width && text.len() == self.length && !self.rows.is_empty()
    }

    /// Columns of the rows, once they are known.
    pub fn width(&self) -> Option<u16> {
        u16::try_from(self.width).ok().filter(|&width| width > 0)
    }

    /// The text is another one from this byte on; rows that this may change are forgotten.
    pub fn forget_from(&mut self, byte: usize) {
        // The row of the byte may give a word to the next, take one back, and that once more.
        let row = self.rows.iter().rposition(|row| row.start <= byte).unwrap_or(0);
        self.rows.truncate(row.saturating_sub(3));
        self.length = 0;
    }

    /// Brings the rows up to date with text that grew at the end, or with another width.
    pub fn update(&mut self, text: &str, width: u16) {
        let width = usize::from(width.max(1));
        if width != self.width || text.len() < self.length {
            self.rows.clear();
            self.width = width;
            self.length = 0;
        } else if text.len() == self.length && !self.rows.is_empty() {
            return;
        }
        let kept = self.rows.len().saturating_sub(2);
        let start = self.rows.get(kept).map_or(0, |row| row.start);
        self.rows.truncate(kept);
        self.length = text.len();
        self.wrap_from(text, start);
    }

    fn wrap_from(&mut self, text: &str, start: usize) {
        let mut row = start;
        let mut column = 0;
        // Where the row could be cut: just after the last white space in it.
        let mut cut: Option<usize> = None;
        for (offset, grapheme) in text[start..].grapheme_indices(true) {
            #[cfg(test)]
            {
                self.looked_at += 1;
            }
            let at = start + offset;
            let after = at + grapheme.len();
            if matches!(grapheme, "\n" | "\r\n") {
                self.rows.push(Row { start: row, end: at, broken: true });
                (row, column, cut) = (after, 0, None);
                continue;
            }
            let width = grapheme_width(grapheme);
            let is_space = grapheme.chars().all(char::is_whitespace);
            while column + width > self.width && at > row && !is_space {
                let end = cut.take().filter(|&cut| cut > row).unwrap_or(at);
                self.rows.push(Row { start: row, end, broken: false });
                row = end;
                column = text[row..at].graphemes(true).map(grapheme_width).sum();
            }
            column += width;
            if is_space || is_wide(grapheme) {
                cut = Some(after);
            }
        }
        self.rows.push(Row { start: row, end: text.len(), broken: false });
    }
}

/// Whether a row may end after it: scripts of wide characters have no blanks between words.
fn is_wide(grapheme: &str) -> bool {
    grapheme.chars().next().and_then(UnicodeWidthChar::width) == Some(2)
}

#[cfg(test)]
mod tests;
