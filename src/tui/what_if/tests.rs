//! The pane, driven by the scripted engine: a row in which ` Paris` is likeliest after ` is`.

use crate::engine::testing::ScriptedLine;
use crate::tui::harness::Harness;
use crate::tui::msg::Effect;
use crate::tui::pane::{MESSAGE, TABLE, WHAT_IF};

fn reply() -> Vec<ScriptedLine> {
    vec![("The", 0.9), (" capital", 0.9), (" is", 0.9), (" Paris", 0.9), ("<|im_end|>", 0.7)]
}

fn talked(width: u16, height: u16) -> Harness {
    let mut harness = Harness::new(width, height, vec![reply(), reply()]);
    harness.keys("hi<Enter><Left>");
    harness
}

/// The row of the screen that holds a text.
fn row(harness: &Harness, text: &str) -> String {
    let screen = harness.screen();
    let found = screen.lines().find(|line| line.contains(text));
    found.unwrap_or_else(|| panic!("{text:?} is not on the screen:\n{screen}")).to_string()
}

#[test]
fn a_key_asks_what_other_settings_would_make_of_the_step_and_each_change_is_seen_at_once() {
    let mut harness = talked(120, 36);
    harness.keys("<A-w>");
    assert_eq!(harness.state.focus, &WHAT_IF);
    let screen = harness.screen();
    assert!(screen.contains("what if ─ step 4"), "{screen}");
    // e⁴ ÷ (e⁴ + 7 e² + e + 95 + 170 e⁻⁶) of the raw row, and what was drawn with when it was written.
    let paris = row(&harness, "▸ ␣Paris");
    assert!(paris.contains("26.7") && paris.contains("90.0"), "{paris}");
    let nothing_dropped = screen.contains("266 tokens can still be chosen");
    assert!(!nothing_dropped && row(&harness, "␣the").contains("3.61"), "{screen}");
    // Temperature 0.8 → 0.7: sharper, without a question to the engine.
    let before = screen;
    harness.keys("<Left>");
    assert_ne!(harness.screen(), before);
    assert!(harness.screen().contains("temp 0.7*"), "{}", harness.screen());
    assert!(harness.effects.iter().all(|effect| !matches!(effect, Effect::Row(..))));
    // Greedy: one token has it all.
    harness.keys("<Up><Right>");
    assert!(harness.screen().contains("1 token can still be chosen"), "{}", harness.screen());
    assert!(row(&harness, "▸ ␣Paris").contains("100.0"), "{}", harness.screen());
}

#[test]
fn what_is_dropped_stays_with_the_stage_that_dropped_it_and_enter_has_the_settings_hold() {
    let mut harness = talked(120, 36);
    harness.submit("/whatif temperature 1 top_p 1 min_p 0 top-k 2");
    assert_eq!(harness.state.focus, &WHAT_IF);
    let screen = harness.screen();
    assert!(screen.contains("2 tokens can still be chosen"), "{screen}");
    // The second of the equals with the smallest id is left; its fellows are dropped.
    assert!(row(&harness, "␣London").contains("top-k"), "{screen}");
    assert!(!row(&harness, "▸ ␣Paris").contains("top-k"), "{screen}");
    assert_eq!(harness.state.session.settings().sampling.top_k, 0);
    harness.keys("<Enter>");
    let sampling = &harness.state.session.settings().sampling;
    assert_eq!((sampling.top_k, sampling.top_p, sampling.temperature), (2, 1.0, 1.0));
    assert!(!harness.screen().contains('*'), "{}", harness.screen());
    harness.keys("<Esc>");
    assert_eq!(harness.state.focus, &MESSAGE, "the pane that had the keys before");
    assert!(harness.state.areas().unwrap().of(&TABLE).is_some());
}

#[test]
fn letters_are_looked_for_in_the_whole_vocabulary_while_they_are_written() {
    let mut harness = talked(120, 36);
    harness.keys("<A-w>v");
    assert_eq!(harness.state.composer.text(), "/vocab ");
    harness.keys("on");
    let screen = harness.screen();
    assert!(screen.contains("1 token holds «on»") && screen.contains("␣London"), "{screen}");
    harness.keys("<Enter>");
    assert_eq!(harness.state.focus, &WHAT_IF);
    assert!(harness.screen().contains("1 token holds «on»"), "{}", harness.screen());
    // Esc lists all again, and then closes.
    harness.keys("<Esc>");
    assert!(!harness.screen().contains("holds"), "{}", harness.screen());
    assert!(harness.screen().contains("␣Paris"));
    harness.submit("/vocab T");
    assert!(
        harness.screen().contains("2 tokens hold «T»"),
        "capitals count where some are written: {}",
        harness.screen()
    );
    harness.submit("/vocab zzz");
    assert!(harness.screen().contains("0 tokens hold «zzz»"), "{}", harness.screen());
}

#[test]
fn while_the_chat_works_and_for_the_first_token_nothing_is_fetched() {
    let mut harness = talked(120, 36);
    harness.keys("<A-w>");
    harness.keys("<Tab><Tab>");
    harness.hold();
    harness.submit("more");
    harness.keys("<A-w>");
    assert!(harness.screen().contains("the chat goes first"), "{}", harness.screen());
    harness.release();
    assert!(!harness.screen().contains("the chat goes first"), "{}", harness.screen());
    harness.state.walk_to(0);
    harness.keys(",");
    assert!(harness.screen().contains("no step to look at yet"), "{}", harness.screen());
}

#[test]
fn what_is_wrong_is_one_line_and_nothing_is_tried() {
    let mut harness = talked(120, 36);
    for (line, why) in [
        ("/whatif temp hot", "temp hot: must be 0 (greedy) or more"),
        ("/whatif temp ", "temp needs a value"),
        ("/whatif pace 4", "pace changes nothing about a step"),
        ("/whatif tmp 1", "did you mean temp?"),
        ("/whatif @99 temp 1", "there is no token 99"),
        ("/whatif regex a+", "/set regex has it hold"),
        ("/vocab ", "/vocab needs [@STEP] LETTERS"),
    ] {
        harness.submit(line);
        let screen = harness.screen().replace('\n', " ");
        let words: String = why.split_whitespace().last().unwrap().to_string();
        assert!(screen.contains(why) || screen.contains(&words), "{line}: {screen}");
        assert!(harness.state.what_if.tried.changed(harness.state.session.settings()).is_empty(), "{line}");
    }
}
