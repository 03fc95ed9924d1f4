//! The chat pane's state: what is shown of the conversation, how it is wrapped, where it is scrolled.
//!
//! Keeps wrapped rows by turn, so that a new token wraps only the last row of the last turn.

use std::sync::Arc;

use ratatui::layout::Size;

use crate::ask::Answer;
use crate::report::view::Line;
use crate::session::{Notice, Session, turn::Turn, turn::TurnId};
use crate::token::printable;

use super::answer::Shown;
use super::wrap::{Row, Wrapped};

/// Something in the chat pane.
#[derive(Debug)]
enum TranscriptSource {
    Turn(TurnId),
    /// Scaffold of the template.
    Frame(Box<Turn>),
    Note(Notice),
    Answer(Box<Shown>),
}

#[derive(Debug)]
struct TranscriptItem {
    source: TranscriptSource,
    wrapped: Wrapped,
}

impl TranscriptItem {
    fn new(source: TranscriptSource) -> TranscriptItem {
        TranscriptItem { source, wrapped: Wrapped::default() }
    }

    fn is_turn(&self) -> bool {
        matches!(self.source, TranscriptSource::Turn(_))
    }

    /// How many rows it takes.
    fn height(&self) -> usize {
        match &self.source {
            TranscriptSource::Answer(shown) => shown.lines().len(),
            _ => self.wrapped.rows().len(),
        }
    }
}

impl TranscriptItem {
    /// What is shown in its rows, and the gap after them. `turn` is the one it stands for, `answer` its
    /// number among the answers.
    fn rows<'a>(&'a self, turn: Option<&'a Turn>, answer: usize) -> impl Iterator<Item = RowKind<'a>> {
        let (turn, lines) = match &self.source {
            TranscriptSource::Frame(frame) => (Some(&**frame), &[][..]),
            TranscriptSource::Answer(shown) => (None, shown.lines()),
            _ => (turn, &[][..]),
        };
        let texts = self.wrapped.rows().iter().enumerate().filter_map(move |(i, &row)| {
            let first = i == 0;
            match (&self.source, turn) {
                (TranscriptSource::Note(note), _) => Some(RowKind::Note { note, row, first }),
                (_, turn) => turn.map(|turn| RowKind::Turn { turn, row, first }),
            }
        });
        let lines = lines.iter().enumerate();
        let lines = lines.map(move |(i, line)| RowKind::Answer { answer, line, first: i == 0 });
        texts.chain(lines).chain([RowKind::Gap])
    }
}

/// Where the pane looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Scroll {
    /// At the end, whatever is added.
    #[default]
    Follow,
    /// At a row counted from the top: what is added below does not move it.
    At(usize),
}

/// One row of the pane.
pub enum RowKind<'a> {
    /// Part of a turn; `index` counts its rows.
    Turn {
        /// The turn.
        turn: &'a Turn,
        /// Its bytes.
        row: Row,
        /// Whether it is the turn's first.
        first: bool,
    },
    /// Part of a note.
    Note {
        /// The note.
        note: &'a Notice,
        /// Its bytes.
        row: Row,
        /// Whether it is the note's first.
        first: bool,
    },
    /// Part of an answer.
    Answer {
        /// Which of the answers.
        answer: usize,
        /// The line.
        line: &'a Line,
        /// Whether it is the answer's first.
        first: bool,
    },
    /// Between two items.
    Gap,
}

/// The chat pane.
#[derive(Debug, Default)]
pub struct Transcript {
    items: Vec<TranscriptItem>,
    scroll: Scroll,
    /// Which answer's row somebody walks on: the answer, counted from the first, and its item.
    row: Option<(usize, usize)>,
    height: usize,
}

impl Transcript {
    /// Adds a note after what is there.
    pub fn note(&mut self, notice: Notice) {
        // Templates, file names and libraries speak in notices too.
        let notice = notice.map(printable);
        self.items.push(TranscriptItem::new(TranscriptSource::Note(notice)));
    }

    /// Adds an answer after what is there.
    pub fn answer(&mut self, shown: Shown) {
        self.items.push(TranscriptItem::new(TranscriptSource::Answer(Box::new(shown))));
    }

