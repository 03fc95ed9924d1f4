//! The same command twice, in two processes: its output is the same to the byte.

use std::path::Path;
use std::process::{Command, Stdio};

const SUITE: &str = r#"
[suite]
name = "repeat"

[[probe]]
id      = "{{ land }}"
params  = { land = ["France", "Italy", "Japan"] }
prompt  = "The capital of {{ land }} is"
choices = [" Paris", " Rome", " Tokyo"]
answer  = "{{ {'France': 0, 'Italy': 1, 'Japan': 2}[land] }}"
expect  = ["best() == answer", "margin() > 0"]
tokens  = [" Paris", " the"]

[[probe]]
id     = "versus"
prompt = "One, two, three,"
versus = "Four, three, two,"
target = " four"

[[probe]]
id      = "samples"
prompt  = "Once upon a"
sample  = { n = 4, temperatures = [0.7, 1.0], max_tokens = 4 }
pattern = "(time)"
expect  = ["prevalence() >= 0"]
"#;

/// Sums over five regions of two conditions: in another order they would differ in their last digits.
const SYNTAXGYM: &str = r#"{"meta": {"name": "sums", "metric": "sum"}, "predictions": [
 {"type": "formula", "formula": "(*;%sg%) = (1;%sg%) + (2;%sg%) + (3;%sg%) + (4;%sg%) + (5;%sg%)"},
 {"type": "formula", "formula": "(1;%sg%) = (1;%pl%) & (3;%sg%) > (3;%pl%)"},
 {"type": "formula", "formula": "(*;%sg%) < (*;%pl%)"}],
 "items": [{"item_number": 1, "conditions": [
 {"condition_name": "sg", "regions": [{"region_number": 1, "content": "The teacher"},
  {"region_number": 2, "content": "by the windows"}, {"region_number": 3, "content": "reads"},
  {"region_number": 4, "content": "a book"}, {"region_number": 5, "content": "."}]},
 {"condition_name": "pl", "regions": [{"region_number": 1, "content": "The teacher"},
  {"region_number": 2, "content": "by the windows"}, {"region_number": 3, "content": "read"},
  {"region_number": 4, "content": "a book"}, {"region_number": 5, "content": "."}]}]}]}"#;

const TASK: &str = r#"
task: repeat_task
test_split: test
output_type: multiple_choice
doc_to_text: "{{question}}"
doc_to_choice: [" yes", " no"]
doc_to_target: answer
metric_list:
  - metric: acc
  - metric: acc_norm
  - metric: f1
  - metric: mcc
"#;

fn threads(args: &[&str]) -> &'static [&'static str] {
    if args[0] == "models" { &[] } else { &["--threads", "2"] }
}

fn output(folder: &Path, args: &[&str]) -> Vec<u8> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.env("TOKENSCOPE_NO_SAVE", "1");
    // Last digits may depend on the number of threads, which otherwise follows what else runs.
    command.args(args).args(threads(args)).current_dir(folder).stdin(Stdio::null());
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("TOKENSCOPE_") && name != "TOKENSCOPE_HOME")
    {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    assert!(
        matches!(output.status.code(), Some(0 | 1)),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn assert_repeats(folder: &Path, args: &[&str]) -> Vec<u8> {
    let (first, second) = (output(folder, args), output(folder, args));
    assert!(!first.is_empty(), "{args:?}");
    assert_eq!(String::from_utf8_lossy(&first), String::from_utf8_lossy(&second), "{args:?}");
    first
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows: String = (0..12)
        .map(|i| format!("{{\"question\": \"Is {i} more than 5?\", \"answer\": {}}}\n", usize::from(i <= 5)))
        .collect();
    for (name, text) in
        [("repeat.toml", SUITE), ("sums.json", SYNTAXGYM), ("task.yaml", TASK), ("rows.jsonl", rows.as_str())]
    {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

#[test]
fn every_report_repeats() {
    let folder = folder();
    let before = output(folder.path(), &["probe", "repeat.toml", "--seed", "7", "--json"]);
    std::fs::write(folder.path().join("before.jsonl"), before).unwrap();
    const FORMATS: [&str; 5] = ["jsonl", "csv", "markdown", "junit", "html"];
    for files in [
        &["repeat.toml", "sums.json"][..],
        &["task.yaml", "--data", "rows.jsonl"],
        &["repeat.toml", "--baseline", "before.jsonl"],
    ] {
        let written = || {
            let reports = FORMATS.map(|format| format!("{format}=report.{format}"));
            let reports: Vec<&str> = reports.iter().flat_map(|report| ["--report", report]).collect();
            let args = [&["probe", "--seed", "7", "--report", "table"][..], &reports, files].concat();
            let table = output(folder.path(), &args);
            let read = |format| std::fs::read(folder.path().join(format!("report.{format}"))).unwrap();
            [vec![table], FORMATS.map(read).to_vec()].concat()
        };
        for (first, second) in written().iter().zip(written()) {
            assert!(!first.is_empty(), "{files:?}");
            assert_eq!(String::from_utf8_lossy(first), String::from_utf8_lossy(&second), "{files:?}");
        }
    }
}

#[test]
fn sums_over_a_condition_are_its_regions_sums() {
    let folder = folder();
    let found = assert_repeats(folder.path(), &["probe", "sums.json", "--json"]);
    let item: serde_json::Value =
        serde_json::from_slice(found.split(|byte| *byte == b'\n').next().unwrap()).unwrap();
    let passed = |index: usize| item["predictions"][index]["passed"].as_bool();
    assert_eq!((passed(0), passed(1)), (Some(true), Some(true)), "{item}");
}

#[test]
fn every_commands_json_repeats() {
    let folder = folder();
    for args in [
        &["next", "The capital of France is", "--token", " Paris", "-k", "50"][..],
        &["score", "The cat sat on the mat.\nIt slept.\n", "--by", "word", "--stats"],
        &["score", "The cat sat on the mat.\nIt slept.\n", "--by", "line"],
        &["score", "The capital of France is", "--choice", " Paris", "--choice", " a city"],
        &["generate", "Once upon a time", "-n", "24", "--seed", "3", "--temp", "1.2", "--top-p", "0.9"],
        &["tokenize", "The capital of France is"],
        &["tokenize", "a <|im_end|> b", "--check", "--special"],
        &["models", "list"],
        &["models", "info"],
    ] {
        assert_repeats(folder.path(), &[args, &["--json"]].concat());
    }
    assert_repeats(folder.path(), &["probe", "--schema"]);
}

#[test]
fn the_number_of_threads_in_a_record_depends_on_machine_and_flags_alone() {
    let folder = tempfile::tempdir().unwrap();
    let cores = std::thread::available_parallelism().unwrap().get() as u64;
    for (flags, expected) in [(&[][..], cores), (&["--threads", "auto"], cores), (&["--threads", "1"], 1)] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
        command.env("TOKENSCOPE_NO_SAVE", "1");
        command.args(["next", "a", "--json", "-q"]).args(flags).current_dir(&folder).stdin(Stdio::null());
        command.env_remove("TOKENSCOPE_THREADS");
        let output = command.output().unwrap();
        let record: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(record["provenance"]["threads"], expected, "{flags:?}");
    }
}
