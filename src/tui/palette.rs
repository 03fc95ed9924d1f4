//! What can be asked for by name in the message: the commands of every front, and the panes and themes of
//! this one.

use crate::colouring::Colors;
use crate::command::{self, Completion};
use crate::text::nearest;

use super::pane::{PANES, Pane};
use super::theme::{self, THEMES};

/// What the screen alone can do, as the help says it.
pub const OWN: [(&str, &str); 2] =
    [("/pane", "NAME go to a pane: /pane table"), ("/theme", "NAME colour the screen anew: /theme light")];

/// Something that the screen does by itself.
#[derive(Debug, PartialEq)]
pub enum Asked {
    /// Go to a pane.
    Pane(&'static Pane),
    /// Take a theme's colours.
    Theme(String),
}

/// Proposals for the line being written.
pub fn complete(line: &str) -> Vec<Completion> {
    let mut found = command::complete(line);
    let completion = |line: String, label: &str, help: &str| Completion {
        line,
        label: label.to_string(),
        help: help.to_string(),
    };
    if line.starts_with('/') {
        let own = OWN.into_iter().filter(|(name, _)| name.starts_with(line));
        found.extend(own.map(|(name, help)| completion(name.to_string(), name, help)));
    }
    if let Some((name, written)) = line.split_once(' ') {
        let fitting = names(name).into_iter().filter(|(label, _)| label.starts_with(written));
        found.extend(fitting.map(|(label, about)| completion(format!("{name} {label}"), label, about)));
    }
    found
}

/// What may follow a command of the screen, and what each is.
fn names(command: &str) -> Vec<(&'static str, &'static str)> {
    match command {
        "/pane" => PANES.iter().map(|pane| (pane.name, pane.about)).collect(),
        "/theme" => THEMES.iter().map(|&(name, about, _)| (name, about)).collect(),
        _ => Vec::new(),
    }
}

/// What a line asks of the screen alone; `None` where it asks for nothing of the kind.
pub fn asked(line: &str) -> Option<Result<Asked, String>> {
    let words: Vec<&str> = line.split([' ', '=']).filter(|word| !word.is_empty()).collect();
    match words[..] {
        ["/pane", ref name @ ..] => Some(pane(&name.join(" ")).map(Asked::Pane)),
        // What who has learned `/set` writes.
        ["/theme", ref name @ ..] | ["/set", "theme", ref name @ ..] => {
            let name = name.join(" ");
            Some(theme::named(&name, Colors::Many).map(|_| Asked::Theme(name)))
        }
        _ => None,
    }
}

fn pane(name: &str) -> Result<&'static Pane, String> {
    PANES.into_iter().find(|pane| pane.name == name).ok_or_else(|| {
        let names = PANES.map(|pane| pane.name);
        let hint = nearest(name, names).map(|name| format!("did you mean {name}? "));
        format!("no pane is called {name:?}: {}there are {}", hint.unwrap_or_default(), names.join(", "))
    })
}
