//! `update` driven by a scripted engine.

use ratatui::crossterm::event::Event as Input;
use ratatui::style::Modifier;

use super::harness::{Harness, answered};
use super::keys::{KeyAction, KeyPress, Scope};
use super::msg::{Effect, Msg, NoAnswer};
use super::pane::{BESIDE, CHAT, DIFF, LENS, LIKELIHOOD, MESSAGE, PANES, REPLIES, TABLE, TREE, WHAT_IF};
use super::state::EXAMPLES;
use super::theme::{THEMES, named};
use crate::ask::Question;
use crate::colouring::Colors;
use crate::engine::EngineError;
use crate::engine::testing::ScriptedLine;
use crate::engine::{Event, FinishReason};
use crate::report::view::Block;
use crate::session::state::Fetch;

mod continuations;
mod diff;
mod endurance;
mod explained;
mod lists;
mod marks;
mod siblings;

const PARIS: [ScriptedLine; 5] =
    [("The", 0.9), (" capital", 0.4), (" is", 0.95), (" Paris", 0.8), ("<|im_end|>", 0.7)];

fn paris() -> Vec<ScriptedLine> {
    PARIS.to_vec()
}

fn lines(n: usize) -> Vec<ScriptedLine> {
    (0..n).flat_map(|_| [(" the", 0.9), ("\n", 0.9)]).chain([("<|im_end|>", 0.9)]).collect()
}

#[test]
fn a_message_is_answered_and_the_panels_follow() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("hi<Enter>");
    let screen = harness.screen();
    assert!(screen.contains("you    hi"), "{screen}");
    assert!(screen.contains("model  The capital is Paris<|im_end|>"), "{screen}");
    assert!(screen.contains("step 5 ─ live"), "{screen}");
    let sum: f64 = PARIS.iter().map(|&(_, p)| f64::from(p).ln()).sum();
    assert!(screen.contains(&format!("Σ −{:.2} nat", -sum)), "{screen}");
}

#[test]
fn a_reply_that_pauses_says_so() {
    let mut harness = Harness::endless(120, 36);
    harness.submit("/pause");
    harness.submit("hi");
    let screen = harness.screen();
    assert!(screen.contains("replies pause after every token: /continue"), "{screen}");
    assert!(!screen.contains("max-tokens"), "{screen}");
}

#[test]
fn a_message_written_while_the_model_loads_waits_for_it() {
    let mut harness = Harness::loading(120, 36, vec![paris()]);
    harness.keys("hi<Enter>");
    assert!(!harness.screen().contains("Paris"));
    let ready = harness.engine.ready();
    harness.send(Msg::Engine(ready));
    assert!(harness.screen().contains("The capital is Paris"));
}

#[test]
fn messages_of_earlier_sessions_may_come_after_the_first_of_this_one() {
    let mut harness = Harness::loading(120, 36, vec![]);
    harness.keys("/help<Enter>");
    harness.send(Msg::Remembered(vec!["earlier".to_string()]));
    harness.keys("<Up>");
    assert_eq!(harness.state.composer.text(), "/help");
    harness.keys("<Up>");
    assert_eq!(harness.state.composer.text(), "earlier");
}

#[test]
fn download_and_load_are_shown() {
    let mut harness = Harness::loading(120, 36, vec![]);
    harness.send(Msg::Fetching(Fetch {
        what: "downloading".to_string(),
        done: 50 << 20,
        total: Some(100 << 20),
    }));
    assert!(harness.screen().contains("downloading █████░░░░░ 50 of 100 MiB"), "{}", harness.screen());
    harness.send(Msg::Engine(Event::LoadProgress(0.3)));
    assert!(harness.screen().contains("███░░░░░░░ 30 %"));
    harness.send(Msg::NoModel("no model: pass one with -m FILE".to_string()));
    assert!(harness.screen().contains("no model: pass one with -m FILE"));
}

#[test]
fn a_refused_message_goes_back_to_the_composer() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    let long = "x".repeat(600);
    harness.send(Msg::Input(Input::Paste(long.clone())));
    harness.keys("<Enter>");
    assert_eq!(harness.state.composer.text(), long);
    assert!(harness.state.session.turns().is_empty());
    assert!(harness.screen().contains("holds 512"), "{}", harness.screen());
}

#[test]
fn walking_shows_each_step_and_escape_returns_to_live() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("hi<Enter><Tab><Left>");
    assert!(harness.screen().contains("step 4 "), "{}", harness.screen());
    let (x, y) = harness.find(" Paris<");
    assert!(harness.buffer()[(x + 1, y)].modifier.contains(Modifier::REVERSED));
    harness.keys("<Home>");
    assert!(harness.screen().contains("prompt token 1 of"), "{}", harness.screen());
    assert!(harness.screen().contains("the first token has no context"));
    harness.keys("<Esc>");
    assert_eq!((harness.state.cursor, harness.state.focus), (None, &MESSAGE));
}

#[test]
fn walking_right_past_the_end_is_live_again() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("hi<Enter><Left><Right><Right>");
    assert_eq!(harness.state.cursor, None);
}

#[test]
fn unsure_steps_are_found_in_both_directions() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("hi<Enter><Tab><Home>");
    harness.keys("N");
    assert_eq!(harness.state.cursor, Some(0), "nothing unsure before the first token");
    harness.keys("<End>N");
    let found = harness.state.cursor.unwrap();
    let token = harness.state.session.sequence().get(found).unwrap().id;
    assert_eq!(harness.state.model().unwrap().vocab.text(token), " capital");
    harness.keys("<Home>n");
    assert_eq!(harness.state.cursor, Some(found));
}

#[test]
fn a_click_on_a_token_shows_its_step() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("hi<Enter>");
    let (x, y) = harness.find("capital is");
    harness.click(x + 2, y);
    assert!(harness.screen().contains("step 2 "), "{}", harness.screen());
    assert!(harness.screen().contains("▸ ␣capital"), "{}", harness.screen());
}

