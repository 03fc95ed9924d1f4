//! `tokenize`, and what `--check` finds.

use std::cell::RefCell;
use std::fs;
use std::process::Stdio;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;
use tokenscope::engine::Tokenize;
use tokenscope::engine::llama::Model;
use tokenscope::model::gguf::Gguf;
use tokenscope::tokenizer::Second;

use super::*;

fn real_model() -> PathBuf {
    Library::open().unwrap().resolve("smollm2-135m", Purpose::Tokenize, &Silent).unwrap().path
}

/// The tokenizer.json that the real model's file makes.
fn real_json() -> Value {
    let second = Second::from_gguf(&Gguf::read(&real_model()).unwrap()).unwrap();
    serde_json::from_str(&second.to_json().unwrap()).unwrap()
}

/// Ids, and that the tokens' offsets tile the text.
fn ids_of(answer: &Value, length: usize) -> Vec<u64> {
    let tokens = list(&answer["tokens"]);
    let mut at = 0;
    for token in tokens {
        assert_eq!(token["start"], at);
        at = token["end"].as_u64().unwrap();
    }
    assert_eq!(at as usize, length);
    tokens.iter().map(|token| token["id"].as_u64().unwrap()).collect()
}

fn from_pipe(args: &[&str], input: &[u8]) -> Value {
    let output = run_with(&[&["tokenize", "--json", "-q"], args].concat(), input);
    serde_json::from_str(&stdout(&output)).unwrap()
}

/// A vocabulary-only file: a tiny model's, without its weights.
fn bare(folder: &Path, mut file: gguf::File) -> String {
    file.tensors.clear();
    let path = folder.join("bare.gguf");
    fs::write(&path, file.bytes()).unwrap();
    path.display().to_string()
}

#[test]
fn any_bytes_have_tokens_that_tile_them() {
    for input in [&b"a\0b\0"[..], b"", b" \n\t ", "déjà 北京 🦀".as_bytes()] {
        let answer = from_pipe(&["-"], input);
        let ids = ids_of(&answer, input.len());
        assert_eq!(ids.is_empty(), input.is_empty());
        let bytes: Vec<u8> = list(&answer["tokens"])
            .iter()
            .flat_map(|token| list(&token["bytes"]))
            .map(|byte| byte.as_u64().unwrap() as u8)
            .collect();
        assert_eq!(bytes, input);
        assert_eq!(ids_of(&from_pipe(&[], input), input.len()), ids);
    }
    // Bytes that are no UTF-8 are kept where the tokenizer keeps them, and refused where it does not.
    let folder = tempfile::tempdir().unwrap();
    let keeps = bare(folder.path(), gguf::tiny_gemma3(1));
    let args = ["-m", &keeps, "--bos", "never", "-"];
    let kept: Vec<u64> = b"a \xFF\xE9".iter().map(|&byte| 4 + u64::from(byte)).collect();
    let ids = ids_of(&from_pipe(&args, b"a \xFF\xE9"), 4);
    assert_eq!(ids[2..], kept[2..]);
    let refused = run_with(&["tokenize", "-q", "-"], b"caf\xE9");
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("byte 4 is 0xE9 and no UTF-8"));
    let file = written(folder.path(), "t.txt", "one\n\n two \n");
    assert_eq!(ids_of(&json(&["tokenize", "-f", &file]), 11), ids_of(&from_pipe(&[], b"one\n\n two \n"), 11));
}

#[test]
fn megabytes_have_the_tokens_of_their_parts() {
    let line = "fn main() { println!(\"déjà vu 北京\"); }\n    // 1234567\n";
    let text = line.repeat(40_000);
    let table = run_with(&["tokenize", "-q"], text.as_bytes());
    let table = stdout(&table);
    let one = from_pipe(&[], line.repeat(2).as_bytes());
    let two = list(&one["tokens"]).len();
    let single = list(&from_pipe(&[], line.as_bytes())["tokens"]).len();
    let count = single + 39_999 * (two - single);
    assert!(table.ends_with(&format!("\n{count} tokens\n")));
    let checked = run_with(&["tokenize", "-q", "-", "--check"], text.as_bytes());
    assert!(stdout(&checked).starts_with(&format!("same: {count} tokens")));
}

