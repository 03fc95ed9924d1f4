use super::held::sum;
use super::*;
use crate::engine::testing::Scripted;
use crate::engine::{Event, ModelInfo};
use crate::sampling::Sampling;
use crate::settings::{ConfigFile, Flags, SamplingFlags, Settings};
use crate::step::Figure;
use crate::tui::harness::Harness;
use crate::tui::msg::Msg;
use crate::tui::second::read;

fn info(engine: &Scripted) -> Arc<ModelInfo> {
    match engine.ready() {
        Event::Ready(info) => info,
        _ => unreachable!(),
    }
}

fn harness(width: u16, height: u16, second: &Scripted) -> Harness {
    let reply = vec![("The", 0.9), (" capital", 0.8), (" is", 0.7), (" Paris", 0.6), ("<|im_end|>", 0.5)];
    let flags = Flags { model: vec!["first".to_string(), "second".to_string()], ..Flags::default() };
    let sampling = SamplingFlags { seed: Some(7), ..SamplingFlags::default() };
    let settings =
        Settings::from_layers(Sampling::chat(), &ConfigFile::default(), &flags, &sampling).unwrap();
    let mut harness = Harness::with_settings(width, height, vec![reply.clone(), reply], settings);
    let ready = harness.engine.ready();
    assert!(harness.effects.is_empty());
    harness.send(Msg::Engine(ready));
    let asked =
        harness.effects.iter().any(|effect| matches!(effect, Effect::LoadBeside(name) if name == "second"));
    assert!(asked, "it comes after the first one");
    harness.send(Msg::Beside(BesideNews::Ready(info(second))));
    harness
}

/// Lets the second model read whatever it is given.
fn follow(harness: &mut Harness, second: &Scripted) -> usize {
    let mut count = 0;
    while let Some(at) = harness.effects.iter().position(|effect| matches!(effect, Effect::Follow(..))) {
        let Effect::Follow(number, wish, cancel) = harness.effects.remove(at) else { unreachable!() };
        let found = read(&mut second.client(), None, &wish, &cancel);
        harness.send(Msg::Followed(number, found.map(Box::new)));
        count += 1;
    }
    count
}

/// The sums of both over everything.
fn sums(harness: &Harness) -> ([f64; 2], usize) {
    let all = FirstTokens::of(&harness.state);
    let first = all.side(&harness.state).unwrap();
    let all = sum(&harness.state.beside.pieces(first), &(0..all.ids.len()));
    (all.logprobs, all.pieces)
}

#[test]
fn the_second_model_reads_the_very_ids_and_both_sums_are_their_own() {
    let second = Scripted::new([]);
    let mut harness = harness(120, 36, &second);
    harness.submit("Where?");
    assert!(follow(&mut harness, &second) > 0);
    let FirstTokens { ids, steps } = FirstTokens::of(&harness.state);
    assert!(harness.state.beside.is_kin());
    let ([a, b], pieces) = sums(&harness);
    let own: f64 = steps.iter().flatten().filter_map(|step| step.logprob()).map(f64::from).sum();
    assert_eq!(pieces, ids.len() - 1, "the first token has no context");
    assert!((a - own).abs() < 1e-9);
    let seconds: f64 =
        (0..ids.len()).filter_map(|i| harness.state.beside.step(i)?.logprob()).map(f64::from).sum();
    assert!((b - seconds).abs() < 1e-9 && b < 0.0);
    // The screen has both, and a bound on the divergence, as this engine can't compare.
    let screen = harness.screen();
    for part in [" | ", "Δ ", "mean Δ", "KL ≥", "B reads A's own ids", "A token", "B token"] {
        assert!(screen.contains(part), "{part}\n{screen}");
    }
    assert!(!screen.contains("behind"), "{screen}");
}

#[test]
fn other_tokens_are_aligned_by_bytes() {
    let second = Scripted::new([]).by_bytes();
    let mut harness = harness(80, 24, &second);
    harness.submit("Where?");
    follow(&mut harness, &second);
    harness.keys("<A-m>");
    assert!(harness.state.beside.difference().is_some());
    let sides = FirstTokens::of(&harness.state);
    let ours = sides.side(&harness.state).unwrap();
    let pieces = harness.state.beside.pieces(ours);
    // Each of the first one's tokens ends with a byte, and so with a token of the other.
    assert_eq!(pieces.len(), sides.ids.len());
    assert!(pieces.iter().all(|piece| piece.other.len() == piece.bytes && piece.first.len() == 1));
    assert_eq!(pieces[0].other.start, 1, "its BOS is in no piece");
    let ([_, b], counted) = sums(&harness);
    // The first piece has no context on the one side.
    let own: f64 = (pieces[1].other.start..pieces.last().unwrap().other.end)
        .map(|i| f64::from(harness.state.beside.step(i).unwrap().logprob().unwrap()))
        .sum();
    assert_eq!(counted, pieces.len() - 1);
    assert!((b - own).abs() < 1e-9);
    let stats = sides.steps[5].as_ref().unwrap().stats.as_ref().unwrap();
    assert_eq!(harness.state.beside.divergence(5, stats), Figure::NotGiven);
    let screen = harness.screen();
    assert!(screen.contains("aligned by bytes") && screen.contains("nat/byte"), "{screen}");
}

#[test]
fn it_lags_says_so_and_forgets_what_is_no_longer_said() {
    let second = Scripted::new([]);
    let mut harness = harness(120, 36, &second);
    harness.submit("Where?");
    let screen = harness.screen();
    assert!(screen.contains("tokens behind"), "{screen}");
    follow(&mut harness, &second);
    let before = FirstTokens::of(&harness.state).ids.len();
    assert!(harness.state.beside.step(before - 1).is_some());
    // Another way: what both have in common stays, and is not asked for again.
    harness.submit("/swap 2 2");
    let wish = harness.effects.iter().rev().find_map(|effect| match effect {
        Effect::Follow(_, wish, _) => Some(wish.read.len()),
        _ => None,
    });
    assert!(wish.is_some_and(|read| read > 5 && read < before), "{wish:?}");
    follow(&mut harness, &second);
    let now = FirstTokens::of(&harness.state).ids;
    assert!(
        harness.state.beside.step(now.len() - 1).is_some() && harness.state.beside.step(now.len()).is_none()
    );
    let last = harness.state.beside.step(now.len() - 1).unwrap();
    assert_eq!(last.id, *now.last().unwrap());
}

#[test]
fn one_that_cant_be_had_is_a_line_and_the_conversation_goes_on() {
    let second = Scripted::new([]);
    let mut harness = harness(120, 36, &second);
    harness.send(Msg::Beside(BesideNews::Lost("no such model".to_string())));
    harness.submit("Where?");
    assert_eq!(follow(&mut harness, &second), 0);
    let screen = harness.screen();
    assert!(screen.contains("no such model") && screen.contains("The capital is Paris"), "{screen}");
}

#[test]
fn nobody_beside_costs_nothing() {
    let mut harness = Harness::new(120, 36, vec![vec![("The", 0.9)]]);
    harness.submit("Where?");
    assert!(
        !harness.effects.iter().any(|effect| matches!(effect, Effect::LoadBeside(_) | Effect::Follow(..)))
    );
    harness.keys("<A-m>");
    assert!(harness.screen().contains("a second model over the same tokens"), "{}", harness.screen());
}
