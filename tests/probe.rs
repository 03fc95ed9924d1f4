//! Probes on the real model, through the real binary: what comes out, and how it ends.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tokenscope::model::{Library, Purpose, Silent};

/// A folder with these files.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn probe(folder: &Path, args: &[&str]) -> Command {
    tokenscope(folder, &[&["probe"], args].concat())
}

fn tokenscope(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.env("TOKENSCOPE_NO_SAVE", "1");
    command.args(args).current_dir(folder).stdin(Stdio::null());
    for (name, _) in
        std::env::vars().filter(|(name, _)| name.starts_with("TOKENSCOPE_") && name != "TOKENSCOPE_HOME")
    {
        command.env_remove(name);
    }
    command
}

fn run(folder: &Path, args: &[&str]) -> Output {
    probe(folder, args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn lines(bytes: &[u8]) -> Vec<Value> {
    String::from_utf8_lossy(bytes).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Runs and reads the JSON Lines; fails unless it ends with this code.
fn records(folder: &Path, args: &[&str], code: i32) -> Vec<Value> {
    let output = run(folder, &[args, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    lines(&output.stdout)
}

fn items(records: &[Value]) -> Vec<&Value> {
    records.iter().filter(|record| record["type"] == "item").collect()
}

fn summary(records: &[Value]) -> &Value {
    records.iter().rfind(|record| record["type"] == "summary").unwrap()
}

fn sums(item: &Value) -> Vec<f64> {
    item["choices"].as_array().unwrap().iter().map(|choice| choice["sum_logprob"].as_f64().unwrap()).collect()
}

/// The same figure from another batch: what llama.cpp's kernels may differ by.
fn assert_close(a: f64, b: f64) {
    assert!((a - b).abs() < 0.3 + 0.01 * a.abs(), "{a} {b}");
}

const CAPITALS: &str = r#"
[suite]
name  = "capitals"
claim = "Facts are probable."

[[probe]]
id      = "{{ land }}"
params  = { land = ["France", "Italy", "Japan"] }
prompt  = "The capital of {{ land }} is"
choices = [" Paris", " Rome", " Tokyo"]
answer  = "{{ {'France': 0, 'Italy': 1, 'Japan': 2}[land] }}"
expect  = ["best() == answer", "margin() > 0", "best('acc_mutual_info') == answer"]
tokens  = [" Paris", " the"]

[[probe]]
id     = "greedy"
prompt = "The capital of France is"
expect = ["'Paris' in greedy(4)", "rank(' Paris') == 1", "p(' Paris') > 0.2", "entropy() < 6", "ppl() > 1"]
"#;

#[test]
fn a_suite_that_holds() {
    let folder = folder(&[("s.toml", CAPITALS)]);
    let records = records(folder.path(), &["s.toml"], 0);
    let items = items(&records);
    assert_eq!(items.len(), 4);
    assert_eq!(records[0]["provenance"]["bos"], "auto");
    assert!(records[0]["model"].is_string() && records[1].get("provenance").is_none());
    for (index, item) in items.iter().enumerate() {
        assert_eq!((item["suite"].as_str(), item["index"].as_u64()), (Some("capitals"), Some(index as u64)));
        assert_eq!(item["passed"], true);
        assert!(item["expect"].as_array().unwrap().iter().all(|verdict| verdict["passed"] == true));
    }
    let france = items[0];
    let sums = sums(france);
    let choice = &france["choices"][0];
    assert_eq!(
        (choice["text"].as_str(), &france["answer"], &france["best"]["acc"]),
        (Some(" Paris"), &0.into(), &0.into())
    );
    assert!((choice["logprob_per_char"].as_f64().unwrap() - sums[0] / 5.0).abs() < 1e-9);
    assert!(choice["pmi"].as_f64().unwrap() > 0.0);
    // A named text is the same text as a choice.
    assert!((france["tokens"][0]["logprob"].as_f64().unwrap() - sums[0]).abs() < 1e-9);
    assert_eq!(france["tokens"][0]["first"]["rank"], 1);
    let summary = summary(&records);
    assert_eq!(
        (summary["items"].as_u64(), summary["passed"].as_u64(), summary["failed"].as_u64()),
        (Some(4), Some(4), Some(0))
    );
    assert_eq!(summary["metrics"]["acc"], 1.0);
}

#[test]
fn a_suite_that_does_not_hold_ends_with_1_and_shows_what_was_found() {
    let failing = CAPITALS.replace("\"rank(' Paris') == 1\"", "\"rank(' London') == 1\"");
    let informational = failing.replace("claim = ", "informational = true\nclaim = ");
    let limit = CAPITALS.replace("claim = ", "expect = [\"acc > 1\"]\nclaim = ");
    let folder = folder(&[("f.toml", &failing), ("i.toml", &informational), ("l.toml", &limit)]);
    let output = run(folder.path(), &["f.toml"]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(
        table.contains("expected rank(' London') == 1") && table.contains("found    rank(' London') = "),
        "{table}"
    );
    assert!(table.contains("␣Paris"), "the top of the distribution: {table}");
    assert_eq!(run(folder.path(), &["i.toml"]).status.code(), Some(0));
    let records = records(folder.path(), &["l.toml"], 1);
    assert_eq!(summary(&records)["expect"][0]["found"], "acc = 1.000");
}

const PAIRS: &str = r#"{"sentence_good": "The boys were sleeping.", "sentence_bad": "The boys was sleeping.", "UID": "pairs"}
{"sentence_good": "This cat sleeps.", "sentence_bad": "These cat sleeps.", "UID": "pairs"}
{"sentence_good": "Many women have left.", "sentence_bad": "Many women has left.", "UID": "pairs"}
"#;

#[test]
fn pairs_as_a_file_as_a_task_and_as_a_suite_agree() {
    let task = "task: t\ndataset_path: json\ndataset_kwargs: {data_files: pairs.jsonl}\noutput_type: multiple_choice\n\
        validation_split: train\ndoc_to_text: \"\"\ndoc_to_target: 0\ndoc_to_choice: \"{{[sentence_good, sentence_bad]}}\"\n\
        target_delimiter: \"\"\nmetric_list: [{metric: acc}]\n";
    let suite = "[suite]\nname = \"s\"\nbos = \"always\"\n[suite.data]\nfile = \"pairs.jsonl\"\n\
        choices = [\"{{ sentence_good }}\", \"{{ sentence_bad }}\"]\nanswer = 0\n";
    let folder = folder(&[("pairs.jsonl", PAIRS), ("t.yaml", task), ("s.toml", suite)]);
    let all = records(folder.path(), &["pairs.jsonl", "t.yaml", "s.toml"], 0);
    let all_items = items(&all);
    assert_eq!(all_items.len(), 9);
    for row in 0..3 {
        for other in [3, 6] {
            for (a, b) in sums(all_items[row]).iter().zip(sums(all_items[row + other])) {
                assert_close(*a, b);
            }
        }
    }
    let accuracies: Vec<&Value> = all
        .iter()
        .filter(|record| record["type"] == "summary")
        .map(|record| &record["metrics"]["acc"])
        .collect();
    assert!(accuracies[0] == accuracies[1] && accuracies[1] == accuracies[2], "{accuracies:?}");
    // Alone, each pair scores as it did among the others.
    let first = records(folder.path(), &["pairs.jsonl", "--limit", "1", "--exact"], 0);
    for (a, b) in sums(items(&first)[0]).iter().zip(sums(all_items[0])) {
        assert_close(*a, b);
    }
}

#[test]
fn without_bos_the_first_token_is_not_counted_and_that_is_said() {
    let suite = "[suite]\nname = \"s\"\nbos = \"never\"\n[[probe]]\nid = \"a\"\nchoices = [\"This cat sleeps.\", \"These cat sleeps.\"]\n";
    let folder = folder(&[("s.toml", suite)]);
    let records = records(folder.path(), &["s.toml"], 0);
    let note = records[0]["notes"][0].as_str().unwrap();
    assert!(note.contains("their first tokens have no context"), "{note}");
}

#[test]
fn regions_and_predictions() {
    let region =
        |number: u32, content: &str| serde_json::json!({"region_number": number, "content": content});
    let condition = |name: &str, verb: &str| serde_json::json!({"condition_name": name, "regions": [region(1, "The boys"), region(2, verb), region(3, "sleeping.")]});
    let file = serde_json::json!({
        "meta": {"name": "verbs", "metric": "sum"},
        "predictions": [
            {"type": "formula", "formula": "(2;%right%) < (2;%wrong%)"},
            {"type": "formula", "formula": "[(*;%right%) > (*;%wrong%)] | (1;%right%) > 1000"},
        ],
        "items": [{"item_number": 7, "conditions": [condition("right", "were"), condition("wrong", "was")]}],
    });
    let folder = folder(&[("verbs.json", &file.to_string())]);
    let records = records(folder.path(), &["verbs.json"], 0);
    let item = items(&records)[0];
    assert_eq!((item["id"].as_str(), item["suite"].as_str()), (Some("7"), Some("verbs")));
    assert_eq!(
        (&item["predictions"][0]["passed"], &item["predictions"][1]["passed"]),
        (&true.into(), &false.into())
    );
    let texts: Vec<&str> =
        item["steps"].as_array().unwrap().iter().map(|step| step["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["The boys", " were", " sleeping.", "The boys", " was", " sleeping."]);
    // The same words in the same place have the same surprisal.
    let surprisal = |i: usize| item["steps"][i]["surprisal"].as_f64().unwrap();
    assert!((surprisal(0) - surprisal(3)).abs() < 1e-6);
    assert_eq!(summary(&records)["metrics"]["prediction_1"], 1.0);
    assert_eq!(summary(&records)["metrics"]["acc"], 0.0);
}

#[test]
fn a_long_text_rolls_through_a_short_context() {
    let text = "The quick brown fox jumps over the lazy dog, and then it runs away. ".repeat(12);
    let rows = serde_json::json!({"page": text}).to_string()
        + "\n"
        + &serde_json::json!({"page": "北京是中国的首都。"}).to_string();
    let task = "task: roll\ndataset_path: json\ndataset_kwargs: {data_files: {test: r.jsonl}}\n\
        output_type: loglikelihood_rolling\ntest_split: test\ndoc_to_text: \"\"\ndoc_to_target: page\n";
    let folder = folder(&[("r.jsonl", &rows), ("t.yaml", task)]);
    let short = records(folder.path(), &["t.yaml", "--ctx", "64"], 0);
    let long = records(folder.path(), &["t.yaml"], 0);
    let total = |records: &[Value]| items(records).iter().map(|item| sums(item)[0]).sum::<f64>();
    // Less context, less probability; of a text that fits, nothing changes.
    assert!(total(&short) < total(&long));
    assert_close(sums(items(&short)[1])[0], sums(items(&long)[1])[0]);
    let metrics = &summary(&long)["metrics"];
    let bytes = (text.len() + "北京是中国的首都。".len()) as f64;
    let bits = -total(&long) / bytes / std::f64::consts::LN_2;
    assert!((metrics["bits_per_byte"].as_f64().unwrap() - bits).abs() < 1e-9);
    assert!((metrics["byte_perplexity"].as_f64().unwrap() - 2f64.powf(bits)).abs() < 1e-9);
}

#[test]
fn phrasings_comparisons_steps_samples_and_chat() {
    let suite = r#"
[suite]
name = "kinds"

[[probe]]
id     = "sensitive"
prompt = ["The capital of France is", "France's capital city is"]
target = " Paris"
expect = ["highest() > lowest()", "spread() > 0", "(mean() * 2 - highest() - lowest())|abs < 0.000001"]

[[probe]]
id     = "compared"
prompt = "In Rome, people speak"
versus = "In Paris, people speak"
target = " Italian."
expect = ["difference() > 0"]

[[probe]]
id     = "worked"
prompt = "3 + 4 = 7. 7 + 2 = 9."
steps  = [" 9 + 1 = 10.", " 10 + 2 = 17.", " 12 + 1 = 13."]
expect = ["peak() == 1", "surprisal(1) > surprisal(0)"]

[[probe]]
id      = "sampled"
prompt  = "The capital of France is"
pattern = "Paris"
sample  = { n = 4, temperatures = [0.0, 1.0], max_tokens = 4 }
expect  = ["prevalence(0) == 1", "agreement(0) == 1"]

[[probe]]
id      = "answered"
mode    = "chat"
prompt  = "What is the capital of France?"
choices = ["The capital of France is Paris.", "The capital of France is London."]
answer  = 0

[[probe]]
id     = "compared-long"
prompt = "In Rome, people speak"
versus = "In Paris, people speak"
target = " Italian, and they like to eat pasta and drink red wine with their friends."
"#;
    let folder = folder(&[("s.toml", suite)]);
    let first = records(folder.path(), &["s.toml"], 0);
    let all = items(&first);
    let versus = &all[1]["versus"];
    let difference = versus["difference"].as_f64().unwrap();
    let tokens: f64 = versus["per_token"].as_array().unwrap().iter().map(|d| d.as_f64().unwrap()).sum();
    assert!((difference - tokens).abs() < 1e-6, "{versus}");
    // Two tokens are too few for an interval; more of them have one.
    assert!(versus["low"].is_null() && versus["high"].is_null(), "{versus}");
    let long = &all[5]["versus"];
    assert!(long["low"].as_f64().unwrap() <= long["difference"].as_f64().unwrap());
    assert!(long["difference"].as_f64().unwrap() <= long["high"].as_f64().unwrap(), "{long}");
    assert_eq!(all[2]["steps"].as_array().unwrap().len(), 3);
    let cold = &all[3]["samples"][0];
    assert_eq!((&cold["n"], &cold["matched"], &cold["prevalence"]), (&4.into(), &4.into(), &1.0.into()));
    assert!(cold["low"].as_f64().unwrap() < 1.0);
    // Samples have their own seeds and can be drawn again.
    let again = records(folder.path(), &["s.toml"], 0);
    let texts = |records: &[Value]| {
        let replies = items(records)[3]["samples"][1]["replies"].as_array().unwrap().clone();
        replies.iter().map(|reply| reply["text"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&first), texts(&again));
    let other = records(folder.path(), &["s.toml", "--seed", "77"], 0);
    assert_ne!(texts(&first), texts(&other));
    assert_eq!(other[0]["provenance"]["seed"], 77);
}

/// A suite of this many items that reports and never fails.
fn ladder(n: usize) -> String {
    format!(
        r#"
[suite]
name = "ladder"
informational = true

[[probe]]
id      = "n-{{{{ n }}}}"
params  = {{ n = "{{{{ range({n}) }}}}" }}
prompt  = "{{{{ n }}}} plus one is"
choices = [" {{{{ n + 1 }}}}", " {{{{ n + 7 }}}}"]
answer  = 0
"#
    )
}

#[test]
fn going_on_keeps_other_models_and_other_suites_rows() {
    let other = ladder(2).replace("n-{{", "m-{{");
    let folder = folder(&[("s.toml", &ladder(3)), ("t.toml", &other)]);
    let path = folder.path();
    let named = |suite: &str, name: &str| {
        let text = std::fs::read_to_string(path.join(suite)).unwrap();
        let at = text.find("name").unwrap();
        let line = text[at..].lines().next().unwrap();
        std::fs::write(path.join(suite), text.replace(line, &format!("name = {name:?}"))).unwrap();
    };
    named("s.toml", "s");
    named("t.toml", "t");
    let first = records(path, &["s.toml"], 0);
    let foreign: Vec<Value> = first
        .iter()
        .cloned()
        .map(|mut row| {
            if row.get("model").is_some() {
                row["model"] = "another".into();
            }
            row
        })
        .collect();
    let file: String = foreign.iter().chain(&first).map(|row| format!("{row}\n")).collect();
    std::fs::write(path.join("r.jsonl"), file).unwrap();
    let output = run(path, &["t.toml", "--resume", "r.jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let rows = lines(&std::fs::read(path.join("r.jsonl")).unwrap());
    let of = |model: &str, suite: &str| {
        let mut now = String::new();
        rows.iter()
            .filter(|row| {
                now = row.get("model").and_then(Value::as_str).map_or(now.clone(), str::to_string);
                now == model && row["suite"] == suite
            })
            .count()
    };
    let here = first[0]["model"].as_str().unwrap();
    assert_eq!((of(here, "t"), of(here, "s"), of("another", "s")), (3, 4, 4), "{rows:#?}");
    // The same again has nothing to do and loses nothing.
    let output = run(path, &["s.toml", "t.toml", "--resume", "r.jsonl", "--stats"]);
    assert!(stderr(&output).contains(" 0 sequences"), "{}", stderr(&output));
    let again = lines(&std::fs::read(path.join("r.jsonl")).unwrap());
    assert_eq!(again.len(), rows.len());
}

#[test]
fn a_run_goes_on_from_its_results() {
    let folder = folder(&[("s.toml", &ladder(6))]);
    let path = folder.path();
    let whole = records(path, &["s.toml"], 0);
    // A run that ended early, in the middle of a line.
    let partial: String =
        whole.iter().take(3).map(|record| format!("{record}\n")).collect::<String>() + "{\"type\":\"it";
    std::fs::write(path.join("r.jsonl"), partial).unwrap();
    let output = run(path, &["s.toml", "--resume", "r.jsonl", "--stats"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    // Three items are left: two choices each, and what comes next.
    assert!(stderr(&output).contains(" 9 sequences"), "{}", stderr(&output));
    let resumed = lines(&std::fs::read(path.join("r.jsonl")).unwrap());
    assert_eq!(resumed.len(), whole.len());
    assert_eq!(
        items(&resumed)[..3].iter().map(|item| &item["choices"]).collect::<Vec<_>>(),
        items(&whole)[..3].iter().map(|item| &item["choices"]).collect::<Vec<_>>()
    );
    assert_eq!(items(&resumed)[5]["id"], "n-5");
    // A last line that no run began is somebody's own.
    let foreign = format!("{}\nand a note", whole[0]);
    std::fs::write(path.join("own.jsonl"), &foreign).unwrap();
    let output = run(path, &["s.toml", "--resume", "own.jsonl"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("own.jsonl:2: these are no results of"), "{}", stderr(&output));
    assert_eq!(std::fs::read_to_string(path.join("own.jsonl")).unwrap(), foreign);
    // Results of other settings are not taken over.
    let output = run(path, &["s.toml", "--resume", "r.jsonl", "--bos", "always"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("r.jsonl: these results are of another run: bos was auto and is always")
    );
}

#[test]
fn an_interrupt_keeps_what_is_done() {
    let folder = folder(&[("s.toml", &ladder(3000))]);
    let path = folder.path();
    let mut child = probe(path, &["s.toml", "--report", "jsonl"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(line.starts_with("{\"type\":\"item\""));
    // SAFETY: sends a signal to a child that has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    let rest: Vec<String> = out.lines().map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let last: Value = serde_json::from_str(rest.last().unwrap()).unwrap();
    assert_eq!(last["type"], "summary");
    assert_eq!(last["items"].as_u64().unwrap() as usize, rest.len());
    assert!(rest.len() < 3000);
}

/// What the files of a run hold, without the time it took.
fn reports(folder: &Path) -> Vec<(&'static str, String)> {
    let names = ["r.jsonl", "r.csv", "r.md", "r.xml", "r.html"];
    let read = |name| std::fs::read_to_string(folder.join(name)).unwrap();
    let timeless = |text: String| {
        let (before, rest) = text.split_once(" time=\"")?;
        Some(format!("{before}{}", rest.split_once('"')?.1))
    };
    names.map(|name| (name, timeless(read(name)).unwrap_or_else(|| read(name)))).to_vec()
}

#[test]
fn an_interrupted_run_reports_in_every_form_and_ends_like_a_whole_one() {
    let suite = ladder(400);
    let (whole, part) = (folder(&[("s.toml", &suite)]), folder(&[("s.toml", &suite)]));
    let files = ["jsonl=r.jsonl", "csv=r.csv", "markdown=r.md", "junit=r.xml", "html=r.html"];
    let args: Vec<&str> =
        ["s.toml"].into_iter().chain(files.iter().flat_map(|file| ["--report", file])).collect();
    assert_eq!(run(whole.path(), &args).status.code(), Some(0));
    let mut child = probe(part.path(), &args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let results = part.path().join("r.jsonl");
    let done = || std::fs::read_to_string(&results).map_or(0, |text| text.lines().count());
    while done() < 20 && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    // SAFETY: sends a signal to a child that has not been waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let kept = lines(&std::fs::read(&results).unwrap());
    assert!((20..400).contains(&items(&kept).len()));
    assert_eq!(summary(&kept)["items"].as_u64(), Some(items(&kept).len() as u64));
    for (name, text) in reports(part.path()).into_iter().skip(1) {
        assert!(text.contains(if name == "r.csv" { ",true," } else { "partial" }), "{name}");
    }
    let resumed = run(part.path(), &[&args[..], &["--resume", "r.jsonl"]].concat());
    assert_eq!(resumed.status.code(), Some(0), "{}", stderr(&resumed));
    for (ours, theirs) in reports(part.path()).into_iter().zip(reports(whole.path())) {
        assert!(ours == theirs, "{} is another one", ours.0);
    }
}

#[test]
fn nobody_reading_is_no_error() {
    let folder = folder(&[("s.toml", &ladder(300))]);
    let mut child = probe(folder.path(), &["s.toml", "--json", "-q"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    drop(out);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

#[test]
fn bad_input_ends_with_2_and_one_line_and_writes_nothing() {
    let broken = "[suite]\nname = \"s\"\n[[probe]]\nid = \"a\"\nprompt = \"x\"\nexpect = [\"bset() == 0\"]\n";
    let long = format!(
        "[suite]\nname = \"s\"\n[[probe]]\nid = \"endless\"\nprompt = \"{}\"\ntarget = \" x\"\n",
        "word ".repeat(200)
    );
    let python = "task: t\noutput_type: multiple_choice\nprocess_docs: !function utils.f\n";
    let folder = folder(&[
        ("b.toml", broken),
        ("l.toml", &long),
        ("p.yaml", python),
        ("s.toml", &ladder(2)),
        (
            "other.toml",
            "[suite]\nname = \"o\"\nmodel = \"nobody\"\n[[probe]]\nid = \"a\"\nprompt = \"x\"\ntarget = \" y\"\n",
        ),
        ("x.jsonl", "{\"a\": 1}\n"),
        ("empty.jsonl", ""),
        ("notes.txt", "my notes, one line without a line break"),
        ("torn.jsonl", "{\"type\":\"item\",\"id\":\"a"),
        // Whatever is wrong is found before a model is read.
        ("bad.gguf", "GGUF and then nothing"),
    ]);
    let path = folder.path();
    for (args, reason) in [
        (vec!["b.toml"], "b.toml:6:11: `bset() == 0`: there is no function bset; did you mean best?"),
        (vec!["s.toml", "b.toml"], "b.toml:6:11"),
        (
            vec!["l.toml", "--ctx", "64"],
            "l.toml: probe \"endless\": 201 tokens do not fit into the context of 64",
        ),
        (vec!["p.yaml"], "p.yaml:3: process_docs needs Python (!function utils.f)"),
        (vec!["x.jsonl"], "x.jsonl: a .jsonl file given by itself must be BLiMP's"),
        (vec!["nowhere.toml"], "nowhere.toml: there is no such file"),
        (vec!["inductoin"], "there is no such suite or file; did you mean induction.en?"),
        (vec!["s.toml", "--report", "jsnol"], "there is no report jsnol; did you mean jsonl?"),
        (vec!["s.toml", "--report", "jsonl=no/where.jsonl"], "no/where.jsonl: the report can't be written"),
        (vec!["s.toml", "--data", "x.jsonl"], "--data: it gives rows to tasks"),
        (
            vec!["s.toml", "--resume", "x.jsonl"],
            "x.jsonl:1: these are no results of `tokenscope probe --report jsonl`",
        ),
        (vec!["s.toml", "--resume", "notes.txt"], "notes.txt:1: these are no results of"),
        (vec!["s.toml", "--baseline", "notes.txt"], "notes.txt:1: these are no results of"),
        (vec!["s.toml", "--resume", "torn.jsonl"], "torn.jsonl:1: these are no results of"),
        (vec!["s.toml", "--limit", "0"], "a number from 1 is wanted"),
        (vec!["s.toml", "--tolerance", "0.1"], "--baseline <FILE>"),
        (vec!["s.toml", "--baseline", "nowhere.jsonl", "-m", "bad.gguf"], "nowhere.jsonl"),
        (
            vec!["s.toml", "--baseline", "empty.jsonl", "-m", "bad.gguf"],
            "empty.jsonl: no item of these suites is in these results",
        ),
        (vec!["s.toml", "-m", "bad.gguf", "-m", "bad.gguf"], "-m bad.gguf is given twice"),
        (vec!["s.toml", "-m", "smollm2-135m", "-m", "nowhere.gguf"], "nowhere.gguf: no such file"),
        (vec!["s.toml", "other.toml"], "nobody"),
    ] {
        let output = run(path, &[&args[..], &["--report", "table=out.txt"]].concat());
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(reason), "{args:?}: {}", stderr(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
        let written = std::fs::read_to_string(path.join("out.txt")).unwrap_or_default();
        assert!(written.is_empty(), "{args:?}: {written}");
    }
    assert_eq!(
        std::fs::read_to_string(path.join("notes.txt")).unwrap(),
        "my notes, one line without a line break"
    );
    let output = run(path, &["s.toml", "-m", "nowhere.gguf"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    // A file that is there and no model is a model failure, and noticed just as early.
    let output = run(path, &["s.toml", "-m", "smollm2-135m", "-m", "bad.gguf", "--report", "jsonl=r.jsonl"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert_eq!(stderr(&output).lines().count(), 1, "{}", stderr(&output));
    assert!(!path.join("r.jsonl").exists());
}

#[test]
fn a_run_that_is_worse_than_its_baseline_ends_with_1() {
    // Which of two numbers was meant decides what is right; the model's answers stay what they are.
    let other = CAPITALS
        .replace("'Italy': 1", "'Italy': 2")
        .replace("expect  = [", "informational = true\nexpect  = [");
    let folder = folder(&[("s.toml", CAPITALS), ("other.toml", &other)]);
    let path = folder.path();
    let output = run(path, &["s.toml", "--report", "jsonl=before.jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let same = records(path, &["s.toml", "--baseline", "before.jsonl"], 0);
    let comparison = same.last().unwrap();
    assert_eq!((&comparison["type"], &comparison["baseline"]), (&"comparison".into(), &true.into()));
    assert!(comparison.get("regressions").is_none());
    let worse = records(path, &["other.toml", "--baseline", "before.jsonl"], 1);
    let regressions = worse.last().unwrap()["regressions"].as_array().unwrap();
    assert!(
        regressions.contains(&"capitals: acc was 1.0000 and is 0.6667".into()),
        "{regressions:?}: nothing else fails here"
    );
    let files = ["csv=r.csv", "markdown=r.md", "junit=r.xml", "html=r.html"];
    let reports: Vec<&str> = files.iter().flat_map(|file| ["--report", file]).collect();
    let output = run(path, &[&["other.toml", "--baseline", "before.jsonl"], &reports[..]].concat());
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
    assert!(read("r.xml").contains("<failure type=\"regression\" message=\"acc was 1.0000 and is 0.6667\">"));
    assert!(read("r.md").contains("| ❌ worse | `capitals` | acc | 1.0000 | 0.6667 | -0.3333 ("));
    assert!(read("r.html").contains("<span class=\"badge bad\">worse than before</span>"));
    let mut table = csv::Reader::from_path(path.join("r.csv")).unwrap();
    let names = table.headers().unwrap().clone();
    let right = |row: &csv::StringRecord| {
        ["right", "baseline_right"]
            .map(|name| row[names.iter().position(|known| known == name).unwrap()].to_string())
    };
    let rights: Vec<[String; 2]> = table.records().map(|row| right(&row.unwrap())).collect();
    assert_eq!(
        rights.iter().filter(|[now, before]| now == "false" && before == "true").count(),
        1,
        "{rights:?}"
    );
    let output = run(path, &["other.toml", "--baseline", "before.jsonl", "--tolerance", "0.5"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn two_models_stand_side_by_side_and_a_model_does_not_differ_from_itself() {
    let file = Library::open().unwrap().resolve("smollm2-135m", Purpose::Run, &Silent).unwrap().path;
    let suite = CAPITALS.replace("expect  = [", "expect  = [\"delta('smollm2-135m', 'twin') == 0\", ");
    let folder = folder(&[("s.toml", &suite)]);
    let path = folder.path();
    std::fs::copy(file, path.join("twin.gguf")).unwrap();
    let all = records(path, &["s.toml", "-m", "smollm2-135m", "-m", "twin.gguf"], 0);
    let models: Vec<&Value> = all
        .iter()
        .filter(|record| record.get("provenance").is_some())
        .map(|record| &record["model"])
        .collect();
    assert_eq!(models, ["smollm2-135m", "twin"]);
    let items = items(&all);
    assert_eq!(items.len(), 8);
    // A difference is judged when both have answered.
    let expects = |item: &Value| item["expect"].as_array().unwrap().len();
    assert_eq!((expects(items[0]), expects(items[4])), (3, 4));
    let comparison = all.last().unwrap();
    assert_eq!((&comparison["first"], &comparison["other"]), (&"smollm2-135m".into(), &"twin".into()));
    assert!(comparison["divergence"]["nats"].as_f64().unwrap() < 1e-6);
    assert!(comparison["divergence"]["tokens"].as_u64().unwrap() >= 3);
    for figure in comparison["suites"][0]["figures"].as_array().unwrap() {
        assert_eq!(figure["difference"], 0.0, "{figure}");
    }
}

#[test]
fn a_suite_runs_inside_the_repl() {
    let folder = folder(&[("s.toml", CAPITALS)]);
    std::fs::write(folder.path().join("script"), "/probe s.toml\n/probe inductoin\n/probe s.toml\n").unwrap();
    let script = std::fs::File::open(folder.path().join("script")).unwrap();
    let output = tokenscope(folder.path(), &["repl"]).stdin(script).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.matches("4 passed, 0 did not").count(), 2, "{said}{}", stderr(&output));
    assert!(said.contains("Facts are probable.") && said.contains("France … Japan"), "{said}");
    let all = said + &stderr(&output);
    assert!(all.contains("there is no such suite or file; did you mean induction.en?"), "{all}");
}

#[test]
fn a_damaged_model_is_a_model_failure() {
    let folder = folder(&[("s.toml", &ladder(2)), ("bad.gguf", "GGUF and then nothing")]);
    let output = run(folder.path(), &["s.toml", "-m", "bad.gguf"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
}

#[test]
fn check_list_and_schema_need_no_model() {
    let folder = folder(&[("s.toml", &ladder(5)), ("b.toml", "[suite]\nname = \"b\"\n")]);
    let check = |args: &[&str]| {
        let output =
            probe(folder.path(), args).env("TOKENSCOPE_HOME", folder.path().join("empty")).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), stderr(&output))
    };
    assert_eq!(
        check(&["--check", "s.toml"]),
        (Some(0), "s.toml: ladder: 5 items\n".to_string(), String::new())
    );
    let (code, out, err) = check(&["--check", "b.toml", "s.toml"]);
    assert_eq!((code, out.as_str()), (Some(2), "s.toml: ladder: 5 items\n"));
    assert!(err.starts_with("tokenscope: b.toml:1:1: the suite is empty"), "{err}");
    assert_eq!(check(&["--check"]).0, Some(0));
    assert!(check(&["--list"]).1.contains("induction.en"));
    let schema: Value = serde_json::from_str(&check(&["--schema"]).1).unwrap();
    assert_eq!(schema["title"], "SuiteFile");
}

#[test]
fn the_shipped_suites_run_and_hold() {
    let folder = folder(&[]);
    let output = run(folder.path(), &["--report", "table", "--report", "jsonl=r.jsonl"]);
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{table}\n{}", stderr(&output));
    let written = lines(&std::fs::read(PathBuf::from(folder.path()).join("r.jsonl")).unwrap());
    assert!(items(&written).len() >= 10);
    assert!(table.contains("everything held that was expected"));
}

#[test]
fn every_report_at_once_and_an_old_one_stays_until_the_new_one_is_whole() {
    let folder = folder(&[("s.toml", &ladder(40)), ("r.csv", "old"), ("r.html", "old")]);
    let path = folder.path();
    let reports = ["csv=r.csv", "markdown=r.md", "junit=r.xml", "html=r.html"];
    let reports: Vec<&str> = reports.iter().flat_map(|report| ["--report", report]).collect();
    // A model that can't be had leaves everything as it was.
    let output = run(path, &[&["s.toml", "-m", "nowhere.gguf"], &reports[..]].concat());
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let mut names: Vec<_> =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["r.csv", "r.html", "s.toml"]);
    let output = run(path, &[&["s.toml"], &reports[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let read = |name: &str| std::fs::read_to_string(path.join(name)).unwrap();
    assert_eq!(csv::Reader::from_reader(read("r.csv").as_bytes()).records().count(), 40);
    assert!(read("r.md").contains("informational | `ladder` | 40 |"), "{}", read("r.md"));
    assert_eq!(read("r.xml").matches("<testcase ").count(), 40);
    assert!(!read("r.xml").contains("<failure") && read("r.html").contains("<b>Reliability</b>"));
    for name in ["r.csv", "r.md", "r.xml", "r.html"] {
        assert!(read(name).contains("smollm2-135m") && read(name).contains("Q4_1"), "{name}");
    }
}

#[test]
fn a_byte_order_mark_is_left_out_and_told_wherever_it_stands() {
    let suite = "\u{FEFF}[suite]\nname = \"b\"\n[suite.data]\nfile = \"rows.csv\"\nprompt = \"{{ a }}\"\ntarget = \"x\"\n";
    let task = "task: t\ninclude: base.yaml\ntest_split: test\noutput_type: loglikelihood\ndoc_to_text: a\ndoc_to_target: b\n";
    let folder = folder(&[
        ("b.toml", suite),
        ("rows.csv", "\u{FEFF}a\n1\n"),
        ("t.yaml", task),
        ("base.yaml", "\u{FEFF}tag: c\n"),
        ("rows.jsonl", "\u{FEFF}{\"a\": \"1\", \"b\": \"2\"}\n"),
    ]);
    let output = run(folder.path(), &["--check", "b.toml", "t.yaml", "--data", "rows.jsonl"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    for file in ["b.toml", "rows.csv", "base.yaml", "rows.jsonl"] {
        let line = format!("tokenscope: {file}: the byte-order mark at its beginning is left out\n");
        assert!(stderr(&output).contains(&line), "{file}: {}", stderr(&output));
    }
    let quiet = run(folder.path(), &["--check", "b.toml", "-q"]);
    assert_eq!(stderr(&quiet), "");
}

/// The switch of one pair, on the real model: what a lens shows of it can be expected.
#[test]
fn expectations_ask_what_a_lens_shows() {
    let suite = r#"
[suite]
name = "lens"
[[probe]]
id = "paris"
prompt = "The capital of France is"
versus = "The capital of Italy is"
target = " Paris"
expect = [
    "logprob(' Paris') - context(1) > 3",
    "context(5) == logprob(' Paris')",
    "occlusion('France') < -2",
    "lens_rank(' Paris', 0) > 100 and lens_rank(' Paris', -1) == 1",
    "recovered(5, -2) > 0.9 and recovered(5, -1) < 0.1",
    "recovered(-1, -1) > 0.99 and recovered(-1, -2) < 0.01",
]
[[probe]]
id = "none"
informational = true
prompt = "The capital of France is"
versus = "The capital of the United States is"
target = " Paris"
expect = ["recovered(5, 3) > 0.8", "lens_rank(' Paris', 30) > 0"]
"#;
    let folder = folder(&[("s.toml", suite)]);
    for weights in ["f16", "as-is"] {
        let found = records(folder.path(), &["s.toml", "--weights", weights], 0);
        let items = items(&found);
        assert_eq!(items[0]["passed"], true, "{}", items[0]["expect"]);
        let reasons = items[1]["expect"].to_string();
        assert!(
            reasons.contains("they differ from token 3 on") && reasons.contains("no layer 30"),
            "{reasons}"
        );
    }
}
