//! What the catalogue says of its models: the weights they are computed with, and how they are sampled.

#[path = "support/gguf.rs"]
mod gguf;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tokenscope::model::{Library, Silent, Spec};

const TOKENSCOPE: &str = env!("CARGO_BIN_EXE_tokenscope");
const QUESTION: &str = "What is the capital of France?";
const ANSWER: &str = "The capital of France is Paris.";

/// The default model's file.
fn model() -> PathBuf {
    let library = Library::open().unwrap();
    library.pull(&Spec::parse("smollm2-135m").unwrap(), &Silent).unwrap().path
}

/// A home with the default model and nothing else.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let models = home.path().join("data/models");
    std::fs::create_dir_all(&models).unwrap();
    std::os::unix::fs::symlink(model(), models.join("smollm2-135m.gguf")).unwrap();
    home
}

/// Runs it in a home, or in the user's own without settings.
fn run(home: Option<&Path>, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(TOKENSCOPE);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TOKENSCOPE_")) {
        command.env_remove(name);
    }
    match home {
        Some(home) => command.env("TOKENSCOPE_HOME", home),
        None => command.env("XDG_CONFIG_HOME", "/nowhere").env("XDG_STATE_HOME", std::env::temp_dir()),
    };
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", stderr(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The weights in force and why, as `next` tells them.
fn weights(home: Option<&Path>, args: &[&str]) -> (String, String) {
    let output = run(home, &[&["next", "a", "--json", "-q"], args].concat(), "");
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    let told = |key: &str| answer["provenance"][key].as_str().unwrap().to_string();
    (told("weights"), told("weights_reason"))
}

fn pair(weights: &str, reason: &str) -> (String, String) {
    (weights.to_string(), reason.to_string())
}

#[test]
fn the_first_answer_is_right_and_says_what_it_is_computed_with() {
    let output = run(None, &["-n", "32", "--greedy"], &format!("{QUESTION}\n"));
    let text = stdout(&output);
    assert!(text.starts_with(ANSWER), "{text}");
    let said = stderr(&output);
    assert!(
        said.contains("weights f16 (catalogue)") && said.contains("sampling greedy (command line)"),
        "{said}"
    );
    // The file's own arithmetic prefers another beginning.
    let as_is = stdout(&run(None, &["-n", "8", "--greedy", "--weights", "as-is"], &format!("{QUESTION}\n")));
    assert!(!as_is.starts_with("The"), "{as_is}");
}

#[test]
fn a_chat_is_sampled_as_the_authors_recommend() {
    let output = run(None, &["-n", "1", "--json"], &format!("{QUESTION}\n"));
    let step: Value = serde_json::from_str(stdout(&output).lines().next().unwrap()).unwrap();
    let best = &step["top_logprobs"][0];
    assert_eq!(best["token"], "The");
    // Raw it has 15 %: a temperature of 0.2 makes it the most likely by far (0.8 leaves it at 17 %).
    let last = best["final_prob"].as_f64().unwrap();
    assert!((0.45..0.7).contains(&last), "{last}");
    assert!(stderr(&output).contains("sampling T 0.2 top-p 0.9 (catalogue)"), "{}", stderr(&output));
}

#[test]
fn a_pull_makes_the_copy_once_and_everything_says_so() {
    let folder = home();
    let home = Some(folder.path());
    let list =
        || -> Value { serde_json::from_str(&stdout(&run(home, &["models", "list", "--json"], ""))).unwrap() };
    assert!(list()["models"][0]["copy"].is_null());
    let pulled = stdout(&run(home, &["models", "pull"], ""));
    assert!(pulled.contains("the f16 copy it is computed with, made"), "{pulled}");
    let again = stdout(&run(home, &["models", "pull"], ""));
    assert!(again.contains("the f16 copy it is computed with, already here"), "{again}");
    let listed = &list()["models"][0];
    assert_eq!((&listed["weights"], &listed["weights_reason"]), (&"f16".into(), &"catalogue".into()));
    let copy = listed["copy"].as_str().unwrap().to_string();
    let info = stdout(&run(home, &["models", "info"], ""));
    assert!(info.contains(&format!("f16 (catalogue), in {copy}")), "{info}");
    assert!(info.contains("temp 0.2, top-p 0.9 in a chat (catalogue)"), "{info}");

    assert_eq!(weights(home, &[]), pair("f16", "catalogue"));
    assert_eq!(weights(home, &["--weights", "as-is"]), pair("as-is", "asked for"));
    // The checksum decides, not the name or the place.
    let elsewhere = folder.path().join("other.gguf");
    std::os::unix::fs::symlink(model(), &elsewhere).unwrap();
    assert_eq!(weights(home, &["-m", elsewhere.to_str().unwrap()]), pair("f16", "catalogue"));
    let namesake = folder.path().join("smollm2-135m.gguf");
    std::fs::write(&namesake, gguf::tiny_llama(1).bytes()).unwrap();
    assert_eq!(weights(home, &["-m", namesake.to_str().unwrap()]), pair("as-is", "not in the catalogue"));

    // Whoever removes the model has no copy left behind.
    let gone = stdout(&run(home, &["models", "rm", "smollm2-135m", "--yes"], ""));
    assert!(gone.contains(&copy) && !Path::new(&copy).exists(), "{gone}");
}