    /// The items, each with its first row.
    fn placed(&self) -> impl Iterator<Item = (usize, &TranscriptItem)> {
        self.items.iter().scan(0, |next, item| {
            let top = *next;
            *next += item.height() + 1;
            Some((top, item))
        })
    }

    fn answers(&self) -> impl Iterator<Item = (usize, &Shown)> {
        self.placed().filter_map(|(top, item)| match &item.source {
            TranscriptSource::Answer(shown) => Some((top, &**shown)),
            _ => None,
        })
    }

    /// The row of an answer that somebody walks on: its answer, and what the row stands for.
    pub fn row(&self) -> Option<(&Answer, usize)> {
        let (answer, item) = self.row?;
        self.answers().nth(answer).and_then(|(_, shown)| Some((shown.answer.as_ref()?, item)))
    }

    /// Whether a line of an answer belongs to the row that somebody walks on.
    pub fn is_on_row(&self, answer: usize, line: &Line) -> bool {
        line.item.is_some() && self.row == line.item.map(|item| (answer, item))
    }

    /// Whether somebody walks on this item of this answer.
    pub fn is_on(&self, row: (usize, usize)) -> bool {
        self.row == Some(row)
    }

    /// Puts the row cursor somewhere, or nowhere.
    pub fn walk_rows_to(&mut self, row: Option<(usize, usize)>) {
        self.row = row;
        let lines = row.and_then(|(answer, item)| {
            let (top, shown) = self.answers().nth(answer)?;
            let (first, last) = shown.lines_of(item)?;
            Some([top + last, top + first])
        });
        lines.into_iter().flatten().for_each(|row| self.reveal_row(row));
    }

    /// Walks over the rows of all answers, from the newest one's last row where nobody walks yet.
    pub fn walk_rows(&mut self, by: isize) {
        let count = self.answers().count();
        let mut item = self.row.map(|row| row.1);
        let mut next = self.row.map(|row| row.0).or(count.checked_sub(1));
        while let Some(answer) = next {
            let beside = self.answers().nth(answer).and_then(|(_, shown)| shown.beside(item.take(), by));
            if let Some(item) = beside {
                return self.walk_rows_to(Some((answer, item)));
            }
            next = answer.checked_add_signed(by).filter(|&answer| answer < count);
        }
    }

    /// Whether nothing was said beside the conversation.
    pub fn has_no_notes(&self) -> bool {
        let is_turn =
            |item: &TranscriptItem| item.is_turn() || matches!(item.source, TranscriptSource::Frame(_));
        self.items.iter().all(is_turn)
    }

    /// Forgets everything, notes included.
    pub fn clear(&mut self) {
        self.items.clear();
        self.row = None;
        self.scroll = Scroll::Follow;
    }

    /// Brings the items up to date with the conversation, the stretches of scaffold that are shown and the
    /// pane's size.
    pub fn sync(&mut self, session: &Session, frames: Vec<(Turn, usize)>, room: Size) {
        let turns = session.turns();
        self.items.retain(|item| match &item.source {
            TranscriptSource::Turn(id) => turns.iter().any(|turn| turn.id == *id),
            TranscriptSource::Frame(..) => false,
            TranscriptSource::Note(_) | TranscriptSource::Answer(_) => true,
        });
        let shown = self.items.iter().filter(|item| item.is_turn()).count();
        for turn in &turns[shown..] {
            self.items.push(TranscriptItem::new(TranscriptSource::Turn(turn.id)));
        }
        for (frame, before) in frames {
            let mut places = self.items.iter().enumerate().filter(|(_, item)| item.is_turn());
            let at = places.nth(before).map_or(self.items.len(), |(at, _)| at);
            self.items.insert(at, TranscriptItem::new(TranscriptSource::Frame(Box::new(frame))));
        }
        let width = room.width;
        self.height = usize::from(room.height);
        let mut turns = turns.iter();
        for item in &mut self.items {
            match &mut item.source {
                TranscriptSource::Turn(_) => {
                    let text = turns.next().map_or("", |turn| turn.text.as_str());
                    item.wrapped.update(text, width);
                }
                TranscriptSource::Frame(frame) => item.wrapped.update(&frame.text, width),
                TranscriptSource::Answer(shown) => shown.update(width),
                TranscriptSource::Note(notice) => item.wrapped.update(notice.text(), width),
            }
        }
        self.keep_in_range();
    }

