//! Sums over parts of a text: regions a person marked, lines, and the smallest parts of a text without
//! white space. A part's two figures cover the same tokens.

use std::ops::Range;

use super::edges::{Edges, corrected};
use super::words::Convention;
use super::{TextToken, runs, touched};
use crate::distribution::BoundaryMass;
use crate::step::Figure;

/// A part of a text and the tokens counted to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Region {
    /// Its number among the parts that were asked for.
    pub index: usize,
    /// Its bytes.
    pub span: Range<usize>,
    pub tokens: Range<usize>,
    /// Σ −ln p of those that have context, in nats; `None` where none has.
    pub surprisal_sum: Option<f64>,
    /// The same tokens' sum, corrected at both edges; `None` where an edge is not known.
    pub surprisal_corrected: Option<f64>,
    /// Entropy before its first token, in nats.
    pub entropy: Option<Figure<f32>>,
    /// What does not come out even.
    pub note: Option<&'static str>,
}

/// The sums of consecutive parts of a text, as words are counted: a token counts to the part of its first
/// character that is no white space, white space alone to the part of the word after it, and at the text's
/// end to that of the last word. All sums together are the text's. `after` is the mass after the last token.
pub fn sums(
    text: &[u8],
    tokens: &[TextToken],
    parts: &[Range<usize>],
    after: Option<BoundaryMass>,
    convention: Convention,
) -> Vec<Region> {
    let runs = runs(text);
    let place = |span: &Range<usize>| {
        let within = touched(&runs, span);
        match (runs.get(within.start), runs.last()) {
            (Some(run), _) => run.start.max(span.start),
            (None, Some(last)) => last.end - 1,
            (None, None) => 0,
        }
    };
    let edges = Edges { runs: &runs, tokens, after, convention };
    let mut regions = divided(tokens, parts, place);
    for region in &mut regions {
        let own = &tokens[region.tokens.clone()];
        // The tokens of a text that have no context are its first ones.
        let scored = own.iter().position(|token| token.figures.is_some()).unwrap_or(0);
        let (start, end) = (region.tokens.start + scored, region.tokens.end);
        let ends = [start, end].map(|index| edges.at(index));
        region.surprisal_corrected = match region.surprisal_sum {
            _ if own.is_empty() => Some(0.0),
            Some(sum) if own[scored..].iter().all(|token| token.figures.is_some()) => corrected(sum, ends),
            _ => None,
        };
        let reaches_over = own.last().and_then(|token| token.span.as_ref()).is_some_and(|span| {
            span.end > region.span.end && !touched(&runs, &(region.span.end..span.end)).is_empty()
        });
        let in_bytes = ends.into_iter().flatten().any(|edge| edge.in_bytes);
        region.note = region.note.or(match (reaches_over, in_bytes) {
            (true, _) => Some("its last token reaches into the next"),
            (false, true) => Some(super::IN_BYTES),
            (false, false) => None,
        });
    }
    regions
}

/// The sums of parts whose edges are edges of tokens; a token counts to the part of its first byte, so that
/// white space is a part of its own. Nothing is corrected.
pub fn smallest(tokens: &[TextToken], parts: &[Range<usize>]) -> Vec<Region> {
    divided(tokens, parts, |span| span.start)
}

/// Counts each token to the part of the byte at which it is placed.
fn divided(
    tokens: &[TextToken],
    parts: &[Range<usize>],
    place: impl Fn(&Range<usize>) -> usize,
) -> Vec<Region> {
    let mut next = tokens.iter().position(|token| token.span.is_some()).unwrap_or(tokens.len());
    parts
        .iter()
        .enumerate()
        .map(|(index, part)| {
            let first = next;
            let before_end =
                |token: &TextToken| token.span.as_ref().is_none_or(|span| place(span) < part.end);
            while tokens.get(next).is_some_and(before_end) {
                next += 1;
            }
            let own = &tokens[first..next];
            let sum = own.iter().filter_map(|token| token.figures).map(|figures| figures.surprisal());
            // Not `sum()`: nothing at all would be -0.
            let sum = sum.fold(0.0, |sum, surprisal| sum + surprisal);
            let is_scored = own.is_empty() || own.iter().any(|token| token.figures.is_some());
            Region {
                index,
                span: part.clone(),
                tokens: first..next,
                surprisal_sum: is_scored.then_some(sum).filter(|sum| sum.is_finite()),
                surprisal_corrected: None,
                entropy: own.first().and_then(|token| token.figures).map(|figures| figures.entropy),
                note: note(own, sum),
            }
        })
        .collect()
}

fn note(own: &[TextToken], sum: f64) -> Option<&'static str> {
    let missing = own.iter().filter(|token| token.figures.is_none()).count();
    match missing {
        _ if own.is_empty() => Some("no token begins here"),
        _ if missing == own.len() => Some(super::NO_CONTEXT),
        _ if sum.is_infinite() => Some(super::IMPOSSIBLE),
        0 => None,
        _ => Some(super::LEFT_OUT),
    }
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
