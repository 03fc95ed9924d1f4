//! From a setting to a model that can be loaded: shared by everything that runs one.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::{CancelFlag, Engine, LoadOptions};
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
pub struct FoundModel {
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
) -> Result<FoundModel, ModelError> {
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
    Ok(FoundModel { file, options, missing })
}

/// How long an engine may take to end before its successor is loaded beside it.
const PATIENCE: Duration = Duration::from_secs(2);
/// Memory that a model takes beside its file: cache and buffers.
const BESIDE: u64 = 512 << 20;

/// Ends an engine before another is loaded: two models are never held at once, unless the old one is still
/// computing and there is room for both. A line says so then.
///
/// # Errors
/// One line where the old one doesn't end and there is no room.
pub fn take_turns(old: Option<&Engine>, new: &LoadOptions) -> Result<Option<String>, String> {
    if old.is_none_or(|old| old.shut_down(PATIENCE)) {
        return Ok(None);
    }
    let needed = std::fs::metadata(&new.path).map_or(0, |about| about.len()) + BESIDE;
    beside(needed, available_memory()).map(Some)
}

fn beside(needed: u64, available: Option<u64>) -> Result<String, String> {
    let size = |bytes: u64| format!("{} MB", bytes.div_ceil(1 << 20));
    match available {
        Some(available) if available >= needed => Ok(format!(
            "the model before is still computing: until it ends there are two in memory ({} available)",
            size(available)
        )),
        _ => Err(format!(
            "the model before is still computing, and there is no room for another one beside it \
             ({} needed, {} available): try again when it has stopped",
            size(needed),
            available.map_or("an unknown amount".to_string(), size)
        )),
    }
}

/// Bytes that new work may take without swapping; `None` where the system doesn't say.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
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

#[cfg(test)]
mod tests {
    use super::{available_memory, beside};

    #[test]
    fn two_models_are_held_only_where_there_is_room_and_that_is_said() {
        let said = beside(700 << 20, Some(800 << 20)).unwrap();
        assert!(said.contains("two in memory (800 MB available)"), "{said}");
        let refused = beside(700 << 20, Some(600 << 20)).unwrap_err();
        assert!(refused.contains("700 MB needed, 600 MB available"), "{refused}");
        assert!(beside(1, None).is_err(), "who doesn't know has no room");
    }

    #[test]
    fn the_system_says_how_much_memory_there_is() {
        if cfg!(target_os = "linux") {
            assert!(available_memory().is_some_and(|bytes| bytes > 1 << 20));
        }
    }
}
