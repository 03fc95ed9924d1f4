//! From a setting to a model that can be loaded: shared by everything that runs one.

use std::io::{BufRead, IsTerminal};

use crate::engine::{CancelFlag, LoadOptions};
use crate::interrupt::waiting;
use crate::model::{Consent, Copies, Library, ModelError, ModelFile, Progress, Purpose};
use crate::paths::Paths;
use crate::say;
use crate::settings::Settings;

/// A model's file and how to load it.
#[derive(Debug)]
pub struct Found {
    /// The file and what it is.
    pub file: ModelFile,
    /// What the engine needs.
    pub options: LoadOptions,
}

/// Asks on a terminal; elsewhere the flag is the consent, and standard error says so.
pub struct AskOnTerminal;

impl Consent for AskOnTerminal {
    fn agrees(&self, what: &str) -> bool {
        if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
            say::plain(what);
            return true;
        }
        say::ask(&format!("{what}. Go on? [Y/n]"));
        let mut answer = String::new();
        let read = waiting(|| std::io::stdin().lock().read_line(&mut answer));
        read.is_ok_and(|n| n > 0) && !answer.trim().to_lowercase().starts_with('n')
    }
}

/// Takes the flag for consent.
pub struct FlagIsConsent;

impl Consent for FlagIsConsent {
    fn agrees(&self, _: &str) -> bool {
        true
    }
}

/// Finds, fetches if need be, and checks the model that the settings name.
///
/// # Errors
/// What is wrong with it and what would be right.
pub fn find(
    settings: &Settings,
    paths: &Paths,
    cancel: CancelFlag,
    progress: &dyn Progress,
    consent: &dyn Consent,
) -> Result<Found, ModelError> {
    let library = Library::at(paths, std::env::current_exe().ok());
    let file = library.resolve(&settings.model, Purpose::Run, progress)?;
    let copies = Copies {
        folder: paths.copies(),
        library: &library,
        executable: std::env::current_exe().unwrap_or_default(),
    };
    let options = LoadOptions {
        path: copies.obtain(&file, settings.weights, consent, progress)?,
        name: file.name.clone(),
        context: settings.ctx,
        threads: settings.threads,
        exact: settings.exact,
        cancel,
    };
    Ok(Found { file, options })
}
