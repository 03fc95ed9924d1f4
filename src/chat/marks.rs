//! Marker characters around the texts of messages: they survive a template and show what came from
//! where.
//!
//! A marker is a letter that occurs neither in the conversation nor in the template. Letters, because a
//! template may print a list as Python does, and Python escapes what is not printable; without upper and
//! lower case, because templates change that.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

/// Unified ideographs of the extensions B to F: 60 000 rare letters.
const POOL: [std::ops::RangeInclusive<u32>; 2] = [0x20000..=0x2A6D6, 0x2A700..=0x2CEA1];

/// Who a marked text belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Index of the message; `None` for the descriptions of tools.
    pub message: Option<usize>,
    /// Whether the whole text of the message, or of a piece of it, lies between the markers; if not,
    /// they only protect the literal of a special token.
    pub typed: bool,
}

/// Some text of the rendered prompt that came from a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkedRegion {
    /// Its bytes in the rendered text.
    pub range: Range<usize>,
    /// Where it came from.
    pub owner: Owner,
}

struct ChatMark {
    open: char,
    close: char,
    owner: Owner,
    /// What the two markers stand for, if they are in place of a text.
    body: Option<String>,
}

/// The characters of a text that could be taken for markers.
pub fn could_be_markers(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| u32::from(*c) >= *POOL[0].start())
}

/// Hands out markers, and finds them again.
pub struct Marks<'a> {
    free: Box<dyn Iterator<Item = char> + 'a>,
    marks: Vec<ChatMark>,
    by_char: HashMap<char, usize>,
}

impl Marks<'_> {
    /// Markers that are none of these characters.
    pub fn avoiding(used: &HashSet<char>) -> Marks<'_> {
        let pool = POOL.into_iter().flatten().filter_map(char::from_u32);
        Marks {
            free: Box::new(pool.filter(|c| !used.contains(c))),
            marks: Vec::new(),
            by_char: HashMap::new(),
        }
    }

    fn next(&mut self, owner: Owner, body: Option<String>) -> Option<(char, char)> {
        let (open, close) = (self.free.next()?, self.free.next()?);
        self.by_char.extend([(open, self.marks.len()), (close, self.marks.len())]);
        self.marks.push(ChatMark { open, close, owner, body });
        Some((open, close))
    }

    /// Puts markers around a range of a text. Without a free marker the text stays as it is.
    pub fn around(&mut self, text: &mut String, range: Range<usize>, owner: Owner) {
        if let Some((open, close)) = self.next(owner, None) {
            text.insert(range.end, close);
            text.insert(range.start, open);
        }
    }

    /// Puts markers in place of a range of a text.
    pub fn in_place(&mut self, text: &mut String, range: Range<usize>, owner: Owner) {
        let body = text[range.clone()].to_string();
        if let Some((open, close)) = self.next(owner, Some(body)) {
            text.replace_range(range, &String::from_iter([open, close]));
        }
    }

    /// Takes the markers out of a rendered text again: what is left, and what lay between markers.
    /// `None` if the template has torn a pair apart.
    pub fn remove(&self, marked: &str) -> Option<(String, Vec<MarkedRegion>)> {
        let mut text = String::with_capacity(marked.len());
        let mut regions = Vec::new();
        let mut open: Option<(usize, usize)> = None;
        for c in marked.chars() {
            let Some(&index) = self.by_char.get(&c) else {
                text.push(c);
                continue;
            };
            let mark = &self.marks[index];
            open = match open {
                None if c == mark.open => Some((index, text.len())),
                Some((opened, start)) if c == mark.close && opened == index => {
                    if let Some(body) = &mark.body {
                        (text.len() == start).then_some(())?;
                        text.push_str(body);
                    }
                    regions.push(MarkedRegion { range: start..text.len(), owner: mark.owner });
                    None
                }
                _ => return None,
            };
        }
        open.is_none().then_some((text, regions))
    }
}

#[cfg(test)]
mod tests;
