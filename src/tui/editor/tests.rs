use proptest::prelude::*;

use super::*;

const TEXT: &str = "ae\u{301}👩\u{200d}👩\u{200d}👧🇩🇪नि";

fn press(editor: &mut Editor, code: KeyCode) -> Option<bool> {
    editor.key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn held(editor: &mut Editor, modifiers: KeyModifiers, keys: &str) {
    for c in keys.chars() {
        editor.key(KeyEvent::new(KeyCode::Char(c), modifiers));
    }
}

fn edited(text: &str) -> Editor {
    let mut editor = Editor::default();
    editor.replace(text);
    editor
}

#[test]
fn the_cursor_and_deletions_take_characters_whole() {
    let graphemes: Vec<&str> = TEXT.graphemes(true).collect();
    let mut editor = edited(TEXT);
    for left in (0..graphemes.len()).rev() {
        press(&mut editor, KeyCode::Left);
        assert_eq!(editor.cursor(), graphemes[..left].concat().len());
    }
    for right in 1..=graphemes.len() {
        press(&mut editor, KeyCode::Right);
        assert_eq!(editor.cursor(), graphemes[..right].concat().len());
    }
    for left in (0..graphemes.len()).rev() {
        press(&mut editor, KeyCode::Backspace);
        assert_eq!(editor.text(), graphemes[..left].concat());
    }
    editor.replace(TEXT);
    press(&mut editor, KeyCode::Home);
    for left in 1..=graphemes.len() {
        press(&mut editor, KeyCode::Delete);
        assert_eq!(editor.text(), graphemes[left..].concat());
    }
    held(&mut editor, KeyModifiers::CONTROL, "7");
    assert_eq!(editor.text(), graphemes[graphemes.len() - 1]);
}

#[test]
fn a_mark_that_joins_the_character_after_it_takes_the_cursor_along() {
    let mut editor = edited("\u{301}x");
    press(&mut editor, KeyCode::Home);
    press(&mut editor, KeyCode::Char('e'));
    assert_eq!((editor.text(), editor.cursor()), ("e\u{301}x", 3));
}

#[test]
fn words_and_lines_are_cut_written_again_and_undone() {
    let mut editor = edited("one two, three\nfour");
    held(&mut editor, KeyModifiers::ALT, "bb");
    assert_eq!(editor.cursor(), 9);
    held(&mut editor, KeyModifiers::CONTROL, "w");
    assert_eq!(editor.text(), "one three\nfour");
    held(&mut editor, KeyModifiers::ALT, "d");
    assert_eq!(editor.text(), "one \nfour");
    held(&mut editor, KeyModifiers::CONTROL, "yk");
    assert_eq!(editor.text(), "one threefour", "at a line's end the break is cut");
    held(&mut editor, KeyModifiers::CONTROL, "u_");
    assert_eq!((editor.text(), editor.cursor()), ("one threefour", 9));
    held(&mut editor, KeyModifiers::CONTROL, "7777");
    assert_eq!(editor.text(), "one two, three\nfour");
    assert_eq!(editor.key(KeyEvent::new(KeyCode::F(5), KeyModifiers::NONE)), None);
}

#[test]
fn up_and_down_go_by_the_rows_that_are_shown() {
    let mut editor = edited("aaaa bbbb 北京京\ncc");
    editor.show_in(5);
    press(&mut editor, KeyCode::Up);
    assert_eq!(&editor.text()[editor.cursor()..], "\ncc");
    assert!(editor.step_row(-1));
    assert_eq!(&editor.text()[editor.cursor()..], "京京\ncc");
    assert!(editor.step_row(-1));
    assert_eq!(&editor.text()[editor.cursor()..], "bb 北京京\ncc");
    assert!(editor.step_row(-1) && !editor.step_row(-1));
    assert_eq!(editor.cursor(), 2);
}

proptest! {
    #[test]
    fn whatever_is_pressed_the_cursor_stands_between_characters(
        text in "[a\u{301}\u{200d}👩🇩न\u{93f} \n]{0,12}",
        keys in proptest::collection::vec(0..14_usize, 0..20),
    ) {
        let mut editor = edited(&text);
        editor.show_in(4);
        for key in keys {
            let codes = [
                KeyCode::Left, KeyCode::Right, KeyCode::Up, KeyCode::Down, KeyCode::Home, KeyCode::End,
                KeyCode::Backspace, KeyCode::Delete, KeyCode::Char('e'), KeyCode::Char('\u{301}'),
                KeyCode::Char('\u{200d}'), KeyCode::Char('👧'), KeyCode::Char('w'), KeyCode::Char('y'),
            ];
            let modifiers = if key >= 12 { KeyModifiers::CONTROL } else { KeyModifiers::NONE };
            editor.key(KeyEvent::new(codes[key], modifiers));
            let ends: Vec<usize> = editor.text().grapheme_indices(true).map(|(start, _)| start).collect();
            prop_assert!(editor.cursor() == editor.text().len() || ends.contains(&editor.cursor()));
        }
    }
}

proptest::proptest! {
    #[test]
    fn rows_that_are_kept_are_those_of_the_text(
        edits in proptest::collection::vec((0usize..60, 0usize..20, "[a-c \n北\u{301}]{0,12}"), 1..12),
        columns in 1u16..9,
    ) {
        let mut editor = Editor::default();
        editor.show_in(columns);
        for (at, length, text) in edits {
            let place = |at: usize| {
                let starts = editor.text.grapheme_indices(true).map(|(start, _)| start);
                let ends = starts.chain([editor.text.len()]);
                ends.take_while(|&end| end <= at).last().unwrap_or(0)
            };
            let (start, end) = (place(at), place(at + length));
            editor.change(start, end, &text);
            let is_kept = matches!(editor.rows(columns), Cow::Borrowed(_));
            proptest::prop_assert!(is_kept);
            let mut anew = Wrapped::default();
            anew.update(&editor.text, columns);
            let kept = editor.rows(columns);
            proptest::prop_assert_eq!(kept.as_ref(), anew.rows(), "{:?}", &editor.text);
        }
    }
}