#[test]
fn line_breaks_are_steps_one_can_click_and_see() {
    let mut harness = Harness::new(120, 36, vec![lines(3)]);
    harness.keys("hi<Enter>");
    let (x, y) = harness.find("model");
    harness.click(x + 7 + 4, y);
    assert!(harness.screen().contains("▸ ⏎"), "{}", harness.screen());
    assert!(harness.screen().contains("the⏎"), "{}", harness.screen());
}

#[test]
fn scrolling_is_not_yanked_while_the_model_writes() {
    let mut harness = Harness::new(100, 20, vec![lines(60), lines(30)]);
    harness.keys("hi<Enter>");
    harness.wheel(true, 5, 5);
    let top = harness.state.transcript.top();
    harness.hold();
    harness.keys("again<Enter>");
    harness.wheel(true, 5, 5);
    harness.wheel(true, 5, 5);
    let held = harness.state.transcript.top();
    harness.say(20);
    assert_eq!(harness.state.transcript.top(), held);
    assert!(harness.screen().contains("↓ more"));
    assert!(top > 0);
    harness.keys("<PgDn><PgDn><PgDn><PgDn><PgDn>");
    assert!(harness.state.transcript.follows());
}

#[test]
fn ctrl_c_stops_the_reply_then_hints_then_leaves() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.hold();
    harness.keys("hi<Enter>");
    harness.say(3);
    let job = harness.state.session.job().unwrap().clone();
    harness.keys("<C-c>");
    assert!(job.cancel.is_cancelled());
    let timing = crate::engine::Timing::default();
    harness.send(Msg::Reply(job.id, Event::Finished { reason: FinishReason::Cancelled, timing }));
    assert!(harness.effects.iter().all(|effect| !matches!(effect, Effect::Quit(_))));
    harness.keys("<C-c>");
    assert!(harness.screen().contains("Ctrl-C again to leave"));
    harness.keys("x<C-c>");
    assert!(!harness.left_with(0), "another key takes the hint back");
    harness.keys("<C-c>");
    assert!(harness.left_with(0));
}

#[test]
fn answers_to_an_unwanted_request_are_dropped() {
    let mut harness = Harness::new(120, 36, vec![paris(), paris()]);
    harness.hold();
    harness.keys("hi<Enter>");
    let id = harness.state.session.job().unwrap().id;
    harness.send(Msg::Reply(id, Event::Failed(EngineError::Decode(1))));
    assert!(harness.screen().contains("could not evaluate"), "{}", harness.screen());
    harness.say(7);
    assert!(!harness.screen().contains("Paris"), "{}", harness.screen());
}

#[test]
fn retry_takes_the_next_seed_and_replaces_the_reply() {
    let mut harness = Harness::new(120, 36, vec![paris(), vec![(" London", 0.2), ("<|im_end|>", 0.9)]]);
    harness.keys("hi<Enter>");
    let first = harness.state.session.turns()[1].reply.as_ref().unwrap().seed;
    harness.keys("/retry<Enter>");
    let turns = harness.state.session.turns();
    assert_eq!((turns.len(), turns[1].reply.as_ref().unwrap().seed), (2, first + 1));
    assert!(harness.screen().contains("model   London"), "{}", harness.screen());
}

#[test]
fn commands_answer_in_the_conversation() {
    let mut harness = Harness::new(120, 36, vec![]);
    harness.keys("/set temp 0.3<Enter>");
    assert!(harness.screen().contains("T 0.3"), "{}", harness.screen());
    harness.keys("/set temp hot<Enter>");
    assert!(harness.screen().contains("temp hot: must be 0 (greedy) or more"), "{}", harness.screen());
    assert!(harness.state.composer.is_empty());
    harness.keys("<Up>");
    assert_eq!(harness.state.composer.text(), "/set temp hot");
}

#[test]
fn clear_empties_the_conversation_but_not_while_it_is_written() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.hold();
    harness.keys("hi<Enter>");
    harness.keys("/clear<Enter>");
    assert_eq!(harness.state.session.turns().len(), 2);
    harness.say(20);
    harness.state.composer.replace("");
    harness.keys("/clear<Enter>");
    assert!(harness.state.session.turns().is_empty());
    assert_eq!(harness.state.shown_step(), None);
}

#[test]
fn the_person_decides_how_many_candidates_are_shown() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("hi<Enter><Tab>");
    while harness.state.candidates() > 2 {
        let before = harness.state.candidates();
        harness.keys("-");
        assert_eq!(harness.state.candidates(), before - 1);
    }
    harness.keys("-");
    assert_eq!(harness.state.candidates(), 1);
    assert!(harness.screen().contains("… 265 more"), "{}", harness.screen());
    harness.keys("+");
    assert!(harness.screen().contains("… 264 more"));
}

#[test]
fn colours_cycle_with_a_legend_and_a_cue_without_colour() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("hi<Enter><Tab>");
    for name in ["probability %", "surprisal nat", "entropy nat", "rank 1"] {
        harness.keys("c");
        assert!(harness.screen().contains(name), "{name}: {}", harness.screen());
    }
    harness.keys("cc");
    harness.state.theme = named("dark", Colors::None).unwrap();
    let (x, y) = harness.find("capital is");
    let buffer = harness.buffer();
    assert!(buffer[(x, y)].modifier.contains(Modifier::UNDERLINED));
    assert!(!buffer[(x - 3, y)].modifier.contains(Modifier::UNDERLINED));
    assert_eq!(buffer[(x, y)].fg, ratatui::style::Color::Reset);
}

