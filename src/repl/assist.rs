//! What helps while a line is edited: completion, hints, colours, lines that go on.

use std::borrow::Cow;

use rustyline::completion::{Completer, Pair};
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Result};

use crate::command::{self, COMMANDS};

/// The helper rustyline asks.
pub(super) struct Assist {
    history: HistoryHinter,
    color: bool,
}

impl Assist {
    pub fn new(color: bool) -> Assist {
        Assist { history: HistoryHinter::new(), color }
    }
}

/// The text of a line that was continued: a backslash at a line's end stands for the line break.
pub(super) fn joined(line: &str) -> String {
    line.replace("\\\n", "\n")
}

impl Completer for Assist {
    type Candidate = Pair;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> Result<(usize, Vec<Pair>)> {
        let mut found = command::complete(&line[..pos]);
        if found.is_empty() {
            found = command::complete_file(&line[..pos]);
        }
        let pairs = found.into_iter().map(|completion| {
            // What a command needs comes after a space.
            let goes_on = COMMANDS.iter().any(|spec| spec.name == completion.line && !spec.usage.is_empty());
            let replacement = if goes_on { completion.line + " " } else { completion.line };
            Pair { display: completion.label, replacement }
        });
        Ok((0, pairs.collect()))
    }
}

impl Hinter for Assist {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, ctx: &Context<'_>) -> Option<String> {
        if pos < line.len() || line.is_empty() {
            return None;
        }
        if let Some(hint) = self.history.hint(line, pos, ctx) {
            return Some(hint);
        }
        let spec = COMMANDS.iter().find(|spec| line.starts_with('/') && line.trim_end() == spec.name)?;
        let gap = if line.ends_with(' ') { "" } else { " " };
        Some(format!("{gap}{}", spec.usage)).filter(|_| !spec.usage.is_empty())
    }
}

impl Highlighter for Assist {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        if !self.color || !line.starts_with('/') || line.starts_with("//") {
            return Cow::Borrowed(line);
        }
        let (name, rest) = line.split_at(line.find(' ').unwrap_or(line.len()));
        let known = command::spec(name).is_some();
        let color = if known { 36 } else { 31 };
        Cow::Owned(format!("\x1b[{color}m{name}\x1b[0m{rest}"))
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        if self.color { Cow::Owned(format!("\x1b[2m{hint}\x1b[0m")) } else { Cow::Borrowed(hint) }
    }

    fn highlight_char(&self, line: &str, _: usize, _: CmdKind) -> bool {
        self.color && line.starts_with('/')
    }
}

impl Validator for Assist {
    fn validate(&self, ctx: &mut ValidationContext) -> Result<ValidationResult> {
        Ok(match ctx.input().ends_with('\\') {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

impl Helper for Assist {}

#[cfg(test)]
mod tests {
    use rustyline::history::DefaultHistory;

    use super::*;

    fn completions(line: &str) -> Vec<String> {
        let history = DefaultHistory::new();
        let ctx = Context::new(&history);
        let (_, pairs) = Assist::new(false).complete(line, line.len(), &ctx).unwrap();
        pairs.into_iter().map(|pair| pair.replacement).collect()
    }

    #[test]
    fn commands_settings_models_and_files_complete() {
        assert_eq!(completions("/comp"), ["/compare "]);
        assert_eq!(completions("/qu"), ["/quit"]);
        assert_eq!(completions("/set min"), ["/set min-p"]);
        assert_eq!(completions("/model gem"), ["/model gemma-3-270m"]);
        assert_eq!(completions("/probe indu"), ["/probe induction.en", "/probe induction.zh"]);
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("my talk.json"), "").unwrap();
        // A name is taken as it stands: nothing in it is escaped.
        for before in ["/load", "/set grammar"] {
            let line = format!("{before} {}/my", dir.path().display());
            assert_eq!(completions(&line), [format!("{line} talk.json")]);
        }
    }

    #[test]
    fn a_command_hints_what_follows() {
        let history = DefaultHistory::new();
        let ctx = Context::new(&history);
        let hint = |line: &str| Assist::new(false).hint(line, line.len(), &ctx);
        assert_eq!(hint("/step").as_deref(), Some(" N"));
        assert_eq!(hint("/quit"), None);
    }

    #[test]
    fn a_backslash_goes_on_in_the_next_line() {
        assert_eq!(joined("def f():\\\n    return"), "def f():\n    return");
    }

    #[test]
    fn unknown_commands_are_told_by_colour() {
        let assist = Assist::new(true);
        assert!(assist.highlight("/next a", 0).contains("[36m/next"));
        assert!(assist.highlight("/nxt a", 0).contains("[31m/nxt"));
        assert_eq!(assist.highlight("plain", 0), "plain");
    }
}