#[test]
fn a_conversation_is_rendered_by_a_bare_vocabulary_and_by_another_template() {
    let folder = tempfile::tempdir().unwrap();
    let model = bare(folder.path(), gguf::tiny_llama(1));
    let messages = written(folder.path(), "m.json", r#"[{"role": "user", "content": "hi <|im_end|>"}]"#);
    let answer = json(&["tokenize", "-m", &model, "--chat", &messages]);
    assert_eq!(answer["text"], "<|im_start|>user\nhi <|im_end|><|im_end|>\n<|im_start|>assistant\n");
    let tokens = list(&answer["tokens"]);
    let typed: String = tokens
        .iter()
        .filter(|token| token["typed"] == true)
        .map(|token| token["text"].as_str().unwrap())
        .collect();
    assert!(typed.ends_with("hi <|im_end|>"), "{typed}");
    assert_eq!(
        tokens.iter().filter(|token| token["id"] == 2).count(),
        1,
        "what is typed is no special token"
    );
    let template = written(folder.path(), "t.jinja", "{% for m in messages %}[{{ m.content }}]{% endfor %}");
    let args = ["tokenize", "-m", &model, "--chat", &messages, "--template", &template];
    assert_eq!(json(&args)["text"], "[hi <|im_end|>]");
    let broken = written(folder.path(), "b.jinja", "{% for %}");
    let output = run(&["tokenize", "-q", "-m", &model, "--chat", &messages, "--template", &broken]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("b.jinja") && error.lines().count() == 1, "{error}");
}

#[test]
fn a_bare_vocabulary_agrees_with_the_tokenizer_it_makes() {
    let folder = tempfile::tempdir().unwrap();
    let model = bare(folder.path(), gguf::tiny_llama(1));
    let text = "There is  no rain\n in  the 北 <|im_end|>";
    let args = ["tokenize", "-m", &model, text, "--check"];
    let check = json(&args)["check"].clone();
    assert_eq!((&check["same"], &check["against"]), (&Value::from(true), &Value::from("gguf")));
    assert_eq!(json(&[&args[..], &["--special"]].concat())["check"]["same"], true);
    // A BOS that is put before the text is not compared.
    let answer = json(&[&args[..], &["--bos", "always"]].concat());
    assert_eq!((&answer["tokens"][0]["id"], &answer["check"]["same"]), (&Value::from(1), &Value::from(true)));
    assert_eq!(answer["check"]["tokens"], list(&answer["tokens"]).len() - 1);
    let both = json(&["tokenize", "-m", &model, "-m", "smollm2-135m", "a", "--check"]);
    assert!(list(&both["models"]).iter().all(|model| model["check"]["same"] == true));
}

/// The check finds what was changed in a tokenizer.json: exit code 1, and where.
#[test]
fn a_doctored_tokenizer_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, json: &Value| written(folder.path(), name, &json.to_string());
    let text = "The capital of France is Paris, the city of light.";
    let good = real_json();
    let whole = put("tokenizer.json", &good);
    assert!(stdout(&run(&["tokenize", "-q", text, "--check", &whole])).starts_with("same: 12 tokens by"));
    let find = |file: &str| {
        let output = run(&["tokenize", "-q", "--json", text, "--check", file]);
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };

    let mut swapped = good.clone();
    let vocab = swapped["model"]["vocab"].as_object_mut().unwrap();
    let (paris, city) = (vocab["ĠParis"].clone(), vocab["Ġcity"].clone());
    (vocab["ĠParis"], vocab["Ġcity"]) = (city.clone(), paris.clone());
    let answer = find(&put("swapped.json", &swapped));
    let check = &answer["check"];
    let first = &check["first_difference"];
    assert_eq!((&check["same"], &first["index"], &first["byte"]), (&false.into(), &5.into(), &24.into()));
    assert_eq!((&first["before"], &first["after"]), (&text[..24].into(), &text[24..].into()));
    let at = first["index"].as_u64().unwrap() as usize - first["from"].as_u64().unwrap() as usize;
    assert_eq!((&first["tokens"][at]["id"], &first["tokens"][at]["text"]), (&paris, &" Paris".into()));
    assert_eq!((&first["other"][at]["id"], &first["other"][at]["text"]), (&city, &" Paris".into()));
    let found = &check["vocabulary"];
    assert_eq!((&found["different"], &found["same"]), (&2.into(), &false.into()));
    assert_eq!(list(&answer["tokens"]).len(), 12, "the tokens are the model's");

    let mut unmerged = good.clone();
    let merges = unmerged["model"]["merges"].as_array_mut().unwrap();
    let before = merges.len();
    merges.retain(|merge| merge != &serde_json::json!(["ĠPar", "is"]));
    assert_eq!(merges.len(), before - 1);
    let check = find(&put("unmerged.json", &unmerged))["check"].clone();
    assert_eq!(
        (&check["first_difference"]["byte"], &check["vocabulary"]["same"]),
        (&24.into(), &true.into())
    );
    assert_eq!(check["other_tokens"], 13);
    let table = run(&["tokenize", "-q", text, "--check", &put("unmerged.json", &unmerged)]);
    let table = String::from_utf8(table.stdout).unwrap();
    assert!(
        table.starts_with("different from byte 24, token 6 on: 12 tokens by the model, 13 by"),
        "{table}"
    );
    assert!(table.contains("The␣capital␣of␣France␣is ‸ ␣Paris,␣the␣city"), "{table}");
    assert!(table.contains("▸       6"), "{table}");
    // Where no token of the text is concerned, the vocabularies still tell.
    let elsewhere = run(&["tokenize", "-q", "Hello", "--check", &put("swapped.json", &swapped)]);
    assert_eq!(elsewhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&elsewhere.stdout).starts_with("same: 1 token by"));
}