#[test]
fn help_lists_the_keys_of_every_pane_at_every_width() {
    for width in [40, 60, 80, 120, 200] {
        let mut harness = Harness::new(width, 500, vec![]);
        harness.keys("?");
        let screen = harness.screen();
        let words: Vec<&str> = screen.split(|c: char| c.is_whitespace() || c == '│').collect();
        let text = words.iter().filter(|word| !word.is_empty()).copied().collect::<Vec<_>>().join(" ");
        for (scope, binding) in Scope::all().flat_map(|scope| {
            let table = harness.state.look.keymap.of(scope).to_vec();
            table.into_iter().map(move |binding| (scope, binding))
        }) {
            let help = binding.action.unwrap().help();
            let row = text.split(help).any(|before| {
                before.ends_with(' ') && {
                    let keys: Vec<&str> = before.split(' ').rev().take(10).collect();
                    keys.contains(&binding.key.to_string().as_str())
                }
            });
            assert!(row, "{width}: {scope:?} {} {help}\n{screen}", binding.key);
        }
        for spec in crate::command::COMMANDS {
            assert!(text.contains(&format!("{} {} {}", spec.name, spec.usage, spec.help).replace("  ", " ")));
        }
    }
}

#[test]
fn the_help_and_the_hints_show_the_keys_that_are_in_force() {
    let mut harness = Harness::new(120, 260, vec![paris()]);
    let key = |text| KeyPress::parse(text).unwrap();
    let keymap = &mut harness.state.look.keymap;
    keymap.bind(Scope::Everywhere, key("f3"), Some(KeyAction::Zoom));
    keymap.bind(Scope::Reading, key("x"), Some(KeyAction::Unsure(1)));
    keymap.bind(Scope::Pane(&LIKELIHOOD), key("j"), Some(KeyAction::Retry));
    keymap.bind(Scope::Pane(&MESSAGE), key("?"), None);
    keymap.bind(Scope::Everywhere, key("ctrl-c"), None);
    keymap.bind(Scope::Everywhere, key("f9"), Some(KeyAction::Stop));
    let last = harness.screen().lines().last().unwrap().to_string();
    assert!(!last.contains("help") && harness.screen().contains("F9"), "{}", harness.screen());
    harness.keys("hi<Enter><Tab>?");
    let screen = harness.screen();
    for row in ["F3 Alt-z ", "x n N ", "in the pane log-likelihood", " j ", "F9 "] {
        assert!(screen.contains(row), "{row}: {screen}");
    }
    assert!(!screen.contains("Ctrl-C"), "{screen}");
    for (name, about, _) in THEMES {
        assert!(screen.contains(name) && screen.contains(about), "{screen}");
    }
    harness.keys("<Esc>x");
    assert_eq!(harness.state.cursor, None, "nothing unsure after the last token");
    assert_eq!(*harness.state.focus, CHAT);
}

#[test]
fn a_theme_is_tried_by_name() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("/theme light<Enter>");
    assert_eq!(harness.state.theme, named("light", Colors::Many).unwrap());
    harness.keys("/set theme dark<Enter>");
    assert_eq!(harness.state.theme, named("dark", Colors::Many).unwrap());
    harness.keys("/set theme=light<Enter>/theme lihgt<Enter>");
    assert!(harness.screen().contains("did you mean light?"), "{}", harness.screen());
    assert_eq!(harness.state.theme, named("light", Colors::Many).unwrap());
}

#[test]
fn the_palette_lists_the_panes_and_goes_to_them() {
    let mut harness = Harness::new(80, 36, vec![paris()]);
    harness.keys("hi<Enter><C-p>pan");
    assert!(harness.screen().contains("/pane"), "{}", harness.screen());
    harness.keys("<Tab>");
    let first = harness.screen();
    harness.keys("<Up>");
    let last = harness.screen();
    for pane in PANES {
        assert!(first.contains(pane.about) || last.contains(pane.about), "{}: {last}", pane.name);
    }
    harness.keys("log<Enter>");
    assert_eq!(harness.state.composer.text(), "/pane log-likelihood ");
    harness.keys("<Enter>");
    assert!(*harness.state.focus == LIKELIHOOD && harness.screen().contains("nat/byte"));
    harness.keys(":pane tabel<Enter>");
    assert!(harness.screen().contains("did you mean table?"), "{}", harness.screen());
}

#[test]
fn every_pane_is_gone_round_by_tab_zooms_and_takes_the_wheel_and_clicks() {
    for (width, height) in [(40, 10), (80, 24), (120, 36)] {
        let mut harness = Harness::new(width, height, vec![lines(40)]);
        harness.keys("hi<Enter>");
        // The lens stands in the table's place while it is open.
        harness.keys("<A-l><Esc><Esc>");
        assert_eq!(*harness.state.focus, MESSAGE);
        let closed = PANES
            .into_iter()
            .filter(|pane| ![&LENS, &TREE, &BESIDE, &REPLIES, &DIFF, &WHAT_IF].contains(pane))
            .map(|pane| (pane, false));
        let open = PANES
            .into_iter()
            .filter(|pane| ![&TABLE, &TREE, &BESIDE, &REPLIES, &DIFF, &WHAT_IF].contains(pane))
            .map(|pane| (pane, true));
        for (pane, is_open) in closed.chain(open) {
            if is_open && *pane == MESSAGE {
                harness.keys("/pane lens<Enter>");
                harness.click(0, height - 2);
            }
            assert_eq!(harness.state.focus, pane);
            let areas = harness.state.areas().unwrap();
            let place = areas.of(pane).unwrap().area;
            harness.wheel(true, place.x + 2, place.y + 1);
            harness.keys("<A-z>");
            assert_eq!(harness.state.areas().unwrap().panes.len(), 1);
            harness.keys("<A-z>");
            harness.click(place.x, place.y);
            assert_eq!(harness.state.focus, pane, "a click on its border");
            harness.keys("<Tab>");
        }
        assert_eq!(*harness.state.focus, MESSAGE);
    }
}

#[test]
fn where_no_other_step_is_unsure_that_is_said() {
    let mut harness = Harness::new(120, 36, vec![vec![("The", 0.9), ("<|im_end|>", 0.9)]]);
    harness.keys("<A-n>");
    assert!(
        harness.screen().contains("nothing was written yet that could be unsure"),
        "{}",
        harness.screen()
    );
    harness.keys("hi<Enter><A-n>");
    let last = harness.state.session.sequence().len();
    let told = format!("no step after token {last} is unsure");
    assert!(harness.screen().contains(&told), "{}", harness.screen());
}

