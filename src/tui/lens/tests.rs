//! The pane, driven by the scripted engine.

use crate::engine::testing::ScriptedLine;
use crate::lens::Looking;
use crate::tui::harness::Harness;
use crate::tui::msg::{Effect, Msg};
use crate::tui::pane::{CHAT, LENS, MESSAGE, TABLE};

fn reply() -> Vec<ScriptedLine> {
    vec![("The", 0.9), (" capital", 0.9), (" is", 0.9), (" Paris", 0.9), ("<|im_end|>", 0.7)]
}

fn talked(width: u16, height: u16) -> Harness {
    let mut harness = Harness::new(width, height, vec![reply(), reply()]);
    harness.keys("hi<Enter>");
    harness
}

fn looks(harness: &Harness) -> usize {
    harness.effects.iter().filter(|effect| matches!(effect, Effect::Look(..))).count()
}

#[test]
fn one_key_says_in_one_sentence_why_the_token_under_the_cursor() {
    let mut harness = talked(120, 36);
    harness.keys("<Left><A-l>");
    assert_eq!((harness.state.focus, looks(&harness)), (&LENS, 1));
    assert!(harness.screen().contains("looking"), "{}", harness.screen());
    harness.look();
    let screen = harness.screen();
    // Without « is» the model of pairs expects « is» after « capital», and « Paris» not at all.
    assert!(screen.contains("lens ─ step 4"), "{screen}");
    assert!(screen.contains("Mostly because of «is» (−2.0 nat without it);"), "{screen}");
    assert!(screen.contains("decided in layer 1; ␣the was next"), "{screen}");
    assert!(screen.contains("The capital is"), "{screen}");
}

#[test]
fn walking_back_to_a_step_shows_at_once_what_was_found() {
    let mut harness = talked(120, 36);
    harness.keys("<Left><A-l>");
    harness.look();
    harness.keys(",");
    assert!(!harness.screen().contains("Mostly because"), "{}", harness.screen());
    assert_eq!(looks(&harness), 0, "nothing is computed before the cursor has rested");
    harness.keys(",");
    harness.keys("..");
    assert!(harness.screen().contains("Mostly because of «is»"), "{}", harness.screen());
    harness.look();
    assert_eq!(looks(&harness), 0);
    // After a rest another step is looked at too; one that was left before that is not.
    harness.keys(",");
    let early: Vec<Effect> = std::mem::take(&mut harness.effects);
    harness.keys(",");
    for effect in early {
        if let Effect::Rest(number) = effect {
            harness.send(Msg::Rested(number));
        }
    }
    assert_eq!(looks(&harness), 0);
    harness.look();
    assert!(harness.screen().contains("lens ─ step 2"), "{}", harness.screen());
    assert!(harness.screen().contains("ln p(␣capital)"), "{}", harness.screen());
}

#[test]
fn the_chat_goes_first_and_a_lens_is_begun_again_after_it() {
    let mut harness = talked(120, 36);
    harness.keys("<A-l>");
    let cancel = harness.effects.iter().find_map(|effect| match effect {
        Effect::Look(_, _, cancel) => Some(cancel.clone()),
        _ => None,
    });
    let cancel = cancel.unwrap();
    harness.click(3, 34);
    harness.hold();
    harness.keys("and then?<Enter>");
    assert!(cancel.is_cancelled() && harness.state.session.is_busy());
    // What comes of it late is dropped, and nothing new begins while the reply is written.
    harness.look();
    assert!(!harness.screen().contains("Mostly because"), "{}", harness.screen());
    assert!(harness.screen().contains("the chat goes first"), "{}", harness.screen());
    assert_eq!(looks(&harness), 0);
    harness.say(100);
    harness.look();
    assert!(harness.screen().contains("In spite of «Paris»"), "{}", harness.screen());
}

#[test]
fn another_view_does_not_wait_for_the_one_before() {
    let mut harness = talked(120, 36);
    harness.keys("<Left><A-l>4");
    let begun: Vec<_> = std::mem::take(&mut harness.effects);
    let of = |effect: &Effect| match effect {
        Effect::Look(_, wish, cancel) => Some((wish.view.clone(), cancel.clone())),
        _ => None,
    };
    let [(Looking::Occlusion { .. }, occlusion)] = &begun.iter().filter_map(of).collect::<Vec<_>>()[..]
    else {
        panic!("{begun:?}")
    };
    assert!(occlusion.is_cancelled());
    harness.effects = begun;
    harness.look();
    // The view itself came first, and the sentence has come after it.
    let screen = harness.screen();
    assert!(screen.contains("Mostly because of «is»"), "{screen}");
    // What nobody sees is not computed on: this view is known already.
    harness.keys(",");
    harness.look();
    harness.keys("31");
    let begun: Vec<_> = harness.effects.iter().filter_map(of).collect();
    assert!(begun.iter().all(|(_, cancel)| cancel.is_cancelled()) && begun.len() == 1, "{begun:?}");
}

