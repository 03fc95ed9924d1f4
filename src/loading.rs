//! From a setting to a model that can be loaded: shared by everything that runs one.

use crate::engine::{CancelFlag, LoadOptions};
use crate::model::{Library, ModelError, ModelFile, Progress, Purpose};
use crate::paths::Paths;
use crate::settings::Settings;

/// A model's file and how to load it.
#[derive(Debug)]
pub struct Found {
    /// The file and what it is.
    pub file: ModelFile,
    /// What the engine needs.
    pub options: LoadOptions,
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
) -> Result<Found, ModelError> {
    let library = Library::at(paths, std::env::current_exe().ok());
    let file = library.resolve(&settings.model, Purpose::Run, progress)?;
    let options = LoadOptions {
        path: file.path.clone(),
        name: file.name.clone(),
        context: settings.ctx,
        threads: settings.threads,
        exact: settings.exact,
        cancel,
    };
    Ok(Found { file, options })
}
