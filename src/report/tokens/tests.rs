use super::*;
use crate::colouring::Colors;
use crate::token::{SpecialTokens, VocabEntry};

fn vocab() -> Vocab {
    let entry = |bytes: &[u8], control, user_defined| VocabEntry {
        bytes: bytes.to_vec(),
        control,
        user_defined,
        ..VocabEntry::default()
    };
    Vocab::new(
        [entry(b"<s>", true, false), entry(b"a\x1b", false, false), entry(b"<t>", false, true)],
        SpecialTokens::default(),
    )
}

fn place(id: u32, span: Option<Range<usize>>, typed: bool) -> TokenPlace {
    TokenPlace { id: TokenId(id), span, typed }
}

#[test]
fn a_row_tells_what_a_token_is_and_no_terminal_executes_it() {
    let places = [place(0, None, false), place(1, Some(0..2), true), place(2, Some(2..5), true)];
    let mut out = Vec::new();
    table(&mut out, places.into_iter(), &vocab(), false).unwrap();
    let out = String::from_utf8(out).unwrap();
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[1], ["1", "0", "<s>", "–", "–", "special", "3c", "73", "3e"]);
    assert_eq!(rows[2], ["2", "1", "a<0x1B>", "0", "2", "61", "1b"]);
    assert_eq!(rows[3], ["3", "2", "<t>", "2", "5", "added", "3c", "74", "3e"]);
    assert_eq!(rows[4], ["3", "tokens"]);
}

#[test]
fn the_rendered_text_is_whole_and_its_scaffold_dim() {
    let token = |id, start, end, typed| crate::chat::PromptToken {
        id: TokenId(id),
        start,
        end,
        typed,
        message: typed.then_some(0),
    };
    let prompt = ChatPrompt {
        tokens: vec![token(0, 0, 3, false), token(1, 3, 5, true), token(0, 5, 8, false)],
        text: "<s>hi<s>".to_string(),
        spans: Vec::new(),
        notes: Vec::new(),
    };
    let shown = |on| {
        let mut out = Vec::new();
        rendered(&mut out, &prompt, if on { Paint(Colors::Many) } else { Paint::default() }).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(shown(false), "<s>hi<s>\n\n");
    assert_eq!(shown(true), "\u{1b}[2m<s>\u{1b}[0mhi\u{1b}[2m<s>\u{1b}[0m\n\n");
}
