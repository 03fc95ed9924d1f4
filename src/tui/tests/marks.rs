//! Marks, the clipboard, and the question before a file is written over.

use ratatui::style::Modifier;

use crate::tui::harness::Harness;
use crate::tui::msg::Effect;

#[test]
fn keys_mark_what_the_cursor_is_on_and_copy_the_reply() {
    let reply = vec![("The", 0.9), (" capital", 0.4), (" Paris", 0.8), ("<|im_end|>", 0.7)];
    let mut harness = Harness::new(120, 30, vec![reply]);
    harness.keys("hi<Enter>");
    harness.keys("<Tab><Left><Left>w");
    let right_at =
        |harness: &Harness, at| harness.state.session.verdict_at(at).and_then(|judged| judged.right);
    let at = harness.state.cursor.unwrap();
    assert_eq!(right_at(&harness, at), Some(false));
    assert!(harness.screen().contains("✗"), "{}", harness.screen());
    let struck = |harness: &Harness| {
        let cells = harness.buffer();
        cells.content().iter().any(|cell| cell.modifier.contains(Modifier::CROSSED_OUT))
    };
    assert!(struck(&harness));
    harness.keys("u");
    assert_eq!((right_at(&harness, at), struck(&harness)), (None, false));
    harness.keys("v<Left>r");
    assert_eq!([right_at(&harness, at - 1), right_at(&harness, at)], [Some(true), Some(true)]);
    assert_eq!(
        harness.state.session.verdicts().last().map(|judged| judged.tokens[1] - judged.tokens[0]),
        Some(1)
    );
    harness.keys("y");
    let copied = harness.effects.iter().find_map(|effect| match effect {
        Effect::Copy(text, _) => Some(text.clone()),
        _ => None,
    });
    assert_eq!(copied.as_deref(), Some("The capital Paris"));
}

#[test]
fn the_screen_asks_before_a_file_is_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("x.csv");
    std::fs::write(&file, "old").unwrap();
    let mut harness = Harness::new(120, 30, vec![vec![("The", 0.9), ("<|im_end|>", 0.7)]]);
    harness.keys("hi<Enter>");
    harness.submit(&format!("/export {}", file.display()));
    let screen = harness.screen();
    assert!(screen.contains("write over it? Enter does") && screen.contains("/export! "), "{screen}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "old");
    harness.keys("<Enter>");
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("turn,role,part"), "{}", harness.screen());
}
