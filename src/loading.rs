//! From a setting to a model that can be loaded: shared by everything that runs one.

use crate::engine::{CancelFlag, LoadOptions};
use crate::model::error::ModelError;
use crate::model::progress::Progress;
use crate::paths::Paths;
use crate::settings::Settings;

/// Finds, fetches if need be, and checks the model that the settings name.
///
/// # Errors
/// What is wrong with it and what would be right.
pub fn find(
    settings: &Settings,
    _paths: &Paths,
    cancel: CancelFlag,
    _progress: &dyn Progress,
) -> Result<LoadOptions, ModelError> {
    Ok(LoadOptions {
        path: settings.model.clone().into(),
        name: settings.model.clone(),
        context: settings.ctx,
        threads: settings.threads,
        exact: settings.exact,
        cancel,
    })
}
