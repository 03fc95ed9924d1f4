use super::{SpanUnit, spans, usual};
use crate::lens::subject::{Goal, PromptWord, Subject};
use crate::token::TokenId;

/// A prompt of these pieces; one in brackets is a frame's.
fn of(pieces: &[&str]) -> Subject {
    let mut text = Vec::new();
    let mut words = Vec::new();
    for piece in pieces {
        let start = text.len();
        text.extend_from_slice(piece.as_bytes());
        let written = !piece.starts_with('[');
        words.push(PromptWord {
            id: TokenId(0),
            span: Some(start..text.len()),
            written,
            turn: Some(words.len() / 3),
        });
    }
    let target = Goal { text: Vec::new(), ids: Vec::new() };
    Subject { text, words, has_bos: false, target, greedy: false, versus: None, notes: Vec::new() }
}

fn texts(subject: &Subject, by: SpanUnit) -> Vec<String> {
    spans(subject, by).into_iter().map(|span| span.text).collect()
}

#[test]
fn a_token_belongs_to_the_word_of_its_first_byte_that_is_no_white_space() {
    let subject = of(&["The", " cap", "ital", " ", " of", "\n", "France", "."]);
    assert_eq!(texts(&subject, SpanUnit::Word), ["The", " capital", "  of", "\nFrance."]);
    assert_eq!(texts(&subject, SpanUnit::Token).len(), 8);
    assert_eq!(usual(&subject), SpanUnit::Word);
    // White space at the end has no word after it.
    assert_eq!(texts(&of(&["a", " b", " ", " "]), SpanUnit::Word), ["a", " b", "  "]);
}

#[test]
fn frames_are_no_spans_and_part_what_stands_around_them() {
    let subject = of(&["[s]", "one", " two", "[e]", "[s]", "three", " four", "[e]"]);
    assert_eq!(texts(&subject, SpanUnit::Word), ["one", " two", "three", " four"]);
    assert_eq!(texts(&subject, SpanUnit::Turn), ["one two", "three", " four"]);
    assert_eq!(texts(&subject, SpanUnit::Sentence), ["one two", "three four"]);
}

#[test]
fn sentences_and_characters_are_unicodes() {
    let subject = of(&["It", " rains", ".", " He", " sleeps", "."]);
    // A blank after a full stop belongs to the sentence that it ends, its token to the one that it begins.
    assert_eq!(texts(&subject, SpanUnit::Sentence), ["It rains.", " He sleeps."]);
    let subject = of(&["中国", "的", "首都"]);
    assert_eq!(usual(&subject), SpanUnit::Char);
    assert_eq!(texts(&subject, SpanUnit::Char), ["中国", "的", "首都"]);
    assert_eq!(texts(&subject, SpanUnit::Word), ["中国的首都"]);
}

#[test]
fn tokens_that_are_parts_of_a_character_stay_together() {
    let mut subject = of(&["a北b"]);
    let word = subject.words[0].clone();
    let part = |span| PromptWord { span: Some(span), ..word.clone() };
    subject.words = vec![part(0..1), part(1..2), part(2..4), part(4..5)];
    assert_eq!(texts(&subject, SpanUnit::Char), ["a", "北", "b"]);
}
