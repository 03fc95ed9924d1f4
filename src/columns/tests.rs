use proptest::prelude::*;

use super::*;

/// What people see as one character, and the columns it takes.
const WHOLE: [(&str, usize); 16] = [
    ("e\u{301}", 1),
    ("a\u{308}\u{323}", 1),
    ("नि", 2),
    ("न्\u{200d}", 1),
    ("ก\u{e33}", 2),
    ("ท\u{e35}\u{e48}", 1),
    ("ح\u{64e}", 1),
    ("한", 2),
    ("\u{1112}\u{1161}\u{11ab}", 2),
    ("👩\u{200d}👩\u{200d}👧", 2),
    ("👍🏽", 2),
    ("🇩🇪", 2),
    ("❤\u{fe0f}", 2),
    ("1\u{fe0f}\u{20e3}", 2),
    ("葛\u{e0100}", 2),
    ("🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}", 2),
];

#[test]
fn a_grapheme_is_drawn_whole_in_its_columns() {
    for (grapheme, columns) in WHOLE {
        assert_eq!(drawn(grapheme), grapheme);
        assert_eq!(grapheme_width(grapheme), columns, "{grapheme:?}");
    }
}

#[test]
fn what_has_no_columns_of_its_own_gets_some() {
    assert_eq!(drawn("\u{301}"), "◌\u{301}");
    assert_eq!(drawn("\u{200d}"), "<U+200D>");
    assert_eq!(drawn("\u{fe0f}"), "<U+FE0F>");
    assert_eq!(drawn("\u{1161}"), "<U+1161>");
    assert_eq!(drawn("\t"), "    ");
    assert_eq!(width("\u{301}"), 1);
    assert_eq!(alone('\u{301}'), "◌\u{301}");
    assert_eq!(alone('\u{200d}'), "<U+200D>");
    assert_eq!(alone('🏽'), "🏽");
}

#[test]
fn tags_hide_text_except_in_a_flag() {
    assert_eq!(drawn("a\u{e0068}\u{e0069}"), "a<U+E0068><U+E0069>");
    assert_eq!(width("a\u{e0068}"), 10);
}

#[test]
fn a_pile_of_marks_has_an_end() {
    let pile = format!("a{}", "\u{301}".repeat(1000));
    assert_eq!(drawn(&pile).chars().count(), LONGEST + 1);
    assert_eq!(width(&pile), 2);
}

#[test]
fn text_is_cut_between_graphemes_and_marked() {
    assert_eq!(clipped("北京北京", 5), "北京…");
    assert_eq!(fitted("北京在哪里", 6), "北京… ");
    assert_eq!(fitted("ab", 4), "ab  ");
    assert_eq!(clipped("he\u{301}llo", 3), "he\u{301}…");
    assert_eq!(padded("e\u{301}", 3), "e\u{301}  ");
    assert_eq!(clipped("abc", 0), "");
}

#[test]
fn prose_is_cut_at_blanks_and_else_between_graphemes() {
    assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
    assert_eq!(wrapped("训练让正确的 词元", 7), ["训练让", "正确的", "词元"]);
    assert_eq!(wrapped("ne\u{301}e", 2), ["ne\u{301}", "e"]);
    assert_eq!(wrapped("", 7), [""; 0]);
}

proptest! {
    #[test]
    fn every_grapheme_takes_a_column(text in "\\PC{0,40}") {
        for grapheme in text.graphemes(true) {
            prop_assert!(grapheme_width(grapheme) > 0, "{grapheme:?}");
        }
        prop_assert_eq!(width(&text), drawn_text(&text).graphemes(true).map(UnicodeWidthStr::width).sum::<usize>());
    }

    #[test]
    fn a_fitted_text_has_exactly_its_columns(text in "\\PC{0,20}", columns in 0usize..12) {
        prop_assert_eq!(width(&fitted(&text, columns)), columns);
        let once = drawn_text(&text);
        prop_assert_eq!(drawn_text(&once), once.clone());
    }
}

#[test]
fn lines_are_broken_between_words_and_words_that_are_too_long_inside() {
    assert_eq!(wrapped("one two  three", 7), ["one two", "three"]);
    assert_eq!(wrapped("unbreakable x", 6), ["unbrea", "kable", "x"]);
    assert_eq!(wrapped("北京 天", 4), ["北京", "天"]);
    assert!(wrapped(" ", 10).is_empty());
}
