//! Files of items for lenses, minimal pairs, and steering vectors, with the program and the real model.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn run(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.env("TOKENSCOPE_NO_SAVE", "1");
    command.args(args).arg("-q").current_dir(folder).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TOKENSCOPE_")) {
        if name != "TOKENSCOPE_HOME" {
            command.env_remove(name);
        }
    }
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn fine(folder: &Path, args: &[&str]) -> String {
    let output = run(folder, args);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

const ITEMS: &str = "id;prompt;target;versus;corrupt
007;The capital of France is; Paris; Rome;The capital of Italy is
8;The capital of Japan is; Tokyo;;The capital of the Greek people is
";

#[test]
fn every_row_has_its_figures_and_what_a_row_has_not_is_said_by_its_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("items.csv"), ITEMS).unwrap();
    let views = ["lens", "-f", "items.csv", "--view", "occlusion", "--view", "trace"];
    let reports = ["--report", "jsonl=o.jsonl", "--report", "csv", "--report", "html=o.html"];
    let output = run(folder.path(), &[&views[..], &reports].concat());
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let told = said(&output);
    assert!(told.contains("items.csv:3: trace: the prompts have 5 and 7 tokens"), "{told}");
    assert!(told.contains("1 of 4 have no figures"), "{told}");
    // The figures of one prompt alone.
    let alone = ["lens", "The capital of France is", "--target", " Paris", "--versus", " Rome", "--json"];
    let alone = |view: &[&str]| -> Value {
        serde_json::from_str(&fine(folder.path(), &[&alone[..], view].concat())).unwrap()
    };
    let occluded = alone(&["--view", "occlusion"]);
    let traced = alone(&["--view", "trace", "--corrupt", "The capital of Italy is"]);
    let lines = std::fs::read_to_string(folder.path().join("o.jsonl")).unwrap();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    assert_eq!(lines[0]["input"]["id"], "007");
    assert_eq!(lines[0]["spans"], occluded["spans"]);
    assert_eq!((&lines[1]["grid"], &lines[1]["moves"]), (&traced["grid"], &traced["moves"]));
    assert_eq!(lines[3]["index"], 1);
    assert!(lines[3]["error"].as_str().unwrap().contains("first differ at position 3"));
    assert_eq!(lines[4]["refused"], 1);
    // Rows for statistics packages: the file's own columns, and units in the names of ours.
    let mut reader = csv::Reader::from_reader(&output.stdout[..]);
    let head = reader.headers().unwrap().clone();
    let at =
        |name: &str| head.iter().position(|one| one == name).unwrap_or_else(|| panic!("{name}: {head:?}"));
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 5 + 146 + 5 + 1);
    let (id, delta) = (at("id"), at("delta_logprob_nat"));
    assert_eq!((&rows[0][id], &rows[0][at("span")]), ("007", "The"));
    let first: f64 = rows[0][delta].parse().unwrap();
    assert_eq!(Some(first), occluded["spans"][0]["delta_logprob"].as_f64());
    assert_eq!(&rows[5][delta], "NA");
    assert!(rows.last().unwrap()[at("error")].contains("must have as many"));
    let page = std::fs::read_to_string(folder.path().join("o.html")).unwrap();
    assert!(page.contains("the answer moves to the last position") && page.contains("class=\"warm4\""));
    assert!(!page.contains("src=") && !page.contains("href=\"http"));
}

#[test]
fn what_is_wrong_with_a_file_is_said_before_a_model_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = ["-m", "no-such-model.gguf"];
    for (text, views, expected) in [
        ("text\nThe cat\n", &["occlusion"][..], "x.csv: no column prompt"),
        ("prompt\nThe cat\n", &["trace"], "x.csv:2: trace compares two prompts: a column corrupt"),
        ("prompt,target\na,b\nc\n", &["logit"], "x.csv:3: row 2 has 1 cells where the header has 2"),
        ("prompt\nThe cat\n", &["logit", "logit"], "--view logit is given twice"),
    ] {
        std::fs::write(folder.path().join("x.csv"), text).unwrap();
        let mut args = vec!["lens", "-f", "x.csv"];
        views.iter().for_each(|view| args.extend(["--view", view]));
        args.extend(nothing);
        let output = run(folder.path(), &args);
        assert_eq!(output.status.code(), Some(2), "{text:?}");
        assert!(said(&output).contains(expected), "{text:?}: {}", said(&output));
    }
    let report = ["lens", "a", "--view", "logit", "--report", "junit"];
    assert!(said(&run(folder.path(), &report)).contains("there is no report junit"));
}

