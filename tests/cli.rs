//! `next`, `generate`, `score` and `tokenize` as a person runs them: the real binary and the real default model.

#[path = "cli/expand.rs"]
mod expand;
#[path = "support/gguf.rs"]
mod gguf;
#[path = "cli/tokenize.rs"]
mod tokenize;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use tokenscope::model::{Library, Purpose, Silent};

const TOKENSCOPE: &str = env!("CARGO_BIN_EXE_tokenscope");

/// The same text scored in two ways differs by this much a token at most (measured: 0.01 on average where
/// batches differ, 0.1 for single tokens).
const TOLERANCE: f64 = 0.15;

/// Settings of the person who runs the tests must not change them.
static HOME: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());

fn command(args: &[&str]) -> Command {
    let mut command = Command::new(TOKENSCOPE);
    command.args(args).env("XDG_CONFIG_HOME", HOME.path()).env("XDG_STATE_HOME", HOME.path());
    // Sessions would lie where the models do.
    command.env("TOKENSCOPE_NO_SAVE", "1");
    for variable in ["TOKENSCOPE_MODEL", "TOKENSCOPE_K", "TOKENSCOPE_BOS", "TOKENSCOPE_CTX", "NO_COLOR"] {
        command.env_remove(variable);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run_with(args: &[&str], input: &[u8]) -> Output {
    let mut child = command(args).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A program that refuses its arguments need not read what it is given.
    let _ = stdin.write_all(input);
    drop(stdin);
    child.wait_with_output().unwrap()
}

fn run(args: &[&str]) -> Output {
    command(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&stdout(&run(&[args, &["--json", "-q"]].concat()))).unwrap()
}

fn json_lines(args: &[&str]) -> Vec<Value> {
    let output = run(&[args, &["--json", "-q"]].concat());
    stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn assert_near(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance, "{a} is not {b} within {tolerance}");
}

/// k entries in order that share all of the probability with the residual.
fn assert_candidates(record: &Value, k: usize) {
    let top = list(&record["top_logprobs"]);
    assert_eq!(top.len(), k);
    for pair in top.windows(2) {
        assert!(number(&pair[0]["logprob"]) >= number(&pair[1]["logprob"]));
    }
    let shown: f64 = top.iter().map(|candidate| number(&candidate["logprob"]).exp()).sum();
    assert_near(shown + number(&record["residual"]), 1.0, 1e-5);
    for candidate in top {
        let mut keys: Vec<&String> = candidate.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["bytes", "dropped_by", "final_prob", "id", "logprob", "rank", "token"]);
    }
}

fn assert_provenance(record: &Value) {
    assert_eq!(record["model"], "smollm2-135m");
    let provenance = record["provenance"].as_object().unwrap();
    let keys: Vec<&String> = provenance.keys().collect();
    assert_eq!(
        keys,
        [
            "file",
            "sha256",
            "quantization",
            "weights",
            "weights_reason",
            "bos",
            "context",
            "threads",
            "exact",
            "seed",
            "version"
        ]
    );
    assert_eq!(provenance["sha256"].as_str().unwrap().len(), 64);
}

#[test]
fn next_tells_the_distribution_and_any_text_by_the_chain_rule() {
    let prompt = "The capital of France is";
    let next = json(&["next", prompt, "-k", "7", "--token", " Paris", "--token", " Paris, the"]);
    assert_provenance(&next);
    assert_candidates(&next, 7);
    assert_eq!(list(&next["prompt_tokens"]).len(), 5);
    let [paris, longer] = list(&next["tokens"]) else { panic!("{next}") };
    let best = &next["top_logprobs"][0];
    assert_eq!((&paris["first"]["id"], &paris["ids"]), (&best["id"], &Value::from(vec![best["id"].clone()])));
    assert_near(number(&paris["logprob"]), number(&best["logprob"]), TOLERANCE);
    assert_eq!(longer["first"]["rank"], 1);
    let after = json(&["next", "The capital of France is Paris", "-k", "1", "--token", ", the"]);
    let whole = number(&paris["logprob"]) + number(&after["tokens"][0]["logprob"]);
    assert_near(number(&longer["logprob"]), whole, 3.0 * TOLERANCE);
}

#[test]
fn enough_candidates_for_a_share_of_the_mass() {
    let next = json(&["next", "The capital of France is", "-k", "90%"]);
    let top = list(&next["top_logprobs"]);
    let mass = |n: usize| top[..n].iter().map(|candidate| number(&candidate["logprob"]).exp()).sum::<f64>();
    assert!(mass(top.len()) >= 0.9 && mass(top.len() - 1) < 0.9);
}

#[test]
fn score_gives_every_token_its_place_and_the_sums() {
    // Part of a character is a token of its own, white space and line breaks are tokens like any other.
    let text = "Déjà vu:\n  def f(x):\treturn 北京 🦀\n";
    let score = json(&["score", text, "-k", "3"]);
    assert_provenance(&score);
    assert_eq!(score["text"], text);
    let tokens = list(&score["tokens"]);
    let mut at = 0;
    let mut sum = 0.0;
    for (i, token) in tokens.iter().enumerate() {
        assert_eq!(token["start"], at);
        at = token["end"].as_u64().unwrap();
        let span = token["start"].as_u64().unwrap() as usize..at as usize;
        let bytes: Vec<u64> = list(&token["bytes"]).iter().map(|byte| byte.as_u64().unwrap()).collect();
        assert_eq!(bytes, text.as_bytes()[span].iter().map(|&byte| u64::from(byte)).collect::<Vec<_>>());
        if i == 0 {
            assert!(token["logprob"].is_null() && token["entropy"].is_null());
            assert_eq!(token["note"], "no context");
            continue;
        }
        assert_candidates(token, 3);
        sum += number(&token["logprob"]);
        assert_near(number(&token["cumulative_logprob"]), sum, 1e-4);
    }
    assert_eq!(at as usize, text.len());
    assert_near(number(&score["sum_logprob"]), sum, 1e-4);
    let (n, bytes) = (tokens.len() - 1, text.len() - tokens[0]["end"].as_u64().unwrap() as usize);
    assert_eq!((&score["scored_tokens"], &score["bytes"]), (&Value::from(n), &Value::from(bytes)));
    assert_near(number(&score["mean_logprob"]), sum / n as f64, 1e-6);
    assert_near(number(&score["ppl"]).ln(), -sum / n as f64, 1e-6);
    assert_near(number(&score["bits_per_byte"]), -sum / bytes as f64 / std::f64::consts::LN_2, 1e-6);
}

#[test]
fn a_bos_is_shown_as_inserted_and_gives_the_first_token_context() {
    let score = json(&["score", "The end.", "--bos", "always", "-k", "1"]);
    let tokens = list(&score["tokens"]);
    assert!(tokens[0]["start"].is_null() && tokens[0]["logprob"].is_null());
    assert!(tokens[1]["logprob"].is_number());
    assert_eq!((&tokens[1]["start"], &score["bytes"]), (&Value::from(0), &Value::from(8)));
    // Written in the text itself and recognised, it is not put there again.
    let typed = json(&["score", "<|im_start|>The end.", "--bos", "always", "--special", "-k", "1"]);
    assert_eq!(list(&typed["tokens"]).len(), tokens.len());
    assert_near(number(&typed["sum_logprob"]), number(&score["sum_logprob"]), 3.0 * TOLERANCE);
    let plain = json(&["score", "<|im_start|>The end.", "-k", "1"]);
    assert!(list(&plain["tokens"]).len() > tokens.len());
}

#[test]
fn a_prefix_follows_the_chain_rule() {
    let (prefix, text) = ("Once upon a time,", " there was a king.");
    let whole = json(&["score", &format!("{prefix}{text}"), "-k", "1"]);
    let first = json(&["score", prefix, "-k", "1"]);
    let rest = json(&["score", text, "--prefix", prefix, "-k", "1"]);
    let count = |score: &Value| score["scored_tokens"].as_u64().unwrap();
    assert_eq!(count(&whole), count(&first) + count(&rest));
    assert_eq!((&rest["tokens"][0]["start"], &rest["text"]), (&Value::from(0), &Value::from(text)));
    assert_near(
        number(&whole["sum_logprob"]),
        number(&first["sum_logprob"]) + number(&rest["sum_logprob"]),
        TOLERANCE * count(&whole) as f64 / 4.0,
    );
}

#[test]
fn a_token_across_the_join_is_reported_and_scored_as_a_whole() {
    let output = run(&["score", "world", "--prefix", "Hello ", "--json"]);
    let score: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(list(&score["tokens"]).len(), 1);
    assert_eq!(score["tokens"][0]["token"], " world");
    assert!(score["notes"][0].as_str().unwrap().contains("spans the join"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("spans the join"));
}

#[test]
fn words_telescope_and_csv_names_its_unit() {
    let text = "It was the best of times,\nit was the worst of times.";
    let score = json(&["score", text, "--by", "word", "--bos", "always", "-k", "1"]);
    let words = list(&score["words"]);
    assert_eq!(words.len(), text.split_whitespace().count());
    for (word, expected) in words.iter().zip(text.split_whitespace()) {
        let (start, end) = (word["start"].as_u64().unwrap() as usize, word["end"].as_u64().unwrap() as usize);
        assert_eq!((word["word"].as_str().unwrap(), &text[start..end]), (expected, expected));
        assert!(number(&word["surprisal_corrected"]) >= 0.0);
    }
    let sum = |key: &str| words.iter().map(|word| number(&word[key])).sum::<f64>();
    assert_near(sum("surprisal_sum"), -number(&score["sum_logprob"]), 1e-3);
    assert_eq!(score["boundary"], "whitespace");
    let csv = stdout(&run(&["score", text, "--by", "word", "--bos", "always", "--format", "csv", "-q"]));
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let column = rows.headers().unwrap().iter().position(|name| name == "surprisal_corrected_bits").unwrap();
    let bits: f64 = rows.records().map(|row| row.unwrap()[column].parse::<f64>().unwrap()).sum();
    assert_near(bits * std::f64::consts::LN_2, sum("surprisal_corrected"), words.len() as f64 * TOLERANCE);
    // Without a BOS the first word has no value.
    let bare = stdout(&run(&["score", text, "--by", "word", "--format", "csv", "--unit", "nats", "-q"]));
    assert!(bare.starts_with("index,word,start,end,surprisal_sum_nats,surprisal_corrected_nats,"));
    assert!(bare.contains("0,It,0,2,NA,NA,NA,no context"));
}

#[test]
fn characters_lines_regions_and_statistics_have_their_places() {
    let score = json(&["score", "水は飲む。\nb c\n", "--by", "char", "-k", "1", "--stats"]);
    let parts: String = list(&score["chars"]).iter().map(|part| part["text"].as_str().unwrap()).collect();
    assert_eq!(parts, "水は飲む。\nb c\n");
    let stats = &score["stats"];
    assert_near(number(&stats["mean_logprob"]), number(&score["mean_logprob"]), 1e-9);
    assert_near(number(&stats["min_k"]["1.0"]), number(&score["mean_logprob"]), 1e-6);
    let buckets: u64 = list(&stats["gltr_buckets"]).iter().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(Value::from(buckets), score["scored_tokens"]);
    let score = json(&["score", "one two\nthree\n", "--by", "line", "-k", "1"]);
    let lines: Vec<&str> = list(&score["lines"]).iter().map(|line| line["text"].as_str().unwrap()).collect();
    assert_eq!(lines, ["one two\n", "three\n"]);
    let score = json(&["score", "The dog | barked | loudly.", "--regions", "-k", "1"]);
    assert_eq!(score["text"], "The dog barked loudly.");
    let regions: Vec<&str> =
        list(&score["regions"]).iter().map(|region| region["text"].as_str().unwrap()).collect();
    assert_eq!(regions, ["The dog", " barked", " loudly."]);
}

#[test]
fn a_model_against_itself_expects_its_own_entropy() {
    let text = "The capital of France is Paris.";
    let score = json(&["score", text, "--stats", "--reference", "smollm2-135m", "-k", "1"]);
    let entropy: f64 = list(&score["tokens"]).iter().filter_map(|token| token["entropy"].as_f64()).sum();
    let expected = -number(&score["sum_logprob"]) / entropy;
    assert_near(number(&score["stats"]["binoculars"]), expected, 0.05 * expected);
}

#[test]
fn choices_are_compared_by_every_reduction() {
    let answer =
        json(&["score", "The capital of France is", "--choice", " Paris", "--choice", " the city of Paris"]);
    let [paris, city] = list(&answer["choices"]) else { panic!("{answer}") };
    assert_eq!((&paris["text"], &paris["is_greedy"]), (&Value::from(" Paris"), &Value::from(true)));
    assert_eq!(city["is_greedy"], false);
    assert_near(number(&city["logprob_per_char"]), number(&city["sum_logprob"]) / 17.0, 1e-9);
    assert_near(number(&paris["logprob_per_byte"]), number(&paris["sum_logprob"]) / 5.0, 1e-9);
    assert_eq!(answer["best"]["acc"], 0);
    for key in ["acc_norm", "acc_bytes", "acc_tokens", "acc_mutual_info"] {
        assert!(answer["best"][key].is_number(), "{key}");
    }
    // Alone, a choice follows BOS.
    let alone = json(&["score", " Paris", "--bos", "always", "-k", "1"]);
    let pmi = number(&paris["sum_logprob"]) - number(&alone["sum_logprob"]);
    assert_near(number(&paris["pmi"]), pmi, 2.0 * TOLERANCE);
    assert!(
        json(&["score", "One two", "--choice", " three", "--bos", "never"])["choices"][0]["pmi"].is_null()
    );
}

#[test]
fn a_generated_text_scores_as_it_was_generated() {
    let prompt = "Once upon a time";
    let lines = json_lines(&["generate", prompt, "-n", "24", "--greedy", "-k", "2"]);
    let (summary, steps) = lines.split_last().unwrap();
    assert_provenance(&steps[0]);
    assert!(steps[1].get("provenance").is_none());
    assert_eq!(
        (&summary["type"], &summary["finish_reason"]),
        (&Value::from("summary"), &Value::from("length"))
    );
    assert_eq!((&summary["steps"], steps.len()), (&Value::from(24), 24));
    for step in steps {
        assert_candidates(step, 2);
        assert_eq!((&step["final_prob"], &step["rank"]), (&Value::from(1.0), &Value::from(1)));
    }
    let sum = number(&summary["sum_logprob"]);
    assert_near(number(&steps[23]["cumulative_logprob"]), sum, 1e-9);
    let score = json(&["score", summary["text"].as_str().unwrap(), "--prefix", prompt, "-k", "1"]);
    let ids = |steps: &[Value]| steps.iter().map(|step| step["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(list(&score["tokens"])), ids(steps));
    assert_near(number(&score["sum_logprob"]), sum, 24.0 * TOLERANCE / 4.0);
}

#[test]
fn the_waterfall_names_the_stage_that_dropped_a_candidate() {
    let args = ["generate", "Once upon a time", "-n", "1", "-k", "3", "--seed", "1", "--top-p", "0.5"];
    let lines = json_lines(&args);
    let dropped: Vec<&Value> =
        list(&lines[0]["top_logprobs"]).iter().map(|candidate| &candidate["dropped_by"]).collect();
    assert_eq!(dropped, [&Value::Null, &Value::from("top-p"), &Value::from("top-p")]);
    assert_eq!(lines[0]["top_logprobs"][1]["final_prob"], 0.0);
    let table = stdout(&run(&args));
    assert!(table.contains("dropped by top-p") && table.contains("final %"), "{table}");
    // The seed decides.
    assert_eq!(lines[0]["id"], json_lines(&args)[0]["id"]);
}

fn written(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    path.display().to_string()
}

#[test]
fn a_grammar_and_a_schema_constrain() {
    let folder = tempfile::tempdir().unwrap();
    let grammar = written(folder.path(), "g.gbnf", "root ::= \" \" (\"yes\" | \"no\") \".\"\n");
    let lines = json_lines(&["generate", "Is the sky blue?", "--grammar", &grammar, "-n", "9", "-k", "1"]);
    let summary = lines.last().unwrap();
    assert!([" yes.", " no."].contains(&summary["text"].as_str().unwrap()), "{summary}");
    assert_eq!(summary["finish_reason"], "stop");
    let schema = r#"{"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}},
        "required": ["n"], "additionalProperties": false}"#;
    let schema = written(folder.path(), "s.json", schema);
    let lines = json_lines(&["generate", "A number: ", "--json-schema", &schema, "-n", "40", "-k", "1"]);
    let text = lines.last().unwrap()["text"].as_str().unwrap();
    let made: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert!(number(&made["n"]) <= 9.0, "{made}");
    let regex = ["generate", "My phone number: ", "--regex", "[0-9]{3}-[0-9]{4}", "-n", "40", "-k", "3"];
    let lines = json_lines(&regex);
    let summary = lines.last().unwrap();
    let text = summary["text"].as_str().unwrap();
    assert!(text.len() == 8 && text.as_bytes()[3] == b'-', "{text}");
    assert!(text.bytes().all(|b| b == b'-' || b.is_ascii_digit()), "{text}");
    assert_eq!(summary["finish_reason"], "stop");
    // What the mask drops, it is said to drop.
    let first = lines[0]["top_logprobs"].as_array().unwrap();
    let masked = |c: &&Value| !c["token"].as_str().unwrap().bytes().all(|b| b.is_ascii_digit());
    for candidate in first.iter().filter(masked) {
        assert_eq!((&candidate["dropped_by"], number(&candidate["final_prob"])), (&"grammar".into(), 0.0));
    }
}

#[test]
fn what_a_grammar_masks_reaches_no_later_stage() {
    let folder = tempfile::tempdir().unwrap();
    let grammar = written(folder.path(), "g.gbnf", "root ::= [a-f ] [a-z ]*\n");
    let first_step = |more: &[&str]| {
        let given =
            ["generate", "The sky is", "--grammar", &grammar, "-n", "1", "-k", "49152", "--seed", "1"];
        json_lines(&[&given[..], more].concat()).remove(0)
    };
    let kept = |step: &Value| -> Vec<(u64, f64)> {
        let all = step["top_logprobs"].as_array().unwrap().iter();
        let kept = all.filter(|c| c["dropped_by"].is_null());
        kept.map(|c| (c["id"].as_u64().unwrap(), number(&c["final_prob"]))).collect()
    };
    let allowed = kept(&first_step(&["--temp", "1"]));
    assert!((1000..40000).contains(&allowed.len()), "{}", allowed.len());
    // Locally typical by its definition, over what the grammar allows.
    let entropy: f64 = allowed.iter().map(|(_, p)| -p * p.ln()).sum();
    let mut typical = allowed.clone();
    typical.sort_by(|a, b| (-a.1.ln() - entropy).abs().total_cmp(&(-b.1.ln() - entropy).abs()));
    let mut held = 0.0;
    let wanted = 1 + typical.iter().position(|(_, p)| (held += p, held >= 0.5).1).unwrap();
    assert_eq!(kept(&first_step(&["--temp", "1", "--typical", "0.5"])).len(), wanted);
    // Greedy would be certain of its choice.
    let spread = kept(&first_step(&["--mirostat", "1"]));
    assert!(spread.iter().filter(|(_, p)| *p > 0.0).count() > 1, "{spread:?}");
}

#[test]
fn hostile_grammars_and_schemas_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let cyclic = r##"{"allOf": [{"$ref": "#/$defs/A"}], "$defs": {"A": {"$ref": "#/$defs/A"}}}"##;
    let deep = format!("{}{{}}{}", "{\"items\": ".repeat(5000), "}".repeat(5000));
    for (flag, content, expected) in [
        ("--grammar", "root ::= root \"a\"", "1:1: the rule root can begin with itself"),
        ("--grammar", "", "there is no rule"),
        ("--grammar", "root ::= <|no such token|>", "is no token of this model"),
        ("--grammar", "root ::= \"a\" (\"\" | \"b\" | \"c\")* \".\"", "1:30: this repeats what may be empty"),
        ("--json-schema", cyclic, "/$defs/A: this schema refers to itself"),
        ("--json-schema", "{\"items\": {\"not\": {}}}", "x: /items/not: not can't be enforced"),
        ("--json-schema", "{\"oneOf\": [{\"minimum\": 1}, {}]}", "x: /oneOf: oneOf"),
        ("--json-schema", deep.as_str(), "no JSON: recursion limit"),
        ("--json-schema", "{\"type\": \"nonsense\"}", "/type: a type is one of"),
        ("--regex", "a(?=b)", "--regex, character 2: look-around"),
        ("--regex", "a[]", "--regex, character 2: this class is empty"),
    ] {
        let file = match flag {
            "--regex" => content.to_string(),
            _ => written(folder.path(), "x", content),
        };
        let output = run(&["generate", "x", "-n", "1", "-q", flag, &file]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(expected) && error.lines().count() == 1, "{error}");
    }
}

#[test]
fn unknown_keywords_of_a_schema_are_noted_once() {
    let folder = tempfile::tempdir().unwrap();
    let schema = "{\"type\": \"boolean\", \"colour\": \"red\"}";
    let file = written(folder.path(), "s.json", schema);
    let noted = |quiet: &[&str]| {
        let arguments = ["generate", "x", "-n", "4", "-k", "1", "--json-schema", &file];
        let output = run(&[&arguments, quiet].concat());
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8_lossy(&output.stderr).matches("s.json: no keyword of a schema").count()
    };
    assert_eq!((noted(&[]), noted(&["-q"])), (1, 0));
}

#[test]
fn standard_input_and_files_are_read_byte_for_byte() {
    let text = "one\n\n two \n";
    let output = run_with(&["score", "-", "--json", "-q", "-k", "1"], text.as_bytes());
    let score: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(score["text"], text);
    let piped = run_with(&["score", "--json", "-q", "-k", "1"], text.as_bytes());
    assert_eq!(serde_json::from_str::<Value>(&stdout(&piped)).unwrap()["text"], text);
    let folder = tempfile::tempdir().unwrap();
    let file = written(folder.path(), "t.txt", text);
    let next = json(&["next", "-f", &file, "-k", "1"]);
    let tokens = list(&score["tokens"]).iter().map(|token| token["id"].clone());
    assert_eq!(next["prompt_tokens"], Value::from(tokens.collect::<Vec<_>>()));
    let white = json(&["score", " \n ", "-k", "1"]);
    assert_eq!(white["text"], " \n ");
}

#[test]
fn bad_input_is_one_line_and_the_right_code() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = folder.path().join("tiny.gguf");
    std::fs::write(&tiny, gguf::tiny_llama(1).bytes()).unwrap();
    let tiny = tiny.display().to_string();
    let csv = written(folder.path(), "items.csv", "a,b\n1,2\n");
    let short = written(folder.path(), "short.csv", "text,b\nx\n");
    let empty = written(folder.path(), "empty.csv", "");
    let twice = written(folder.path(), "twice.csv", "text,text\na,b\n");
    let cases: [(&[&str], &[u8], &str); 28] = [
        (&["score", ""], b"", "the text is empty"),
        (&["score", "-"], b"a\xFFb", "byte 2 is 0xFF and no UTF-8"),
        (&["next", ""], b"", "there is no token to start from"),
        (&["generate", ""], b"", "there is no token to start from"),
        (&["next", "a", "--token", ""], b"", "text 1 is empty"),
        (&["score", "a", "--choice", ""], b"", "choice 1 is empty"),
        (&["score", "--choice", "b", "-"], b"", "choice 1 has no context"),
        (&["score", "-f", "/no/such/file"], b"", "/no/such/file: "),
        (&["next", "a", "-m", "no-such-model"], b"", "no-such-model"),
        (&["generate", "a", "--grammar", "/no/such/file"], b"", "/no/such/file: "),
        (&["score", "a b", "--stats", "--reference", &tiny], b"", "another vocabulary"),
        (&["score", "--items", "/no/such.csv"], b"", "/no/such.csv"),
        (&["score", "--items", &csv], b"", "no column text; name one with --column: a, b"),
        (&["score", "--items", &short], b"", "short.csv"),
        (&["score", "a", "--choice", "b", "--format", "csv"], b"", "as a table or as JSON"),
        (&["chat", "-m", "smollm2-135m", "-m", "other"], b"", "one model"),
        (&["repl", "-m", "smollm2-135m", "-m", "other"], b"", "one model"),
        (&["bench", "-m", "smollm2-135m", "-m", "other"], b"", "one model"),
        (&["generate", "a", "--tempp", "1"], b"", "a similar argument exists: '--temp'"),
        (&["generate", "a", "--temp", "-1"], b"", "temp -1: must be 0 (greedy) or more"),
        (&["generate", "a", "-n", "-1"], b"", "invalid value '-1' for '--max-tokens <N>'"),
        (&["score", "a", "--reference", "x"], b"", "were not provided: --stats"),
        (&["next", "a", "--threads", "-1"], b"", "write auto or a number from 1 to 512"),
        (&["next", "a", "-k", "-3"], b"", "invalid value '-3' for '-k <N|P%>'"),
        (&["generate", "a", "--xtc", "-1,2"], b"", "a chance and a threshold, such as 0.5,0.1"),
        (&["score", "a", "--by", "verse"], b"", "possible values: token, word, char, line"),
        (&["score", "--items", &empty], b"", "its first line must name the columns"),
        (&["score", "--items", &twice], b"", "two columns are called text"),
    ];
    for (args, input, expected) in cases {
        let output = run_with(&[args, &["-q"]].concat(), input);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(expected) && error.lines().count() == 1, "{args:?}: {error}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn a_prompt_longer_than_the_context_is_refused_and_a_text_is_scored_in_windows() {
    let text = "All work and no play makes Jack a dull boy. ".repeat(12);
    let refused = run(&["next", &text, "--ctx", "64", "-q"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("do not fit into the context of 64"));
    let output = run(&["score", &text, "--ctx", "64", "--stride", "16", "--json", "-k", "1"]);
    let score: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("windows of 64 tokens, stride 16"));
    assert_eq!(
        (&score["window"]["tokens"], &score["window"]["stride"]),
        (&Value::from(64), &Value::from(16))
    );
    let tokens = list(&score["tokens"]);
    assert_eq!(score["scored_tokens"], tokens.len() - 1);
    // What fits into the first window is scored as it is without windows.
    let whole = json(&["score", &text, "-k", "1"]);
    for (a, b) in tokens[1..60].iter().zip(&list(&whole["tokens"])[1..60]) {
        assert_eq!(a["id"], b["id"]);
        assert_near(number(&a["logprob"]), number(&b["logprob"]), 4.0 * TOLERANCE);
    }
    // The second half of windows that do not overlap, as llama-perplexity has it.
    let args = ["score", &text, "--ctx", "64", "--stride", "64", "--min-context", "33", "-k", "1"];
    let halves = json(&args);
    for (i, token) in list(&halves["tokens"]).iter().enumerate() {
        assert_eq!(token["logprob"].is_number(), i % 64 >= 33, "token {i}");
    }
}

#[test]
fn a_column_of_texts_gives_a_row_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let items = "id,sentence,word\n7,\"The dog, it barked\",x\n8,,y\n9,Hi,z\n";
    let file = written(folder.path(), "items.csv", items);
    let csv = stdout(&run(&["score", "--items", &file, "--bos", "always", "-q"]));
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let head: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    assert_eq!(head[..5], ["id", "sentence", "word", "index", "tokenscope_word"]);
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let words: Vec<(&str, &str)> = rows.iter().map(|row| (&row[0], &row[4])).collect();
    assert_eq!(words, [("7", "The"), ("7", "dog,"), ("7", "it"), ("7", "barked"), ("8", "NA"), ("9", "Hi")]);
    let items = json_lines(&["score", "--items", &file, "--regions", "dog"]);
    assert_provenance(&items[0]);
    assert_eq!((items.len(), &items[0]["input"]["id"]), (3, &Value::from("7")));
    assert_eq!(list(&items[0]["regions"]).len(), 2);
}

#[test]
fn a_script_for_the_repl_goes_on_after_an_error() {
    let script = "The capital of France is\n/step 1\n/nosuch\n/set temp hot\n/load nowhere.json\n\
                  /compare The cat sits. ||| The cat sit.\n/tokens Paris\n";
    let output = run_with(&["repl"], script.as_bytes());
    assert_eq!(output.status.code(), Some(0));
    let said = stdout(&output);
    assert!(!said.contains('\x1b') && !said.contains("> "), "{said}");
    let table = said.lines().find(|line| line.trim_start().starts_with("1 ")).unwrap();
    assert!(table.contains("␣Paris"), "{table}");
    assert!(said.contains("The capital of France is Paris\n"), "{said}");
    assert!(said.contains("after \"The cat\"") && said.contains("50 61 72 69 73"), "{said}");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors: Vec<&str> = errors.lines().filter(|line| line.starts_with("tokenscope: ")).collect();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].contains("/nosuch") && errors[2].contains("nowhere.json"), "{errors:?}");
}

