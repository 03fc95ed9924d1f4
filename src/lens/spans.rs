//! The spans a prompt is divided into: sets of its tokens, so that nothing is tokenized again.

use std::ops::Range;

use clap::ValueEnum;
use unicode_segmentation::UnicodeSegmentation;

use super::subject::Subject;
use crate::token::text_of;

/// What a prompt is divided into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub enum SpanUnit {
    /// The model's own tokens.
    Token,
    /// Runs of anything but white space; the white space before one belongs to it.
    Word,
    /// The smallest parts whose edges are edges of a token and of a character.
    Char,
    /// Sentences, as Unicode cuts them.
    Sentence,
    /// Messages of a conversation.
    Turn,
}

impl SpanUnit {
    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            SpanUnit::Token => "token",
            SpanUnit::Word => "word",
            SpanUnit::Char => "char",
            SpanUnit::Sentence => "sentence",
            SpanUnit::Turn => "turn",
        }
    }
}

/// Some tokens of a prompt, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptSpan {
    /// Indices of its tokens.
    pub tokens: Range<usize>,
    /// Bytes of the prompt, where they are known.
    pub bytes: Option<Range<usize>>,
    /// Its text.
    pub text: String,
}

/// Characters of scripts that are written without spaces.
pub fn is_without_spaces(c: char) -> bool {
    matches!(c as u32,
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x3FFFF)
}

/// What is taken where nobody says: characters where most letters are of a script without spaces.
pub fn usual(subject: &Subject) -> SpanUnit {
    let written = subject.words.iter().filter(|word| word.written).filter_map(|word| word.span.clone());
    let text: Vec<u8> = written.flat_map(|span| subject.text[span].to_vec()).collect();
    let text = String::from_utf8_lossy(&text);
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    let without = text.chars().filter(|&c| is_without_spaces(c)).count();
    if 2 * without > letters { SpanUnit::Char } else { SpanUnit::Word }
}

/// Larger spans, of which a long prompt has few: sentences, or else the messages of a conversation; `None`
/// where it has not two of either.
pub fn coarse(subject: &Subject) -> Option<SpanUnit> {
    [SpanUnit::Sentence, SpanUnit::Turn].into_iter().find(|&by| {
        let has_them = by == SpanUnit::Sentence || subject.words.iter().any(|word| word.turn.is_some());
        has_them && spans(subject, by).len() > 1
    })
}

/// Divides the tokens that somebody wrote.
pub fn spans(subject: &Subject, by: SpanUnit) -> Vec<PromptSpan> {
    let units = units(subject, by);
    let mut spans: Vec<(usize, PromptSpan)> = Vec::new();
    for (i, word) in subject.words.iter().enumerate() {
        if !word.written {
            continue;
        }
        let unit = match (by, &word.span) {
            (SpanUnit::Token, _) | (_, None) => usize::MAX - i,
            (SpanUnit::Turn, _) => word.turn.unwrap_or(0),
            (_, Some(span)) => units.partition_point(|unit| unit.end <= key(&subject.text, span)),
        };
        match spans.last_mut() {
            Some((last, span)) if *last == unit && span.tokens.end == i => {
                span.tokens.end = i + 1;
                if let (Some(bytes), Some(own)) = (&mut span.bytes, &word.span) {
                    bytes.end = own.end;
                }
            }
            _ => spans
                .push((unit, PromptSpan { tokens: i..i + 1, bytes: word.span.clone(), text: String::new() })),
        }
    }
    let text = |span: &PromptSpan| span.bytes.clone().map(|bytes| text_of(&subject.text[bytes]));
    spans.into_iter().map(|(_, span)| PromptSpan { text: text(&span).unwrap_or_default(), ..span }).collect()
}

/// The byte that decides where a token belongs: its first that is no white space; for white space alone,
/// what follows it.
fn key(text: &[u8], span: &Range<usize>) -> usize {
    let blank = |at: &usize| text.get(*at).is_some_and(u8::is_ascii_whitespace);
    let mut at = span.start;
    while blank(&at) {
        at += 1;
    }
    if at < text.len() { at } else { span.start }
}

/// Byte ranges that cover the text.
fn units(subject: &Subject, by: SpanUnit) -> Vec<Range<usize>> {
    let text = &subject.text;
    let edges: Vec<usize> = match by {
        SpanUnit::Token | SpanUnit::Turn => Vec::new(),
        SpanUnit::Word => {
            let blank = |at: usize| text[at].is_ascii_whitespace();
            // A word goes on to the white space behind it.
            (1..text.len()).filter(|&at| blank(at) && !blank(at - 1)).collect()
        }
        SpanUnit::Char => {
            // Edges of characters that are edges of tokens, too.
            let is_edge = |at: &usize| text.get(*at).is_none_or(|byte| (*byte as i8) >= -0x40);
            subject.words.iter().filter_map(|word| Some(word.span.as_ref()?.end)).filter(is_edge).collect()
        }
        SpanUnit::Sentence => match std::str::from_utf8(text) {
            Ok(text) => text.split_sentence_bound_indices().map(|(at, _)| at).skip(1).collect(),
            Err(_) => Vec::new(),
        },
    };
    let mut edges = edges;
    edges.push(text.len());
    let mut from = 0;
    edges.into_iter().map(|edge| std::mem::replace(&mut from, edge)..edge).collect()
}

#[cfg(test)]
mod tests;
