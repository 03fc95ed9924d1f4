//! Rows for probes and tasks: JSON Lines, JSON arrays, CSV and TSV.
//!
//! Owns reading; [`numbers`] gives cells their types. Knows nothing of what rows are used for.

mod numbers;

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::error::InputError;
use crate::bounded::{self, DATA};
use crate::separated::{UNCLOSED, separator, unclosed_quote};

/// One row.
#[derive(Clone, Debug, PartialEq)]
pub struct DataRow {
    /// 1-based number of the row, a CSV's header not counted.
    pub number: usize,
    /// 1-based line of the file, where rows have lines.
    pub line: Option<usize>,
    /// Its cells by column.
    pub cells: Map<String, Value>,
}

/// Whose types the cells have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Typing {
    /// Every cell of a table is a text, and its columns are separated by what its head has most of: comma,
    /// semicolon or tab.
    Texts,
    /// Rows of suites: whatever is printed is printed as it was written.
    Written,
    /// Rows of tasks: what the evaluation harness's loader (pandas, Arrow) makes of them.
    Harness,
}

/// A data file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dataset {
    /// Where it came from.
    pub path: PathBuf,
    /// Its rows, in file order.
    pub rows: Vec<DataRow>,
}

impl Dataset {
    /// Reads a file; the format goes by the extension, or by the first character where that says
    /// nothing.
    ///
    /// # Errors
    /// [`InputError`] with file, line and what would be right.
    pub fn read(path: &Path, typing: Typing) -> Result<Dataset, InputError> {
        let text = bounded::text(path, DATA).map_err(|error| InputError::unreadable(path, &error))?;
        let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
        let found = match extension.as_str() {
            "csv" if typing == Typing::Texts => {
                let head = text.lines().next().unwrap_or_default();
                separated(path, &text, separator(head), typing)?
            }
            "csv" => separated(path, &text, b',', typing)?,
            "tsv" => separated(path, &text, b'\t', typing)?,
            _ if text.trim_start().starts_with('[') => array(path, &text, typing)?,
            _ => lines(path, &text, typing)?,
        };
        let row = |(i, cells)| DataRow { number: i + 1, line: found.lines.get(i).copied(), cells };
        let rows = found.rows.into_iter().enumerate().map(row).collect();
        Ok(Dataset { path: path.to_path_buf(), rows })
    }

    /// The names of all columns, in the order they are first seen.
    pub fn columns(&self) -> Vec<&str> {
        let mut names = indexmap::IndexSet::new();
        for row in &self.rows {
            names.extend(row.cells.keys().map(String::as_str));
        }
        names.into_iter().collect()
    }

    /// Gives every row every column, as a table has them; what was missing is null.
    pub fn fill(&mut self) {
        let columns: Vec<String> = self.columns().into_iter().map(str::to_string).collect();
        for row in &mut self.rows {
            for column in &columns {
                if !row.cells.contains_key(column) {
                    row.cells.insert(column.clone(), Value::Null);
                }
            }
        }
    }
}

/// Rows, and the lines on which they begin; none of an array.
struct RowsRead {
    rows: Vec<Map<String, Value>>,
    lines: Vec<usize>,
}

fn lines(path: &Path, text: &str, typing: Typing) -> Result<RowsRead, InputError> {
    let (mut rows, mut at) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |reason: String| InputError::new(path.display(), reason).at_line(i + 1);
        match parse(line, typing) {
            Ok(Value::Object(cells)) => {
                rows.push(cells);
                at.push(i + 1);
            }
            Ok(_) => {
                return Err(wrong(
                    "each line must be a JSON object, as in {\"question\": \"…\"}".to_string(),
                ));
            }
            Err(error) => {
                return Err(wrong(format!(
                    "row {} is no JSON: {} (column {})",
                    rows.len() + 1,
                    reason_of(&error),
                    error.column()
                )));
            }
        }
    }
    if typing == Typing::Harness {
        numbers::widen(&mut rows, &|number| number.is_i64());
    }
    Ok(RowsRead { rows, lines: at })
}

/// One JSON value.
fn parse(json: &str, typing: Typing) -> serde_json::Result<Value> {
    let value = serde_json::from_str(json)?;
    match (typing, numbers::all_digits(json)) {
        (Typing::Written | Typing::Texts, Cow::Owned(json)) => serde_json::from_str(&json),
        _ => Ok(value),
    }
}

