//! BLiMP's own files: JSON Lines with `sentence_good` and `sentence_bad`.
//!
//! Scored as the evaluation harness scores BLiMP: each sentence after BOS (or EOS, where there is none),
//! compared by sum.

use std::path::Path;

use serde_json::Value;

use super::dataset::{DataRow, Dataset};
use super::error::{InputError, meant};
use super::item::{Item, Rules, Suite};
use super::metric::Metric;
use super::question::{Choice, Gold, Prompt, Questions};
use crate::continuation::Join;
use crate::continuation::reduction::Reduction;

const GOOD: &str = "sentence_good";
const BAD: &str = "sentence_bad";

/// Whether a data file is one of BLiMP's.
pub fn is_blimp(data: &Dataset) -> bool {
    data.rows.first().is_some_and(|row| row.cells.contains_key(GOOD) && row.cells.contains_key(BAD))
}

/// Makes a suite of such a file.
///
/// # Errors
/// A row without the two sentences.
pub fn suite(path: &Path, data: &Dataset) -> Result<Suite, InputError> {
    let items = data.rows.iter().map(|row| item(path, row)).collect::<Result<Vec<_>, _>>()?;
    let first = data.rows.first().map(|row| &row.cells);
    let named = first.and_then(|cells| cells.get("UID")).and_then(Value::as_str).map(str::to_string);
    let stem = || path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let term = first.and_then(|cells| cells.get("linguistics_term")).and_then(Value::as_str);
    Ok(Suite {
        name: named.unwrap_or_else(stem),
        title: term.map(|term| format!("BLiMP: {}", term.replace('_', " "))),
        lang: Some("en".to_string()),
        file: Some(path.to_path_buf()),
        rules: Rules { bos: None, join: Join::Harness },
        informational: true,
        metrics: vec![Metric::Accuracy(Reduction::Acc)],
        items,
        ..Suite::default()
    })
}

fn item(path: &Path, row: &DataRow) -> Result<Item, InputError> {
    let sentence = |column: &str| match row.cells.get(column) {
        Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
        Some(_) => Err(format!("{column} must be a text that is not empty")),
        None => Err(format!(
            "there is no column {column}; {}",
            meant(column, row.cells.keys().map(String::as_str))
        )),
    };
    let both = sentence(GOOD).and_then(|good| Ok([good, sentence(BAD)?]));
    let both =
        both.map_err(|reason| InputError::new(path.display(), format!("row {}: {reason}", row.number)))?;
    let choices = both.map(|text| Choice { continuation: text.clone(), text, prompt: 0 });
    let questions = Questions {
        prompts: vec![Prompt::Text(String::new())],
        choices: choices.to_vec(),
        gold: Gold::One(0),
        join: Join::Harness,
        ..Questions::default()
    };
    Ok(Item::new(format!("row-{}", row.number), "pair", questions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_a_sentence_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        let text = "{\"sentence_good\": \"a b\", \"sentence_bad\": \"b a\"}\n{\"sentence_good\": \"a\", \"sentence_bd\": \"b\"}\n";
        std::fs::write(&path, text).unwrap();
        let data = Dataset::read(&path, crate::probe::dataset::Typing::Harness).unwrap();
        assert!(is_blimp(&data));
        let error = suite(&path, &data).unwrap_err();
        assert_eq!(error.reason, "row 2: there is no column sentence_bad; did you mean sentence_bd?");
    }
}
