use proptest::prelude::*;

use super::*;
use crate::score::Figures;
use crate::token::Boundary;

/// A text, how it is cut into tokens, and what a model said of each.
#[derive(Clone, Debug)]
struct Case {
    text: String,
    tokens: Vec<TextToken>,
    after: BoundaryMass,
}

fn class(bytes: &[u8]) -> Boundary {
    match bytes.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next()) {
        Some(' ') => Boundary::Space,
        Some(c) if c.is_whitespace() => Boundary::OtherSpace,
        _ => Boundary::None,
    }
}

fn share(boundary: Boundary, mass: BoundaryMass) -> f64 {
    match boundary {
        Boundary::Space => mass.space,
        Boundary::OtherSpace => mass.other_space,
        Boundary::End => mass.end,
        Boundary::None => 1.0 - mass.space - mass.other_space - mass.end,
    }
}

fn mass() -> impl Strategy<Value = BoundaryMass> {
    prop::array::uniform4(0.01f64..1.0).prop_map(|weights| {
        let total: f64 = weights.iter().sum();
        BoundaryMass { space: weights[0] / total, other_space: weights[1] / total, end: weights[2] / total }
    })
}

/// Texts cut anywhere, also inside characters; every token is as probable as its class allows.
fn case() -> impl Strategy<Value = Case> {
    let letters = prop::sample::select(vec!["a", "b", "'", "é", "北", " ", "  ", "\n", "\t", "\u{3000}"]);
    let text = prop::collection::vec(letters, 1..20).prop_map(|parts| parts.concat());
    let cuts = prop::collection::vec((any::<bool>(), 0.001f64..1.0, mass(), 0f32..5.0), 120);
    (text, cuts, mass()).prop_map(|(text, cuts, after)| {
        let bytes = text.as_bytes();
        let mut ends: Vec<usize> = (1..bytes.len()).filter(|&at| cuts[at].0).collect();
        ends.push(bytes.len());
        let mut start = 0;
        let tokens = ends.iter().map(|&end| {
            let begins = class(&bytes[start..end]);
            let (_, part, mass, entropy) = cuts[start];
            let p = part * share(begins, mass);
            let figures = Figures {
                logprob: p.ln() as f32,
                rank: 1.into(),
                entropy: entropy.into(),
                varentropy: 1.0.into(),
                boundary: Some(mass),
            };
            let token = TextToken { span: Some(start..end), begins, figures: Some(figures) };
            start = end;
            token
        });
        let tokens = tokens.collect();
        Case { text, tokens, after }
    })
}

fn all_of(case: &Case, convention: Convention) -> Vec<Word> {
    words(case.text.as_bytes(), &case.tokens, Some(case.after), convention)
}

proptest! {
    #[test]
    fn tokens_are_shared_out_in_order_and_none_is_lost(case in case()) {
        let words = all_of(&case, Convention::Whitespace);
        let mut next = 0;
        for word in &words {
            prop_assert_eq!(word.tokens.start, next);
            next = word.tokens.end;
        }
        for token in &case.tokens[next..] {
            let span = token.span.clone().unwrap();
            prop_assert!(touched(&runs(case.text.as_bytes()), &span).is_empty(), "{span:?}");
        }
        let merged: usize = words.iter().map(|word| word.merged).sum();
        prop_assert_eq!(merged, case.text.split_whitespace().count());
    }

    #[test]
    fn the_correction_telescopes(case in case(), other in mass()) {
        for convention in [Convention::Whitespace, Convention::Pm2024, Convention::Os2024] {
            let words = all_of(&case, convention);
            let moved = |words: &[Word]| -> f64 {
                words.iter().map(|word| word.surprisal_corrected.unwrap() - word.surprisal_sum.unwrap()).sum()
            };
            let before = moved(&words);
            // What the model thinks of boundaries inside the text moves cost between words, no more.
            let mut changed = case.clone();
            let inner = words.first().map_or(0, |word| word.tokens.end)
                ..words.last().map_or(0, |word| word.tokens.start + 1);
            for token in changed.tokens.iter_mut().enumerate().filter(|(i, _)| inner.contains(i)).map(|(_, t)| t) {
                token.figures.as_mut().unwrap().boundary = Some(other);
            }
            prop_assert!((moved(&all_of(&changed, convention)) - before).abs() < 1e-5);
        }
    }

    #[test]
    fn no_word_is_worth_less_than_nothing(case in case()) {
        for word in all_of(&case, Convention::Whitespace) {
            prop_assert!(word.surprisal_corrected.unwrap() >= 0.0, "{word:?}");
        }
    }
}

