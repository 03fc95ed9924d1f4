//! SyntaxGym's own files: sentences in regions, and predictions about the regions' surprisals.
//!
//! Verdicts are those of syntaxgym-core. A region is scored with the white space before it, and a token
//! counts to the region it begins in. Values in formulas are in bits.

use std::path::Path;

use indexmap::IndexMap;
use serde::Deserialize;

use super::dataset::json_error;
use super::error::{InputError, meant};
use super::formula::{Formula, RegionMetric};
use super::item::{Item, Rules, Suite};
use super::metric::Metric;
use super::question::{Piece, Prompt, Questions};
use crate::bounded::{self, WRITTEN};
use crate::continuation::Join;

#[derive(Deserialize)]
struct GymFile {
    meta: GymMeta,
    predictions: Vec<GymPrediction>,
    items: Vec<GymItem>,
}

#[derive(Deserialize)]
struct GymMeta {
    name: String,
    #[serde(default)]
    metric: RegionMetric,
}

#[derive(Deserialize)]
struct GymPrediction {
    #[serde(default, rename = "type")]
    kind: Option<String>,
    formula: String,
}

#[derive(Deserialize)]
struct GymItem {
    item_number: u64,
    conditions: Vec<GymCondition>,
}

#[derive(Deserialize)]
struct GymCondition {
    condition_name: String,
    regions: Vec<GymRegion>,
}

#[derive(Deserialize)]
struct GymRegion {
    region_number: u64,
    content: String,
}

/// Reads such a file.
///
/// # Errors
/// [`InputError`]: no JSON, not of this form, or a formula about what is not there.
pub fn read(path: &Path) -> Result<Suite, InputError> {
    let text = bounded::text(path, WRITTEN).map_err(|error| InputError::unreadable(path, &error))?;
    let file: GymFile = serde_json::from_str(&text).map_err(|error| {
        let error = json_error(path, &error);
        InputError {
            reason: format!("{}; a .json file given by itself must be one of SyntaxGym's", error.reason),
            ..error
        }
    })?;
    if file.items.is_empty() {
        return Err(InputError::new(path.display(), "the suite is empty"));
    }
    let items = file.items.iter().map(|entry| {
        item(&file, entry).map_err(|reason| {
            InputError::new(path.display(), format!("item {}: {reason}", entry.item_number))
        })
    });
    Ok(Suite {
        name: file.meta.name.clone(),
        title: Some("SyntaxGym".to_string()),
        lang: Some("en".to_string()),
        file: Some(path.to_path_buf()),
        rules: Rules { bos: None, join: Join::Joint },
        informational: true,
        metrics: vec![Metric::Predictions],
        items: items.collect::<Result<_, _>>()?,
        ..Suite::default()
    })
}

fn item(file: &GymFile, entry: &GymItem) -> Result<Item, String> {
    let mut pieces = Vec::new();
    // In the order of the text: sums over a condition are the same from run to run.
    let mut places = IndexMap::new();
    for (prompt, condition) in entry.conditions.iter().enumerate() {
        let mut first = true;
        for region in &condition.regions {
            let key = (region.region_number, condition.condition_name.clone());
            if places.insert(key, pieces.len()).is_some() {
                let (name, number) = (&condition.condition_name, region.region_number);
                return Err(format!("condition {name} has region {number} twice"));
            }
            let content = region.content.trim();
            let separator = if first || content.is_empty() { "" } else { " " };
            first &= content.is_empty();
            pieces.push(Piece {
                name: format!("{}/{}", condition.condition_name, region.region_number),
                text: format!("{separator}{content}"),
                prompt,
            });
        }
        if first {
            return Err(format!("condition {} has no text", condition.condition_name));
        }
    }
    let find = |region: Option<u64>, condition: &str| {
        let known = entry.conditions.iter().map(|condition| condition.condition_name.as_str());
        if !known.clone().any(|name| name == condition) {
            return Err(format!("there is no condition {condition}; {}", meant(condition, known)));
        }
        let found: Vec<usize> = places
            .iter()
            .filter(|((number, name), _)| name == condition && region.is_none_or(|region| region == *number))
            .map(|(_, place)| *place)
            .collect();
        match (found.is_empty(), region) {
            (true, Some(_)) => {
                let numbers: Vec<String> = places
                    .keys()
                    .filter(|(_, name)| name == condition)
                    .map(|(number, _)| number.to_string())
                    .collect();
                Err(format!("condition {condition} has no such region: it has {}", numbers.join(", ")))
            }
            _ => Ok(found),
        }
    };
    let formulas = file.predictions.iter().map(|prediction| {
        if let Some(kind) = prediction.kind.as_deref().filter(|kind| *kind != "formula") {
            return Err(format!("a prediction's type must be formula, not {kind:?}"));
        }
        Formula::parse(&prediction.formula, file.meta.metric, &find)
            .map_err(|reason| format!("`{}`: {reason}", prediction.formula))
    });
    let questions = Questions {
        prompts: entry.conditions.iter().map(|_| Prompt::Text(String::new())).collect(),
        pieces,
        ..Questions::default()
    };
    let predictions = formulas.collect::<Result<_, _>>()?;
    Ok(Item { predictions, ..Item::new(entry.item_number.to_string(), "item", questions) })
}

#[cfg(test)]
mod tests;
