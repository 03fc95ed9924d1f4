//! Lists that are searched, scrolled and clicked: the palette, the candidates, the help.

use super::super::composer::LISTED;
use super::*;

#[test]
fn the_palette_finds_commands_panes_themes_and_settings_by_some_letters_and_by_what_they_do() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    let labels = |harness: &Harness| -> Vec<String> {
        harness.state.composer.completions().0.iter().map(|one| one.label.clone()).collect()
    };
    harness.keys("<C-p>");
    let all = labels(&harness);
    for expected in ["/retry", "/pane lens", "/theme light", "/set temp"] {
        assert!(all.iter().any(|label| label == expected), "{expected}: {all:?}");
    }
    for (written, first) in
        [("tmp", "/set temp"), ("pan tree", "/pane tree"), ("hicon", "/theme high-contrast")]
    {
        harness.keys(&format!("<Esc><C-p>{written}"));
        assert_eq!(labels(&harness)[0], first, "{written}");
    }
    // Words of what it does.
    harness.keys("<Esc><C-p>nucleus");
    assert_eq!(labels(&harness), ["/set top-p"]);
    harness.keys("<Enter>");
    assert_eq!(harness.state.composer.text(), "/set top-p ");
    harness.keys("0.5<Enter>");
    assert_eq!(harness.state.session.settings().sampling.top_p, 0.5);
}

#[test]
fn what_needs_nothing_more_is_done_at_once_and_the_draft_comes_back() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("hi<Enter>half a thou<C-p>pane like<Enter>");
    assert!(*harness.state.focus == LIKELIHOOD);
    assert_eq!(harness.state.composer.text(), "half a thou");
    harness.keys("<C-p>zzzz<Esc>");
    assert_eq!((harness.state.composer.text(), *harness.state.focus == MESSAGE), ("half a thou", true));
    harness.keys("<C-p>set temp<Enter>0<Enter>");
    assert_eq!(harness.state.composer.text(), "half a thou");
    assert_eq!(harness.state.session.settings().sampling.temperature, 0.0);
}

#[test]
fn proposals_take_clicks_and_the_wheel() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("hi<Enter><C-p>pane");
    let (x, y) = harness.find("/pane tree");
    harness.click(x, y);
    assert!(*harness.state.focus == TREE && harness.state.composer.is_empty(), "{}", harness.screen());
    harness.keys("<C-p>");
    let (x, y) = harness.find("/next");
    (0..LISTED).for_each(|_| harness.wheel(false, x, y));
    assert_eq!(harness.state.composer.completions().1, LISTED);
    harness.wheel(true, x, y);
    assert_eq!(harness.state.composer.completions().1, LISTED - 1);
}

#[test]
fn the_table_goes_through_all_candidates_that_are_kept() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    harness.keys("hi<Enter><Left><Tab><Tab>");
    assert_eq!(*harness.state.focus, TABLE);
    let kept = harness.state.shown().unwrap().prediction.top_logprobs.len();
    let (x, y) = harness.find("ln p");
    let first = |harness: &Harness| harness.screen().lines().nth(usize::from(y) + 1).unwrap().to_string();
    let top = first(&harness);
    harness.keys("<End>");
    assert_ne!(first(&harness), top);
    let rest = harness.screen();
    assert!(rest.contains("… 2"), "{rest}");
    let last = harness.state.table_scroll;
    // The wheel stops at the ends.
    (0..kept).for_each(|_| harness.wheel(false, x, y + 2));
    assert_eq!(harness.state.table_scroll, last);
    harness.keys("<PgUp>");
    assert!(harness.state.table_scroll < last);
    harness.keys("<Home>");
    assert_eq!((harness.state.table_scroll, first(&harness)), (0, top));
    // What is chosen stays in view.
    harness.keys("<Down><PgDn>");
    assert!(harness.state.table_row.unwrap() >= harness.state.table_scroll);
    let shown = (harness.state.table_scroll, harness.state.table_row);
    assert!(shown.0 > 0, "{shown:?}");
}

#[test]
fn the_help_takes_the_wheel_and_closes_with_a_click() {
    let mut harness = Harness::new(80, 24, vec![]);
    harness.keys("?");
    harness.wheel(false, 40, 12);
    assert_eq!(harness.state.help, Some(3));
    harness.click(40, 12);
    assert_eq!(harness.state.help, None);
}