#[test]
fn who_does_not_look_has_nothing_computed() {
    let mut harness = talked(120, 36);
    harness.keys("<Left><Left><Tab><Tab><Tab><Tab>");
    assert!(harness.effects.iter().all(|effect| !matches!(effect, Effect::Look(..) | Effect::Rest(_))));
    // Closed, it looks no more.
    harness.keys("<A-l>");
    harness.look();
    harness.keys("<Esc>");
    assert_eq!(harness.state.fronts.of(TABLE.slot), &TABLE);
    harness.effects.clear();
    harness.keys("<Left><Left>");
    assert!(harness.effects.is_empty(), "{:?}", harness.effects);
}

#[test]
fn a_look_is_stopped_by_escape_and_by_ctrl_c_and_asked_for_again() {
    for key in ["<Esc>", "<C-c>"] {
        let mut harness = talked(120, 36);
        harness.keys("<Tab><Left><A-l>");
        harness.keys(key);
        assert_eq!((harness.state.focus, harness.state.leaving), (&LENS, None), "{key}");
        harness.look();
        assert!(harness.screen().contains("why this token? l looks"), "{key}: {}", harness.screen());
        assert!(harness.screen().contains("│not looked at yet: l looks"), "{key}: {}", harness.screen());
        harness.keys("l");
        harness.look();
        assert!(harness.screen().contains("Mostly because of «is»"), "{key}: {}", harness.screen());
        harness.keys("<Esc>");
        assert_eq!(harness.state.focus, &CHAT, "{key}");
    }
    let mut harness = talked(120, 36);
    harness.keys("<A-l>");
    harness.look();
    harness.keys("<Esc>");
    assert_eq!(harness.state.focus, &MESSAGE);
}

#[test]
fn every_view_has_a_key_and_a_place_to_click() {
    let mut harness = talked(120, 36);
    harness.keys("<Left><A-l>");
    harness.look();
    for (key, name, shows) in [
        ("2", "logit", "first choices, p %"),
        ("3", "context", "nat·octaves"),
        ("4", "attention", "attention alone is no explanation"),
        ("1", "occlusion", "each word left out"),
    ] {
        harness.keys(key);
        harness.look();
        assert!(harness.screen().contains(shows), "{name}: {}", harness.screen());
    }
    let (x, y) = harness.find("3 context");
    harness.click(x + 3, y);
    assert!(harness.screen().contains("nat·octaves"), "{}", harness.screen());
    assert_eq!(looks(&harness), 0, "it is kept");
}

#[test]
fn arrows_and_clicks_walk_over_what_is_shown() {
    let mut harness = talked(120, 36);
    harness.keys("<Left><A-l>");
    harness.look();
    assert!(harness.screen().contains("«␣is» −2.0 nat without it"), "{}", harness.screen());
    harness.keys("<Left>");
    assert!(harness.screen().contains("«␣capital» +0.00 nat, below the floor"), "{}", harness.screen());
    let (x, y) = harness.find("−2.0 █");
    harness.click(x, y);
    assert!(harness.screen().contains("«␣is» −2.0 nat without it"), "{}", harness.screen());
    // Heads look at the first token with half and three quarters, less a quarter each.
    harness.keys("4");
    harness.look();
    harness.keys("<Up><Up>");
    assert!(harness.screen().contains("attention 0, «␣capital» at"), "{}", harness.screen());
    assert!(harness.screen().contains(": 37.5 %"), "{}", harness.screen());
    harness.keys("h<Down>");
    assert!(harness.screen().contains("head 0:1, «␣capital» at"), "{}", harness.screen());
    assert!(harness.screen().contains(": 50.0 %"), "{}", harness.screen());
}

#[test]
fn where_no_item_is_below_the_arrows_move_the_rows_and_no_further_than_the_last() {
    let mut harness = talked(80, 18);
    harness.keys("<Left><A-l>");
    harness.look();
    harness.keys("2");
    harness.look();
    let last = "in nats; H is the entropy";
    harness.keys(&"<Down>".repeat(60));
    assert!(harness.screen().contains(last), "{}", harness.screen());
    harness.keys(&"<Up>".repeat(60));
    assert!(harness.screen().contains("by layer:"), "{}", harness.screen());
}