fn array(path: &Path, text: &str, typing: Typing) -> Result<RowsRead, InputError> {
    let rows = match parse(text, typing).map_err(|error| json_error(path, &error))? {
        Value::Array(rows) => rows,
        other => vec![other],
    };
    let rows = rows
        .into_iter()
        .enumerate()
        .map(|(i, row)| match row {
            Value::Object(cells) => Ok(cells),
            _ => Err(InputError::new(path.display(), format!("row {} is no JSON object", i + 1))),
        })
        .collect::<Result<Vec<_>, _>>();
    let mut rows = rows?;
    if typing == Typing::Harness {
        numbers::widen(&mut rows, &|number| number.is_i64() || number.is_u64());
        numbers::narrow(&mut rows);
    }
    Ok(RowsRead { rows, lines: Vec::new() })
}

/// What serde_json says, with its place.
pub fn json_error(path: &Path, error: &serde_json::Error) -> InputError {
    InputError {
        line: Some(error.line()),
        column: Some(error.column()),
        ..InputError::new(path.display(), reason_of(error))
    }
}

/// The reason without the place, which serde_json appends.
fn reason_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_string()
}

fn separated(path: &Path, text: &str, delimiter: u8, typing: Typing) -> Result<RowsRead, InputError> {
    let wrong = |line: Option<u64>, reason: String| {
        let error = InputError::new(path.display(), reason);
        match line {
            Some(line) => error.at_line(line as usize),
            None => error,
        }
    };
    if let Some(line) = unclosed_quote(text.as_bytes(), delimiter) {
        return Err(wrong(Some(line as u64), UNCLOSED.to_string()));
    }
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).from_reader(text.as_bytes());
    let header = reader.headers().map_err(|error| wrong(None, error.to_string()))?.clone();
    if let Some(twice) =
        header.iter().enumerate().find(|(i, name)| header.iter().take(*i).any(|other| other == *name))
    {
        return Err(wrong(Some(1), format!("two columns are called {:?}", twice.1)));
    }
    let mut cells: Vec<Vec<String>> = vec![Vec::new(); header.len()];
    let (mut count, mut lines) = (0, Vec::new());
    let mut first_lines = FirstLines { text: text.as_bytes(), at: 0, line: 1 };
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map(|place| first_lines.of(place.byte()) as u64);
            wrong(line, ragged(&error, count + 1))
        })?;
        for (column, cell) in cells.iter_mut().zip(&record) {
            column.push(cell.to_string());
        }
        lines.push(record.position().map_or(0, |place| first_lines.of(place.byte())));
        count += 1;
    }
    let mut rows = vec![Map::new(); count];
    for (name, column) in header.iter().zip(&cells) {
        let values: Vec<Value> = match typing {
            Typing::Texts => column.iter().map(|cell| Value::from(cell.as_str())).collect(),
            Typing::Written => numbers::as_written(column),
            Typing::Harness => numbers::as_pandas(column),
        };
        for (row, value) in rows.iter_mut().zip(values) {
            row.insert(name.to_string(), value);
        }
    }
    Ok(RowsRead { rows, lines })
}

/// The line that a record begins in. The csv crate has a record begin where the one before it ends, which is before
/// the second half of a `\r\n` and before blank lines.
struct FirstLines<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl FirstLines<'_> {
    /// Of the record that begins at or after a byte; bytes never fall.
    fn of(&mut self, byte: u64) -> usize {
        let from = usize::try_from(byte).unwrap_or(usize::MAX).min(self.text.len());
        let breaks = self.text[from..].iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
        let start = from + breaks;
        if start > self.at {
            self.line += self.text[self.at..start].iter().filter(|b| **b == b'\n').count();
            self.at = start;
        }
        self.line
    }
}

