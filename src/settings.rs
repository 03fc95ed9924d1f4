//! Every setting, from defaults < config file < environment < flags, checked once.
//!
//! [`Flags`] is one layer, in the form clap and the config file both fill in; [`Settings`] is what
//! the program runs with. [`key`] gives each setting that can be changed while running its name.

pub mod advice;
mod choices;
mod error;
pub mod key;
mod layer;
mod parse;
pub mod source;

use std::path::PathBuf;

use crate::distribution::Depth;
use crate::engine::Threads;
use crate::files;
use crate::grammar::ConstraintSource;
use crate::intervention::{Intervention, Interventions, OffPart, Steering};
use crate::model::{Patience, RpcServer, ServerAddress, Weights, control};
use crate::sampling::Sampling;
pub use choices::{Bos, ColorChoice};
pub use error::SettingsError;
use key::SettingKey;
pub use layer::{ChatSection, ConfigFile, Flags, SamplingFlags};
use source::{Source, Sources};

/// The model where nobody names one.
pub const DEFAULT_MODEL: &str = "smollm2-135m";

/// What the program runs with.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Which model.
    pub model: String,
    /// Further models, where several are compared.
    pub other_models: Vec<String>,
    /// Candidates shown.
    pub k: Depth,
    /// Threads.
    pub threads: Threads,
    /// Longest sequence, if someone chose.
    pub ctx: Option<u32>,
    /// BOS before raw text.
    pub bos: Bos,
    /// Whether special tokens written in raw text are recognised.
    pub special: bool,
    /// Repeatable arithmetic.
    pub exact: bool,
    /// Format to compute the weights in, if someone chose.
    pub weights: Option<Weights>,
    /// Machines that compute the model's layers.
    pub rpc: Vec<RpcServer>,
    /// Where the key of a server is, if somebody named a file.
    pub api_key_file: Option<PathBuf>,
    /// Where the certificates are that a server is trusted by, if somebody named a file.
    pub ca_file: Option<PathBuf>,
    /// How long a server may take.
    pub timeouts: Patience,
    /// Colours.
    pub color: ColorChoice,
    /// Say less on standard error.
    pub quiet: bool,
    /// How to choose tokens; its seed is always a number that can be shown. Its grammar is what
    /// [`Settings::constraint`] holds, once somebody has read it.
    pub sampling: Sampling,
    /// Where the constraint of replies is written, if there is one.
    pub constraint: Option<ConstraintSource>,
    /// Parts of the model that are off, in order.
    pub off: Vec<OffPart>,
    /// Steering vectors that are added, read.
    pub steer: Vec<Steering>,
    /// Who chose each of them.
    pub sources: Sources,
    /// System prompt: a name or a text.
    pub system: Option<String>,
    /// Most tokens of a reply; `None` fills the context.
    pub max_tokens: Option<usize>,
    /// Tokens a second that a screen shows, from 0.1 to 1000; `None` shows them as they come.
    pub pace: Option<f32>,
    /// Whether a conversation is saved as a session while it goes on.
    pub save: bool,
}

impl Settings {
    /// What is off and added.
    pub fn interventions(&self) -> Interventions {
        let off = self.off.iter().copied().map(Intervention::Off);
        off.chain(self.steer.iter().cloned().map(Intervention::Steer)).collect()
    }

