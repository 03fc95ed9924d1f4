use super::*;

use fixture::{File as Fixture, Noise, Value as V, text, tiny_gemma3, tiny_llama};

// Below one module each, as they lie in tests/support.
#[path = "../../../tests/support/gguf.rs"]
pub(crate) mod fixture;
#[path = "../../../tests/support/mutate.rs"]
mod mutate;
use fixture as gguf;

fn parse(file: &Fixture) -> Result<Gguf, Fault> {
    parse_bytes(&file.bytes())
}

fn parse_bytes(bytes: &[u8]) -> Result<Gguf, Fault> {
    Gguf::parse(bytes, bytes.len() as u64)
}

/// Changes the tiny llama and gives the complaint of the strictest check.
fn complaint(change: impl FnOnce(&mut Fixture)) -> String {
    let mut file = tiny_llama(1);
    change(&mut file);
    match parse(&file).and_then(|gguf| gguf.runnable()) {
        Ok(()) => "none".to_owned(),
        Err(fault) => fault.to_string(),
    }
}

#[test]
fn the_fixtures_are_sound() {
    for file in [tiny_llama(1), tiny_gemma3(1)] {
        let gguf = parse(&file).unwrap();
        gguf.runnable().unwrap();
        assert!(gguf.parameters() > 50_000);
    }
}

#[test]
fn values_come_back() {
    let gguf = parse(&tiny_llama(1)).unwrap();
    assert_eq!(gguf.architecture(), Some("llama"));
    assert_eq!(gguf.of_model("block_count").and_then(GgufValue::u32), Some(1));
    assert_eq!(gguf.of_model("rope.freq_base").and_then(GgufValue::f32), Some(10_000.0));
    assert!(gguf.chat_template().unwrap().contains("im_start"));
    let vocabulary = gguf.vocabulary().unwrap();
    assert_eq!(vocabulary.tokens.len(), 279);
    assert_eq!(vocabulary.tokens.text(2), Some(&b"<|im_end|>"[..]));
    assert_eq!(vocabulary.tokens.text(279), None);
    assert_eq!(vocabulary.merges.unwrap().texts().nth(1), Some(&b"h e"[..]));
    assert_eq!((vocabulary.bos, vocabulary.eos, vocabulary.add_bos), (Some(1), Some(2), false));
    assert_eq!(vocabulary.types.unwrap().integers().unwrap().next(), Some(3));
    let embedding = gguf.tensor("token_embd.weight").unwrap();
    assert_eq!((tensor::shape_text(&embedding.shape).as_str(), embedding.size), ("64 × 279", 64 * 279 * 4));
}

#[test]
fn sentencepiece_asks_for_bos_unless_told_otherwise() {
    let mut file = tiny_gemma3(1);
    file.remove("tokenizer.ggml.add_bos_token");
    assert!(parse(&file).unwrap().vocabulary().unwrap().add_bos);
    file.set("tokenizer.ggml.add_bos_token", V::Bool(false));
    assert!(!parse(&file).unwrap().vocabulary().unwrap().add_bos);
    // Out of range, llama.cpp falls back to the tokenizer's own default.
    file.set("tokenizer.ggml.bos_token_id", V::U32(u32::MAX));
    assert_eq!(parse(&file).unwrap().vocabulary().unwrap().bos, Some(1));
}

#[test]
fn other_files_are_named() {
    for (head, name) in [
        (&b"<!DOCTYPE html><html>"[..], "web page"),
        (b"\n  <html>", "web page"),
        (b"PK\x03\x04\x14\0", "zip archive"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"\x40\x08\0\0\0\0\0\0{\"__metadata__\"", "safetensors"),
        (b"\x80\x02}q\0(X", "pickle"),
        (b"lmgg\x01\0\0\0", "GGML file"),
        (b"tjgg\x03\0\0\0", "GGML file"),
        (b"FUGG\0\0\0\x03", "byte order"),
        (b"\x1F\x8B\x08\0", "compressed"),
        (b"{\"architectures\": []}", "JSON"),
        (b"\x7FELF\x02", "begins with '<0x7F>ELF'"),
        (b"GG", "begins with"),
    ] {
        let message = parse_bytes(head).unwrap_err().to_string();
        assert!(message.contains(name), "{name}: {message}");
    }
    let message = parse_bytes(&[]).unwrap_err().to_string();
    assert!(message.contains("empty"), "{message}");
}

#[test]
fn paths_that_lead_to_no_file_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let fault = |path: &Path| Gguf::read(path).unwrap_err();
    assert!(matches!(fault(folder.path()).fault, Fault::Folder));
    assert!(fault(folder.path()).is_wrong_path());
    assert!(matches!(fault(&folder.path().join("none.gguf")).fault, Fault::Missing));
    assert!(matches!(fault(Path::new("/dev/null")).fault, Fault::Special));
    let message = fault(&folder.path().join("a\x1B[31m.gguf")).to_string();
    assert!(message.ends_with("a<0x1B>[31m.gguf: no such file"), "{message}");
}

