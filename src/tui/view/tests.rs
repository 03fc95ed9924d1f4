//! Whole screens, as people see them.

mod sizes;

use crate::report::view::{Block, Column, Table, TableRow};
use crate::tui::harness::answered;
use std::sync::Arc;
use std::time::Duration;

use ratatui::crossterm::event::Event as Input;
use ratatui::layout::Size;

use crate::distribution::Depth;
use crate::engine::testing::ScriptedLine;
use crate::engine::{Command, Event};
use crate::session::Outcome;
use crate::step::Step;
use crate::tui::harness::Harness;
use crate::tui::msg::Msg;
use crate::tui::pane::{CHAT, TABLE};

fn reply() -> Vec<ScriptedLine> {
    vec![
        ("The", 0.9),
        (" capital", 0.4),
        (" is", 0.95),
        (" Paris", 0.8),
        ("\n", 0.1),
        ("北", 0.02),
        ("<|im_end|>", 0.7),
    ]
}

#[test]
fn wide() {
    let mut harness = Harness::new(120, 36, vec![reply()]);
    harness.keys("What is the capital of France?<Enter>");
    insta::assert_snapshot!(harness.screen());
}

#[test]
fn wide_walking() {
    let mut harness = Harness::new(120, 36, vec![reply()]);
    harness.keys("What is the capital of France?<Enter><Tab><Left>cc");
    insta::assert_snapshot!(harness.screen());
}

#[test]
fn standard() {
    let mut harness = Harness::new(80, 24, vec![reply()]);
    harness.keys("hi<Enter>");
    insta::assert_snapshot!(harness.screen());
}

#[test]
fn standard_figures() {
    let mut harness = Harness::new(80, 24, vec![reply()]);
    harness.keys("hi<Enter><Tab><Tab>");
    insta::assert_snapshot!(harness.screen());
}

#[test]
fn narrow() {
    let mut harness = Harness::new(60, 20, vec![reply()]);
    harness.keys("hi<Enter>/se");
    insta::assert_snapshot!(harness.screen());
}

#[test]
fn narrow_figures() {
    let mut harness = Harness::new(60, 20, vec![reply()]);
    harness.keys("hi<Enter><Tab><Tab>");
    insta::assert_snapshot!(harness.screen());
}

fn lens(width: u16, height: u16, view: &str) -> String {
    let mut harness = Harness::new(width, height, vec![reply()]);
    harness.keys("What is the capital of France?<Enter><Tab><Left><Left><Left><A-l>");
    harness.look();
    harness.keys(view);
    harness.look();
    harness.screen()
}

#[test]
fn standard_lens() {
    insta::assert_snapshot!(lens(80, 24, "1"));
}

fn what_if(width: u16, height: u16) -> String {
    let mut harness = Harness::new(width, height, vec![reply()]);
    harness.keys("What is the capital of France?<Enter><Tab><Left><Left><Left>");
    harness.submit("/pin The");
    harness.submit("/whatif temp 0.5 top-k 3");
    harness.screen()
}

#[test]
fn wide_what_if() {
    insta::assert_snapshot!(what_if(120, 36));
}

#[test]
fn standard_what_if() {
    insta::assert_snapshot!(what_if(80, 24));
}

#[test]
fn wide_found_and_flagged() {
    let mut harness = Harness::new(120, 36, vec![reply()]);
    harness.keys("What is the capital of France?<Enter>");
    harness.submit("/flag 5%");
    harness.submit("/find capital");
    insta::assert_snapshot!(harness.screen());
}

#[test]
fn wide_lens() {
    insta::assert_snapshot!(lens(120, 36, "2"));
}

#[test]
fn widest_lens() {
    insta::assert_snapshot!(lens(200, 60, "4"));
}

/// A knockout that was acted on, and the reply after it.
fn switched_off(width: u16, height: u16) -> String {
    let mut harness = Harness::new(width, height, vec![reply(), reply()]);
    harness.keys("What is the capital of France?<Enter><Tab><Left><A-l>2");
    harness.look();
    harness.keys("<Enter><Esc>");
    harness.keys("And?<Enter><A-l>8");
    harness.look();
    harness.screen()
}

#[test]
fn standard_off() {
    insta::assert_snapshot!(switched_off(80, 24));
}

#[test]
fn wide_off() {
    insta::assert_snapshot!(switched_off(120, 36));
}

