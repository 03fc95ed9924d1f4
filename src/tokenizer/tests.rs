use std::path::Path;

use super::compare::first_difference;
use super::*;
use crate::model::gguf::tests::fixture::{
    File as Fixture, Value as V, byte_characters, text, tiny_gemma3, tiny_llama,
};

fn gguf(file: &Fixture) -> Gguf {
    let bytes = file.bytes();
    Gguf::parse(bytes.as_slice(), bytes.len() as u64).unwrap()
}

fn second(file: &Fixture) -> Second {
    Second::from_gguf(&gguf(file)).unwrap()
}

fn ids(ids: &[u32]) -> Vec<TokenId> {
    ids.iter().copied().map(TokenId).collect()
}

fn agreement(file: &Fixture, other: &Second) -> Agreement {
    let gguf = gguf(file);
    Spelled::new(&other.inner, &gguf.check_vocabulary().unwrap()).agreement()
}

/// A vocabulary of these pieces, each with a score and a type.
fn vocabulary(model: &str, pieces: &[(&str, f32, i32)]) -> Fixture {
    let mut file = Fixture::default();
    file.set("general.architecture", text("llama"));
    file.set("tokenizer.ggml.model", text(model));
    let texts = pieces.iter().map(|(piece, ..)| piece.as_bytes().to_vec()).collect();
    file.set("tokenizer.ggml.tokens", V::Texts(texts));
    file.set("tokenizer.ggml.scores", V::F32s(pieces.iter().map(|(_, score, _)| *score).collect()));
    file.set("tokenizer.ggml.token_type", V::I32s(pieces.iter().map(|(.., kind)| *kind).collect()));
    file
}

fn set_token(file: &mut Fixture, id: usize, bytes: &[u8]) {
    let tokens = file.keys.iter_mut().find(|(key, _)| key == b"tokenizer.ggml.tokens");
    if let Some((_, V::Texts(tokens))) = tokens {
        tokens[id] = bytes.to_vec();
    }
}

#[test]
fn a_byte_level_vocabulary_is_cut_merged_and_asked_for_specials() {
    let mut tiny = second(&tiny_llama(1));
    let byte = |c: u8| 3 + u32::from(c);
    // " t" and "he" are tokens, and so is " the".
    assert_eq!(tiny.encode(" the", false).unwrap(), ids(&[259 + 7]));
    assert_eq!(tiny.encode("北", false).unwrap(), ids(&[byte(0xE5), byte(0x8C), byte(0x97)]));
    assert_eq!(tiny.encode("<|im_end|>", true).unwrap(), ids(&[2]));
    assert!(tiny.encode("<|im_end|>", false).unwrap().len() > 3);
    assert_eq!(tiny.encode("", false).unwrap(), ids(&[]));
}

#[test]
fn specials_take_white_space_where_llama_cpp_lets_them() {
    let mut file = tiny_llama(1);
    let the = 259 + 7;
    let encode = |file: &Fixture| second(file).encode("<|im_end|>  \n the", true).unwrap();
    assert!(encode(&file).len() > 3);
    file.set("general.name", text("Phi-3 mini"));
    // What is left is "the" without its space.
    let bare = second(&file).encode("the", true).unwrap();
    assert_eq!(encode(&file), [ids(&[2]), bare].concat());
    assert!(!encode(&file).contains(&TokenId(the)));
}

#[test]
fn scores_make_the_merges_of_sentence_piece_and_bytes_what_is_unknown() {
    let mut file = tiny_gemma3(1);
    // "h" must be a piece for "he" to be made.
    set_token(&mut file, 269, b"h");
    let mut tiny = second(&file);
    let (block, e, t, the) = (260, 261, 262, 267);
    // Better scores merge first: "▁t" before "he".
    assert_eq!(tiny.encode(" the", false).unwrap(), ids(&[the]));
    assert_eq!(tiny.encode("t e", false).unwrap(), ids(&[t, block, e]));
    assert_eq!(tiny.encode("é", false).unwrap(), ids(&[4 + 0xC3, 4 + 0xA9]));
    file.set("tokenizer.ggml.add_space_prefix", V::Bool(true));
    assert_eq!(second(&file).encode("the", false).unwrap(), ids(&[the]));
}