#[test]
fn what_cannot_be_compared_is_one_line_and_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| written(folder.path(), name, text);
    let broken = put("broken.json", "{\"model\":");
    let panics = put("panics.json", r#"{"model":{"type":"BPE","vocab":{"a":0},"merges":["a a"]}}"#);
    let mut kimi = gguf::tiny_llama(1);
    kimi.set("tokenizer.ggml.pre", gguf::text("kimi-k2"));
    fs::write(folder.path().join("kimi.gguf"), kimi.bytes()).unwrap();
    let kimi = folder.path().join("kimi.gguf").display().to_string();
    let keeps = bare(folder.path(), gguf::tiny_gemma3(1));
    let messages = put("m.json", "[]");
    let cases: [(&[&str], &[u8], &str); 6] = [
        (&["a", "--check", &broken], b"", "broken.json: no tokenizer.json that can be used"),
        (&["a", "--check", &panics], b"", "panics.json: no tokenizer.json that can be used"),
        (&["a", "--check", "/no/such.json"], b"", "/no/such.json: "),
        (&["--check", "some text"], b"", "must stand after the text"),
        (&["-m", &keeps, "-", "--check"], b"a\xFFb", "byte 2 of the text is no UTF-8"),
        (&["a", "-m", &kimi, "--check"], b"", "no tokenizer can be built from this model's own vocabulary"),
    ];
    for (args, input, expected) in cases {
        let output = run_with(&[&["tokenize", "-q"], args].concat(), input);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(expected) && error.lines().count() == 1, "{args:?}: {error}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    assert_eq!(run(&["tokenize", "--chat", &messages, "--check"]).status.code(), Some(2));
}

#[test]
fn ctrl_c_ends_tokenizing_and_checking() {
    let text = "All work and no play makes Jack a dull boy.\n".repeat(200_000);
    for args in [&["tokenize", "-"][..], &["tokenize", "-", "--check"], &["score", "-"]] {
        let mut child = command(args).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        // The header says that tokenizing is about to begin.
        let mut head = std::io::BufReader::new(child.stderr.take().unwrap());
        std::io::BufRead::read_line(&mut head, &mut String::new()).unwrap();
        // SAFETY: a signal to a child of our own.
        unsafe { libc::kill(child.id() as libc::pid_t, libc::SIGINT) };
        let mut out = child.stdout.take().unwrap();
        std::io::copy(&mut out, &mut std::io::sink()).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(130), "{args:?}");
    }
}

