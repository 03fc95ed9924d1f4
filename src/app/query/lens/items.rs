//! Items in a file: a row each, with the columns prompt, target and versus, for trace clean and corrupt.

use std::path::Path;

use serde_json::{Map, Value};

use crate::app::failure::Failure;
use crate::probe::dataset::{DataRow, Dataset, Typing};
use crate::token::printable;

/// The columns that are read.
const COLUMNS: [&str; 5] = ["prompt", "clean", "corrupt", "target", "versus"];

/// A file of items.
pub(super) struct ItemsFile {
    /// All its columns.
    pub columns: Vec<String>,
    pub items: Vec<LensItem>,
}

/// An item; what its row doesn't say is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LensItem {
    /// The file and its line.
    pub place: String,
    /// The row as it stands there.
    pub input: Map<String, Value>,
    pub prompt: Option<String>,
    pub clean: Option<String>,
    pub corrupt: Option<String>,
    pub target: Option<String>,
    pub versus: Option<String>,
}

/// Reads a file.
///
/// # Errors
/// The first row that is no item, with its line.
pub(super) fn read(file: &Path) -> Result<ItemsFile, Failure> {
    let data = Dataset::read(file, Typing::Texts)?;
    let columns: Vec<String> = data.columns().into_iter().map(str::to_string).collect();
    let name = printable(&file.display().to_string());
    if data.rows.is_empty() {
        return Err(Failure::usage(format!("{name}: there is no row; an item is one, with a column prompt")));
    }
    if !columns.iter().any(|column| column == "prompt" || column == "clean") {
        let has = columns.join(", ");
        return Err(Failure::usage(format!(
            "{name}: no column prompt (or, for trace, clean): {}",
            printable(&has)
        )));
    }
    let items = data.rows.into_iter().map(|row| item(&name, row)).collect::<Result<Vec<_>, _>>()?;
    Ok(ItemsFile { columns, items })
}

fn item(name: &str, row: DataRow) -> Result<LensItem, Failure> {
    let place = match row.line {
        Some(line) => format!("{name}:{line}"),
        None => format!("{name}: row {}", row.number),
    };
    let text = |column: &str| match row.cells.get(column) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Failure::usage(format!("{place}: column {column}: a text is wanted"))),
    };
    let [prompt, clean, corrupt, target, versus] = COLUMNS.map(text);
    // An empty cell says nothing.
    let said = |text: Result<Option<String>, Failure>| text.map(|text| text.filter(|text| !text.is_empty()));
    let (prompt, clean, corrupt) = (said(prompt)?, said(clean)?, said(corrupt)?);
    let (target, versus) = (said(target)?, said(versus)?);
    if prompt.is_none() && clean.is_none() {
        let what = "a text is wanted in the column prompt (or, for trace, clean)";
        return Err(Failure::usage(format!("{place}: {what}")));
    }
    Ok(LensItem { prompt, clean, corrupt, target, versus, place, input: row.cells })
}

#[cfg(test)]
mod tests {
    use super::{LensItem, read};

    fn items(name: &str, text: &str) -> Result<Vec<LensItem>, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let shown = |text: String| text.replace(&path.display().to_string(), name);
        let read = read(&path).map_err(|failure| shown(failure.message))?;
        let short = |item: LensItem| LensItem { place: shown(item.place), ..item };
        Ok(read.items.into_iter().map(short).collect())
    }

    #[test]
    fn a_row_is_an_item_whatever_separates_the_columns() {
        for (name, text) in [
            ("x.csv", "id,prompt,target\n007,\"The cat, it\", sat\n8,x,\n"),
            ("x.csv", "id;prompt;target\n007;The cat, it; sat\n8;x;\n"),
            ("x.tsv", "id\tprompt\ttarget\n007\tThe cat, it\t sat\n8\tx\t\n"),
        ] {
            let found = items(name, text).unwrap();
            assert_eq!(found[0].prompt.as_deref(), Some("The cat, it"));
            assert_eq!((found[0].target.as_deref(), &found[0].place), (Some(" sat"), &format!("{name}:2")));
            assert_eq!((found[0].input["id"].as_str(), found[1].target.clone()), (Some("007"), None));
        }
        let lines = "{\"clean\": \"a\", \"n\": 1}\n\n{\"prompt\": \"b\", \"target\": null}\n";
        let found = items("x.jsonl", lines).unwrap();
        assert_eq!((found[0].clean.as_deref(), found[0].input["n"].as_i64()), (Some("a"), Some(1)));
        assert_eq!((found[1].prompt.as_deref(), found[1].place.as_str()), (Some("b"), "x.jsonl:3"));
    }

    #[test]
    fn what_is_no_item_is_named_by_line_and_column() {
        for (name, text, said) in [
            ("x.csv", "text\nThe cat\n", "x.csv: no column prompt (or, for trace, clean): text"),
            ("x.csv", "", "x.csv: there is no row; an item is one, with a column prompt"),
            ("x.csv", "prompt\n", "x.csv: there is no row; an item is one, with a column prompt"),
            ("x.csv", "prompt,target\na\n", "x.csv:2: row 1 has 1 cells where the header has 2"),
            (
                "x.jsonl",
                "{\"prompt\": \"a\"}\n{\"prompt\": [1]}\n",
                "x.jsonl:2: column prompt: a text is wanted",
            ),
            ("x.jsonl", "{\"prompt\": \"a\", \"target\": 5}\n", "x.jsonl:1: column target: a text is wanted"),
            (
                "x.csv",
                "prompt,target\na,b\n,c\n",
                "x.csv:3: a text is wanted in the column prompt (or, for trace, clean)",
            ),
            (
                "x.jsonl",
                "{\"clean\": \"\"}\n",
                "x.jsonl:1: a text is wanted in the column prompt (or, for trace, clean)",
            ),
            (
                "x.jsonl",
                "{\"prompt\": \"a\"}\n{\"x\": 1}\n",
                "x.jsonl:2: a text is wanted in the column prompt (or, for trace, clean)",
            ),
        ] {
            assert_eq!(items(name, text).unwrap_err(), said, "{text:?}");
        }
    }
}
