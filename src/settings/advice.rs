//! The sampling that a model comes with: what its file recommends in `general.sampling.*` (llama.cpp's
//! names), else what the catalogue does, else the program's own defaults for a chat.
//!
//! Whoever recommends anything replaces the whole set: what is not named is off. What a person has set
//! stays. Values that no sampler takes are left out and told in one line.

use super::Settings;
use super::key::SettingKey;
use super::source::Source;
use crate::model::About;
use crate::sampling::{Sampling, Stage};

/// A recommended sampling.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// Who recommends it.
    pub source: Source,
    /// All of it.
    pub sampling: Sampling,
    /// One line about values of the file that can't be used.
    pub note: Option<String>,
}

/// Settings that mirostat makes void.
const TRUNCATING: [SettingKey; 6] = [
    SettingKey::TopK,
    SettingKey::TopP,
    SettingKey::MinP,
    SettingKey::Typical,
    SettingKey::TopNSigma,
    SettingKey::Xtc,
];

/// llama.cpp's names of the stages in `general.sampling.sequence`.
const STAGES: [(&str, Stage); 9] = [
    ("penalties", Stage::Penalties),
    ("dry", Stage::Dry),
    ("top_n_sigma", Stage::TopNSigma),
    ("top_k", Stage::TopK),
    ("typ_p", Stage::Typical),
    ("top_p", Stage::TopP),
    ("min_p", Stage::MinP),
    ("xtc", Stage::Xtc),
    ("temperature", Stage::Temperature),
];

impl Advice {
    /// What goes with a model; `settings` are any, and stay as they are.
    pub fn of(about: &About, settings: &Settings) -> Advice {
        let mut reader = AdviceReader::new(settings);
        reader.read(&about.sampling);
        let note = reader.note();
        if reader.found {
            return Advice { source: Source::Model, sampling: reader.trial.sampling, note };
        }
        let mut listed = AdviceReader::new(settings);
        for (name, value) in about.entry.map(|entry| entry.sampling).unwrap_or_default() {
            listed.take(name, SettingKey::named(name).ok(), value);
        }
        match listed.found {
            true => Advice { source: Source::Catalogue, sampling: listed.trial.sampling, note },
            false => Advice { source: Source::Default, sampling: Sampling::chat(), note },
        }
    }
}

impl Settings {
    /// Takes a recommended sampling where a person set nothing.
    pub fn advise(&mut self, advice: &Advice) {
        let by_person = |key: &SettingKey| self.sources.of(*key).is_person();
        let truncates = TRUNCATING.iter().any(by_person);
        let penalizes =
            [SettingKey::RepeatPenalty, SettingKey::PresencePenalty, SettingKey::FrequencyPenalty]
                .iter()
                .any(by_person);
        for key in SettingKey::CHAIN {
            // Mirostat would make void what the person asked for.
            if self.sources.of(key).is_person() || (key == SettingKey::Mirostat && truncates) {
                continue;
            }
            key.copy(&advice.sampling, &mut self.sampling);
            self.sources.put(key, advice.source);
        }
        if !penalizes {
            self.sampling.penalty_last_n = advice.sampling.penalty_last_n;
        }
    }

    /// The sampling in force and who chose it: `T 0.2 top-p 0.9 (catalogue)`.
    pub fn sampling_told(&self) -> String {
        let raw = Sampling::default();
        let differs = |key: &SettingKey| {
            let mut changed = self.sampling.clone();
            key.copy(&raw, &mut changed);
            changed != self.sampling
        };
        let mut sources: Vec<Source> = match self.sampling.greedy {
            true => vec![self.sources.of(SettingKey::Greedy)],
            false => {
                SettingKey::CHAIN.iter().filter(|key| differs(key)).map(|&key| self.sources.of(key)).collect()
            }
        };
        sources.sort();
        sources.dedup();
        let names: Vec<&str> = sources.into_iter().rev().map(Source::name).collect();
        let summary = self.sampling.summary().join(" ");
        match names.is_empty() {
            true => summary,
            false => format!("{summary} ({})", names.join(", ")),
        }
    }
}

/// Reads recommendations, value by value.
struct AdviceReader {
    trial: Settings,
    /// Whether anything could be used.
    found: bool,
    /// What could not.
    refused: Vec<String>,
}

