//! The words of something said, by its tokens, and how probable each was.
//!
//! A word is a maximal run of characters that are no white space; the white space before it belongs to it. Where a
//! script is written without spaces, the smallest parts whose edges are edges of tokens and of characters take the
//! place of words.

use std::ops::Range;

use super::sequence::TokenSequence;
use super::turn::Turn;
use crate::lens::spans::is_without_spaces;

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub struct SaidWord {
    /// Its bytes in [`Turn::text`], without the white space before it.
    pub bytes: Range<usize>,
    /// Its tokens, by their marks.
    pub marks: Range<usize>,
    /// Σ ln p of its tokens; `None` where a token has no figures.
    pub logprob: Option<f64>,
}

/// The words that tokens of a turn belong to, by their marks.
pub fn words(turn: &Turn, marks: Range<usize>, sequence: TokenSequence<'_>) -> Vec<SaidWord> {
    let all = &turn.marks;
    let marks = marks.start.min(all.len())..marks.end.min(all.len());
    let mut first = marks.start;
    while first > 0 && !begins(turn, first) {
        first -= 1;
    }
    let mut words: Vec<SaidWord> = Vec::new();
    for (at, mark) in all.iter().enumerate().skip(first) {
        let is_new = at == first || begins(turn, at);
        if is_new && at >= marks.end {
            break;
        }
        let stats = sequence.step(mark.token).and_then(|step| step.stats.as_ref());
        let logprob = stats.map(|stats| f64::from(stats.logprob));
        match words.last_mut() {
            Some(word) if !is_new => {
                word.marks.end = at + 1;
                word.bytes.end = mark.end;
                word.logprob = word.logprob.zip(logprob).map(|(sum, own)| sum + own);
            }
            _ => words.push(SaidWord { bytes: begin(turn, at)..mark.end, marks: at..at + 1, logprob }),
        }
    }
    for word in &mut words {
        let text = &turn.text[word.bytes.clone()];
        let blank = text.len() - text.trim_start().len();
        word.bytes = word.bytes.start + blank..word.bytes.start + text.trim_end().len().max(blank);
    }
    // White space alone, at the end of what was said, is no word.
    words.retain(|word| !word.bytes.is_empty() && !is_end(turn, word.marks.start));
    words
}

/// Where the text of a token begins.
fn begin(turn: &Turn, at: usize) -> usize {
    if at == 0 { 0 } else { turn.marks[at - 1].end }
}

/// Whether a word begins with a token. One that holds only part of a character has its text in a later one.
fn begins(turn: &Turn, at: usize) -> bool {
    let from = begin(turn, at);
    if at == 0 || is_end(turn, at) {
        return true;
    }
    if begin(turn, at - 1) == from {
        return false;
    }
    let shown = turn.marks[at..].iter().find(|mark| mark.end > from).map(|mark| &turn.text[from..mark.end]);
    let Some(first) = shown.and_then(|text| text.chars().next()) else { return false };
    let Some(before) = turn.text[..from].chars().next_back() else { return false };
    match (before.is_whitespace(), first.is_whitespace()) {
        (false, true) => true,
        // White space belongs to the word after it.
        (true, _) => false,
        (false, false) => is_without_spaces(first) || is_without_spaces(before),
    }
}

/// Whether a token is the one that ended a reply, and no part of what was said.
fn is_end(turn: &Turn, at: usize) -> bool {
    at + 1 == turn.marks.len() && turn.reply.as_ref().is_some_and(|reply| reply.end.is_some())
}

#[cfg(test)]
mod tests;