    /// Reads the constraint that the settings name; who samples does this first. What a person should know
    /// of it comes back.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read_constraint(&mut self) -> Result<Option<String>, SettingsError> {
        let from = match self.sources.of(SettingKey::Regex) {
            Source::Config => "config.toml: ",
            Source::Here => "/set ",
            _ => "--",
        };
        let read = self.constraint.as_ref().map(ConstraintSource::read).transpose();
        let read = read.map_err(|error| error.given(from))?;
        let (constraint, note) = read.map(|read| (read.constraint, read.note)).unzip();
        self.sampling.grammar = constraint;
        Ok(note.flatten())
    }

    /// Puts the layers together; later ones win. `base` is where sampling starts from. Steering vectors are
    /// read from their files.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn from_layers(
        base: Sampling,
        file: &ConfigFile,
        flags: &Flags,
        sampling: &SamplingFlags,
    ) -> Result<Settings, SettingsError> {
        let general = [flags, &file.general];
        let pick = |of: fn(&Flags) -> Option<u32>| general.iter().find_map(|layer| of(layer));
        let mut chosen = base;
        chosen.seed = random_seed();
        for layer in [&file.sampling, sampling] {
            layer.apply(&mut chosen);
        }
        chosen.seed = flags.seed.unwrap_or(chosen.seed);
        let mut models = general
            .iter()
            .map(|layer| layer.model.clone())
            .find(|models| !models.is_empty())
            .unwrap_or_else(|| vec![DEFAULT_MODEL.to_string()]);
        let mut off = flags.off.clone();
        off.sort();
        off.dedup();
        let mut steer = flags.steer.clone();
        steer.iter_mut().try_for_each(control::read_dose).map_err(SettingsError)?;
        let rpc = rpc_servers(flags, &file.general, &models)?;
        let settings = Settings {
            model: models.remove(0),
            other_models: models,
            rpc,
            k: general.iter().find_map(|layer| layer.k).unwrap_or(Depth::Count(10)),
            threads: general.iter().find_map(|layer| layer.threads).unwrap_or_default(),
            ctx: pick(|layer| layer.ctx),
            bos: general.iter().find_map(|layer| layer.bos).unwrap_or_default(),
            special: general.iter().any(|layer| layer.special),
            exact: general.iter().any(|layer| layer.exact),
            weights: general.iter().find_map(|layer| layer.weights),
            api_key_file: general
                .iter()
                .find_map(|layer| layer.api_key_file.clone())
                .map(|path| files::named(&path.to_string_lossy())),
            ca_file: general
                .iter()
                .find_map(|layer| layer.ca_file.clone())
                .map(|path| files::named(&path.to_string_lossy())),
            timeouts: general.iter().find_map(|layer| layer.timeouts).unwrap_or_default(),
            color: general.iter().find_map(|layer| layer.color).unwrap_or_default(),
            quiet: general.iter().any(|layer| layer.quiet),
            sampling: chosen,
            constraint: sampling.constraint().or_else(|| file.sampling.constraint()),
            off,
            steer,
            sources: Sources::of_layers(file, flags, sampling),
            system: file.chat.system.clone(),
            max_tokens: None,
            pace: file.chat.pace,
            save: file.chat.save.unwrap_or(true),
        };
        key::check(&settings)?;
        Ok(settings)
    }
}

/// Who computes the layers of the model that is named. A server of the config file is for models of this machine.
fn rpc_servers(flags: &Flags, file: &Flags, models: &[String]) -> Result<Vec<RpcServer>, SettingsError> {
    let asked = if flags.rpc.is_empty() { &file.rpc } else { &flags.rpc };
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    RpcServer::check(asked).map_err(SettingsError)?;
    match models {
        [only] if ServerAddress::is_meant(only) && flags.rpc.is_empty() => Ok(Vec::new()),
        [only] if ServerAddress::is_meant(only) => Err(SettingsError(format!(
            "--rpc is for a model of this machine, and {only} computes its own: leave one of them out"
        ))),
        [_] => Ok(asked.clone()),
        _ => Err(SettingsError(
            "--rpc: an RPC server computes one model at a time: name one with -m".to_string(),
        )),
    }
}

/// A seed nobody chose. Small enough to type.
fn random_seed() -> u32 {
    use std::hash::{BuildHasher, Hasher};
    let hash = std::collections::hash_map::RandomState::new().build_hasher().finish();
    (hash % 1_000_000) as u32
}

#[cfg(test)]
mod tests;
