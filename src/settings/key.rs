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

/// What is said of a setting, and where its value is kept.
struct SettingRow {
    name: &'static str,
    stage: Option<Stage>,
    slot: NumberField,
    range: &'static str,
    meaning: &'static str,
}

/// The field of a number, and what `off` writes into it where it can be off; of anything else, none.
enum NumberField {
    Real(fn(&mut Sampling) -> &mut f32, &'static str),
    Whole(fn(&mut Sampling) -> &mut u32, &'static str),
    Other,
}

use NumberField::{Other, Real, Whole};

const fn row(
    name: &'static str,
    stage: Option<Stage>,
    slot: NumberField,
    range: &'static str,
    meaning: &'static str,
) -> SettingRow {
    SettingRow { name, stage, slot, range, meaning }
}

/// In the order of [`SettingKey::ALL`].
#[rustfmt::skip]
static SETTINGS: [SettingRow; SettingKey::ALL.len()] = [
    row("k", None, Other, "a number from 1 on, or a share such as 95%",
        "how many candidates are shown, where nobody says so as many as a screen has rows for; changes nothing about the reply"),
    row("temp", Some(Stage::Temperature), Real(|s| &mut s.temperature, ""), "0 (greedy) or more",
        "the temperature, by which logits are divided: below 1 the probable becomes more probable, above 1 the reply more varied; 0 takes the most probable token"),
    row("top-k", Some(Stage::TopK), Whole(|s| &mut s.top_k, "0"), "0 (off) or more",
        "only this many of the most probable tokens stay"),
    row("top-p", Some(Stage::TopP), Real(|s| &mut s.top_p, "1"), "above 0, up to 1 (off)",
        "only the fewest tokens that hold this share of the probability stay (nucleus sampling)"),
    row("min-p", Some(Stage::MinP), Real(|s| &mut s.min_p, "0"), "from 0 (off) to 1",
        "only tokens stay that have at least this share of the best one's probability"),
    row("typical", Some(Stage::Typical), Real(|s| &mut s.typical, "1"), "above 0, up to 1 (off)",
        "only the tokens stay whose surprisal is nearest to the entropy, until they hold this share of the probability"),
    row("top-n-sigma", Some(Stage::TopNSigma), Real(|s| &mut s.top_n_sigma, "0"), "0 (off) or more",
        "only tokens stay whose logit is within this many standard deviations of the best"),
    row("xtc", Some(Stage::Xtc), Other, "off, or a chance and a threshold such as 0.5,0.1",
        "with the given chance, all tokens above the threshold but the least probable of them are left out: fewer clichés"),
    row("dry", Some(Stage::Dry), Real(|s| &mut s.dry, "0"), "0 (off) or more",
        "how hard a token is punished that would continue a repetition; grows with the repetition's length"),
    row("repeat-penalty", Some(Stage::Penalties), Real(|s| &mut s.repeat_penalty, "1"), "above 0; 1 is off",
        "logits of tokens that occurred lately are divided by it (negative ones multiplied)"),
    row("presence-penalty", Some(Stage::Penalties), Real(|s| &mut s.presence_penalty, "0"), "any number; 0 is off",
        "is taken from the logit of every token that occurred lately"),
    row("frequency-penalty", Some(Stage::Penalties), Real(|s| &mut s.frequency_penalty, "0"), "any number; 0 is off",
        "is taken from a token's logit for each time it occurred lately"),
    row("mirostat", Some(Stage::Mirostat), Other, "off, 1 or 2, or with target and rate: 2,5.0,0.1",
        "in place of the stages that cut: keeps the surprisal near a target (bits), learning at a rate"),
    row("greedy", None, Other, "on or off",
        "always the most probable token, whatever the other stages say"),
    row("grammar", Some(Stage::Grammar), Other, "off, or a file",
        "only what the GBNF grammar in this file allows; takes the place of a schema or regex"),
    row("json-schema", Some(Stage::Grammar), Other, "off, or a file",
        "only JSON that follows the schema in this file; takes the place of a grammar or regex"),
    row("regex", Some(Stage::Grammar), Other, "off, or a pattern",
        "only replies that match this regular expression (ECMAScript) from beginning to end; takes the place of a grammar or schema"),
    row("seed", None, Whole(|s| &mut s.seed, ""), "from 0 to 4294967294",
        "where chance begins: the same seed, settings and prompt give the same reply; each further reply takes the next one"),
    row("max-tokens", None, Other, "off, or a number from 1 on",
        "the longest reply, in tokens; off fills the context"),
    row("pace", None, Other, "off, or tokens a second: from 0.1 to 1000",
        "slow motion: this many tokens a second are shown. The model works at its own speed, and the figures are of that"),
];

impl SettingKey {
    /// Those of the sampler's chain, which a model can recommend.
    #[rustfmt::skip]
    pub const CHAIN: [SettingKey; 12] = [
        Temp, TopK, TopP, MinP, Typical, TopNSigma, Xtc, Dry, RepeatPenalty, PresencePenalty,
        FrequencyPenalty, Mirostat,
    ];

    /// Every key, in the order of help texts.
    #[rustfmt::skip]
    pub const ALL: [SettingKey; 20] = [
        K, Temp, TopK, TopP, MinP, Typical, TopNSigma, Xtc, Dry, RepeatPenalty, PresencePenalty,
        FrequencyPenalty, Mirostat, Greedy, Grammar, JsonSchema, Regex, Seed, MaxTokens, Pace,
    ];

    fn row(self) -> &'static SettingRow {
        &SETTINGS[self as usize]
    }

    /// The name people write; the same as the flag's.
    pub fn name(self) -> &'static str {
        self.row().name
    }

