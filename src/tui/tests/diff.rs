//! Two branches side by side.

use super::*;

fn parted(width: u16, height: u16) -> Harness {
    let other = vec![(" Paris", 0.5), (" is", 0.25), ("<|im_end|>", 0.7)];
    let mut harness = Harness::new(width, height, vec![paris(), other]);
    harness.keys("hi<Enter>");
    // Another candidate at step 2.
    harness.submit("/swap 2 2");
    harness
}

#[test]
fn the_first_difference_stands_in_one_row_with_the_difference_of_each_token() {
    let mut harness = parted(120, 36);
    harness.submit("/diff 1 2");
    assert_eq!(harness.state.focus, &DIFF);
    let start = harness.state.session.sequence().reply_start();
    let screen = harness.screen();
    let rows: Vec<&str> = screen.lines().collect();
    let head = rows.iter().position(|row| row.contains("branch 1") && row.contains("▸branch 2")).unwrap();
    assert!(rows[head + 2].contains("The"), "the last common token: {screen}");
    let first = rows[head + 3];
    assert!(first.contains(&format!("{} ", start + 2)) && first.contains("␣capital"), "{screen}");
    // ln 0.5 − ln 0.95 where branch 2 says Paris and branch 1 is.
    assert!(rows[head + 4].contains("−0.642") && rows[head + 4].contains("␣is"), "{screen}");
    assert!(screen.contains("branch 1: Σ −") && screen.contains("Δ: Σ"), "{screen}");
    // The figures follow on the present branch, and on the other one Enter goes there.
    assert_eq!(harness.state.cursor, Some(start + 1));
    harness.keys("<Down>");
    assert_eq!(harness.state.cursor, Some(start + 2));
    harness.keys("i");
    let screen = harness.screen().replace('\n', " ");
    assert!(screen.contains("Δ −0.642 nat at token"), "{screen}");
    harness.submit("/pane diff");
    harness.keys("<Left><Enter>");
    assert_eq!(harness.state.session.branches().current().number, 1);
    assert_eq!((harness.state.cursor, harness.state.focus), (Some(start + 2), &CHAT));
}

#[test]
fn a_click_chooses_and_a_second_one_goes_there() {
    let mut harness = parted(80, 24);
    harness.keys("<A-t>");
    harness.keys("<Up>d");
    assert_eq!(harness.state.focus, &DIFF, "{}", harness.screen());
    let (x, y) = harness.find("␣capital");
    harness.click(x, y);
    assert_eq!(harness.state.session.branches().current().number, 2);
    harness.click(x, y);
    assert_eq!(harness.state.session.branches().current().number, 1);
    harness.submit("/diff 1 1");
    assert!(harness.screen().contains("they are the same"), "{}", harness.screen());
    harness.submit("/diff 1 9");
    assert!(harness.screen().contains("9 is no branch"), "{}", harness.screen());
}

#[test]
fn it_fits_where_there_is_little_room() {
    for (width, height) in [(30, 10), (40, 10), (46, 12), (65, 20), (80, 24)] {
        let mut harness = parted(width, height);
        harness.submit("/diff 1 2");
        for key in ["<Down>", "<End>", "<Home>", "<Up>", "<PgDn>", "<PgUp>"] {
            harness.keys(key);
        }
        if width >= 40 {
            let screen = harness.screen();
            assert!(screen.contains("Δ") && screen.contains("branch 2"), "{width}×{height}: {screen}");
            assert!(screen.contains("capital"), "the first difference, {width}×{height}: {screen}");
        }
    }
}
