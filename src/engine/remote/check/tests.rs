use serde_json::json;

use super::*;
use crate::token::{SpecialTokens, VocabEntry};

const CHECKER: Checker = Checker { n_vocab: 6 };

fn vocab() -> Vocab {
    let texts: [&[u8]; 6] = [b"a", b" b", b"c", "\u{e9}".as_bytes(), b"\xc3", b"<|end|>"];
    let entries = texts.into_iter().enumerate().map(|(i, bytes)| VocabEntry {
        bytes: bytes.to_vec(),
        control: i == 5,
        ends_generation: i == 5,
        ..VocabEntry::default()
    });
    Vocab::new(entries, SpecialTokens::default())
}

fn given(list: &[(u32, f64)]) -> Vec<GivenToken> {
    let token = |&(id, p): &(u32, f64)| GivenToken {
        id: TokenId(id),
        logprob: p.ln() as f32,
        rank: None,
        outcome: None,
    };
    list.iter().map(token).collect()
}

fn prediction(list: &[(u32, f64)], asked: usize) -> Result<Prediction, String> {
    let found = CHECKER.prediction(given(list), asked, GivenFigures::default());
    found.map_err(|trouble| format!("{trouble:?}"))
}

#[test]
fn a_list_of_candidates_is_taken_only_if_it_can_be_one() {
    let good = prediction(&[(2, 0.5), (0, 0.25), (1, 0.25)], 3).unwrap();
    assert_eq!(
        good.top_logprobs.iter().map(|top| (top.id.0, top.rank)).collect::<Vec<_>>(),
        [(2, 1), (0, 2), (1, 2)]
    );
    let said = |list: &[(u32, f64)], asked| prediction(list, asked).unwrap_err();
    assert!(said(&[(0, 0.9), (1, 0.3)], 2).contains("more than all of it"));
    assert!(said(&[(0, 0.3), (1, 0.5)], 2).contains("order of their probability"));
    assert!(said(&[(0, 0.3), (0, 0.3)], 2).contains("twice"));
    assert!(said(&[(0, 0.5), (1, 0.2)], 4).contains("2 candidates of a token and 4 were asked for"));
    // Fewer than were asked for are enough where they have all of the mass.
    assert!(prediction(&[(0, 0.75), (1, 0.25)], 4).is_ok());
}

#[test]
fn a_rank_that_the_server_computed_tells_equal_numbers_apart() {
    let list = |ranks: [u32; 3]| {
        let mut list = given(&[(4, 0.5), (3, 0.25), (1, 0.25)]);
        list.iter_mut().zip(ranks).for_each(|(token, rank)| token.rank = Some(rank));
        let found = CHECKER.prediction(list, 3, GivenFigures::default());
        found.map(|found| found.top_logprobs.iter().map(|top| (top.id.0, top.rank)).collect::<Vec<_>>())
    };
    assert_eq!(list([1, 2, 3]).unwrap(), [(4, 1), (3, 2), (1, 3)]);
    assert_eq!(list([1, 2, 2]).unwrap(), [(4, 1), (1, 2), (3, 2)]);
    for wrong in [[2, 2, 3], [1, 1, 2], [1, 2, 4], [0, 2, 3]] {
        assert!(format!("{:?}", list(wrong).unwrap_err()).contains("stands at place"), "{wrong:?}");
    }
    let top = CHECKER.prediction(given(&[(4, 0.25), (3, 0.25)]), 2, GivenFigures::default()).unwrap();
    let equal = GivenToken { rank: Some(5), ..given(&[(5, 0.25)])[0] };
    assert_eq!(CHECKER.step(equal, top, Some(5)).unwrap().stats.unwrap().rank, Figure::Exact(5));
}

#[test]
fn a_log_probability_that_can_not_be_one_is_refused() {
    let line = |value: serde_json::Value| TokenLine::read(json!({"id": 0, "bytes": [97], "logprob": value}));
    let read = |value: serde_json::Value| line(value).and_then(|line| line.given(&vocab()));
    assert_eq!(read(json!(-0.5)).unwrap().logprob, -0.5);
    assert_eq!(read(json!(-3.4e38)).unwrap().logprob, f32::NEG_INFINITY);
    assert_eq!(read(json!(0.0001)).unwrap().logprob, 0.0);
    let said = |value| format!("{:?}", read(value).unwrap_err());
    assert!(said(json!(12.5)).contains("above 0"));
    assert!(said(json!(null)).contains("no log-probability"));
    assert!(checked(f64::NAN).is_err());
}