#[test]
fn a_model_that_cannot_be_had_leaves_the_repl_with_the_one_it_has() {
    let script =
        "/model no-such-model\n/model\nThe capital of France is\n/set temp 0\n/chat Hi\n/rescore Hello\n";
    let output = run_with(&["repl"], script.as_bytes());
    assert_eq!(output.status.code(), Some(0));
    let said = stdout(&output);
    assert!(said.contains("smollm2-135m (") && said.contains("␣Paris"), "{said}");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors: Vec<&str> = errors.lines().filter(|line| line.starts_with("tokenscope: ")).collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].contains("no-such-model"), "{errors:?}");
}

#[test]
fn a_conversation_is_saved_loaded_and_rescored_in_a_script_and_no_file_is_replaced_unasked() {
    let dir = tempfile::tempdir().unwrap();
    let (one, two) = (dir.path().join("one.json"), dir.path().join("two.json"));
    let (file, other) = (one.display(), two.display());
    let script = format!(
        "/set temp 0\n/set max-tokens 6\n/chat Hi\n/save {file}\n/save {file}\n/save! {file}\n/clear\n\
         /load {file}\n/save {other}\n/rescore Hello\n/load /dev/zero\n/save {}/none/x\n",
        dir.path().display()
    );
    let output = run_with(&["repl"], script.as_bytes());
    assert_eq!(output.status.code(), Some(0));
    let said = stdout(&output);
    assert!(said.contains("2 turns from") && said.contains("as many as asked for"), "{said}");
    assert!(said.contains("over 6 tokens"), "{said}");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let errors: Vec<&str> = errors.lines().filter(|line| line.starts_with("tokenscope: ")).collect();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(errors[0].contains("/save! "), "{errors:?}");
    assert!(errors[1].contains("/dev/zero: a device, no file"), "{errors:?}");
    assert!(errors[2].contains("there is no folder"), "{errors:?}");
    // Nothing was lost on the way through the file.
    assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());
}

