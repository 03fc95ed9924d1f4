//! Who chose a setting's value.

use super::key::SettingKey;
use super::layer::{ConfigFile, Flags, SamplingFlags};

/// Who chose a value, weakest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Nobody: the program's own default.
    #[default]
    Default,
    /// The catalogue's entry of the model.
    Catalogue,
    /// The model file's metadata.
    Model,
    /// `config.toml`.
    Config,
    /// A flag, or the environment.
    Flag,
    /// `/set`.
    Here,
}

impl Source {
    /// Whether a person chose: no model's recommendation comes in its place.
    pub fn is_person(self) -> bool {
        self >= Source::Config
    }

    /// In a word or two.
    pub fn name(self) -> &'static str {
        match self {
            Source::Default => "default",
            Source::Catalogue => "catalogue",
            Source::Model => "model file",
            Source::Config => "config.toml",
            Source::Flag => "command line",
            Source::Here => "set here",
        }
    }
}

/// The source of every setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources([Source; SettingKey::ALL.len()]);

impl Sources {
    /// Of values that these layers name.
    pub(super) fn of_layers(file: &ConfigFile, flags: &Flags, sampling: &SamplingFlags) -> Sources {
        let mut sources = Sources::default();
        for key in SettingKey::ALL {
            if sampling.names(key) || flags.names(key) {
                sources.put(key, Source::Flag);
            } else if file.sampling.names(key) || file.general.names(key) {
                sources.put(key, Source::Config);
            }
        }
        if file.chat.pace.is_some() {
            sources.put(SettingKey::Pace, Source::Config);
        }
        // Greedy in the file, and a temperature on the command line that ends it.
        if file.sampling.greedy && sampling.temp.is_some() {
            sources.put(SettingKey::Greedy, Source::Flag);
        }
        sources
    }

    /// Who chose a setting.
    pub fn of(&self, key: SettingKey) -> Source {
        self.0[key as usize]
    }

    /// Notes who chose a setting.
    pub fn put(&mut self, key: SettingKey, source: Source) {
        self.0[key as usize] = source;
    }
}

impl Flags {
    fn names(&self, key: SettingKey) -> bool {
        match key {
            SettingKey::K => self.k.is_some(),
            SettingKey::Seed => self.seed.is_some(),
            _ => false,
        }
    }
}

impl SamplingFlags {
    fn names(&self, key: SettingKey) -> bool {
        match key {
            SettingKey::Temp => self.temp.is_some(),
            SettingKey::TopK => self.top_k.is_some(),
            SettingKey::TopP => self.top_p.is_some(),
            SettingKey::MinP => self.min_p.is_some(),
            SettingKey::Typical => self.typical.is_some(),
            SettingKey::TopNSigma => self.top_n_sigma.is_some(),
            SettingKey::Xtc => self.xtc.is_some(),
            SettingKey::Dry => self.dry.is_some(),
            SettingKey::RepeatPenalty => self.repeat_penalty.is_some(),
            SettingKey::PresencePenalty => self.presence_penalty.is_some(),
            SettingKey::FrequencyPenalty => self.frequency_penalty.is_some(),
            SettingKey::Mirostat => self.mirostat.is_some(),
            SettingKey::Greedy => self.greedy,
            SettingKey::Grammar => self.grammar.is_some(),
            SettingKey::JsonSchema => self.json_schema.is_some(),
            SettingKey::Regex => self.regex.is_some(),
            SettingKey::Seed => self.seed.is_some(),
            SettingKey::K | SettingKey::MaxTokens | SettingKey::Pace => false,
        }
    }
}
