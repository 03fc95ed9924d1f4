//! `/copy`: what goes to the clipboard.

use super::unread::{Unread, wrong};

/// What is copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyWhat {
    /// A reply's text.
    Reply,
    /// The candidates of a step.
    Table,
    /// The command that writes the reply again.
    Command,
}

/// A copy that is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyAsked {
    pub what: CopyWhat,
    /// The position in the conversation that it is about; without one, the end.
    pub at: Option<usize>,
}

/// `reply`, `table` or `command`; a reply where nothing is said.
pub(super) fn read(text: &str) -> Result<CopyAsked, Unread> {
    let what = match text.trim() {
        "" | "reply" => CopyWhat::Reply,
        "table" => CopyWhat::Table,
        "command" => CopyWhat::Command,
        _ => return wrong("reply, table and command can be copied"),
    };
    Ok(CopyAsked { what, at: None })
}