#[test]
fn wide_knockout() {
    insta::assert_snapshot!(lens(120, 36, "7"));
}

#[test]
fn empty() {
    insta::assert_snapshot!(Harness::loading(120, 36, vec![]).screen());
}

#[test]
fn help() {
    let mut harness = Harness::new(80, 24, vec![]);
    harness.keys("?");
    insta::assert_snapshot!(harness.screen());
}

/// A reply of so many tokens.
fn words(n: usize) -> Vec<ScriptedLine> {
    [vec![(" the", 0.9); n], vec![("<|im_end|>", 0.7)]].concat()
}

/// The status line.
fn status(harness: &Harness) -> String {
    harness.screen().lines().last().unwrap().to_string()
}

#[test]
fn a_speed_needs_eight_tokens() {
    let mut harness = Harness::new(120, 36, vec![words(20)]);
    harness.hold();
    harness.keys("hi<Enter>");
    harness.say(8);
    assert!(!status(&harness).contains("t/s"), "{}", status(&harness));
    harness.say(1);
    assert!(status(&harness).contains("100.0 t/s"), "{}", status(&harness));
}

#[test]
fn the_speed_of_one_model_is_not_said_of_another() {
    let mut harness = Harness::new(120, 36, vec![words(20), words(20)]);
    harness.keys("hi<Enter>");
    assert!(status(&harness).contains("t/s"));
    harness.keys("/model other.gguf<Enter>");
    assert!(!status(&harness).contains("t/s"), "{}", status(&harness));
    let ready = harness.engine.ready();
    harness.send(Msg::Engine(ready));
    assert!(!status(&harness).contains("t/s"), "{}", status(&harness));
    harness.keys("again<Enter>");
    assert!(status(&harness).contains("t/s"));
}

#[test]
fn the_seed_is_that_of_the_reply_on_the_screen() {
    let mut harness = Harness::new(120, 36, vec![words(3), words(3)]);
    assert!(status(&harness).contains("seed 7"), "the first one's: {}", status(&harness));
    harness.keys("hi<Enter>");
    assert!(status(&harness).contains("seed 7"), "{}", status(&harness));
    harness.keys("again<Enter>");
    assert!(status(&harness).contains("seed 8"), "{}", status(&harness));
    harness.keys("<Tab>");
    let first = harness.state.session.turns()[1].marks[0].token;
    harness.state.walk_to(first);
    assert!(status(&harness).contains("seed 7"), "{}", status(&harness));
}

#[test]
fn the_status_line_never_cuts_a_figure_and_keeps_the_seed() {
    let mut harness = Harness::new(80, 24, vec![words(20)]);
    harness.keys("/set seed 4294967294<Enter>/set temp 0.123<Enter>/set top-k 12345<Enter>hi<Enter>");
    let whole: Vec<String> = {
        harness.state.size = Size::new(300, 24);
        status(&harness).split([' ', '·']).map(str::to_string).collect()
    };
    for width in 40..200 {
        harness.send(Msg::Input(Input::Resize(width, 24)));
        let line = status(&harness);
        for word in line.split([' ', '·']) {
            assert!(whole.iter().any(|other| other == word), "{word:?} at {width}: {line}");
        }
        assert!(width < 60 || line.contains("seed 4294967294"), "{width}: {line}");
        assert!(width < 80 || line.contains("T 0.123"), "{width}: {line}");
    }
}

#[test]
fn the_weights_in_force_stay_where_the_ending_and_their_reason_find_no_room() {
    let mut harness = Harness::new(60, 20, vec![words(200)]);
    harness.keys("hi<Enter>");
    let weights = harness.state.model().unwrap().about.weights.weights.name();
    for width in 45..120 {
        harness.send(Msg::Input(Input::Resize(width, 20)));
        let line = status(&harness);
        assert!(line.contains(&format!("· {weights} ")), "{width}: {line}");
    }
    assert!(
        status(&harness).contains("as many as asked for") || status(&harness).contains("the model ended it")
    );
}

#[test]
fn the_status_line_says_what_is_off() {
    let mut harness = Harness::new(120, 36, vec![words(3)]);
    assert!(!status(&harness).contains("off"), "{}", status(&harness));
    let mut settings = harness.state.session.settings().clone();
    settings.off = vec!["head 2:1".parse().unwrap()];
    harness = Harness::with_settings(120, 36, vec![words(3)], settings);
    let ready = harness.engine.ready();
    harness.send(Msg::Engine(ready));
    assert!(status(&harness).contains("· off head 2:1 (from the start) ·"), "{}", status(&harness));
}

