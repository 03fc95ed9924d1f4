//! Which models a call is about, and whether each can be had.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use crate::app::failure::Failure;
use crate::model::bar::TerminalProgress;
use crate::model::{Library, Purpose, ServerAddress};
use crate::paths::Paths;
use crate::probe::item::Suite;
use crate::settings::Settings;

/// Suites with the model each asks for, neighbours of one model together. A model on the command line
/// wins.
pub(super) fn by_model(suites: Vec<Suite>, fixed: bool) -> Vec<(Option<String>, Vec<Suite>)> {
    let mut groups: Vec<(Option<String>, Vec<Suite>)> = Vec::new();
    for suite in suites {
        let model = suite.model.clone().filter(|_| !fixed);
        match groups.last_mut() {
            Some((last, group)) if *last == model => group.push(suite),
            _ => groups.push((model, vec![suite])),
        }
    }
    groups
}

/// Looks at every model there will be, where there are several: what is wrong with the last one is no
/// surprise after the first one's run. Results are told apart by a model's name.
pub(super) fn check(
    groups: &[(Option<String>, Vec<Suite>)],
    settings: &Settings,
    paths: &Paths,
    interrupted: &Arc<AtomicBool>,
) -> Result<(), Failure> {
    let mut specs: Vec<&str> =
        groups.iter().map(|(model, _)| model.as_deref().unwrap_or(&settings.model)).collect();
    specs.sort_unstable();
    specs.dedup();
    if specs.len() < 2 {
        return Ok(());
    }
    let progress = TerminalProgress::new(Arc::clone(interrupted), settings.quiet);
    let library = Library::at(paths, std::env::current_exe().ok());
    let mut names: Vec<(String, &str)> = Vec::new();
    for spec in specs {
        let name = match ServerAddress::is_meant(spec) {
            true => spec.to_string(),
            false => library.resolve(spec, Purpose::Run, &progress)?.name,
        };
        if let Some((_, other)) = names.iter().find(|(known, _)| *known == name) {
            return Err(Failure::usage(format!(
                "{other} and {spec} are both called {name} in reports: give one of the files another name"
            )));
        }
        names.push((name, spec));
    }
    progress.clear();
    Ok(())
}
