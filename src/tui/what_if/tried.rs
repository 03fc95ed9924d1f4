//! Settings that are tried on a step: those in force with some of them changed, by keys in steps that people would
//! take. Plain values.

use crate::settings::Settings;
use crate::settings::key::SettingKey;

/// What can be tried, in the order of the chain as people think of it.
pub const TRIED: [SettingKey; 13] = [
    SettingKey::Temp,
    SettingKey::TopP,
    SettingKey::MinP,
    SettingKey::TopK,
    SettingKey::Typical,
    SettingKey::TopNSigma,
    SettingKey::RepeatPenalty,
    SettingKey::PresencePenalty,
    SettingKey::FrequencyPenalty,
    SettingKey::Dry,
    SettingKey::Xtc,
    SettingKey::Mirostat,
    SettingKey::Greedy,
];

/// Settings that differ from those in force.
#[derive(Debug, Default)]
pub struct Tried {
    /// The setting that the keys change.
    pub selected: usize,
    changes: Vec<(SettingKey, String)>,
}

impl Tried {
    /// All settings, with what is tried in the place of what is in force.
    pub fn of(&self, in_force: &Settings) -> Settings {
        let mut settings = in_force.clone();
        for (key, value) in &self.changes {
            // Checked when it was tried.
            let _ = key.set(&mut settings, value);
        }
        settings
    }

    /// The setting that the keys change.
    pub fn key(&self) -> SettingKey {
        TRIED[self.selected.min(TRIED.len() - 1)]
    }

    /// Chooses the setting beside the chosen one.
    pub fn select(&mut self, by: isize) {
        self.selected = (self.selected as isize + by).rem_euclid(TRIED.len() as isize) as usize;
    }

    /// Tries another value; those of other settings stay.
    pub fn put(&mut self, key: SettingKey, value: String) {
        self.changes.retain(|(other, _)| *other != key);
        // Each of the two ends the other.
        if key == SettingKey::Temp {
            self.changes.retain(|(other, _)| *other != SettingKey::Greedy);
        }
        self.changes.push((key, value));
    }

    /// Tries the next larger or smaller value of the chosen setting.
    pub fn change(&mut self, in_force: &Settings, by: isize) {
        let key = self.key();
        let before = self.of(in_force);
        let mut after = before.clone();
        let value = beside(key, &before, by);
        if key.set(&mut after, &value).is_ok() && key.show(&after) != key.show(&before) {
            self.put(key, value);
        }
    }

    /// What is tried and not in force, in the order of [`TRIED`].
    pub fn changed(&self, in_force: &Settings) -> Vec<(SettingKey, String)> {
        let tried = self.of(in_force);
        let differs = |key: &SettingKey| key.show(&tried) != key.show(in_force);
        TRIED.into_iter().filter(differs).map(|key| (key, key.show(&tried))).collect()
    }

    /// Tries what is in force again.
    pub fn reset(&mut self) {
        self.changes.clear();
    }
}

/// The value beside a setting's own.
fn beside(key: SettingKey, settings: &Settings, by: isize) -> String {
    let shown = key.show(settings);
    let value = || shown.parse::<f64>().unwrap_or(0.0);
    let stepped = |step: f64, least: f64, most: f64| {
        let to = ((value() / step).round() + by as f64) * step;
        // As a person would write it.
        ((to.clamp(least, most) * 1000.0).round() / 1000.0).to_string()
    };
    let listed = |values: &[&str]| {
        let at = values.iter().position(|other| shown.starts_with(other)).unwrap_or(0);
        values[at.saturating_add_signed(by).min(values.len() - 1)].to_string()
    };
    match key {
        SettingKey::Temp => stepped(0.1, 0.0, 5.0),
        SettingKey::TopP | SettingKey::Typical => stepped(0.05, 0.05, 1.0),
        SettingKey::MinP => among(&[0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0], value(), by),
        SettingKey::TopK => {
            among(&[0.0, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 40.0, 80.0, 200.0, 1000.0], value(), by)
        }
        SettingKey::TopNSigma => stepped(0.5, 0.0, 10.0),
        SettingKey::RepeatPenalty => stepped(0.05, 0.05, 5.0),
        SettingKey::PresencePenalty | SettingKey::FrequencyPenalty => stepped(0.1, -5.0, 5.0),
        SettingKey::Dry => stepped(0.2, 0.0, 5.0),
        SettingKey::Xtc => listed(&["off", "0.5,0.1"]),
        SettingKey::Mirostat => listed(&["off", "1", "2"]),
        SettingKey::Greedy => listed(&["off", "on"]),
        _ => shown,
    }
}

/// The next of these values above or below one.
fn among(values: &[f64], value: f64, by: isize) -> String {
    let next = match by > 0 {
        true => values.iter().find(|other| **other > value + 1e-6),
        false => values.iter().rev().find(|other| **other < value - 1e-6),
    };
    next.copied().unwrap_or(value).to_string()
}

#[cfg(test)]
mod tests;
