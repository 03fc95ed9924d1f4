//! `/lens`: which view, and of what.

use super::unread::{Unread, wrong};
use crate::lens::Looking;
use crate::lens::flags::{LensFlags, LensView};

/// What is looked at through a lens.
#[derive(Clone, Debug, PartialEq)]
pub enum LensSubject {
    /// What comes after a text: the text, the target and what it is compared with.
    Text(String, Option<String>, Option<String>),
    /// A token of the last reply, counted from 1; `None` is its last.
    Step(Option<usize>),
}

/// `VIEW [FLAGS] [@N | TEXT [||| TARGET [||| VERSUS]]]`.
pub(super) fn read(text: &str) -> Result<(Looking, LensSubject), Unread> {
    let text = text.trim_start();
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let view = match LensView::named(name) {
        Some(view) => view,
        None if name.is_empty() => return Err(Unread::Missing),
        None => return wrong(format!("VIEW is one of {}", LensView::names())),
    };
    let (mut flags, rest) = LensFlags::before(rest)?;
    // Other words in a prompt that is there: they are the text.
    if flags.span.is_some() && flags.corrupt.is_none() {
        let (step, words) = numbered(rest).map_or((None, rest), |(step, words)| (Some(step), words));
        if words.trim().is_empty() {
            return wrong("write behind --span what is to stand there");
        }
        flags.corrupt = Some(words.to_string());
        return Ok((flags.looking(view)?, LensSubject::Step(step)));
    }
    Ok((flags.looking(view)?, subject(rest)?))
}

/// `@N TEXT`.
fn numbered(text: &str) -> Option<(usize, &str)> {
    let (step, words) = text.strip_prefix('@')?.split_once(' ')?;
    Some((step.parse().ok().filter(|&step| step > 0)?, words))
}

/// `[@N | TEXT [||| TARGET [||| VERSUS]]]`.
fn subject(text: &str) -> Result<LensSubject, Unread> {
    if let Some(step) = text.trim().strip_prefix('@') {
        return match step.parse() {
            Ok(step) if step > 0 => Ok(LensSubject::Step(Some(step))),
            _ => wrong("write @ and the number of a token, from 1 on"),
        };
    }
    if text.is_empty() {
        return Ok(LensSubject::Step(None));
    }
    // A target goes on where the text ends: the space before it is its own.
    let mut texts = text.split("|||").map(|part| part.strip_suffix(' ').unwrap_or(part).to_string());
    let prompt = texts.next().unwrap_or_default();
    let (target, versus) = (texts.next(), texts.next());
    if texts.next().is_some() || target.iter().chain(&versus).any(String::is_empty) {
        return wrong("write a text, and after ||| a target, and after another ||| one more");
    }
    Ok(LensSubject::Text(prompt, target, versus))
}