#[test]
fn panes_name_what_they_show() {
    let mut harness = Harness::new(120, 36, vec![words(3), words(3)]);
    harness.keys("hi<Enter>");
    harness.hold();
    harness.keys("again<Enter>");
    harness.say(1);
    let screen = harness.screen();
    assert!(screen.contains(" log-likelihood ─ prompt ") && screen.contains("─ prompt token "), "{screen}");
    harness.say(100);
    harness.keys("<Tab>");
    let first = harness.state.session.turns()[1].marks[0].token;
    harness.state.walk_to(first + 1);
    let screen = harness.screen();
    assert!(screen.contains(" log-likelihood ─ reply 1 of 2 "), "{screen}");
    assert!(screen.contains(" next token ─ reply 1 of 2, step 2 "), "{screen}");
    harness.state.walk_to(0);
    let screen = harness.screen();
    assert!(screen.contains(" log-likelihood ─ prompt ") && screen.contains("prompt token 1 of"), "{screen}");
}

#[test]
fn the_panels_speak_of_nats_alone() {
    let mut harness = Harness::new(120, 36, vec![words(9)]);
    harness.keys("hi<Enter><Left>");
    let screen = harness.screen();
    assert!(screen.contains("entropy 1.00 nat") && screen.contains("surprisal 0.105 nat"), "{screen}");
    for _ in 0..5 {
        harness.keys("<Tab>c");
        assert!(!harness.screen().contains(" bit"), "{}", harness.screen());
    }
}

#[test]
fn no_number_is_cut_in_a_narrow_pane() {
    let mut improbable = vec![(" Paris", 1e-30), ("The", 0.5)];
    improbable.extend(words(4));
    let mut harness = Harness::new(40, 16, vec![improbable]);
    harness.keys("hi<Enter><Tab><Tab>");
    let first = harness.state.session.sequence().reply_start();
    harness.state.walk_to(first);
    let screen = harness.screen();
    assert!(screen.contains("−69.078"), "{screen}");
    // Nor in an answer: what has no room goes on below.
    let mut harness = Harness::new(40, 16, vec![]);
    let columns = [Column::text("token", 18), Column::figures("p %", 20), Column::figures("ln p", 20)];
    let mut table = Table::new(columns);
    table.rows.push(TableRow::new(["␣sat".into(), "50.0123456789012".into(), "-0.12345678901234567".into()]));
    harness.send(answered(vec![Block::Table(table)]));
    let screen = harness.screen();
    assert!(screen.contains("␣sat  50.0123456789012") && screen.contains("-0.12345678901234567"), "{screen}");
}

#[test]
fn a_screen_of_80_by_24_shows_chat_and_figures_together() {
    let mut harness = Harness::new(80, 24, vec![words(9)]);
    harness.keys("hi<Enter>");
    let screen = harness.screen();
    assert!(screen.contains("you    hi") && screen.contains("model   the the"), "{screen}");
    assert!(screen.contains("step 10 ─ live") && screen.contains("… 263 more"), "{screen}");
    let sum = 9.0 * f64::from(0.9_f32).ln() + f64::from(0.7_f32).ln();
    assert!(screen.contains(&format!("Σ −{:.2} nat", -sum)), "{screen}");
    // The figures alone, and back.
    harness.keys("<Tab><Tab>");
    assert!(harness.screen().contains("log-likelihood ─ reply") && !harness.screen().contains("you    hi"));
    harness.keys("<BackTab>");
    assert!(harness.screen().contains("you    hi"));
}

#[test]
fn the_corner_says_what_to_press_for_the_other_side() {
    let mut harness = Harness::new(40, 10, vec![words(9)]);
    harness.keys("hi<Enter>");
    let first = |harness: &Harness| harness.screen().lines().next().unwrap().to_string();
    for hint in
        [" Tab Tab: figures ", " Tab: figures ", " Shift-Tab: chat ", " Tab Tab: chat ", " Tab: chat "]
    {
        assert!(first(&harness).contains(hint), "{hint}: {}", first(&harness));
        harness.keys("<Tab>");
    }
    assert!(first(&harness).contains(" chat "), "{}", first(&harness));
}

