//! `tokenscope models info -m http://…`: what a server says it is, and what it gives.

use std::io::{self, Write};
use std::sync::Arc;

use serde_json::json;

use super::failure::Failure;
use super::running;
use crate::archive::LARGEST_VOCABULARY;
use crate::engine::{CancelFlag, ModelInfo};
use crate::interrupt;
use crate::loading::{self, AskOnTerminal};
use crate::model::bar::TerminalProgress;
use crate::model::{ModelError, ServerAbout};
use crate::paths::Paths;
use crate::settings::Settings;
use crate::token::printable;

/// What is wanted of the description.
#[derive(Clone, Copy, Debug)]
pub(super) struct ServedInfo {
    pub template: bool,
    pub json: bool,
}

/// Asks the server that the settings name, and prints what it says.
pub(super) fn info(settings: &Settings, paths: &Paths, wanted: ServedInfo) -> Result<(), Failure> {
    let interrupted = interrupt::watch().unwrap_or_default();
    let progress = TerminalProgress::new(Arc::clone(&interrupted), settings.quiet);
    let cancel = CancelFlag::from(interrupted);
    let found = loading::find(settings, paths, cancel, &progress, &AskOnTerminal)?;
    let (_client, model) = running::load(&found.options, settings.quiet)?;
    let Some(server) = model.about.server.as_deref() else { return Ok(()) };
    let out = &mut io::stdout().lock();
    let written = match wanted.json {
        true => writeln!(out, "{}", object(&model, server, wanted.template)),
        false => table(&model, server, wanted.template, out),
    };
    match written.map_err(ModelError::Output) {
        Err(error) if !error.is_closed_pipe() => Err(error.into()),
        _ => Ok(()),
    }
}

/// A number of tokens, where the server tells it: what stands in for one that is not known is larger than any.
fn told(n: usize) -> Option<usize> {
    Some(n).filter(|&n| n < LARGEST_VOCABULARY)
}

fn object(model: &ModelInfo, server: &ServerAbout, template: bool) -> serde_json::Value {
    let special = model.vocab.special();
    json!({
        "name": model.name,
        "server": server.kind,
        "address": model.path,
        "file": server.file,
        "sha256": server.sha256,
        "architecture": model.architecture,
        "parameters": model.parameters,
        "quantization": model.quantization,
        "weights": model.about.weights.weights.name(),
        "context": model.tells_context().then_some(model.context),
        "vocabulary": told(model.vocab.len()),
        "bos": special.bos.map(|id| id.0),
        "add_bos": special.add_bos,
        "chat_template": match &model.chat_template {
            Some(text) if template => json!(text),
            text => json!(text.is_some()),
        },
        "gives": {
            "candidates": model.gives.candidates,
            "scores": model.gives.scores,
            "layers": model.gives.layers,
            "comparison": model.gives.comparison,
        },
        "notes": server.notes,
    })
}

fn table(model: &ModelInfo, server: &ServerAbout, template: bool, out: &mut dyn Write) -> io::Result<()> {
    let mut row = |name: &str, value: &str| match value {
        "" => Ok(()),
        value => writeln!(out, "{name:<14} {}", printable(value)),
    };
    let special = model.vocab.special();
    let bos = special.bos.map_or("none".to_string(), |id| {
        let policy = if special.add_bos { "added before a text" } else { "not added before a text" };
        format!("{} ({id}), {policy}", model.vocab.visible(id))
    });
    row("name", &model.name)?;
    row("server", &format!("{} at {}", server.kind, model.path.display()))?;
    row("file", server.file.as_deref().unwrap_or_default())?;
    row("sha256", server.sha256.as_deref().unwrap_or_default())?;
    row("architecture", &model.architecture)?;
    if model.parameters > 0 {
        row("parameters", &model.parameters.to_string())?;
    }
    row("quantization", &model.quantization)?;
    let count = |n: Option<usize>| n.map_or("not told".to_string(), |n| format!("{n} tokens"));
    row("context", &count(model.tells_context().then_some(model.context as usize)))?;
    row("vocabulary", &count(told(model.vocab.len())))?;
    row("BOS", &bos)?;
    row("chat template", if model.chat_template.is_some() { "yes" } else { "no" })?;
    row(
        "candidates",
        &match model.gives.candidates {
            None => "the whole vocabulary: every figure is exact".to_string(),
            Some(most) => format!("at most {most}: other figures have bounds, or are not given"),
        },
    )?;
    row("texts", if model.gives.scores { "scored" } else { "not scored: next, generate and chat only" })?;
    row("layers", "none: no lens, nothing switched off or added")?;
    server.notes.iter().try_for_each(|note| row("note", note))?;
    match &model.chat_template {
        Some(text) if template => writeln!(out, "\n{}", printable(text)),
        _ => Ok(()),
    }
}
