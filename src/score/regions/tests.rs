use proptest::prelude::*;

use super::*;
use crate::score::words::words;
use crate::score::{Figures, IN_BYTES, LEFT_OUT, NO_CONTEXT};
use crate::token::Boundary;

fn mass(space: f64) -> BoundaryMass {
    BoundaryMass { space, other_space: 0.05, end: 0.01 }
}

fn counted(text: &[u8], tokens: &[TextToken], parts: &[Range<usize>]) -> Vec<Region> {
    sums(text, tokens, parts, Some(mass(0.5)), Convention::Whitespace)
}

fn tokens(ends: &[usize]) -> Vec<TextToken> {
    let mut start = 0;
    ends.iter()
        .map(|&end| {
            let figures = Figures {
                logprob: -1.0,
                rank: 1.into(),
                entropy: 0.5.into(),
                varentropy: 1.0.into(),
                boundary: None,
            };
            let token = TextToken { span: Some(start..end), begins: Boundary::None, figures: Some(figures) };
            start = end;
            token
        })
        .collect()
}

/// A text and where its tokens end, anywhere.
fn cut_text() -> impl Strategy<Value = (String, Vec<usize>)> {
    ("[ab 北\n]{1,24}", prop::collection::vec(any::<bool>(), 100)).prop_map(|(text, cuts)| {
        let mut ends: Vec<usize> = (1..text.len()).filter(|&at| cuts[at]).collect();
        ends.push(text.len());
        (text, ends)
    })
}

#[test]
fn a_line_in_which_no_token_begins_costs_nothing_and_not_minus_nothing() {
    let text = b"a\n\nb";
    let found = counted(text, &tokens(&[1, 3, 4]), &lines(text));
    let empty = &found[1];
    assert_eq!(empty.note, Some("no token begins here"));
    let is_zero = |value: Option<f64>| value.is_some_and(|value| value == 0.0 && value.is_sign_positive());
    assert!(is_zero(empty.surprisal_sum) && is_zero(empty.surprisal_corrected), "{empty:?}");
}

proptest! {
    #[test]
    fn parts_have_every_token_once((text, ends) in cut_text()) {
        let tokens = tokens(&ends);
        let text = text.as_bytes();
        let smallest = smallest(&tokens, &characters(text, &tokens));
        for found in [counted(text, &tokens, &lines(text)), smallest] {
            let mut next = 0;
            for region in &found {
                prop_assert_eq!(region.tokens.start, next);
                next = region.tokens.end;
            }
            prop_assert_eq!(next, tokens.len());
            let total: f64 = found.iter().map(|region| region.surprisal_sum.unwrap()).sum();
            prop_assert_eq!(total, next as f64);
        }
    }

    #[test]
    fn words_and_lines_cover_the_same_tokens((text, ends) in cut_text(), masses in prop::collection::vec(0.1f64..0.9, 100)) {
        // A token that holds parts of two lines makes one word of them: there is none here.
        let solid = |at: usize| !text.as_bytes()[at].is_ascii_whitespace();
        let mut ends = ends;
        ends.extend((1..text.len()).filter(|&at| solid(at - 1) && !solid(at)));
        ends.sort_unstable();
        ends.dedup();
        let mut tokens = tokens(&ends);
        for (token, space) in tokens.iter_mut().zip(masses) {
            token.begins = match text.as_bytes()[token.span.as_ref().unwrap().start] {
                b' ' => Boundary::Space,
                b'\n' => Boundary::OtherSpace,
                _ => Boundary::None,
            };
            token.figures.as_mut().unwrap().boundary = Some(mass(space));
        }
        let text = text.trim_end();
        tokens.retain(|token| token.span.as_ref().unwrap().start < text.len());
        if let Some(last) = tokens.last_mut() {
            last.span.as_mut().unwrap().end = text.len();
        }
        let text = text.as_bytes();
        let words = words(text, &tokens, Some(mass(0.5)), Convention::Whitespace);
        let lines = counted(text, &tokens, &lines(text));
        for line in &lines {
            let own: Vec<_> = words.iter().filter(|word| line.tokens.contains(&word.tokens.start)).collect();
            prop_assert_eq!(own.iter().map(|word| word.tokens.len()).sum::<usize>(), line.tokens.len());
            let sum: f64 = own.iter().map(|word| word.surprisal_sum.unwrap()).sum();
            prop_assert_eq!(line.surprisal_sum, Some(sum));
            let corrected: f64 = own.iter().map(|word| word.surprisal_corrected.unwrap()).sum();
            // Words below zero by rounding were set to zero.
            prop_assert!((line.surprisal_corrected.unwrap() - corrected).abs() < 1e-4);
        }
    }

    #[test]
    fn the_smallest_parts_are_whole_characters_and_whole_tokens((text, ends) in cut_text()) {
        let tokens = tokens(&ends);
        let parts = characters(text.as_bytes(), &tokens);
        prop_assert_eq!(parts.first().unwrap().start, 0);
        prop_assert_eq!(parts.last().unwrap().end, text.len());
        for pair in parts.windows(2) {
            prop_assert_eq!(pair[0].end, pair[1].start);
        }
        for part in &parts {
            prop_assert!(text.get(part.clone()).is_some());
            prop_assert!(ends.contains(&part.end));
            // No smaller part would do.
            let inner = ends.iter().filter(|&&end| part.start < end && end < part.end);
            prop_assert!(inner.into_iter().all(|&end| !text.is_char_boundary(end)));
        }
    }

    #[test]
    fn marks_are_taken_out_and_nothing_else(parts in prop::collection::vec("[a-c ]{0,6}", 1..6)) {
        let marked = parts.join("|");
        let (plain, found) = split_marked(marked.as_bytes(), b"|");
        prop_assert_eq!(found.len(), parts.len());
        for (i, (part, range)) in parts.iter().zip(&found).enumerate() {
            let kept = if i + 1 < parts.len() { part.trim_ascii_end() } else { part };
            prop_assert_eq!(&plain[range.clone()], kept.as_bytes());
        }
    }
}