#[test]
fn walking_from_the_empty_composer_leaves_the_keys_there() {
    let mut harness = Harness::new(120, 36, vec![paris(), paris()]);
    harness.keys("hi<Enter><Left><Left>");
    assert_eq!(harness.state.focus, &MESSAGE);
    assert!(harness.screen().contains("step 3 "), "{}", harness.screen());
    harness.keys("quick question<Enter>");
    assert!(!harness.left_with(0));
    assert_eq!(harness.state.session.turns()[2].content, "quick question");
}

#[test]
fn letters_act_in_a_pane_and_with_alt_anywhere() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("hi<Enter><A-N>");
    let found = harness.state.cursor.unwrap();
    let token = harness.state.session.sequence().get(found).unwrap().id;
    assert_eq!(harness.state.model().unwrap().vocab.text(token), " capital");
    harness.keys("<A-c>");
    assert!(harness.screen().contains("probability %"));
    let k = harness.state.candidates();
    harness.keys("<A-+><A-+><A-->");
    assert_eq!(harness.state.candidates(), k + 1);
    harness.keys("draft");
    harness.keys("<A-c>");
    assert!(harness.screen().contains("surprisal nat") && harness.state.composer.text() == "draft");
}

#[test]
fn a_letter_that_is_no_key_of_a_pane_begins_a_message() {
    for pane in ["<Tab>", "<Tab><Tab>"] {
        let mut harness = Harness::new(120, 36, vec![paris()]);
        harness.keys("hi<Enter>");
        harness.keys(pane);
        harness.keys("how are you?");
        assert_eq!(harness.state.composer.text(), "how are you?");
        assert_eq!(harness.state.focus, &MESSAGE);
    }
}

#[test]
fn leaving_asks_where_something_would_be_lost() {
    // Nothing said, nothing written: q leaves.
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("<Tab>q");
    assert!(harness.left_with(0));
    // An unsaved conversation: the second press leaves, another key takes it back.
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("hi<Enter><Tab>q");
    assert!(!harness.left_with(0));
    assert!(
        harness.screen().contains("q again to leave, the conversation is not saved"),
        "{}",
        harness.screen()
    );
    harness.keys("<Left>q");
    assert!(!harness.left_with(0));
    harness.keys("q");
    assert!(harness.left_with(0));
    // A draft.
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("draft<Tab>q");
    assert!(!harness.left_with(0));
    // What is saved is not lost.
    let dir = tempfile::tempdir().unwrap();
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys(&format!("hi<Enter>/save {}/talk.json<Enter><Esc>", dir.path().display()));
    harness.keys("<C-d>");
    assert!(harness.left_with(0));
}

#[test]
fn ctrl_c_clears_a_draft_and_ctrl_y_brings_it_back() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("draft<C-c>");
    assert!(harness.state.composer.is_empty() && !harness.left_with(0));
    harness.keys("<C-y>");
    assert_eq!(harness.state.composer.text(), "draft");
    harness.keys("<C-u>");
    assert!(harness.state.composer.is_empty());
}

#[test]
fn a_failed_command_does_not_stick_to_the_next() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("/nonsense<Enter>/set temp 0.3<Enter>");
    assert!(harness.screen().contains("T 0.3"), "{}", harness.screen());
    harness.keys("<Up><Up>");
    assert_eq!(harness.state.composer.text(), "/nonsense");
}

#[test]
fn nothing_a_model_writes_can_act_on_the_terminal() {
    let escape: Vec<ScriptedLine> =
        vec![("\u{1b}", 0.5), ("[", 0.5), ("2", 0.5), ("J", 0.5), ("<|im_end|>", 0.9)];
    let mut harness = Harness::new(120, 36, vec![escape]);
    harness.keys("hi<Enter><Left>");
    let screen = harness.screen();
    assert!(screen.contains("<0x1B>[2J"), "{screen}");
    assert!(screen.chars().all(|c| !c.is_control() || c == '\n'));
}

/// Text that the scripted engine writes in pieces.
fn pieces(text: &str) -> Vec<ScriptedLine> {
    // Bytes are tokens of the scripted vocabulary, ASCII whole.
    let mut lines: Vec<ScriptedLine> = Vec::new();
    for (start, c) in text.char_indices() {
        let leaked: &'static str = Box::leak(text[start..start + c.len_utf8()].to_string().into_boxed_str());
        lines.push((leaked, 0.5));
    }
    lines
}

#[test]
fn letters_and_marks_of_every_script_are_drawn_whole() {
    let said =
        "हिन्दी ไทยกำ حَرَكات e\u{301}a\u{308} 👩\u{200d}👩\u{200d}👧 🇩🇪🇫🇷 👍🏽 ❤\u{fe0f} 1\u{fe0f}\u{20e3} 한";
    for width in [40, 60, 100, 120] {
        let mut harness = Harness::new(width, 36, vec![paris()]);
        harness.send(Msg::Input(Input::Paste(said.to_string())));
        harness.keys("<Enter>");
        let screen = harness.screen();
        for word in said.split(' ') {
            assert!(screen.contains(word), "{word} at {width} columns: {screen}");
        }
    }
}

#[test]
fn a_grapheme_has_the_style_of_the_token_that_begins_it() {
    use ratatui::style::Color;
    let mut harness = Harness::new(120, 36, vec![paris()]);
    // Every byte is a token: the mark's two come after the letter's one.
    harness.keys("e\u{301}x<Enter><Tab>c");
    let turn = &harness.state.session.turns()[0];
    assert_eq!(turn.marks.len(), 4);
    let first = turn.marks[0].token;
    let (you, y) = harness.find("you");
    let x = you + 7;
    let cell = harness.buffer()[(x, y)].clone();
    assert_eq!(cell.symbol(), "e\u{301}");
    assert_ne!(cell.fg, Color::Reset);
    // The letter, then both bytes of the mark are walked through on the same cell, then x.
    for (i, at) in [x, x, x, x + 1].into_iter().enumerate() {
        harness.state.walk_to(first + i);
        assert!(harness.buffer()[(at, y)].modifier.contains(Modifier::REVERSED), "token {i}");
    }
    harness.click(x, y);
    assert_eq!(harness.state.cursor, Some(first));
}

