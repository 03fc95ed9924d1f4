//! What a line that may become a command could go on with.

use clap::ValueEnum;

use super::{Argument, COMMANDS, spec};
use crate::chat::system;
use crate::files;
use crate::glossary::FIGURES;
use crate::intervention::OffPart;
use crate::lens::flags::LensView;
use crate::model::ALIASES;
use crate::probe::shipped::SUITES;
use crate::settings::key::SettingKey;
use crate::step::Doubt;

/// A proposal for what stands at the end of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The whole line with the proposal in place.
    pub line: String,
    /// What is shown in a list.
    pub label: String,
    /// What it does or holds.
    pub help: String,
}

/// Proposals for a line that may become a command, best first.
pub fn complete(line: &str) -> Vec<Completion> {
    if !line.starts_with('/') || line.starts_with("//") || line.contains('\n') {
        return Vec::new();
    }
    match line.split_once(' ') {
        None => COMMANDS
            .iter()
            .filter(|spec| spec.name.starts_with(line))
            .map(|spec| completion(String::new(), spec.name, &format!("{} {}", spec.usage, spec.help)))
            .collect(),
        Some((name, rest)) => {
            let argument = spec(name).map(|spec| spec.argument);
            argument.map_or_else(Vec::new, |argument| complete_argument(argument, name, rest))
        }
    }
}

/// Where a line's command takes a file: what stands before its name, and the name as far as it is written.
pub fn file_argument(line: &str) -> Option<(&str, &str)> {
    let (name, file) = line.split_once(' ').filter(|_| !line.contains('\n'))?;
    match spec(name)?.argument {
        Argument::File | Argument::Model | Argument::Suite | Argument::Vector => {
            Some((&line[..=name.len()], file.trim_start()))
        }
        Argument::Setting => {
            let (key, file) = file.split_once(' ')?;
            let takes =
                [SettingKey::Grammar, SettingKey::JsonSchema].iter().any(|taking| taking.name() == key);
            takes.then(|| (&line[..=name.len() + 1 + key.len()], file.trim_start()))
        }
        _ => None,
    }
}

/// The lines that complete a file's name.
pub fn complete_file(line: &str) -> Vec<Completion> {
    let Some((before, file)) = file_argument(line) else { return Vec::new() };
    let found = files::complete(file).into_iter();
    found
        .map(|file| {
            let label = file.trim_end_matches('/').rfind('/').map_or(0, |at| at + 1);
            completion(before.to_string() + &file[..label], &file[label..], "")
        })
        .collect()
}

fn complete_argument(argument: Argument, name: &str, rest: &str) -> Vec<Completion> {
    let alone = |label| (label, "");
    let proposals: Vec<(&str, &str)> = match argument {
        Argument::None | Argument::Text | Argument::Number | Argument::File | Argument::Session => Vec::new(),
        Argument::Doubt => Doubt::ALL.iter().map(|doubt| alone(doubt.name())).collect(),
        Argument::Part => return complete_part(name, rest),
        Argument::Vector => vec![("off", "add no vector any more")],
        Argument::View => LensView::value_variants().iter().map(|view| alone(view.name())).collect(),
        Argument::Model => ALIASES.iter().map(|alias| (alias.name, alias.title)).collect(),
        Argument::Suite => SUITES.iter().map(|(suite, _)| alone(*suite)).collect(),
        Argument::Command => COMMANDS.iter().map(|spec| (&spec.name[1..], spec.help)).collect(),
        Argument::Figure => FIGURES.iter().map(|entry| (entry.names[0], entry.text)).collect(),
        Argument::System => system::names().chain(["none"]).map(alone).collect(),
        Argument::Setting => SettingKey::ALL.map(|key| (key.name(), key.range())).to_vec(),
    };
    let written = if argument == Argument::Command { rest.trim_start_matches('/') } else { rest };
    let fitting = proposals.into_iter().filter(|(label, _)| label.starts_with(written));
    fitting.map(|(label, help)| completion(format!("{name} "), label, help)).collect()
}

/// The kinds of parts, and behind a part from where on it is to be so.
fn complete_part(name: &str, rest: &str) -> Vec<Completion> {
    const KINDS: [(&str, &str); 5] = [
        ("head ", "LAYER:HEAD, what a head gives"),
        ("attention ", "LAYER, what attention adds"),
        ("ffn ", "LAYER, what the feed-forward network adds"),
        ("layer ", "LAYER, both"),
        ("edge ", "FROM:TO[:LAYER[:HEAD]], what position TO sees of FROM; from start"),
    ];
    const SINCE: &str = "from start";
    let (before, last) = rest.rsplit_once(' ').map_or(("", rest), |(before, last)| (before, last));
    if before.parse::<OffPart>().is_ok() {
        let begins = SINCE.starts_with(last);
        let help = "as if it had always been so";
        return begins.then(|| completion(format!("{name} {before} "), SINCE, help)).into_iter().collect();
    }
    let fitting = KINDS.iter().filter(|(kind, _)| kind.starts_with(rest) && kind.len() > rest.len());
    fitting.map(|(kind, help)| completion(format!("{name} "), kind, help)).collect()
}

fn completion(before: String, label: &str, help: &str) -> Completion {
    Completion { line: before + label, label: label.to_string(), help: help.trim().to_string() }
}
