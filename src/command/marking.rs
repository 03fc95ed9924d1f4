//! `/mark`: what a person says of tokens.

use super::branching::{StepPlace, place};
use super::unread::{Unread, wrong};

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkWord {
    /// They are right.
    Right,
    /// They are wrong.
    Wrong,
    /// Nothing any more.
    None,
    /// What was said before the last mark.
    Undo,
}

/// What it is said of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkTarget {
    /// The token at the cursor; without one, the last reply.
    Here,
    /// The reply in which this position is; without one, the last.
    Reply(Option<usize>),
    Token(StepPlace),
    /// Tokens from the first to the last.
    Span(StepPlace, StepPlace),
}

/// A mark that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarkAsked {
    /// What is said.
    pub word: MarkWord,
    /// Of what.
    pub target: MarkTarget,
    /// Why.
    pub note: Option<String>,
}

impl MarkAsked {
    /// Where no place was named, it is the token at this position of the conversation, or the span of tokens
    /// between this one and another.
    pub fn at_cursor(&mut self, position: usize, span: Option<usize>) {
        match (&mut self.target, span) {
            (target @ MarkTarget::Here, Some(other)) => {
                let (first, last) = (position.min(other), position.max(other));
                *target = MarkTarget::Span(StepPlace::Position(first), StepPlace::Position(last));
            }
            (target @ MarkTarget::Here, None) => *target = MarkTarget::Token(StepPlace::Position(position)),
            (MarkTarget::Reply(at @ None), _) => *at = Some(position),
            _ => {}
        }
    }
}

/// `right|wrong|none [reply|@N|@N-M] [NOTE]`, or `undo`.
pub(super) fn read(text: &str) -> Result<MarkAsked, Unread> {
    let (first, rest) = word(text.trim());
    let word_ = match first {
        "right" | "+" => MarkWord::Right,
        "wrong" | "-" => MarkWord::Wrong,
        "none" => MarkWord::None,
        "undo" if rest.is_empty() => {
            return Ok(MarkAsked { word: MarkWord::Undo, target: MarkTarget::Here, note: None });
        }
        "undo" => return wrong("undo takes nothing: it takes the last mark back"),
        "" => return Err(Unread::Missing),
        _ => return wrong("write right, wrong, none or undo first"),
    };
    let (second, after) = word(rest);
    let (target, note) = if second == "reply" {
        (MarkTarget::Reply(None), after)
    } else if second.starts_with('@') {
        (span(second)?, after)
    } else {
        (MarkTarget::Here, rest)
    };
    let note = Some(note.trim().to_string()).filter(|note| !note.is_empty());
    Ok(MarkAsked { word: word_, target, note })
}

fn span(text: &str) -> Result<MarkTarget, Unread> {
    const RIGHT: &str =
        "write @ and the number of a token of the reply, from 1 on, or @3-7 for several (@p3: of the prompt)";
    let one = |text: &str| place(text).filter(|(_, bytes)| *bytes == 0).map(|(place, _)| place);
    let target = match text.split_once('-') {
        None => one(text).map(MarkTarget::Token),
        Some((first, last)) => {
            let of_prompt = first.starts_with("@p") && !last.starts_with('p');
            let last = if of_prompt { format!("p{last}") } else { last.to_string() };
            one(first).zip(one(&last)).map(|(first, last)| MarkTarget::Span(first, last))
        }
    };
    target.map_or_else(|| wrong(RIGHT), Ok)
}

/// The first word, and what follows it without the space between them.
fn word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    (word, rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_names_what_it_is_about_and_why() {
        let read =
            |text: &str| read(text).map(|mark| (mark.word, mark.target, mark.note.unwrap_or_default()));
        let (one, two) = (StepPlace::Step(1), StepPlace::Step(2));
        for (text, word, target, note) in [
            ("right", MarkWord::Right, MarkTarget::Here, ""),
            ("wrong  the year", MarkWord::Wrong, MarkTarget::Here, "the year"),
            ("right reply", MarkWord::Right, MarkTarget::Reply(None), ""),
            ("wrong @2 off by one", MarkWord::Wrong, MarkTarget::Token(two), "off by one"),
            ("none @1-2", MarkWord::None, MarkTarget::Span(one, two), ""),
            ("- @p1-2", MarkWord::Wrong, MarkTarget::Span(StepPlace::Prompt(1), StepPlace::Prompt(2)), ""),
            ("undo", MarkWord::Undo, MarkTarget::Here, ""),
        ] {
            assert_eq!(read(text), Ok((word, target, note.to_string())), "{text}");
        }
        for wrong in ["", "good", "right @0", "right @x", "right @1-", "right @1+2", "undo it"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
