use super::*;
use crate::model::gguf::tests::fixture::{File, text, tiny_gemma3, tiny_llama};

fn summary(file: &File) -> ModelSummary {
    let bytes = file.bytes();
    let gguf = Gguf::parse(bytes.as_slice(), bytes.len() as u64).unwrap();
    ModelSummary::of(&gguf, "tiny")
}

fn table(summary: &ModelSummary) -> String {
    let mut out = Vec::new();
    summary.write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_table_for_people() {
    let mut file = tiny_llama(1);
    file.set("general.license", text("mit\x1B[2J"));
    let table = table(&summary(&file));
    for line in [
        "title          tiny llama\n",
        "quantization   F32 (11 × F32)\n",
        "context        128 tokens\n",
        "vocabulary     279 tokens (byte-pair, smollm)\n",
        "BOS            <|im_start|> (1), not added before a text\n",
        "chat template  yes\n",
        "licence        mit<0x1B>[2J\n",
    ] {
        assert!(table.contains(line), "{line}{table}");
    }
    assert!(!table.contains("cannot run"), "{table}");
}

#[test]
fn what_cannot_run_says_so() {
    let mut file = tiny_gemma3(1);
    file.tensors.clear();
    let summary = summary(&file);
    assert_eq!(summary.quantization, "F32");
    assert_eq!(summary.vocabulary.as_ref().unwrap().tokens, 270);
    let table = table(&summary);
    assert!(table.contains("cannot run     a vocabulary without weights"), "{table}");
    assert!(table.contains("BOS            <bos> (2), added before a text"), "{table}");
}

#[test]
fn without_a_file_type_the_tensors_tell() {
    let mut file = tiny_llama(1);
    file.remove("general.file_type");
    assert_eq!(summary(&file).quantization, "F32");
    file.tensors.clear();
    assert_eq!(summary(&file).quantization, "none");
}

#[test]
fn sizes() {
    assert_eq!(bytes(17), "17 bytes");
    assert_eq!(bytes(98_362_432), "98.4 MB");
    assert_eq!(bytes(1_240_000_000), "1.24 GB");
    assert_eq!(parameters(134_515_008), "135 M (134515008)");
}
