use proptest::prelude::*;

use super::*;
use crate::score::Figures;
use crate::token::Boundary;

fn tokens(ends: &[usize]) -> Vec<TextToken> {
    let mut start = 0;
    ends.iter()
        .map(|&end| {
            let figures = Figures { logprob: -1.0, rank: 1, entropy: 0.5, varentropy: 1.0, boundary: None };
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
    let found = sums(text, &tokens(&[1, 3, 4]), &lines(text), &[]);
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
        for parts in [lines(text), characters(text, &tokens)] {
            let found = sums(text, &tokens, &parts, &[]);
            let mut next = 0;
            for region in &found {
                prop_assert_eq!(region.tokens.start, next);
                next = region.tokens.end;
            }
            let white = touched(&runs(text), &(parts.last().unwrap().end..text.len())).is_empty();
            prop_assert!(next == tokens.len() || white);
            let total: f64 = found.iter().map(|region| region.surprisal_sum.unwrap()).sum();
            prop_assert_eq!(total, next as f64);
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
    let found = sums(&text, &tokens, &parts, &[]);
    assert_eq!((found[0].tokens.clone(), found[1].tokens.clone()), (0..2, 2..3));
    assert_eq!(found[1].surprisal_sum, Some(1.0));
}

#[test]
fn a_token_across_an_edge_is_named() {
    let (text, parts) = split_marked(b"un|do", b"|");
    let found = sums(&text, &tokens(&[4]), &parts, &[]);
    assert_eq!(found[0].note, Some("its last token reaches into the next"));
    assert_eq!((found[1].tokens.clone(), found[1].note), (1..1, Some("no token begins here")));
}

#[test]
fn words_inside_a_region_are_added_up_and_others_are_not() {
    let word = |span: Range<usize>, value| Word {
        span,
        tokens: 0..1,
        surprisal_sum: Some(value),
        surprisal_corrected: Some(value),
        entropy: None,
        merged: 1,
    };
    let words = [word(0..3, 1.0), word(4..7, 2.0), word(8..12, 4.0)];
    let of =
        |part: Range<usize>| sums(b"the dog barks", &tokens(&[13]), &[part], &words)[0].surprisal_corrected;
    assert_eq!(of(0..7), Some(3.0));
    assert_eq!(of(3..13), Some(6.0));
    assert_eq!(of(0..5), None);
}