#[test]
fn a_cut_file_says_how_much_is_missing() {
    let whole = tiny_llama(1).bytes();
    let message = parse_bytes(&whole[..whole.len() - 1000]).unwrap_err().to_string();
    assert_eq!(
        message,
        format!("cut short: 1000 of its {} bytes are missing; download it again", whole.len())
    );
    for cut in [5, 20, 30, 100, 5000] {
        let message = parse_bytes(&whole[..cut]).unwrap_err().to_string();
        assert!(
            message.contains("cut short at byte") || message.contains("the file ends before"),
            "{cut}: {message}"
        );
    }
}

#[test]
fn broken_headers_are_located() {
    for (change, part) in [
        ((|f| f.version = 1) as fn(&mut Fixture), "byte 4: GGUF version 1"),
        (|f| f.version = 4, "byte 4: GGUF version 4"),
        (|f| f.version = 0x0300_0000, "byte order"),
        (|f| f.counts = Some((1 << 60, 5)), "byte 8: 1152921504606846976 tensors"),
        (|f| f.counts = Some((1, 1 << 40)), "byte 16: 1099511627776 metadata keys"),
        (|f| f.keys.push((b"general.name".to_vec(), V::U32(1))), "the key 'general.name' comes twice"),
        (|f| f.keys.push((vec![], V::U32(1))), "an empty name"),
        (|f| f.keys.push((b"a\0b".to_vec(), V::U32(1))), "a zero byte"),
        (|f| f.keys.push((vec![0xFF], V::U32(1))), "not UTF-8"),
        (|f| f.keys.push((b"x".to_vec(), V::Raw(13, vec![]))), "value type 13 does not exist"),
        (
            |f| f.keys.push((b"x".to_vec(), V::Raw(9, vec![9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]))),
            "arrays of arrays",
        ),
        (
            |f| f.keys.push((b"x".to_vec(), V::Raw(9, [[8, 0, 0, 0].as_slice(), &[0xFF; 8]].concat()))),
            "an array of 1844",
        ),
        (|f| f.keys.push((b"x".to_vec(), V::Raw(8, vec![0xFF; 8]))), "a text of 1844"),
        (|f| f.set("general.alignment", V::U32(48)), "key 'general.alignment': 48"),
        (|f| f.set("general.alignment", V::U64(32)), "is u64, and it must be u32"),
        (|f| f.tensors[0].name = vec![b'x'; 64], "more than 63 bytes"),
        (|f| f.tensors[1].name = f.tensors[0].name.clone(), "comes twice"),
        (|f| f.tensors[0].shape = vec![1; 5], "5 dimensions"),
        (|f| f.tensors[0].shape = vec![0, 4], "holds no element"),
        (|f| f.tensors[0].shape = vec![1 << 40, 1 << 40], "larger than any model"),
        (|f| f.tensors[0].kind = 4, "type 4 is unknown"),
        (|f| (f.tensors[0].kind, f.tensors[0].shape) = (2, vec![33]), "needs multiples of 32"),
        (|f| f.tensors[1].offset = Some(0), "begins at byte 0 of the data, expected at 71424"),
    ] {
        let mut file = tiny_llama(1);
        change(&mut file);
        let message = parse(&file).unwrap_err().to_string();
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn vocabularies_that_llama_cpp_dies_of_are_refused() {
    fn entry(file: &mut Fixture, key: &str, index: usize, to: &[u8]) {
        let (_, value) = file.keys.iter_mut().find(|(name, _)| name == key.as_bytes()).unwrap();
        let V::Texts(texts) = value else { panic!("{key} holds no texts") };
        texts[index] = to.to_vec();
    }
    const TOKENS: &str = "tokenizer.ggml.tokens";
    for (change, part) in [
        ((|f| f.remove("tokenizer.ggml.model")) as fn(&mut Fixture), "no vocabulary"),
        (|f| f.set("tokenizer.ggml.model", text("none")), "no vocabulary"),
        (|f| f.set("tokenizer.ggml.model", text("hybriddna")), "'hybriddna' is not supported"),
        (|f| f.set("tokenizer.ggml.model", V::U32(1)), "must be a UTF-8 string"),
        (|f| f.set("tokenizer.ggml.pre", text("whitespace")), "'whitespace' is not supported"),
        (|f| f.set("general.file_type", V::Bool(true)), "is bool, and it must be u32"),
        (|f| f.set(TOKENS, V::U32(1)), "must be an array of string"),
        (|f| f.set(TOKENS, V::I32s(vec![1])), "must be an array of string"),
        (|f| f.set(TOKENS, V::Texts(vec![])), "empty"),
        (|f| entry(f, TOKENS, 9, b"<|im_end|>"), "token 9, '<|im_end|>', comes twice"),
        (|f| entry(f, TOKENS, 9, b"<|im_end|>\0x"), "comes twice"),
        (|f| (entry(f, TOKENS, 9, b""), entry(f, TOKENS, 10, b"[EMPTY_9]")).1, "stand-in"),
        (|f| entry(f, TOKENS, 9, &[b'x'; 9000]), "token 9 has 9000 bytes"),
        (|f| f.set("tokenizer.ggml.token_type", V::I32s(vec![1])), "1 entries for 279 tokens"),
        (|f| f.set("tokenizer.ggml.token_type", V::F32s(vec![1.0])), "must be an array of i32"),
        (|f| f.set("tokenizer.ggml.token_type", V::I32s(vec![6; 279])), "typed as a byte"),
        (|f| f.set("tokenizer.ggml.scores", V::F32s(vec![0.0])), "1 entries for 279"),
        (|f| f.set("tokenizer.ggml.scores", V::F32s(vec![f32::NAN; 279])), "score 0 is no number"),
        (|f| f.remove("tokenizer.ggml.merges"), "needs its merges"),
        (|f| entry(f, "tokenizer.ggml.merges", 3, b"ab"), "merge 3 is 'ab'"),
        (|f| f.set("tokenizer.ggml.bos_token_id", V::I32(1)), "is i32, and it must be u32"),
        (|f| f.set("tokenizer.ggml.add_bos_token", V::U32(1)), "is u32, and it must be bool"),
        (|f| f.set("tokenizer.ggml.model", text("llama")), "no token for byte 0x00"),
        (|f| f.set("tokenizer.ggml.model", text("rwkv")), "no token for byte"),
    ] {
        let message = complaint(change);
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn models_that_llama_cpp_dies_of_are_refused() {
    for (change, part) in [
        ((|f| f.remove("general.architecture")) as fn(&mut Fixture), "key 'general.architecture': missing"),
        (|f| f.set("general.architecture", V::U32(1)), "must be a UTF-8 string"),
        (|f| f.set("general.architecture", text("gpt9")), "'gpt9' is unknown to this llama.cpp"),
        (|f| f.set("general.architecture", text("bert")), "'bert' is an encoder"),
        (|f| f.set("split.count", V::U16(3)), "one of 3 parts"),
        (|f| f.tensors.clear(), "a vocabulary without weights"),
        (|f| f.remove("llama.context_length"), "missing"),
        (|f| f.set("llama.context_length", V::U32(0)), "0, and it must be 1 to"),
        (|f| f.set("llama.context_length", V::U64(128)), "is u64, and it must be u32"),
        (|f| f.set("llama.block_count", V::U32(0)), "0, and it must be 1 to 512"),
        (|f| f.set("llama.block_count", V::U32(513)), "513"),
        (|f| f.set("llama.attention.head_count", V::U32s(vec![4, 4])), "2 entries for 1 layers"),
        (|f| f.set("llama.rope.scaling.type", text("cubic")), "'cubic', and it must be none"),
        (|f| f.set("llama.attention.layer_norm_rms_epsilon", V::F32(-1.0)), "-1, which no computation"),
        (|f| f.set("llama.attention.layer_norm_rms_epsilon", V::F32(f32::NAN)), "NaN"),
        (|f| f.set("llama.expert_count", V::U32(8)), "0 of 8 experts are used"),
        (|f| f.set("llama.expert_used_count", V::U32(2)), "2 of 0 experts"),
        (|f| f.set("llama.attention.causal", V::Bool(false)), "an encoder"),
        (|f| f.set("llama.pooling_type", V::U32(9)), "makes embeddings"),
        (|f| f.tensors.last_mut().unwrap().kind = 24, "I8 is no type for weights"),
        (|f| f.set("llama.attention.key_length", V::U32(1 << 20)), "out of proportion to the embedding's 64"),
        (|f| f.set("llama.feed_forward_length", V::U32(1 << 20)), "out of proportion to the embedding's 64"),
    ] {
        let message = complaint(change);
        assert!(message.contains(part), "{part}: {message}");
    }
}

#[test]
fn odd_alignments_are_not_mapped() {
    let message = complaint(|f| {
        f.alignment = 8;
        f.set("general.alignment", V::U32(8));
        f.set("general.name", text("x"));
    });
    assert!(message.contains("no multiple of 32") || message == "none", "{message}");
}

/// Any bytes at all: a header or a fault, never a panic. The reader's own limits keep memory small.
#[test]
fn damaged_headers_never_panic() {
    let mut accepted = 0;
    for case in 0..6000 {
        let mut noise = Noise(case);
        let mut file = if case % 2 == 0 { tiny_llama(1) } else { tiny_gemma3(1) };
        let bytes = if case % 3 == 0 {
            let mut header = file.header();
            mutate::bytes(&mut header, &mut noise);
            header
        } else {
            mutate::fields(&mut file, &mut noise);
            file.bytes()
        };
        if let Ok(gguf) = parse_bytes(&bytes) {
            let _ = gguf.vocabulary();
            accepted += usize::from(gguf.runnable().is_ok());
        }
    }
    // Many mutants are harmless; if hardly any were accepted, the mutations would prove nothing.
    assert!(accepted > 300, "{accepted}");
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(tail in proptest::collection::vec(proptest::num::u8::ANY, 0..400), claim in 0_u64..1 << 50) {
        let bytes = [b"GGUF\x03\0\0\0", &tail[..]].concat();
        let _ = parse_bytes(&bytes);
        // A size that is not true must do no harm either.
        let _ = Gguf::parse(bytes.as_slice(), claim);
    }
}
