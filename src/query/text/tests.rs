use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::engine::testing::Scripted;
use crate::engine::{Event, Gives, ModelInfo, Tokenize};
use crate::token::{SpecialTokens, VocabEntry};

fn model() -> Arc<ModelInfo> {
    match Scripted::new([]).ready() {
        Event::Ready(info) => info,
        _ => unreachable!(),
    }
}

/// A tokenizer whose ids for a text are given, over these pieces.
struct Fixed(Vec<u32>);

impl Tokenize for Fixed {
    fn tokenize(&self, _: &[u8], _: bool) -> Vec<TokenId> {
        self.0.iter().copied().map(TokenId).collect()
    }
}

fn fixed(pieces: &[&[u8]], ids: &[u32], add_bos: bool) -> ModelInfo {
    let entries = pieces.iter().map(|piece| VocabEntry { bytes: piece.to_vec(), ..VocabEntry::default() });
    let special = SpecialTokens { bos: Some(TokenId(0)), eos: None, add_bos };
    let known = model();
    ModelInfo {
        name: known.name.clone(),
        path: known.path.clone(),
        architecture: known.architecture.clone(),
        quantization: known.quantization.clone(),
        parameters: 0,
        layers: 0,
        heads: 0,
        width: 0,
        context: 64,
        gives: Gives::EVERYTHING,
        threads: 1,
        chat_template: None,
        vocab: Arc::new(Vocab::new(entries, special)),
        tokenizer: Arc::new(Fixed(ids.to_vec())),
        about: Arc::default(),
    }
}

fn spans(model: &ModelInfo, text: &[u8]) -> Vec<Option<Range<usize>>> {
    let encoder = TextEncoder::new(model, Bos::Auto, false).unwrap();
    encoder.encode(text).unwrap().pieces.into_iter().map(|piece| piece.span).collect()
}

proptest! {
    #[test]
    fn offsets_tile_the_text(text in "\\PC{0,40}") {
        let model = model();
        let mut at = 0;
        for span in spans(&model, text.as_bytes()) {
            let span = span.unwrap();
            prop_assert_eq!(span.start, at);
            at = span.end;
        }
        prop_assert_eq!(at, text.len());
    }

    #[test]
    fn the_join_is_where_the_continuation_begins(context in "[a ]{0,8}", continuation in "[ a]{1,8}") {
        let model = model();
        let encoder = TextEncoder::new(&model, Bos::Never, false).unwrap();
        let joined = encoder.join(context.as_bytes(), continuation.as_bytes()).unwrap();
        let start = joined.encoded.pieces[joined.from].span.clone().unwrap();
        prop_assert!(start.end > context.len());
        prop_assert_eq!(joined.spans_join, start.start < context.len());
        let before = joined.encoded.pieces[..joined.from].iter().filter_map(|piece| piece.span.clone());
        prop_assert!(before.into_iter().all(|span| span.end <= context.len()));
    }
}

#[test]
fn a_token_across_the_join_is_told() {
    let model = model();
    let encoder = TextEncoder::new(&model, Bos::Never, false).unwrap();
    // The script's vocabulary has " Paris" as one token.
    let joined = encoder.join(b"in ", b"Paris").unwrap();
    assert!(joined.spans_join);
    assert_eq!((joined.from, joined.continuation().len()), (2, 1));
    assert!(joined.note().is_some());
    assert!(!encoder.join(b"in", b" Paris").unwrap().spans_join);
}

#[test]
fn a_space_before_the_text_is_nobodys() {
    let pieces: [&[u8]; 4] = [b"<s>", b" Hello", b" ", b"1"];
    assert_eq!(spans(&fixed(&pieces, &[1], true), b"Hello"), [None, Some(0..5)]);
    assert_eq!(spans(&fixed(&pieces, &[2, 3], true), b"1"), [None, None, Some(0..1)]);
    // A text that begins with a space has its own beside the inserted one.
    assert_eq!(spans(&fixed(&pieces, &[2, 1], true), b" Hello"), [None, Some(0..1), Some(1..6)]);
}

