//! One question through every door: `score`, `next`, `/compare` in the REPL and in the chat, a suite and a
//! task give one answer.

#[path = "support/pty.rs"]
mod pty;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

const FIGURES: [&str; 5] =
    ["sum_logprob", "logprob_per_char", "logprob_per_byte", "logprob_per_token", "pmi"];

fn run(folder: &Path, args: &[&str], input: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.env("TOKENSCOPE_NO_SAVE", "1");
    command.args(args).args(["--exact", "-q"]).current_dir(folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("TOKENSCOPE_") && name != "TOKENSCOPE_HOME")
    {
        command.env_remove(name);
    }
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn first_record(text: &str) -> Value {
    serde_json::from_str(text.lines().next().unwrap()).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn assert_same(a: &Value, b: &Value, what: &str) {
    for (i, (a, b)) in a.as_array().unwrap().iter().zip(b.as_array().unwrap()).enumerate() {
        for figure in FIGURES {
            let (a, b) = (number(&a[figure]), number(&b[figure]));
            assert!((a - b).abs() < 1e-6, "{what}, choice {i}, {figure}: {a} and {b}");
        }
        assert_eq!(a["is_greedy"], b["is_greedy"], "{what}, choice {i}");
    }
}

fn score(folder: &Path, prompt: &str, choices: &[&str]) -> Value {
    let mut args = vec!["score", prompt, "--json"];
    args.extend(choices.iter().flat_map(|choice| ["--choice", choice]));
    first_record(&run(folder, &args, ""))
}

fn suite(folder: &Path, prompt: &str, choices: &[&str]) -> Value {
    let text = format!(
        "[suite]\nname = \"doors\"\n[[probe]]\nid = \"one\"\nprompt = {prompt:?}\nchoices = {choices:?}\n\
         answer = 0\ntokens = {choices:?}\nexpect = [\"best('acc_mutual_info') >= -1\"]\n"
    );
    std::fs::write(folder.join("doors.toml"), text).unwrap();
    first_record(&run(folder, &["probe", "doors.toml", "--json"], ""))
}

#[test]
fn one_question_has_one_answer_at_every_door() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (prompt, choices) = ("The capital of France is", [" Paris", " A", " a city"]);
    let scored = score(folder, prompt, &choices);
    let sum = |i: usize| number(&scored["choices"][i]["sum_logprob"]);
    // Without the white space it begins with.
    assert!((number(&scored["choices"][0]["logprob_per_char"]) - sum(0) / 5.0).abs() < 1e-9);
    assert!((number(&scored["choices"][1]["logprob_per_byte"]) - sum(1)).abs() < 1e-9);

    let probed = suite(folder, prompt, &choices);
    assert_same(&scored["choices"], &probed["choices"], "score and a suite");
    assert_eq!(scored["best"], probed["best"]);

    // The task's delimiter is the white space before the choices.
    let task = "task: doors\ntest_split: test\noutput_type: multiple_choice\ndoc_to_text: \"{{q}}\"\n\
                doc_to_choice: [\"Paris\", \"A\", \"a city\"]\ndoc_to_target: 0\n\
                metric_list:\n  - metric: acc\n  - metric: acc_norm\n  - metric: acc_mutual_info\n";
    std::fs::write(folder.join("task.yaml"), task).unwrap();
    std::fs::write(folder.join("rows.jsonl"), format!("{{\"q\": {prompt:?}}}\n")).unwrap();
    let args = ["probe", "task.yaml", "--data", "rows.jsonl", "--json"];
    assert_same(&scored["choices"], &first_record(&run(folder, &args, ""))["choices"], "score and a task");

    let mut args = vec!["next", prompt, "--json"];
    args.extend(choices.iter().flat_map(|choice| ["--token", choice]));
    let next = first_record(&run(folder, &args, ""));
    for i in 0..choices.len() {
        for named in [&next["tokens"][i], &probed["tokens"][i]] {
            // `next` evaluates the prompt itself as well: another shape of batch, another rounding in F32.
            assert!((number(&named["logprob"]) - sum(i)).abs() < 1e-5, "{named} and {}", sum(i));
        }
    }

    // Tables have three digits after the point.
    let question = format!("/compare {}\n", choices.map(|choice| format!("{prompt}{choice}")).join(" ||| "));
    let table = run(folder, &["repl"], &question);
    for figure in FIGURES {
        let name = figure.strip_prefix("logprob_").unwrap_or(figure).replace('_', " ");
        let name = if name == "sum logprob" { "sum".to_string() } else { name };
        let row =
            table.lines().find(|line| line.starts_with(&name)).unwrap_or_else(|| panic!("{name}: {table}"));
        for i in 0..choices.len() {
            let shown = format!("{:.3}", number(&scored["choices"][i][figure]));
            assert!(row.contains(&shown), "{figure} {shown}: {row}");
        }
    }
    let screen = chat(&question);
    for figure in FIGURES {
        let values = [0, 1, 2].map(|i| format!("{:.3}", number(&scored["choices"][i][figure])));
        let row = screen.lines().find(|line| values.iter().all(|value| line.contains(value)));
        assert!(row.is_some(), "{figure} {values:?}:\n{screen}");
    }
}

/// The screen when the chat has answered a question.
fn chat(question: &str) -> String {
    let mut pty = pty::Pty::start(180, 40, pty::TOKENSCOPE, &["--exact"]);
    pty.wait_for("ctx 0/");
    pty.type_text(&question.replace('\n', "\r"));
    pty.wait_for("best of its row");
    let screen = pty.contents();
    pty.type_text("\x03\x03");
    screen
}

#[test]
fn a_token_that_spans_the_join_is_counted_and_told_at_every_door() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for prompt in ["The answer is:  ", "The capital of France is Par", "It is "] {
        let choices = ["is.", "Paris"];
        let (scored, probed) = (score(folder, prompt, &choices), suite(folder, prompt, &choices));
        assert_same(&scored["choices"], &probed["choices"], prompt);
        let told = |record: &Value| record.to_string().contains("a token spans");
        assert_eq!(told(&scored), told(&probed), "{prompt:?}: {scored} {probed}");
    }
}
