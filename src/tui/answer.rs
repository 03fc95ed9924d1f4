//! An answer in the chat: computed away from the screen, laid out in the columns of its pane.

use std::sync::Arc;

use super::msg::NoAnswer;
use crate::ask::{self, Answer, Question};
use crate::lens::{Lens, LensWish};
use crate::query::Asker;
use crate::query::at_step::{RowWish, StepRow, row};
use crate::query::next::{StepUnder, step_under};
use crate::report::answer::{Stream, under, view};
use crate::report::bars::Paint;
use crate::report::view::{Line, View};
use crate::step::Step;

/// Answers a question and lays the answer out; where it fails, what was known until then is kept.
pub fn computed(asker: &mut Asker, asked: &Question) -> Result<Box<(Answer, View)>, NoAnswer> {
    let (k, vocab) = (asker.settings.k, Arc::clone(&asker.model.vocab));
    let mut told = Vec::new();
    let mut stream = Stream::new(&mut told, &vocab, Paint::default());
    let answer = ask::answer(asker, asked, &mut |part| {
        stream.part(part);
    });
    drop(stream);
    match answer {
        Ok(answer) => {
            let view = under(view(&answer, k, &vocab), &asked.under(&asker.settings));
            Ok(Box::new((answer, view)))
        }
        Err(error) => {
            let told = String::from_utf8_lossy(&told).into_owned();
            Err(NoAnswer { told, reason: error.to_string() })
        }
    }
}

/// Looks through a lens.
pub fn seen(asker: &mut Asker, wish: LensWish) -> Result<Box<Lens>, String> {
    match ask::answer(asker, &Question::Lens(Box::new(wish)), &mut |_| {}) {
        Ok(Answer::Lens(lens)) => Ok(lens),
        Ok(_) => Err("a lens was asked for, and something else answered".to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Computes a step again with another dose.
pub fn redone(asker: &mut Asker, wish: &StepUnder) -> Result<Arc<Step>, String> {
    step_under(asker, wish).map_err(|error| error.to_string())
}

/// Fetches a step's row.
pub fn fetched(asker: &mut Asker, wish: &RowWish) -> Result<Arc<StepRow>, String> {
    row(asker, wish).map(Arc::new).map_err(|error| error.to_string())
}

/// An answer and how it is laid out.
#[derive(Debug)]
pub struct Shown {
    /// What was found; a table of the session's own answers no question.
    pub answer: Option<Answer>,
    view: View,
    lines: Vec<Line>,
    width: u16,
}

impl Shown {
    /// An answer that was never laid out.
    pub fn new(answer: Answer, view: View) -> Shown {
        Shown { answer: Some(answer), view, lines: Vec::new(), width: 0 }
    }

    /// A table of the session's own.
    pub fn table(view: View) -> Shown {
        Shown { answer: None, view: view.with_print_minus(), lines: Vec::new(), width: 0 }
    }

    /// Its lines at the width that was known last.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The item after this one, or with −1 the one before; without one the first or the last.
    pub fn beside(&self, item: Option<usize>, by: isize) -> Option<usize> {
        let last = self.lines.iter().filter_map(|line| line.item).max()?;
        match item {
            Some(item) => item.checked_add_signed(by).filter(|&item| item <= last),
            None if by < 0 => Some(last),
            None => Some(0),
        }
    }

    /// The first and the last line of an item.
    pub fn lines_of(&self, item: usize) -> Option<(usize, usize)> {
        let is_it = |line: &Line| line.item == Some(item);
        Some((self.lines.iter().position(is_it)?, self.lines.iter().rposition(is_it)?))
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
