//! An answer in the chat: laid out in the columns of its pane.

use crate::ask::Answer;
use crate::report::view::{Line, View};

/// An answer and how it is laid out.
#[derive(Debug)]
pub struct Shown {
    /// What was found.
    pub answer: Answer,
    view: View,
    lines: Vec<Line>,
    width: u16,
}

impl Shown {
    /// An answer that was never laid out.
    pub fn new(answer: Answer, view: View) -> Shown {
        Shown { answer, view, lines: Vec::new(), width: 0 }
    }

    /// Its lines at the width that was known last.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// Lays it out anew where the width is another.
    pub fn update(&mut self, width: u16) {
        let width = width.max(1);
        if width != self.width {
            self.lines = self.view.lines(usize::from(width));
            self.width = width;
        }
    }
}
