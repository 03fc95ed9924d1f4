//! Why a line is none of the commands.

use std::borrow::Cow;

/// Why what follows a command's name is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// There is nothing.
    Missing,
    /// It is not what it should be: what would be.
    Wrong(Cow<'static, str>),
    /// The same as a line that says it all.
    Said(String),
}

impl From<String> for Unread {
    fn from(what: String) -> Unread {
        Unread::Wrong(what.into())
    }
}

impl From<&'static str> for Unread {
    fn from(what: &'static str) -> Unread {
        Unread::Wrong(what.into())
    }
}

pub(super) fn wrong<T>(what: impl Into<Unread>) -> Result<T, Unread> {
    Err(what.into())
}