#[test]
fn marks_without_a_letter_get_a_column_of_their_own() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.send(Msg::Input(Input::Paste("\u{301}a\n\u{200d}b\u{e0041}".to_string())));
    harness.keys("<Enter>");
    let screen = harness.screen();
    assert!(screen.contains("you    ◌\u{301}a") && screen.contains("<U+200D>b<U+E0041>"), "{screen}");
}

#[test]
fn nothing_on_any_screen_acts_on_the_terminal() {
    let hostile = "a\u{1b}[2J\u{9b}31m\u{202e}b\u{2066}c\u{7}";
    let mut harness = Harness::new(120, 36, vec![pieces(hostile)]);
    harness.send(answered(vec![Block::Text(format!("1 {hostile}"))]));
    harness.send(Msg::NoModel(format!("no {hostile}.gguf")));
    harness.send(Msg::Input(Input::Paste(hostile.to_string())));
    let check = |harness: &Harness| {
        let buffer = harness.buffer();
        for cell in buffer.content() {
            assert!(!cell.symbol().contains(crate::token::acts_on_a_terminal), "{:?}", cell.symbol());
        }
    };
    check(&harness);
    assert!(
        harness.screen().contains("1 a<0x1B>[2J<0x9B>31m<U+202E>b<U+2066>c<0x07>"),
        "{}",
        harness.screen()
    );
    harness.keys("<Enter>");
    check(&harness);
    harness.keys("<Left><Left>");
    check(&harness);
}

#[test]
fn half_a_character_is_shown_as_its_byte_only_if_nothing_completes_it() {
    let mut harness = Harness::new(120, 36, vec![]);
    let bytes = "北".as_bytes();
    harness.keys("x<Enter>");
    let id = harness.state.session.job().map(|job| job.id);
    assert_eq!(id, None);
    let mut turn = crate::session::turn::Turn::reply(Default::default(), 0, 0);
    let vocab = &harness.state.model().unwrap().vocab;
    for &byte in &bytes[..2] {
        let step = crate::step::Step { id: crate::token::TokenId(u32::from(byte)), stats: None };
        turn.grow(&step, Default::default(), vocab);
    }
    assert_eq!(turn.text, "");
    let step = crate::step::Step { id: crate::token::TokenId(u32::from(bytes[2])), stats: None };
    turn.grow(&step, Default::default(), vocab);
    assert_eq!(turn.text, "北");
    turn.grow(&step, Default::default(), vocab);
    turn.finish(FinishReason::Length, Default::default());
    assert_eq!(turn.text, "北<0x97>");
}

#[test]
fn narrow_screens_show_one_side_at_a_time() {
    let mut harness = Harness::new(60, 20, vec![paris()]);
    harness.keys("hi<Enter>");
    assert!(harness.screen().contains("The capital is Paris") && !harness.screen().contains("next token"));
    harness.keys("<Tab><Tab>");
    assert!(harness.screen().contains("next token") && !harness.screen().contains("The capital is"));
}

#[test]
fn a_screen_too_small_says_so_and_recovers() {
    let mut harness = Harness::new(30, 8, vec![paris()]);
    harness.keys("hi<Enter>");
    assert!(harness.screen().contains("too small"), "{}", harness.screen());
    harness.send(Msg::Input(Input::Resize(100, 30)));
    assert!(harness.screen().contains("The capital is Paris"), "{}", harness.screen());
}

#[test]
fn resizing_keeps_the_conversation_and_never_panics() {
    let mut harness = Harness::new(120, 36, vec![lines(20)]);
    harness.keys("hi 北京<Enter><Left><Left>");
    for width in (1..160).step_by(7) {
        for height in (1..50).step_by(3) {
            harness.send(Msg::Input(Input::Resize(width, height)));
            harness.screen();
        }
    }
}

#[test]
fn signals_end_with_the_code_shells_expect() {
    let mut harness = Harness::new(120, 36, vec![]);
    harness.send(Msg::Terminate(15));
    assert!(harness.left_with(143));
}

#[test]
fn the_first_frame_needs_no_model() {
    let harness = Harness::loading(80, 24, vec![]);
    assert!(harness.screen().contains("finding smollm2-135m"), "{}", harness.screen());
}

#[test]
fn a_question_is_asked_aside_and_its_answer_shown_in_place() {
    let mut harness = Harness::new(120, 36, vec![]);
    harness.keys("/next The cat<Enter>");
    let asked = harness
        .effects
        .iter()
        .any(|effect| matches!(effect, Effect::Ask(Question::Next(asked), _) if asked.prompt == b"The cat"));
    assert!(asked);
    assert!(harness.screen().contains("^C stop"));
    harness.keys("hello<Enter>");
    assert!(harness.screen().contains("still answering"), "{}", harness.screen());
    harness.send(answered(vec![Block::Text("1  ␣sat  50.0".to_string())]));
    assert!(harness.screen().contains("␣sat  50.0"), "{}", harness.screen());
    assert!(!harness.screen().contains("^C stop"));
}

