//! `tokenscope sessions …`: what was saved, without a model.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;

use super::call::Call;
use super::failure::{Failure, INTERRUPTED, OK};
use crate::archive::event;
use crate::archive::read::{self, Opened};
use crate::archive::shelf::{Listed, Shelf};
use crate::cli::{CalibrationFormat, SessionsCommand};
use crate::columns::{clipped, fitted};
use crate::files::{self, Existing, WriteError};
use crate::model::bar::{can_ask, goes_on};
use crate::report::bars::Paint;
use crate::report::output::{is_closed_pipe, json_line};
use crate::report::table;
use crate::sampling::Sampling;
use crate::say;
use crate::session::calibration::AllVerdicts;
use crate::session::calibration::shown::{self, CalibrationRecord};
use crate::session::export::ExportFormat;
use crate::session::export::suite::{self, NamedMark};
use crate::session::judged::scope;
use crate::session::restored::{Restored, numbers};
use crate::settings::SamplingFlags;
use crate::step::Step;
use crate::token::{printable, visible};

/// Columns of a title and a model in a list.
const TITLE: usize = 44;
const MODEL: usize = 16;

/// Does what is asked with saved conversations.
pub(super) fn run(command: &SessionsCommand, call: &Call) -> Result<u8, Failure> {
    let shelf = Shelf::at(&call.paths);
    let text = match command {
        SessionsCommand::List { text, json } => list(&shelf, text.as_deref().unwrap_or_default(), *json),
        SessionsCommand::Schema => format!("{:#}\n", event::schema()).into_bytes(),
        SessionsCommand::Rm { names, yes } => return remove(&shelf, names, *yes),
        SessionsCommand::Show { session, branch, json: true } => {
            written(&of_branch(&open(&shelf, session)?, *branch)?, ExportFormat::Json, call)?
        }
        SessionsCommand::Show { session, branch, json: false } => {
            let opened = open(&shelf, session)?;
            show(&opened, &of_branch(&opened, *branch)?)
        }
        SessionsCommand::Calibration { text, format, json, output, force } => {
            let format = if *json { CalibrationFormat::Json } else { *format };
            let text = calibration(&shelf, text, format).map_err(Failure::usage)?;
            let Some(path) = output else { return print(&text) };
            return to_file(&text, path, *force);
        }
        SessionsCommand::Export { session, output, format, branch, force } => {
            let format = match (format, output) {
                (Some(format), _) => *format,
                (None, None) => ExportFormat::Markdown,
                (None, Some(path)) => ExportFormat::of(path).ok_or_else(|| unknown(path))?,
            };
            let text = written(&of_branch(&open(&shelf, session)?, *branch)?, format, call)?;
            let Some(path) = output else { return print(&text) };
            return to_file(&text, path, *force);
        }
    };
    print(&text)
}

fn print(text: &[u8]) -> Result<u8, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if !is_closed_pipe(&error) => Err(Failure::usage(format!("standard output: {error}"))),
        _ => Ok(OK),
    }
}

fn unknown(path: &Path) -> Failure {
    let path = path.display();
    Failure::usage(format!(
        "{path}: write a name that ends in .md, .json, .jsonl, .csv, .html or .toml, or --format"
    ))
}

fn open(shelf: &Shelf, named: &str) -> Result<Opened, Failure> {
    let path = shelf.find(named).map_err(Failure::usage)?;
    let opened = read::read(&path).map_err(Failure::usage)?;
    if let Some(note) = &opened.note {
        say::tell(&format!("{}: {note}", path.display()));
    }
    Ok(opened)
}

fn of_branch(opened: &Opened, number: Option<u32>) -> Result<Restored, Failure> {
    let saved = &opened.saved;
    let number = number.unwrap_or(saved.branch().number);
    Restored::of(saved, number).ok_or_else(|| {
        let why = match saved.branches.iter().any(|branch| branch.number == number) {
            true => "it was taken out",
            false => "there is none",
        };
        let numbers: Vec<String> = numbers(saved).iter().map(u32::to_string).collect();
        Failure::usage(format!("--branch {number}: {why}; there are {}", numbers.join(", ")))
    })
}

fn written(restored: &Restored, format: ExportFormat, call: &Call) -> Result<Vec<u8>, Failure> {
    let settings = call.settings(Sampling::default(), &SamplingFlags::default())?;
    let mut text = Vec::new();
    restored.export(settings.k).write(&mut text, format).map_err(Failure::usage)?;
    Ok(text)
}

fn to_file(text: &[u8], path: &Path, force: bool) -> Result<u8, Failure> {
    let existing = if force { Existing::Replace } else { Existing::Keep };
    files::write(path, existing, &mut |out| out.write_all(text)).map_err(|error| {
        let path = path.display();
        match error {
            WriteError::Exists => Failure::usage(format!("{path} is there already: --force writes over it")),
            WriteError::Io(error) => Failure::usage(format!("{path}: {error}")),
        }
    })?;
    Ok(OK)
}

