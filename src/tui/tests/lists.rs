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
    for (written, what) in [
        ("temperature", "/set temp"),
        ("temprature", "/set temp"),
        ("side by side", "/retry"),
        ("side-by-side", "/diff"),
        ("slow motion", "/set pace"),
    ] {
        harness.keys(&format!("<Esc><C-p>{written}"));
        assert!(labels(&harness).iter().any(|label| label == what), "{written}: {:?}", labels(&harness));
    }
    harness.keys("<Esc><C-p>nucleus");
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
    // Two rows for three candidates.
    let mut harness = Harness::new(120, 14, vec![paris()]);
    harness.keys("hi<Enter><Left><Tab><Tab>");
    assert_eq!(*harness.state.focus, TABLE);
    let (x, y) = harness.find("ln p");
    let first = |harness: &Harness| harness.screen().lines().nth(usize::from(y) + 1).unwrap().to_string();
    let top = first(&harness);
    assert!(top.contains("␣Paris") && !harness.screen().contains("␣London"), "{}", harness.screen());
    harness.keys("<End>");
    // The chosen token is out of sight and has a row of its own: one is left.
    assert!(first(&harness).contains("␣London"), "{}", harness.screen());
    assert_eq!(harness.state.table_scroll, 2);
    // The wheel stops at the ends.
    (0..5).for_each(|_| harness.wheel(false, x, y + 2));
    assert_eq!(harness.state.table_scroll, 2);
    harness.keys("<PgUp>");
    assert_eq!(harness.state.table_scroll, 1);
    harness.keys("<Home>");
    assert_eq!((harness.state.table_scroll, first(&harness)), (0, top));
    // What is chosen stays in view.
    harness.keys("<Down><PgDn>");
    assert_eq!((harness.state.table_scroll, harness.state.table_row), (1, Some(1)));
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

#[test]
fn i_says_what_the_figures_of_the_pane_are_with_their_values() {
    let mut harness = Harness::new(120, 60, vec![paris()]);
    harness.keys("hi<Enter><Left><Tab><Tab>i");
    let screen = harness.screen();
    for expected in ["raw 80.00 %: what the model itself", "ln p −0.223 nat (−0.322 bit)", "rank 1 of 266"]
    {
        assert!(screen.contains(expected), "{expected}: {screen}");
    }
    let mut harness = Harness::new(120, 60, vec![paris()]);
    harness.keys("hi<Enter><Tab><Tab><Tab>i");
    let screen = harness.screen();
    assert!(screen.contains("Σ −1.65 nat over 5 tokens"), "{screen}");
    harness.submit("/clear");
    harness.keys("<Tab>i");
    assert!(harness.screen().contains("no figures are shown yet"), "{}", harness.screen());
}

#[test]
fn questions_to_begin_with_and_the_last_line_take_clicks() {
    let mut harness = Harness::new(120, 36, vec![paris()]);
    let (x, y) = harness.find(EXAMPLES[2]);
    harness.click(x, y);
    assert_eq!((harness.state.example, harness.state.session.turns().len()), (2, 0));
    harness.click(x, y);
    assert!(harness.screen().contains(&format!("you    {}", EXAMPLES[2])), "{}", harness.screen());
    harness.click(118, 35);
    assert_eq!(harness.state.help, Some(0));
}