#[test]
fn a_model_that_cannot_be_had_leaves_the_one_there_is() {
    let mut harness = Harness::new(120, 36, vec![paris(), paris()]);
    harness.keys("hi<Enter>/model nope.gguf<Enter>again<Enter>");
    assert!(harness.state.session.is_waiting());
    harness.send(Msg::NoModel("there is no nope.gguf".to_string()));
    let screen = harness.screen();
    assert!(screen.contains("there is no nope.gguf"), "{screen}");
    assert_eq!(screen.matches("The capital is Paris").count(), 2, "{screen}");
    // Nor is one lost whose file turns out to be no good while it is loaded, and where none is left that is said.
    harness.keys("/model broken.gguf<Enter>");
    harness.send(Msg::Engine(Event::LoadProgress(0.3)));
    harness.send(Msg::NoModel("broken.gguf is damaged".to_string()));
    assert!(harness.state.session.model().is_some());
    harness.keys("/model broken.gguf<Enter>");
    harness.send(Msg::Engine(Event::LoadProgress(0.3)));
    harness.send(Msg::Engine(Event::Lost(EngineError::Died("no memory".to_string()))));
    harness.send(Msg::NoModel("broken.gguf is damaged".to_string()));
    assert!(harness.state.session.model().is_none());
}

#[test]
fn another_model_is_loaded_in_place() {
    let mut harness = Harness::new(120, 36, vec![paris(), paris()]);
    harness.keys("hi<Enter>/model other.gguf<Enter>");
    assert!(
        harness.effects.iter().any(|effect| matches!(effect, Effect::Load(name) if name == "other.gguf"))
    );
    harness.keys("again<Enter>");
    assert!(harness.state.session.is_waiting());
    let ready = harness.engine.ready();
    harness.send(Msg::Engine(ready));
    assert_eq!(harness.state.session.turns().len(), 4);
}

#[test]
fn a_loaded_conversation_can_be_walked_with_its_figures() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("talk.json").display().to_string();
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys(&format!("hi<Enter>/save {file}<Enter>"));
    let walked = |harness: &mut Harness| -> Vec<String> {
        (0..harness.state.session.sequence().len())
            .map(|_| {
                harness.keys("<Left>");
                harness
                    .screen()
                    .lines()
                    .map(|line| line.chars().skip(66).collect::<String>())
                    .take(35)
                    .collect()
            })
            .collect()
    };
    let before = walked(&mut harness);
    assert!(before[0].contains("␣Paris"), "{}", before[0]);
    let mut other = Harness::new(120, 36, vec![]);
    other.keys(&format!("/load {file}<Enter>"));
    assert_eq!(walked(&mut other), before);
}

#[test]
fn without_a_model_a_message_is_not_kept_waiting() {
    let mut harness = Harness::loading(120, 36, vec![paris()]);
    harness.keys("first<Enter>");
    assert!(harness.state.session.is_waiting());
    harness.keys("second<Enter>");
    assert!(harness.screen().contains("one message waits for"), "{}", harness.screen());
    assert_eq!(harness.state.composer.text(), "second");
    harness.keys("<C-u>");
    harness.send(Msg::NoModel("there is no x.gguf".to_string()));
    let screen = harness.screen();
    assert!(screen.contains("there is no x.gguf") && screen.contains("/model NAME"), "{screen}");
    // The message that waited is a draft again, and sending it says at once why it can't be answered.
    assert_eq!(harness.state.composer.text(), "first");
    assert!(harness.state.session.turns().is_empty() && !harness.state.session.is_waiting());
    harness.keys("<Enter>");
    assert!(harness.screen().matches("there is no model").count() >= 2, "{}", harness.screen());
    assert_eq!(harness.state.composer.text(), "first");
    // With a model on its way it waits again.
    harness.keys("<C-u>/model smollm2-135m<Enter>first<Enter>");
    let ready = harness.engine.ready();
    harness.send(Msg::Engine(ready));
    assert!(harness.screen().contains("The capital is Paris"));
}

#[test]
fn tab_asks_for_files_where_a_command_takes_one() {
    let mut harness = Harness::new(120, 36, vec![]);
    harness.keys("/load ta<Tab>");
    let asked = |effect: &Effect| matches!(effect, Effect::ListFiles(line) if line == "/load ta");
    assert!(harness.effects.iter().any(asked));
    let of = |line: &str| crate::command::Completion {
        line: line.to_string(),
        label: line.to_string(),
        help: String::new(),
    };
    let found = vec![of("/load talk.json"), of("/load tales/")];
    harness.send(Msg::Files("/load ta".to_string(), found));
    assert_eq!(harness.state.composer.text(), "/load tal");
    harness.keys("<Down><Tab>");
    assert_eq!((harness.state.composer.text(), harness.state.focus), ("/load tales/", &MESSAGE));
}

#[test]
fn slow_motion_shows_a_step_at_a_time_and_stops_where_it_is() {
    let mut harness = Harness::new(120, 36, vec![paris(), paris()]);
    harness.keys("/set pace 2<Enter>hi<Enter>");
    assert!(!harness.screen().contains("The"), "{}", harness.screen());
    assert!(harness.state.session.job().is_some());
    harness.send(Msg::Next);
    harness.send(Msg::Next);
    assert!(harness.screen().contains("model  The capital") && !harness.screen().contains("Paris"));
    harness.keys("<C-c>");
    assert!(harness.state.held.is_empty() && harness.state.session.job().is_none());
    assert!(harness.screen().contains("the reply was stopped here"), "{}", harness.screen());
    assert_eq!(harness.state.session.turns()[1].content, "The capital");
    harness.keys("again<Enter>");
    for _ in 0..5 {
        harness.send(Msg::Next);
    }
    assert!(harness.screen().contains("The capital is Paris<|im_end|>"), "{}", harness.screen());
    assert!(harness.state.held.is_empty() && harness.state.session.job().is_none());
    assert!(harness.screen().contains(" · the model ended it · "), "{}", harness.screen());
}

