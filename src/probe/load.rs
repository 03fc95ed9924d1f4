//! From what a person names to suites: shipped suites, suite files, tasks of the evaluation harness,
//! BLiMP's and SyntaxGym's files.

use std::path::Path;

use super::dataset::{Dataset, Typing};
use super::error::InputError;
use super::item::Suite;
use super::task::{self, DataFiles};
use super::{blimp, shipped, suite, syntaxgym};
use crate::files;
use crate::text::nearest;

/// What can be run.
const KINDS: &str = "a suite is a .toml file, a task .yaml, BLiMP's data .jsonl and SyntaxGym's .json";

/// What to run.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Names and files; none means every suite in the program.
    pub names: Vec<String>,
    /// Rows for tasks whose data lives elsewhere.
    pub data: DataFiles,
    /// Only the first items of each suite.
    pub limit: Option<usize>,
}

/// Reads everything that is named.
///
/// # Errors
/// The first file that can't be run.
pub fn load(selection: &Selection) -> Result<Vec<Suite>, InputError> {
    let mut suites = Vec::new();
    if selection.names.is_empty() {
        for shipped in shipped::SUITES {
            suites.push(shipped::read(shipped)?);
        }
    }
    for name in &selection.names {
        suites.extend(read(name, selection)?);
    }
    if !selection.data.is_empty() && !suites.iter().any(|suite| suite.takes_data) {
        return Err(InputError::new(
            "--data",
            "it gives rows to tasks of the evaluation harness, and there is none",
        ));
    }
    for suite in &mut suites {
        suite.items.truncate(selection.limit.unwrap_or(usize::MAX));
    }
    check_names(&suites)?;
    Ok(suites)
}

/// Results are told apart by their suite's name.
fn check_names(suites: &[Suite]) -> Result<(), InputError> {
    for (i, suite) in suites.iter().enumerate() {
        if let Some(other) = suites[..i].iter().find(|other| other.name == suite.name) {
            let file = |suite: &Suite| {
                suite
                    .file
                    .as_ref()
                    .map_or_else(|| "the program".to_string(), |file| file.display().to_string())
            };
            let reason = format!("the suite name {:?} is taken: {} has it too", suite.name, file(other));
            return Err(InputError::new(file(suite), reason));
        }
    }
    Ok(())
}

/// Reads one file or name; a group of tasks is several suites.
///
/// # Errors
/// What is wrong with it.
pub fn read(name: &str, selection: &Selection) -> Result<Vec<Suite>, InputError> {
    let found = shipped::named(name);
    if !found.is_empty() {
        return found.into_iter().map(shipped::read).collect();
    }
    let path = Path::new(name);
    if name == "-" {
        return Err(InputError::new("-", format!("suites are not read from standard input; {KINDS}")));
    }
    // A pipe's name says nothing of what is in it, and it might never begin.
    files::regular(path).map_err(|error| InputError::new(path.display(), format!("{error}; {KINDS}")))?;
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    match extension.as_str() {
        "toml" => Ok(vec![suite::read(path)?]),
        "yaml" | "yml" => task::read(path, &selection.data, selection.limit),
        "json" => Ok(vec![syntaxgym::read(path)?]),
        "jsonl" => data_file(path).map(|suite| vec![suite]),
        _ if path.is_file() => Err(InputError::new(path.display(), KINDS)),
        _ => Err(unknown(name)),
    }
}

fn data_file(path: &Path) -> Result<Suite, InputError> {
    let data = Dataset::read(path, Typing::Harness)?;
    if data.rows.is_empty() {
        return Err(InputError::new(path.display(), "the suite is empty"));
    }
    if !blimp::is_blimp(&data) {
        return Err(InputError::new(
            path.display(),
            "a .jsonl file given by itself must be BLiMP's, with sentence_good and sentence_bad; \
             other data goes through [suite.data] of a suite, or --data with a task",
        ));
    }
    blimp::suite(path, &data)
}

fn unknown(name: &str) -> InputError {
    let names = shipped::SUITES.iter().map(|(name, _)| *name);
    let hint = match nearest(name, names) {
        Some(name) => format!("did you mean {name}?"),
        None => format!("`tokenscope probe --list` names those in the program, and {KINDS}"),
    };
    InputError::new(name, format!("there is no such suite or file; {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(names: &[&str]) -> String {
        let names = names.iter().map(|name| name.to_string()).collect();
        load(&Selection { names, ..Selection::default() }).unwrap_err().to_string()
    }

    #[test]
    fn what_is_neither_suite_nor_file_gets_the_nearest_name() {
        assert_eq!(
            error(&["inductoin.en"]),
            "inductoin.en: there is no such suite or file; did you mean induction.en?"
        );
        assert_eq!(error(&["nowhere/x.toml"]), "nowhere/x.toml: there is no such file");
    }

    #[test]
    fn only_a_regular_file_is_a_suite() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("x.toml").display().to_string();
        let name = std::ffi::CString::new(pipe.as_str()).unwrap();
        // SAFETY: a valid name that ends with a zero byte.
        assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
        let yaml = folder.path().join("t.yaml");
        std::fs::write(&yaml, "include: x.toml\ntask: t\n").unwrap();
        let data = folder.path().join("d.toml");
        let text = "[suite]\nname = \"d\"\n[suite.data]\nfile = \"x.toml\"\nid = \"{{ row }}\"\nprompt = \"{{ a }}\"\ntarget = \"x\"\n";
        std::fs::write(&data, text).unwrap();
        assert_eq!(error(&[&pipe]), format!("{pipe}: a pipe, no file; {KINDS}"));
        assert_eq!(error(&["/dev/null"]), format!("/dev/null: a device, no file; {KINDS}"));
        assert_eq!(error(&["-"]), format!("-: suites are not read from standard input; {KINDS}"));
        let inside = [yaml, data].map(|path| error(&[&path.display().to_string()]));
        assert!(inside.iter().all(|said| said.contains("x.toml: a pipe, no file")), "{inside:?}");
        let none = error(&["xylophone"]);
        assert!(none.ends_with(&format!("names those in the program, and {KINDS}")), "{none}");
    }

    #[test]
    fn two_suites_of_one_name_are_refused() {
        assert_eq!(
            error(&["induction.en", "induction.en"]),
            "the program: the suite name \"induction.en\" is taken: the program has it too"
        );
    }

    #[test]
    fn rows_without_a_task_are_a_mistake() {
        let data = DataFiles::new(&["x.jsonl".to_string()]);
        let selection = Selection { names: vec!["induction.en".to_string()], data, limit: None };
        assert!(load(&selection).unwrap_err().to_string().starts_with("--data: it gives rows to tasks"));
    }

    #[test]
    fn a_limit_cuts_every_suite() {
        let selection = Selection { limit: Some(2), ..Selection::default() };
        assert!(load(&selection).unwrap().iter().all(|suite| suite.items.len() == 2));
    }
}