fn token(span: Range<usize>, begins: Boundary, p: f64, mass: (f64, f64, f64)) -> TextToken {
    let (space, other_space, end) = mass;
    TextToken {
        span: Some(span),
        begins,
        figures: Some(Figures {
            logprob: p.ln() as f32,
            rank: 1.into(),
            entropy: 1.0.into(),
            varentropy: 1.0.into(),
            boundary: Some(BoundaryMass { space, other_space, end }),
        }),
    }
}

fn corrected(words: &[Word]) -> Vec<f64> {
    words.iter().map(|word| word.surprisal_corrected.unwrap()).collect()
}

fn assert_near(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - b).abs() < 1e-6, "{found:?}, expected {expected:?}");
    }
}

#[test]
fn conventions_differ_as_their_papers_do() {
    // "The dog\n": two words, the white space at the end is nobody's.
    let tokens = [
        token(0..3, Boundary::None, 0.1, (0.3, 0.1, 0.05)),
        token(3..7, Boundary::Space, 0.2, (0.6, 0.2, 0.1)),
        token(7..8, Boundary::OtherSpace, 0.25, (0.4, 0.3, 0.1)),
    ];
    let of = |convention| corrected(&words(b"The dog\n", &tokens, None, convention));
    let ln = f64::ln;
    assert_near(&of(Convention::Whitespace), &[-ln(0.1) + ln(0.6) - ln(0.9), -ln(0.2) + ln(0.9) - ln(0.8)]);
    assert_near(&of(Convention::Pm2024), &[-ln(0.1) + ln(0.7) - ln(0.7), -ln(0.2) + ln(0.7) - ln(0.5)]);
    assert_near(&of(Convention::Os2024), &[-ln(0.1) - ln(0.6), -ln(0.2) + ln(0.6) - ln(0.4)]);
}

#[test]
fn a_token_with_parts_of_two_words_merges_them() {
    let tokens = [
        token(0..1, Boundary::None, 0.5, (0.2, 0.0, 0.0)),
        token(1..4, Boundary::None, 0.5, (0.2, 0.0, 0.0)),
    ];
    let found = words(
        b"ab c",
        &tokens,
        Some(BoundaryMass { space: 0.5, ..Default::default() }),
        Convention::Whitespace,
    );
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].merged, found[0].span.clone()), (2, 0..4));
    assert_eq!(found[0].note().unwrap(), "2 words share a token");
}

#[test]
fn a_boundary_inside_a_token_is_paid_for() {
    // "a " + "b": whatever the model thought of boundaries, the first token holds this one.
    let tokens = [
        token(0..2, Boundary::None, 0.5, (0.1, 0.1, 0.1)),
        token(2..3, Boundary::None, 0.25, (0.1, 0.1, 0.1)),
    ];
    let after = BoundaryMass { space: 0.5, other_space: 0.0, end: 0.0 };
    let found = corrected(&words(b"a b", &tokens, Some(after), Convention::Whitespace));
    assert_near(&found, &[-(0.5f64.ln()) + 0.8f64.ln(), -(0.25f64.ln()) - 0.5f64.ln()]);
}

#[test]
fn without_context_there_is_no_value_and_a_bos_gives_one() {
    let mut tokens = vec![
        token(0..1, Boundary::None, 0.5, (0.1, 0.1, 0.1)),
        token(1..3, Boundary::Space, 0.25, (0.5, 0.1, 0.1)),
    ];
    let bos = TextToken { span: None, begins: Boundary::None, figures: None };
    let with_bos: Vec<TextToken> = std::iter::once(bos).chain(tokens.iter().cloned()).collect();
    let found = words(
        b"a b",
        &with_bos,
        Some(BoundaryMass { space: 0.5, ..Default::default() }),
        Convention::Whitespace,
    );
    assert_eq!((found[0].tokens.clone(), found[1].tokens.clone()), (1..2, 2..3));
    assert!(found.iter().all(|word| word.surprisal_corrected.is_some()));
    tokens[0].figures = None;
    let found = words(b"a b", &tokens, None, Convention::Whitespace);
    assert_eq!((found[0].surprisal_sum, found[0].note().unwrap().as_str()), (None, "no context"));
    assert!(found[1].surprisal_sum.is_some());
    assert_eq!(found[1].note().unwrap(), "no figures after the word");
}

#[test]
fn white_space_alone_has_no_words() {
    let tokens = [token(0..3, Boundary::Space, 0.5, (0.1, 0.1, 0.1))];
    assert_eq!(words(b" \n ", &tokens, None, Convention::Whitespace), []);
    assert_eq!(words(b"", &[], None, Convention::Whitespace), []);
}
