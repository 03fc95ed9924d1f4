//! What can be asked for by name in the message: the commands of every front, and the panes of this one.

use crate::command::{self, Completion};
use crate::text::nearest;

use super::panels::{PANES, Pane, named};

/// How to go to a pane by name, as the help says it.
pub const GO: (&str, &str) = ("/pane", "NAME go to a pane: /pane table");

/// Proposals for the line being written.
pub fn complete(line: &str) -> Vec<Completion> {
    let mut found = command::complete(line);
    let (go, help) = GO;
    if line.starts_with('/') && go.starts_with(line) {
        found.push(Completion { line: go.to_string(), label: go.to_string(), help: help.to_string() });
    }
    let written = line.strip_prefix(go).and_then(|rest| rest.strip_prefix(' '));
    let panes = PANES.into_iter().filter(|pane| written.is_some_and(|name| pane.name.starts_with(name)));
    found.extend(panes.map(|pane| Completion {
        line: format!("{go} {}", pane.name),
        label: pane.name.to_string(),
        help: pane.about.to_string(),
    }));
    found
}

/// The pane that a line asks for; `None` where it asks for none.
pub fn pane(line: &str) -> Option<Result<&'static Pane, String>> {
    let rest = line.trim().strip_prefix(GO.0)?;
    let name = rest.strip_prefix(' ').or(rest.is_empty().then_some(""))?.trim();
    Some(named(name).ok_or_else(|| {
        let names = || PANES.into_iter().map(|pane| pane.name);
        let hint = nearest(name, names()).map(|name| format!("did you mean {name}? "));
        let all = names().collect::<Vec<_>>().join(", ");
        format!("no pane is called {name:?}: {}there are {all}", hint.unwrap_or_default())
    }))
}
