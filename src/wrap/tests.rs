use proptest::prelude::*;

use super::*;

fn rows(text: &str, width: u16) -> Vec<&str> {
    let mut wrapped = Wrapped::default();
    wrapped.update(text, width);
    wrapped.rows().iter().map(|row| &text[row.start..row.end]).collect()
}

#[test]
fn words_stay_whole_where_they_fit() {
    assert_eq!(rows("the cat sat", 7), ["the cat ", "sat"]);
    assert_eq!(rows("abcdefgh ij", 4), ["abcd", "efgh ", "ij"]);
    assert_eq!(rows("one\n\ntwo", 9), ["one", "", "two"]);
    assert_eq!(rows("", 9), [""]);
}

#[test]
fn wide_characters_count_two_columns_and_may_end_a_row() {
    assert_eq!(rows("北京在哪里", 4), ["北京", "在哪", "里"]);
    assert_eq!(rows("a北京", 4), ["a北", "京"]);
    assert_eq!(rows("👩‍💻👩‍💻👩‍💻", 4), ["👩‍💻👩‍💻", "👩‍💻"]);
}

#[test]
fn a_narrow_pane_still_shows_a_grapheme_a_row() {
    assert_eq!(rows("北京", 1), ["北", "京"]);
    assert_eq!(rows("abc", 1), ["a", "b", "c"]);
}

#[test]
fn letters_and_their_marks_stay_together_and_words_of_wide_letters_whole() {
    assert_eq!(rows("हिन्दी भाषा", 8), ["हिन्दी ", "भाषा"]);
    assert_eq!(rows("e\u{301}e\u{301}e\u{301}", 2), ["e\u{301}e\u{301}", "e\u{301}"]);
    assert_eq!(rows("🇩🇪🇫🇷🇮🇹", 4), ["🇩🇪🇫🇷", "🇮🇹"]);
    assert_eq!(rows("👍🏽👍🏽x", 4), ["👍🏽👍🏽", "x"]);
}

#[test]
fn white_space_at_a_row_end_hangs() {
    assert_eq!(rows("abcd   ef", 4), ["abcd   ", "ef"]);
}

proptest! {
    #[test]
    fn growing_text_wraps_like_the_whole(pieces in prop::collection::vec("[a-z 北\\n\\t👩⌚❤e\u{301}\u{200d}\u{fe0e}\u{fe0f}🇩🇪🏽कि्ษ]{0,7}", 0..30), width in 1u16..20) {
        let mut growing = Wrapped::default();
        let mut text = String::new();
        for piece in &pieces {
            text.push_str(piece);
            growing.update(&text, width);
        }
        let mut whole = Wrapped::default();
        whole.update(&text, width);
        if !pieces.is_empty() {
            prop_assert_eq!(growing.rows(), whole.rows());
        }
    }

    #[test]
    fn rows_hold_every_byte_but_line_breaks(text in "[a-z 北\\n\\t👩\u{301}\u{200d}🇩🏽कि्]{0,80}", width in 1u16..20) {
        prop_assert_eq!(rows(&text, width).concat(), text.replace('\n', ""));
    }

    #[test]
    fn no_row_is_too_wide(text in "[a-z 北\\n👩\u{301}\u{200d}\u{fe0f}🇩🏽कि्]{0,80}", width in 2u16..30) {
        for row in rows(&text, width) {
            let shown: usize = row.trim_end().graphemes(true).map(grapheme_width).sum();
            prop_assert!(shown <= width as usize || row.trim_end().graphemes(true).count() == 1, "{row:?}");
        }
    }
}

#[test]
fn work_per_token_does_not_depend_on_what_stands_before() {
    let work_after = |tokens: usize| {
        let mut wrapped = Wrapped::default();
        let mut text = "word ".repeat(tokens);
        wrapped.update(&text, 60);
        let before = wrapped.looked_at;
        for _ in 0..100 {
            text.push_str(" token");
            wrapped.update(&text, 60);
        }
        wrapped.looked_at - before
    };
    let (short, long) = (work_after(10), work_after(10_000));
    assert!(long <= short + 6_000, "{long} graphemes for 100 tokens after 10 000, {short} after 10");
}