#[test]
fn the_benchmark_measures_every_part_beside_the_raw_engine() {
    let report = json(&["bench", "--pairs", "1", "-n", "4", "--prompt", "70", "--threads", "1"]);
    assert_provenance(&report);
    for (part, ratio) in [
        ("decode", "median_ratio"),
        ("scoring", "median_text_ratio"),
        ("scoring", "median_short_ratio"),
        ("prompt", "median_prompt_ratio"),
        ("prompt", "median_scored_ratio"),
        ("prompt", "median_prompt_to_scored"),
        ("start", "median_ratio"),
    ] {
        let ratio = number(&report[part][ratio]);
        assert!(ratio.is_finite() && ratio > 0.0, "{report}");
    }
    // Pairs of sentences that differ in a word share what stands before it.
    let computed = number(&report["scoring"]["computed_share"]);
    assert!(computed > 0.0 && computed < 0.5, "{computed}");
}

#[test]
fn several_models_are_one_list() {
    let folder = tempfile::tempdir().unwrap();
    let tiny = folder.path().join("tiny.gguf");
    std::fs::write(&tiny, gguf::tiny_llama(1).bytes()).unwrap();
    let answer = json(&["next", "a", "-k", "1", "-m", "smollm2-135m", "-m", &tiny.display().to_string()]);
    let models: Vec<&Value> = list(&answer["models"]).iter().map(|object| &object["model"]).collect();
    assert_eq!(models, ["smollm2-135m", "tiny"]);
}