#[test]
fn a_home_that_can_hold_no_copy_computes_the_file_as_it_is_and_says_so() {
    let home = home();
    std::fs::create_dir_all(home.path().join("cache")).unwrap();
    std::fs::write(home.path().join("cache/copies"), "in the way").unwrap();
    let home = Some(home.path());
    assert_eq!(weights(home, &[]), pair("as-is", "no f16 copy"));
    let said = stderr(&run(home, &["next", "a", "-q"], ""));
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("no f16 copy of smollm2-135m (cannot make "), "{said}");
    let pulled = run(home, &["models", "pull"], "");
    assert!(stdout(&pulled).lines().count() == 1 && stderr(&pulled).contains("no f16 copy of"), "{pulled:?}");
    // What a flag asks for is not replaced by something else.
    assert_eq!(run(home, &["next", "a", "--weights", "f16"], "").status.code(), Some(3));
}

/// A file with sampling of its own, in a home of its own.
fn with_sampling(values: &[(&str, f32)]) -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("tiny.gguf");
    let mut file = gguf::tiny_llama(1);
    for (name, value) in values {
        file.set(&format!("general.sampling.{name}"), gguf::Value::F32(*value));
    }
    file.set("general.sampling.top_k", gguf::Value::I32(7));
    std::fs::write(&path, file.bytes()).unwrap();
    (home, path)
}

#[test]
fn a_file_recommends_sampling_for_a_chat_and_flags_win() {
    let (home, path) = with_sampling(&[("temp", 0.5)]);
    let path = path.to_str().unwrap();
    let said =
        |args: &[&str]| stderr(&run(Some(home.path()), &[&["-m", path, "-n", "1"], args].concat(), "Hi\n"));
    assert!(said(&[]).contains("sampling T 0.5 top-k 7 (model file)"), "{}", said(&[]));
    let mixed = said(&["--temp", "0.9"]);
    assert!(mixed.contains("sampling T 0.9 top-k 7 (command line, model file)"), "{mixed}");
    let script = "/set\n/set temp\n/set temp 0.3\n/set temp\n";
    let repl = stdout(&run(Some(home.path()), &["repl", "-m", path], script));
    assert!(repl.contains("temp 0.5 (0 (greedy) or more), from: model file"), "{repl}");
    assert!(repl.contains("temp 0.3 (0 (greedy) or more), from: set here"), "{repl}");
    let row = repl.lines().find(|line| line.starts_with("top-k ")).unwrap();
    assert!(row.contains(" 7 ") && row.contains("model file"), "{row}");
    // Raw text stays raw: no stage has anything to drop.
    let raw = run(Some(home.path()), &["generate", "a", "-n", "1", "-k", "20", "--json", "-m", path], "");
    assert!(!stdout(&raw).contains("\"dropped_by\":\""), "{}", stdout(&raw));
}

#[test]
fn recommended_values_out_of_range_are_one_line() {
    let (home, path) = with_sampling(&[("temp", 0.5), ("top_p", 1.5), ("min_p", -1.0)]);
    let output = run(Some(home.path()), &["-m", path.to_str().unwrap(), "-n", "1"], "Hi\n");
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("left out")).collect();
    assert_eq!(lines.len(), 1, "{said}");
    assert!(lines[0].contains("top_p 1.5") && lines[0].contains("min_p -1"), "{said}");
    assert!(said.contains("sampling T 0.5 top-k 7 (model file)"), "{said}");
}

#[test]
fn an_earlier_run_with_other_weights_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let suite = folder.path().join("one.toml");
    let text = "[suite]\nname = \"one\"\n[[probe]]\nid = \"a\"\nprompt = \"The capital of France is\"\n\
                choices = [\" Paris\", \" Rome\"]\nanswer = 0\nexpect = [\"best() == 0\"]\n";
    std::fs::write(&suite, text).unwrap();
    let before = folder.path().join("before.jsonl");
    let (suite, file) = (suite.to_str().unwrap(), before.to_str().unwrap());
    std::fs::write(&before, stdout(&run(None, &["probe", suite, "--weights", "as-is", "--json", "-q"], "")))
        .unwrap();
    let compared = run(None, &["probe", suite, "--baseline", file, "-q"], "");
    let said = stderr(&compared);
    assert!(stdout(&compared).contains("(weights as-is)"), "{}", stdout(&compared));
    assert!(said.contains("weights as-is there and with f16 now"), "{said}");
    let same = run(None, &["probe", suite, "--baseline", file, "--weights", "as-is", "-q"], "");
    assert!(!stderr(&same).contains("computed with") && !stdout(&same).contains("(weights"), "{same:?}");
    let resumed = run(None, &["probe", suite, "--resume", file, "-q"], "");
    assert_eq!(resumed.status.code(), Some(2));
    let said = stderr(&resumed);
    assert!(said.contains("weights was as-is and is f16; --weights as-is goes on with them"), "{said}");
    assert_eq!(
        run(None, &["probe", suite, "--resume", file, "--weights", "as-is", "-q"], "").status.code(),
        Some(0)
    );
}
