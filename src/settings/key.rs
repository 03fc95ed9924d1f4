//! The settings that can be changed while the program runs, by name.

use super::error::SettingsError;
use super::source::Source;
use super::{Settings, parse};
use crate::distribution::Depth;
use crate::grammar::ConstraintSource;
use crate::sampling::{Sampling, Stage};
use crate::text::nearest;

/// A setting with a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKey {
    /// Candidates shown.
    K,
    /// Temperature.
    Temp,
    /// Sampler's top-k.
    TopK,
    /// Nucleus.
    TopP,
    /// Share of the best.
    MinP,
    /// Locally typical.
    Typical,
    /// Standard deviations.
    TopNSigma,
    /// Exclude top choices.
    Xtc,
    /// Don't repeat yourself.
    Dry,
    /// Repeat penalty.
    RepeatPenalty,
    /// Presence penalty.
    PresencePenalty,
    /// Frequency penalty.
    FrequencyPenalty,
    /// Mirostat.
    Mirostat,
    /// Greedy.
    Greedy,
    /// GBNF grammar.
    Grammar,
    /// JSON schema.
    JsonSchema,
    /// Regular expression.
    Regex,
    /// Seed.
    Seed,
    /// Longest reply.
    MaxTokens,
    /// Slow motion.
    Pace,
}

use SettingKey::*;

impl SettingKey {
    /// Every key, in the order of help texts.
    pub const ALL: [SettingKey; 20] = [
        K,
        Temp,
        TopK,
        TopP,
        MinP,
        Typical,
        TopNSigma,
        Xtc,
        Dry,
        RepeatPenalty,
        PresencePenalty,
        FrequencyPenalty,
        Mirostat,
        Greedy,
        Grammar,
        JsonSchema,
        Regex,
        Seed,
        MaxTokens,
        Pace,
    ];

