//! Reading what [`super::jsonl`] wrote: for going on from it, and for comparing with it.

use std::path::Path;

use serde_json::{Value, json};

use super::jsonl::ProbeItemRecord;
use crate::bounded::{self, DATA};
use crate::probe::error::InputError;
use crate::probe::outcome::{ItemOutcome, RunOutcome};
use crate::report::out::ROW;
use crate::report::record::Origin;

const FOREIGN: &str = "these are no results of `tokenscope probe --report jsonl`";

/// The items of one model.
#[derive(Clone, Debug)]
pub struct Results {
    /// The model, and where its numbers came from.
    pub origin: Origin,
    /// In the order they were written.
    pub items: Vec<ItemOutcome>,
}

/// Reads a results file. A last line that is not complete was being written when the run ended, and is
/// left out. An empty file has no results; any other must hold one whole row at least, so that nothing
/// else is taken for results, and overwritten when they are gone on from.
///
/// # Errors
/// [`InputError`] with the line of what is no results file.
pub fn read(path: &Path) -> Result<Vec<Results>, InputError> {
    let text = bounded::text(path, DATA).map_err(|error| InputError::unreadable(path, &error))?;
    let mut runs: Vec<Results> = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        let wrong = |reason: String| InputError::new(path.display(), reason).at_line(i + 1);
        let value: Value = match serde_json::from_str(line) {
            Ok(value) => value,
            Err(_) if i + 1 == lines.len() && !text.ends_with('\n') => {
                let torn = line.starts_with(ROW) || ROW.starts_with(line);
                if runs.is_empty() || !torn {
                    return Err(wrong(FOREIGN.to_string()));
                }
                break;
            }
            Err(error) => return Err(wrong(format!("the line is no JSON: {error}"))),
        };
        if value.get("provenance").is_some() {
            let origin = serde_json::from_value(value.clone())
                .map_err(|error| wrong(format!("the model of these results can't be read: {error}")))?;
            runs.push(Results { origin, items: Vec::new() });
        }
        let kind = value.get("type").and_then(Value::as_str);
        match (kind, runs.last_mut()) {
            (Some("item"), Some(run)) => {
                let record: ProbeItemRecord = serde_json::from_value(value)
                    .map_err(|error| wrong(format!("the item can't be read: {error}")))?;
                run.items.push(record.into_item());
            }
            (Some("summary" | "comparison" | "ladder"), Some(_)) => {}
            _ => return Err(wrong(FOREIGN.to_string())),
        }
    }
    Ok(runs)
}

/// The items that can be taken over by a run of this model: everything that decides about the numbers
/// must be the same. Others are passed over where some can.
///
/// # Errors
/// What differs.
pub fn of_model(runs: Vec<Results>, now: &Origin, path: &Path) -> Result<Vec<ItemOutcome>, InputError> {
    let (mut items, mut differs, mut found) = (Vec::new(), None, false);
    for run in runs.into_iter().filter(|run| run.origin.model == now.model) {
        let (old, new) = (&run.origin.provenance, &now.provenance);
        let pairs = [
            ("file", &old.file, &new.file),
            ("weights", &old.weights, &new.weights),
            ("quantization", &old.quantization, &new.quantization),
            ("bos", &old.bos.to_string(), &new.bos.to_string()),
            ("interventions", &old.interventions.join(", "), &new.interventions.join(", ")),
            ("exact", &old.exact.to_string(), &new.exact.to_string()),
            ("sha256", &old.sha256.clone().unwrap_or_default(), &new.sha256.clone().unwrap_or_default()),
        ]
        .map(|(name, old, new)| (name, old.clone(), new.clone()));
        if let Some((name, old, new)) = pairs.into_iter().find(|(_, old, new)| old != new) {
            let remedy = if name == "weights" {
                format!("; --weights {old} goes on with them")
            } else {
                String::new()
            };
            let reason = format!("these results are of another run: {name} was {old} and is {new}{remedy}");
            differs = Some(InputError::new(path.display(), reason));
            continue;
        }
        found = true;
        items.extend(run.items);
    }
    match differs {
        Some(error) if !found => Err(error),
        _ => Ok(items),
    }
}

/// The rows of earlier results that these runs have nothing to put in their place: other models', other
/// suites', and of a run that was stopped the items it did not come to.
pub(super) fn carried(before: &str, runs: &[RunOutcome]) -> Vec<String> {
    let mut rows = Vec::new();
    // The fields that tell of a block's model, until a row of it is carried.
    let (mut model, mut origin) = (String::new(), None);
    for line in before.lines() {
        let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
        let text = |name: &str| value.get(name).and_then(Value::as_str).unwrap_or_default();
        let begins = value.get("provenance");
        if let Some(provenance) = begins {
            model = text("model").to_string();
            origin = Some(format!(r#""model":{},"provenance":{provenance},"#, json!(model)));
        }
        let mut suites = runs.iter().filter(|run| run.model == model);
        let run = suites.find_map(|run| {
            let suite = run.suites.iter().find(|suite| suite.name == text("suite"))?;
            Some((run.interrupted, suite))
        });
        let id = text("id");
        let stays = match (text("type"), run) {
            ("item", Some((interrupted, suite))) => {
                interrupted && suite.items.iter().all(|item| item.id != id)
            }
            ("item" | "summary", None) => true,
            _ => false,
        };
        if !stays {
            continue;
        }
        let kind = format!(r#"{ROW}{}","#, text("type"));
        let rest = line.strip_prefix(&kind).filter(|_| begins.is_none());
        rows.push(match (rest, origin.take()) {
            (Some(rest), Some(origin)) => format!("{kind}{origin}{rest}"),
            _ => line.to_string(),
        });
    }
    rows
}
