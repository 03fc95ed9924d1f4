//! What was marked as a probe suite that asks the same again.
//!
//! A marked token becomes a choice between it and the most probable other one, after what stood before both: it
//! is to be the better one where it was marked right, and not where it was marked wrong. Of spans and replies
//! the surprisal is reported and nothing expected. Texts become tokens anew: where a reply was cut or forced,
//! they may be other ones.

use std::io::{self, Write};

use crate::archive::event::VerdictScope;
use crate::chat::Role;
use crate::session::judged::scope;
use crate::session::judgement::Judgement;
use crate::token::printable;

/// A mark and the name of where it stands.
#[derive(Clone, Copy, Debug)]
pub struct NamedMark<'a> {
    /// The session's name, or nothing.
    pub session: &'a str,
    pub mark: &'a Judgement,
}

/// Writes the suite. `model` is whose figures they all are, where it is one.
///
/// # Errors
/// Those of the writer.
pub fn write(marks: &[NamedMark], model: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    let (asked, left): (Vec<&NamedMark>, Vec<&NamedMark>) =
        marks.iter().partition(|named| named.mark.asked.is_text);
    writeln!(out, "# What was marked right and wrong in conversations; tokenscope probe asks it again.")?;
    if !left.is_empty() {
        writeln!(
            out,
            "# Left out, because it is no text that could be asked for: {} marks (special tokens, bytes of",
            left.len()
        )?;
        writeln!(out, "# a character, what a person wrote).")?;
    }
    writeln!(out, "\n[suite]\nname = \"marked\"\ntitle = \"What was marked right and wrong\"")?;
    if let Some(model) = model {
        writeln!(out, "model = {}", quoted(model))?;
    }
    if asked.is_empty() {
        writeln!(out, "informational = true")?;
    }
    for (i, named) in asked.into_iter().enumerate() {
        probe(i + 1, named, out)?;
    }
    Ok(())
}

fn probe(number: usize, NamedMark { session, mark }: &NamedMark, out: &mut dyn Write) -> io::Result<()> {
    let said = if mark.right { "right" } else { "wrong" };
    let (text, before) = (mark.text(), String::from_utf8_lossy(&mark.asked.before).into_owned());
    let text = String::from_utf8_lossy(&text).into_owned();
    writeln!(out)?;
    for line in
        [Some(session).filter(|name| !name.is_empty()).copied(), mark.note.as_deref()].into_iter().flatten()
    {
        writeln!(out, "# {}", printable(line).replace('\n', " "))?;
    }
    writeln!(out, "[[probe]]")?;
    writeln!(out, "id = \"{}-{}-{number}\"", scope(mark.scope), said)?;
    let is_chat = !mark.asked.messages.is_empty();
    if is_chat {
        writeln!(out, "mode = \"chat\"\nmessages = [")?;
        for (role, content) in &mark.asked.messages {
            let role = match role {
                Role::System => "system",
                Role::Assistant => "assistant",
                _ => "user",
            };
            writeln!(out, "  {{ role = \"{role}\", content = {} }},", template(content))?;
        }
        writeln!(out, "]")?;
    } else {
        writeln!(out, "prompt = {}", template(&before))?;
    }
    // A reply begins behind the conversation: what stands before the marked tokens is a part of each choice.
    let lead = if is_chat { before.as_str() } else { "" };
    match (mark.scope, &mark.asked.other) {
        (VerdictScope::Token, Some(other)) => {
            let choices = [template(&format!("{lead}{text}")), template(&format!("{lead}{other}"))];
            writeln!(out, "choices = [{}]", choices.join(", "))?;
            if mark.right {
                writeln!(out, "answer = 0")?;
            }
            writeln!(out, "expect = [\"best() {} 0\"]", if mark.right { "==" } else { "!=" })
        }
        _ => {
            let steps = [lead, &text].into_iter().filter(|piece| !piece.is_empty()).map(template);
            writeln!(out, "steps = [{}]", steps.collect::<Vec<_>>().join(", "))
        }
    }
}

/// A text as a template that gives it.
fn template(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('{', Some('{' | '%' | '#')) => escaped.push_str("{{ '{' }}"),
            _ => escaped.push(c),
        }
    }
    quoted(&escaped)
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_string()).to_string()
}
