//! From a setting to a model that can be loaded: shared by everything that runs one.

use std::sync::Arc;

use crate::engine::{CancelFlag, LoadOptions};
pub use crate::model::FlagIsConsent;
use crate::model::bar::{can_ask, goes_on};
use crate::model::{
    About, Consent, Copies, InForce, Library, ModelError, ModelFile, Processor, Progress, Purpose, Reason,
    Weights, decide,
};
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
    /// The copy that the catalogue names, where it is still to be made; see [`make_copy`].
    pub missing: Option<Weights>,
}

/// Asks on a terminal; elsewhere the flag is the consent, and standard error says so.
pub struct AskOnTerminal;

impl Consent for AskOnTerminal {
    fn agrees(&self, what: &str) -> bool {
        if can_ask() {
            return goes_on(what);
        }
        say::plain(what);
        true
    }
}

/// Nobody asks and nobody waits: a screen is open, and a model that is here runs at once as its file is;
/// the copy that the catalogue names is left to be made meanwhile.
pub struct Meanwhile;

impl Consent for Meanwhile {
    fn agrees(&self, _: &str) -> bool {
        true
    }

    fn waits(&self) -> bool {
        false
    }
}

/// Finds, fetches if need be, and checks the model that the settings name.
///
/// # Errors
/// What is wrong with it and what would be right. That a copy which only the catalogue names can't be
/// made is no error: the file is computed with as it is, and `progress` gets a line about it.
pub fn find(
    settings: &Settings,
    paths: &Paths,
    cancel: CancelFlag,
    progress: &dyn Progress,
    consent: &dyn Consent,
) -> Result<Found, ModelError> {
    let library = Library::at(paths, std::env::current_exe().ok());
    let file = library.resolve(&settings.model, Purpose::Run, progress)?;
    let copies = Copies::of(paths, &library);
    let wanted = decide(settings.weights, file.entry, Processor::here());
    let (mut in_force, mut path, mut missing) = (wanted, file.path.clone(), None);
    match wanted.reason {
        Reason::Asked => {
            path = copies.obtain(&file, wanted.weights, consent, progress)?;
        }
        Reason::Catalogue if wanted.weights != Weights::AsIs => {
            let waits = consent.waits() || file.fresh;
            if !waits && !copies.has(&file, wanted.weights) {
                in_force = InForce::as_is(Reason::Making(wanted.weights));
                missing = Some(wanted.weights);
            } else if let Some(copy) = copies.try_obtain(&file, wanted.weights, progress)? {
                path = copy;
            } else {
                in_force = InForce::as_is(Reason::NoCopy(wanted.weights));
            }
        }
        _ => {}
    }
    let about = About {
        quantization: Some(file.summary.quantization.clone()),
        weights: in_force,
        sampling: file.sampling.clone(),
        entry: file.entry,
    };
    let options = LoadOptions {
        path,
        name: file.name.clone(),
        context: settings.ctx,
        threads: settings.threads,
        exact: settings.exact,
        about: Arc::new(about),
        cancel,
    };
    Ok(Found { file, options, missing })
}

/// Makes the copy that [`find`] left out.
///
/// # Errors
/// Why it can't be had.
pub fn make_copy(
    file: &ModelFile,
    weights: Weights,
    paths: &Paths,
    progress: &dyn Progress,
) -> Result<(), ModelError> {
    let library = Library::at(paths, std::env::current_exe().ok());
    Copies::of(paths, &library).obtain(file, weights, &FlagIsConsent, progress).map(drop)
}
