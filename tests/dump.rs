//! What a part of the layers gives for every token, as NumPy files.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

const PROMPT: &str = "The capital of France is";

fn run(folder: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tokenscope"));
    command.args(["lens", PROMPT, "-q", "-o"]).arg(folder).args(more).stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TOKENSCOPE_")) {
        if name != "TOKENSCOPE_HOME" {
            command.env_remove(name);
        }
    }
    command.output().unwrap()
}

fn dump(folder: &Path, more: &[&str]) {
    let output = run(folder, more);
    assert_eq!(output.status.code(), Some(0), "{more:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// The values, and the record beside them.
fn read(folder: &Path, name: &str) -> (Vec<f32>, Value) {
    let bytes = std::fs::read(folder.join(name).with_extension("npy")).unwrap();
    let length = usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let record: Value =
        serde_json::from_slice(&std::fs::read(folder.join(name).with_extension("json")).unwrap()).unwrap();
    let sizes: Vec<String> = record["shape"].as_array().unwrap().iter().map(Value::to_string).collect();
    let head = String::from_utf8_lossy(&bytes[10..10 + length]).into_owned();
    assert!(head.contains(&format!("'shape': ({})", sizes.join(", "))), "{head}");
    let values =
        bytes[10 + length..].chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
    let values: Vec<f32> = values.collect();
    let expected: u64 =
        record["shape"].as_array().unwrap().iter().map(|size| size.as_u64().unwrap()).product();
    assert_eq!(values.len() as u64, expected);
    (values, record)
}

#[test]
fn a_layer_is_its_input_and_what_is_added() {
    let folder = tempfile::tempdir().unwrap();
    for (model, last) in [("smollm2-135m", 29), ("gemma-3-270m", 17)] {
        let layers = [0, last].map(|layer| layer.to_string()).join(",");
        for name in ["residual", "input", "attention", "ffn"] {
            dump(folder.path(), &["--dump", &format!("{name}:{layers}"), "-m", model, "--force"]);
        }
        for layer in [0, last] {
            let of = |name: &str| read(folder.path(), &format!("{name}-L{layer}"));
            let (residual, record) = of("residual");
            let parts = ["input", "attention", "ffn"].map(|name| of(name).0);
            let largest = residual.iter().fold(0.0f32, |a, b| a.max(b.abs()));
            for (i, value) in residual.iter().enumerate() {
                let sum = (parts[0][i] + parts[1][i]) + parts[2][i];
                assert!((sum - value).abs() <= 1e-6 * largest, "{model} {layer} {i}: {sum} {value}");
            }
            assert_eq!((&record["layer"], &record["name"]), (&Value::from(layer), &Value::from("residual")));
            let ids = record["token_ids"].as_array().unwrap();
            assert_eq!(Value::from(ids.len()), record["shape"][0]);
            assert_eq!(record["tokens"].as_array().unwrap().last().unwrap(), " is");
            assert_eq!(record["model"], model);
        }
    }
}

#[test]
fn weights_of_attention_sum_to_one_and_see_nothing_ahead() {
    let folder = tempfile::tempdir().unwrap();
    dump(folder.path(), &["--dump", "weights:3"]);
    let (values, record) = read(folder.path(), "weights-L3");
    assert_eq!(record["shape"], serde_json::json!([5, 9, 5]));
    for (i, row) in values.chunks(5).enumerate() {
        let position = i / 9;
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-3);
        assert!(row[position + 1..].iter().all(|&weight| weight == 0.0));
    }
}

#[test]
fn nothing_is_written_over_and_what_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    dump(folder.path(), &["--dump", "ffn_inp:2"]);
    let before = read(folder.path(), "ffn_inp-L2");
    let cases: [&[&str]; 8] = [
        &["--dump", "ffn_inp:1-2"],
        &["--dump", "nothing"],
        &["--dump", "ffn:30"],
        &["--dump", "ffn:2-1"],
        &["--dump", "../ffn"],
        &["--dump", "ffn", "--by", "word"],
        &["--dump", "ffn", "-m", "smollm2-135m", "-m", "gemma-3-270m"],
        &["--dump", "ffn", "--view", "logit"],
    ];
    for case in cases {
        let output = run(folder.path(), case);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{case:?}: {said}");
        assert!(said.starts_with("tokenscope: ") && said.lines().count() == 1, "{case:?}: {said}");
    }
    assert_eq!(read(folder.path(), "ffn_inp-L2"), before);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    dump(folder.path(), &["--dump", "ffn_inp:1-2", "--force"]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
}
