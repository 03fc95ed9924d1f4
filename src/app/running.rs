//! What stands before every question: settings that are whole, one model or several, and each of them loaded.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::failure::Failure;
use super::rpc;
use crate::bounded;
use crate::counter::{Counter, Far};
use crate::engine::{CancelFlag, Client, EngineError, LoadOptions, ModelInfo};
use crate::interrupt;
use crate::loading::{self, FoundModel};
use crate::model::bar::TerminalProgress;
use crate::model::{Library, ModelFile};
use crate::paths::Paths;
use crate::report::record::Origin;
use crate::say;
use crate::settings::{Settings, SettingsError};

/// Reads the constraint of replies, and says what there is to know of it.
pub(super) fn read_constraint(settings: &mut Settings) -> Result<(), SettingsError> {
    let note = interrupt::waiting(|| settings.read_constraint())?;
    if !settings.quiet {
        note.into_iter().chain(bounded::marks()).for_each(|line| say::tell(&line));
    }
    Ok(())
}

/// Refuses further models where only one can be used.
pub(super) fn one_model(settings: &Settings, what: &str) -> Result<(), Failure> {
    match settings.other_models.first() {
        None => Ok(()),
        Some(other) => {
            let first = &settings.model;
            Err(Failure::usage(format!("{what} is with one model, not with {first} and {other}")))
        }
    }
}

/// A model that is loaded and waited for.
pub(super) struct Running {
    pub client: Client,
    pub model: Arc<ModelInfo>,
    pub origin: Origin,
    pub options: LoadOptions,
}

impl Running {
    /// Finds and loads the model, with progress on standard error.
    pub fn load(
        settings: &Settings,
        paths: &Paths,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Running, Failure> {
        Running::load_after(None, settings, paths, interrupted)
    }

    /// The same in the place of another, by the rule of [`loading::in_place_of`].
    pub fn load_after(
        old: Option<&Client>,
        settings: &Settings,
        paths: &Paths,
        interrupted: &Arc<AtomicBool>,
    ) -> Result<Running, Failure> {
        let progress = TerminalProgress::new(Arc::clone(interrupted), settings.quiet);
        let cancel = CancelFlag::from(Arc::clone(interrupted));
        let FoundModel { file, options, .. } =
            loading::find(settings, paths, cancel, &progress, &loading::AskOnTerminal)?;
        let library = Library::at(paths, None);
        let sha256 = match &file {
            Some(ModelFile { sha256: Some(sum), .. }) => Some(sum.clone()),
            Some(file) => Some(library.sha256_of(&file.path, &progress)?),
            None => None,
        };
        progress.clear();
        let load = || load(&options, settings.quiet);
        let (client, model) = loading::in_place_of(old.map(Client::engine), &options, say::tell, load)?;
        // Where another model is already in use, the conversation leaves out what this one has not.
        if old.is_none() {
            model.check(&settings.interventions()).map_err(Failure::usage)?;
        }
        let mut origin = Origin::new(&model, settings, sha256);
        if let Some(file) = file {
            // A copy in another format is still this file's model.
            origin.provenance.file = file.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        }
        Ok(Running { client, model, origin, options })
    }
}

/// Loads a model, with how far that is on standard error.
pub(super) fn load(options: &LoadOptions, quiet: bool) -> Result<(Client, Arc<ModelInfo>), EngineError> {
    let counter = Counter::new(quiet);
    let _until_loaded = rpc::tell_when_slow(&options.rpc, quiet);
    let loaded = Client::load(options.clone(), |share| {
        let done = (share * 100.0) as usize;
        counter.show(Far { what: "loading", unit: "%", done, total: 100 });
    });
    counter.clear();
    loaded
}
