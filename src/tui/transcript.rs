//! The chat pane's state: what is shown of the conversation, how it is wrapped, where it is scrolled.
//!
//! Keeps wrapped rows by turn, so that a new token wraps only the last row of the last turn.

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

    /// Its rows.
    fn height(&self) -> usize {
        match &self.source {
            TranscriptSource::Answer(shown) => shown.lines().len(),
            _ => self.wrapped.rows().len(),
        }
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

    fn answers(&self) -> impl DoubleEndedIterator<Item = (usize, &Shown)> {
        let shown = self.items.iter().filter_map(|item| match &item.source {
            TranscriptSource::Answer(shown) => Some(&**shown),
            _ => None,
        });
        shown.collect::<Vec<_>>().into_iter().enumerate()
    }

    /// The row of an answer that somebody walks on: its answer, and what the row stands for.
    pub fn row(&self) -> Option<(&Answer, usize)> {
        let (answer, item) = self.row?;
        self.answers().nth(answer).map(|(_, shown)| (&shown.answer, item))
    }

    /// Whether a line of an answer belongs to the row that somebody walks on.
    pub fn is_on_row(&self, answer: usize, line: &Line) -> bool {
        line.item.is_some() && self.row == line.item.map(|item| (answer, item))
    }

    /// Puts the row cursor somewhere, or nowhere.
    pub fn walk_rows_to(&mut self, row: Option<(usize, usize)>) {
        self.row = row;
        let Some((answer, item)) = row else { return };
        let mut above = 0;
        let mut count = 0;
        for held in &self.items {
            if let TranscriptSource::Answer(shown) = &held.source {
                if count == answer {
                    let Some((first, last)) = shown.lines_of(item) else { return };
                    self.reveal_row(Some(above + last));
                    return self.reveal_row(Some(above + first));
                }
                count += 1;
            }
            above += held.height() + 1;
        }
    }

    /// Walks over the rows of all answers, from the newest one's last row where nobody walks yet.
    pub fn walk_rows(&mut self, by: isize) {
        let mut before = self.row;
        let all: Vec<usize> = self.answers().map(|(answer, _)| answer).collect();
        let ahead = |from: usize| all.iter().copied().filter(move |&answer| answer >= from);
        let back = |from: usize| all.iter().rev().copied().filter(move |&answer| answer <= from);
        let from = before.map_or(if by < 0 { usize::MAX } else { all.len().saturating_sub(1) }, |row| row.0);
        let order: Vec<usize> = if by < 0 { back(from).collect() } else { ahead(from).collect() };
        for answer in order {
            let item = before.take().filter(|row| row.0 == answer).map(|row| row.1);
            let found = self.answers().nth(answer).and_then(|(_, shown)| shown.beside(item, by));
            if let Some(item) = found {
                return self.walk_rows_to(Some((answer, item)));
            }
        }
    }

    /// Whether nothing was said beside the conversation.
    pub fn has_no_notes(&self) -> bool {
        !self
            .items
            .iter()
            .any(|item| matches!(item.source, TranscriptSource::Note(_) | TranscriptSource::Answer(_)))
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
        let shown = self.items.iter().filter(|item| matches!(item.source, TranscriptSource::Turn(_))).count();
        for turn in &turns[shown..] {
            self.items.push(TranscriptItem::new(TranscriptSource::Turn(turn.id)));
        }
        for (frame, before) in frames {
            let mut places = self
                .items
                .iter()
                .enumerate()
                .filter(|(_, item)| matches!(item.source, TranscriptSource::Turn(_)));
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

    /// Scrolls as little as needed to show a byte of a turn.
    pub fn reveal(&mut self, turn: TurnId, byte: usize) {
        self.reveal_row(
            self.row_with(byte, |source| matches!(source, TranscriptSource::Turn(id) if *id == turn)),
        );
    }

    fn reveal_row(&mut self, row: Option<usize>) {
        let Some(row) = row else { return };
        let top = self.top();
        if row < top {
            self.scroll = Scroll::At(row);
        } else if row >= top + self.height {
            self.scroll = Scroll::At(row + 1 - self.height);
        }
        self.keep_in_range();
    }

    /// The same for a token of scaffold.
    pub fn reveal_frame(&mut self, token: usize) {
        let frames = self.items.iter().filter_map(|item| match &item.source {
            TranscriptSource::Frame(frame) => Some(frame),
            _ => None,
        });
        let byte = frames.filter_map(|frame| frame.text_of(token)).next().map(|text| text.start);
        if let Some(byte) = byte {
            self.reveal_row(self.row_with(
                byte,
                |source| matches!(source, TranscriptSource::Frame(frame) if frame.text_of(token).is_some()),
            ));
        }
    }

    fn row_with(&self, byte: usize, is_it: impl Fn(&TranscriptSource) -> bool) -> Option<usize> {
        let mut above = 0;
        for item in &self.items {
            if is_it(&item.source) {
                let rows = item.wrapped.rows();
                let within = rows.iter().rposition(|row| row.start <= byte).unwrap_or(0);
                return Some(above + within);
            }
            above += item.height() + 1;
        }
        None
    }

    /// The rows in view, from the top down.
    pub fn visible<'a>(&'a self, session: &'a Session) -> impl Iterator<Item = RowKind<'a>> {
        self.window(session, self.top()).take(self.height)
    }

    /// The row shown at a line of the pane.
    pub fn at_line<'a>(&'a self, session: &'a Session, line: u16) -> Option<RowKind<'a>> {
        self.visible(session).nth(usize::from(line))
    }

    fn window<'a>(&'a self, session: &'a Session, from: usize) -> impl Iterator<Item = RowKind<'a>> {
        let mut turns = session.turns().iter();
        let (mut above, mut answers) = (0, 0);
        let with_turns = self.items.iter().map(move |item| {
            let turn = if matches!(item.source, TranscriptSource::Turn(_)) { turns.next() } else { None };
            let start = above;
            above += item.height() + 1;
            let answer = answers;
            answers += usize::from(matches!(item.source, TranscriptSource::Answer(_)));
            (item, turn, (start, answer))
        });
        with_turns.filter(move |(item, _, (start, _))| start + item.height() >= from).flat_map(
            move |(item, turn, (start, answer))| {
                let skip = from.saturating_sub(start);
                let rows = item.wrapped.rows().iter().enumerate().filter_map(move |(i, &row)| {
                    let first = i == 0;
                    match (&item.source, turn) {
                        (TranscriptSource::Note(note), _) => Some(RowKind::Note { note, row, first }),
                        (TranscriptSource::Frame(turn), _) => Some(RowKind::Turn { turn, row, first }),
                        (TranscriptSource::Turn(_), Some(turn)) => Some(RowKind::Turn { turn, row, first }),
                        (TranscriptSource::Turn(_), None) | (TranscriptSource::Answer(_), _) => None,
                    }
                });
                let lines = match &item.source {
                    TranscriptSource::Answer(shown) => shown.lines(),
                    _ => &[],
                };
                let lines = lines.iter().enumerate();
                let lines = lines.map(move |(i, line)| RowKind::Answer { answer, line, first: i == 0 });
                rows.chain(lines).chain([RowKind::Gap]).skip(skip)
            },
        )
    }
}
