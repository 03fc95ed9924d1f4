//! Sums over parts of a text: regions a person marked, lines, and the smallest parts of a text without
//! white space.

use std::ops::Range;

use super::words::Word;
use super::{TextToken, runs, surprisal_sum, touched};

/// A part of a text and the tokens counted to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// Its number among the parts that were asked for.
    pub index: usize,
    /// Its bytes.
    pub span: Range<usize>,
    /// Its tokens.
    pub tokens: Range<usize>,
    /// Σ −ln p of them, in nats; `None` where a token has no context.
    pub surprisal_sum: Option<f64>,
    /// Σ of its words' corrected surprisal; `None` where a word crosses its edge or has none.
    pub surprisal_corrected: Option<f64>,
    /// Entropy before its first token, in nats.
    pub entropy: Option<f32>,
    /// What does not come out even.
    pub note: Option<&'static str>,
}

/// The sums of consecutive parts of a text. A token counts to the part where its first character that
/// is no white space stands (else its first byte).
pub fn sums(text: &[u8], tokens: &[TextToken], parts: &[Range<usize>], words: &[Word]) -> Vec<Region> {
    let runs = runs(text);
    let solid = |token: &TextToken| {
        let span = token.span.as_ref()?;
        let within = touched(&runs, span);
        let first = runs.get(within.start).filter(|_| !within.is_empty());
        Some(first.map_or(span.start, |run| run.start.max(span.start)))
    };
    let mut next = tokens.iter().position(|token| token.span.is_some()).unwrap_or(tokens.len());
    parts
        .iter()
        .enumerate()
        .map(|(index, part)| {
            let first = next;
            while tokens.get(next).is_some_and(|token| solid(token).is_none_or(|at| at < part.end)) {
                next += 1;
            }
            let own = &tokens[first..next];
            let reaches_over = own.last().is_some_and(|token| {
                let span = token.span.clone().unwrap_or_default();
                span.end > part.end && !touched(&runs, &(part.end..span.end)).is_empty()
            });
            Region {
                index,
                span: part.clone(),
                tokens: first..next,
                surprisal_sum: surprisal_sum(own).filter(|sum| sum.is_finite()),
                surprisal_corrected: corrected(part, words),
                entropy: own.first().and_then(|token| token.figures).map(|figures| figures.entropy),
                note: note(own, reaches_over),
            }
        })
        .collect()
}

fn note(own: &[TextToken], reaches_over: bool) -> Option<&'static str> {
    if own.is_empty() {
        Some("no token begins here")
    } else if own.iter().any(|token| token.figures.is_none()) {
        Some(super::NO_CONTEXT)
    } else if surprisal_sum(own) == Some(f64::INFINITY) {
        Some(super::IMPOSSIBLE)
    } else if reaches_over {
        Some("its last token reaches into the next")
    } else {
        None
    }
}

fn corrected(part: &Range<usize>, words: &[Word]) -> Option<f64> {
    let first = words.partition_point(|word| word.span.end <= part.start);
    let touching = words[first..].iter().take_while(|word| word.span.start < part.end);
    touching
        .map(|word| {
            let inside = word.span.start >= part.start && word.span.end <= part.end;
            word.surprisal_corrected.filter(|_| inside)
        })
        // Not `sum()`: nothing at all would be -0.
        .try_fold(0.0, |sum, value| Some(sum + value?))
}

/// The lines of a text, each with its line break.
pub fn lines(text: &[u8]) -> Vec<Range<usize>> {
    let mut start = 0;
    text.split_inclusive(|&byte| byte == b'\n')
        .map(|line| {
            let begin = start;
            start += line.len();
            begin..start
        })
        .collect()
}

/// The smallest parts of a text whose edges are edges of a token and of a character. A byte that is no
/// character is a part of its own.
pub fn characters(text: &[u8], tokens: &[TextToken]) -> Vec<Range<usize>> {
    let is_edge = edges(text);
    let mut parts = Vec::new();
    let mut start = None;
    for span in tokens.iter().filter_map(|token| token.span.as_ref()) {
        let begin = *start.get_or_insert(span.start);
        if is_edge[span.end] && span.end > begin {
            parts.push(begin..span.end);
            start = None;
        }
    }
    parts
}

/// For every position of a text, its end included, whether a character begins or ends there.
fn edges(text: &[u8]) -> Vec<bool> {
    let mut is_edge = vec![false; text.len() + 1];
    let mut at = 0;
    for chunk in text.utf8_chunks() {
        for (offset, _) in chunk.valid().char_indices() {
            is_edge[at + offset] = true;
        }
        at += chunk.valid().len();
        for offset in 0..chunk.invalid().len() {
            is_edge[at + offset] = true;
        }
        at += chunk.invalid().len();
    }
    is_edge[text.len()] = true;
    is_edge
}

/// A text without the marks between its regions, and where the regions are in it. White space right
/// before a mark goes with the mark, so that `the dog | barked` and `the dog| barked` are the same text.
pub fn split_marked(text: &[u8], mark: &[u8]) -> (Vec<u8>, Vec<Range<usize>>) {
    let mut plain = Vec::with_capacity(text.len());
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = find(rest, mark) {
        let start = plain.len();
        plain.extend_from_slice(rest[..at].trim_ascii_end());
        parts.push(start..plain.len());
        rest = &rest[at + mark.len()..];
    }
    let start = plain.len();
    plain.extend_from_slice(rest);
    parts.push(start..plain.len());
    (plain, parts)
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    if mark.is_empty() { None } else { text.windows(mark.len()).position(|window| window == mark) }
}

#[cfg(test)]
mod tests;