#[test]
fn what_is_selected_is_in_sight_where_a_view_opens() {
    let mut harness = talked(80, 16);
    harness.keys("<Left><A-l>2");
    harness.look();
    // The layer that decides stands below a curve that fills the pane.
    assert!(harness.screen().contains("    1     1  −"), "{}", harness.screen());
    harness.keys(&"<Up>".repeat(20));
    assert!(harness.screen().contains("by layer:"), "{}", harness.screen());
}

#[test]
fn figures_of_every_view_have_the_same_minus() {
    let mut harness = talked(120, 36);
    harness.keys("<Left><A-l>");
    for key in ["1", "2", "3", "4", "5", "6", "7"] {
        harness.keys(key);
        harness.look();
        let screen = harness.screen();
        let hyphens = screen.match_indices('-');
        // Not those of an exponent.
        let mut before_figures = hyphens.filter(|(at, _)| {
            screen[at + 1..].starts_with(|c: char| c.is_ascii_digit())
                && screen[..*at].ends_with([' ', '│', '('])
        });
        assert_eq!(before_figures.next(), None, "{key}: {screen}");
    }
}

#[test]
fn a_prompt_s_tokens_can_be_looked_at_but_for_the_first() {
    let mut harness = talked(120, 36);
    harness.keys("<Tab><Home>l");
    harness.look();
    assert!(harness.screen().contains("the first token has no context"), "{}", harness.screen());
    harness.keys(".....");
    harness.look();
    assert!(harness.screen().contains("lens ─ prompt token 6 of"), "{}", harness.screen());
}

#[test]
fn a_trace_without_other_words_opens_its_view_where_they_are_marked() {
    let mut harness = talked(120, 36);
    harness.keys("<Left>");
    harness.submit("/lens trace");
    assert_eq!((harness.state.focus, harness.state.lens.shown().name), (&LENS, "trace"));
    assert!(harness.state.composer.is_empty());
    assert!(harness.state.lens.picture.is_some(), "the prompt, to mark words in");
    assert!(harness.screen().contains("lens ─ step 4"), "{}", harness.screen());
}

#[test]
fn knockouts_and_traces_are_views_of_the_pane() {
    for (command, shows) in [
        ("/lens knockout --part layer", "set to zero"),
        ("/lens trace --corrupt The The capital ||| is", "the prompts have"),
    ] {
        let mut harness = talked(120, 36);
        harness.keys(&format!("{command}<Enter>"));
        harness.look();
        assert!(harness.screen().contains(shows), "{command}: {}", harness.screen());
        assert_eq!(harness.state.focus, &LENS, "{command}");
    }
}

#[test]
fn every_view_can_be_seen_in_the_row_of_tabs() {
    for (width, height) in [(80, 24), (120, 36), (200, 60)] {
        let mut harness = talked(width, height);
        harness.keys("<Left><A-l>");
        for (key, tab) in (1..).zip(&super::tabs::TABS) {
            harness.keys(&key.to_string());
            assert!(harness.screen().contains(&format!("{key} {}", tab.name)), "{}", harness.screen());
        }
    }
}

#[test]
fn a_window_too_small_for_a_lens_says_so() {
    let mut harness = talked(40, 10);
    harness.keys("<A-l>");
    harness.look();
    assert!(harness.screen().contains("too small for a lens"), "{}", harness.screen());
    harness.keys("z");
    assert!(harness.screen().contains("In spite of"), "{}", harness.screen());
}

#[test]
fn the_command_opens_the_pane_for_a_text_a_step_or_the_step_under_the_cursor() {
    let mut harness = talked(120, 36);
    harness.keys("/lens occlusion --by token The capital is ||| Paris ||| London<Enter>");
    harness.look();
    assert_eq!(harness.state.focus, &LENS);
    for text in ["lens ─ a text", "ln p(␣Paris) − ln p(␣London)", "each token left out", "decided in layer 1"]
    {
        assert!(harness.screen().contains(text), "{text}: {}", harness.screen());
    }
    // It stays when the cursor walks, until a step is asked for.
    harness.keys(",");
    harness.look();
    assert!(harness.screen().contains("lens ─ a text"), "{}", harness.screen());
    harness.keys("l");
    harness.look();
    assert!(harness.screen().contains("lens ─ step 4"), "{}", harness.screen());
    harness.keys("<Esc>");
    harness.click(3, 34);
    harness.keys("/lens logit @2<Enter>");
    harness.look();
    assert!(harness.screen().contains("lens ─ step 2"), "{}", harness.screen());
    assert!(harness.screen().contains("␣capital 26.7"), "{}", harness.screen());
    harness.click(3, 34);
    harness.keys("/lens context @9<Enter>");
    assert!(harness.screen().contains("there is no token 9 to look at"), "{}", harness.screen());
}
