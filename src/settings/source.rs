//! Who chose a setting's value.

use super::key::Key;
use super::{ConfigFile, Flags, SamplingFlags};

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
pub struct Sources([Source; Key::ALL.len()]);

impl Sources {
    /// Of values that these layers name.
    pub(super) fn of_layers(file: &ConfigFile, flags: &Flags, sampling: &SamplingFlags) -> Sources {
        let mut sources = Sources::default();
        for key in Key::ALL {
            if sampling.names(key) || flags.names(key) {
                sources.put(key, Source::Flag);
            } else if file.sampling.names(key) || file.general.names(key) {
                sources.put(key, Source::Config);
            }
        }
        if file.chat.pace.is_some() {
            sources.put(Key::Pace, Source::Config);
        }
        // Greedy in the file, and a temperature on the command line that ends it.
        if file.sampling.greedy && sampling.temp.is_some() {
            sources.put(Key::Greedy, Source::Flag);
        }
        sources
    }

    /// Who chose a setting.
    pub fn of(&self, key: Key) -> Source {
        self.0[key as usize]
    }

    /// Notes who chose a setting.
    pub fn put(&mut self, key: Key, source: Source) {
        self.0[key as usize] = source;
    }
}

impl Flags {
    fn names(&self, key: Key) -> bool {
        match key {
            Key::K => self.k.is_some(),
            Key::Seed => self.seed.is_some(),
            _ => false,
        }
    }
}

impl SamplingFlags {
    fn names(&self, key: Key) -> bool {
        match key {
            Key::Temp => self.temp.is_some(),
            Key::TopK => self.top_k.is_some(),
            Key::TopP => self.top_p.is_some(),
            Key::MinP => self.min_p.is_some(),
            Key::Typical => self.typical.is_some(),
            Key::TopNSigma => self.top_n_sigma.is_some(),
            Key::Xtc => self.xtc.is_some(),
            Key::Dry => self.dry.is_some(),
            Key::RepeatPenalty => self.repeat_penalty.is_some(),
            Key::PresencePenalty => self.presence_penalty.is_some(),
            Key::FrequencyPenalty => self.frequency_penalty.is_some(),
            Key::Mirostat => self.mirostat.is_some(),
            Key::Greedy => self.greedy,
            Key::Grammar => self.grammar.is_some(),
            Key::JsonSchema => self.json_schema.is_some(),
            Key::Regex => self.regex.is_some(),
            Key::Seed => self.seed.is_some(),
            Key::K | Key::MaxTokens | Key::Pace => false,
        }
    }
}