#[test]
fn unigram_and_word_pieces() {
    let pieces = [("<pad>", 0.0, 3), ("</s>", 0.0, 3), ("<unk>", 0.0, 2), ("▁a", -2.0, 1), ("b", -1.0, 1)];
    let mut file = vocabulary("t5", &[pieces.as_slice(), &[("▁ab", -2.5, 1)]].concat());
    file.set("tokenizer.ggml.add_space_prefix", V::Bool(true));
    file.set("tokenizer.ggml.remove_extra_whitespaces", V::Bool(true));
    assert_eq!(second(&file).encode("  ab   abb x", false).unwrap(), ids(&[5, 5, 4, 2]));
    let pieces = [("[PAD]", 0.0, 3), ("[UNK]", 0.0, 2), ("▁play", 0.0, 1), ("ing", 0.0, 1), ("▁!", 0.0, 1)];
    let mut file = vocabulary("bert", &pieces);
    file.set("tokenizer.ggml.unknown_token_id", V::U32(1));
    let mut bert = second(&file);
    assert_eq!(bert.encode("PLAYING! ing", false).unwrap(), ids(&[2, 3, 4, 1]));
    assert_eq!(agreement(&file, &bert).first_different, None);
}

#[test]
fn what_makes_no_tokenizer_says_why() {
    let reason = |change: &dyn Fn(&mut Fixture)| {
        let mut file = tiny_llama(1);
        change(&mut file);
        match Second::from_gguf(&gguf(&file)) {
            Ok(_) => "none".to_string(),
            Err(error) => error.to_string(),
        }
    };
    assert_eq!(reason(&|_| {}), "none");
    let pre = "tokenizer.ggml.pre";
    assert!(reason(&|file| file.set(pre, text("kimi-k2"))).contains("pre-tokenizer kimi-k2 are not known"));
    assert!(reason(&|file| file.set(pre, text("default"))).contains("does not say how a text is cut"));
    assert!(reason(&|file| file.remove(pre)).contains("does not say how a text is cut"));
    let one = V::Texts(vec![b"no such".to_vec()]);
    assert!(reason(&|file| file.set("tokenizer.ggml.merges", one.clone())).contains("out of vocabulary"));
    assert!(reason(&|file| set_token(file, 278, b"\xFF")).contains("token 278 is no UTF-8"));
    let mut rwkv = vocabulary("rwkv", &[("<s>", 0.0, 3)]);
    rwkv.set("tokenizer.ggml.unknown_token_id", V::U32(0));
    let bytes = (0..256).map(|byte| format!("\\x{byte:02x}").into_bytes());
    rwkv.set("tokenizer.ggml.tokens", V::Texts(std::iter::once(b"<s>".to_vec()).chain(bytes).collect()));
    ["scores", "token_type"].iter().for_each(|key| rwkv.remove(&format!("tokenizer.ggml.{key}")));
    let error = Second::from_gguf(&gguf(&rwkv)).err().unwrap();
    assert!(error.to_string().contains("a RWKV vocabulary"), "{error}");
}

#[test]
fn every_familys_patterns_are_patterns() {
    for name in ["gpt-2", "smollm", "llama-bpe", "dbrx", "qwen2", "qwen35", "gpt-4o", "tekken", "deepseek-v3"]
    {
        let mut file = tiny_llama(1);
        file.set("tokenizer.ggml.pre", text(name));
        let mut tiny = second(&file);
        assert_eq!(tiny.encode("a  the\n", false).unwrap().len(), 4, "{name}");
    }
    for name in ["bailingmoe", "seed-coder", "minicpm5", "falcon"] {
        let mut file = tiny_llama(1);
        file.set("tokenizer.ggml.pre", text(name));
        second(&file);
    }
}

