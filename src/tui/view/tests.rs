//! Whole screens, as people see them.

use crate::engine::scripted::Line;
use crate::tui::harness::Harness;

fn reply() -> Vec<Line> {
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