    /// Rows in all, the gaps between items included.
    pub fn rows(&self) -> usize {
        let rows: usize = self.items.iter().map(|item| item.height() + 1).sum();
        rows.saturating_sub(1)
    }

    /// The first row shown.
    pub fn top(&self) -> usize {
        match self.scroll {
            Scroll::Follow => self.rows().saturating_sub(self.height),
            Scroll::At(row) => row,
        }
    }

    /// Whether the pane follows what is written.
    pub fn follows(&self) -> bool {
        self.scroll == Scroll::Follow
    }

    /// Scrolls by rows; down to the end follows again.
    pub fn scroll_by(&mut self, rows: isize) {
        self.scroll = Scroll::At(self.top().saturating_add_signed(rows));
        self.keep_in_range();
    }

    /// Rows of a page.
    pub fn page(&self) -> isize {
        self.height.saturating_sub(1).max(1) as isize
    }

    /// Follows what is written.
    pub fn follow(&mut self) {
        self.scroll = Scroll::Follow;
    }

    fn keep_in_range(&mut self) {
        if let Scroll::At(row) = self.scroll
            && row >= self.rows().saturating_sub(self.height)
        {
            self.scroll = Scroll::Follow;
        }
    }

    /// Scrolls as little as needed to show a token of the sequence.
    pub fn reveal(&mut self, session: &Session, token: usize) {
        let mut turns = session.turns().iter();
        let row = self.placed().find_map(|(top, item)| {
            let turn = match &item.source {
                TranscriptSource::Turn(_) => turns.next()?.as_ref(),
                TranscriptSource::Frame(frame) => frame.as_ref(),
                _ => return None,
            };
            let byte = turn.text_of(token)?.start.min(turn.text.len().saturating_sub(1));
            let within = item.wrapped.rows().iter().rposition(|row| row.start <= byte);
            Some(top + within.unwrap_or(0))
        });
        if let Some(row) = row {
            self.reveal_row(row);
        }
    }

    /// The same for a byte of a turn's text.
    pub fn reveal_text(&mut self, turn: TurnId, byte: usize) {
        let row = self.placed().find_map(|(top, item)| {
            matches!(item.source, TranscriptSource::Turn(id) if id == turn)
                .then(|| top + item.wrapped.rows().iter().rposition(|row| row.start <= byte).unwrap_or(0))
        });
        row.into_iter().for_each(|row| self.reveal_row(row));
    }

    fn reveal_row(&mut self, row: usize) {
        let top = self.top();
        if row < top {
            self.scroll = Scroll::At(row);
        } else if row >= top + self.height {
            self.scroll = Scroll::At(row + 1 - self.height);
        }
        self.keep_in_range();
    }

    /// The rows in view, from the top down.
    pub fn visible<'a>(&'a self, session: &'a Session) -> impl Iterator<Item = RowKind<'a>> {
        let (top, mut turns, mut answers) = (self.top(), session.turns().iter(), 0..);
        let items = self.placed().map(move |(start, item)| {
            let turn = if item.is_turn() { turns.next().map(Arc::as_ref) } else { None };
            let is_answer = matches!(item.source, TranscriptSource::Answer(_));
            let answer = if is_answer { answers.next() } else { None };
            (start, item, item.rows(turn, answer.unwrap_or_default()))
        });
        let in_view = items.filter(move |(start, item, _)| start + item.height() >= top);
        let rows = in_view.flat_map(move |(start, _, rows)| rows.skip(top.saturating_sub(start)));
        rows.take(self.height)
    }

    /// The row shown at a line of the pane.
    pub fn at_line<'a>(&'a self, session: &'a Session, line: u16) -> Option<RowKind<'a>> {
        self.visible(session).nth(usize::from(line))
    }
}