#[test]
fn a_token_counts_where_its_first_solid_character_stands() {
    // "the dog| barked": the space before a word is the word's.
    let (text, parts) = split_marked(b"the dog | barked", b"|");
    assert_eq!(text, b"the dog barked");
    let tokens = tokens(&[3, 7, 14]);
    let found = counted(&text, &tokens, &parts);
    assert_eq!((found[0].tokens.clone(), found[1].tokens.clone()), (0..2, 2..3));
    assert_eq!(found[1].surprisal_sum, Some(1.0));
}

#[test]
fn a_token_across_an_edge_is_named() {
    let (text, parts) = split_marked(b"un|do", b"|");
    let found = counted(&text, &tokens(&[4]), &parts);
    assert_eq!(found[0].note, Some("its last token reaches into the next"));
    assert_eq!((found[1].tokens.clone(), found[1].note), (1..1, Some("no token begins here")));
}

#[test]
fn a_line_counts_what_it_can_and_both_figures_cover_the_same_tokens() {
    // "a b⏎c⏎" without BOS: the first token has no context, the line break is the next word's.
    let text = b"a b\nc\n";
    let mut tokens = tokens(&[1, 3, 4, 5, 6]);
    tokens[0].figures = None;
    for (index, begins) in [(1, Boundary::Space), (2, Boundary::OtherSpace), (4, Boundary::OtherSpace)] {
        tokens[index].begins = begins;
        tokens[index].figures.as_mut().unwrap().boundary = Some(mass(0.2 + 0.1 * index as f64));
    }
    let found = counted(text, &tokens, &lines(text));
    assert_eq!((found[0].tokens.clone(), found[1].tokens.clone()), (0..2, 2..5));
    assert_eq!((found[0].surprisal_sum, found[0].note), (Some(1.0), Some(LEFT_OUT)));
    assert_eq!((found[1].surprisal_sum, found[1].note), (Some(3.0), None));
    let near = |found: Option<f64>, expected: f64| assert!((found.unwrap() - expected).abs() < 1e-9);
    let b = |space: f64| (space + 0.05 + 0.01f64).ln();
    near(found[0].surprisal_corrected, 1.0 + b(0.3) - b(0.4));
    // After the last line break no word has ended.
    near(found[1].surprisal_corrected, 3.0 + b(0.4));
    tokens[1].figures = None;
    let nothing = &counted(text, &tokens, &lines(text))[0];
    assert_eq!(
        (nothing.surprisal_sum, nothing.surprisal_corrected, nothing.note),
        (None, None, Some(NO_CONTEXT))
    );
}

#[test]
fn white_space_in_bytes_is_named() {
    // An ideographic space in three tokens of one byte.
    let text = "北\u{3000}京".as_bytes();
    let tokens = tokens(&[3, 4, 5, 6, 9]);
    let found = words(text, &tokens, Some(mass(0.5)), Convention::Os2024);
    let notes: Vec<_> = found.iter().map(|word| word.note().unwrap_or_default()).collect();
    assert_eq!(found.len(), 2);
    assert_eq!(notes[1], IN_BYTES);
}