/// What was marked in the sessions that a text fits.
fn calibration(shelf: &Shelf, text: &str, format: CalibrationFormat) -> io::Result<Vec<u8>> {
    let all = AllVerdicts::of(shelf, text);
    all.unread.iter().for_each(|line| say::tell(line));
    let mut out = Vec::new();
    match format {
        CalibrationFormat::Table => shown::view(&all).write(&mut out, Paint::default())?,
        CalibrationFormat::Json => json_line(&mut out, &CalibrationRecord::new(&all))?,
        CalibrationFormat::Csv => shown::csv(&all, &mut out)?,
        CalibrationFormat::Suite => {
            let marks = all.marks().map(|(of, mark)| NamedMark { session: &of.session, mark });
            let marks: Vec<NamedMark> = marks.collect();
            let models: BTreeSet<&str> = all.sessions.iter().map(|of| of.model.as_str()).collect();
            let model = models.iter().next().copied().filter(|model| models.len() == 1 && !model.is_empty());
            suite::write(&marks, model, &mut out)?;
        }
    }
    Ok(out)
}

fn list(shelf: &Shelf, text: &str, as_json: bool) -> Vec<u8> {
    let (found, unread) = shelf.fitting(text);
    unread.iter().for_each(|line| say::tell(line));
    let mut out = Vec::new();
    if as_json {
        // Writing to memory does not fail.
        let _ = json_line(&mut out, &json!({ "folder": shelf.folder(), "sessions": found }));
        return out;
    }
    for session in &found {
        out.extend_from_slice(row(session).as_bytes());
    }
    let folder = printable(&shelf.folder().display().to_string());
    let told = match found.len() {
        0 if text.is_empty() => "no session yet; conversations are saved".to_string(),
        0 => "none fits; sessions are saved".to_string(),
        _ => "they hold all that was said, and lie".to_string(),
    };
    out.extend_from_slice(format!("{told} in {folder}\n").as_bytes());
    out
}

/// A line about a session.
fn row(session: &Listed) -> String {
    let name = printable(&session.name);
    let title = fitted(&printable(&session.title), TITLE);
    let model = fitted(&printable(&session.model), MODEL);
    let (messages, tokens) = (session.messages, session.tokens);
    let when = Timestamp::try_from(session.changed)
        .map(|time| time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string());
    let when = when.unwrap_or_default();
    format!("{when:<16} {messages:>4} messages {tokens:>7} tokens  {model} {title} {name}\n")
}

/// The conversation, each reply with its table.
fn show(opened: &Opened, restored: &Restored) -> Vec<u8> {
    let saved = &opened.saved;
    let begun = saved.created.as_ref().map_or(String::new(), |when| format!(" · begun {when}"));
    let model = if saved.model.model.is_empty() { "model not given" } else { saved.model.model.as_str() };
    let mut out = format!("{}{begun}", printable(model));
    let (number, all) = (restored.branch, restored.branches().all().len());
    if all > 1 {
        out.push_str(&format!(" · branch {number}, one of {all} (--branch N shows another)"));
    }
    out.push_str("\n\n");
    if let Some(system) = saved.settings.get("system") {
        out.push_str(&format!("system  {}\n\n", printable(system)));
    }
    let mut out = out.into_bytes();
    for (i, turn) in restored.turns.iter().enumerate() {
        let name = if turn.reply.is_some() { "model " } else { "you   " };
        out.extend_from_slice(format!("{name}  {}\n\n", turn.text).as_bytes());
        let steps: Vec<&Step> = restored.steps(i).collect();
        let Some(reply) = &turn.reply else { continue };
        let vocab = &saved.vocab;
        if !steps.is_empty() {
            // Writing to memory does not fail.
            let _ = table::steps(steps, vocab).write(&mut out, Paint::default());
        }
        if let Some(reason) = reply.finish {
            out.extend_from_slice(format!("{}\n\n", table::total(&reply.score, reason)).as_bytes());
        }
    }
    for mark in restored.judgements() {
        let (sign, said) = if mark.right { ("✓", "right") } else { ("✗", "wrong") };
        let note = mark.note.as_ref().map_or(String::new(), |note| format!(": {}", printable(note)));
        let text = clipped(&visible(&mark.text()), TITLE);
        out.extend_from_slice(
            format!("{sign} {} «{text}» is marked {said}{note}\n", scope(mark.scope)).as_bytes(),
        );
    }
    out
}

/// Removes sessions, each of which is meant.
fn remove(shelf: &Shelf, names: &[String], yes: bool) -> Result<u8, Failure> {
    let found: Vec<Listed> =
        names.iter().map(|name| shelf.exactly(name)).collect::<Result<_, _>>().map_err(Failure::usage)?;
    for session in &found {
        let what =
            format!("{} («{}», {} messages) is removed", session.name, session.title, session.messages);
        match () {
            () if yes => {}
            () if !can_ask() => {
                return Err(Failure::usage(format!("{what} only with --yes where nobody can be asked")));
            }
            () if !goes_on(&what) => return Ok(INTERRUPTED),
            () => {}
        }
        shelf.remove(session).map_err(Failure::usage)?;
        println!("removed {}", printable(&session.name));
    }
    Ok(OK)
}