#[test]
fn a_field_of_another_kind_is_named_with_what_came_and_what_would_be_right() {
    let said = |name: &str, value: serde_json::Value| match TokenLine::read(json!({name: value})) {
        Err(Trouble::Lasting(what)) => what,
        other => format!("{other:?}"),
    };
    assert_eq!(said("id", json!("7")), "\"id\" of a token of its answer must be a whole number, not \"7\"");
    assert_eq!(said("id", json!(-1)), "\"id\" of a token of its answer must be a whole number, not -1");
    assert_eq!(
        said("logprob", json!("-1")),
        "\"logprob\" of a token of its answer must be a number, not \"-1\""
    );
    assert_eq!(
        said("bytes", json!([256])),
        "\"bytes\" of a token of its answer must be a list of numbers from 0 to 255, not a list of 1"
    );
    assert_eq!(said("top_logprobs", json!([3])), "a token of its answer must be an object, not 3");
    let long = said("token", json!({"a": 1}));
    assert_eq!(long, "\"token\" of a token of its answer must be a text, not an object");
    assert!(said("id", json!("x".repeat(9000))).chars().count() < 400);
    assert!(TokenLine::read(json!({"id": null, "top_logprobs": null, "odd": []})).is_ok());
}

#[test]
fn a_token_must_be_of_the_vocabulary_and_have_its_bytes() {
    let id = |value| TokenLine::read(value).unwrap().id(&vocab()).map_err(|trouble| format!("{trouble:?}"));
    assert_eq!(id(json!({"id": 1, "bytes": [32, 98]})), Ok(TokenId(1)));
    // A server that writes nothing of control tokens gives none of their bytes.
    assert_eq!(id(json!({"id": 5, "bytes": []})), Ok(TokenId(5)));
    assert!(id(json!({"id": 6})).unwrap_err().contains("no vocabulary of 6"));
    assert!(id(json!({"id": 1, "bytes": [97]})).unwrap_err().contains("another model"));
    assert!(id(json!({"bytes": [97]})).unwrap_err().contains("no id"));
}

#[test]
fn a_token_must_go_with_its_list() {
    let list = prediction(&[(2, 0.5), (0, 0.25)], 2).unwrap();
    let step = |id: u32, p: f64, rank| {
        let step = CHECKER.step(given(&[(id, p)])[0], list.clone(), rank);
        step.map(|step| step.stats.unwrap().rank).map_err(|trouble| format!("{trouble:?}"))
    };
    assert_eq!(step(0, 0.25, None), Ok(Figure::Exact(2)));
    assert_eq!(step(1, 0.1, None), Ok(Figure::Bounded([3, 6])));
    assert_eq!(step(1, 0.1, Some(4)), Ok(Figure::Exact(4)));
    assert_eq!(step(1, 0.25, None), Ok(Figure::Exact(2)), "a tie shares the better rank");
    assert!(step(0, 0.2, None).unwrap_err().contains("one number in one place"));
    assert!(step(1, 0.26, None).unwrap_err().contains("together"));
    assert!(step(1, 0.1, Some(2)).unwrap_err().contains("rank 2 can't be"));
    assert!(step(1, 0.1, Some(9)).unwrap_err().contains("rank 9 can't be"));
    let narrow = prediction(&[(2, 0.5), (0, 0.05)], 2).unwrap();
    let hidden = CHECKER.step(given(&[(1, 0.2)])[0], narrow, None);
    assert!(format!("{hidden:?}").contains("where it is missing"), "{hidden:?}");
}

#[test]
fn figures_beside_a_list_must_go_with_it() {
    let with = |figures| {
        let found = CHECKER.prediction(given(&[(2, 0.5), (0, 0.25)]), 2, figures);
        found.map_err(|trouble| format!("{trouble:?}"))
    };
    let entropy = |entropy| GivenFigures { entropy: Some(entropy), ..GivenFigures::default() };
    assert_eq!(with(entropy(1.2)).unwrap().entropy, Figure::Exact(1.2));
    assert!(with(entropy(9.0)).unwrap_err().contains("entropy 9"));
    assert!(with(entropy(0.1)).unwrap_err().contains("entropy 0.1"));
    let residual = |residual| GivenFigures { residual: Some(residual), ..GivenFigures::default() };
    assert!(with(residual(0.25)).is_ok());
    assert!(with(residual(0.5)).unwrap_err().contains("residual"));
    let varentropy = GivenFigures { varentropy: Some(-1.0), ..GivenFigures::default() };
    assert!(with(varentropy).unwrap_err().contains("varentropy"));
    let bounded = with(GivenFigures::default()).unwrap();
    assert!(bounded.entropy.bounds().is_some() && bounded.varentropy == Figure::NotGiven);
}

#[test]
fn pieces_must_spell_the_text() {
    let check = |pieces: &[&[u8]], text: &str| {
        let mut spelling = PieceSpelling::default();
        pieces.iter().for_each(|piece| spelling.piece(piece));
        spelling.text(text);
        spelling.check().is_ok()
    };
    assert!(check(&[b"a", b" b"], "a b"));
    assert!(check(&[b"\xc3", b"\xa9"], "é"));
    assert!(
        check(&[b"a", b"\xc3"], "a<0xC3>")
            && check(&[b"a", b"\xc3"], "a\u{fffd}")
            && check(&[b"a", b"\xc3"], "a")
    );
    assert!(!check(&[b"a"], "a b") && !check(&[b"a", b" b"], "a") && !check(&[b"a"], "b"));
}