#[test]
fn the_first_difference_and_a_few_tokens_around_it() {
    let find = |ours: &[u32], theirs: &[u32]| {
        first_difference(&ids(ours), &ids(theirs), |id| vec![id.0 as u8]).map(|found| {
            let shown: Vec<u32> = found.others.iter().map(|other| other.id.0).collect();
            (found.index, found.from, shown)
        })
    };
    assert_eq!(find(&[1, 2], &[1, 2]), None);
    assert_eq!(find(&[], &[]), None);
    assert_eq!(find(&[1, 2], &[1]), Some((1, 0, vec![1])));
    assert_eq!(find(&[1], &[1, 2]), Some((1, 0, vec![1, 2])));
    let long: Vec<u32> = (0..20).collect();
    let mut other = long.clone();
    other[10] = 99;
    assert_eq!(find(&long, &other), Some((10, 7, vec![7, 8, 9, 99, 11, 12, 13, 14])));
}

#[test]
fn vocabularies_are_compared_by_pieces() {
    let file = tiny_llama(1);
    let tiny = second(&file);
    let same = agreement(&file, &tiny);
    assert_eq!((same.tokens, same.other_tokens, same.missing, same.extra), (279, 279, 0, 0));
    assert!(same.is_same());
    let mut json: serde_json::Value = serde_json::from_str(&tiny.to_json().unwrap()).unwrap();
    let vocab = json["model"]["vocab"].as_object_mut().unwrap();
    (vocab["a"], vocab["b"]) = (vocab["b"].clone(), vocab["a"].clone());
    json["added_tokens"].as_array_mut().unwrap().push(serde_json::json!({
        "id": 279, "content": "<more>", "single_word": false, "lstrip": false, "rstrip": false,
        "normalized": false, "special": true
    }));
    let doctored = agreement(&file, &Second::from_json(json.to_string().as_bytes()).unwrap());
    let strange = doctored.first_different.unwrap();
    assert_eq!((strange.id, strange.token.as_str(), strange.other.as_str()), (TokenId(3 + 97), "a", "b"));
    assert_eq!((doctored.different, doctored.extra, doctored.other_tokens), (2, 1, 280));
}

#[test]
fn pieces_of_the_other_are_shown_as_what_they_stand_for() {
    let file = tiny_llama(1);
    let (gguf, tiny) = (gguf(&file), second(&file));
    let vocabulary = gguf.check_vocabulary().unwrap();
    let spelled = Spelled::new(&tiny.inner, &vocabulary);
    for (byte, _) in byte_characters().iter().enumerate() {
        assert_eq!(spelled.bytes(TokenId(3 + byte as u32)), [byte as u8]);
    }
    assert_eq!(spelled.bytes(TokenId(266)), b" the");
    assert_eq!(spelled.bytes(TokenId(2)), b"<|im_end|>");
}

#[test]
fn a_file_that_makes_the_crate_panic_is_a_broken_file() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let model = put("tiny.gguf", &tiny_llama(1).bytes());
    let ask = |file: &Path, text: &[u8]| {
        let against = CompareWith::File(file.to_path_buf());
        let question = TokenizerQuestion {
            against,
            model: model.clone(),
            text: text.to_vec(),
            ids: Vec::new(),
            special: false,
        };
        question.answer(&CancelFlag::default())
    };
    let panics = put("p.json", br#"{"model":{"type":"BPE","vocab":{"a":0},"merges":["a a"]}}"#);
    assert!(matches!(ask(&panics, b"aa"), Err(CheckError::Broken { .. })));
    for broken in [&b"{"[..], b"", b"{}", b"[]", b"\xFF\xFE", br#"{"model":{"type":"Nonsense"}}"#] {
        let file = put("b.json", broken);
        assert!(matches!(ask(&file, b"a"), Err(CheckError::Broken { .. })), "{broken:?}");
    }
    assert!(matches!(ask(Path::new("/no/such/file"), b"a"), Err(CheckError::Unreadable { .. })));
    let good = put("g.json", second(&tiny_llama(1)).to_json().unwrap().as_bytes());
    assert!(matches!(ask(&good, b"a\xFF"), Err(CheckError::NotUtf8(2))));
    assert!(matches!(ask(&good, &vec![b'a'; MOST + 1]), Err(CheckError::TooLong(_))));
    assert!(ask(&good, b"").unwrap().is_same());
}