    /// Whether it has a say in which token is chosen.
    pub fn is_of_sampler(self) -> bool {
        self == Greedy || self.stage().is_some()
    }

    /// What it does, for people.
    pub fn meaning(self) -> &'static str {
        self.row().meaning
    }

    /// What is allowed.
    pub fn range(self) -> &'static str {
        self.row().range
    }

    /// The key of a name.
    ///
    /// # Errors
    /// [`SettingsError`] with the nearest name.
    pub fn named(name: &str) -> Result<SettingKey, SettingsError> {
        // As the field's libraries spell it.
        let spelled = name.replace('_', "-");
        let meant = if spelled == "temperature" { Temp.name() } else { &spelled };
        SettingKey::ALL.into_iter().find(|key| key.name() == meant).ok_or_else(|| {
            let names = SettingKey::ALL.map(SettingKey::name);
            let hint = match nearest(name, names) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("there are: {}", names.join(", ")),
            };
            SettingsError(format!("no setting is called {name}; {hint}"))
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
            TopNSigma => s.top_n_sigma.max(0.0).to_string(),
            Xtc => s.xtc.map_or_else(off, |xtc| format!("{},{}", xtc.probability, xtc.threshold)),
            Mirostat => s.mirostat.map_or_else(off, |m| format!("{},{},{}", m.version, m.tau, m.eta)),
            Greedy => if s.is_greedy() { "on" } else { "off" }.to_string(),
            Grammar | JsonSchema | Regex => match (self, &settings.constraint) {
                (Grammar, Some(ConstraintSource::Grammar(path)))
                | (JsonSchema, Some(ConstraintSource::JsonSchema(path))) => path.display().to_string(),
                (Regex, Some(ConstraintSource::Regex(pattern))) => pattern.clone(),
                _ => off(),
            },
            MaxTokens => settings.max_tokens.map_or_else(off, |n| n.to_string()),
            Pace => settings.pace.map_or_else(off, |pace| pace.to_string()),
            _ => match self.row().slot {
                Real(of, _) => of(&mut s.clone()).to_string(),
                Whole(of, _) => of(&mut s.clone()).to_string(),
                Other => String::new(),
            },
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
        match (self, &self.row().slot) {
            (_, Real(of, _)) => *of(to) = *of(&mut from.clone()),
            (_, Whole(of, _)) => *of(to) = *of(&mut from.clone()),
            (Xtc, _) => to.xtc = from.xtc,
            (Mirostat, _) => to.mirostat = from.mirostat,
            (Greedy, _) => to.greedy = from.greedy,
            _ => {}
        }
    }

    /// The stage of the chain that the setting is of.
    pub(super) fn stage(self) -> Option<Stage> {
        self.row().stage
    }

    fn write(self, settings: &mut Settings, text: &str) -> Result<(), SettingsError> {
        let s = &mut settings.sampling;
        let is_off = matches!(text, "off" | "none");
        match self {
            K => settings.k = self.checked(parse::depth(text))?,
            Xtc => s.xtc = if is_off { None } else { Some(self.checked(parse::xtc(text))?) },
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
            Pace => settings.pace = if is_off || text == "0" { None } else { Some(self.number(text)?) },
            MaxTokens => settings.max_tokens = if is_off { None } else { Some(self.number(text)?) },
            _ => {
                let meant = |off: &'static str| if is_off && !off.is_empty() { off } else { text };
                match self.row().slot {
                    Real(of, off) => *of(s) = self.number(meant(off))?,
                    Whole(of, off) => *of(s) = self.number(meant(off))?,
                    Other => {}
                }
                s.greedy &= self != Temp;
            }
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
        parsed.map_err(|message| SettingsError(format!("{}: {message}", self.name())))
    }

    fn out_of_range(self, value: &str) -> SettingsError {
        SettingsError(format!("{} {value}: must be {}", self.name(), self.range()))
    }
}

/// Whether every value is in its range.
///
/// # Errors
/// [`SettingsError`] for the first that is not.
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
