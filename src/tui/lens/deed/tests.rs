//! What Enter does in the pane, driven by the scripted engine.

use crate::engine::testing::ScriptedLine;
use crate::intervention::OffPart;
use crate::lens::Looking;
use crate::lens::variants::Corrupt;
use crate::tui::harness::Harness;
use crate::tui::pane::{LENS, MESSAGE};

fn reply() -> Vec<ScriptedLine> {
    vec![("The", 0.9), (" capital", 0.9), (" is", 0.9), (" Paris", 0.9), ("<|im_end|>", 0.7)]
}

/// The pane with a view.
fn looking(keys: &str) -> Harness {
    let mut harness = Harness::new(120, 36, vec![reply(), reply()]);
    harness.keys("hi<Enter><Left><A-l>");
    harness.look();
    for keys in keys.split(' ') {
        harness.keys(keys);
        harness.look();
    }
    harness
}

#[test]
fn what_the_title_names_is_switched_off_and_on_again() {
    for (view, part, written) in [
        ("2", OffPart::Layer(1), "layer 1"),
        ("4", OffPart::Attention(0), "attention 0"),
        ("4 h", OffPart::Head { layer: 0, head: 1 }, "head 0:1"),
    ] {
        let mut harness = looking(view);
        let off = format!("─ Enter: {written} off ");
        for _ in 0..3 {
            if harness.screen().contains(&off) {
                break;
            }
            harness.keys("<Up>");
        }
        assert!(harness.screen().contains(&off), "{view}: {}", harness.screen());
        harness.keys("<Enter>");
        let session = &harness.state.session;
        assert_eq!((&session.settings().off[..], harness.state.focus), (&[part][..], &LENS));
        assert!(
            harness.screen().contains(&format!("off {written} from the next token on")),
            "{}",
            harness.screen()
        );
        assert!(harness.screen().contains(&format!("─ Enter: {written} on ")), "{}", harness.screen());
        harness.keys("<Enter>");
        assert!(harness.state.session.settings().off.is_empty());
    }
}

#[test]
fn the_next_reply_goes_on_without_it_and_the_step_before_is_looked_at_as_it_was() {
    let mut harness = looking("2<Enter>");
    let off = harness.state.session.settings().off.clone();
    assert_eq!(off.len(), 1);
    assert_eq!(harness.state.lens.spot().unwrap().under.names(), Vec::<String>::new());
    harness.click(3, 34);
    harness.hold();
    harness.keys("more<Enter>");
    harness.say(100);
    harness.look();
    let spot = harness.state.lens.spot().unwrap();
    assert_eq!((spot.under.names(), spot.uneven), (vec![off[0].to_string()], true));
    assert!(harness.screen().contains("always off layer 1)"), "{}", harness.screen());
    assert!(harness.screen().contains("(from here)"), "{}", harness.screen());
}

#[test]
fn a_span_is_marked_and_traced_with_other_words_of_as_many_tokens() {
    let mut harness = looking("8");
    assert!(harness.screen().contains("Enter: first word"), "{}", harness.screen());
    harness.keys("<Enter>");
    assert!(harness.screen().contains("Enter: last word"), "{}", harness.screen());
    let at = harness.state.lens.selected;
    harness.keys("<Enter>");
    assert_eq!(harness.state.focus, &MESSAGE);
    assert!(harness.screen().contains("in place of «␣is» (1 token)"), "{}", harness.screen());
    assert_eq!(harness.state.composer.text(), format!("/lens trace --span {at}:{at}  "));
    harness.keys("Rome<Enter>");
    let Some(Looking::Trace(wish)) = harness.state.lens.looking() else { panic!("{}", harness.screen()) };
    assert_eq!(wish.corrupt, Corrupt::Span { tokens: at..at + 1, text: b" Rome".to_vec() });
    harness.look();
    assert!(harness.screen().contains("«␣Rome» is 5 tokens here, and «␣is» is 1"), "{}", harness.screen());
    harness.keys("l");
    harness.click(3, 34);
    harness.keys(&format!("/lens trace --span {at}:{at}  London<Enter>"));
    harness.look();
    assert!(harness.screen().contains("«␣London»"), "{}", harness.screen());
    assert!(harness.screen().contains("Enter: other words"), "{}", harness.screen());
    // Another step has no such span.
    harness.keys("<Enter>");
    assert!(harness.screen().contains("Enter: first word"), "{}", harness.screen());
}

#[test]
fn a_message_that_is_being_written_is_not_lost_to_a_trace() {
    let mut harness = looking("8<Enter>");
    harness.click(3, 34);
    harness.keys("a draft<Tab><Tab><Tab>");
    while harness.state.focus != &LENS {
        harness.keys("<Tab>");
    }
    harness.keys("<Enter>");
    assert_eq!(harness.state.composer.text(), "a draft");
    assert!(harness.screen().contains("is being written"), "{}", harness.screen());
}