#[test]
fn a_minimal_pair_of_a_suite_is_traced() {
    let folder = tempfile::tempdir().unwrap();
    let pair = ["lens", "--view", "trace", "--json", "--pair", "layers.en:moves-France-Italy"];
    let found: Value = serde_json::from_str(&fine(folder.path(), &pair)).unwrap();
    assert_eq!((&found["target"]["text"], &found["first_difference"]), (&" Paris".into(), &3.into()));
    assert!(found["moves"].as_u64().is_some_and(|layer| (20..=25).contains(&layer)), "{}", found["moves"]);
}

const HAPPY: &str = "I love this film, it is wonderful and\nWhat a great day, I feel happy and\n\
    The food was delicious and the people were\nThis is the best thing I have ever\n";
const SAD: &str = "I hate this film, it is terrible and\nWhat an awful day, I feel sad and\n\
    The food was disgusting and the people were\nThis is the worst thing I have ever\n";

#[test]
fn a_vector_that_was_made_leads_where_its_texts_do() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("happy.txt", HAPPY);
    write("sad.txt", SAD);
    write("few.txt", "I love it\n");
    write("empty.txt", "");
    let make = |positive: &str, negative: &str, more: &[&str]| {
        let args = ["steer", "make", "--positive", positive, "--negative", negative, "-o", "joy.gguf"];
        run(folder.path(), &[&args[..], more].concat())
    };
    for (positive, negative, expected) in [
        ("empty.txt", "sad.txt", "empty.txt: empty"),
        ("few.txt", "sad.txt", "1 positive texts and 4 negative ones"),
        ("few.txt", "few.txt", "1 pair: at least 2"),
        ("sad.txt", "sad.txt", "leave the same streams"),
    ] {
        let output = make(positive, negative, &[]);
        assert_eq!(output.status.code(), Some(2), "{positive}");
        assert!(said(&output).contains(expected), "{}", said(&output));
        assert!(!folder.path().join("joy.gguf").exists());
    }
    let made = make("happy.txt", "sad.txt", &["--json"]);
    assert_eq!(made.status.code(), Some(0), "{}", said(&made));
    let made: Value = serde_json::from_slice(&made.stdout).unwrap();
    assert_eq!((&made["pairs"], &made["width"]), (&4.into(), &576.into()));
    assert!(said(&make("happy.txt", "sad.txt", &[])).contains("--force writes over it"));
    let before = std::fs::read(folder.path().join("joy.gguf")).unwrap();
    assert_eq!(make("happy.txt", "sad.txt", &["--force"]).status.code(), Some(0));
    assert_eq!(
        std::fs::read(folder.path().join("joy.gguf")).unwrap(),
        before,
        "the same texts, the same bytes"
    );

    let shown: Value =
        serde_json::from_str(&fine(folder.path(), &["steer", "show", "joy.gguf", "--json"])).unwrap();
    let layers = shown["layers"].as_array().unwrap();
    assert_eq!(layers.len(), 29);
    for (layer, of) in layers.iter().zip(made["layers"].as_array().unwrap()) {
        assert_eq!((&layer["layer"], &layer["norm"]), (&of["layer"], &of["norm"]));
        assert_eq!(layer["raises"].as_array().unwrap().len(), 10);
        assert_ne!(layer["raises"][0]["token"], layer["lowers"][0]["token"]);
    }
    let other = run(folder.path(), &["steer", "show", "joy.gguf", "-m", "gemma-3-270m"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(said(&other).contains("joy.gguf: it was made with a model of llama"), "{}", said(&other));

    // The more of it, the better what is said.
    let preference = |dose: &str| {
        let args =
            ["next", "The film was", "--token", " great", "--token", " terrible", "--json", "--steer", dose];
        let found: Value = serde_json::from_str(&fine(folder.path(), &args)).unwrap();
        let logprob = |i: usize| found["tokens"][i]["logprob"].as_f64().unwrap();
        logprob(0) - logprob(1)
    };
    let [against, without, with] = ["joy.gguf:-1.5:15", "joy.gguf:0:15", "joy.gguf:1.5:15"].map(preference);
    assert!(with > without + 0.5 && without > against + 0.5, "{against} {without} {with}");
}
