use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::intervention::{InForce, Interventions};
use crate::sequence::{NodeOrigin, TokenTree};
use crate::session::turn::TurnId;
use crate::step::{Figure, Prediction, Step, TokenStats};
use crate::token::{SpecialTokens, TokenId, Vocab, VocabEntry};

/// The words of a reply of these tokens, each with probability ½; the last may end it.
fn said(pieces: &[&[u8]], ends: bool) -> Vec<(String, i32)> {
    let entry = |(i, piece): (usize, &&[u8])| VocabEntry {
        bytes: piece.to_vec(),
        ends_generation: ends && i + 1 == pieces.len(),
        ..VocabEntry::default()
    };
    let vocab = Vocab::new(pieces.iter().enumerate().map(entry), SpecialTokens::default());
    let (mut turn, mut tree) = (Turn::reply(TurnId::default().next(), 0, 1), TokenTree::default());
    for id in vocab.ids() {
        let prediction = Prediction::of_top(Vec::new(), 10);
        let stats = TokenStats { logprob: 0.5f32.ln(), rank: Figure::NotGiven, outcome: None, prediction };
        let step = Arc::new(Step { id, stats: Some(stats) });
        turn.grow(&step, Duration::ZERO, &vocab);
        tree.append(step, NodeOrigin::Sampled, &Interventions::default());
    }
    assert_eq!(tree.len(), pieces.len(), "{:?}", TokenId(0));
    let in_force = InForce::default();
    let sequence = TokenSequence::new(&tree, 0, &in_force);
    let all = words(&turn, 0..turn.marks.len(), sequence);
    // Part of the turn gives the words that its tokens are in.
    for at in 0..turn.marks.len() {
        for word in words(&turn, at..at + 1, sequence) {
            assert!(all.contains(&word), "{word:?}");
            assert!(word.marks.contains(&at) || turn.text[word.bytes.clone()].is_empty(), "{at} {word:?}");
        }
    }
    let halves = |word: &SaidWord| (-word.logprob.unwrap() / std::f64::consts::LN_2).round() as i32;
    all.iter().map(|word| (turn.text[word.bytes.clone()].to_string(), halves(word))).collect()
}

fn words_of(pieces: &[&str]) -> Vec<(String, i32)> {
    said(&pieces.iter().map(|piece| piece.as_bytes()).collect::<Vec<_>>(), false)
}

fn expected(words: &[(&str, i32)]) -> Vec<(String, i32)> {
    words.iter().map(|(word, tokens)| (word.to_string(), *tokens)).collect()
}

#[test]
fn a_word_has_the_white_space_before_it_and_all_of_its_tokens() {
    assert_eq!(
        words_of(&["The", " cat", " sat", "s", "."]),
        expected(&[("The", 1), ("cat", 1), ("sats.", 3)])
    );
    assert_eq!(words_of(&["a", "\n", "\n", " b"]), expected(&[("a", 1), ("b", 3)]));
    assert_eq!(words_of(&["a", " ", "b", "c", " "]), expected(&[("a", 1), ("bc", 3)]));
    assert_eq!(words_of(&[]), []);
}

#[test]
fn where_no_spaces_are_written_edges_of_tokens_and_characters_are_edges_of_words() {
    assert_eq!(words_of(&["北京", "是", "首都"]), expected(&[("北京", 1), ("是", 1), ("首都", 1)]));
    assert_eq!(
        words_of(&["我", "爱", "Rust", "!", " 好"]),
        expected(&[("我", 1), ("爱", 1), ("Rust!", 2), ("好", 1)])
    );
    // A character in two tokens is one word's.
    let [head, tail] = ["北".as_bytes()[..1].to_vec(), "北".as_bytes()[1..].to_vec()];
    let pieces: [&[u8]; 4] = ["京".as_bytes(), &head, &tail, "海".as_bytes()];
    assert_eq!(said(&pieces, false), expected(&[("京", 1), ("北", 2), ("海", 1)]));
}

#[test]
fn what_ends_a_reply_is_no_word_and_part_of_none() {
    assert_eq!(said(&[b"The", b" end", b"<|im_end|>"], true), expected(&[("The", 1), ("end", 1)]));
}
