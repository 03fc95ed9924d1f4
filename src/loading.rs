//! From a setting to a model that can be loaded: shared by everything that runs one.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::{CancelFlag, Engine, EngineError, LoadOptions};
pub use crate::model::FlagIsConsent;
use crate::model::bar::{can_ask, goes_on};
use crate::model::{
    About, ApiKey, Consent, Copies, Library, ModelError, ModelFile, Processor, Progress, Purpose, Reason,
    ServerAccess, ServerAddress, Weights, WeightsInForce, authorities, decide,
};
use crate::paths::Paths;
use crate::room;
use crate::say;
use crate::settings::Settings;

/// A model's file, or its server, and how to load it.
#[derive(Debug)]
pub struct FoundModel {
    /// The file and what it is; a server's is not here.
    pub file: Option<ModelFile>,
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
    if ServerAddress::is_meant(&settings.model) {
        let options = at_server(settings, cancel)?;
        return Ok(FoundModel { file: None, options, missing: None });
    }
    // Over RPC it is loaded in a process of its own anyway, and may be too large for this machine.
    let trier = std::env::current_exe().ok().filter(|_| settings.rpc.is_empty());
    let library = Library::at(paths, trier);
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
                in_force = WeightsInForce::as_is(Reason::Making(wanted.weights));
                missing = Some(wanted.weights);
            } else if let Some(copy) = copies.try_obtain(&file, wanted.weights, progress)? {
                path = copy;
            } else {
                in_force = WeightsInForce::as_is(Reason::NoCopy(wanted.weights));
            }
        }
        _ => {}
    }
    let about = About {
        quantization: Some(file.summary.quantization.clone()),
        weights: in_force,
        sampling: file.sampling.clone(),
        entry: file.entry,
        server: None,
    };
    let options = LoadOptions {
        path,
        name: file.name.clone(),
        context: settings.ctx,
        threads: settings.threads,
        exact: settings.exact,
        about: Arc::new(about),
        server: None,
        rpc: settings.rpc.clone(),
        patience: settings.timeouts,
        cancel,
    };
    Ok(FoundModel { file: Some(file), options, missing })
}

/// How the model that the settings name at a server is asked.
fn at_server(settings: &Settings, cancel: CancelFlag) -> Result<LoadOptions, ModelError> {
    let address = ServerAddress::parse(&settings.model)?;
    let key = ApiKey::find(settings.api_key_file.as_deref())?;
    let authorities = settings.ca_file.as_deref().map(authorities).transpose()?;
    Ok(LoadOptions {
        path: address.as_path(),
        name: settings.model.clone(),
        context: settings.ctx,
        threads: settings.threads,
        exact: settings.exact,
        about: Arc::default(),
        server: Some(ServerAccess { address, key, authorities }),
        rpc: Vec::new(),
        patience: settings.timeouts,
        cancel,
    })
}

/// How long an engine may take to end.
const PATIENCE: Duration = Duration::from_secs(2);
/// Memory that a model takes beside its file: cache and buffers.
const BESIDE: u64 = 512 << 20;

/// Loads a model in the place of another. Where there is room for both, the old one goes once the new one
/// is ready; else it ends first. `note` gets a line that says which.
///
/// # Errors
/// Those of `load`, after which the old one may have ended, and one line where it doesn't end though it must.
pub fn in_place_of<T>(
    old: Option<&Engine>,
    new: &LoadOptions,
    note: impl FnOnce(&str),
    load: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    let Some(old) = old.filter(|old| !old.has_ended()) else { return load() };
    if new.server.is_some() {
        // It takes no memory here.
        return take_turns(old, true, load).unwrap_or(Err(EngineError::LoadCancelled));
    }
    if !new.rpc.is_empty() {
        // An RPC server computes for one at a time.
        return take_turns(old, false, load).unwrap_or_else(|| Err(still_computes(new)));
    }
    let needed = std::fs::metadata(&new.path).map_or(0, |about| about.len()) + BESIDE;
    let room = beside(needed, room::memory());
    note(room.as_ref().unwrap_or_else(|line| line));
    take_turns(old, room.is_ok(), load).unwrap_or_else(|| Err(still_computes(new)))
}

fn still_computes(new: &LoadOptions) -> EngineError {
    let reason = "the model before is still computing: try again when it has stopped".to_string();
    EngineError::Load { path: new.path.display().to_string(), reason }
}

/// Whether a model may be held beside those that are loaded; one line where not.
///
/// # Errors
/// The line.
pub fn has_room(options: &LoadOptions) -> Result<(), String> {
    if !options.is_here() {
        return Ok(());
    }
    let needed = std::fs::metadata(&options.path).map_or(0, |about| about.len()) + BESIDE;
    beside(needed, room::memory()).map(drop).map_err(|_| {
        let (needed, free) = (
            needed.div_ceil(1 << 20),
            room::memory().map_or("unknown".to_string(), |free| format!("{} MB", free >> 20)),
        );
        format!(
            "there is no room for {} beside the first model ({needed} MB needed, available: {free})",
            options.name
        )
    })
}

/// `None`: there is no room for both, and the old one goes on.
fn take_turns<T, E>(old: &Engine, room: bool, load: impl FnOnce() -> Result<T, E>) -> Option<Result<T, E>> {
    if !room && !old.shut_down(PATIENCE) {
        return None;
    }
    let loaded = load();
    if loaded.is_ok() {
        old.shut_down(PATIENCE);
    }
    Some(loaded)
}

/// Whether two models may be held, in a line.
fn beside(needed: u64, available: Option<u64>) -> Result<String, String> {
    let size = |bytes: u64| format!("{} MB", bytes.div_ceil(1 << 20));
    match available {
        Some(available) if available >= needed => Ok(format!(
            "until the new model is ready there are two in memory ({} available)",
            size(available)
        )),
        _ => Err(format!(
            "there is no room for two models ({} needed, {} available): the one before ends first",
            size(needed),
            available.map_or("an unknown amount".to_string(), size)
        )),
    }
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
    use super::{beside, take_turns};
    use crate::engine::testing::Scripted;

    #[test]
    fn the_old_model_stays_until_the_new_one_is_ready_or_ends_first_where_there_is_no_room() {
        let client = Scripted::new([]).client();
        let old = client.engine();
        assert_eq!(take_turns(old, true, || Err::<(), _>("damaged")), Some(Err("damaged")));
        assert!(!old.has_ended());
        assert_eq!(take_turns(old, true, || Ok::<_, ()>(old.has_ended())), Some(Ok(false)));
        assert!(old.has_ended());
        let client = Scripted::new([]).client();
        let old = client.engine();
        assert_eq!(take_turns(old, false, || Ok::<_, ()>(old.has_ended())), Some(Ok(true)));
    }

    #[test]
    fn two_models_are_held_only_where_there_is_room_and_that_is_said() {
        let said = beside(700 << 20, Some(800 << 20)).unwrap();
        assert!(said.contains("two in memory (800 MB available)"), "{said}");
        let ends = beside(700 << 20, Some(600 << 20)).unwrap_err();
        assert!(ends.contains("700 MB needed, 600 MB available"), "{ends}");
        assert!(beside(1, None).is_err(), "who doesn't know has no room");
    }
}
