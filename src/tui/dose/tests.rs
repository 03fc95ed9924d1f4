//! Doses, driven by the scripted engine, which halves what stands under one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::engine::testing::ScriptedLine;
use crate::intervention::SteeringVector;
use crate::tui::harness::Harness;

fn reply() -> Vec<ScriptedLine> {
    vec![("The", 0.9), (" capital", 0.8), ("<|im_end|>", 0.7)]
}

/// A conversation, and a vector that is not in force yet.
fn steered(folder: &std::path::Path) -> Harness {
    let directions = BTreeMap::from([(1, Arc::from([1.0, 0.0, 0.0, 2.0]))]);
    let vector = SteeringVector { directions, architecture: Some("script".into()) };
    let file = folder.join("joy.gguf");
    crate::model::control::write(&vector, &mut std::fs::File::create(&file).unwrap()).unwrap();
    let mut harness = Harness::new(120, 36, vec![reply(), reply()]);
    harness.keys("hi<Enter>");
    harness.keys(&format!("/steer {}:0.5<Enter>", file.display()));
    harness
}

#[test]
fn the_table_of_the_step_under_the_cursor_follows_the_dose() {
    let dir = tempfile::tempdir().unwrap();
    let mut harness = steered(dir.path());
    let is_told =
        |harness: &Harness, dose: &str| harness.screen().contains(&format!("steer joy.gguf:{dose}"));
    assert!(is_told(&harness, "0.5 from the next token on"), "{}", harness.screen());
    harness.keys("<Tab><Left>");
    assert!(harness.screen().contains("80.0"), "{}", harness.screen());
    harness.keys("]");
    assert!(is_told(&harness, "1 from the next token on"), "{}", harness.screen());
    assert!(harness.screen().contains("step 2 with steer joy.gguf:1"), "{}", harness.screen());
    // What is read has 60 % with the scripted engine, whatever it had when it was written.
    assert!(harness.screen().contains("30.0"), "{}", harness.screen());
    // Another step shows what was computed, and coming back what would be.
    harness.keys("<Left>");
    assert!(
        harness.screen().contains("90.0") && harness.screen().contains("─ step 1 "),
        "{}",
        harness.screen()
    );
    harness.keys("<Right>");
    assert!(harness.screen().contains("step 2 with steer joy.gguf:1"), "{}", harness.screen());
    harness.keys("[[");
    assert!(is_told(&harness, "0 from the next token on"), "{}", harness.screen());
    // The conversation itself is as it was, and the next reply has the dose.
    harness.submit("/on");
    harness.keys("<Tab>");
    assert!(!harness.screen().contains(" with steer "), "{}", harness.screen());
    assert!(harness.screen().contains("80.0"), "{}", harness.screen());
}

#[test]
fn without_a_vector_and_while_the_chat_works_nothing_is_computed() {
    let mut harness = Harness::new(120, 36, vec![reply()]);
    harness.keys("hi<Enter><Tab>]");
    assert!(harness.screen().contains("there is no steering vector"), "{}", harness.screen());
    let dir = tempfile::tempdir().unwrap();
    let mut harness = steered(dir.path());
    harness.hold();
    harness.keys("more<Enter><Tab>]");
    assert!(harness.state.dosed.is_none());
    harness.say(100);
    assert!(harness.screen().contains("steer joy.gguf:1 from the next token on"), "{}", harness.screen());
}