#[test]
fn the_block_that_stands_for_a_space_is_followed() {
    let pieces: [&[u8]; 2] = [b"<s>", b" a"];
    assert_eq!(spans(&fixed(&pieces, &[1, 1], false), "▁a a".as_bytes()), [Some(0..4), Some(4..6)]);
}

#[test]
fn white_space_that_a_special_token_swallows_is_skipped() {
    let pieces: [&[u8]; 3] = [b"<s>", b"<mask>", b"a"];
    assert_eq!(
        spans(&fixed(&pieces, &[2, 1, 2], false), b"a  <mask> a"),
        [Some(0..1), Some(3..9), Some(10..11)]
    );
}

#[test]
fn bos_is_never_doubled() {
    let pieces: [&[u8]; 2] = [b"<s>", b"a"];
    let model = fixed(&pieces, &[0, 1], true);
    let encoded = TextEncoder::new(&model, Bos::Always, true).unwrap().encode(b"<s>a").unwrap();
    assert_eq!(encoded.ids(), [TokenId(0), TokenId(1)]);
    assert!(!encoded.has_bos);
}

#[test]
fn a_tokenizer_that_rewrites_the_text_loses_the_offsets_from_there_on() {
    let pieces: [&[u8]; 3] = [b"<s>", b"a", b"x"];
    let model = fixed(&pieces, &[1, 2, 1], false);
    let encoded = TextEncoder::new(&model, Bos::Never, false).unwrap().encode(b"aBa").unwrap();
    assert_eq!(encoded.rewritten_from, Some(1));
    assert_eq!(encoded.pieces.iter().filter(|piece| piece.span.is_some()).count(), 1);
}

#[test]
fn bytes_that_would_be_replaced_are_refused_with_their_place() {
    let pieces: [&[u8]; 4] = [b"<s>", b"a", "\u{FFFD}".as_bytes(), b"\xFF"];
    let replacing = fixed(&pieces, &[1, 2], false);
    let error = TextEncoder::new(&replacing, Bos::Never, false).unwrap().encode(b"a\xFF").unwrap_err();
    assert_eq!(error, TextError::NotUtf8 { at: 2, byte: 0xFF });
    assert_eq!(spans(&fixed(&pieces, &[1, 3], false), b"a\xFF"), [Some(0..1), Some(1..2)]);
}

#[test]
fn a_model_without_bos_says_so() {
    let model = model();
    assert!(matches!(TextEncoder::new(&model, Bos::Always, false), Err(TextError::NoBos)));
}

#[test]
fn a_bos_before_every_message_is_a_marker() {
    let pieces: [&[u8]; 2] = [b"<s>", b"a"];
    let with = |template: &str| ModelInfo {
        chat_template: Some(template.to_string()),
        ..fixed(&pieces, &[1], true)
    };
    let is_marker = |model: &ModelInfo| TextEncoder::new(model, Bos::Auto, false).unwrap().bos_is_marker();
    assert!(is_marker(&with("<s>system {% for m in messages %}<s>{{ m }}{% endfor %}")));
    assert!(!is_marker(&with("<s>{% for m in messages %}{{ m }}{% endfor %}")));
}

#[test]
fn a_long_text_in_pieces_has_the_tokens_of_the_whole() {
    let known = model();
    let line = "The capital of France is Paris.\n\nIt is  the  capital.\n \nLondon\n";
    let text = line.repeat(8000);
    let encoder = TextEncoder::new(&known, Bos::Never, false).unwrap();
    let ids = encoder.encode(text.as_bytes()).unwrap().ids();
    assert!(ids == known.tokenizer.tokenize(text.as_bytes(), false));
}

#[test]
fn too_many_user_defined_tokens_are_refused() {
    let entries = [VocabEntry { bytes: b"##".to_vec(), user_defined: true, ..VocabEntry::default() }];
    let model = ModelInfo {
        vocab: Arc::new(Vocab::new(entries, SpecialTokens::default())),
        tokenizer: Arc::new(Fixed(Vec::new())),
        ..fixed(&[b"<s>"], &[], false)
    };
    let encoder = TextEncoder::new(&model, Bos::Never, false).unwrap();
    let error = encoder.encode(&vec![b'#'; 2 << 20]).unwrap_err();
    assert_eq!(error, TextError::TooMuch { at: 1, bytes: 2 << 20 });
}