#[test]
fn tables_are_for_people_and_the_header_can_be_left_out() {
    let output = run(&["score", "The quick brown fox"]);
    let (table, header) = (stdout(&output), String::from_utf8_lossy(&output.stderr));
    assert!(table.contains("surprisal") && table.contains("␣quick") && table.contains("4 tokens scored"));
    assert!(!table.contains('\u{1b}'), "a pipe gets no colours");
    for part in ["smollm2-135m", "Q4_1", "sha256", "bos auto (none)", "ctx", "threads"] {
        assert!(header.contains(part), "{header}");
    }
    // Nothing is drawn there; where something is, the header says from which seed.
    assert!(!header.contains("seed"), "{header}");
    let generated = run(&["generate", "The quick", "-n", "1"]);
    assert!(String::from_utf8_lossy(&generated.stderr).contains("seed"));
    assert!(run(&["score", "The quick brown fox", "-q"]).stderr.is_empty());
    let coloured = stdout(&run(&["score", "The quick brown fox", "--color", "always", "-q"]));
    assert!(coloured.contains("\u{1b}[") && coloured.contains("surprisal bit"));
    // What a text holds is never carried out by the terminal.
    let hostile = stdout(&run(&["score", "a\u{1b}[2Jb", "-q"]));
    assert!(!hostile.contains('\u{1b}'));
}

