//! How long a person waits for what other settings would make of a step: the row once, then each change.

use std::io::{self, Write};
use std::time::Instant;

use serde::Serialize;

use super::lens::{LensCase, of_engine};
use super::side::{Bench, median};
use crate::engine::EngineError;
use crate::query::at_step::{RowWish, row};
use crate::settings::Settings;
use crate::settings::key::SettingKey;

/// Tokens that are listed, as in the pane.
const LISTED: usize = 200;
/// Tokens before the step: as far back as penalties look, and more.
const BEFORE: usize = 128;
/// What is tried, on top of temperature 1 without any stage; each of the last from the flattest row that can be.
const TRIED: [&[(SettingKey, &str)]; 9] = [
    &[(SettingKey::Temp, "0.7")],
    &[(SettingKey::Temp, "2")],
    &[(SettingKey::TopP, "0.9")],
    &[(SettingKey::MinP, "0.05")],
    &[(SettingKey::RepeatPenalty, "1.1")],
    &[(SettingKey::PresencePenalty, "0.5"), (SettingKey::FrequencyPenalty, "0.5")],
    &[(SettingKey::Temp, "100"), (SettingKey::TopP, "0.999")],
    &[(SettingKey::Temp, "100"), (SettingKey::TopP, "0.999"), (SettingKey::RepeatPenalty, "1.3")],
    &[(SettingKey::Temp, "100"), (SettingKey::MinP, "0.0001"), (SettingKey::TopP, "0.9999")],
];

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct WhatIfCosts {
    /// Milliseconds until the row is there, the median.
    pub row_ms: f64,
    /// Of each change.
    pub changes: Vec<ChangeCost>,
    /// The longest of all.
    pub worst_ms: f64,
}

/// One change of settings.
#[derive(Clone, Debug, Serialize)]
pub struct ChangeCost {
    /// As `/whatif` takes it.
    pub change: String,
    /// Milliseconds until the final distribution is there, the median.
    pub median_ms: f64,
    /// The longest.
    pub worst_ms: f64,
}

impl Bench<'_> {
    /// A step in the middle of a text, as the pane asks about it.
    ///
    /// # Errors
    /// What the engine says.
    pub fn what_if(&self, case: &LensCase) -> Result<WhatIfCosts, EngineError> {
        let path = case.text.iter().copied().take(BEFORE).collect();
        let wish = RowWish { path, ..RowWish::default() };
        self.engine(|client| {
            let mut asker = self.asker(client, case);
            let mut rows = Vec::new();
            let mut found = None;
            for _ in 0..self.pairs.max(1) {
                let begun = Instant::now();
                found = Some(row(&mut asker, &wish).map_err(of_engine)?);
                rows.push(begun.elapsed().as_secs_f64() * 1e3);
            }
            let Some(found) = found else { return Err(EngineError::Empty) };
            let ids: Vec<_> = found.order().take(LISTED).collect();
            let measure = |tried: &[(SettingKey, &str)]| {
                let sampling = tried_on(&case.settings, tried)?.sampling;
                let times: Vec<f64> = (0..self.pairs.max(1) * 4)
                    .map(|_| {
                        let begun = Instant::now();
                        std::hint::black_box(found.what_if(&sampling, &ids));
                        begun.elapsed().as_secs_f64() * 1e3
                    })
                    .collect();
                let change: Vec<String> =
                    tried.iter().map(|(key, value)| format!("{} {value}", key.name())).collect();
                let worst_ms = times.iter().copied().fold(0.0, f64::max);
                (self.tell)(format!("{}: {:.2} ms", change.join(" "), median(times.clone())));
                Ok(ChangeCost { change: change.join(" "), median_ms: median(times), worst_ms })
            };
            let changes = TRIED.into_iter().map(measure).collect::<Result<Vec<_>, EngineError>>()?;
            let worst_ms = changes.iter().map(|change| change.worst_ms).fold(0.0, f64::max);
            Ok(WhatIfCosts { row_ms: median(rows), changes, worst_ms })
        })
    }
}

/// The settings with nothing but this in the chain.
fn tried_on(settings: &Settings, tried: &[(SettingKey, &str)]) -> Result<Settings, EngineError> {
    let plain = [(SettingKey::Temp, "1"), (SettingKey::TopP, "1"), (SettingKey::MinP, "0")];
    let mut settings = settings.clone();
    for (key, value) in plain.iter().chain(tried) {
        key.set(&mut settings, value).map_err(|error| EngineError::Graph(error.to_string()))?;
    }
    Ok(settings)
}

impl WhatIfCosts {
    /// For people.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let slowest = self.changes.iter().max_by(|a, b| a.median_ms.total_cmp(&b.median_ms));
        let slowest =
            slowest.map_or(String::new(), |one| format!(" ({}: {:.2} ms)", one.change, one.median_ms));
        writeln!(
            out,
            "what if: the row of a step {:.1} ms, a change of settings at most {:.1} ms{slowest}",
            self.row_ms, self.worst_ms
        )
    }
}