#[test]
fn the_table_fills_its_rows_until_a_number_is_asked_for() {
    for (width, height) in [(200, 60), (120, 36), (90, 30)] {
        let mut harness = Harness::new(width, height, vec![words(9)]);
        harness.hold();
        harness.keys("hi<Enter>");
        harness.say(1);
        let mut stats = harness.state.shown().unwrap().clone();
        let best = stats.prediction.top_logprobs[0];
        stats.prediction.top_logprobs = vec![best; 200];
        let id = harness.state.session.job().unwrap().id;
        let step = Arc::new(Step { id: best.id, stats: Some(stats) });
        harness.send(Msg::Reply(
            id,
            Event::Step { step, elapsed: Duration::from_millis(10), named: Vec::new() },
        ));
        let rows = usize::from(harness.state.areas().unwrap().of(&TABLE).unwrap().area.height) - 5;
        assert_eq!(harness.screen().matches('▸').count(), rows, "{}", harness.screen());
        harness.keys("/set k 4<Enter>");
        assert_eq!(harness.screen().matches('▸').count(), 4, "{}", harness.screen());
    }
}

#[test]
fn a_step_keeps_as_many_candidates_as_the_window_has_rows() {
    for (height, kept) in [(24, 40), (90, 90), (1000, 200)] {
        let mut harness = Harness::new(200, 36, vec![words(2)]);
        harness.send(Msg::Input(Input::Resize(200, height)));
        let Some(Outcome::Run(ticket, task)) = harness.state.session.say("hi").unwrap().pop() else {
            panic!("the message has no prompt")
        };
        let outcomes = harness.state.session.on_done(ticket.id, task.run());
        let depth = outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Send(_, Command::Generate(generate)) => Some(generate.depth),
            _ => None,
        });
        assert_eq!(depth, Some(Depth::Count(kept)));
    }
}

#[test]
fn z_lets_the_focused_pane_fill_the_screen_and_shows_all_again() {
    for (width, height) in [(40, 10), (80, 24), (120, 36), (200, 60)] {
        let mut harness = Harness::new(width, height, vec![words(9), words(9)]);
        harness.keys("hi<Enter>");
        let before = harness.screen();
        for (keys, restore, title) in
            [("<A-z>", "<A-z>", " message "), ("<Tab>z", "z", " chat "), ("<Tab>z", "z", "step 10 ")]
        {
            harness.keys(keys);
            let screen = harness.screen();
            let lines: Vec<&str> = screen.lines().collect();
            assert!(lines[0].starts_with('┌') && lines[0].contains(title), "{title}: {screen}");
            assert!(screen.contains("z: all panes"), "{screen}");
            assert!(lines[usize::from(height) - 2].starts_with('└'), "{screen}");
            assert_eq!(screen.matches('┌').count(), 1, "{screen}");
            harness.keys(restore);
            assert!(!harness.screen().contains("all panes"));
        }
        harness.keys("<BackTab><Esc>");
        assert_eq!(harness.screen(), before);
    }
}

#[test]
fn whoever_leaves_a_pane_that_fills_the_screen_sees_all_panes() {
    let mut harness = Harness::new(120, 36, vec![words(9), words(9)]);
    harness.keys("hi<Enter><Tab>z");
    assert!(!harness.screen().contains(" message "));
    harness.keys("x");
    assert!(harness.screen().contains(" message ") && harness.screen().contains("> x"));
    harness.keys("<A-z>");
    assert!(!harness.screen().contains(" chat "));
    harness.keys("<Enter>");
    assert!(harness.screen().contains(" chat ") && harness.screen().contains("you    x"));
}

#[test]
fn lines_of_text_stay_readable_on_a_wide_screen() {
    let mut harness = Harness::new(240, 60, vec![words(400)]);
    harness.keys("hi<Enter><Tab>z");
    let areas = harness.state.areas().unwrap();
    assert_eq!(areas.of(&CHAT).unwrap().area.width, 240);
    let widest = harness
        .screen()
        .lines()
        .filter(|line| line.contains(" the the"))
        .map(|line| line.trim_end_matches(['│', ' ', '▁']).chars().count())
        .max()
        .unwrap();
    assert!((90..=108).contains(&widest), "{widest}");
}
