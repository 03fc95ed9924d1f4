//! What was said of tokens, and what was said before that.

use crate::archive::event::Judged;

/// What was said of the tokens of a conversation.
#[derive(Clone, Debug, Default)]
pub struct Verdicts {
    /// The last word on each stretch of tokens; one that was taken back says nothing.
    all: Vec<Judged>,
    /// What was said before each mark, the newest last.
    before: Vec<Judged>,
}

impl Verdicts {
    /// Those of a file.
    pub fn of(all: Vec<Judged>) -> Verdicts {
        Verdicts { all, before: Vec::new() }
    }

    /// The last word on each stretch of tokens.
    pub fn all(&self) -> &[Judged] {
        &self.all
    }

    /// Says something, in place of what was said of the same tokens.
    pub(super) fn say(&mut self, judged: Judged) {
        let before = self.put(judged.clone());
        let nothing = Judged { right: None, note: None, ..judged };
        self.before.push(before.unwrap_or(nothing));
    }

    fn put(&mut self, judged: Judged) -> Option<Judged> {
        let at = self.all.iter().position(|other| other.tokens == judged.tokens);
        let before = at.map(|at| self.all.remove(at));
        self.all.push(judged);
        before
    }

    /// Takes the last mark back; what holds then.
    pub(super) fn undo(&mut self) -> Option<Judged> {
        let before = self.before.pop()?;
        self.put(before.clone());
        Some(before)
    }
}