#[test]
fn every_reply_says_why_it_ended() {
    let mut harness = Harness::new(120, 36, vec![vec![("The", 0.9)], paris()]);
    harness.keys("hi<Enter>");
    assert!(harness.screen().contains("the reply ends here: it has as many"), "{}", harness.screen());
    assert!(harness.screen().contains(" · as many as asked for · "), "{}", harness.screen());
    harness.hold();
    harness.keys("more<Enter>");
    harness.say(3);
    let id = harness.state.session.job().unwrap().id;
    let timing = crate::engine::Timing::default();
    harness.send(Msg::Reply(id, Event::Finished { reason: FinishReason::Cancelled, timing }));
    assert!(harness.screen().contains(" · stopped · "), "{}", harness.screen());
    assert!(harness.screen().contains("the reply was stopped here"));
}

#[test]
fn an_empty_conversation_has_questions_to_press_enter_on() {
    let mut harness = Harness::new(80, 24, vec![paris()]);
    let screen = harness.screen();
    for example in EXAMPLES {
        assert!(screen.contains(example), "{screen}");
    }
    for key in ["Enter", "← →", "Alt-n", "Alt-c", "?", "Ctrl-C"] {
        assert!(screen.contains(key), "{key}: {screen}");
    }
    harness.keys("<Down><Enter>");
    assert_eq!(harness.state.session.turns()[0].content, EXAMPLES[1]);
    assert!(!harness.screen().contains(EXAMPLES[0]));
    // An Enter on nothing says nothing once the conversation has begun.
    harness.keys("<Enter>");
    assert_eq!(harness.state.session.turns().len(), 2);
}

#[test]
fn figures_and_settings_are_explained() {
    let mut harness = Harness::new(160, 40, vec![]);
    harness.keys("/explain margin<Enter>");
    assert!(harness.screen().contains("how far the best candidate is ahead"), "{}", harness.screen());
    for key in crate::settings::key::SettingKey::ALL {
        let mut harness = Harness::new(200, 40, vec![]);
        harness.keys(&format!("/set {}<Enter>", key.name()));
        let first: String = key.meaning().chars().take(30).collect();
        assert!(harness.screen().contains(&first), "{}: {}", key.name(), harness.screen());
    }
}

#[test]
fn while_a_prompt_is_read_the_panels_say_how_far_it_is() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.hold();
    harness.keys("hi<Enter>");
    let total = harness.state.session.sequence().len();
    let id = harness.state.session.job().unwrap().id;
    let words = |done: usize| format!("{done} of {total} tokens of your message and its frame");
    let screen = harness.screen();
    assert_eq!(screen.matches(&words(0)).count(), 2, "{screen}");
    let step = |id, stats| std::sync::Arc::new(crate::step::Step { id, stats });
    let first = harness.state.session.sequence().get(0).unwrap().id;
    harness.send(Msg::Reply(id, Event::Prefill { steps: vec![step(first, None)], done: 1, total }));
    let screen = harness.screen();
    assert_eq!(screen.matches(&words(1)).count(), 2, "{screen}");
    assert!(screen.contains(&format!("1 of {total} prompt tokens")), "{screen}");
    assert!(!screen.contains('Σ') && !screen.contains("scaffold"), "{screen}");
    // Whoever walks sees the step.
    harness.keys("<Home>");
    assert!(!harness.screen().contains("and its frame"), "{}", harness.screen());
    harness.keys("<Esc>");
    harness.say(99);
    let screen = harness.screen();
    assert!(!screen.contains("and its frame") && screen.contains("Σ −"), "{screen}");
}

#[test]
fn a_probe_says_how_far_it_is_and_what_it_found_stays() {
    let mut harness = Harness::new(120, 36, vec![]);
    harness.keys("/probe facts.en<Enter>");
    let far = crate::counter::Far { what: "probing", unit: "answers", done: 12, total: 60 };
    harness.send(Msg::Far(far));
    assert!(harness.screen().contains("probing 12 of 60 answers"), "{}", harness.screen());
    let (told, reason) = ("capitals 3/4\n".to_string(), "the engine died".to_string());
    harness.send(Msg::Answered(Err(NoAnswer { told, reason })));
    let screen = harness.screen();
    assert!(screen.contains("capitals 3/4") && screen.contains("the engine died"), "{screen}");
    assert!(!screen.contains("probing 12"), "{screen}");
    // A late word about a question that is answered changes nothing.
    harness.send(Msg::Far(far));
    assert!(!harness.screen().contains("probing 12"));
}

#[test]
fn the_frame_is_shown_by_a_key_and_where_somebody_walks() {
    let mut harness = Harness::new(120, 36, vec![paris(), paris()]);
    harness.keys("hi<Enter>again<Enter>");
    assert!(!harness.screen().contains("<|im_start|>user"), "{}", harness.screen());
    harness.keys("<A-s>");
    let screen = harness.screen();
    assert_eq!(screen.matches("<|im_start|>user").count(), 2, "{screen}");
    assert_eq!(screen.matches("<|im_start|>assistant").count(), 2, "{screen}");
    harness.keys("<Tab>s");
    assert!(!harness.screen().contains("<|im_start|>user"));
    // The stretch that the cursor is in, and no other.
    harness.keys("<Home>");
    let screen = harness.screen();
    assert_eq!(screen.matches("<|im_start|>").count(), 2, "its place and the table: {screen}");
    let (column, row) = harness.find("<|im_start|>");
    let cursor = harness.state.theme.cursor();
    let style = harness.buffer()[(column, row)].style();
    assert!(style.add_modifier.contains(cursor.add_modifier), "{style:?}");
    // A click meets the token there.
    harness.keys("<A-s>");
    let (column, row) = harness.find("<|im_start|>assistant");
    harness.click(column, row);
    let token = harness.state.cursor.unwrap();
    assert!(token > 0 && harness.state.turn_of(token).is_none());
}

#[test]
fn figures_that_are_known_within_bounds_are_shown_as_such() {
    let mut harness = Harness::loading(140, 36, vec![vec![(" Paris", 0.3), ("<|im_end|>", 0.7)]]);
    harness.engine = harness.engine.clone().giving(1);
    let ready = harness.engine.ready();
    harness.send(Msg::Engine(ready));
    harness.keys("hi<Enter><Esc><Left>");
    let screen = harness.screen();
    assert!(screen.contains("rank 2–266"), "{screen}");
    let entropy = screen.split("entropy ").last().unwrap();
    assert!(entropy.starts_with("0.36–"), "{screen}");
}