fn ragged(error: &csv::Error, row: usize) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("row {row} has {len} cells where the header has {expected_len}")
        }
        _ => format!("row {row}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(name: &str, text: &str) -> Result<Dataset, InputError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Dataset::read(&path, Typing::Written).map_err(|mut error| {
            error.file = name.to_string();
            error
        })
    }

    fn cells(name: &str, text: &str) -> Vec<Value> {
        read(name, text).unwrap().rows.into_iter().map(|row| Value::Object(row.cells)).collect()
    }

    #[test]
    fn lines_arrays_and_tables_give_the_same_rows() {
        let rows = [json!({"q": "a, b", "n": 1}), json!({"q": "北\ny", "n": 2})];
        assert_eq!(cells("x.jsonl", "{\"q\":\"a, b\",\"n\":1}\n\n{\"q\":\"北\\ny\",\"n\":2}\n"), rows);
        assert_eq!(cells("x.json", "[{\"q\":\"a, b\",\"n\":1},{\"q\":\"北\\ny\",\"n\":2}]"), rows);
        assert_eq!(cells("x.csv", "\u{feff}q,n\n\"a, b\",1\n\"北\ny\",2\n"), rows);
        assert_eq!(cells("x.tsv", "q\tn\na, b\t1\n\"北\ny\"\t2\n"), rows);
    }

    #[test]
    fn texts_stay_texts_and_rows_know_their_lines() {
        let folder = tempfile::tempdir().unwrap();
        let rows = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            let rows = Dataset::read(&path, Typing::Texts).unwrap().rows;
            rows.into_iter().map(|row| (row.line, Value::Object(row.cells))).collect::<Vec<_>>()
        };
        let found = rows("x.csv", "q;n\n\"a, b\nc\";007\n;1\n");
        assert_eq!(
            found,
            [(Some(2), json!({"q": "a, b\nc", "n": "007"})), (Some(4), json!({"q": "", "n": "1"}))]
        );
        let lines = |text: &str| rows("x.csv", text).into_iter().map(|(line, _)| line).collect::<Vec<_>>();
        assert_eq!(lines("q,n\r\n1,2\r\n\"a\r\nb\",4\r\n5,6"), [Some(2), Some(3), Some(5)]);
        assert_eq!(lines("\u{feff}q,n\n\n1,2\n\n\n3,4\n"), [Some(3), Some(6)]);
        let found = rows("x.jsonl", "\n{\"q\": 1}\n");
        assert_eq!(found, [(Some(2), json!({"q": 1}))]);
        assert_eq!(rows("x.json", "[{\"q\": 1}]"), [(None, json!({"q": 1}))]);
    }

    #[test]
    fn broken_rows_are_named() {
        let error = |name, text| read(name, text).unwrap_err().to_string();
        assert_eq!(
            error("x.jsonl", "{\"a\": 1}\n{\"a\": }\n"),
            "x.jsonl:2: row 2 is no JSON: expected value (column 7)"
        );
        assert_eq!(
            error("x.jsonl", "3\n"),
            "x.jsonl:1: each line must be a JSON object, as in {\"question\": \"…\"}"
        );
        assert_eq!(error("x.csv", "a,b\n1,2\n3\n"), "x.csv:3: row 2 has 1 cells where the header has 2");
        assert_eq!(
            error("x.csv", "a,b\r\n1,2\r\n\r\n3\r\n"),
            "x.csv:4: row 2 has 1 cells where the header has 2"
        );
        assert_eq!(error("x.csv", "a,a\n1,2\n"), "x.csv:1: two columns are called \"a\"");
        assert_eq!(
            error("x.csv", "a,b\n1,\"2\n3,4\n"),
            "x.csv:2: a quotation mark opens a cell here and is never closed"
        );
        assert_eq!(
            error("x.tsv", "a\tb\n1\t2\n\"3\t4\n"),
            "x.tsv:3: a quotation mark opens a cell here and is never closed"
        );
        assert_eq!(error("x.json", "[1]"), "x.json: row 1 is no JSON object");
        let missing = Dataset::read(Path::new("nowhere/x.csv"), Typing::Written).unwrap_err();
        assert_eq!(missing.to_string(), "nowhere/x.csv: there is no such file");
    }

    #[test]
    fn a_missing_cell_is_null_once_filled() {
        let mut data = read("x.jsonl", "{\"a\": 1}\n{\"b\": 2}\n").unwrap();
        data.fill();
        assert_eq!(data.rows[0].cells["b"], Value::Null);
        assert_eq!(data.columns(), ["a", "b"]);
    }
}