    /// The name people write; the same as the flag's.
    pub fn name(self) -> &'static str {
        match self {
            K => "k",
            Temp => "temp",
            TopK => "top-k",
            TopP => "top-p",
            MinP => "min-p",
            Typical => "typical",
            TopNSigma => "top-n-sigma",
            Xtc => "xtc",
            Dry => "dry",
            RepeatPenalty => "repeat-penalty",
            PresencePenalty => "presence-penalty",
            FrequencyPenalty => "frequency-penalty",
            Mirostat => "mirostat",
            Greedy => "greedy",
            Grammar => "grammar",
            JsonSchema => "json-schema",
            Regex => "regex",
            Seed => "seed",
            MaxTokens => "max-tokens",
            Pace => "pace",
        }
    }

    /// What it does, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            K => {
                "how many candidates are shown, where nobody says so as many as a screen has rows for; changes nothing about the reply"
            }
            Temp => {
                "logits are divided by it: below 1 the probable becomes more probable, above 1 the reply more varied; 0 takes the most probable token"
            }
            TopK => "only this many of the most probable tokens stay",
            TopP => "only the fewest tokens that hold this share of the probability stay (nucleus sampling)",
            MinP => "only tokens stay that have at least this share of the best one's probability",
            Typical => {
                "only the tokens stay whose surprisal is nearest to the entropy, until they hold this share of the probability"
            }
            TopNSigma => "only tokens stay whose logit is within this many standard deviations of the best",
            Xtc => {
                "with the given chance, all tokens above the threshold but the least probable of them are left out: fewer clichés"
            }
            Dry => {
                "how hard a token is punished that would continue a repetition; grows with the repetition's length"
            }
            RepeatPenalty => {
                "logits of tokens that occurred lately are divided by it (negative ones multiplied)"
            }
            PresencePenalty => "is taken from the logit of every token that occurred lately",
            FrequencyPenalty => "is taken from a token's logit for each time it occurred lately",
            Mirostat => {
                "in place of the stages that cut: keeps the surprisal near a target (bits), learning at a rate"
            }
            Greedy => "always the most probable token, whatever the other stages say",
            Grammar => "only what the GBNF grammar in this file allows; takes the place of a schema or regex",
            JsonSchema => {
                "only JSON that follows the schema in this file; takes the place of a grammar or regex"
            }
            Regex => {
                "only replies that match this regular expression (ECMAScript) from beginning to end; takes the place of a grammar or schema"
            }
            Seed => {
                "where chance begins: the same seed, settings and prompt give the same reply; each further reply takes the next one"
            }
            MaxTokens => "the longest reply, in tokens; off fills the context",
            Pace => {
                "slow motion: this many tokens a second are shown. The model works at its own speed, and the figures are of that"
            }
        }
    }

    /// What is allowed.
    pub fn range(self) -> &'static str {
        match self {
            K => "a number from 1 on, or a share such as 95%",
            Temp => "0 (greedy) or more",
            TopK => "0 (off) or more",
            TopP | Typical => "above 0, up to 1 (off)",
            MinP => "from 0 (off) to 1",
            TopNSigma => "0 (off) or more",
            Xtc => "off, or a chance and a threshold such as 0.5,0.1",
            Dry => "0 (off) or more",
            RepeatPenalty => "above 0; 1 is off",
            PresencePenalty | FrequencyPenalty => "any number; 0 is off",
            Mirostat => "off, 1 or 2, or with target and rate: 2,5.0,0.1",
            Greedy => "on or off",
            Grammar | JsonSchema => "off, or a file",
            Regex => "off, or a pattern",
            Seed => "from 0 to 4294967294",
            MaxTokens => "off, or a number from 1 on",
            Pace => "off, or tokens a second: from 0.1 to 1000",
        }
    }

    /// The key of a name.
    ///
    /// # Errors
    /// [`SettingsError::Unknown`] with the nearest name.
    pub fn named(name: &str) -> Result<SettingKey, SettingsError> {
        SettingKey::ALL.into_iter().find(|key| key.name() == name).ok_or_else(|| {
            let names = SettingKey::ALL.map(SettingKey::name);
            let hint = match nearest(name, names) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are: {}", names.join(", ")),
            };
            SettingsError::Unknown { name: name.to_string(), hint }
        })
    }

    /// The value as people would write it.
    pub fn show(self, settings: &Settings) -> String {
        let s = &settings.sampling;
        let off = || "off".to_string();
        match self {
            K => match settings.k {
                Depth::Count(k) => k.to_string(),
                Depth::Mass(share) => format!("{}%", share * 100.0),
            },
            Temp => s.temperature.to_string(),
            TopK => s.top_k.to_string(),
            TopP => s.top_p.to_string(),
            MinP => s.min_p.to_string(),
            Typical => s.typical.to_string(),
            TopNSigma => s.top_n_sigma.max(0.0).to_string(),
            Xtc => s.xtc.map_or_else(off, |xtc| format!("{},{}", xtc.probability, xtc.threshold)),
            Dry => s.dry.to_string(),
            RepeatPenalty => s.repeat_penalty.to_string(),
            PresencePenalty => s.presence_penalty.to_string(),
            FrequencyPenalty => s.frequency_penalty.to_string(),
            Mirostat => s.mirostat.map_or_else(off, |m| format!("{},{},{}", m.version, m.tau, m.eta)),
            Greedy => if s.is_greedy() { "on" } else { "off" }.to_string(),
            Grammar | JsonSchema | Regex => match (self, &settings.constraint) {
                (Grammar, Some(ConstraintSource::Grammar(path)))
                | (JsonSchema, Some(ConstraintSource::JsonSchema(path))) => path.display().to_string(),
                (Regex, Some(ConstraintSource::Regex(pattern))) => pattern.clone(),
                _ => off(),
            },
            Seed => s.seed.to_string(),
            MaxTokens => settings.max_tokens.map_or_else(off, |n| n.to_string()),
            Pace => settings.pace.map_or_else(off, |pace| pace.to_string()),
        }
    }

    /// Changes the setting.
    ///
    /// # Errors
    /// [`SettingsError`] that says what would be right; nothing has changed then.
    pub fn set(self, settings: &mut Settings, text: &str) -> Result<(), SettingsError> {
        let mut changed = settings.clone();
        self.write(&mut changed, text.trim())?;
        check(&changed)?;
        // Temperature and greedy change each other.
        let is_new = |key: &SettingKey| *key == self || key.show(&changed) != key.show(settings);
        let new: Vec<SettingKey> = SettingKey::ALL.into_iter().filter(is_new).collect();
        new.into_iter().for_each(|key| changed.sources.put(key, Source::Here));
        *settings = changed;
        Ok(())
    }

    /// Copies the setting's value from one sampling to another; what is no sampling stays.
    pub(super) fn copy(self, from: &Sampling, to: &mut Sampling) {
        match self {
            Temp => to.temperature = from.temperature,
            TopK => to.top_k = from.top_k,
            TopP => to.top_p = from.top_p,
            MinP => to.min_p = from.min_p,
            Typical => to.typical = from.typical,
            TopNSigma => to.top_n_sigma = from.top_n_sigma,
            Xtc => to.xtc = from.xtc,
            Dry => to.dry = from.dry,
            RepeatPenalty => to.repeat_penalty = from.repeat_penalty,
            PresencePenalty => to.presence_penalty = from.presence_penalty,
            FrequencyPenalty => to.frequency_penalty = from.frequency_penalty,
            Mirostat => to.mirostat = from.mirostat,
            Greedy => to.greedy = from.greedy,
            Seed => to.seed = from.seed,
            Grammar | JsonSchema | Regex | K | MaxTokens | Pace => {}
        }
    }

    /// The stage of the chain that the setting is of.
    pub(super) fn stage(self) -> Option<Stage> {
        Some(match self {
            Temp => Stage::Temperature,
            TopK => Stage::TopK,
            TopP => Stage::TopP,
            MinP => Stage::MinP,
            Typical => Stage::Typical,
            TopNSigma => Stage::TopNSigma,
            Xtc => Stage::Xtc,
            Dry => Stage::Dry,
            RepeatPenalty | PresencePenalty | FrequencyPenalty => Stage::Penalties,
            Mirostat => Stage::Mirostat,
            Grammar | JsonSchema | Regex => Stage::Grammar,
            K | Greedy | Seed | MaxTokens | Pace => return None,
        })
    }

    fn write(self, settings: &mut Settings, text: &str) -> Result<(), SettingsError> {
        let s = &mut settings.sampling;
        let is_off = matches!(text, "off" | "none");
        match self {
            K => settings.k = self.checked(parse::depth(text))?,
            Temp => {
                s.temperature = self.number(text)?;
                s.greedy = false;
            }
            TopK => s.top_k = self.number(if is_off { "0" } else { text })?,
            TopP => s.top_p = self.number(if is_off { "1" } else { text })?,
            MinP => s.min_p = self.number(if is_off { "0" } else { text })?,
            Typical => s.typical = self.number(if is_off { "1" } else { text })?,
            TopNSigma => s.top_n_sigma = self.number(if is_off { "0" } else { text })?,
            Xtc => s.xtc = if is_off { None } else { Some(self.checked(parse::xtc(text))?) },
            Dry => s.dry = self.number(if is_off { "0" } else { text })?,
            RepeatPenalty => s.repeat_penalty = self.number(if is_off { "1" } else { text })?,
            PresencePenalty => s.presence_penalty = self.number(if is_off { "0" } else { text })?,
            FrequencyPenalty => s.frequency_penalty = self.number(if is_off { "0" } else { text })?,
            Mirostat => s.mirostat = if is_off { None } else { Some(self.checked(parse::mirostat(text))?) },
            Greedy => match text {
                "on" | "true" | "yes" | "" => s.greedy = true,
                "off" | "false" | "no" => {
                    s.greedy = false;
                    if s.temperature <= 0.0 {
                        s.temperature = 1.0;
                    }
                }
                _ => return Err(self.out_of_range(text)),
            },
            Grammar | JsonSchema | Regex => {
                if !is_off || self.show(settings) != "off" {
                    settings.constraint = self.constraint(text);
                    settings.sampling.grammar = None;
                }
            }
            Seed => s.seed = self.number(text)?,
            Pace => settings.pace = if is_off || text == "0" { None } else { Some(self.number(text)?) },
            MaxTokens => settings.max_tokens = if is_off { None } else { Some(self.number(text)?) },
        }
        Ok(())
    }

    /// The constraint that a value of this setting names; `None` where it is another setting, or off.
    pub fn constraint(self, text: &str) -> Option<ConstraintSource> {
        match self {
            _ if matches!(text, "off" | "none") => None,
            Grammar => Some(ConstraintSource::Grammar(text.into())),
            JsonSchema => Some(ConstraintSource::JsonSchema(text.into())),
            Regex => Some(ConstraintSource::Regex(text.to_string())),
            _ => None,
        }
    }

    fn number<T: std::str::FromStr>(self, text: &str) -> Result<T, SettingsError> {
        text.parse().map_err(|_| self.out_of_range(text))
    }

    fn checked<T>(self, parsed: Result<T, String>) -> Result<T, SettingsError> {
        parsed.map_err(|message| SettingsError::Invalid { name: self.name(), message })
    }

    fn out_of_range(self, value: &str) -> SettingsError {
        SettingsError::OutOfRange { name: self.name(), value: value.to_string(), range: self.range() }
    }
}