impl AdviceReader {
    fn new(settings: &Settings) -> AdviceReader {
        let trial = Settings { sampling: Sampling::default(), ..settings.clone() };
        AdviceReader { trial, found: false, refused: Vec::new() }
    }

    /// Sets a key from text; `name` is what the source calls it.
    fn take(&mut self, name: &str, key: Option<SettingKey>, value: &str) {
        let Some(key) = key else { return self.refused.push(format!("{name} is not known here")) };
        match key.set(&mut self.trial, value) {
            Ok(()) => self.found = true,
            Err(_) => self.refused.push(format!("{name} {value} (must be {})", key.range())),
        }
    }

    /// All that a file says, in llama.cpp's words.
    fn read(&mut self, values: &[(String, String)]) {
        let get = |name: &str| values.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim());
        let is_off = |value: &str| value.parse::<f32>().is_ok_and(|number| number == 0.0);
        for (name, value) in values {
            let value = value.trim();
            match name.as_str() {
                "temp" => self.take("temp", Some(SettingKey::Temp), value),
                "top_p" => self.take("top_p", Some(SettingKey::TopP), value),
                "min_p" => self.take("min_p", Some(SettingKey::MinP), value),
                "penalty_repeat" => self.take("penalty_repeat", Some(SettingKey::RepeatPenalty), value),
                // The whole vocabulary.
                "top_k" if value.parse::<i64>().is_ok_and(|k| k < 0) => {
                    self.take("top_k", Some(SettingKey::TopK), "0")
                }
                "top_k" => self.take("top_k", Some(SettingKey::TopK), value),
                "penalty_last_n" => self.last_n(value),
                "xtc_probability" if is_off(value) => {
                    self.take("xtc_probability", Some(SettingKey::Xtc), "off")
                }
                "xtc_probability" => {
                    let threshold = get("xtc_threshold").unwrap_or("0.1");
                    self.take("xtc", Some(SettingKey::Xtc), &format!("{value},{threshold}"));
                }
                "mirostat" if is_off(value) => self.take("mirostat", Some(SettingKey::Mirostat), "off"),
                "mirostat" => {
                    let tau = get("mirostat_tau").unwrap_or("5");
                    let eta = get("mirostat_eta").unwrap_or("0.1");
                    self.take("mirostat", Some(SettingKey::Mirostat), &format!("{value},{tau},{eta}"));
                }
                "xtc_threshold" | "mirostat_tau" | "mirostat_eta" | "sequence" => {}
                other => self.take(other, None, value),
            }
        }
        if let Some(sequence) = get("sequence").filter(|_| self.found) {
            self.follow(sequence);
        }
    }

    fn last_n(&mut self, value: &str) {
        match value.parse::<i32>() {
            // As far as the context reaches.
            Ok(-1) => self.trial.sampling.penalty_last_n = i32::MAX as u32,
            Ok(n) if n >= 0 => self.trial.sampling.penalty_last_n = n as u32,
            _ => return self.refused.push(format!("penalty_last_n {value} (must be -1, 0 (off) or more)")),
        }
        self.found = true;
    }

    /// Stages that are not in the sequence don't run; the order is the program's own.
    fn follow(&mut self, sequence: &str) {
        let (mut named, mut strange) = (Vec::new(), Vec::new());
        for name in sequence.split(';').map(str::trim).filter(|name| !name.is_empty()) {
            match STAGES.iter().find(|(known, _)| *known == name) {
                Some((_, stage)) => named.push(*stage),
                None => strange.push(name),
            }
        }
        if !strange.is_empty() {
            self.refused.push(format!("sequence {} is not known here", strange.join(";")));
        }
        if named.is_empty() {
            return;
        }
        let place = |stage: &Stage| STAGES.iter().position(|(_, known)| known == stage);
        if !named.is_sorted_by_key(place) {
            self.refused.push(format!("sequence {sequence} (stages run in the order of /set)"));
        }
        let raw = Sampling::default();
        for key in SettingKey::CHAIN {
            if key.stage().is_some_and(|stage| stage != Stage::Mirostat && !named.contains(&stage)) {
                key.copy(&raw, &mut self.trial.sampling);
            }
        }
    }

    fn note(&self) -> Option<String> {
        let what = self.refused.join(", ");
        (!what.is_empty())
            .then(|| format!("sampling that the model file recommends is left out in part: {what}"))
    }
}

#[cfg(test)]
mod tests;
