//! The model beside an n-gram model of its own ids.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A run that keeps what it finds out in a folder of its own, with the models of the real one.
fn run(home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.env("TOKENSCOPE_NO_SAVE", "1");
    command.args(args).env("XDG_CACHE_HOME", home).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TOKENSCOPE_")) {
        if name != "TOKENSCOPE_HOME" {
            command.env_remove(name);
        }
    }
    command.output().unwrap()
}

fn keyboard(home: &Path, prompt: &str, more: &[&str]) -> Value {
    let args: Vec<&str> =
        ["lens", prompt, "--view", "keyboard", "--json", "-q"].iter().chain(more).copied().collect();
    let output = run(home, &args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {said}");
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    found["keyboard"].clone()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn what_is_counted_is_what_is_suggested() {
    let home = tempfile::tempdir().unwrap();
    let corpus = home.path().join("corpus.txt");
    std::fs::write(&corpus, "The cat sat on the mat.\n".repeat(40)).unwrap();
    let corpus = corpus.to_str().unwrap();
    for model in ["smollm2-135m", "gemma-3-270m"] {
        let more = ["--corpus", corpus, "--target", " the", "--versus", " Rome", "-n", "3", "-m", model];
        let found = keyboard(home.path(), "The cat sat on", &more);
        let (own, counted) = (&found["model"], &found["ngram"]);
        assert_eq!(counted["top_logprobs"][0]["token"], " the");
        assert_eq!(counted["target"]["rank"], 1);
        assert!(number(&counted["target"]["logprob"]) > -0.1);
        assert!(number(&counted["versus"]["logprob"]) < -8.0);
        assert_eq!(counted["continuation"]["text"], " the mat.");
        assert_eq!(counted["continuation"]["ids"].as_array().unwrap().len(), 3);
        assert!(own["continuation"]["ids"].as_array().unwrap().len() <= 3);
        // What was counted is less of a surprise to what has counted it.
        assert!(number(&counted["bits_per_byte"]) < number(&own["bits_per_byte"]), "{found}");
        // With a BOS the model has a figure for the first word, too.
        let scored = if model == "gemma-3-270m" { (4, 14) } else { (3, 11) };
        assert_eq!(
            (number(&found["scored_tokens"]), number(&found["bytes"])),
            (scored.0.into(), scored.1.into())
        );
        let agreed = number(&found["agreement"]) * f64::from(scored.0);
        assert!((agreed - agreed.round()).abs() < 1e-9);
        assert_eq!(found["corpus"]["bytes"], 40 * 24);
        // The same from the cache.
        assert_eq!(keyboard(home.path(), "The cat sat on", &more), found);
    }
    assert_eq!(std::fs::read_dir(home.path().join("tokenscope/corpora")).map_or(2, Iterator::count), 2);
}

#[test]
fn clicks_end_with_the_context() {
    let home = tempfile::tempdir().unwrap();
    let found = keyboard(home.path(), "The cat sat on", &["-n", "100000000", "--ctx", "64"]);
    let clicked = |of: &str| found[of]["continuation"]["ids"].as_array().unwrap().len();
    assert_eq!(clicked("ngram"), 60);
    assert!(clicked("model") <= 60);
}

#[test]
fn the_models_half_is_what_score_and_generate_say() {
    let home = tempfile::tempdir().unwrap();
    let corpus = home.path().join("a.txt");
    std::fs::write(&corpus, "a b c d").unwrap();
    let prompt = "Water boils at a temperature of";
    let found = keyboard(home.path(), prompt, &["--corpus", corpus.to_str().unwrap(), "-n", "8"]);
    let json = |args: &[&str]| -> Value {
        let output = run(home.path(), args);
        let last = output.stdout.split(|&byte| byte == b'\n').rfind(|line| !line.is_empty()).unwrap();
        serde_json::from_slice(last).unwrap()
    };
    let score = json(&["score", prompt, "--json", "-q"]);
    for name in ["sum_logprob", "bits_per_byte"] {
        assert!((number(&score[name]) - number(&found["model"][name])).abs() < 1e-4, "{name}");
    }
    assert_eq!(score["scored_tokens"], found["scored_tokens"]);
    let generated = json(&["generate", prompt, "--greedy", "-n", "8", "--json", "-q"]);
    assert_eq!(generated["text"], found["model"]["continuation"]["text"]);
}

#[test]
fn a_corpus_that_is_none_is_refused_in_one_line() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = home.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_string()
    };
    let (empty, broken) = (file("empty", b""), file("broken", b"ab\xff"));
    let folder = home.path().to_str().unwrap();
    let cases: [&[&str]; 6] = [
        &["--view", "keyboard", "--corpus", &empty],
        &["--view", "keyboard", "--corpus", &broken],
        &["--view", "keyboard", "--corpus", "no-such-file"],
        &["--view", "keyboard", "--corpus", folder],
        &["--view", "keyboard", "-n", "0"],
        &["--view", "logit", "--corpus", &broken],
    ];
    for case in cases {
        let args: Vec<&str> = ["lens", "a b", "-q"].iter().chain(case).copied().collect();
        let output = run(home.path(), &args);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{case:?}: {said}");
        assert!(said.lines().count() == 1 || said.contains("error:"), "{case:?}: {said}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_text_of_the_program_is_english_and_chinese() {
    let home = tempfile::tempdir().unwrap();
    let found = keyboard(home.path(), "I am looking forward to seeing", &["-n", "1"]);
    assert_eq!(found["ngram"]["top_logprobs"][0]["token"], " you");
    let found = keyboard(home.path(), "孟子曰：“王何必曰利？亦有仁义而已矣。”", &["-n", "1"]);
    assert!(number(&found["ngram"]["bits_per_byte"]) < 2.0, "{found}");
}