/// Characters that every version of Unicode since the oldest table of either tokenizer knows.
fn text_of_many_scripts() -> impl Strategy<Value = String> {
    let fragment = prop_oneof![
        "[ -~]{1,8}",
        "[ \t\n\r\u{a0}\u{3000}\u{2003}]{1,6}",
        "[a-zà-ÿα-ωа-яא-תء-يक-हก-ฮ]{1,6}",
        "[一-龥ぁ-んァ-ヶ가-힣]{1,5}",
        "[0-9٠-٩०-९²½Ⅳ①]{1,5}",
        "[\u{1F300}-\u{1F5FF}\u{1F600}-\u{1F64F}\u{200D}\u{FE0F}\u{300}-\u{36F}]{1,4}",
        "[!-/«»“”…—€©\u{0}\u{7}\u{1b}\u{85}\u{200B}\u{FEFF}]{1,4}",
        "'(s|t|re|ve|m|ll|d|S|LL)",
        "<\\|(im_start|im_end|endoftext)\\|>",
    ];
    prop::collection::vec(fragment, 0..12).prop_map(|parts| parts.concat())
}

/// The real model's vocabulary as a file of its own, cut by another family's patterns.
fn with_pre(pre: &str) -> gguf::File {
    let known = Gguf::read(&real_model()).unwrap();
    let vocabulary = known.check_vocabulary().unwrap();
    let texts =
        |list: &tokenscope::model::gguf::List| gguf::Value::Texts(list.texts().map(<[u8]>::to_vec).collect());
    let types = vocabulary.types.unwrap().integers().unwrap().map(|kind| kind as i32);
    let mut file = gguf::File::default();
    file.set("general.architecture", gguf::text("llama"));
    file.set("tokenizer.ggml.model", gguf::text("gpt2"));
    file.set("tokenizer.ggml.pre", gguf::text(pre));
    file.set("tokenizer.ggml.tokens", texts(vocabulary.tokens));
    file.set("tokenizer.ggml.token_type", gguf::Value::I32s(types.collect()));
    file.set("tokenizer.ggml.merges", texts(vocabulary.merges.unwrap()));
    file.set("tokenizer.ggml.add_bos_token", gguf::Value::Bool(false));
    file
}

/// Each family's patterns cut as llama.cpp's do.
#[test]
fn every_familys_patterns_agree_with_llama_cpp() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.gguf");
    // llama.cpp's patterns of these two know no upper case, lower case or combining marks beyond ASCII.
    let plain = |pre: &str| matches!(pre, "gpt-4o" | "tekken");
    for pre in [
        "gpt-2",
        "llama-bpe",
        "dbrx",
        "qwen2",
        "qwen35",
        "gpt-4o",
        "tekken",
        "deepseek-v3",
        "bailingmoe",
        "seed-coder",
        "minicpm5",
        "falcon",
    ] {
        fs::write(&path, with_pre(pre).bytes()).unwrap();
        let model = Model::load_vocabulary(&path).unwrap();
        let second = RefCell::new(Second::from_gguf(&Gguf::read(&path).unwrap()).unwrap());
        let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(200) });
        runner
            .run(&text_of_many_scripts(), |mut text| {
                let beyond = |c: char| !c.is_ascii() && !('一'..='龥').contains(&c) && c != '\u{3000}';
                text.retain(|c| !plain(pre) || !beyond(c));
                let theirs = second.borrow_mut().encode(&text, false).unwrap();
                prop_assert_eq!(model.tokenize(text.as_bytes(), false), theirs, "{}", pre);
                Ok(())
            })
            .unwrap();
    }
}

/// llama.cpp's patterns recurse at every character of a word.
#[test]
fn a_word_of_any_length_is_no_crash() {
    let folder = tempfile::tempdir().unwrap();
    for pre in ["tekken", "deepseek-v3", "smollm"] {
        let mut file = gguf::tiny_llama(1);
        file.set("tokenizer.ggml.pre", gguf::text(pre));
        let model = bare(folder.path(), file);
        for word in ["a", " ", ".", "é"] {
            let text = word.repeat(100_000);
            ids_of(&from_pipe(&["-m", &model, "-"], text.as_bytes()), text.len());
        }
    }
}

/// llama.cpp and the tokenizer that the model's own vocabulary makes read any text alike.
#[test]
fn the_composed_tokenizer_agrees_on_any_text() {
    let path = real_model();
    let model = Model::load_vocabulary(&path).unwrap();
    let second = RefCell::new(Second::from_gguf(&Gguf::read(&path).unwrap()).unwrap());
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::with_cases(2000) });
    runner
        .run(&(text_of_many_scripts(), any::<bool>()), |(text, special)| {
            let theirs = second.borrow_mut().encode(&text, special).unwrap();
            prop_assert_eq!(model.tokenize(text.as_bytes(), special), theirs);
            Ok(())
        })
        .unwrap();
}