/// Whether every value is in its range.
///
/// # Errors
/// [`SettingsError::OutOfRange`] for the first that is not.
pub(super) fn check(settings: &Settings) -> Result<(), SettingsError> {
    let s = &settings.sampling;
    let unit = |value: f32| value > 0.0 && value <= 1.0;
    let from_zero = |value: f32| value.is_finite() && value >= 0.0;
    let rules = [
        (K, settings.k != Depth::Count(0)),
        (Temp, from_zero(s.temperature)),
        (TopP, unit(s.top_p)),
        (Typical, unit(s.typical)),
        (MinP, (0.0..=1.0).contains(&s.min_p)),
        (TopNSigma, s.top_n_sigma.is_finite()),
        (Dry, from_zero(s.dry)),
        (RepeatPenalty, s.repeat_penalty.is_finite() && s.repeat_penalty > 0.0),
        (PresencePenalty, s.presence_penalty.is_finite()),
        (FrequencyPenalty, s.frequency_penalty.is_finite()),
        (Seed, s.seed != u32::MAX),
        (Pace, settings.pace.is_none_or(|pace| (0.1..=1000.0).contains(&pace))),
        (MaxTokens, settings.max_tokens != Some(0)),
    ];
    match rules.into_iter().find(|(_, fine)| !fine) {
        Some((key, _)) => Err(key.out_of_range(&key.show(settings))),
        None => Ok(()),
    }
}
