use proptest::prelude::*;

use super::*;

fn vocab(pieces: &[&[u8]]) -> Vocab {
    Vocab::new(
        pieces.iter().map(|&bytes| VocabEntry { bytes: bytes.to_vec(), ..VocabEntry::default() }),
        SpecialTokens::default(),
    )
}

proptest! {
    #[test]
    fn assembling_any_split_gives_the_text_back(text in "\\PC{0,40}", cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
        let mut edges: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        edges.extend([0, text.len()]);
        edges.sort_unstable();
        let mut assembler = Utf8Assembler::default();
        let mut out: String = edges.windows(2).map(|edge| assembler.push(&text.as_bytes()[edge[0]..edge[1]])).collect();
        out.push_str(&assembler.finish());
        prop_assert_eq!(out, text);
    }

    #[test]
    fn assembling_any_bytes_never_splits_differently(bytes in prop::collection::vec(any::<u8>(), 0..60), cut in any::<prop::sample::Index>()) {
        let whole = text_of(&bytes);
        let cut = cut.index(bytes.len() + 1);
        let mut assembler = Utf8Assembler::default();
        let mut out = assembler.push(&bytes[..cut]);
        out.push_str(&assembler.push(&bytes[cut..]));
        out.push_str(&assembler.finish());
        prop_assert_eq!(out, whole);
    }

    #[test]
    fn nothing_shown_can_move_a_cursor(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        prop_assert!(visible(&bytes).chars().all(|c| !c.is_control()));
        prop_assert!(printable(&text_of(&bytes)).chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
    }
}

#[test]
fn half_a_character_waits_for_the_rest() {
    let mut assembler = Utf8Assembler::default();
    let bytes = "北".as_bytes();
    assert_eq!(assembler.push(&bytes[..2]), "");
    assert!(!assembler.pending.is_empty());
    assert_eq!(assembler.push(&bytes[2..]), "北");
    assert_eq!(assembler.push(&bytes[..1]), "");
    assert_eq!(assembler.push(b"x"), "<0xE5>x");
    assert_eq!(assembler.push(&bytes[..1]), "");
    assert_eq!(assembler.finish(), "<0xE5>");
}

#[test]
fn white_space_and_escapes_are_visible() {
    assert_eq!(visible(b" Paris"), "␣Paris");
    assert_eq!(visible(b"\n\t\r\n"), "⏎⇥␍⏎");
    assert_eq!(visible(b"\x1b[2J"), "<0x1B>[2J");
    assert_eq!(visible("\u{9b}31m".as_bytes()), "<0x9B>31m");
    assert_eq!(visible(&[0xE4]), "<0xE4>");
    assert_eq!(printable("a\u{202e}b\n"), "a<U+202E>b\n");
    assert_eq!(printable("👩\u{200d}💻"), "👩\u{200d}💻");
    for hidden in ["\u{61c}", "\u{ad}", "\u{2066}", "\u{200f}", "\u{feff}", "\u{180e}", "\u{fff9}"] {
        let spelled = format!("a<U+{:04X}>b", hidden.chars().next().unwrap() as u32);
        assert_eq!(printable(&format!("a{hidden}b")), spelled);
        assert_eq!(visible(format!("a{hidden}b").as_bytes()), spelled);
    }
}

#[test]
fn a_token_that_begins_with_a_mark_shows_it_on_a_circle() {
    assert_eq!(visible("\u{301}".as_bytes()), "◌\u{301}");
    assert_eq!(visible("\u{93f}न".as_bytes()), "◌\u{93f}न");
    assert_eq!(visible("e\u{301}".as_bytes()), "e\u{301}");
    assert_eq!(visible("\u{200d}".as_bytes()), "<U+200D>");
    assert_eq!(visible("\u{200d}💻".as_bytes()), "<U+200D>💻");
    assert_eq!(visible("\u{fe0f}".as_bytes()), "<U+FE0F>");
    assert_eq!(visible("🏽".as_bytes()), "🏽");
}

#[test]
fn boundaries_go_by_bytes() {
    let pieces: &[&[u8]] =
        &[b" the", b"the", b"\n\n", b"\r", "\u{3000}x".as_bytes(), &[0xE3, 0x80], b"", b"\xC2\xA0"];
    let table = vocab(pieces);
    let expected = [
        Boundary::Space,
        Boundary::None,
        Boundary::OtherSpace,
        Boundary::OtherSpace,
        Boundary::OtherSpace,
        Boundary::None,
        Boundary::None,
        Boundary::OtherSpace,
    ];
    assert_eq!(table.boundaries(), expected.map(|b| b as u8));
}

#[test]
fn control_tokens_are_boundaries_only_as_end() {
    let entries = [
        VocabEntry { bytes: b" x".to_vec(), control: true, ..VocabEntry::default() },
        VocabEntry {
            bytes: b"<|im_end|>".to_vec(),
            control: true,
            ends_generation: true,
            ..VocabEntry::default()
        },
    ];
    let table = Vocab::new(entries, SpecialTokens::default());
    assert_eq!(table.boundaries(), [Boundary::None as u8, Boundary::End as u8]);
    assert!(table.is_special(TokenId(0)) && table.ends_generation(TokenId(1)));
}

#[test]
fn bytes_of_an_unknown_id_are_empty() {
    let table = vocab(&[b"a", b"bc"]);
    assert_eq!(table.bytes(TokenId(1)), b"bc");
    assert_eq!(table.bytes(TokenId(9)), b"");
    assert_eq!(table.concat([TokenId(1), TokenId(0)]), b"bca");
}
