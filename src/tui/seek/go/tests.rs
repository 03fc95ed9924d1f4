//! Doubt, search and flags, driven by the scripted engine.

use ratatui::style::Modifier;

use crate::engine::testing::ScriptedLine;
use crate::tui::harness::Harness;
use crate::tui::pane::{CHAT, MESSAGE};

fn reply() -> Vec<ScriptedLine> {
    vec![("The", 0.9), (" capital", 0.2), (" is", 0.05), (" Paris", 0.4), ("<|im_end|>", 0.7)]
}

fn talked() -> Harness {
    let mut harness = Harness::new(120, 36, vec![reply(), reply()]);
    harness.keys("hi<Enter>the capital?<Enter><Tab>");
    harness
}

#[test]
fn keys_go_through_the_steps_in_the_order_of_doubt() {
    let mut harness = talked();
    harness.keys("d");
    let screen = harness.screen();
    // 5 % of ` is` is the least there was, in both replies; the first is gone to first.
    assert!(screen.contains("chat ─ 1 of 10 by surprisal (3.00 nat)"), "{screen}");
    let first = harness.state.cursor.unwrap();
    harness.keys("d");
    assert!(harness.screen().contains("2 of 10 by surprisal (3.00 nat)"), "{}", harness.screen());
    assert!(harness.state.cursor.unwrap() > first);
    harness.keys("d");
    assert!(harness.screen().contains("3 of 10 by surprisal (1.61 nat)"), "{}", harness.screen());
    harness.keys("DD");
    assert_eq!(harness.state.cursor, Some(first));
    harness.keys("D");
    assert_eq!(harness.state.cursor, Some(first), "there is none before the first");
    // Another measure begins with its own first; from elsewhere the order begins anew.
    harness.keys("m");
    assert!(harness.screen().contains("1 of 10 by margin"), "{}", harness.screen());
    harness.keys("<Left>");
    assert!(!harness.screen().contains("by margin"), "{}", harness.screen());
    harness.keys("d");
    assert!(harness.screen().contains("1 of 10 by margin"), "{}", harness.screen());
    harness.submit("/doubt entropy");
    assert!(harness.screen().contains("1 of 10 by entropy (1.00 nat)"), "{}", harness.screen());
    harness.submit("/doubt boredom");
    assert!(harness.screen().contains("margin or entropy"), "{}", harness.screen());
    let mut silent = Harness::new(120, 36, vec![]);
    silent.keys("<Tab>d");
    assert!(silent.screen().contains("nothing was written yet"), "{}", silent.screen());
}

#[test]
fn a_slash_in_a_pane_looks_for_a_text_and_n_goes_on() {
    let mut harness = talked();
    harness.keys("/");
    assert_eq!((harness.state.focus, harness.state.composer.text()), (&MESSAGE, "/find "));
    harness.keys("capital");
    // It is seen while it is written, and nobody has walked anywhere.
    let (x, y) = harness.find("capital?");
    let underlined =
        |harness: &Harness, x, y| harness.buffer()[(x, y)].modifier.contains(Modifier::UNDERLINED);
    assert!(underlined(&harness, x, y) && !underlined(&harness, x + 7, y));
    assert_eq!(harness.state.cursor, None);
    harness.keys("<Enter>");
    assert_eq!(harness.state.focus, &CHAT);
    assert!(harness.screen().contains("chat ─ «capital» 3 of 3"), "the newest first: {}", harness.screen());
    harness.keys("n");
    assert!(harness.screen().contains("«capital» 1 of 3"), "{}", harness.screen());
    harness.keys("NN");
    assert!(harness.screen().contains("«capital» 2 of 3"), "{}", harness.screen());
    assert!(underlined(&harness, x, y));
    harness.keys("<Esc>");
    assert!(!harness.screen().contains("«capital»") && !underlined(&harness, x, y), "{}", harness.screen());
    harness.submit("/find nowhere");
    assert!(harness.screen().contains("«nowhere» is nowhere in the"), "{}", harness.screen());
    // As somebody writes a command who has forgotten that a pane has the keys.
    harness.keys("/diff 1 2<Enter>");
    assert!(harness.screen().contains(": begins a command"), "{}", harness.screen());
    // A message that is being written is not lost.
    harness.keys("xdraft<Tab>/");
    assert!(harness.screen().contains("a message is being written"), "{}", harness.screen());
    assert_eq!(harness.state.composer.text(), "xdraft");
}

#[test]
fn words_of_replies_below_a_probability_are_flagged() {
    let mut harness = talked();
    harness.submit("/flag 30%");
    let screen = harness.screen();
    assert!(screen.contains("4 of 8 words of the replies have less than 30.00 %"), "{screen}");
    assert!(screen.contains("is 5.00 %"), "{screen}");
    let (x, y) = harness.find("The capital is Paris");
    let flagged = |harness: &Harness, x: u16| harness.buffer()[(x, y)].modifier.contains(Modifier::ITALIC);
    // `The`, then `capital`, the space before `is`, `is`, `Paris`.
    assert_eq!(
        [x, x + 4, x + 11, x + 12, x + 15].map(|x| flagged(&harness, x)),
        [false, true, false, true, false]
    );
    harness.submit("/flag off");
    assert!(!flagged(&harness, x + 4));
    harness.submit("/flag 7");
    assert!(harness.screen().contains("write a probability above 0"), "{}", harness.screen());
}

#[test]
fn beside_each_line_a_mark_says_how_surprising_its_most_surprising_token_was() {
    let harness = talked();
    let (_, y) = harness.find("The capital is Paris");
    let area = harness.state.areas().unwrap().of(&CHAT).unwrap().area;
    // 4.3 of 12 bits.
    assert_eq!(harness.buffer()[(area.right() - 2, y)].symbol(), "▃");
    assert_eq!(harness.buffer()[(area.right() - 2, y + 1)].symbol(), " ");
}
