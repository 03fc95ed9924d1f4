//! Commands that go another way from a step on, and those that go about among the branches.

use super::unread::{Unread, wrong};

/// A place in the conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepPlace {
    /// A token of the last reply, counted from 1.
    Step(usize),
    /// A token of the whole prompt, counted from 1.
    Prompt(usize),
    /// A token of prompt and reply, counted from 0.
    Position(usize),
}

/// What can be asked of the branches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BranchCommand {
    /// Take another candidate at a place (the last step where none is given) and go on from there.
    Swap(Option<StepPlace>, usize),
    /// Have a text stand at a place, after so many bytes of the token there, and go on from there.
    Force(Option<(StepPlace, usize)>, String),
    /// Go on with the reply that was stopped, by at most so many tokens.
    Continue(Option<usize>),
    /// Answer the last message again, so many times.
    Retry(usize),
    /// List all branches.
    List,
    /// Go to a branch, by its number or name.
    Go(String),
    /// Call a branch something; nothing takes its name away.
    Name(Option<u32>, String),
    /// Take a branch out.
    Prune(String),
    /// Put two branches side by side.
    Compare(String, String),
    /// Say something else in a message's place, counted from 1, and go on from there.
    Edit(usize, String),
    /// Have the next replies begin with a text; nothing ends that.
    Begin(String),
    /// Go on with a text as it is, outside of the chat template.
    Raw(String),
    /// Have replies stop after every token, or no longer.
    Stepwise(bool),
}

impl BranchCommand {
    /// Where no place was named, it is the token at this position of the conversation.
    pub fn at_cursor(&mut self, position: usize) {
        match self {
            BranchCommand::Swap(place @ None, _) => *place = Some(StepPlace::Position(position)),
            BranchCommand::Force(place @ None, _) => *place = Some((StepPlace::Position(position), 0)),
            _ => {}
        }
    }

    /// Whether there are tokens, names or branches after it that were not there, or are none any more.
    pub fn writes(&self) -> bool {
        !matches!(
            self,
            BranchCommand::List
                | BranchCommand::Go(_)
                | BranchCommand::Compare(..)
                | BranchCommand::Begin(_)
                | BranchCommand::Stepwise(_)
        )
    }

    /// Whether the conversation stands elsewhere after it.
    pub fn goes(&self) -> bool {
        !matches!(
            self,
            BranchCommand::List
                | BranchCommand::Name(..)
                | BranchCommand::Compare(..)
                | BranchCommand::Stepwise(_)
        )
    }
}

/// `12`, `@12` or `@p12`, and with `bytes` `@12+3`.
pub(super) fn place(text: &str) -> Option<(StepPlace, usize)> {
    let text = text.strip_prefix('@').unwrap_or(text);
    let (number, bytes) = match text.split_once('+') {
        Some((number, bytes)) => (number, bytes.parse().ok()?),
        None => (text, 0),
    };
    let (of_prompt, number) = match number.strip_prefix('p') {
        Some(number) => (true, number),
        None => (false, number),
    };
    let number: usize = number.parse().ok().filter(|&number| number > 0)?;
    Some((if of_prompt { StepPlace::Prompt(number) } else { StepPlace::Step(number) }, bytes))
}

pub(super) fn swap(text: &str) -> Result<BranchCommand, Unread> {
    const RIGHT: &str = "write the number of a token of the reply (or p and one of the prompt), and that of a candidate, both from 1 on";
    let candidate = |word: &str| word.parse().ok().filter(|&n: &usize| n > 0);
    let read = match text.split_whitespace().collect::<Vec<_>>()[..] {
        [] => return Err(Unread::Missing),
        [one] => candidate(one).map(|n| BranchCommand::Swap(None, n)),
        [at, one] => {
            let at = place(at).filter(|(_, bytes)| *bytes == 0);
            at.zip(candidate(one)).map(|((at, _), n)| BranchCommand::Swap(Some(at), n))
        }
        _ => None,
    };
    read.map_or_else(|| wrong(RIGHT), Ok)
}

pub(super) fn force(text: &str) -> Result<BranchCommand, Unread> {
    let Some(rest) = text.trim_start().strip_prefix('@') else {
        return match text.is_empty() {
            true => Err(Unread::Missing),
            false => Ok(BranchCommand::Force(None, text.to_string())),
        };
    };
    let (at, text) = rest.split_once(' ').unwrap_or((rest, ""));
    match place(at) {
        None => wrong(
            "after @ write the number of a token of the reply (p and one of the prompt), and perhaps + and a number of its bytes: @12, @p3, @12+2",
        ),
        Some((_, 0)) if text.is_empty() => Err(Unread::Missing),
        at => Ok(BranchCommand::Force(at, text.to_string())),
    }
}

/// A number from 1 on, or nothing.
fn count(text: &str) -> Result<Option<usize>, Unread> {
    match text.trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(n) if n > 0 => Ok(Some(n)),
            _ => wrong("write a number from 1 on, or nothing"),
        },
    }
}

pub(super) fn go_on(text: &str) -> Result<BranchCommand, Unread> {
    Ok(BranchCommand::Continue(count(text)?))
}

/// Most replies that are asked for at once.
const MOST_REPLIES: usize = 32;

pub(super) fn retry(text: &str) -> Result<BranchCommand, Unread> {
    match count(text)?.unwrap_or(1) {
        n if n > MOST_REPLIES => wrong(format!("at most {MOST_REPLIES} at once")),
        n => Ok(BranchCommand::Retry(n)),
    }
}

pub(super) fn name(text: &str) -> Result<BranchCommand, Unread> {
    let text = text.trim();
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Ok(match first.parse() {
        Ok(number) => BranchCommand::Name(Some(number), rest.trim().to_string()),
        Err(_) => BranchCommand::Name(None, text.to_string()),
    })
}

pub(super) fn compare(text: &str) -> Result<BranchCommand, Unread> {
    match text.split_whitespace().collect::<Vec<_>>()[..] {
        [] => Err(Unread::Missing),
        [a, b] => Ok(BranchCommand::Compare(a.to_string(), b.to_string())),
        _ => wrong("write the numbers or names of two branches"),
    }
}

pub(super) fn edit(text: &str) -> Result<BranchCommand, Unread> {
    let (number, text) = text.trim_start().split_once(' ').ok_or(Unread::Missing)?;
    match number.parse().ok().filter(|&n: &usize| n > 0) {
        _ if text.trim().is_empty() => Err(Unread::Missing),
        Some(number) => Ok(BranchCommand::Edit(number, text.to_string())),
        None => wrong("write which of your messages, counted from 1, and the new text"),
    }
}

#[cfg(test)]
mod tests;
