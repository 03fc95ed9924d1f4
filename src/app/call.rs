//! What every command is called with: the command line, the folders and the configuration.

use super::failure::Failure;
use super::running::read_constraint;
use crate::cli::Cli;
use crate::paths::Paths;
use crate::sampling::Sampling;
use crate::settings::key::SettingKey;
use crate::settings::source::Source;
use crate::settings::{ConfigFile, SamplingFlags, Settings};

/// A call of the program.
pub(super) struct Call {
    pub cli: Cli,
    pub paths: Paths,
    pub file: ConfigFile,
}

impl Call {
    /// The settings of a command that samples by these flags, over these defaults.
    pub fn settings(&self, defaults: Sampling, sampling: &SamplingFlags) -> Result<Settings, Failure> {
        Ok(Settings::from_layers(defaults, &self.file, &self.cli.flags, sampling)?)
    }

    /// The settings of a conversation.
    pub fn conversation(
        &self,
        sampling: &SamplingFlags,
        system: Option<&String>,
        max_tokens: Option<u32>,
    ) -> Result<Settings, Failure> {
        let mut settings = self.settings(Sampling::chat(), sampling)?;
        read_constraint(&mut settings)?;
        settings.system = system.cloned().or(settings.system);
        if let Some(tokens) = max_tokens {
            settings.max_tokens = Some(tokens as usize);
            settings.sources.put(SettingKey::MaxTokens, Source::Flag);
        }
        Ok(settings)
    }
}
