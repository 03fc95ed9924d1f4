//! Commands that go another way from a step on, and those that go about among the branches.

use super::{Command, CommandError, CommandSpec, malformed, missing};

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

impl From<BranchCommand> for Command {
    fn from(command: BranchCommand) -> Command {
        Command::Branch(command)
    }
}

/// `12`, `@12` or `@p12`, and with `bytes` `@12+3`.
fn place(text: &str) -> Option<(StepPlace, usize)> {
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

pub(super) fn swap(spec: &CommandSpec, text: &str) -> Result<Command, CommandError> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let wrong = || {
        malformed(
            spec,
            "write the number of a token of the reply (or p and one of the prompt), and that of a candidate, both from 1 on",
        )
    };
    let candidate = |word: &str| word.parse().ok().filter(|&n: &usize| n > 0).ok_or_else(wrong);
    match words[..] {
        [] => Err(missing(spec)),
        [one] => Ok(BranchCommand::Swap(None, candidate(one)?).into()),
        [at, one] => match place(at) {
            Some((at, 0)) => Ok(BranchCommand::Swap(Some(at), candidate(one)?).into()),
            _ => Err(wrong()),
        },
        _ => Err(wrong()),
    }
}

pub(super) fn force(spec: &CommandSpec, text: &str) -> Result<Command, CommandError> {
    let Some(rest) = text.trim_start().strip_prefix('@') else {
        return match text.is_empty() {
            true => Err(missing(spec)),
            false => Ok(BranchCommand::Force(None, text.to_string()).into()),
        };
    };
    let (at, text) = rest.split_once(' ').unwrap_or((rest, ""));
    let at = place(at).ok_or_else(|| {
        malformed(spec, "after @ write the number of a token of the reply (p and one of the prompt), and perhaps + and a number of its bytes: @12, @p3, @12+2")
    })?;
    if text.is_empty() && at.1 == 0 {
        return Err(missing(spec));
    }
    Ok(BranchCommand::Force(Some(at), text.to_string()).into())
}

/// A number from 1 on, or nothing.
fn count(spec: &CommandSpec, text: &str) -> Result<Option<usize>, CommandError> {
    match text.trim() {
        "" => Ok(None),
        text => match text.parse() {
            Ok(n) if n > 0 => Ok(Some(n)),
            _ => Err(malformed(spec, "write a number from 1 on, or nothing")),
        },
    }
}

pub(super) fn go_on(spec: &CommandSpec, text: &str) -> Result<Command, CommandError> {
    Ok(BranchCommand::Continue(count(spec, text)?).into())
}

pub(super) fn retry(spec: &CommandSpec, text: &str) -> Result<Command, CommandError> {
    match count(spec, text)?.unwrap_or(1) {
        n if n > MOST_REPLIES => Err(malformed(spec, format!("at most {MOST_REPLIES} at once"))),
        n => Ok(BranchCommand::Retry(n).into()),
    }
}

/// Most replies that are asked for at once.
const MOST_REPLIES: usize = 32;

pub(super) fn name(_: &CommandSpec, text: &str) -> Result<Command, CommandError> {
    let text = text.trim();
    let (first, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Ok(match first.parse() {
        Ok(number) => BranchCommand::Name(Some(number), rest.trim().to_string()),
        Err(_) => BranchCommand::Name(None, text.to_string()),
    }
    .into())
}

pub(super) fn compare(spec: &CommandSpec, text: &str) -> Result<Command, CommandError> {
    match text.split_whitespace().collect::<Vec<_>>()[..] {
        [] => Err(missing(spec)),
        [a, b] => Ok(BranchCommand::Compare(a.to_string(), b.to_string()).into()),
        _ => Err(malformed(spec, "write the numbers or names of two branches")),
    }
}

pub(super) fn edit(spec: &CommandSpec, text: &str) -> Result<Command, CommandError> {
    let (number, text) = text.trim_start().split_once(' ').ok_or_else(|| missing(spec))?;
    let number = number.parse().ok().filter(|&n: &usize| n > 0);
    let number = number
        .ok_or_else(|| malformed(spec, "write which of your messages, counted from 1, and the new text"))?;
    match text.trim().is_empty() {
        true => Err(missing(spec)),
        false => Ok(BranchCommand::Edit(number, text.to_string()).into()),
    }
}

#[cfg(test)]
mod tests;