#[test]
fn a_reader_that_goes_away_is_no_error_and_a_full_disk_is() {
    let text = "All work and no play makes Jack a dull boy. ".repeat(20);
    let mut child = command(&["score", &text, "-q"]).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), b"".as_slice()));
    if let Ok(full) = std::fs::OpenOptions::new().write(true).open("/dev/full") {
        let output = command(&["next", "a", "-q"]).stdout(full).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("tokenscope: standard output: "));
    }
}

#[test]
fn ctrl_c_ends_a_long_score() {
    let text = "All work and no play makes Jack a dull boy. ".repeat(4000);
    let mut child = command(&["score", "-", "--ctx", "256"]).stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    // The header says that scoring is about to begin.
    let mut head = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    std::io::BufRead::read_line(&mut head, &mut line).unwrap();
    // SAFETY: a signal to a child of our own.
    unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) };
    let mut out = child.stdout.take().unwrap();
    std::io::copy(&mut out, &mut std::io::sink()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

/// The real tokenizer, on texts long enough to be tokenized in pieces.
#[test]
fn pieces_of_a_long_text_have_the_tokens_of_the_whole() {
    use tokenscope::engine::llama::Model;
    use tokenscope::engine::{CancelFlag, Client, LoadOptions, Threads, Tokenize};
    use tokenscope::query::text::TextEncoder;
    use tokenscope::settings::Bos;

    let path: PathBuf = Library::open().unwrap().resolve("smollm2-135m", Purpose::Run, &Silent).unwrap().path;
    let model = Model::load_vocabulary(&path).unwrap();
    let options = LoadOptions {
        path,
        name: String::new(),
        context: Some(64),
        threads: Threads::Fixed(1),
        exact: false,
        about: Default::default(),
        server: None,
        rpc: Vec::new(),
        patience: Default::default(),
        cancel: CancelFlag::default(),
    };
    let (_client, info) = Client::load(options, |_| {}).unwrap();
    let encoder = TextEncoder::new(&info, Bos::Auto, false).unwrap();
    let lines = "fn main() {\n    println!(\"déjà vu 北京\");\n}\n\n\n \t\n1234567.\nx\n  \n".repeat(6000);
    let encoded = encoder.encode(lines.as_bytes()).unwrap();
    assert!(encoded.ids() == model.tokenize(lines.as_bytes(), false));
    assert_eq!(encoded.rewritten_from, None);
}

#[test]
fn a_variable_that_is_empty_is_none() {
    let empty = ["MODEL", "K", "THREADS", "CTX", "BOS", "WEIGHTS", "SEED", "COLOR"];
    let mut listed = command(&["models", "list"]);
    for name in empty {
        listed.env(format!("TOKENSCOPE_{name}"), "");
    }
    let output = listed.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn an_error_quotes_no_more_than_a_person_reads() {
    let folder = tempfile::tempdir().unwrap();
    let probe = |name: &str, prompt: &str, expect: &str| {
        let head = format!("[suite]\nname = \"{name}\"\n[[probe]]\nid = \"a\"\ntarget = \" y\"\n");
        format!("{head}prompt = \"{prompt}\"\nexpect = [\"{expect}\"]\n")
    };
    let long = "y".repeat(50_000);
    let refusing = format!("{{{{ raise_exception('{long}') }}}}");
    let columns: Vec<String> = (0..1000).map(|n| format!("column {n}")).collect();
    for (name, text) in [
        ("raises.toml", probe("s", &refusing, "p(' y') > 0")),
        ("minus.toml", probe("s", "x", &format!("{}1 < 2", "-".repeat(20_000)))),
        ("name.toml", probe(&long, "x", "p(' y') > 0")),
        ("items.csv", format!("{}\n", columns.join(","))),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let said = |command: &mut Command| {
        let output = command.current_dir(folder.path()).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(said.len() < 700, "{}: {}", said.len(), String::from_utf8_lossy(&said));
        output.status.code()
    };
    for (file, code) in [("raises.toml", 2), ("minus.toml", 2), ("name.toml", 0)] {
        assert_eq!(said(&mut command(&["probe", "--check", file])), Some(code), "{file}");
    }
    assert_eq!(said(&mut command(&["score", "--items", "items.csv"])), Some(2));
    for name in ["K", "THREADS", "CTX", "BOS", "WEIGHTS", "SEED", "COLOR"] {
        let mut asked = command(&["next", "hi"]);
        assert_eq!(said(asked.env(format!("TOKENSCOPE_{name}"), &long)), Some(2), "{name}");
    }
}

#[test]
fn a_setting_of_another_kind_is_told_in_plain_words() {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("tokenscope")).unwrap();
    let file = home.path().join("tokenscope/config.toml");
    for (text, reason) in [
        ("model = 5", "2:9: a model's name in quotes is wanted, or a list of names"),
        ("k = [1]", "2:5: a number or a text in quotes is wanted"),
    ] {
        std::fs::write(&file, format!("[general]\n{text}\n")).unwrap();
        let output = command(&["next", "hi"]).env("XDG_CONFIG_HOME", home.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn a_conversation_in_another_encoding_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.json");
    std::fs::write(&path, b"\xFF\xFE[\0]\0").unwrap();
    let output = run(&["tokenize", "--chat", path.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("c.json: UTF-16 text; save it as UTF-8"), "{said}");
}

#[test]
fn what_is_wrong_with_a_value_names_the_place_it_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let said = |name: &str, value: &str, args: &[&str]| {
        let output = command(args).env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let wrong = said("TOKENSCOPE_K", "a few", &["next", "x"]);
    assert!(wrong.starts_with("tokenscope: TOKENSCOPE_K: invalid value 'a few'"), "{wrong}");
    let wrong = said("TOKENSCOPE_K", "3", &["next", "x", "-k", "a few"]);
    assert!(wrong.starts_with("tokenscope: invalid value 'a few' for '-k"), "{wrong}");
    std::fs::create_dir(folder.path().join("tokenscope")).unwrap();
    std::fs::write(folder.path().join("tokenscope/config.toml"), "[sampling]\nregex = \"(\"\n").unwrap();
    let wrong = said("XDG_CONFIG_HOME", folder.path().to_str().unwrap(), &["generate", "x", "-q"]);
    assert!(wrong.starts_with("tokenscope: config.toml: regex, character 1: "), "{wrong}");
}
