//! `/off`, `/on` and `/steer`: what is to change in the model that computes, and from where on.

use super::unread::Unread;
use crate::intervention::{OffPart, Since, Steering};

/// What is to change.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Nothing: say what is in force.
    Nothing,
    /// Switch a part off.
    Off(OffPart),
    /// Switch a part on.
    On(OffPart),
    /// The model as it is, steering included.
    AllOn,
    /// Add a vector, in place of its dose before.
    Steer(Steering),
    /// Add no vector any more.
    Straight,
}

/// What stands before `from start` or `from here`, and which of the two it is.
fn since(text: &str) -> (&str, Since) {
    let text = text.trim();
    for (words, since) in [("from start", Since::Start), ("from here", Since::Here)] {
        match text.strip_suffix(words) {
            Some(what) if what.is_empty() || what.ends_with(char::is_whitespace) => {
                return (what.trim_end(), since);
            }
            _ => {}
        }
    }
    (text, Since::Here)
}

/// What is to change, and from where on.
pub(super) type Changed = (Change, Since);

fn command(text: &str, read: impl Fn(&str) -> Result<Change, String>) -> Result<Changed, Unread> {
    let (what, since) = since(text);
    Ok((read(what)?, since))
}

pub(super) fn off(text: &str) -> Result<Changed, Unread> {
    command(text, |part| match part {
        "" => Ok(Change::Nothing),
        part => part.parse().map(Change::Off),
    })
}

pub(super) fn on(text: &str) -> Result<Changed, Unread> {
    command(text, |part| match part {
        "" => Ok(Change::AllOn),
        part => part.parse().map(Change::On),
    })
}

pub(super) fn steer(text: &str) -> Result<Changed, Unread> {
    command(text, |dose| match dose {
        "" => Ok(Change::Nothing),
        "off" => Ok(Change::Straight),
        dose => dose.parse().map(Change::Steer),
    })
}