#[test]
fn an_answer_is_walked_row_by_row_and_the_figures_follow() {
    let mut harness = Harness::new(100, 36, vec![]);
    harness.keys("/score The capital is Paris<Enter>");
    harness.answer();
    harness.keys("<Tab>k");
    let screen = harness.screen();
    assert!(screen.contains("token 4 of an answer"), "{screen}");
    let Some(step) = harness.state.answer_step() else { panic!("{screen}") };
    assert_eq!(harness.state.model().unwrap().vocab.text(step.id), " Paris");
    let logprob = format!("{:.3}", step.logprob().unwrap()).replace('-', "−");
    assert!(screen.contains(&logprob), "{logprob}: {screen}");
    harness.keys("kk");
    assert!(harness.screen().contains("token 2 of an answer"), "{}", harness.screen());
    harness.keys("jjj");
    assert!(harness.screen().contains("token 4 of an answer"), "the last row is the end of the way");
    harness.keys("<Esc>");
    assert!(!harness.screen().contains("of an answer"));
}

#[test]
fn a_candidate_is_clicked_and_taken_and_an_earlier_table_goes_on_its_own_way() {
    let mut harness = Harness::new(100, 40, vec![]);
    harness.keys("/next The<Enter>");
    harness.answer();
    let row_of = |harness: &Harness, text: &str| {
        let screen = harness.screen();
        let at = screen.lines().position(|line| line.contains(text));
        at.unwrap_or_else(|| panic!("no {text}: {screen}")) as u16
    };
    let capital = row_of(&harness, "␣capital");
    harness.click(15, capital);
    let reversed = |harness: &Harness| {
        harness.buffer()[(15, capital)].modifier.contains(Modifier::REVERSED)
            || (8..40).any(|x| harness.buffer()[(x, capital)].modifier.contains(Modifier::REVERSED))
    };
    assert!(reversed(&harness));
    harness.keys("<Enter>");
    harness.answer();
    assert!(harness.screen().contains("The capital"), "{}", harness.screen());
    // Back to the first table.
    harness.click(15, capital);
    harness.keys("j<Enter>");
    let asked = harness.effects.iter().rev().find_map(|effect| match effect {
        Effect::Ask(Question::Step(ids), _) => Some(ids.clone()),
        _ => None,
    });
    assert_eq!(asked.map(|ids| ids.len()), Some(2), "the first table's text and one token");
}

#[test]
fn the_chat_answers_every_question_and_cuts_nothing() {
    let suite = "[suite]\nname = \"s\"\n[[probe]]\nid = \"a-name-longer-than-any-column-there-is\"\n\
                 prompt = \"The capital is\"\nchoices = [\" Paris\", \" London\"]\nanswer = 0\n\
                 expect = [\"p(' Paris') > 2\"]\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("s.toml");
    std::fs::write(&file, suite).unwrap();
    let probe = format!("/probe {}", file.display());
    let questions = [
        ("/next The", "entropy"),
        ("/score The capital is", "tokens scored"),
        ("/compare The capital is Paris ||| The capital is London", "best of its row"),
        ("/generate The", "(as many as asked for)"),
        ("/tokens The capital", "2 tokens"),
        (&probe, "1 items"),
    ];
    for (width, height) in [(100, 90), (46, 90)] {
        for (question, end) in questions {
            let mut harness = Harness::new(width, height, vec![vec![(" Paris", 0.5); 3]]);
            harness.keys(&format!("{question}<Enter>"));
            harness.answer();
            harness.keys("<Tab>z");
            let screen = harness.screen();
            let text: String = screen.chars().filter(|c| !c.is_whitespace() && *c != '│').collect();
            assert!(text.contains(&end.replace(' ', "")), "{question}: {screen}");
            let shown = screen.lines().filter(|line| line.contains('…') && !line.contains("more"));
            assert_eq!(shown.count(), 0, "{question}: {screen}");
        }
    }
}

#[test]
fn a_paste_of_ten_megabytes_never_holds_the_screen() {
    let second = std::time::Duration::from_secs(1);
    let timed = |harness: &mut Harness, what: &str, act: &dyn Fn(&mut Harness)| {
        let begun = std::time::Instant::now();
        act(harness);
        harness.screen();
        eprintln!("{what} {:?}", begun.elapsed());
        assert!(begun.elapsed() < second, "{what}: {:?}", begun.elapsed());
    };
    for loading in [false, true] {
        let replies = vec![paris()];
        let mut harness =
            if loading { Harness::loading(120, 36, replies) } else { Harness::new(120, 36, replies) };
        let text = "the cat sat on alpha beta gamma ".repeat(10 * (1 << 20) / 32);
        timed(&mut harness, "paste", &|harness| harness.send(Msg::Input(Input::Paste(text.clone()))));

        assert!(harness.screen().contains("[text 1: 10240 KiB]"), "{}", harness.screen());
        timed(&mut harness, "key", &|harness| harness.keys("x"));
        assert_eq!(harness.state.composer.message().len(), text.len() + 1);
        timed(&mut harness, "draft", &|harness| harness.keys("<C-c><C-y>"));
        timed(&mut harness, "enter", &|harness| harness.keys("<Enter>"));
        if loading {
            assert!(harness.state.session.is_waiting());
            let ready = harness.engine.ready();
            timed(&mut harness, "ready", &|harness| harness.send(Msg::Engine(ready.clone())));
        }
        assert!(harness.screen().contains("would need at least"), "{}", harness.screen());
        // Nothing of it is lost.
        assert_eq!(harness.state.composer.message().len(), text.len() + 1);
        harness.keys("<C-c>hello<Enter>");
        assert!(harness.screen().contains("The capital is Paris"), "{}", harness.screen());
    }
}
